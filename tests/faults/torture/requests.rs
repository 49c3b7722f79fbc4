//! Requests to a server that may end at any moment.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::load::Client;
use crate::support::{PATIENCE, Wire};

/// Requests of which each waits for its answer. An answer after the end does not count.
pub struct Requests<'a, C> {
    wire: Wire,
    counts: &'a C,
}

impl<'a, C: Fn() -> bool> Requests<'a, C> {
    /// `None` if the server does not accept any more.
    pub fn to(address: SocketAddr, counts: &'a C) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Some(Self { wire: Wire::over(stream), counts })
    }

    /// The answer, if one comes.
    pub fn ask(&mut self, line: &str) -> Option<Value> {
        self.wire.stream().write_all(format!("{line}\r\n").as_bytes()).ok()?;
        serde_json::from_slice(&self.wire.try_reply_bytes()?).unwrap()
    }

    /// The answer, if the request is done and the answer counts.
    pub fn done(&mut self, line: &str) -> Option<Value> {
        let reply = self.ask(line).filter(|reply| reply["status"] == "OK")?;
        (self.counts)().then_some(reply)
    }

    /// Whether an answer that comes now counts.
    pub fn counts(&self) -> bool {
        (self.counts)()
    }

    /// Posts the oldest unanswered message. Returns its id.
    pub fn post(&mut self, poster: &mut Client, owner: &str, message: usize) -> Option<i64> {
        let reply = self.ask(&poster.post(owner, message))?;
        if reply["status"] != "OK" {
            return None;
        }
        assert_eq!(poster.unanswered.remove(0), message);
        if !(self.counts)() {
            poster.unheard.push(message);
            return None;
        }
        let id = reply["sent"][0]["id"].as_i64().unwrap();
        poster.acknowledge(message, id);
        Some(id)
    }
}
