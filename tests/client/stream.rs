//! The client's stream against a real server and against one that misbehaves: no gap, no
//! repetition, and no connection that is silently dead.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chat::client::dial::Dialer;
use chat::client::stream::{Stream, StreamEvent, Timeouts};
use chat::model::{CursorName, MessageId};
use chat::protocol::arguments::{Ack, DeadLetter, Watch, WatchFrom};

use crate::support::fake::{Fake, Step};
use crate::support::relay::Relay;
use crate::support::{PATIENCE, Server};

const TOKEN: &str = "7a592c0e-2cb5-4de6-866b-4e216b0caf15";
const WATCHING: &str = r#"{"status": "OK", "watching": "neko", "after": 0}"#;

fn stream(address: SocketAddr, token: &str, begin: Watch) -> Stream {
    let timeouts = Timeouts { answer: PATIENCE, silence: PATIENCE };
    Stream::new(dialer(address), token.parse().unwrap(), begin, timeouts)
}

fn dialer(address: SocketAddr) -> Dialer {
    Dialer::new(address.to_string().parse().unwrap(), None)
}

fn all() -> Watch {
    Watch { from: WatchFrom::All, ..Watch::default() }
}

fn next(stream: &mut Stream) -> StreamEvent {
    stream.next(Some(Instant::now() + PATIENCE)).unwrap().expect("something to be told")
}

/// The ids of the next messages; other events are skipped.
fn ids(stream: &mut Stream, count: usize) -> Vec<i64> {
    let mut ids = Vec::new();
    while ids.len() < count {
        if let StreamEvent::Message(message) = next(stream) {
            ids.push(message.id.0);
        }
    }
    ids
}

fn ack(upto: i64, dead: Option<DeadLetter>) -> Ack {
    let cursor: CursorName = "worker".parse().unwrap();
    Ack { cursor, upto: MessageId(upto), rewind: false, dead }
}

fn soon() -> Instant {
    Instant::now() + PATIENCE
}

#[test]
fn stream_goes_on_after_cuts_and_restarts_without_gap_or_repeat() {
    let mut server = Server::start();
    let relay = Relay::to(server.address());
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut stream = stream(relay.address(), &neko, Watch::default());
    assert!(matches!(next(&mut stream), StreamEvent::Ready { after: MessageId(0), .. }));
    assert!(matches!(next(&mut stream), StreamEvent::CaughtUp { upto: MessageId(0) }));
    for round in 0..4 {
        let first = round * 3 + 1;
        let mut wire = server.connect();
        wire.done(format!("send {paff} neko {round} a"));
        assert_eq!(ids(&mut stream, 1), [first]);
        if round % 2 == 0 {
            relay.cut();
        } else {
            server.kill();
            assert!(matches!(next(&mut stream), StreamEvent::Disconnected { .. }));
            server.start_again();
            relay.point_at(server.address());
        }
        let mut wire = server.connect();
        wire.done(format!("send {paff} neko {round} b"));
        wire.done(format!("send {paff} neko {round} c"));
        assert_eq!(ids(&mut stream, 2), [first + 1, first + 2]);
    }
}

#[test]
fn acknowledgements_go_between_the_events_and_outlive_their_connection() {
    let server = Server::start();
    let relay = Relay::to(server.address());
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    for number in 1..=5 {
        wire.done(format!("send {paff} neko {number}"));
    }
    let mut stream = stream(relay.address(), &neko, all());
    assert_eq!(ids(&mut stream, 2), [1, 2]);
    stream.ack(ack(1, None));
    stream.ack(ack(2, Some(DeadLetter::Add)));
    assert!(stream.wait_for_acks(soon()).unwrap());
    assert_eq!(server.query("select upto_id from v1_cursors where cursor = 'worker'"), ["2"]);

    relay.cut();
    stream.ack(ack(3, None));
    assert!(stream.wait_for_acks(soon()).unwrap());
    assert_eq!(server.query("select upto_id from v1_cursors where cursor = 'worker'"), ["3"]);
    assert_eq!(ids(&mut stream, 3), [3, 4, 5]);

    stream.ack(ack(99, None));
    assert!(stream.wait_for_acks(soon()).is_err(), "there is no such message");
}

#[test]
fn slow_reader_leaves_messages_in_the_message_log() {
    let server = Server::start();
    let relay = Relay::to(server.address());
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    let body = "x".repeat(30_000);
    const COUNT: i64 = 300;
    for _ in 0..COUNT {
        wire.done(format!("send {paff} neko {body}"));
    }
    let mut stream = stream(relay.address(), &neko, all());
    for id in 1..=COUNT {
        assert_eq!(ids(&mut stream, 1), [id]);
        stream.ack(ack(id, None));
        assert!(stream.wait_for_acks(soon()).unwrap());
    }
    assert!(relay.count() > 1, "all of it was held in memory");
    assert_eq!(server.query("select upto_id from v1_cursors where cursor = 'worker'"), ["300"]);
}

#[test]
fn silent_connection_is_given_up_and_the_stream_goes_on() {
    let fake = Fake::start(vec![
        vec![Step::Reply(WATCHING), Step::Silence],
        vec![Step::Reply(WATCHING), Step::Silence],
    ]);
    let timeouts = Timeouts { answer: PATIENCE, silence: Duration::from_millis(50) };
    let address = dialer(fake.address());
    let begin =
        Watch { cursor: Some("worker".parse().unwrap()), from: WatchFrom::All, ..Watch::default() };
    let mut stream = Stream::new(address, TOKEN.parse().unwrap(), begin, timeouts);
    assert!(matches!(next(&mut stream), StreamEvent::Ready { .. }));
    let begun = Instant::now();
    assert!(matches!(next(&mut stream), StreamEvent::Disconnected { .. }));
    assert!(begun.elapsed() >= Duration::from_millis(45));
    assert!(matches!(next(&mut stream), StreamEvent::Ready { .. }));
    let requests = fake.requests();
    assert_eq!(
        requests[0],
        format!("watch {TOKEN} {{\"cursor\": \"worker\", \"from\": \"all\"}}\r\n")
    );
    assert_eq!(requests[1], format!("watch {TOKEN} {{\"from\": 0}}\r\n"));
}

#[test]
fn deadline_ends_the_waiting_and_not_the_stream() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut stream = stream(server.address(), &neko, Watch::default());
    assert!(matches!(next(&mut stream), StreamEvent::Ready { .. }));
    assert!(matches!(next(&mut stream), StreamEvent::CaughtUp { .. }));
    assert!(stream.next(Some(Instant::now())).unwrap().is_none());
    assert!(stream.next(Some(Instant::now() + Duration::from_millis(20))).unwrap().is_none());
    server.connect().done(format!("send {paff} neko hai"));
    assert_eq!(ids(&mut stream, 1), [1]);
}

#[test]
fn end_of_the_session_is_the_end_of_the_stream() {
    let server = Server::start();
    let neko = server.log_in("neko");
    let mut stream = stream(server.address(), &neko, Watch::default());
    assert!(matches!(next(&mut stream), StreamEvent::Ready { .. }));
    assert!(matches!(next(&mut stream), StreamEvent::CaughtUp { .. }));
    server.connect().done(format!("logout {neko}"));
    assert!(stream.next(Some(soon())).unwrap_err().ends_session());
    // A server that is not a chat server is not contacted again.
    let fake = Fake::saying("HTTP/1.1 400 Bad Request");
    let mut stream = self::stream(fake.address(), TOKEN, all());
    assert_eq!(stream.next(Some(soon())).unwrap_err().exit() as u8, 76);
}
