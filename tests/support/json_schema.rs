//! Checks a JSON value against a JSON Schema, as far as the OpenAPI document uses it.

use serde_json::Value;

/// What describes a schema and restricts nothing, and what this does not check.
const NOT_CHECKED: &[&str] = &["$schema", "default", "description", "format", "pattern", "title"];

/// Finds what is wrong with `value`. References are looked up in `document`. With `is_closed` an
/// object may have no property that its schema does not name.
pub fn check(
    document: &Value,
    schema: &Value,
    value: &Value,
    is_closed: bool,
) -> Result<(), String> {
    let check = |schema: &Value, value: &Value| check(document, schema, value, is_closed);
    let wrong = |what: &str| Err(format!("{value} is not {what}: {schema}"));
    let Some(schema) = schema.as_object() else {
        return if schema == &Value::Bool(true) { Ok(()) } else { wrong("allowed") };
    };
    if is_closed && let (Some(object), true) = (value.as_object(), schema.contains_key("type")) {
        let known = |name: &String| {
            let is_map = schema.get("additionalProperties").is_some_and(Value::is_object);
            is_map || schema.get("properties").is_some_and(|names| names.get(name).is_some())
        };
        if let Some(name) = object.keys().find(|name| !known(name)) {
            return Err(format!("{name} is not described: {value}"));
        }
    }
    for (keyword, given) in schema {
        let is_right = match keyword.as_str() {
            "$ref" => {
                let pointer = given.as_str().and_then(|text| text.strip_prefix('#'));
                let found = pointer.and_then(|pointer| document.pointer(pointer));
                check(found.ok_or_else(|| format!("{given} is not there"))?, value)?;
                true
            }
            "type" => match given {
                Value::Array(types) => types.iter().any(|given| is_of(given, value)),
                given => is_of(given, value),
            },
            "const" => given == value,
            "enum" => given.as_array().is_some_and(|values| values.contains(value)),
            "anyOf" | "oneOf" => {
                given.as_array().unwrap().iter().any(|schema| check(schema, value).is_ok())
            }
            "properties" => {
                for (name, schema) in given.as_object().unwrap() {
                    if let Some(value) = value.get(name) {
                        check(schema, value)?;
                    }
                }
                true
            }
            "required" => {
                let names = given.as_array().unwrap();
                names.iter().all(|name| value.get(name.as_str().unwrap()).is_some())
            }
            "additionalProperties" => {
                let properties = schema.get("properties");
                let is_other =
                    |name: &str| properties.is_none_or(|known| known.get(name).is_none());
                for (_, value) in
                    value.as_object().unwrap().iter().filter(|(name, _)| is_other(name))
                {
                    check(given, value)?;
                }
                true
            }
            "items" => {
                value.as_array().unwrap().iter().try_for_each(|item| check(given, item))?;
                true
            }
            "prefixItems" => {
                let schemas = given.as_array().unwrap();
                let items = value.as_array().unwrap();
                schemas.iter().zip(items).try_for_each(|(schema, item)| check(schema, item))?;
                true
            }
            "minimum" => value.as_f64() >= given.as_f64(),
            "maximum" => value.as_f64().is_none() || value.as_f64() <= given.as_f64(),
            "minLength" | "minItems" => length(value) >= given.as_u64(),
            "maxLength" | "maxItems" => length(value).is_none() || length(value) <= given.as_u64(),
            other if NOT_CHECKED.contains(&other) => true,
            other => return Err(format!("the keyword {other} is not known here")),
        };
        if !is_right {
            return Err(format!("{value} is not as {keyword} says: {given}"));
        }
    }
    Ok(())
}

fn length(value: &Value) -> Option<u64> {
    let characters = value.as_str().map(|text| text.chars().count());
    characters.or(value.as_array().map(Vec::len)).map(|length| length as u64)
}

fn is_of(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type"),
    }
}
