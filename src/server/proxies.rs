//! The proxies that the operator has named. A connection from such an address begins with a header
//! that names the proxy's client ([`crate::protocol::proxy`]).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use crate::protocol::proxy::{self, Malformed};
use crate::protocol::refusal::{Code, Refusal};

/// The refusal to a named proxy that sends no header.
const HEADER_MISSING: &str = "a connection from this address has to begin with a PROXY header";

/// The addresses of all proxies. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Proxies(Arc<[Subnet]>);

/// An address, or all addresses with the same first bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    /// Its bits beyond the prefix are zero. IPv4 as mapped into IPv6.
    first: u128,
    bits: u32,
}

/// How much of the beginning of a connection was examined.
#[derive(Debug)]
pub(super) enum Preamble {
    /// Nothing came yet. A header is refused.
    Unexpected,
    /// From a proxy: the bytes of the header so far.
    Expected(Vec<u8>),
    /// It is over: all further bytes are the client's.
    Over,
}

/// The result of [`Preamble::look`].
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// There is no header. The bytes are the client's.
    Client,
    /// The header is incomplete.
    Incomplete,
    /// A header, and the client's bytes behind it.
    Header(Option<SocketAddr>, Vec<u8>),
    /// The connection cannot go on.
    Refused(Refusal),
}

impl Proxies {
    /// Creates the list of these addresses.
    pub fn new(subnets: &[Subnet]) -> Self {
        Self(subnets.into())
    }

    /// Whether a proxy has this address.
    pub fn name(&self, address: IpAddr) -> bool {
        self.0.iter().any(|subnet| subnet.contains(address))
    }

    /// How a connection from this address begins. `None` stands for a Unix socket.
    pub(super) fn preamble(&self, from: Option<IpAddr>) -> Preamble {
        if from.is_some_and(|from| self.name(from)) {
            Preamble::Expected(Vec::new())
        } else {
            Preamble::Unexpected
        }
    }
}

impl Preamble {
    /// A header comes first.
    pub(super) fn is_expected(&self) -> bool {
        matches!(self, Self::Expected(_))
    }

    /// All further bytes are the client's.
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Over)
    }

    /// Examines the next bytes. Call it until it [is over](Self::is_over).
    pub(super) fn look(&mut self, bytes: &[u8]) -> Beginning {
        let refused = |text| Beginning::Refused(Refusal::new(Code::WrongProtocol, text));
        match self {
            Self::Over => Beginning::Client,
            Self::Unexpected => {
                *self = Self::Over;
                match proxy::begins_with_header(bytes) {
                    true => refused(proxy::NOT_TAKEN),
                    false => Beginning::Client,
                }
            }
            Self::Expected(before) => {
                before.extend_from_slice(bytes);
                match proxy::read(before) {
                    Ok(None) => Beginning::Incomplete,
                    Ok(Some(header)) => {
                        let rest = before.split_off(header.length);
                        *self = Self::Over;
                        // The loopback address of another machine is not this machine's.
                        let client = header.client.filter(|client| !is_loopback(client.ip()));
                        Beginning::Header(client, rest)
                    }
                    Err(Malformed) => {
                        *self = Self::Over;
                        refused(HEADER_MISSING)
                    }
                }
            }
        }
    }
}

impl Subnet {
    fn contains(self, address: IpAddr) -> bool {
        of_first(mapped(address), self.bits) == self.first
    }
}

/// `ADDRESS` or `ADDRESS/BITS`. Bits of the address beyond the prefix are ignored.
impl FromStr for Subnet {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().map_err(|_| ())?;
        let (most, before) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        let bits = match bits {
            None => most,
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= most).ok_or(())?,
        };
        let bits = bits + before;
        Ok(Self { first: of_first(mapped(address), bits), bits })
    }
}

/// In the form that the option accepts.
impl fmt::Display for Subnet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = Ipv6Addr::from_bits(self.first);
        match address.to_ipv4_mapped() {
            Some(address) if self.bits >= 96 => write!(formatter, "{address}/{}", self.bits - 96),
            _ => write!(formatter, "{address}/{}", self.bits),
        }
    }
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn mapped(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn of_first(address: u128, bits: u32) -> u128 {
    // A shift by the full width would overflow.
    address & u128::MAX.checked_shl(128 - bits).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    fn proxies() -> Proxies {
        Proxies::new(&[subnet("192.0.2.0/24"), subnet("2001:db8::7")])
    }

    #[test]
    fn subnets_are_read_as_they_are_shown_and_hold_what_begins_alike() {
        for (given, shown, inside, outside) in [
            ("192.0.2.7", "192.0.2.7/32", "192.0.2.7", "192.0.2.8"),
            ("10.1.2.3/8", "10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("0.0.0.0/0", "0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
            ("2001:db8::/32", "2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::/0", "::/0", "2001:db8::1", "nothing is"),
        ] {
            assert_eq!(subnet(given).to_string(), shown);
            assert_eq!(subnet(shown), subnet(given));
            assert!(subnet(given).contains(inside.parse().unwrap()), "{given}");
            assert!(!outside.parse().is_ok_and(|other| subnet(given).contains(other)), "{given}");
        }
        // An IPv6 socket shows an IPv4 client in this form.
        assert!(subnet("192.0.2.0/24").contains("::ffff:192.0.2.9".parse().unwrap()));
        for wrong in ["", "host", "1.2.3", "1.2.3.4/33", "::/129", "1.2.3.4/", "1.2.3.4/-1", "/8"] {
            assert_eq!(wrong.parse::<Subnet>(), Err(()), "{wrong:?}");
        }
    }

    #[test]
    fn header_is_read_in_any_pieces_and_what_is_behind_it_is_the_clients() {
        let stream = b"PROXY TCP4 203.0.113.9 192.0.2.1 5000 8889\r\nhello\r\n";
        let client = Some("203.0.113.9:5000".parse().unwrap());
        for cut in 0..stream.len() - 7 {
            let mut preamble = proxies().preamble(Some([192, 0, 2, 1].into()));
            assert_eq!(preamble.look(&stream[..cut]), Beginning::Incomplete, "{cut}");
            let rest = b"hello\r\n".to_vec();
            assert_eq!(preamble.look(&stream[cut..]), Beginning::Header(client, rest), "{cut}");
            assert!(preamble.is_over());
        }
    }

    #[test]
    fn who_is_not_named_may_not_send_a_header_and_who_is_has_to() {
        let code = |from: &str, bytes: &[u8]| match proxies()
            .preamble(Some(from.parse().unwrap()))
            .look(bytes)
        {
            Beginning::Refused(refusal) => Some((refusal.code, refusal.message.into_owned())),
            _ => None,
        };
        let header = b"PROXY UNKNOWN\r\n";
        let refused = |text: &str| Some((Code::WrongProtocol, text.to_owned()));
        assert_eq!(code("192.0.3.1", header), refused(proxy::NOT_TAKEN));
        assert_eq!(code("192.0.3.1", b"hello\r\n"), None);
        assert_eq!(code("2001:db8::7", header), None);
        assert_eq!(code("2001:db8::7", b"hello\r\n"), refused(HEADER_MISSING));
        assert!(matches!(proxies().preamble(None), Preamble::Unexpected));
    }

    #[test]
    fn loopback_of_a_proxy_is_not_that_of_the_server() {
        let mut preamble = proxies().preamble(Some([192, 0, 2, 1].into()));
        let beginning = preamble.look(b"PROXY TCP4 127.0.0.1 192.0.2.1 5000 8889\r\n");
        assert_eq!(beginning, Beginning::Header(None, Vec::new()));
    }
}
