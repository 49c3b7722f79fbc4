//! A TCP or Unix-domain socket whose reads and writes end at a deadline.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, recv};
use rustls::ClientConnection;

#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    /// Reads once. Blocks until `deadline` at the longest, and fails with `TimedOut` then.
    pub(super) fn read(&mut self, chunk: &mut [u8], deadline: Instant) -> io::Result<usize> {
        loop {
            let remaining = Some(remaining(deadline).ok_or(ErrorKind::TimedOut)?);
            let read = match self {
                Self::Tcp(stream) => {
                    stream.set_read_timeout(remaining).and_then(|()| stream.read(chunk))
                }
                Self::Unix(stream) => {
                    stream.set_read_timeout(remaining).and_then(|()| stream.read(chunk))
                }
            };
            match read {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }

    /// Writes once. Blocks until `deadline` at the longest, and fails with `TimedOut` then.
    pub(super) fn write(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<usize> {
        loop {
            let remaining = Some(remaining(deadline).ok_or(ErrorKind::TimedOut)?);
            let written = match self {
                Self::Tcp(stream) => {
                    stream.set_write_timeout(remaining).and_then(|()| stream.write(bytes))
                }
                Self::Unix(stream) => {
                    stream.set_write_timeout(remaining).and_then(|()| stream.write(bytes))
                }
            };
            match written {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                written => return written,
            }
        }
    }

    /// Writes all TLS records that are ready.
    pub(super) fn write_tls(
        &mut self,
        tls: &mut ClientConnection,
        deadline: Instant,
    ) -> io::Result<()> {
        while tls.wants_write() {
            tls.write_tls(&mut DeadlineWriter { socket: self, deadline })?;
        }
        Ok(())
    }

    /// Whether nothing has arrived, not even the end of the connection. Does not block.
    pub(super) fn is_quiet(&self) -> bool {
        let there = recv(self, &mut [0_u8], RecvFlags::PEEK | RecvFlags::DONTWAIT);
        there.err() == Some(rustix::io::Errno::AGAIN)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}

/// Writes to a socket until a deadline.
struct DeadlineWriter<'a> {
    socket: &'a mut Socket,
    deadline: Instant,
}

impl Write for DeadlineWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes, self.deadline)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The time until `deadline`. It is `None` instead of zero, which the socket would take for "no
/// limit".
pub(super) fn remaining(deadline: Instant) -> Option<Duration> {
    deadline.checked_duration_since(Instant::now()).filter(|remaining| !remaining.is_zero())
}

pub(super) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
