//! A service with several servers: `--server A,B`. Two addresses lead to one real server, or one of
//! them to a server that is gone, silent or stopping.

use std::net::{SocketAddr, TcpListener};
use std::time::Instant;

use chat::client::dial::Dialer;
use chat::client::stream::{SILENCE_MAX, Stream, StreamEvent, Timeouts};
use chat::protocol::arguments::{Watch, WatchFrom};

use crate::support::cli::{Home, Outcome};
use crate::support::fake::{Fake, Step};
use crate::support::pty::Terminal;
use crate::support::relay::Relay;
use crate::support::tls::Authority;
use crate::support::{PATIENCE, Server};

const STOPPING: &str = r#"{"status": "ERROR", "code": "shutting_down", "message": "m"}"#;

/// An address where nothing listens.
fn gone() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn list(servers: &[SocketAddr]) -> String {
    servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// Runs a command against these servers; it has to succeed.
fn run(home: &Home, servers: &[SocketAddr], words: &[&str]) -> String {
    let outcome = attempt(home, servers, words);
    assert_eq!(outcome.code, 0, "{words:?}: {outcome:?}");
    outcome.stdout
}

fn attempt(home: &Home, servers: &[SocketAddr], words: &[&str]) -> Outcome {
    let servers = list(servers);
    home.run(["--server", servers.as_str()].iter().chain(words))
}

#[test]
fn commands_use_the_next_server_if_the_first_is_gone() {
    let server = Server::start();
    let home = Home::new(gone());
    let servers = [gone(), server.address()];
    run(&home, &servers, &["auth", "paff", "cytus"]);
    for word in ["one", "two"] {
        run(&home, &servers, &["send", "paff", word]);
    }
    let inbox = run(&home, &servers, &["inbox"]);
    assert!(inbox.contains("one") && inbox.contains("two"), "{inbox}");
    assert_eq!(run(&home, &servers, &["whoami"]).lines().next(), Some("paff (Paff Aroma)"));
}

#[test]
fn list_is_one_service_in_any_order_and_its_session_is_for_no_other() {
    let server = Server::start();
    let home = Home::new(gone());
    let (here, there) = (server.address(), Relay::to(server.address()).address());
    run(&home, &[here, there], &["auth", "paff", "cytus"]);
    run(&home, &[there, here], &["whoami"]);
    for other in [&[here][..], &[there], &[here, there, gone()]] {
        let outcome = attempt(&home, other, &["whoami"]);
        assert_eq!(outcome.code, 77, "{other:?}: {outcome:?}");
    }
    run(&home, &[there, here], &["logout"]);
    assert_eq!(attempt(&home, &[here, there], &["whoami"]).code, 77);
}

#[test]
fn profile_and_variable_name_several_servers_too() {
    let server = Server::start();
    let home = Home::new(gone());
    let servers = list(&[gone(), server.address()]);
    let folder = home.path().join(".config/chat");
    std::fs::create_dir_all(&folder).unwrap();
    let file = format!("[profile.both]\nserver = \"{servers}\"\n");
    std::fs::write(folder.join("config.toml"), file).unwrap();
    let mut log_in = home.cli(["--profile", "both", "auth", "paff", "cytus"]);
    assert!(log_in.env_remove("CHAT_SERVER").output().unwrap().status.success());
    let mut whoami = home.cli(["whoami"]);
    assert!(whoami.env("CHAT_SERVER", servers).output().unwrap().status.success());
}

#[test]
fn server_that_accepts_and_is_silent_costs_a_part_of_the_time_only() {
    let server = Server::start();
    let home = Home::new(gone());
    // The system accepts its connections, and nobody reads them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let servers = [silent.local_addr().unwrap(), server.address()];
    let hurry = ["--timeout", "9s"];
    let hurried = |words: &[&'static str]| [&hurry[..], words].concat();
    run(&home, &servers, &hurried(&["auth", "paff", "cytus"]));
    run(&home, &servers, &hurried(&["send", "paff", "hai"]));
    assert_eq!(run(&home, &servers, &hurried(&["unread"])).lines().next(), Some("1"));
}

#[test]
fn stopping_server_is_left_for_the_next() {
    let server = Server::start();
    let home = Home::new(gone());
    let stopping = Fake::saying(STOPPING);
    let servers = [stopping.address(), server.address()];
    run(&home, &servers, &["auth", "paff", "cytus"]);
    run(&home, &servers, &["send", "paff", "hai"]);
    // The seed's `inbox` must not be repeated after an unknown outcome; this one is known.
    assert!(run(&home, &servers, &["inbox"]).contains("hai"));
    assert!(stopping.requests().len() >= 3);

    // If all of them stop, that is the answer.
    let both = [stopping.address(), Fake::saying(STOPPING).address()];
    assert_eq!(attempt(&home, &both, &["auth", "paff", "cytus"]).code, 75);
}

#[test]
fn request_with_an_unknown_outcome_is_not_repeated_elsewhere() {
    const TOKEN: &str = "7a592c0e-2cb5-4de6-866b-4e216b0caf15";
    let breaking = Fake::start(vec![vec![Step::CutAfter("")]]);
    let other = Fake::saying(r#"{"status": "OK"}"#);
    let home = Home::new(gone());
    let servers = list(&[breaking.address(), other.address()]);
    let mut command = home.cli(["--server", &servers, "revoke", "1"]);
    let output = command.env("CHAT_TOKEN", TOKEN).output().unwrap();
    assert!(!output.status.success(), "{output:?}");
    assert_eq!(breaking.requests().len(), 1);
    assert_eq!(other.requests(), [""; 0]);
}

#[test]
fn failure_names_every_server() {
    let home = Home::new(gone());
    let servers = [gone(), gone()];
    let outcome = attempt(&home, &servers, &["auth", "paff", "cytus"]);
    assert_eq!(outcome.code, 69, "{outcome:?}");
    let [first, second] = servers;
    let begin = format!("error: cannot reach {first},{second}: {first}: Connection refused");
    assert!(outcome.stderr.starts_with(&begin), "{}", outcome.stderr);
    assert!(outcome.stderr.contains(&format!("; {second}: Connection refused")));
}

#[test]
fn untrusted_server_is_an_error_and_not_a_reason_for_the_next() {
    let server = Authority::new().server().start(&[]);
    let home = Home::new(gone());
    let servers = format!("chats://{},{}", server.tls, server.plain);
    let outcome = home.run(["--server", &servers, "auth", "paff", "cytus"]);
    assert_eq!(outcome.code, 78, "{outcome:?}");
}

#[test]
fn stream_resumes_at_another_server_without_gap_or_repeat() {
    let server = Server::start();
    let relays = [Relay::to(server.address()), Relay::to(server.address())];
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let servers = list(&relays.each_ref().map(Relay::address)).parse().unwrap();
    let timeouts = Timeouts { answer: PATIENCE, silence: SILENCE_MAX };
    let all = Watch { from: WatchFrom::All, ..Watch::default() };
    let mut stream = Stream::new(Dialer::new(servers, None), neko.parse().unwrap(), all, timeouts);
    let mut wire = server.connect();
    let mut seen = Vec::new();
    for round in 0..6 {
        wire.done(format!("send {paff} neko {round} a"));
        receive(&mut stream, &mut seen, 2 * round + 1);
        // The server in use goes, and the other one is back.
        let [leaving, staying] = [&relays[round % 2], &relays[(round + 1) % 2]];
        staying.point_at(server.address());
        leaving.point_at(gone());
        leaving.cut();
        wire.done(format!("send {paff} neko {round} b"));
        receive(&mut stream, &mut seen, 2 * round + 2);
    }
    assert_eq!(seen, (1..=12).collect::<Vec<i64>>());
    assert!(relays.iter().all(|relay| relay.count() >= 3), "both were used");
}

fn receive(stream: &mut Stream, seen: &mut Vec<i64>, count: usize) {
    while seen.len() < count {
        let event = stream.next(Some(Instant::now() + PATIENCE)).unwrap();
        if let StreamEvent::Message(message) = event.expect("an event") {
            seen.push(message.id.0);
        }
    }
}

#[test]
fn prompt_goes_on_at_another_server() {
    let server = Server::start();
    let relays = [Relay::to(server.address()), Relay::to(server.address())];
    let home = Home::new(gone());
    let servers = list(&relays.each_ref().map(Relay::address));
    let mut terminal = Terminal::start(home.cli(["--server", &servers]));
    terminal.wait_for_end("Command :");
    terminal.line("auth neko cytus");
    terminal.wait_for("username neko logged in");
    relays[0].point_at(gone());
    relays[0].cut();
    terminal.line("send neko over-there");
    // Its answer comes from the other one, and the message once, live.
    terminal.wait_for("message sent to neko");
    terminal.wait_for("neko  over-there");
    assert_eq!(server.query("select body from v1_messages"), ["over-there"]);
}
