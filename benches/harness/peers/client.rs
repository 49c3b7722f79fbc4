//! A blocking connection to our server: it waits for the reply to each request.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::TIMEOUT;
use super::chat::reply_length;

pub struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self { stream, received: Vec::new() })
    }

    /// Sends a line and returns the reply, which must report success.
    pub fn ask(&mut self, line: &str) -> Result<Value> {
        let length = self.exchange(line)?;
        let reply = serde_json::from_slice(&self.received[..length])?;
        self.received.drain(..length);
        Ok(reply)
    }

    /// Like [`Self::ask`], but returns the raw bytes, so that no JSON parsing is measured.
    pub fn ask_raw(&mut self, line: &str) -> Result<Vec<u8>> {
        let length = self.exchange(line)?;
        let rest = self.received.split_off(length);
        Ok(std::mem::replace(&mut self.received, rest))
    }

    /// Waits for the next event of a stream.
    pub fn hear(&mut self) -> Result<Vec<u8>> {
        let length = self.receive()?;
        let rest = self.received.split_off(length);
        Ok(std::mem::replace(&mut self.received, rest))
    }

    fn exchange(&mut self, line: &str) -> Result<usize> {
        self.stream.write_all(format!("{line}\r\n").as_bytes())?;
        let length = self.receive()?;
        let reply = &self.received[..length];
        ensure!(
            reply.starts_with(b"{\"status\": \"OK\""),
            "{line}: {}",
            String::from_utf8_lossy(reply)
        );
        Ok(length)
    }

    /// Waits for a complete reply, and returns its length.
    fn receive(&mut self) -> Result<usize> {
        let mut some = [0; 64 * 1024];
        let mut looked_at = 0;
        loop {
            // Search only the new bytes: a page may have a megabyte.
            if let Some(length) = reply_length(&self.received[looked_at..]) {
                return Ok(looked_at + length);
            }
            looked_at = self.received.len().saturating_sub(4);
            let count = self.stream.read(&mut some)?;
            ensure!(count > 0, "the server closed the connection");
            self.received.extend_from_slice(&some[..count]);
        }
    }

    /// The underlying stream, for readiness I/O. All requests must have their replies.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }
}
