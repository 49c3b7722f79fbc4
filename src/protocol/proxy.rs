//! The header with which a proxy names its client: versions 1 and 2 of the PROXY protocol
//! (`proxy-protocol.txt` of HAProxy). This module uses no socket and no clock, and does not decide
//! which proxies to trust.

// The addresses of `std::net` without its sockets.
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use memchr::memchr;

/// The start of a header of version 1.
pub const TEXT_START: &str = "PROXY ";
/// The start of a header of version 2.
pub const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest header of version 1, with its CR LF.
const TEXT_BYTES_MAX: usize = 107;
/// The longest header of version 2. Its addresses need 232 bytes; the rest is for details of the
/// client's TLS.
const BINARY_BYTES_MAX: usize = 2048;
/// The length of the part before the addresses in version 2: signature, command, family, length.
const BINARY_START_BYTES: usize = SIGNATURE.len() + 4;

/// The families of version 2 that have addresses: TCP over IPv4, and over IPv6.
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

/// The refusal of a header from an address that may not send one.
pub const NOT_TAKEN: &str = "no PROXY header is taken from this address";

/// A complete header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Its length in bytes.
    pub length: usize,
    /// The client's address. `None` if the proxy does not know it, or connects for itself.
    pub client: Option<SocketAddr>,
}

/// The first bytes are not a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// Whether a stream that begins with these bytes certainly begins with a header.
pub fn begins_with_header(bytes: &[u8]) -> bool {
    bytes.starts_with(TEXT_START.as_bytes()) || bytes.starts_with(SIGNATURE)
}

/// Parses the header at the start of a stream. `None` means that it is incomplete, which no input
/// longer than the longest header is.
///
/// # Errors
/// The stream does not begin with a header, or the header is not for a TCP connection.
pub fn read(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    if begins_alike(bytes, SIGNATURE) {
        return read_binary(bytes);
    }
    if begins_alike(bytes, TEXT_START.as_bytes()) {
        return read_text(bytes);
    }
    Err(Malformed)
}

/// Whether one of them begins with the other.
fn begins_alike(bytes: &[u8], start: &[u8]) -> bool {
    bytes.iter().zip(start).all(|(byte, expected)| byte == expected)
}

fn read_text(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let Some(end) = memchr(b'\n', &bytes[..bytes.len().min(TEXT_BYTES_MAX)]) else {
        return if bytes.len() < TEXT_BYTES_MAX { Ok(None) } else { Err(Malformed) };
    };
    let line = std::str::from_utf8(&bytes[..end]).map_err(|_| Malformed)?;
    let line = line.strip_suffix('\r').ok_or(Malformed)?;
    let fields: Vec<&str> = line.split(' ').collect();
    let client = match fields[..] {
        // The rest of the line is ignored.
        ["PROXY", "UNKNOWN", ..] => None,
        ["PROXY", "TCP4", source, target, port, target_port] => {
            let (source, _) = (address::<Ipv4Addr>(source)?, address::<Ipv4Addr>(target)?);
            Some((source, port, target_port))
        }
        ["PROXY", "TCP6", source, target, port, target_port] => {
            let (source, _) = (address::<Ipv6Addr>(source)?, address::<Ipv6Addr>(target)?);
            Some((source, port, target_port))
        }
        _ => return Err(Malformed),
    };
    let client = match client {
        None => None,
        Some((source, source_port, target_port)) => {
            port(target_port)?;
            Some(SocketAddr::new(source, port(source_port)?))
        }
    };
    Ok(Some(Header { length: end + 1, client }))
}

fn address<A: std::str::FromStr + Into<IpAddr>>(text: &str) -> Result<IpAddr, Malformed> {
    text.parse::<A>().map(Into::into).map_err(|_| Malformed)
}

fn port(text: &str) -> Result<u16, Malformed> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain).ok_or(Malformed)
}

fn read_binary(bytes: &[u8]) -> Result<Option<Header>, Malformed> {
    let Some(&[command, family, high, low]) = bytes.get(SIGNATURE.len()..BINARY_START_BYTES) else {
        return Ok(None);
    };
    let length = BINARY_START_BYTES + usize::from(u16::from_be_bytes([high, low]));
    let needed = match (command, family) {
        // The proxy connects for itself, as for a health check; or the client has no network
        // address, such as one of a Unix socket.
        (0x20, _) | (0x21, 0x00 | 0x31) => 0,
        (0x21, TCP4) => 12,
        (0x21, TCP6) => 36,
        _ => return Err(Malformed),
    };
    if length > BINARY_BYTES_MAX || length < BINARY_START_BYTES + needed {
        return Err(Malformed);
    }
    let Some(told) = bytes.get(BINARY_START_BYTES..length) else {
        return Ok(None);
    };
    let client = match (needed, family) {
        (0, _) => None,
        (_, TCP4) => binary_address::<4>(told),
        _ => binary_address::<16>(told),
    };
    Ok(Some(Header { length, client }))
}

/// The source. The input has two addresses of `SIZE` bytes, two ports, and optional details.
fn binary_address<const SIZE: usize>(told: &[u8]) -> Option<SocketAddr>
where
    IpAddr: From<[u8; SIZE]>,
{
    let (source, rest) = told.split_first_chunk::<SIZE>()?;
    let port = rest.get(SIZE..)?.first_chunk::<2>()?;
    Some(SocketAddr::new(IpAddr::from(*source), u16::from_be_bytes(*port)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn binary(command: u8, family: u8, told: &[u8]) -> Vec<u8> {
        let length = (told.len() as u16).to_be_bytes();
        [SIGNATURE, &[command, family][..], &length, told].concat()
    }

    fn client(bytes: &[u8]) -> Result<Option<String>, Malformed> {
        let header = read(bytes)?.expect("it is whole");
        assert_eq!(header.length, bytes.len());
        Ok(header.client.map(|client| client.to_string()))
    }

    #[test]
    fn lines_of_version_1_name_the_client_or_nobody() {
        let of = |line: &str| client(format!("{line}\r\n").as_bytes());
        assert_eq!(
            of("PROXY TCP4 192.0.2.7 198.51.100.1 56324 8889"),
            Ok(Some("192.0.2.7:56324".to_owned()))
        );
        assert_eq!(
            of("PROXY TCP6 2001:db8::7 2001:db8::1 1 65535"),
            Ok(Some("[2001:db8::7]:1".to_owned()))
        );
        assert_eq!(of("PROXY UNKNOWN"), Ok(None));
        assert_eq!(of("PROXY UNKNOWN ffff:f..f:ffff ffff:f..f:ffff 65535 65535"), Ok(None));
    }

    #[test]
    fn headers_of_version_2_name_the_client_or_nobody() {
        let four = [192, 0, 2, 7, 198, 51, 100, 1, 0xdc, 0x04, 0x22, 0xb9];
        let of_four = Ok(Some("192.0.2.7:56324".to_owned()));
        assert_eq!(client(&binary(0x21, 0x11, &four)), of_four);
        let more = [&four[..], b"\x01\0\x02h2"].concat();
        assert_eq!(client(&binary(0x21, 0x11, &more)), of_four);
        let mut six = [0; 36];
        six[..4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
        (six[15], six[33]) = (7, 9);
        assert_eq!(client(&binary(0x21, 0x21, &six)), Ok(Some("[2001:db8::7]:9".to_owned())));
        for nobody in [binary(0x20, 0x11, &four), binary(0x20, 0, b""), binary(0x21, 0, b"x")] {
            assert_eq!(client(&nobody), Ok(None));
        }
        assert_eq!(client(&binary(0x21, 0x31, &[0; 216])), Ok(None));
    }

    #[test]
    fn what_is_no_header_is_malformed() {
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(TEXT_BYTES_MAX));
        for line in [
            "hello\r\n",
            "proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
            "PROXY \r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
            "PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n",
            "PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n",
            "PROXY TCP4 ::1 ::1 1 2\r\n",
            "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n",
            "PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n",
            "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
            long.as_str(),
        ] {
            assert_eq!(read(line.as_bytes()), Err(Malformed), "{line:?}");
        }
        let (short, long) = ([0; 11], [0; BINARY_BYTES_MAX]);
        for (command, family, told) in [
            (0x11, 0x11, &[0; 12][..]),
            (0x22, 0x11, &[0; 12]),
            (0x21, 0x12, &[0; 12]),
            (0x21, 0x11, &short),
            (0x21, 0x21, &[0; 35]),
            (0x21, 0x00, &long),
        ] {
            let header = binary(command, family, told);
            assert_eq!(read(&header), Err(Malformed), "{command:x} {family:x} {}", told.len());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_header_or_none_and_a_header_may_come_in_any_pieces(
            rest in prop::collection::vec(any::<u8>(), 0..300),
            start in prop::sample::select(vec![
                &b""[..], SIGNATURE, b"PROXY ", b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
                b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c",
            ]),
        ) {
            let bytes = [start, &rest].concat();
            let whole = read(&bytes);
            for length in 0..bytes.len() {
                match read(&bytes[..length]) {
                    // More bytes may complete it, but a result stays.
                    Ok(None) => {}
                    told => prop_assert_eq!(told, whole),
                }
            }
        }
    }
}
