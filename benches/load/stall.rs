//! Checks that the generator has no coordinated omission. In open loop, a server that stalls must
//! be charged with every request that was due during the stall, not with one late reply.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::harness::generator::{self, Extent, Load, Protocol};

/// Requests per second.
const RATE: f64 = 1000.0;
const STALL: Duration = Duration::from_millis(300);
/// The number of replies before the stall.
const STALL_AFTER: usize = 50;
const REQUESTS: u64 = 500;
/// Of the 300 requests due in the stall, those in its first half wait at least half of it.
const LATE_MIN: u64 = 140;

/// A protocol whose requests and replies are single bytes.
struct Bytes;

impl Protocol for Bytes {
    fn write_request(&mut self, out: &mut Vec<u8>) {
        out.push(b'?');
    }

    fn acknowledgement(&self, received: &[u8]) -> Result<Option<usize>> {
        Ok((!received.is_empty()).then_some(1))
    }
}

/// Measures a server that stalls, and fails if the stall does not show in the latencies.
pub fn check() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = thread::spawn(move || -> std::io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let (mut some, mut answered) = ([0; 1024], 0);
        loop {
            let count = stream.read(&mut some)?;
            if count == 0 {
                return Ok(());
            }
            if (answered..answered + count).contains(&STALL_AFTER) {
                thread::sleep(STALL);
            }
            stream.write_all(&some[..count])?;
            answered += count;
        }
    });
    let load = Load {
        connections: 1,
        pipeline: 1,
        rate: Some(RATE),
        extent: Extent::Requests(REQUESTS),
        warm_up: Duration::ZERO,
    };
    let outcome = generator::run(address, &mut Bytes, &load)?;
    let late: u64 = outcome
        .latencies
        .iter_recorded()
        .filter(|value| value.value_iterated_to() >= STALL.as_nanos() as u64 / 2)
        .map(|value| value.count_at_value())
        .sum();
    drop(outcome);
    server.join().expect("the server does not panic")?;
    ensure!(late >= LATE_MIN, "the generator hides a stall: only {late} requests were late");
    Ok(())
}
