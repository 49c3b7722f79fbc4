//! Pages of other sites: refused, unless the operator lists their site.

use serde_json::json;

use crate::support::Server;
use crate::support::http::{Response, send};
use crate::support::websocket::WebSocket;

const HTTP: &[&str] = &["--http", "127.0.0.1:0", "--heartbeat", "1h"];
const LISTED: &str = "https://a.example";
/// `paff:cytus`
const PAFF: &str = "Basic cGFmZjpjeXR1cw==";

fn with_origins() -> Server {
    let origins = ["--http-origins", "https://A.example:443/,http://localhost:3000"];
    Server::start_with(&[HTTP, &origins].concat())
}

fn post(server: &Server, fields: &[(&str, &str)]) -> Response {
    send(server.http(), "POST /neko", fields, "hai")
}

fn count(server: &Server) -> i64 {
    let neko = server.log_in("neko");
    server.connect().done(format!("unread {neko}"))["unread"].as_i64().unwrap()
}

/// Fields that let a page of another site read a response, or use the user's cookie.
fn permissions(response: &Response) -> Vec<&str> {
    let lines = response.head.lines().skip(1);
    lines.filter(|line| line.to_ascii_lowercase().starts_with("access-control-")).collect()
}

#[test]
fn page_of_a_listed_site_uses_a_token_and_reads_the_response() {
    let server = with_origins();
    let bearer = format!("Bearer {}", server.log_in("paff"));
    for origin in [LISTED, "http://localhost:3000"] {
        let asked = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "authorization,idempotency-key,title"),
        ];
        let answer = send(server.http(), "OPTIONS /neko", &asked, "");
        assert_eq!(answer.status, 204, "{answer:?}");
        assert_eq!(answer.field("access-control-allow-origin"), Some(origin));
        assert_eq!(answer.field("access-control-allow-methods"), Some("GET, POST, PUT"));
        let fields = Some("authorization,idempotency-key,title");
        assert_eq!(answer.field("access-control-allow-headers"), fields);
        assert_eq!(answer.field("access-control-allow-credentials"), None);
        let fields = [("Origin", origin), ("Sec-Fetch-Site", "cross-site")];
        let fields = [&fields[..], &[("Authorization", bearer.as_str())]].concat();
        let response = post(&server, &fields);
        assert_eq!(response.status, 200, "{response:?}");
        assert_eq!(response.field("access-control-allow-origin"), Some(origin));
        assert_eq!(response.field("access-control-allow-credentials"), None);
        assert_eq!(response.field("vary"), Some("Origin"));
        let exposed = response.field("access-control-expose-headers").unwrap();
        assert!(exposed.contains("X-Message-Id"), "{exposed}");
        // The page learns why it is refused.
        let refused = post(&server, &[("Origin", origin)]);
        assert_eq!(refused.status, 401);
        assert_eq!(refused.field("access-control-allow-origin"), Some(origin));
    }
    assert_eq!(count(&server), 2);
    let own = post(&server, &[("Authorization", &bearer)]);
    assert_eq!((own.status, permissions(&own)), (200, vec![]), "no page sends it");
    let plain = send(server.http(), "OPTIONS /neko", &[("Origin", LISTED)], "");
    assert_eq!(plain.status, 405, "no question before a request: {plain:?}");
}

#[test]
fn nothing_that_a_browser_adds_by_itself_counts_for_a_listed_site() {
    let server = with_origins();
    let login = json!({"user": "paff", "password": "cytus"}).to_string();
    let opened = send(server.http(), "POST /page/session", &[], &login);
    let cookie = opened.field("set-cookie").and_then(|field| field.split(';').next()).unwrap();
    let own = format!("http://{}", server.http());
    assert_eq!(post(&server, &[("Origin", &own), ("Cookie", cookie)]).status, 200);
    let origin = ("Origin", LISTED);
    assert_eq!(post(&server, &[origin, ("Cookie", cookie)]).status, 401);
    assert_eq!(post(&server, &[origin, ("Authorization", PAFF)]).status, 403);
    let read = send(server.http(), "GET /inbox/json?poll=1", &[origin, ("Cookie", cookie)], "");
    assert_eq!(read.status, 401, "{read:?}");
    let opened = send(server.http(), "POST /page/session", &[origin], &login);
    assert_eq!((opened.status, opened.field("set-cookie")), (403, None));
    let path = "/api/v1/socket";
    let basic = WebSocket::open(server.http(), path, &[origin, ("Authorization", PAFF)]);
    assert_eq!(basic.err().map(|refused| refused.status), Some(403));
    // Only the lines of such a page can log in.
    let mut socket = WebSocket::open(server.http(), path, &[origin, ("Cookie", cookie)]).unwrap();
    socket.send("whoami -");
    assert!(socket.text().unwrap().contains("no_session"));
    socket.send("auth paff cytus");
    assert!(socket.text().unwrap().contains("tokenid"));
    assert_eq!(count(&server), 1);
}

#[test]
fn hostile_origins_are_refused_and_get_no_permission() {
    let listed = with_origins();
    let off = Server::start_with(HTTP);
    let hostile = [
        "https://evil.example",
        "http://a.example",
        "https://a.example:8443",
        "https://a.example.evil.example",
        "https://x.a.example",
        "https://a.example/",
        "https://a.example, https://evil.example",
        "HTTPS://A.EXAMPLE",
        "null",
        "*",
        "",
        "https://a.example\u{e9}",
    ];
    for (server, origins) in [(&listed, &hostile[..]), (&off, &[&hostile[..], &[LISTED]].concat())]
    {
        let bearer = format!("Bearer {}", server.log_in("paff"));
        for origin in origins {
            let asked = [
                ("Origin", *origin),
                ("Access-Control-Request-Method", "POST"),
                ("Access-Control-Request-Headers", "authorization"),
            ];
            let answer = send(server.http(), "OPTIONS /neko", &asked, "");
            assert_eq!((answer.status, permissions(&answer)), (403, vec![]), "{origin:?}");
            let response = post(server, &[("Origin", origin), ("Authorization", &bearer)]);
            assert_eq!((response.status, permissions(&response)), (403, vec![]), "{origin:?}");
            let path = "/inbox/json?poll=1";
            let fields = [("Origin", *origin), ("Authorization", bearer.as_str())];
            let response = send(server.http(), &format!("GET {path}"), &fields, "");
            assert_eq!((response.status, permissions(&response)), (403, vec![]), "{origin:?}");
            let socket = WebSocket::open(server.http(), "/inbox/ws", &fields);
            assert_eq!(socket.err().map(|refused| refused.status), Some(403), "{origin:?}");
        }
        let twice = [("Origin", LISTED), ("Origin", "https://evil.example")];
        assert_eq!(post(server, &twice).status, 403);
        assert_eq!(count(server), 0);
    }
}
