//! TLS between a socket and the protocol, for both sides: bytes in, bytes out. Owns no socket, and
//! does not decide whom to trust.

pub mod certificate;

use std::io::BufRead;
use std::sync::Arc;

use rustls::ConnectionCommon;
use rustls::crypto::{CryptoProvider, ring};

/// The first byte of a TLS record that begins a handshake: nothing else begins a connection.
pub const HANDSHAKE_BYTE: u8 = 0x16;
/// The first byte of a TLS record that says why there is no handshake.
pub const ALERT_BYTE: u8 = 0x15;

/// The ciphers and signatures of both sides.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Takes all the bytes that a socket has given, and hands on the text in them, piece by piece as it
/// is decrypted: nothing of it stays here, so that it takes no memory. Gives whether the peer has
/// said that nothing more will come; what came after that is left out.
///
/// # Errors
/// The bytes are no TLS, or the handshake cannot go on. What is to be told the peer about it is
/// ready to be written.
pub fn receive<Side>(
    tls: &mut ConnectionCommon<Side>,
    mut bytes: &[u8],
    mut take: impl FnMut(&[u8]),
) -> Result<bool, rustls::Error> {
    while !bytes.is_empty() {
        // Less than all of it at a time, so that what it decrypts to is bounded.
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
    // A slice can be read from; that a record is too long is all there is to fail.
    tls.read_tls(bytes).map_err(|error| rustls::Error::General(error.to_string()))
}

/// Hands on what is decrypted; gives whether that was the last.
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
            // Nothing more for now.
            Err(_) => return false,
        }
    }
}
