//! A connection to our server that waits for each answer.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::PATIENCE;
use super::chat::reply_length;

pub struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream, received: Vec::new() })
    }

    /// Says a line, and tells the answer, which has to say that it was done.
    pub fn ask(&mut self, line: &str) -> Result<Value> {
        let length = self.exchange(line)?;
        let reply = serde_json::from_slice(&self.received[..length])?;
        self.received.drain(..length);
        Ok(reply)
    }

    /// The same, where nobody wants to know more than how long the answer is and whether `more`
    /// of it is to be asked for; both without reading the JSON, which would be measured too.
    pub fn ask_length(&mut self, line: &str) -> Result<(usize, bool)> {
        let length = self.exchange(line)?;
        let more = self.received[..length].ends_with(b"\"more\": true}\r\n\r\n");
        self.received.drain(..length);
        Ok((length, more))
    }

    fn exchange(&mut self, line: &str) -> Result<usize> {
        self.stream.write_all(format!("{line}\r\n").as_bytes())?;
        let mut some = [0; 64 * 1024];
        let mut looked_at = 0;
        let length = loop {
            // Only what is new is looked at: a page has a megabyte.
            if let Some(length) = reply_length(&self.received[looked_at..]) {
                break looked_at + length;
            }
            looked_at = self.received.len().saturating_sub(4);
            let count = self.stream.read(&mut some)?;
            ensure!(count > 0, "the server closed the connection");
            self.received.extend_from_slice(&some[..count]);
        };
        let reply = &self.received[..length];
        ensure!(
            reply.starts_with(b"{\"status\": \"OK\""),
            "{line}: {}",
            String::from_utf8_lossy(reply)
        );
        Ok(length)
    }

    /// What it is made of, for who wants to wait for readiness; everything has been answered.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }
}
