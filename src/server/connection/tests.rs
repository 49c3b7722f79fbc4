//! The connection, fed with bytes and replies and without a socket.

use super::*;

const TOKEN: &str = "7a592c0e-2cb5-4de6-866b-4e216b0caf15";

fn connection() -> (Connection, Instant) {
    let now = Instant::now();
    (Connection::new(now), now)
}

fn send(text: &str) -> String {
    format!("send {TOKEN} neko {text}\r\n")
}

fn output(connection: &Connection) -> String {
    String::from_utf8(connection.unsent().to_vec()).unwrap()
}

/// Executes all possible requests, and returns their sequence numbers.
fn execute(connection: &mut Connection, now: Instant) -> Vec<u32> {
    let mut executed = Vec::new();
    while let Some(taken) = connection.next_request(now) {
        let TakenLine::Request(sequence, request) = taken else { continue };
        let concurrency =
            if request.may_overlap() { Concurrency::Overlapping } else { Concurrency::Exclusive };
        connection.note_in_flight(InFlight { concurrency, session: None });
        executed.push(sequence);
    }
    executed
}

#[test]
fn answers_go_out_in_the_order_of_the_requests() {
    let (mut connection, now) = connection();
    connection.receive(format!("{}nonsense\r\n{}", send("1"), send("2")).as_bytes());
    assert_eq!(execute(&mut connection, now), [0, 2]);
    connection.answer(2, Reply::LoggedOut);
    assert_eq!(output(&connection), "");
    connection.answer(0, Reply::Sent);
    let output = output(&connection);
    let places = ["Message Sent", "unknown_command", "Logout"].map(|text| output.find(text));
    assert!(places.is_sorted() && places[0].is_some(), "{output}");
}

#[test]
fn reads_wait_for_earlier_sends_and_hold_back_later_ones() {
    let (mut connection, now) = connection();
    let inbox = format!("inbox {TOKEN}\n");
    connection.receive([send("1"), send("2"), inbox, send("3")].concat().as_bytes());
    assert_eq!(execute(&mut connection, now), [0, 1]);
    assert!(!connection.wants_input());
    connection.answer(0, Reply::Sent);
    assert!(execute(&mut connection, now).is_empty());
    connection.answer(1, Reply::Sent);
    assert_eq!(execute(&mut connection, now), [2]);
    connection.answer(2, Reply::LoggedOut);
    assert_eq!(execute(&mut connection, now), [3]);
}

#[test]
fn no_more_than_the_limit_of_requests_wait() {
    let (mut connection, now) = connection();
    connection.receive(send("x").repeat(PIPELINED_REQUESTS_MAX + 1).as_bytes());
    assert_eq!(execute(&mut connection, now).len(), PIPELINED_REQUESTS_MAX);
    assert!(!connection.wants_input());
    connection.answer(0, Reply::Sent);
    assert_eq!(execute(&mut connection, now), [PIPELINED_REQUESTS_MAX as u32]);
}

#[test]
fn no_more_than_the_limit_of_bytes_wait() {
    let (mut connection, now) = connection();
    let long = send(&"x".repeat(30 * 1024));
    let fit = PIPELINED_BYTES_MAX.div_ceil(long.len());
    for _ in 0..=fit {
        connection.receive(long.as_bytes());
    }
    assert_eq!(execute(&mut connection, now).len(), fit);
    assert!(!connection.wants_input());
    connection.answer(1, Reply::Sent);
    assert_eq!(execute(&mut connection, now), [fit as u32]);
    for sequence in (0..=fit as u32).filter(|sequence| *sequence != 1) {
        connection.answer(sequence, Reply::Sent);
    }
    assert_eq!(connection.pipelined_bytes, 0);
    assert!(connection.wants_input());
}

#[test]
fn requests_wait_while_too_much_is_unsent() {
    let (mut connection, now) = connection();
    connection.receive("\n".repeat(10_000).as_bytes());
    assert!(execute(&mut connection, now).is_empty());
    assert!(connection.unsent().len() < OUTBOX_BYTES_BUSY + 1024);
    assert!(!connection.wants_input());
    let mut replies = 0;
    while !connection.unsent().is_empty() {
        replies += output(&connection).matches("bad_request").count();
        connection.sent(connection.unsent().len(), now);
        execute(&mut connection, now);
    }
    assert_eq!(replies, 10_000);
    assert!(connection.wants_input());
}

#[test]
fn input_that_ends_in_half_a_line_executes_only_whole_ones() {
    let (mut connection, now) = connection();
    connection.receive(format!("{}{}", send("1"), send("2").trim_end()).as_bytes());
    connection.end_input();
    assert_eq!(execute(&mut connection, now), [0]);
    assert_eq!(connection.close_reason(now), None);
    connection.answer(0, Reply::Sent);
    assert_eq!(connection.close_reason(now), None);
    connection.sent(connection.unsent().len(), now);
    assert_eq!(connection.close_reason(now), Some(CloseReason::PeerClosed));
}

#[test]
fn connection_without_a_request_that_was_done_is_closed() {
    let (mut connection, now) = connection();
    connection.receive(b"list x\nnonsense\n");
    execute(&mut connection, now);
    connection.sent(connection.unsent().len(), now);
    let deadline = connection.deadline().unwrap();
    assert_eq!(deadline, now + FIRST_REQUEST_WAIT);
    assert_eq!(connection.close_reason(deadline), Some(CloseReason::NoRequest));
}

#[test]
fn connection_that_was_served_may_be_idle_for_ever() {
    let (mut connection, now) = connection();
    connection.receive(send("1").as_bytes());
    execute(&mut connection, now);
    connection.answer(0, Reply::Sent);
    connection.sent(connection.unsent().len(), now);
    assert_eq!(connection.deadline(), None);
    assert_eq!(connection.close_reason(now + Duration::from_secs(1_000_000)), None);
}

#[test]
fn half_a_line_is_waited_for_no_longer_than_the_limit() {
    let (mut connection, now) = connection();
    connection.receive(b"hello\nli");
    execute(&mut connection, now);
    connection.answer(0, Reply::LoggedOut);
    connection.sent(connection.unsent().len(), now);
    execute(&mut connection, now);
    let later = now + Duration::from_secs(5);
    connection.receive(b"st");
    execute(&mut connection, later);
    assert_eq!(connection.deadline(), Some(now + LINE_WAIT));
    assert_eq!(connection.close_reason(now + LINE_WAIT), Some(CloseReason::PartialLine));
    connection.receive(b" x\n");
    execute(&mut connection, later);
    connection.sent(connection.unsent().len(), later);
    assert_eq!(connection.close_reason(now + LINE_WAIT), None);
}

#[test]
fn peer_that_does_not_read_is_closed_and_one_that_reads_slowly_is_not() {
    let (mut connection, now) = connection();
    connection.receive(b"nonsense\n");
    execute(&mut connection, now);
    connection.sent(0, now);
    let later = now + WRITE_WAIT / 2;
    connection.sent(0, later);
    assert_eq!(connection.close_reason(now + WRITE_WAIT), Some(CloseReason::WriteStalled));
    connection.sent(1, later);
    assert_eq!(connection.close_reason(now + WRITE_WAIT), None);
}

#[test]
fn answer_to_a_peer_with_too_much_unsent_closes_it_as_slow() {
    let (mut connection, now) = connection();
    connection.receive(send("1").as_bytes());
    assert_eq!(execute(&mut connection, now), [0]);
    connection.outbox.bytes = vec![b'x'; OUTBOX_BYTES_MAX + 1];
    connection.answer(0, Reply::Sent);
    assert_eq!(connection.close_reason(now), Some(CloseReason::SlowConsumer));
}

#[test]
fn other_protocols_are_refused_once_and_closed() {
    for bytes in [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".as_slice(), b"\x16\x03\x01\x02\n\n"] {
        let (mut connection, now) = connection();
        connection.receive(bytes);
        assert!(execute(&mut connection, now).is_empty());
        assert_eq!(output(&connection).matches("wrong_protocol").count(), 1);
        connection.sent(connection.unsent().len(), now);
        assert_eq!(connection.close_reason(now), Some(CloseReason::WrongProtocol));
    }
}

#[test]
fn stopping_answers_what_is_under_way_and_takes_nothing_more() {
    let (mut connection, now) = connection();
    connection.receive([send("1"), "hello\n".to_owned()].concat().as_bytes());
    assert_eq!(execute(&mut connection, now), [0]);
    connection.stop();
    assert_eq!(connection.close_reason(now), None);
    connection.answer(0, Reply::Sent);
    assert!(execute(&mut connection, now).is_empty());
    connection.sent(connection.unsent().len(), now);
    assert_eq!(connection.close_reason(now), Some(CloseReason::Stopping));
}

#[test]
fn stream_that_is_closing_asks_for_no_more_turns_of_its_own() {
    let (mut connection, now) = connection();
    connection.receive(b"hello\n");
    execute(&mut connection, now);
    connection.answer(0, Reply::LoggedOut);
    connection.sent(connection.unsent().len(), now);
    connection.begin_stream(0, MessageId::ZERO, Duration::from_secs(30), now);
    assert_eq!(connection.next_read(now), Some(MessageId::ZERO));
    connection.receive(b"GET / HTTP/1.1\n");
    execute(&mut connection, now);
    connection.sent(0, now);
    // It waits for writes only. A deadline in the past would fire again and again.
    let later = now + Duration::from_secs(60);
    connection.sent(1, later);
    assert_eq!(connection.deadline(), Some(later + WRITE_WAIT));
}

#[test]
fn stream_of_a_reader_that_sends_nothing_more_is_probed_and_ends_once_nobody_reads() {
    let (mut connection, now) = connection();
    connection.receive(b"hello\n");
    execute(&mut connection, now);
    connection.answer(0, Reply::LoggedOut);
    connection.begin_stream(0, MessageId::ZERO, Duration::from_secs(30), now);
    connection.next_read(now);
    connection.sent(connection.unsent().len(), now);
    connection.end_input();
    connection.probe(now);
    connection.next_read(now);
    assert!(output(&connection).contains("heartbeat"));
    connection.sent(connection.unsent().len(), now);
    assert_eq!(connection.close_reason(now), None);
    connection.abandon();
    assert_eq!(connection.close_reason(now), Some(CloseReason::PeerClosed));
}

#[test]
fn idle_connection_holds_no_buffers() {
    let (mut connection, now) = connection();
    connection.receive(send("1").as_bytes());
    execute(&mut connection, now);
    connection.answer(0, Reply::Sent);
    connection.sent(connection.unsent().len(), now);
    assert_eq!((connection.outbox.bytes.capacity(), connection.slots.capacity()), (0, 0));
    assert!(size_of::<Connection>() <= 320, "{}", size_of::<Connection>());
}
