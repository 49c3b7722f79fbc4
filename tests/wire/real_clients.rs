//! Clients that others have written, over HTTP.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::support::page::blocks;
use crate::support::tls::{Authority, as_str};
use crate::support::{Server, python};

const HTTP: &[&str] = &["--http", "127.0.0.1:0", "--heartbeat", "1h"];

/// A script that runs. It is killed when this is dropped.
struct Script {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Script {
    fn start(mut python: Command, script: &str, arguments: &[&str]) -> Self {
        python.args(["-W", "ignore", "-u", "-c", script]).args(arguments);
        let mut child = python.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// Its next line. Python's `print` of an object is one line.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the script has ended");
        line.trim_end().to_owned()
    }

    /// Waits for its end, which must be a success.
    fn finish(mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn websockets_for_python_runs_the_example_of_the_page() {
    let Some(python) = python::with("websockets") else { return };
    let server = Server::start_with(HTTP);
    let (neko, paff) = (server.log_in("neko"), server.log_in("paff"));
    let page = include_str!("../../docs/http.md");
    let mut examples: Vec<_> =
        blocks(page).into_iter().filter(|block| block.language == "python").collect();
    let example = examples.pop().expect("an example");
    assert!(examples.is_empty(), "one example");
    let address = server.http().to_string();
    let script = example.text.replace("127.0.0.1:8080", &address).replace("ct_…", &neko);
    let mut running = Script::start(python, &script, &[]);
    assert!(running.line().contains("'sent': "), "the reply to post");
    assert!(running.line().contains("'watching': 'neko'"));
    assert!(running.line().contains("'event': 'caught_up'"));
    server.connect().done(format!("send {paff} neko from paff"));
    assert!(running.line().contains("'body': 'from paff'"));
}

#[test]
fn websockets_for_python_speaks_the_line_protocol_over_tls() {
    let Some(python) = python::with("websockets") else { return };
    let authority = Authority::new();
    let files = authority.server();
    let tls = ["--tls-cert", as_str(&files.certificate), "--tls-key", as_str(&files.key)];
    let server = Server::start_with(
        &[&["--http", "tls:127.0.0.1:0", "--heartbeat", "1h"], &tls[..]].concat(),
    );
    let script = r#"
import json, ssl, sys
from websockets.sync.client import connect
context = ssl.create_default_context(cafile=sys.argv[2])
with connect(sys.argv[1], ssl=context, subprotocols=["chat"]) as socket:
    assert socket.subprotocol == "chat"
    def ask(line):
        socket.send(line)
        return json.loads(socket.recv())
    token = ask("auth paff cytus")["tokenid"]
    for number in range(500):
        socket.send(f"send {token} neko {number} " + "x" * 2000)
    for number in range(500):
        reply = json.loads(socket.recv())
        assert reply["status"] == "OK", reply
    assert socket.ping().wait(60)
    # In parts, which the server puts together.
    socket.send(["whoami ", token])
    assert json.loads(socket.recv())["user"] == "paff"
    token = ask("auth neko cytus")["tokenid"]
    ask("watch " + token + ' {"from": "all"}')
    texts = []
    while len(texts) < 500:
        event = json.loads(socket.recv())
        if event["event"] == "message":
            texts.append(int(event["body"].split(" ")[0]))
    assert texts == list(range(500))
    print("done")
    # The server stops while the stream waits.
    from websockets.exceptions import ConnectionClosed
    try:
        while True:
            socket.recv()
    except ConnectionClosed as closed:
        print("closed", closed.rcvd.code, closed.rcvd.reason)
"#;
    let url = format!("wss://{}/api/v1/socket", server.http());
    let authority = authority.file();
    let mut running = Script::start(python, script, &[&url, as_str(&authority)]);
    assert_eq!(running.line(), "done");
    server.signal(rustix::process::Signal::TERM);
    assert_eq!(running.line(), "closed 1001 the server is stopping");
    running.finish();
}

#[test]
fn httpx_sse_continues_after_its_last_event() {
    let Some(python) = python::with("httpx_sse") else { return };
    let server = Server::start_with(HTTP);
    let (neko, paff) = (server.log_in("neko"), server.log_in("paff"));
    let mut wire = server.connect();
    let mut send = |from: usize, to: usize| {
        (from..to).for_each(|number| wire.send(format!("send {paff} neko {number}\r\n")));
        (from..to).for_each(|_| assert_eq!(wire.reply()["status"], "OK"));
    };
    let script = r#"
import json, sys
import httpx
from httpx_sse import connect_sse
url, token, last, count = sys.argv[1:]
headers = {"Authorization": "Bearer " + token, **({"Last-Event-ID": last} if last else {})}
with httpx.Client(timeout=60) as client:
    with connect_sse(client, "GET", url, headers=headers, params={} if last else {"since": "all"}) as source:
        source.response.raise_for_status()
        seen = []
        for event in source.iter_sse():
            assert event.id, event
            if event.event == "message":
                message = json.loads(event.data)
                assert message["id"] == event.id
                seen.append(message["message"])
                if len(seen) == int(count):
                    print(json.dumps({"id": event.id, "seen": seen}))
                    break
"#;
    let url = format!("http://{}/inbox/sse", server.http());
    let (mut python, mut last) = (Some(python), String::new());
    for (round, count) in [100, 1, 37].into_iter().enumerate() {
        let from = round * 1_000;
        // What comes while nobody listens, and while one does.
        send(from, from + count / 2);
        let python = python.take().or_else(|| python::with("httpx_sse")).expect("it was there");
        let mut running = Script::start(python, script, &[&url, &neko, &last, &count.to_string()]);
        send(from + count / 2, from + count);
        let told: Value = serde_json::from_str(&running.line()).unwrap();
        running.finish();
        let expected: Vec<String> = (from..from + count).map(|it| it.to_string()).collect();
        assert_eq!(told["seen"], json!(expected), "round {round}");
        last = told["id"].as_str().unwrap().to_owned();
    }
}

#[test]
fn schemathesis_finds_no_request_that_fails_the_server() {
    let Some(mut python) = python::with("schemathesis") else { return };
    // Some of its requests have a wrong password, and the user must not wait for it.
    let failures = ["--login-failures-per-address-max", "--login-failures-per-user-max"];
    let failures = failures.map(|option| [option, "100000"]).concat();
    let server = Server::start_with(&[HTTP, &failures].concat());
    let url = format!("http://{}/api/v1/openapi.json", server.http());
    // A name and a password get another session when one was ended.
    python.args(["-W", "ignore", "-m", "schemathesis.cli", "run", &url, "--auth", "paff:cytus"]);
    python.args(["--phases", "coverage,fuzzing", "--max-examples", "10", "--seed", "1"]);
    python.args(["--checks", "not_a_server_error", "--no-color"]);
    // It waits for the end of a response, and a stream has none.
    python.args(["--exclude-path", "/api/v1/events"]);
    let folder = tempfile::TempDir::new().unwrap();
    let output = python.current_dir(folder.path()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{output:?}");
    let document = crate::support::http::get(server.http(), "/api/v1/openapi.json").body;
    let document: Value = serde_json::from_str(&document).unwrap();
    let count = document["paths"].as_object().unwrap().len() - 1;
    assert!(told.contains(&format!("Tested: {count}\n")), "{told}");
    for vain in ["Rate limited", "Authentication failed"] {
        assert!(!told.contains(vain), "{told}");
    }
    server.connect().done(format!("whoami {}", server.log_in("neko")));
}
