//! The parameters of a request, in ntfy's dialect: each has a name and short forms, as a header
//! (with or without `X-`) or in the query. A parameter that this server does not support is refused
//! by its name, unless its value asks for nothing.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, Uri};

use super::refused::Refused;
use super::{encoded_word, form};

/// A parameter that ntfy knows.
struct Known {
    name: &'static str,
    /// The header names without `X-`, and the names in the query, in lower case.
    aliases: &'static [&'static str],
    support: Support,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Support {
    Yes,
    /// It is refused, but for these values, which ask for what this server does anyway.
    No(&'static [&'static str]),
    /// It only decorates the message.
    Dropped,
}

const ICON: &str = "icon";
/// A parameter of our own. It has one form, with `X-` as a header.
const EXPIRES: &str = "expires";

const NO: &[&str] = &["no", "false", "0", ""];
const YES: &[&str] = &["yes", "true", "1", ""];

const fn known(name: &'static str, aliases: &'static [&'static str]) -> Known {
    Known { name, aliases, support: Support::Yes }
}

const fn unsupported(
    name: &'static str,
    aliases: &'static [&'static str],
    but_for: &'static [&'static str],
) -> Known {
    Known { name, aliases, support: Support::No(but_for) }
}

/// The parameters of a message.
const PUBLISH: &[Known] = &[
    known("message", &["message", "m"]),
    known("title", &["title", "ti", "t"]),
    known("priority", &["priority", "prio", "p"]),
    known("tags", &["tags", "tag", "ta"]),
    known("click", &["click"]),
    known("delay", &["delay", "at", "in"]),
    known(EXPIRES, &[EXPIRES]),
    unsupported("actions", &["actions", "action"], &[""]),
    unsupported("attach", &["attach", "a"], &[""]),
    unsupported("cache", &["cache"], YES),
    unsupported("call", &["call"], NO),
    unsupported("email", &["email", "e-mail", "mail", "e"], NO),
    unsupported("filename", &["filename", "file", "f"], &[""]),
    unsupported("firebase", &["firebase"], NO),
    // It says nothing, and apprise gives one with every message.
    Known { name: ICON, aliases: &[ICON], support: Support::Dropped },
    unsupported("markdown", &["markdown", "md"], NO),
    unsupported("poll_id", &["poll-id"], &[""]),
    unsupported("sequence_id", &["sequence-id", "sid"], &[""]),
    unsupported("template", &["template", "tpl"], NO),
    unsupported("unifiedpush", &["unifiedpush", "up"], NO),
];

/// The parameters of reading.
const READ: &[Known] = &[
    known("poll", &["poll", "po"]),
    known("since", &["since", "si"]),
    known("priority", &["priority", "prio", "p"]),
    known("tags", &["tags", "tag", "ta"]),
    known("cursor", &["cursor"]),
    unsupported("id", &["id"], &[""]),
    unsupported("message", &["message", "m"], &[""]),
    unsupported("title", &["title", "t"], &[""]),
    unsupported("scheduled", &["scheduled", "sched"], NO),
];

/// The parameters of moving a cursor.
const ACK: &[Known] = &[known("cursor", &["cursor"]), known("upto", &["upto"])];

/// The parameters that a request gives.
#[derive(Debug, Default)]
pub(super) struct Fields(BTreeMap<&'static str, String>);

impl Fields {
    /// Those of a message.
    pub(super) fn of_publish(headers: &HeaderMap, uri: &Uri) -> Result<Self, Refused> {
        Self::of(PUBLISH, headers, uri)
    }

    /// Those of reading.
    pub(super) fn of_read(headers: &HeaderMap, uri: &Uri) -> Result<Self, Refused> {
        Self::of(READ, headers, uri)
    }

    /// Those of moving a cursor. They are in the query only.
    pub(super) fn of_ack(uri: &Uri) -> Result<Self, Refused> {
        Self::of(ACK, &HeaderMap::new(), uri)
    }

    /// Refuses all parameters of a query.
    pub(super) fn none(uri: &Uri) -> Result<(), Refused> {
        Self::of(&[], &HeaderMap::new(), uri).map(drop)
    }

    fn of(known: &[Known], headers: &HeaderMap, uri: &Uri) -> Result<Self, Refused> {
        let mut fields = Self::default();
        for (name, value) in headers {
            // Scripts in browsers send a header of this name against caches.
            if name.as_str() == EXPIRES {
                continue;
            }
            let name = name.as_str().strip_prefix("x-").unwrap_or(name.as_str());
            let Some(known) = known.iter().find(|known| known.aliases.contains(&name)) else {
                continue;
            };
            // Browsers send a header of this name for another purpose (RFC 9218).
            if known.name == "priority" && is_of_rfc_9218(value.as_bytes()) {
                continue;
            }
            let text = encoded_word::decode(value.as_bytes())
                .ok_or_else(|| Refused::bad(format!("{name}: it is not UTF-8")))?;
            fields.add(known, text)?;
        }
        let query = uri.query().unwrap_or_default();
        let query = form::parse(query)
            .map_err(|name| Refused::bad(format!("{name}: it is not UTF-8 in the query")))?;
        for (name, value) in query {
            let lower = name.to_ascii_lowercase();
            let short = lower.strip_prefix("x-").unwrap_or(&lower);
            match known.iter().find(|known| known.aliases.contains(&short)) {
                Some(known) => fields.add(known, value)?,
                None if ["auth", "authorization", "token", "access_token"].contains(&short) => {
                    let why = "a token or password in a URL ends up in logs: give Authorization";
                    return Err(Refused::bad(format!("{short}: {why}")));
                }
                None => return Err(Refused::bad(format!("{name}: there is no such parameter"))),
            }
        }
        Ok(fields)
    }

    fn add(&mut self, known: &Known, value: String) -> Result<(), Refused> {
        let name = known.name;
        if known.support == Support::Dropped {
            return Ok(());
        }
        if let Support::No(but_for) = known.support {
            return match but_for.contains(&value.trim().to_ascii_lowercase().as_str()) {
                true => Ok(()),
                false => Err(Refused::bad(format!("{name}: this server does not support it"))),
            };
        }
        match self.0.insert(name, value) {
            None => Ok(()),
            Some(_) => Err(Refused::bad(format!("{name}: it is given twice"))),
        }
    }

    /// The value of a parameter, unless it is empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// A parsed value. The error names the parameter.
    pub(super) fn parse<T>(&self, name: &str) -> Result<Option<T>, Refused>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        let parse =
            |value: &str| value.parse().map_err(|error| Refused::bad(format!("{name}: {error}")));
        self.get(name).map(parse).transpose()
    }
}

/// A field of JSON that a message cannot have, and whose value asks for something.
pub(super) fn unsupported_field(
    fields: &serde_json::Map<String, serde_json::Value>,
) -> Option<&str> {
    let asks = |value: &serde_json::Value| match value {
        serde_json::Value::Null | serde_json::Value::Bool(false) => false,
        serde_json::Value::String(text) => !text.is_empty(),
        serde_json::Value::Array(list) => !list.is_empty(),
        _ => true,
    };
    let is_lost = |name: &str, value| name != ICON && asks(value);
    fields.iter().find(|(name, value)| is_lost(name, value)).map(|(name, _)| name.as_str())
}

fn is_of_rfc_9218(value: &[u8]) -> bool {
    value.starts_with(b"u=") || value == b"i"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(
        known: &[Known],
        headers: &[(&'static str, &str)],
        query: &str,
    ) -> Result<Fields, String> {
        let headers = headers.iter().map(|(name, value)| {
            (axum::http::HeaderName::from_static(name), value.parse().unwrap())
        });
        let uri: Uri = format!("/neko?{query}").parse().unwrap();
        Fields::of(known, &headers.collect(), &uri).map_err(|refused| format!("{refused:?}"))
    }

    #[test]
    fn each_form_of_a_parameter_is_the_same_parameter() {
        for name in ["x-title", "title", "ti", "t"] {
            let found = fields(PUBLISH, &[(name, "=?UTF-8?B?aGFp?="), ("accept", "*/*")], "");
            assert_eq!(found.unwrap().get("title"), Some("hai"), "{name}");
        }
        for name in ["x-title", "Title", "t", "X-Title"] {
            let found = fields(PUBLISH, &[], &format!("{name}=hai%20neko"));
            assert_eq!(found.unwrap().get("title"), Some("hai neko"), "{name}");
        }
        let browser = fields(PUBLISH, &[("priority", "u=0, i")], "").unwrap();
        assert_eq!(browser.get("priority"), None);
        let script = fields(PUBLISH, &[("expires", "0"), ("x-expires", "1d")], "").unwrap();
        assert_eq!(script.get("expires"), Some("1d"));
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name_unless_it_asks_for_nothing() {
        let told = |headers: &[(&'static str, &str)], query: &str| {
            fields(PUBLISH, headers, query).err().unwrap_or_default()
        };
        assert!(told(&[("x-delay", "10m")], "in=10m").contains("delay: it is given twice"));
        assert!(told(&[("attach", "x")], "").contains("attach: "));
        assert!(told(&[], "email=a@b.example").contains("email: "));
        assert!(told(&[("cache", "no")], "").contains("cache: "));
        assert!(told(&[], "titel=hai").contains("titel: "));
        assert!(told(&[], "auth=QmVhcmVy").contains("ends up in logs"));
        assert!(told(&[("title", "a")], "t=b").contains("title: it is given twice"));
        assert_eq!(told(&[("firebase", "no"), ("markdown", "0"), ("cache", "yes")], "email="), "");
    }

    #[test]
    fn every_alias_belongs_to_one_parameter() {
        for known in [PUBLISH, READ, ACK] {
            let aliases: Vec<&str> =
                known.iter().flat_map(|known| known.aliases).copied().collect();
            let mut once = aliases.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), aliases.len(), "{aliases:?}");
        }
    }
}
