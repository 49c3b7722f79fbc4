//! `chat-cli mcp`: line by line, and with the official client.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use crate::support::cli::{Home, outcome, outcome_with_input};
use crate::support::exposition::Scrape;
use crate::support::http;
use crate::support::python;
use crate::support::{Server, wait_until};

/// A running `chat-cli mcp`.
struct Agent {
    child: Child,
    input: Option<ChildStdin>,
    lines: BufReader<ChildStdout>,
    last: i64,
}

impl Agent {
    fn start(home: &Home) -> Self {
        let mut command = home.cli(["mcp"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, lines, last: 0 }
    }

    fn write(&mut self, line: impl AsRef<[u8]>) {
        let input = self.input.as_mut().unwrap();
        input.write_all(line.as_ref()).unwrap();
        input.write_all(b"\n").unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.lines.read_line(&mut line).unwrap() > 0, "it has ended");
        line
    }

    fn answer(&mut self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    /// Sends a request, and returns its id.
    fn request(&mut self, method: &str, params: Value) -> i64 {
        self.last += 1;
        let id = self.last;
        self.write(
            json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string(),
        );
        id
    }

    fn begin(&mut self, tool: &str, arguments: Value) -> i64 {
        self.request("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    /// The result of a request.
    fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params);
        let mut answer = self.answer();
        assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(id)), "{answer}");
        assert!(answer["error"].is_null(), "{answer}");
        answer["result"].take()
    }

    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({"name": tool, "arguments": arguments}))
    }

    /// What a tool has returned.
    fn done(&mut self, tool: &str, arguments: Value) -> Value {
        let mut result = self.call(tool, arguments);
        assert_eq!(result["isError"], false, "{result}");
        let text: Value = serde_json::from_str(text_of(&result)).unwrap();
        assert_eq!(text, result["structuredContent"], "both forms say the same");
        result["structuredContent"].take()
    }

    /// The error of a tool, as an object.
    fn failed(&mut self, tool: &str, arguments: Value) -> Value {
        error_of(&self.call(tool, arguments))
    }

    /// Ends the input, and waits for the end of the process.
    fn end(mut self) {
        drop(self.input.take());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        let mut rest = String::new();
        assert_eq!(self.lines.read_line(&mut rest).unwrap(), 0, "{rest}");
    }
}

fn text_of(result: &Value) -> &str {
    assert_eq!(result["content"].as_array().map(Vec::len), Some(1), "{result}");
    result["content"][0]["text"].as_str().unwrap()
}

fn error_of(result: &Value) -> Value {
    assert_eq!(result["isError"], true, "{result}");
    serde_json::from_str(text_of(result)).unwrap()
}

fn bodies(result: &Value) -> Vec<&str> {
    let messages = result["messages"].as_array().unwrap();
    messages.iter().map(|message| message["body"].as_str().unwrap()).collect()
}

#[test]
fn official_client_uses_every_tool() {
    let Some(python) = python::with("mcp") else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/client/agent.py");
    for mode in ["auto", "legacy"] {
        let server = Server::start();
        let home = Home::of("paff", server.address());
        let mut command = home.command(python.get_program());
        command.args(["-W", "ignore"]).arg(&script).args([mode, env!("CARGO_BIN_EXE_chat-cli")]);
        let outcome = outcome(command);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        let lines: Vec<&str> = outcome.stdout.lines().collect();
        let expected = [
            "version 2025-11-25",
            "server chat-cli",
            "tools ack answer ask conversations history inbox reply search send wait",
            "sent once True True",
            "inbox ['to myself'] False",
            "wait ['paff']",
            "ack True",
            "history ['hai 🐱', 'and more']",
            "search ['hai 🐱'] False",
            "conversations ['paff'] False",
            "open {'answered': False}",
            "answered True yes Yes",
        ];
        assert_eq!(lines[..expected.len()], expected, "{outcome:?}");
        assert!(lines[12].contains(r#""code": "unknown_recipient""#), "{outcome:?}");
        assert!(lines[13].contains("unknown field `from`"), "{outcome:?}");
        assert_eq!(lines[14..], ["no tool -32602", "end"], "{outcome:?}");
    }
}

#[test]
fn handshake_agrees_on_a_version_and_lists_the_tools() {
    let server = Server::start();
    let home = Home::of("paff", server.address());
    let mut agent = Agent::start(&home);
    // Newer clients ask this first.
    agent.request("server/discover", json!({}));
    assert_eq!(agent.answer()["error"]["code"], -32601);
    for (asked, agreed) in
        [("2024-11-05", "2024-11-05"), ("2025-11-25", "2025-11-25"), ("2099-01-01", "2025-11-25")]
    {
        let client = json!({"name": "test", "version": "1"});
        let params = json!({"protocolVersion": asked, "capabilities": {}, "clientInfo": client});
        let result = agent.ask("initialize", params);
        assert_eq!(result["protocolVersion"], agreed);
        assert_eq!(result["serverInfo"]["name"], "chat-cli");
        assert!(result["capabilities"]["tools"].is_object());
    }
    agent.write(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    assert_eq!(agent.ask("ping", json!({})), json!({}));
    let tools = agent.ask("tools/list", json!({}));
    assert_eq!(tools["tools"].as_array().map(Vec::len), Some(10));
    assert!(tools["nextCursor"].is_null());
    agent.request("tools/list", json!({"cursor": "x"}));
    assert_eq!(agent.answer()["error"]["code"], -32602);
    agent.end();
}

#[test]
fn malformed_messages_are_answered_and_the_next_one_works() {
    let server = Server::start();
    let home = Home::of("paff", server.address());
    let mut agent = Agent::start(&home);
    for (line, code) in [
        (&b"{"[..], -32700),
        (b"\xff\xfe", -32700),
        (b"GET / HTTP/1.1", -32700),
        (b"[]", -32600),
        (b"7", -32600),
        (br#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32600),
        (br#"{"id":1,"method":"ping"}"#, -32600),
        (br#"{"jsonrpc":"2.0","id":1,"method":"nothing"}"#, -32601),
        (br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}"#, -32602),
        (br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#, -32602),
        (br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"no"}}"#, -32602),
        (&vec![b'x'; 3_000_000], -32600),
        (&b"[".repeat(100_000), -32700),
    ] {
        agent.write(line);
        let answer = agent.answer();
        let begin = String::from_utf8_lossy(&line[..line.len().min(60)]);
        assert_eq!(answer["error"]["code"], code, "{begin}: {answer}");
    }
    // None of these gets an answer.
    for line in [
        "",
        "  \r",
        r#"{"jsonrpc":"2.0","method":"notifications/nothing"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":99}}"#,
        r#"{"jsonrpc":"2.0","id":5,"result":{}}"#,
        r#"[{"jsonrpc":"2.0","method":"notifications/nothing"}]"#,
    ] {
        agent.write(line);
    }
    assert_eq!(agent.ask("ping", json!({})), json!({}));
    agent.write(
        r#"[{"jsonrpc":"2.0","id":"a","method":"ping"},1,{"jsonrpc":"2.0","id":"b",
        "method":"tools/call","params":{"name":"inbox"}},{"jsonrpc":"2.0","method":"x"}]"#
            .replace('\n', " "),
    );
    let answers = agent.answer();
    assert_eq!(answers.as_array().map(Vec::len), Some(3), "{answers}");
    assert_eq!((&answers[0]["id"], &answers[1]["id"]), (&json!("a"), &Value::Null));
    assert_eq!(answers[2]["result"]["structuredContent"]["messages"], json!([]));
    agent.end();
}

#[test]
fn wrong_arguments_are_refused_by_name_and_the_sender_is_never_taken_from_them() {
    let server = Server::start();
    let home = Home::of("paff", server.address());
    let mut agent = Agent::start(&home);
    for (tool, arguments, field) in [
        ("send", json!({"to": "neko", "body": "x", "from": "ivy"}), "from"),
        ("send", json!({"to": "neko"}), "body"),
        ("send", json!({"to": "neko", "body": 1}), "body"),
        ("send", json!({"to": "neko", "body": "x", "priority": 6}), "priority"),
        ("send", json!({"to": "neko", "body": "x", "click": "javascript:x"}), "click"),
        ("ask", json!({"user": "neko", "question": "x", "choices": ["a b"]}), "choices"),
        ("inbox", json!({"limit": 101}), "limit"),
        ("wait", json!({"timeout_seconds": 301}), "timeout_seconds"),
        ("wait", json!({"timeout_seconds": -1}), "timeout_seconds"),
        ("history", json!({"with": "neko", "thread": 1}), "thread"),
        ("search", json!({}), "query"),
        ("search", json!({"query": "x", "limit": 0}), "limit"),
        ("ack", json!([1]), "arguments"),
    ] {
        let error = agent.failed(tool, arguments);
        assert_eq!(error["code"], "usage", "{error}");
        assert!(error["error"].as_str().unwrap().contains(field), "{field}: {error}");
    }
    assert_eq!(agent.failed("send", json!({"to": "neko", "body": ""}))["code"], "empty_message");
    let long = "x".repeat(40_000);
    assert_eq!(agent.failed("send", json!({"to": "neko", "body": long}))["code"], "too_long");
    assert_eq!(agent.failed("answer", json!({"ticket": 1}))["code"], "unknown_message");
    let error = agent.failed("search", json!({"query": "a \"b"}));
    assert_eq!((&error["code"], &error["exit"]), (&json!("bad_query"), &json!(2)), "{error}");
    assert!(error["error"].as_str().unwrap().contains("column 3"), "{error}");
    let unknown = json!({"query": "in:#none"});
    assert_eq!(agent.failed("search", unknown)["code"], "unknown_room");
    agent.done("send", json!({"to": "neko", "body": "\r\n\r\n{\"from\": \"ivy\"}"}));
    assert_eq!(agent.failed("answer", json!({"ticket": 1}))["code"], "usage");
    let stored = server.query("select sender, body from v1_messages");
    assert_eq!(stored, ["paff|\r\n\r\n{\"from\": \"ivy\"}"]);
    agent.end();
}

#[test]
fn large_results_are_paged_or_cut() {
    let server = Server::start();
    let (paff, neko) = (Home::of("paff", server.address()), Home::of("neko", server.address()));
    let mut wire = server.connect();
    let token = paff.token();
    let count: usize = 20;
    for number in 0..count {
        let body = format!("{number:02}{}", "x".repeat(15_000));
        wire.done(format!(r#"post {token} {{"to": ["neko"], "body": "{body}"}}"#));
    }
    let mut agent = Agent::start(&neko);
    let numbers = |result: &Value| -> Vec<usize> {
        bodies(result).iter().map(|body| body[..2].parse().unwrap()).collect()
    };
    let (mut seen, mut arguments) = (Vec::new(), json!({"limit": 100}));
    loop {
        let page = agent.done("inbox", arguments.clone());
        assert!(page.to_string().len() < 70_000 && !bodies(&page).is_empty());
        seen.extend(numbers(&page));
        if page["more"] == false {
            break;
        }
        arguments["after"] = page["after"].clone();
    }
    let all: Vec<usize> = (0..count).collect();
    assert_eq!(seen, all);
    let (mut seen, mut arguments) = (Vec::new(), json!({"limit": 100}));
    loop {
        let page = agent.done("history", arguments.clone());
        assert!(page.to_string().len() < 70_000 && !bodies(&page).is_empty());
        seen.splice(0..0, numbers(&page));
        if page["more"] == false {
            break;
        }
        arguments["before"] = page["before"].clone();
    }
    assert_eq!(seen, all);
    let (mut seen, mut arguments) = (Vec::new(), json!({"query": "-00 from:paff", "limit": 100}));
    loop {
        let page = agent.done("search", arguments.clone());
        assert!(page.to_string().len() < 70_000 && !bodies(&page).is_empty());
        seen.extend(numbers(&page));
        if page["more"] == false {
            break;
        }
        arguments["before"] = page["before"].clone();
    }
    assert!(seen.iter().rev().eq(&all), "{seen:?}");
    let page = agent.done("wait", json!({"limit": 100}));
    assert!(page["more"] == true && page.to_string().len() < 70_000);
    let newest = server.query("select max(id) from v1_messages")[0].parse::<i64>().unwrap();
    agent.done("ack", json!({"upto": newest}));
    // A text whose every character is escaped.
    let body = "\\u0001".repeat(32_768);
    wire.done(format!(r#"post {token} {{"to": ["neko"], "body": "{body}"}}"#));
    let page = agent.done("inbox", json!({}));
    assert!(page.to_string().len() < 70_000);
    let kept = bodies(&page)[0].len() as i64;
    assert_eq!(page["messages"][0]["cut_bytes"], 32_768 - kept);
    agent.end();
}

#[test]
fn filters_and_limits_leave_no_message_out() {
    let server = Server::start();
    let neko = Home::of("neko", server.address());
    let paff = server.log_in("paff");
    let mut wire = server.connect();
    for number in 0..5 {
        for tags in [r#"[]"#, r#"["build"]"#] {
            let fields = format!(r#""body": "{number}{}", "tags": {tags}"#, tags.len());
            wire.done(format!(r#"post {paff} {{"to": ["neko"], {fields}}}"#));
        }
    }
    let mut agent = Agent::start(&neko);
    let mut seen = Vec::new();
    let mut arguments = json!({"limit": 2, "tags": ["build"], "from": "paff"});
    loop {
        let page = agent.done("inbox", arguments.clone());
        seen.extend(bodies(&page).iter().map(|body| body.to_string()));
        arguments["after"] = page["after"].clone();
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(seen, ["09", "19", "29", "39", "49"]);
    // `after` lies behind what the filter has left out.
    arguments["timeout_seconds"] = json!(0);
    assert_eq!(agent.done("wait", arguments)["messages"], json!([]));
    assert_eq!(bodies(&agent.done("wait", json!({"limit": 2}))), ["02", "09"]);
    agent.end();
}

#[test]
fn server_that_goes_away_is_an_error_and_the_next_call_reconnects() {
    let mut server = Server::start_with(&["--metrics", "127.0.0.1:0"]);
    let (paff, neko) = (Home::of("paff", server.address()), Home::of("neko", server.address()));
    let mut agent = Agent::start(&neko);
    agent.done("inbox", json!({}));
    server.kill();
    for (tool, arguments) in [
        ("inbox", json!({})),
        ("send", json!({"to": "paff", "body": "x"})),
        ("wait", json!({"timeout_seconds": 0})),
    ] {
        let error = agent.failed(tool, arguments);
        assert_eq!(error["code"], "unreachable", "{error}");
        assert!(error["hint"].as_str().unwrap().contains("chat-server"), "{error}");
    }
    server.start_again_at_its_address();
    let sent = agent.done("send", json!({"to": "paff", "body": "back"}));
    assert_eq!(sent["duplicate"], false);
    // A call that waits survives a restart.
    let id = agent.begin("wait", json!({"timeout_seconds": 300}));
    assert_eq!(agent.ask("ping", json!({})), json!({}));
    wait_until("it waits", || {
        let scrape = Scrape::parse(&http::get(server.monitor(), "/metrics").body);
        scrape.value("chat_watchers", &[]) == 1.0
    });
    server.kill();
    server.start_again_at_its_address();
    assert_eq!(paff.run(["send", "neko", "after"]).code, 0);
    let answer = agent.answer();
    assert_eq!(answer["id"], id);
    assert_eq!(bodies(&answer["result"]["structuredContent"]), ["after"]);
    agent.end();
}

#[test]
fn cancelled_calls_get_no_answer_and_others_go_on() {
    let server = Server::start();
    let (paff, neko) = (Home::of("paff", server.address()), Home::of("neko", server.address()));
    let mut agent = Agent::start(&neko);
    let cancelled = agent.begin("wait", json!({"timeout_seconds": 300}));
    let kept = agent.begin("wait", json!({"timeout_seconds": 300}));
    let params = json!({"requestId": cancelled, "reason": "no need"});
    agent.write(
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
            .to_string(),
    );
    assert_eq!(agent.ask("ping", json!({})), json!({}));
    assert_eq!(paff.run(["send", "neko", "hai"]).code, 0);
    let answer = agent.answer();
    assert_eq!(answer["id"], kept, "{answer}");
    // At the end of the input no call waits any longer.
    agent.done("ack", json!({"upto": 1}));
    let left = agent.begin("wait", json!({"timeout_seconds": 300}));
    drop(agent.input.take());
    let answer = agent.answer();
    assert_eq!(
        (&answer["id"], bodies(&answer["result"]["structuredContent"]).len()),
        (&left.into(), 0)
    );
    agent.end();
}

#[test]
fn question_to_a_room_is_answered_by_a_member() {
    let server = Server::start();
    let (paff, neko) = (Home::of("paff", server.address()), Home::of("neko", server.address()));
    assert_eq!(paff.run(["room", "create", "build"]).code, 0);
    assert_eq!(neko.run(["room", "join", "build"]).code, 0);
    let mut agent = Agent::start(&paff);
    let question = json!({"user": "#build", "question": "go?", "choices": ["yes", "no"]});
    let ticket = agent.done("ask", question)["ticket"].as_i64().unwrap();
    assert_eq!(agent.done("answer", json!({"ticket": ticket})), json!({"answered": false}));
    // The agent's user is not told of the room, and hears the answer all the same.
    assert_eq!(paff.run(["room", "set", "build", "--notify", "none"]).code, 0);
    assert_eq!(neko.run(["send", "#build", "yes"]).code, 0);
    let id = ticket.to_string();
    assert_eq!(neko.run(["reply", &id, "why?"]).code, 0);
    assert_eq!(neko.run(["reply", &id, "No"]).code, 0);
    let answered = agent.done("answer", json!({"ticket": ticket, "timeout_seconds": 60}));
    assert_eq!((&answered["choice"], &answered["answer"]["from"]), (&json!("no"), &json!("neko")));
    assert_eq!(answered["answer"]["room"], "#build");
    assert_eq!(answered["not_offered"][0]["body"], "why?");
    let named = json!({"user": "#build", "question": "and ivy?", "from": ["ivy"]});
    let ticket = agent.done("ask", named)["ticket"].clone();
    assert_eq!(neko.run(["reply", &ticket.to_string(), "yes"]).code, 0);
    assert_eq!(agent.done("answer", json!({"ticket": ticket})), json!({"answered": false}));
    let named = json!({"user": "neko", "question": "?", "from": ["ivy"]});
    assert_eq!(agent.failed("ask", named)["error"], "from: only a room has it");
    // Nobody can answer there any more, but what was answered stays.
    assert_eq!(paff.run(["room", "archive", "build"]).code, 0);
    let call = json!({"ticket": ticket, "timeout_seconds": 300});
    let error = agent.failed("answer", call);
    assert_eq!((&error["exit"], &error["code"]), (&json!(73), &json!("room_refused")), "{error}");
    let answered = agent.done("answer", json!({"ticket": id.parse::<i64>().unwrap()}));
    assert_eq!(answered["choice"], "no");
    agent.end();
}

#[test]
fn calls_that_run_at_once_are_limited() {
    let server = Server::start();
    let home = Home::of("neko", server.address());
    let mut agent = Agent::start(&home);
    for _ in 0..16 {
        agent.begin("wait", json!({"timeout_seconds": 300}));
    }
    let id = agent.begin("inbox", json!({}));
    let answer = agent.answer();
    assert_eq!(answer["id"], id);
    assert_eq!(error_of(&answer["result"])["code"], "try_again");
    drop(agent.input.take());
    for _ in 0..16 {
        assert_eq!(agent.answer()["result"]["isError"], false);
    }
    agent.end();
}

#[test]
fn login_is_found_again_without_a_restart() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut agent = Agent::start(&home);
    let error = agent.failed("inbox", json!({}));
    assert_eq!((&error["code"], &error["exit"]), (&json!("not_logged_in"), &json!(77)), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("auth"), "{error}");
    assert_eq!(home.run(["auth", "paff", "cytus"]).code, 0);
    agent.done("send", json!({"to": "neko", "body": "as paff"}));
    assert_eq!(home.run(["logout"]).code, 0);
    assert_eq!(agent.failed("inbox", json!({}))["exit"], 77);
    assert_eq!(home.run(["auth", "ivy", "cytus"]).code, 0);
    agent.done("send", json!({"to": "neko", "body": "as ivy"}));
    assert_eq!(home.run(["logout"]).code, 0);
    assert_eq!(home.run(["auth", "neko", "cytus"]).code, 0);
    let found = agent.done("wait", json!({}));
    assert_eq!(bodies(&found), ["as paff", "as ivy"]);
    agent.end();
}

#[test]
fn input_from_a_file_is_answered_to_its_end() {
    let server = Server::start();
    let home = Home::of("paff", server.address());
    let send = json!({"name": "send", "arguments": {"to": "neko", "body": "hai", "key": "k"}});
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": send});
    // The last line lacks its ending.
    let outcome = outcome_with_input(home.cli(["mcp"]), request.to_string().as_bytes());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    let answer: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(answer["result"]["structuredContent"]["sent"][0]["to"], "neko");
    // Nobody reads the answers.
    let mut closed = home.sh("exec $CLI mcp | true");
    closed.stdin(Stdio::null());
    assert_eq!(crate::support::cli::outcome(closed).stderr, "");
}
