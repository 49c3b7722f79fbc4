//! Which user of this machine a TCP connection over the loopback belongs to, asked of the kernel
//! (sock_diag(7)). One question costs four system calls, however many sockets there are.

use std::io;
use std::net::{IpAddr, SocketAddr};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

/// `SOCK_DIAG_BY_FAMILY`: both the question and its answer.
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST`.
const REQUEST: u16 = 1;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const IPPROTO_TCP: u8 = 6;
/// `struct nlmsghdr` and `struct inet_diag_req_v2`.
const QUESTION_BYTES: u32 = 16 + 56;
/// Where `struct inet_diag_msg` has the user and the inode, behind `struct nlmsghdr`.
const USER_AT: usize = 16 + 64;
const INODE_AT: usize = 16 + 68;

/// The user whose socket at `client` is connected to `server`. `None` if the kernel does not say,
/// or if no process has the socket open any more.
pub fn of_connection(client: SocketAddr, server: SocketAddr) -> Option<u32> {
    let answer = ask(&question(client, server)).ok()?;
    let number = |at: usize| Some(u32::from_ne_bytes(*answer.get(at..)?.first_chunk()?));
    let kind = u16::from_ne_bytes(*answer.get(4..)?.first_chunk()?);
    // A socket that nobody has open has neither an inode nor an owner, and would count as root's.
    (kind == BY_FAMILY && number(INODE_AT)? != 0).then(|| number(USER_AT)).flatten()
}

fn ask(question: &[u8]) -> io::Result<Vec<u8>> {
    let kernel = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )?;
    send(&kernel, question, SendFlags::empty())?;
    let mut answer = vec![0; 1024];
    // The kernel has answered before `send` returns.
    let (length, _) = recv(&kernel, answer.as_mut_slice(), RecvFlags::DONTWAIT)?;
    answer.truncate(length);
    Ok(answer)
}

fn question(client: SocketAddr, server: SocketAddr) -> Vec<u8> {
    // A client of IPv4 keeps its addresses where the server has a socket of IPv6.
    let (client_address, server_address) = (client.ip().to_canonical(), server.ip().to_canonical());
    let family = if client_address.is_ipv4() { AF_INET } else { AF_INET6 };
    let mut bytes = Vec::with_capacity(QUESTION_BYTES as usize);
    bytes.extend(QUESTION_BYTES.to_ne_bytes());
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(REQUEST.to_ne_bytes());
    // Sequence number and port of the asking socket: there is one question only.
    bytes.extend([0; 8]);
    // No extensions, padding, all states.
    bytes.extend([family, IPPROTO_TCP, 0, 0]);
    bytes.extend(u32::MAX.to_ne_bytes());
    bytes.extend(client.port().to_be_bytes());
    bytes.extend(server.port().to_be_bytes());
    bytes.extend(padded(client_address));
    bytes.extend(padded(server_address));
    // Any interface, and no cookie of an earlier answer.
    bytes.extend([0; 4]);
    bytes.extend([0xff; 8]);
    bytes
}

fn padded(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => {
            let mut padded = [0; 16];
            padded[..4].copy_from_slice(&address.octets());
            padded
        }
        IpAddr::V6(address) => address.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Shutdown, TcpListener, TcpStream};

    #[test]
    fn owner_of_a_connection_is_this_process_until_it_closes() {
        let own = rustix::process::geteuid().as_raw();
        for address in ["127.0.0.1:0", "[::1]:0", "[::]:0"] {
            let Ok(listener) = TcpListener::bind(address) else {
                println!("SKIPPED: {address}: this machine has no such address");
                continue;
            };
            let port = listener.local_addr().unwrap().port();
            let target = if address.starts_with("[::1") { "::1" } else { "127.0.0.1" };
            let client = TcpStream::connect((target, port)).unwrap();
            let (accepted, from) = listener.accept().unwrap();
            let to = accepted.local_addr().unwrap();
            let Some(owner) = of_connection(from, to) else {
                println!("SKIPPED: {address}: the kernel does not tell whose sockets are");
                continue;
            };
            assert_eq!(owner, own, "{address}");
            client.shutdown(Shutdown::Write).unwrap();
            assert_eq!(of_connection(from, to), Some(own), "{address}: it is still open");
            drop(client);
            assert_eq!(of_connection(from, to), None, "{address}: nobody has it open");
        }
        let nobody: SocketAddr = "127.0.0.1:1".parse().unwrap();
        assert_eq!(of_connection(nobody, nobody), None);
    }
}
