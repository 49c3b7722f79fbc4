//! Guessing passwords: how many attempts are allowed, for which user and address, the cost of
//! further ones, and how throttling ends.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::cli::Home;
use crate::support::exposition::Scrape;
use crate::support::http::get;
use crate::support::service::Service;
use crate::support::skip::skip;
use crate::support::{PATIENCE, Server, Wire, is_on_postgres, operator};

const METRICS: &[&str] = &["--metrics", "127.0.0.1:0"];

fn scrape(server: &Server) -> Scrape {
    Scrape::parse(&get(server.monitor(), "/metrics").body)
}

/// The number of hashed passwords.
fn hashes(server: &Server) -> f64 {
    scrape(server).value("chat_password_hash_duration_seconds_count", &[])
}

fn fail_five_times(wire: &mut Wire, user: &str, code: &str) {
    for number in 1..=5 {
        assert_eq!(wire.refused(format!("auth {user} wrong")), code, "failure {number}");
    }
}

/// A refusal with the time of the next attempt, the same for programs and people.
fn assert_held(reply: &Value) {
    assert_eq!(reply["code"], "rate_limited", "{reply}");
    let seconds = reply["retry_after"].as_u64().expect("seconds");
    assert!((1..=60).contains(&seconds), "{reply}");
    assert_eq!(reply["message"], format!("too many failed logins: try again in {seconds} s"));
}

/// A connection from another address of this machine.
fn connect_from(address: &str, server: SocketAddr) -> Wire {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    let own: SocketAddr = format!("{address}:0").parse().expect("an address");
    bind(&socket, &own).expect("127.0.0.0/8 is this machine's");
    connect(&socket, &server).expect("the server accepts");
    let stream = std::net::TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    Wire::over(stream)
}

#[test]
fn sixth_attempt_is_refused_without_a_hash_for_any_user_and_password() {
    let server = Server::start_with(METRICS);
    let mut wire = server.connect();
    let session = wire.log_in("paff");
    for (user, code) in [("paff", "wrong_password"), ("nobody", "unknown_user")] {
        fail_five_times(&mut wire, user, code);
        let before = hashes(&server);
        for password in ["wrong", "cytus"] {
            assert_held(&wire.ask(format!("auth {user} {password}")));
            assert_held(&server.connect().ask(format!("auth {user} {password}")));
        }
        assert_eq!(hashes(&server), before, "{user}: a refused attempt costs no hash");
    }
    let scrape = scrape(&server);
    let auth = &[("verb", "auth")];
    assert_eq!(scrape.value("chat_logins_held_total", auth), 8.0);
    assert_eq!(scrape.value("chat_logins_held_total", &[("verb", "passwd")]), 0.0);
    // Only the account is throttled: its sessions and all other users go on.
    wire.done(format!("send {session} neko hai"));
    wire.log_in("neko");
}

#[test]
fn attempts_for_a_disabled_user_are_counted() {
    let server = Server::start();
    operator::done(&server.database(), &["user", "disable", "ivy"]);
    let mut wire = server.connect();
    for _ in 0..5 {
        assert_eq!(wire.refused("auth ivy cytus"), "wrong_password");
    }
    assert_held(&wire.ask("auth ivy cytus"));
}

#[test]
fn wrong_old_password_counts_as_a_failed_login_of_that_account() {
    let server = Server::start_with(METRICS);
    let mut wire = server.connect();
    let session = wire.log_in("paff");
    let passwd = |old: &str| format!("passwd {session} {}", json!({"old": old, "new": "new one"}));
    for _ in 0..3 {
        assert_eq!(wire.refused(passwd("wrong")), "wrong_password");
    }
    for _ in 0..2 {
        assert_eq!(wire.refused("auth paff wrong"), "wrong_password");
    }
    let before = hashes(&server);
    assert_held(&wire.ask(passwd("cytus")));
    assert_held(&wire.ask("auth paff cytus"));
    assert_eq!(hashes(&server), before);
    let passwd = scrape(&server).value("chat_logins_held_total", &[("verb", "passwd")]);
    assert_eq!(passwd, 1.0);
    wire.done(format!("whoami {session}"));
}

#[test]
fn password_for_a_used_invitation_is_held_and_counted_however_it_comes() {
    let server = Server::start_with(METRICS);
    let made = operator::objects(&server.database(), &["invite"]);
    let secret = made[0]["link"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let accept = |password: &str| {
        let fields = json!({"invitation": secret, "user": "mia", "password": password});
        format!("accept {fields}")
    };
    let mut wire = server.connect();
    wire.done(accept("own password"));
    for _ in 0..5 {
        assert_eq!(wire.refused(accept("wrong")), "invitation_used");
    }
    let before = hashes(&server);
    assert_held(&wire.ask(accept("own password")));
    assert_eq!(hashes(&server), before);
    let held = scrape(&server).value("chat_logins_held_total", &[("verb", "accept")]);
    assert_eq!(held, 1.0);
}

#[test]
fn concurrent_attempts_compare_no_more_passwords_than_sequential_ones() {
    let server = Server::start_with(METRICS);
    let before = hashes(&server);
    let mut wires: Vec<Wire> = (0..60).map(|_| server.connect()).collect();
    for user in ["paff", "nobody"] {
        wires.iter_mut().for_each(|wire| wire.send(format!("auth {user} wrong\r\n")));
        let codes: Vec<Value> = wires.iter_mut().map(|wire| wire.reply()["code"].take()).collect();
        let held = codes.iter().filter(|code| *code == "rate_limited").count();
        assert_eq!(held, 55, "{codes:?}");
    }
    assert_eq!(hashes(&server) - before, 10.0);
    // Correct passwords do not count as guesses, however many arrive at once.
    wires.iter_mut().for_each(|wire| wire.send("auth neko cytus\r\n"));
    wires.iter_mut().for_each(|wire| assert_eq!(wire.reply()["status"], "OK"));
}

#[test]
fn local_user_is_the_same_at_every_address_and_socket() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("chat.sock");
    let server = Server::start_with(&["--listen", &format!("unix:{}", path.display())]);
    for number in 1..=5 {
        let mut wire = connect_from(&format!("127.0.0.{number}"), server.address());
        assert_eq!(wire.refused("auth paff wrong"), "wrong_password");
    }
    assert_held(&connect_from("127.9.9.9", server.address()).ask("auth paff cytus"));
    if !kernel_tells_owners(&server) {
        return skip("a kernel that tells the owner of a socket", "modprobe tcp_diag");
    }
    let stream = UnixStream::connect(&path).expect("the server accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    assert_held(&Wire::over(stream).ask("auth paff cytus"));
}

#[test]
fn failing_local_user_delays_no_other_local_user() {
    if !rustix::process::geteuid().is_root() {
        return skip("root, for another user of the machine", "run as root");
    }
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("chat.sock");
    let server = Server::start_with(&["--listen", &format!("unix:{}", path.display())]);
    fail_five_times(&mut server.connect(), "paff", "wrong_password");
    assert_held(&server.connect().ask("auth paff cytus"));
    // The other user gets only the sockets.
    for (file, mode) in [(folder.path(), 0o711), (&path, 0o666)] {
        fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    }
    let home = tempfile::TempDir::new().unwrap();
    std::os::unix::fs::chown(home.path(), Some(65534), None).unwrap();
    let mut places = vec![format!("unix:{}", path.display())];
    if kernel_tells_owners(&server) {
        places.push(server.address().to_string());
    } else {
        skip("a kernel that tells the owner of a socket", "modprobe tcp_diag");
    }
    for place in places {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_chat-cli"));
        command.env_clear().env("HOME", home.path()).uid(65534);
        command.args(["--server", &place, "auth", "paff", "cytus"]);
        let output = match command.output() {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                let remedy = "build where every user may look";
                return skip("programs that nobody may start", remedy);
            }
            output => output.unwrap(),
        };
        assert!(output.status.success(), "{place}: {output:?}");
    }
}

/// Whether the server can find out the Unix user of a TCP client on this machine.
fn kernel_tells_owners(server: &Server) -> bool {
    let client = std::net::TcpStream::connect(server.address()).expect("the server accepts");
    let (from, to) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
    chat::system::connection_owner(from, to).is_some()
}

#[test]
fn raised_limit_releases_users_and_the_server_log_names_throttled_ones() {
    let service = Service::start("login_failures_per_address_max = 2\n");
    let mut wire = Wire::connect(service.address());
    let paff = "1";
    for user in ["paff", "nobody"] {
        for _ in 0..2 {
            wire.refused(format!("auth {user} sEcretPassword"));
        }
        assert_held(&wire.ask(format!("auth {user} cytus")));
    }
    let line = service.wait_for_line("too many failed logins");
    for word in ["WARN", &format!("user={paff}"), "limit=\"address\"", "seconds="] {
        assert!(line.contains(word), "{word} is not in {line}");
    }
    let own = format!("address=unix:uid={}", rustix::process::geteuid().as_raw());
    assert!(line.contains(&own) || line.contains("address=loopback"), "{line}");
    // A name without a user may be a password in the wrong field.
    let line = service.wait_for_line("too many failed logins");
    assert!(!line.contains("user=") && !line.contains("nobody"), "{line}");
    service.configure("login_failures_per_address_max = 3\n");
    service.signal(Signal::HUP);
    service.wait_for_line("the configuration was read again");
    wire.refused("auth nobody wrong");
    assert_held(&wire.ask("auth nobody wrong"));
    wire.log_in("paff");
}

/// On PostgreSQL the database counts them, for all servers.
#[test]
fn failures_are_forgotten_with_a_restart_of_the_only_server() {
    let mut server = Server::start();
    fail_five_times(&mut server.connect(), "paff", "wrong_password");
    assert_held(&server.connect().ask("auth paff cytus"));
    server.stop();
    server.start_again();
    if is_on_postgres() {
        assert_held(&server.connect().ask("auth paff cytus"));
        server.change("UPDATE login_failures SET at = at - 60000");
    }
    server.log_in("paff");
}

#[test]
fn client_says_when_to_try_again_and_ends_with_75() {
    let server = Server::start();
    let home = Home::new(server.address());
    for _ in 0..5 {
        assert_eq!(home.run(["auth", "paff", "wrong"]).code, 77);
    }
    let outcome = home.run(["auth", "paff", "cytus"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (75, ""));
    let seconds =
        outcome.stderr.trim_end().strip_prefix("Error, too many failed logins: try again in ");
    let seconds = seconds.and_then(|rest| rest.strip_suffix(" s")).map(str::parse::<u32>);
    assert!(matches!(seconds, Some(Ok(1..=60))), "{outcome:?}");
    let outcome = home.run(["--lang", "id", "auth", "paff", "cytus"]);
    assert!(outcome.stderr.contains("coba lagi dalam"), "{outcome:?}");
    let outcome = home.run(["auth", "--json", "paff", "cytus"]);
    let error: Value = serde_json::from_str(&outcome.stderr).expect("an object");
    assert_eq!((&error["code"], &error["exit"]), (&json!("rate_limited"), &json!(75)));
    assert!(matches!(error["retry_after"].as_u64(), Some(1..=60)), "{error}");
    assert_eq!(home.run(["auth", "neko", "cytus"]).code, 0);
}
