//! TLS for client and server, between a socket and the protocol: bytes in, bytes out. This module
//! owns no socket and does not decide which peers to trust.

pub mod certificate;

use std::io::BufRead;
use std::sync::Arc;

use rustls::ConnectionCommon;
use rustls::crypto::{CryptoProvider, ring};

/// The first byte of a TLS handshake record. Every TLS connection begins with it.
pub const HANDSHAKE_BYTE: u8 = 0x16;
/// The first byte of a TLS alert record, which reports why a handshake failed.
pub const ALERT_BYTE: u8 = 0x15;

/// The cipher suites and signature algorithms of client and server.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Processes all bytes that a socket has delivered, and passes the decrypted text to `take` piece
/// by piece. No text stays buffered in `tls`, so it uses no memory. The result is whether the peer
/// has closed its side; any text after that is ignored.
///
/// # Errors
/// The bytes are not TLS, or the handshake failed. The alert for the peer is ready to be written.
pub fn receive<Side>(
    tls: &mut ConnectionCommon<Side>,
    mut bytes: &[u8],
    mut take: impl FnMut(&[u8]),
) -> Result<bool, rustls::Error> {
    while !bytes.is_empty() {
        // `read_tls` takes only part of the bytes at a time, which bounds the decrypted text.
        if read(tls, &mut bytes)? == 0 {
            return Ok(true);
        }
        tls.process_new_packets()?;
        if drain(tls, &mut take) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn read<Side>(tls: &mut ConnectionCommon<Side>, bytes: &mut &[u8]) -> Result<usize, rustls::Error> {
    // Reading from a slice cannot fail; the only error is a record that is too long.
    tls.read_tls(bytes).map_err(|error| rustls::Error::General(error.to_string()))
}

/// Passes on all decrypted text. The result is whether the peer has closed its side.
fn drain<Side>(tls: &mut ConnectionCommon<Side>, take: &mut impl FnMut(&[u8])) -> bool {
    let mut reader = tls.reader();
    loop {
        match reader.fill_buf() {
            Ok([]) => return true,
            Ok(text) => {
                take(text);
                let count = text.len();
                reader.consume(count);
            }
            // There is no more text for now.
            Err(_) => return false,
        }
    }
}
