//! An address in front of a server that stays when the server moves, so that a client can reconnect
//! there. It can cut its connections, at a moment or after so many bytes, and forward them in
//! pieces.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
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

/// A direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client.
    ToServer,
    /// From the server.
    ToClient,
}

/// How many bytes a connection still forwards in one direction.
type Left = Arc<AtomicUsize>;

/// One connection.
struct Connection {
    client: TcpStream,
    server: TcpStream,
    to_server: Left,
    to_client: Left,
}

struct State {
    target: SocketAddr,
    /// New connections are closed at once.
    is_closed: bool,
    /// Applies to so many connections; later ones have the ordinary passage.
    passage: (Passage, usize),
    cuts: usize,
    /// Each connection so far.
    connections: Vec<Connection>,
    count: usize,
}

impl Relay {
    /// Relays to this server.
    pub fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let passage = (Passage::default(), 0);
        let (is_closed, cuts, count, connections) = (false, 0, 0, Vec::new());
        let state = State { target, is_closed, passage, cuts, connections, count };
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
        for connection in self.state.lock().expect("a state").connections.drain(..) {
            let _ = connection.client.shutdown(Shutdown::Both);
            let _ = connection.server.shutdown(Shutdown::Both);
        }
    }

    /// Ends every connection, and accepts none until [`Self::open`].
    pub fn close(&self) {
        self.state.lock().expect("a state").is_closed = true;
        self.cut();
    }

    /// Accepts connections again.
    pub fn open(&self) {
        self.state.lock().expect("a state").is_closed = false;
    }

    /// Cuts an open connection after so many more bytes in this direction; `None` leaves it alone.
    /// The server sees the connection come from this `port`.
    pub fn cut_next(&self, port: u16, direction: Direction, bytes: Option<usize>) {
        let state = self.state.lock().expect("a state");
        let is_meant = |connection: &&Connection| {
            connection.server.local_addr().is_ok_and(|address| address.port() == port)
        };
        let connection = state.connections.iter().rfind(is_meant).expect("a connection");
        let left = match direction {
            Direction::ToServer => &connection.to_server,
            Direction::ToClient => &connection.to_client,
        };
        left.store(bytes.unwrap_or(usize::MAX), Ordering::SeqCst);
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
    if state.is_closed {
        return;
    }
    // No server: the client finds its connection closed.
    let Ok(server) = TcpStream::connect(state.target) else { return };
    let handle = |stream: &TcpStream| {
        stream.set_nodelay(true).expect("no delay");
        stream.try_clone().expect("a second handle")
    };
    let left = |most: Option<usize>| Arc::new(AtomicUsize::new(most.unwrap_or(usize::MAX)));
    let (to_server, to_client) = (left(passage.to_server), left(passage.to_client));
    for (from, to, left) in [
        (handle(&client), handle(&server), Arc::clone(&to_server)),
        (handle(&server), handle(&client), Arc::clone(&to_client)),
    ] {
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            if pass_on(&from, &to, &left, passage.piece) {
                shared.lock().expect("a state").cuts += 1;
            }
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
    state.connections.push(Connection { client, server, to_server, to_client });
}

/// Returns whether it ended after so many bytes.
fn pass_on(mut from: &TcpStream, mut to: &TcpStream, left: &AtomicUsize, piece: usize) -> bool {
    let mut bytes = [0; PIECE_MAX];
    while left.load(Ordering::SeqCst) > 0 {
        let Ok(count @ 1..) = from.read(&mut bytes) else { return false };
        let most = left.load(Ordering::SeqCst);
        for piece in bytes[..count.min(most)].chunks(piece) {
            if to.write_all(piece).is_err() {
                return false;
            }
        }
        if most != usize::MAX {
            left.store(most.saturating_sub(count), Ordering::SeqCst);
        }
    }
    true
}
