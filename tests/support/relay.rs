//! An address in front of a server that stays when the server moves, so that a client can reconnect
//! there. It can cut its connections, at a moment or after so many bytes, and forward them in
//! pieces.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A listening relay. Its threads end with the test's process.
pub struct Relay {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

/// The treatment of a connection's bytes. A cut closes both directions, at once.
#[derive(Debug, Clone, Copy)]
pub struct Passage {
    /// It is cut after so many bytes to the server.
    pub to_server: Option<usize>,
    /// It is cut after so many bytes to the client.
    pub to_client: Option<usize>,
    /// The size of one piece.
    pub piece: usize,
}

impl Default for Passage {
    /// All bytes, in the pieces in which they arrive.
    fn default() -> Self {
        Self { to_server: None, to_client: None, piece: PIECE_MAX }
    }
}

const PIECE_MAX: usize = 16 * 1024;

struct State {
    target: SocketAddr,
    /// Applies to so many connections; later ones have the ordinary passage.
    passage: (Passage, usize),
    cuts: usize,
    /// Both ends of each connection so far.
    connections: Vec<(TcpStream, TcpStream)>,
    count: usize,
}

impl Relay {
    /// Relays to this server.
    pub fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let passage = (Passage::default(), 0);
        let state = State { target, passage, cuts: 0, connections: Vec::new(), count: 0 };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                accept(client, &shared);
            }
        });
        Self { address, state }
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Forwards new connections there from now on.
    pub fn point_at(&self, target: SocketAddr) {
        self.state.lock().expect("a state").target = target;
    }

    /// Gives the next connections, so many, this passage.
    pub fn pass(&self, passage: Passage, connections: usize) {
        self.state.lock().expect("a state").passage = (passage, connections);
    }

    /// The number of connections that were cut after so many bytes.
    pub fn cuts(&self) -> usize {
        self.state.lock().expect("a state").cuts
    }

    /// Ends every connection.
    pub fn cut(&self) {
        for (client, server) in self.state.lock().expect("a state").connections.drain(..) {
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
        }
    }

    /// The number of connections so far.
    pub fn count(&self) -> usize {
        self.state.lock().expect("a state").count
    }
}

fn accept(client: TcpStream, shared: &Arc<Mutex<State>>) {
    let mut state = shared.lock().expect("a state");
    state.count += 1;
    let passage = match &mut state.passage {
        (_, 0) => Passage::default(),
        (passage, left) => {
            *left -= 1;
            *passage
        }
    };
    // No server: the client finds its connection closed.
    let Ok(server) = TcpStream::connect(state.target) else { return };
    let handle = |stream: &TcpStream| {
        stream.set_nodelay(true).expect("no delay");
        stream.try_clone().expect("a second handle")
    };
    for (from, to, most) in [
        (handle(&client), handle(&server), passage.to_server),
        (handle(&server), handle(&client), passage.to_client),
    ] {
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            if pass_on(&from, &to, most, passage.piece) {
                shared.lock().expect("a state").cuts += 1;
            }
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
    state.connections.push((client, server));
}

/// Returns whether it ended after so many bytes.
fn pass_on(mut from: &TcpStream, mut to: &TcpStream, most: Option<usize>, piece: usize) -> bool {
    let mut bytes = [0; PIECE_MAX];
    let mut left = most.unwrap_or(usize::MAX);
    while left > 0 {
        let Ok(count @ 1..) = from.read(&mut bytes) else { return false };
        for piece in bytes[..count.min(left)].chunks(piece) {
            if to.write_all(piece).is_err() {
                return false;
            }
        }
        left = left.saturating_sub(count);
    }
    true
}
