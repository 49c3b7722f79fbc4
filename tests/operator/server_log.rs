//! The server log: one line for each ended connection and slow request, a limited number a second,
//! and no secret or text in any of them.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Server, server_command};

/// A server whose log is a file of JSON lines.
struct Logging {
    server: Server,
    log: PathBuf,
    _folder: TempDir,
}

impl Logging {
    fn start(options: &[&str]) -> Self {
        let (folder, logs) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let log = logs.path().join("log");
        let mut command = server_command(&folder.path().join("chat.sqlite"));
        command.args(["--log-format", "json"]).args(options);
        command.stderr(Stdio::from(File::create(&log).unwrap()));
        Self { server: Server::start_command(command, folder), log, _folder: logs }
    }

    /// Stops the server; returns all lines of its log.
    fn stop(mut self) -> (String, Vec<Value>) {
        assert_eq!(self.server.stop().code(), Some(0));
        let text = fs::read_to_string(&self.log).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        (text, lines)
    }
}

fn lines<'a>(lines: &'a [Value], message: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["message"] == message).collect()
}

#[test]
fn end_of_a_connection_is_one_line_with_all_its_facts() {
    let logging = Logging::start(&["--log", "debug"]);
    let mut wire = logging.server.connect();
    let address = wire.stream().local_addr().unwrap().to_string();
    let token = wire.log_in("paff");
    wire.done(format!("send {token} neko hai"));
    wire.end();
    wire.wait_for_close();
    let mut wrong = logging.server.connect();
    wrong.send("GET / HTTP/1.1\r\n");
    wrong.wait_for_close();
    let user = logging.server.query("SELECT id FROM users WHERE name = 'paff'")[0].clone();
    let (_, all) = logging.stop();
    let ends = lines(&all, "connection ended");
    let reasons: Vec<&Value> = ends.iter().map(|line| &line["reason"]).collect();
    assert_eq!(reasons, ["peer_closed", "wrong_protocol"]);
    let end = ends[0];
    assert_eq!((&end["level"], &end["address"]), (&json!("DEBUG"), &json!(address)));
    assert_eq!((&end["requests"], &end["user"].to_string()), (&json!(2), &user));
    let sent = format!("auth paff cytus\r\nsend {token} neko hai\r\n");
    assert_eq!(end["received_bytes"], sent.len());
    assert!(end["sent_bytes"].as_u64() > Some(50) && end["seconds"].as_f64() > Some(0.0), "{end}");
    assert_eq!((&ends[1]["level"], &ends[1]["user"]), (&json!("INFO"), &Value::Null));
}

#[test]
fn session_ended_for_a_new_login_is_one_line() {
    let logging = Logging::start(&["--log", "warn"]);
    let mut wire = logging.server.connect();
    for _ in 0..65 {
        wire.log_in("paff");
    }
    let user = logging.server.query("SELECT id FROM users WHERE name = 'paff'")[0].clone();
    let (_, all) = logging.stop();
    let message = "a session was ended: its user logged in once more than there may be sessions";
    let ended = lines(&all, message);
    assert_eq!(ended.len(), 1, "{all:?}");
    assert_eq!((&ended[0]["level"], &ended[0]["user"].to_string()), (&json!("WARN"), &user));
    assert_eq!((&ended[0]["session"], &ended[0]["sessions_max"]), (&json!(1), &json!(64)));
}

#[test]
fn ordinary_ends_are_not_news_and_a_flood_of_others_is_a_few_lines() {
    let logging = Logging::start(&["--log", "info", "--workers", "1"]);
    for _ in 0..30 {
        logging.server.connect().done("hello");
    }
    let mut wires: Vec<_> = (0..300).map(|_| logging.server.connect()).collect();
    wires.iter_mut().for_each(|wire| wire.send("GET / HTTP/1.1\r\n"));
    wires.iter_mut().for_each(|wire| drop(wire.wait_for_close()));
    let (_, all) = logging.stop();
    let ends = lines(&all, "connection ended");
    assert!(ends.iter().all(|line| line["reason"] == "wrong_protocol"), "{ends:?}");
    // Twenty a second: about as many as there were seconds, and never all.
    let left_out: u64 = ends.iter().filter_map(|line| line["left_out"].as_u64()).sum();
    assert!(ends.len() >= 20 && ends.len() as u64 + left_out <= 330, "{} {left_out}", ends.len());
}

#[test]
fn slow_request_is_logged_with_the_time_of_each_stage() {
    let logging = Logging::start(&["--log", "info", "--slow-request", "1ms", "--workers", "1"]);
    let mut wire = logging.server.connect();
    let token = wire.log_in("paff");
    let mut asking = logging.server.connect();
    let other = rusqlite::Connection::open(logging.server.database()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    wire.send(format!("send {token} neko hai\r\n"));
    // The worker that answered a request after the send has read the send; from then on the lock is
    // held longer than the threshold of a slow request.
    asking.done("hello");
    let taken = Instant::now();
    while taken.elapsed() < Duration::from_millis(2) {
        asking.done(format!("unread {token} {{}}"));
    }
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(wire.reply()["status"], "OK");
    let user = logging.server.query("SELECT id FROM users WHERE name = 'paff'")[0].clone();
    let (_, all) = logging.stop();
    let slow = lines(&all, "slow request");
    let of = |verb: &str| {
        let found = slow.iter().find(|line| line["verb"] == verb);
        (*found.unwrap_or_else(|| panic!("{verb} is slow: {slow:?}"))).clone()
    };
    let seconds = |line: &Value, stage: &str| line[stage].as_f64().expect(stage);
    let auth = of("auth");
    assert_eq!(auth["result"], "ok");
    assert!(seconds(&auth, "hashed") > 0.001, "argon2 is slow: {auth}");
    assert!(seconds(&auth, "committed") > 0.0, "the session is stored: {auth}");
    assert!(seconds(&auth, "seconds") >= seconds(&auth, "hashed") + seconds(&auth, "committed"));
    let send = of("send");
    assert_eq!(send["user"].to_string(), user);
    let stages: f64 = ["queued", "executed", "committed", "hashed"]
        .iter()
        .map(|stage| seconds(&send, stage))
        .sum();
    assert!(stages > 0.0 && stages <= seconds(&send, "seconds") + 1e-5, "{send}");
    assert_eq!(seconds(&send, "hashed"), 0.0);
}

#[test]
fn no_password_token_or_text_is_in_the_server_log_at_any_level() {
    let logging = Logging::start(&["--log", "trace", "--slow-request", "1ms"]);
    let mut wire = logging.server.connect();
    let token = wire.log_in("paff");
    let secrets = ["sEcretText", "sEcretPassword", "sEcretKey", "sEcretLine", "sEcretUser"];
    let text = "sEcretText";
    wire.done(format!("send {token} neko {text}"));
    wire.refused(format!("send {token} nobody {text}"));
    wire.done(format!(
        r#"post {token} {{"to": ["neko", "paff"], "body": "{text}", "key": "sEcretKey"}}"#
    ));
    wire.refused(format!(r#"post {token} {{"to": ["neko"], "bodi": "{text}"}}"#));
    wire.done(format!(r#"fetch {token} {{"unread": true}}"#));
    wire.done(format!("unread {token} {{}}"));
    wire.done(format!(r#"ack {token} {{"upto": 1}}"#));
    wire.refused(format!(r#"ack {token} {{"upto": 1000}}"#));
    wire.done(format!("inbox {token}"));
    wire.done(format!("list {token}"));
    wire.done(format!("whoami {token} {{}}"));
    wire.done(format!("sessions {token} {{}}"));
    wire.refused("auth paff sEcretPassword");
    wire.refused("auth sEcretUser sEcretPassword");
    wire.refused("auth nobody sEcretPassword");
    wire.refused("sEcretLine sEcretText");
    wire.refused(format!("send {token}x neko {text}"));
    wire.refused(format!("inbox {}", "x".repeat(36)));
    wire.done("hello");
    wire.done("help");
    wire.done(format!(r#"passwd {token} {{"old": "cytus", "new": "sEcretPassword"}}"#));
    wire.done(format!(r#"revoke {token} {{"others": true}}"#));
    let mut stream = logging.server.connect();
    stream.done(format!(r#"watch {token} {{"from": "all"}}"#));
    stream.reply();
    wire.done(format!("send {token} paff {text}"));
    stream.reply();
    wire.done(format!("logout {token}"));
    drop((wire, stream));
    let (log, all) = logging.stop();
    assert!(lines(&all, "slow request").len() > 2, "much is logged: {log}");
    for secret in secrets.iter().copied().chain(["cytus", &token]) {
        assert!(!log.contains(secret), "{secret} is in the server log:\n{log}");
    }
}
