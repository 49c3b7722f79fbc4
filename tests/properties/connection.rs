//! The server's side of a connection: for any input, in any pieces, and with replies found in any
//! order, each line has one reply in its order.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use chat::protocol::command::Request;
use chat::protocol::refusal::Code;
use chat::protocol::reply::{Ended, Reply};
use chat::server::CloseReason;
use chat::server::connection::{Connection, PIPELINED_REQUESTS_MAX, TakenLine};
use chat::service::{Concurrency, InFlight};

use super::choices::Choices;

const LINES: [&str; 6] = [
    "send 7a592c0e-2cb5-4de6-866b-4e216b0caf15 neko hai\n",
    "inbox 7a592c0e-2cb5-4de6-866b-4e216b0caf15 \r\n",
    "post 7a592c0e-2cb5-4de6-866b-4e216b0caf15 {\"to\": [\"neko\"], \"body\": \"x\"}\n",
    "auth paff cytus \r\n",
    "nonsense\r\n",
    "\n",
];

/// See the module. Exclusive requests run alone, and no more requests wait than the limit.
pub fn every_request_is_answered_once_in_its_place(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let mut now = Instant::now();
    let mut peer = Peer::new(now);
    while !choices.is_empty() {
        match choices.below(8) {
            0 => peer.connection.receive(choices.bytes()),
            1 | 2 => peer.connection.receive(LINES[choices.below(LINES.len())].as_bytes()),
            3 | 4 => {
                peer.execute(now);
            }
            5 | 6 => peer.answer(&mut choices),
            _ => {
                let count = choices.number() as usize % (peer.connection.unsent().len() + 1);
                peer.take(count, now);
                now += Duration::from_micros(choices.byte().into());
            }
        }
    }
    // All pending requests are answered and all output is read: nothing is left.
    while peer.execute(now) || !peer.under_way.is_empty() || !peer.connection.unsent().is_empty() {
        peer.answer(&mut choices);
        peer.take(peer.connection.unsent().len(), now);
    }
    assert_eq!(peer.read.len(), 0, "there is a part of a frame");
    assert_eq!(peer.expected.len(), 0, "a request was not answered");
    let reason = peer.connection.close_reason(now);
    let is_fine = matches!(reason, None | Some(CloseReason::WrongProtocol));
    assert!(is_fine, "closed for {reason:?}");
}

struct Peer {
    connection: Connection,
    /// The pending requests, and whether they may overlap.
    under_way: BTreeMap<u32, bool>,
    /// For each line, in order, the beginning of its reply.
    expected: VecDeque<String>,
    read: Vec<u8>,
}

impl Peer {
    fn new(now: Instant) -> Self {
        Self {
            connection: Connection::new(now),
            under_way: BTreeMap::new(),
            expected: VecDeque::new(),
            read: Vec::new(),
        }
    }

    /// Whether there was anything to execute.
    fn execute(&mut self, now: Instant) -> bool {
        let before = self.expected.len();
        while let Some(taken) = self.connection.next_request(now) {
            match taken {
                TakenLine::Refused(code) => {
                    self.expected.push_back(refused(code));
                }
                TakenLine::Request(sequence, request) => {
                    let overlaps =
                        matches!(&request, Request::InSession { .. }) && request.may_overlap();
                    let all_overlap = self.under_way.values().all(|overlaps| *overlaps);
                    assert!(overlaps && all_overlap || self.under_way.is_empty(), "{request:?}");
                    let before = self.under_way.insert(sequence, overlaps);
                    assert_eq!(before, None, "{sequence} is given twice");
                    self.expected.push_back(answered(sequence));
                    let concurrency =
                        if overlaps { Concurrency::Overlapping } else { Concurrency::Exclusive };
                    self.connection.note_in_flight(InFlight { concurrency, session: None });
                }
            }
            assert!(self.under_way.len() <= PIPELINED_REQUESTS_MAX);
        }
        self.expected.len() > before
    }

    /// One pending request is answered.
    fn answer(&mut self, choices: &mut Choices<'_>) {
        let Some(place) = self.under_way.len().checked_sub(1) else { return };
        let place = choices.below(place + 1);
        let sequence = *self.under_way.keys().nth(place).expect("it is under way");
        self.under_way.remove(&sequence);
        let reply = Reply::Ended(Ended { ended: sequence as usize });
        assert!(self.connection.answer(sequence, reply).is_some(), "{sequence} was under way");
    }

    /// The peer reads so many bytes.
    fn take(&mut self, count: usize, now: Instant) {
        self.read.extend_from_slice(&self.connection.unsent()[..count]);
        self.connection.sent(count, now);
        while let Some(end) = self.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let frame: Vec<u8> = self.read.drain(..end + 4).collect();
            let frame = str::from_utf8(&frame[..end]).expect("text");
            let expected = self.expected.pop_front();
            let expected = expected.unwrap_or_else(|| panic!("no request for {frame}"));
            assert!(frame.starts_with(&expected), "{frame} is no {expected}");
        }
    }
}

fn answered(sequence: u32) -> String {
    format!("{{\"status\": \"OK\", \"ended\": {sequence}}}")
}

fn refused(code: Code) -> String {
    format!("{{\"status\": \"ERROR\", \"code\": \"{code}\"")
}
