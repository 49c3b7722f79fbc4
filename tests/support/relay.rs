//! A place in front of a server that stays when the server moves: a client that comes back finds
//! it there. It can cut its connections, or let them go silent.
#![allow(dead_code, reason = "every test file uses a part of it")]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A listening relay. Its threads end with the test's process.
pub struct Relay {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

struct State {
    target: SocketAddr,
    /// Both ends of each connection so far.
    connections: Vec<(TcpStream, TcpStream)>,
    count: usize,
}

impl Relay {
    /// Relays to this server.
    pub fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let state = State { target, connections: Vec::new(), count: 0 };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                accept(client, &shared);
            }
        });
        Self { address, state }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on new connections go there.
    pub fn point_at(&self, target: SocketAddr) {
        self.state.lock().expect("a state").target = target;
    }

    /// Ends every connection.
    pub fn cut(&self) {
        for (client, server) in self.state.lock().expect("a state").connections.drain(..) {
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
        }
    }

    /// How many connections there have been.
    pub fn count(&self) -> usize {
        self.state.lock().expect("a state").count
    }
}

fn accept(client: TcpStream, shared: &Mutex<State>) {
    let mut state = shared.lock().expect("a state");
    state.count += 1;
    // Nobody there: the client finds its connection closed.
    let Ok(server) = TcpStream::connect(state.target) else { return };
    let handle = |stream: &TcpStream| stream.try_clone().expect("a second handle");
    for (from, to) in [(handle(&client), handle(&server)), (handle(&server), handle(&client))] {
        thread::spawn(move || pass_on(from, to));
    }
    state.connections.push((client, server));
}

fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
