//! Connections that are idle: their memory, and whether those who are not notice them.

use std::fs;

use anyhow::Result;

use crate::Bench;
use crate::harness::figures::summary;
use crate::harness::machine::resident_kib;
use crate::harness::peers::chat::Server;
use crate::harness::peers::client::Client;

/// Those who are not idle.
const ACTIVE: usize = 50;
/// Connections that are neither.
const OTHERS: usize = 10;

pub fn measure(bench: &Bench) -> Result<()> {
    let megabytes = fs::metadata(&bench.arguments.server)?.len() as f64 / 1e6;
    println!("chat-server is {megabytes:.1} MB\n");
    println!(
        "| idle connections | KiB each | server without them, MiB | {ACTIVE} active alone, sends/s | among them | ÷ alone |"
    );
    println!("|{}", " --- |".repeat(6));
    for &idle in &bench.arguments.idle {
        let (mut each, mut without) = (Vec::new(), Vec::new());
        let (mut alone, mut among, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..bench.runs() {
            let most = (idle + OTHERS).to_string();
            let options = ["--connections-max", &most];
            let (base, kib) = bench.with_server(&options, |server| memory(server, idle))?;
            without.push(base / 1024.0);
            each.push(kib);
            // The active ones have to fit as well.
            let held = idle.saturating_sub(ACTIVE);
            let (one, other) = bench.with_server(&options, |server| active(bench, server, held))?;
            alone.push(one);
            among.push(other);
            ratios.push(other / one);
        }
        println!(
            "| {idle} | {} | {} | {} | {} | {} |",
            summary(&each, 2),
            summary(&without, 1),
            summary(&alone, 0),
            summary(&among, 0),
            summary(&ratios, 2)
        );
    }
    Ok(())
}

/// In KiB: the server's resident memory when it has served one, and how much more for each idle
/// connection. Nobody's password took memory to check: see `chat::create`.
fn memory(server: &Server, idle: usize) -> Result<(f64, f64)> {
    let token = server.log_in_sender()?;
    let _first = connect(server, &token, 1)?;
    let before = resident_kib(server.process())?;
    let _idle = connect(server, &token, idle)?;
    let after = resident_kib(server.process())?;
    Ok((before, (after - before) / idle as f64))
}

/// Connections that have each asked one thing.
fn connect(server: &Server, token: &str, count: usize) -> Result<Vec<Client>> {
    let mut clients = Vec::with_capacity(count);
    for _ in 0..count {
        let mut client = server.connect()?;
        client.ask_raw(&format!("whoami {token}"))?;
        clients.push(client);
    }
    Ok(clients)
}

/// Sends a second without idle connections and with them.
fn active(bench: &Bench, server: &Server, idle: usize) -> Result<(f64, f64)> {
    let mut sends = bench.sends(server)?;
    let token = server.log_in_sender()?;
    let alone = bench.load(server, sends.as_mut(), ACTIVE, None)?.rate;
    let _idle = connect(server, &token, idle)?;
    let among = bench.load(server, sends.as_mut(), ACTIVE, None)?.rate;
    Ok((alone, among))
}
