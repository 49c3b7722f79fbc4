//! Micro-benchmarks of the path between socket and store: framing, parsing and encoding, each with
//! its allocations. Run them with `cargo bench --bench micro` (docs/performance.md); `-- --test`
//! runs each once.
//!
//! The writer's batch is missing, because it is private to the crate. The benchmark `load` includes
//! it.

use std::hint::black_box;

use chat::model::{Message, MessageId, Timestamp, Token};
use chat::protocol::command::Request;
use chat::protocol::event::Event;
use chat::protocol::framing::LineDecoder;
use chat::protocol::reply::{Inbox, InboxEntry, Page, Posted, Reply, SentTo};
use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher};
use smallvec::smallvec;

/// Counts allocations, which itself takes some time.
#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const TOKEN: &str = "7a592c0e-2cb5-4de6-866b-4e216b0caf15";
/// The lines in one packet, and the messages in one page.
const MANY: usize = 100;

fn send_line() -> String {
    format!("send {TOKEN} neko {}\r\n", "x".repeat(64))
}

fn post_line() -> String {
    format!(
        "post {TOKEN} {{\"to\": [\"neko\"], \"body\": \"{}\", \"key\": \"0199f1a2-7b3c-7def-8123-456789abcdef\"}}",
        "x".repeat(64)
    )
}

fn message(id: i64) -> Message {
    Message {
        id: MessageId(id),
        at: Timestamp(1_764_000_000_123),
        from: "paff".parse().expect("the name is valid"),
        to: "neko".parse().expect("the name is valid"),
        body: "x".repeat(64).parse().expect("the text is valid"),
        details: None,
    }
}

mod framing {
    use super::*;

    #[divan::bench]
    fn one_line(bencher: Bencher) {
        let line = send_line();
        let mut decoder = LineDecoder::default();
        bencher.bench_local(|| {
            decoder.feed(black_box(line.as_bytes()));
            decoder.next_line().expect("a line is complete").expect("the line is valid").len()
        });
    }

    #[divan::bench]
    fn many_lines_in_one_packet(bencher: Bencher) {
        let packet = send_line().repeat(MANY);
        let mut decoder = LineDecoder::default();
        bencher.counter(ItemsCount::new(MANY)).bench_local(|| {
            decoder.feed(black_box(packet.as_bytes()));
            let mut lines = 0;
            while let Some(line) = decoder.next_line() {
                black_box(line.expect("the line is valid"));
                lines += 1;
            }
            assert_eq!(lines, MANY);
        });
    }
}

mod parsing {
    use super::*;

    fn parse(bencher: Bencher, line: &str) {
        bencher.bench_local(|| Request::parse(black_box(line)).expect("the request is valid"));
    }

    #[divan::bench]
    fn send(bencher: Bencher) {
        parse(bencher, send_line().trim_end());
    }

    #[divan::bench]
    fn post(bencher: Bencher) {
        parse(bencher, &post_line());
    }

    #[divan::bench]
    fn inbox(bencher: Bencher) {
        parse(bencher, &format!("inbox {TOKEN}"));
    }

    #[divan::bench]
    fn hash_of_a_token(bencher: Bencher) {
        let token: Token = TOKEN.parse().expect("the token is valid");
        bencher.bench_local(|| black_box(&token).hash());
    }
}

mod encoding {
    use super::*;

    fn encode(bencher: Bencher, reply: &Reply) {
        let mut out = Vec::new();
        bencher.bench_local(|| {
            out.clear();
            black_box(reply).encode(&mut out);
            out.len()
        });
    }

    #[divan::bench]
    fn sent(bencher: Bencher) {
        encode(bencher, &Reply::Sent);
    }

    #[divan::bench]
    fn posted(bencher: Bencher) {
        let Message { id, at, to, .. } = message(7);
        let sent = smallvec![SentTo { to, id }];
        encode(bencher, &Reply::Posted(Posted { id, at, duplicate: false, sent }));
    }

    #[divan::bench]
    fn page_of_many(bencher: Bencher) {
        let messages = (1..=MANY as i64).map(message).collect();
        encode(
            bencher,
            &Reply::Page(Page {
                messages,
                changes: Vec::new(),
                more: false,
                more_before: false,
                upto: None,
            }),
        );
    }

    #[divan::bench]
    fn inbox_of_many(bencher: Bencher) {
        let entry = |id| InboxEntry { msg: message(id).body, from: None };
        let entries = (1..=MANY as i64).map(entry).collect();
        let groups = vec![(message(1).from.into(), entries)];
        encode(bencher, &Reply::Inbox(Inbox { groups, more: false }));
    }

    #[divan::bench]
    fn event(bencher: Bencher) {
        let event = Event::Message(message(7));
        let mut out = Vec::new();
        bencher.bench_local(|| {
            out.clear();
            black_box(&event).encode(&mut out);
            out.len()
        });
    }
}
