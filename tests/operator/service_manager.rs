//! The server under a service manager: a test acts as systemd, with the same sockets and variables.

use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::service;
use crate::support::skip::is_here;
use crate::support::{PATIENCE, Wire, server_command};

/// The notifications from the server.
struct Told {
    socket: UnixDatagram,
}

impl Told {
    fn bind(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket }
    }

    fn next(&self) -> String {
        let mut buffer = [0; 4096];
        let count = self.socket.recv(&mut buffer).expect("the manager gets a notification");
        String::from_utf8(buffer[..count].to_vec()).unwrap()
    }

    /// The next notification that is no sign of life.
    fn next_state(&self) -> String {
        loop {
            let reported = self.next();
            if reported != "WATCHDOG=1\n" {
                return reported;
            }
        }
    }
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// A server that has this socket as its third descriptor, as systemd passes it; a shell does the
/// work of systemd between its fork and its exec.
fn activated(database: &Path, socket: &TcpListener, options: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\" 3<&0 </dev/null", "sh"]);
    command.arg(env!("CARGO_BIN_EXE_chat-server")).arg("--db").arg(database).args(options);
    command.env_clear().env("CHAT_SERVER_CONFIG", "/dev/null");
    command.stdin(Stdio::from(OwnedFd::from(socket.try_clone().unwrap())));
    command
}

#[test]
fn manager_is_notified_of_readiness_reload_life_and_stop() {
    let folder = TempDir::new().unwrap();
    let reported = Told::bind(&folder.path().join("notify"));
    let mut command = server_command(&folder.path().join("chat.sqlite"));
    command.env("NOTIFY_SOCKET", folder.path().join("notify")).env("WATCHDOG_USEC", "100000");
    let (mut server, _log, line) = service::begin(&mut command);
    let address = line.rsplit(' ').next().unwrap();
    let ready = format!("READY=1\nSTATUS=listening on {address}\n");
    assert_eq!(reported.next(), ready);
    Wire::connect(address.parse().unwrap()).done("hello");
    for _ in 0..3 {
        assert_eq!(reported.next(), "WATCHDOG=1\n");
    }

    signal(&server, Signal::HUP);
    let reloading = reported.next_state();
    let moment = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect("it reloads");
    assert!(moment.trim_end().parse::<u64>().unwrap() > 0);
    assert_eq!(reported.next_state(), ready);

    signal(&server, Signal::TERM);
    assert_eq!(reported.next_state(), "STOPPING=1\nSTATUS=stopping\n");
    assert!(server.wait().unwrap().success());
}

#[test]
fn signs_of_life_wait_for_the_writer() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("chat.sqlite");
    let reported = Told::bind(&folder.path().join("notify"));
    let mut command = server_command(&path);
    command.env("NOTIFY_SOCKET", folder.path().join("notify")).env("WATCHDOG_USEC", "40000");
    let (mut server, _log, _) = service::begin(&mut command);
    assert!(reported.next().starts_with("READY=1\n"));
    let held = rusqlite::Connection::open(&path).unwrap();
    held.busy_timeout(PATIENCE).unwrap();
    held.execute_batch("BEGIN IMMEDIATE").unwrap();
    // One may have been sent already; the next must wait until the writer gives up on the lock.
    let mut longest = Duration::ZERO;
    for _ in 0..2 {
        while reported.socket.set_nonblocking(true).is_ok()
            && reported.socket.recv(&mut [0; 64]).is_ok()
        {}
        reported.socket.set_nonblocking(false).unwrap();
        let begun = Instant::now();
        assert_eq!(reported.next(), "WATCHDOG=1\n");
        longest = longest.max(begun.elapsed());
    }
    assert!(longest > Duration::from_secs(2), "the writer was stuck, and lived: {longest:?}");
    held.execute_batch("ROLLBACK").unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn signs_of_life_meant_for_another_process_are_not_sent() {
    let folder = TempDir::new().unwrap();
    let reported = Told::bind(&folder.path().join("notify"));
    let mut command = server_command(&folder.path().join("chat.sqlite"));
    command.env("NOTIFY_SOCKET", folder.path().join("notify"));
    command.env("WATCHDOG_USEC", "1000").env("WATCHDOG_PID", "1");
    let (mut server, _log, _) = service::begin(&mut command);
    assert!(reported.next().starts_with("READY=1\n"));
    signal(&server, Signal::HUP);
    assert!(reported.next().starts_with("RELOADING=1\n"));
    assert!(reported.next().starts_with("READY=1\n"));
    signal(&server, Signal::TERM);
    assert!(reported.next().starts_with("STOPPING=1\n"));
    server.wait().unwrap();
}

#[test]
fn missing_manager_does_not_keep_the_server_from_serving() {
    let folder = TempDir::new().unwrap();
    let mut command = server_command(&folder.path().join("chat.sqlite"));
    command.env("NOTIFY_SOCKET", folder.path().join("nobody")).env("WATCHDOG_USEC", "1000");
    let (mut server, _log, line) = service::begin(&mut command);
    Wire::connect(line.rsplit(' ').next().unwrap().parse().unwrap()).done("hello");
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn connections_wait_for_a_server_that_is_started_on_demand_or_again() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("chat.sqlite");
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    // No server runs yet, and no connection is refused.
    let mut early = Wire::connect(address);
    early.send("auth paff cytus\r\n");
    let (mut server, log, line) = service::begin(&mut activated(&path, &socket, &[]));
    assert!(line.ends_with(&address.to_string()), "{line}");
    let token = early.reply()["tokenid"].as_str().expect("a token").to_owned();

    signal(&server, Signal::TERM);
    assert!(server.wait().unwrap().success());
    drop((early, log));
    // Between the two servers.
    let mut between: Vec<Wire> = (0..20).map(|_| Wire::connect(address)).collect();
    for wire in &mut between {
        wire.send(format!("whoami {token}\r\n"));
    }
    let (mut server, _log, _) = service::begin(&mut activated(&path, &socket, &[]));
    for wire in &mut between {
        assert_eq!(wire.reply()["status"], "OK");
    }
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn passed_sockets_must_be_as_safe_as_others() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("chat.sqlite");
    let socket = TcpListener::bind("0.0.0.0:0").unwrap();
    for (options, reported) in [
        (&[][..], "passwords and messages would travel unencrypted"),
        (&["--allow-plaintext"], "and the password of "),
    ] {
        let output = activated(&path, &socket, options).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{error}");
        assert!(error.contains(reported), "{error}");
    }
    let options = ["--allow-plaintext", "--allow-default-passwords", "--listen", "127.0.0.1:0"];
    let (mut server, log, line) = service::begin(&mut activated(&path, &socket, &options));
    let address = socket.local_addr().unwrap();
    assert!(line.ends_with(&address.to_string()), "{line}");
    let warning = log.iter().find(|line| line.contains("listen is not used"));
    assert!(warning.is_some_and(|line| line.contains("WARN")));
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn descriptor_that_is_no_socket_is_refused() {
    let folder = TempDir::new().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = activated(&folder.path().join("chat.sqlite"), &socket, &[]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{error}");
    assert!(error.contains("the socket 0 that was passed on: "), "{error}");
}

/// The units with this build of the server, if there is a systemd to verify them.
fn units() -> Option<TempDir> {
    if !is_here("systemd-analyze") {
        return None;
    }
    let folder = TempDir::new().unwrap();
    let contrib = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/systemd");
    for unit in ["chat-server.service", "socket-activation/chat-server.socket"] {
        let text = fs::read_to_string(contrib.join(unit)).unwrap();
        let text = text.replace("/usr/bin/chat-server", env!("CARGO_BIN_EXE_chat-server"));
        fs::write(folder.path().join(Path::new(unit).file_name().unwrap()), text).unwrap();
    }
    Some(folder)
}

#[test]
fn systemd_accepts_the_units() {
    let Some(folder) = units() else { return };
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no", "chat-server.service", "chat-server.socket"]);
    let output = command.current_dir(&folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("chat-server"), "{said}");
}

#[test]
fn service_is_exposed_to_next_to_nothing() {
    let Some(folder) = units() else { return };
    // In tenths: 1.5 of 10.
    let mut command = Command::new("systemd-analyze");
    command.args(["security", "--offline=true", "--threshold=15", "--no-pager"]);
    let output = command.arg("./chat-server.service").current_dir(&folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let last = said.lines().last().unwrap_or_default();
    assert!(output.status.success(), "{last}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(last.contains("Overall exposure level"), "{last}");
}
