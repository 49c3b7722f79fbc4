//! A stream's reader that closes releases its connection at once, and a reader that only
//! half-closes reads on.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use serde_json::Value;

use crate::support::cli::Home;
use crate::support::tls::{Authority, Secured};
use crate::support::{PATIENCE, Server, Wire};

/// Far fewer connections than watches, and no heartbeat arrives in time.
const FEW: &[&str] = &["--connections-max", "4", "--heartbeat", "1h"];
const WATCHES: usize = 24;

/// Connects and watches; repeats while all connections are in use.
fn watch<S: Read + Write>(token: &str, connect: impl Fn() -> Wire<S>) -> Wire<S> {
    let begun = Instant::now();
    loop {
        let mut wire = connect();
        wire.send(format!("watch {token} {{\"from\": \"new\"}}\r\n"));
        let reply = wire.reply();
        if reply["status"] == "OK" {
            assert_eq!(wire.reply()["event"], "caught_up");
            return wire;
        }
        assert_eq!(reply["code"], "too_many_connections");
        assert!(
            begun.elapsed() < PATIENCE,
            "the watchers before have closed and hold their places"
        );
    }
}

fn unix(path: &Path) -> Wire<UnixStream> {
    let stream = UnixStream::connect(path).expect("the server accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    Wire::over(stream)
}

/// Logs in on a connection, which counts towards the few while it lasts.
fn log_in(address: SocketAddr) -> String {
    Wire::connect(address).log_in("neko")
}

#[test]
fn watches_that_close_give_their_places_back_at_once() {
    let server = Server::start_with(FEW);
    let token = log_in(server.address());
    for _ in 0..WATCHES {
        drop(watch(&token, || server.connect()));
    }
}

#[test]
fn watches_over_tls_give_their_places_back_with_and_without_a_close_notify() {
    let authority = Authority::new();
    let server = authority.server().start(FEW);
    let token = log_in(server.plain);
    for round in 0..WATCHES {
        let mut wire = watch(&token, || authority.connect(server.tls));
        if round % 2 == 0 {
            send_close_notify(&mut wire);
        }
    }
}

#[test]
fn watches_over_a_unix_socket_give_their_places_back_at_once() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("chat.sock");
    let listen = format!("unix:{}", path.display());
    let server = Server::start_with(&[FEW, &["--listen", &listen]].concat());
    let token = unix(&path).log_in("neko");
    for _ in 0..WATCHES {
        drop(watch(&token, || unix(&path)));
    }
    drop(server);
}

#[test]
fn commands_that_watch_for_one_message_give_their_places_back() {
    let server = Server::start_with(FEW);
    let home = Home::of("neko", server.address());
    assert_eq!(home.run(["send", "neko", "hai"]).code, 0);
    let begun = Instant::now();
    for _ in 0..WATCHES {
        loop {
            let outcome = home.run(["watch", "--since", "all", "-n", "1", "--raw"]);
            if outcome.code == 0 {
                assert_eq!(outcome.stdout, "hai\n");
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "{outcome:?}");
        }
    }
}

#[test]
fn half_closed_readers_read_on_over_every_kind_of_connection() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("chat.sock");
    let (authority, listen) = (Authority::new(), format!("unix:{}", path.display()));
    let server = authority.server().start(&["--heartbeat", "1h", "--listen", &listen]);
    let token = log_in(server.plain);
    let mut plain = watch(&token, || Wire::connect(server.plain));
    plain.end();
    let mut notified = watch(&token, || authority.connect(server.tls));
    send_close_notify(&mut notified);
    let mut cut = watch(&token, || authority.connect(server.tls));
    cut.stream().sock.shutdown(Shutdown::Write).unwrap();
    let mut local = watch(&token, || unix(&path));
    local.stream().shutdown(Shutdown::Write).unwrap();
    // The server probes them. A close_notify alone does not end the connection.
    for wire in [&mut plain as &mut dyn Events, &mut cut, &mut local] {
        assert_eq!(wire.next()["event"], "heartbeat");
    }
    Wire::connect(server.plain).done(format!("send {token} neko hai"));
    for wire in [&mut plain as &mut dyn Events, &mut notified, &mut cut, &mut local] {
        assert_eq!(wire.next()["body"], "hai");
    }
}

/// Only a heartbeat can detect it: after its half-close such a reader announces nothing more.
#[test]
fn half_closed_reader_that_closes_is_found_by_the_next_heartbeat() {
    let server = Server::start_with(&["--connections-max", "4", "--heartbeat", "50ms"]);
    let token = log_in(server.address());
    for _ in 0..WATCHES {
        let mut wire = watch(&token, || server.connect());
        wire.end();
        assert_eq!(wire.reply()["event"], "heartbeat");
    }
}

/// The next output on a connection of any kind.
trait Events {
    fn next(&mut self) -> Value;
}

impl<S: Read + Write> Events for Wire<S> {
    fn next(&mut self) -> Value {
        self.reply()
    }
}

fn send_close_notify(wire: &mut Wire<Secured<TcpStream>>) {
    let stream = wire.stream_mut();
    stream.conn.send_close_notify();
    stream.conn.write_tls(&mut stream.sock).unwrap();
}
