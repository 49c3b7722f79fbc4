//! The OpenAPI document of the project's own API. It is made from the verbs of the line protocol and
//! from the types that read and write their JSON, so it has what the server takes and returns.

use std::sync::LazyLock;

use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use schemars::Schema;
use serde_json::{Map, Value, json};

use crate::protocol::schema::{Shape, Shapes};
use crate::protocol::verb::Verb;

/// The paths of the API begin with it.
pub(super) const ROOT: &str = "/api/v1";
/// A response is one reply.
pub(super) const NO_STREAM: &str =
    "watch: GET /api/v1/events, /inbox/sse and /inbox/json are the streams over HTTP";
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Where the document has the schemas that others refer to.
const SCHEMAS: &str = "/components/schemas";

/// The document is the same for everybody, and for as long as the server runs.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", make()));

/// `GET /api/v1/openapi.json`.
pub(super) async fn document() -> Response {
    ([(CONTENT_TYPE, JSON)], DOCUMENT.as_str()).into_response()
}

fn make() -> Value {
    let mut shapes = Shapes::new(SCHEMAS);
    let mut paths = Map::new();
    for verb in Verb::ALL {
        if let Some(shape) = shapes.of(*verb) {
            paths.insert(format!("{ROOT}/{}", verb.as_str()), path(*verb, shape));
        }
    }
    paths.insert(format!("{ROOT}/events"), events());
    paths.insert(format!("{ROOT}/socket"), socket());
    let (refusal, event) = (shapes.refusal(), shapes.event());
    let mut schemas = shapes.definitions();
    schemas.insert("Refusal".to_owned(), refusal.into());
    schemas.insert("Event".to_owned(), event.into());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Chat",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The line protocol of chat-server over HTTP: docs/protocol.md describes \
                every verb, and docs/http.md the rest. A `200` means that everything to be stored is \
                on the disk. Ignore fields that you do not know: more may be added.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"password": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {
                "Refused": {
                    "description": "Nothing was done, unless the code is `internal`.",
                    "content": {
                        "application/json": {"schema": reference("Refusal")},
                    },
                },
            },
            "parameters": {
                "IdempotencyKey": {
                    "name": "Idempotency-Key",
                    "in": "header",
                    "description": "The field `key`, in the place of it: the same key is the same \
                        message, however often the request is repeated.",
                    "schema": reference("Key"),
                },
            },
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The token that `auth` returns.",
                },
                "password": {"type": "http", "scheme": "basic"},
            },
        },
    })
}

fn path(verb: Verb, shape: Shape) -> Value {
    let Shape { fields, reply } = shape;
    let has_required = fields.get("required").and_then(Value::as_array).is_some();
    let mut operation = json!({
        "operationId": verb.as_str(),
        "summary": verb.summary().trim_end_matches('.'),
        "requestBody": {"required": has_required, "content": content(fields)},
        "responses": {
            "200": {"description": "It is done.", "content": content(reply)},
            "default": {"$ref": "#/components/responses/Refused"},
        },
    });
    if !verb.needs_token() {
        operation["security"] = json!([]);
    }
    if verb == Verb::Watch {
        operation["description"] = NO_STREAM.into();
        operation["responses"] = json!({"default": operation["responses"]["default"]});
    }
    if verb == Verb::Post {
        operation["parameters"] = json!([{"$ref": "#/components/parameters/IdempotencyKey"}]);
    }
    json!({"post": operation})
}

/// The parameters of the stream of events in its query.
const EVENT_PARAMETERS: [(&str, &str); 5] = [
    ("poll", "`1`: the response ends after the stored messages."),
    (
        "since",
        "Where it begins: `all`, `latest`, `new`, `unread`, the id of a message, a time, or a \
        duration such as `10m`. Without it a stream begins at the next new message.",
    ),
    ("cursor", "It begins after this cursor."),
    ("priority", "Messages of any of these priorities only, with commas between them."),
    ("tags", "Messages with all of these tags only, with commas between them."),
];

/// The stream of events. OpenAPI knows no server-sent events, so its body is a text.
fn events() -> Value {
    let parameter = |place: &str, name: &str, description: &str| json!({"name": name, "in": place, "description": description, "schema": {"type": "string"}});
    let mut parameters: Vec<Value> = EVENT_PARAMETERS
        .iter()
        .map(|(name, description)| parameter("query", name, description))
        .collect();
    let resumed = "The `id:` of the last event that came: the stream continues after it.";
    parameters.push(parameter("header", "Last-Event-ID", resumed));
    json!({"get": {
        "operationId": "events",
        "summary": "Streams the events of watch",
        "description": "Server-sent events, each with an `id:`. The data of each is an `Event` \
            (`#/components/schemas/Event`). The response goes on until the session ends or the \
            server stops.",
        "parameters": parameters,
        "responses": {
            "200": {
                "description": "The events.",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            },
            "default": {"$ref": "#/components/responses/Refused"},
        },
    }})
}

/// The path of the WebSocket. OpenAPI describes only how one begins.
fn socket() -> Value {
    json!({"get": {
        "operationId": "socket",
        "summary": "Opens a WebSocket that speaks the line protocol, a frame a line",
        "description": "In a line `-` stands for the token of `Authorization`.",
        "security": [{}, {"token": []}, {"password": []}],
        "responses": {
            "101": {"description": "The connection is a WebSocket."},
            "default": {"$ref": "#/components/responses/Refused"},
        },
    }})
}

fn content(schema: Schema) -> Value {
    json!({"application/json": {"schema": schema}})
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#{SCHEMAS}/{name}")})
}
