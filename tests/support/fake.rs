//! A scripted server, for faults that a real server rarely has.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

/// How long a test waits for an event before it fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// The reaction to the next request of a connection.
#[derive(Debug, Clone)]
pub enum Step {
    /// Reply with this; the end of the reply is added.
    Reply(&'static str),
    /// Send these bytes, and close the connection.
    CutAfter(&'static str),
    /// Send exactly these bytes, and keep the connection open.
    Bytes(&'static str),
    /// Do not reply, and keep the connection open.
    Silence,
}

/// A listening fake. Its threads end with the test's process.
pub struct Fake {
    address: SocketAddr,
    requests: Receiver<String>,
    closed: Receiver<()>,
}

impl Fake {
    /// Plays one script for each connection; the last one again for all further connections.
    pub fn start(scripts: Vec<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let (sender, requests) = mpsc::channel();
        let (closing, closed) = mpsc::channel();
        thread::spawn(move || {
            for (number, stream) in listener.incoming().flatten().enumerate() {
                let script = scripts[number.min(scripts.len() - 1)].clone();
                let (sender, closing) = (sender.clone(), closing.clone());
                thread::spawn(move || {
                    play(&stream, script, &sender);
                    // A process that another test starts has a copy of the socket until it executes
                    // its program. Dropping the socket would not close the connection then.
                    let _ = stream.shutdown(Shutdown::Both);
                    let _ = closing.send(());
                });
            }
        });
        Self { address, requests, closed }
    }

    /// Answers every request with this.
    pub fn saying(reply: &'static str) -> Self {
        Self::start(vec![vec![Step::Reply(reply); 16]])
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests so far, in order.
    pub fn requests(&self) -> Vec<String> {
        self.requests.try_iter().collect()
    }

    /// Waits for another request.
    pub fn wait_for_request(&self) -> String {
        self.requests.recv_timeout(PATIENCE).expect("a request comes")
    }

    /// Waits until another connection has been closed.
    pub fn wait_for_close(&self) {
        self.closed.recv_timeout(PATIENCE).expect("a connection is closed");
    }
}

fn play(stream: &TcpStream, script: Vec<Step>, requests: &Sender<String>) {
    let mut writer = stream;
    let mut reader = BufReader::new(stream);
    for step in script {
        let mut line = String::new();
        if !matches!(reader.read_line(&mut line), Ok(1..)) {
            return;
        }
        let _ = requests.send(line);
        match step {
            Step::Reply(reply) => {
                let _ = writer.write_all(format!("{reply}\r\n\r\n").as_bytes());
            }
            Step::CutAfter(bytes) => {
                let _ = writer.write_all(bytes.as_bytes());
                return;
            }
            Step::Bytes(bytes) => {
                let _ = writer.write_all(bytes.as_bytes());
            }
            Step::Silence => {
                // Until the client closes the connection.
                let _ = reader.read_line(&mut String::new());
                return;
            }
        }
    }
}
