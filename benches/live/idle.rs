//! Idle connections: their memory, and whether they slow down active ones.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result, ensure};

use crate::Bench;
use crate::harness::figures::summary;
use crate::harness::machine::resident_kib;
use crate::harness::peers::chat::Server;
use crate::harness::peers::client::Client;

/// The number of active connections.
const ACTIVE: usize = 50;
/// Connections for other purposes.
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
            // The active connections must fit too.
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

/// The server's resident memory after it has served one connection, and the increase per idle
/// connection, in KiB. Checking passwords needed no memory here: see `chat::create`.
fn memory(server: &Server, idle: usize) -> Result<(f64, f64)> {
    let token = server.log_in_sender()?;
    let _first = connect(server, &token, 1)?;
    let before = resident_kib(server.process())?;
    let _idle = connect(server, &token, idle)?;
    let after = resident_kib(server.process())?;
    Ok((before, (after - before) / idle as f64))
}

/// Measures the memory of idle streams over HTTP.
pub fn measure_streams(bench: &Bench) -> Result<()> {
    println!("| idle streams over HTTP | KiB each | server with one, MiB |");
    println!("|{}", " --- |".repeat(3));
    for &idle in &bench.arguments.idle {
        let (mut each, mut with_one) = (Vec::new(), Vec::new());
        for _ in 0..bench.runs() {
            let most = (idle + OTHERS).to_string();
            let options = ["--connections-max", &most, "--http", "127.0.0.1:0"];
            let (base, kib) = bench.with_server(&options, |server| {
                let token = server.log_in_sender()?;
                let _first = open_streams(server, &token, 1)?;
                let before = resident_kib(server.process())?;
                let _idle = open_streams(server, &token, idle)?;
                let after = resident_kib(server.process())?;
                Ok((before, (after - before) / idle as f64))
            })?;
            with_one.push(base / 1024.0);
            each.push(kib);
        }
        println!("| {idle} | {} | {} |", summary(&each, 2), summary(&with_one, 1));
    }
    Ok(())
}

/// Streams that have had their first event.
fn open_streams(server: &Server, token: &str, count: usize) -> Result<Vec<TcpStream>> {
    let address = server.http().context("the server serves HTTP")?;
    let mut streams = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = TcpStream::connect(address)?;
        let host = "Host: localhost\r\n";
        write!(stream, "GET /inbox/sse HTTP/1.1\r\n{host}Authorization: Bearer {token}\r\n\r\n")?;
        let mut received = Vec::new();
        while !received.windows(11).any(|bytes| bytes == b"event: open") {
            let mut chunk = [0; 2048];
            let read = stream.read(&mut chunk)?;
            ensure!(read > 0, "no stream: {}", String::from_utf8_lossy(&received));
            received.extend_from_slice(&chunk[..read]);
        }
        streams.push(stream);
    }
    Ok(streams)
}

/// Connections that have sent one request each.
fn connect(server: &Server, token: &str, count: usize) -> Result<Vec<Client>> {
    let mut clients = Vec::with_capacity(count);
    for _ in 0..count {
        let mut client = server.connect()?;
        client.ask_raw(&format!("whoami {token}"))?;
        clients.push(client);
    }
    Ok(clients)
}

/// Sends per second, without and with idle connections.
fn active(bench: &Bench, server: &Server, idle: usize) -> Result<(f64, f64)> {
    let mut sends = bench.sends(server)?;
    let token = server.log_in_sender()?;
    let alone = bench.load(server, sends.as_mut(), ACTIVE, None)?.rate;
    let _idle = connect(server, &token, idle)?;
    let among = bench.load(server, sends.as_mut(), ACTIVE, None)?.rate;
    Ok((alone, among))
}
