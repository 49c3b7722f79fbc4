//! A user has at most 64 sessions. One more login ends the least recently used one, but never one
//! with an open stream.

use std::thread;
use std::time::Instant;

use serde_json::Value;

use crate::support::exposition::Scrape;
use crate::support::http::get;
use crate::support::{PATIENCE, Server, Wire};

const SESSIONS: usize = 64;

/// So many logins of paff, in their order if `clients` is 1.
fn log_in(server: &Server, count: usize, clients: usize) -> Vec<String> {
    thread::scope(|scope| {
        let clients: Vec<_> = (0..clients)
            .map(|_| {
                let mut wire = server.connect();
                scope.spawn(move || {
                    (0..count / clients).map(|_| wire.log_in("paff")).collect::<Vec<_>>()
                })
            })
            .collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    })
}

fn watch(server: &Server, token: &str) -> Wire {
    let mut stream = server.connect();
    stream.done(format!(r#"watch {token} {{"from": "new"}}"#));
    assert_eq!(stream.reply()["event"], "caught_up");
    stream
}

fn assert_displaced(reply: &Value) {
    assert_eq!(reply["code"], "no_session", "{reply}");
    let message = reply["message"].as_str().unwrap();
    let said = "Session Tidak Ditemukan: a user may have 64, and a new login ended this one";
    assert!(message.starts_with(said), "{message}");
}

#[test]
fn sixty_fifth_session_ends_the_least_recently_used_one_and_names_the_reason() {
    let server = Server::start_with(&["--metrics", "127.0.0.1:0"]);
    let other = server.log_in("neko");
    let mut wire = server.connect();
    let oldest = log_in(&server, 4, 1);
    let rest = log_in(&server, SESSIONS - 4, 4);
    // The oldest one watches, and the second is used.
    let mut stream = watch(&server, &oldest[0]);
    wire.done(format!("whoami {}", oldest[1]));
    let mut newest = Vec::new();
    for displaced in &oldest[2..] {
        newest.extend(log_in(&server, 1, 1));
        for _ in 0..2 {
            assert_displaced(&wire.ask(format!("whoami {displaced}")));
        }
    }
    for token in oldest[..2].iter().chain(&rest).chain(&newest) {
        wire.done(format!("whoami {token}"));
    }
    wire.done(format!("send {other} paff still there"));
    assert_eq!(stream.reply()["body"], "still there");
    let scrape = Scrape::parse(&get(server.monitor(), "/metrics").body);
    assert_eq!(scrape.value("chat_sessions_displaced_total", &[]), 2.0);
    // A session ended by a logout is refused without a reason.
    wire.done(format!("logout {}", newest[0]));
    let reply = wire.ask(format!("whoami {}", newest[0]));
    assert_eq!(reply["message"], "Session Tidak Ditemukan");
}

#[test]
fn login_is_refused_while_all_64_sessions_have_streams_and_accepted_when_one_ends() {
    let server = Server::start();
    let tokens = log_in(&server, SESSIONS, 4);
    let mut streams: Vec<Wire> = tokens.iter().map(|token| watch(&server, token)).collect();
    let mut wire = server.connect();
    let reply = wire.ask("auth paff cytus");
    assert_eq!(reply["code"], "too_many_sessions", "{reply}");
    assert_eq!(wire.refused("auth paff wrong"), "wrong_password", "a wrong guess reveals nothing");
    wire.log_in("neko");
    for stream in &mut streams {
        stream.done("hello");
    }

    drop(streams.pop());
    // The server notices it in its own time.
    let begin = Instant::now();
    while wire.ask("auth paff cytus")["status"] != "OK" {
        assert!(begin.elapsed() < PATIENCE, "the stream has ended");
    }
    assert_displaced(&wire.ask(format!("whoami {}", tokens[SESSIONS - 1])));
    for (stream, token) in streams.iter_mut().zip(&tokens) {
        stream.done(format!("whoami {token}"));
    }
}
