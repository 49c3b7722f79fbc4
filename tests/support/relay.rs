//! A place in front of a server that stays when the server moves: a client that comes back finds
//! it there. It can cut its connections, at a moment or after so many bytes, and pass them on in
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

/// What becomes of the bytes of a connection. Cut means both ways, at once.
#[derive(Debug, Clone, Copy)]
pub struct Passage {
    /// It is cut when so many have gone to the server.
    pub to_server: Option<usize>,
    /// It is cut when so many have gone to the client.
    pub to_client: Option<usize>,
    /// As many go in one piece.
    pub piece: usize,
}

impl Default for Passage {
    /// All of them, in pieces as they come.
    fn default() -> Self {
        Self { to_server: None, to_client: None, piece: PIECE_MAX }
    }
}

const PIECE_MAX: usize = 16 * 1024;

struct State {
    target: SocketAddr,
    /// For so many connections, and those after them have the ordinary one.
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

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on new connections go there.
    pub fn point_at(&self, target: SocketAddr) {
        self.state.lock().expect("a state").target = target;
    }

    /// The next connections, so many, have this passage.
    pub fn pass(&self, passage: Passage, connections: usize) {
        self.state.lock().expect("a state").passage = (passage, connections);
    }

    /// How many connections were cut because so many bytes had gone.
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

    /// How many connections there have been.
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
    // Nobody there: the client finds its connection closed.
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

/// Tells whether it ended because so many bytes had gone.
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
