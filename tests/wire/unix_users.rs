//! `auth` without a password: who is logged in, over which connections, and who is not.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::geteuid;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::skip::{is_here, skip};
use crate::support::{PATIENCE, Server, Wire, cli, operator, server_command};

/// A user that every Debian system has, with that name and number.
const DAEMON: (&str, u32) = ("daemon", 1);
/// A number without a name.
const NAMELESS: u32 = 3_999_999;
/// The user whom the kernel names for all that have no number in this user namespace.
const OVERFLOW: u32 = 65_534;

/// A server with a socket for everybody, in a folder that everybody can enter.
struct Shared {
    server: Server,
    folder: TempDir,
}

impl Shared {
    fn start(options: &[&str]) -> Self {
        let folder = open_folder();
        let listen = listen(folder.path());
        let mut all = vec!["--listen", listen.as_str(), "--unix-mode", "666"];
        all.extend(options);
        Self { server: Server::start_with(&all), folder }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("chat.sock")
    }

    fn connect(&self) -> Wire<UnixStream> {
        let stream = UnixStream::connect(self.socket()).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Wire::over(stream)
    }

    fn operate(&self, arguments: &[&str]) {
        operator::done(&self.server.database(), arguments);
    }

    fn sessions(&self) -> usize {
        self.server.query("SELECT id FROM sessions").len()
    }
}

fn open_folder() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("a mode");
    folder
}

fn listen(folder: &Path) -> String {
    format!("unix:{}", folder.join("chat.sock").display())
}

/// An entry of the map for the user that the tests run as.
fn own_entry(user: &str) -> String {
    format!("uid {}={user}", geteuid().as_raw())
}

/// Whether a test can connect as other users; if not, it is skipped and says so.
#[track_caller]
fn can_be_somebody_else() -> bool {
    if !geteuid().is_root() {
        skip("root", "run as root");
    }
    geteuid().is_root() && is_here("setpriv") && is_here("nc")
}

/// The reply to `auth` over the socket from a process of that user. `within` runs the client in
/// another way, as `unshare` does.
fn auth_as(uid: u32, within: &[&str], socket: &Path) -> Value {
    let id = uid.to_string();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).args(within);
    command.args(["nc", "-N", "-U"]).arg(socket);
    let outcome = cli::outcome_with_input(command, b"auth\r\n");
    let reply = outcome.stdout.strip_suffix("\r\n\r\n").unwrap_or_else(|| panic!("{outcome:?}"));
    serde_json::from_str(reply).expect("JSON")
}

/// The text of a refusal for who is no user.
fn refusal(reply: &Value) -> &str {
    assert_eq!(reply["code"], "unknown_user", "{reply}");
    reply["message"].as_str().unwrap().strip_prefix("User Tidak Ada: ").expect("the seed's text")
}

#[test]
fn nobody_is_logged_in_by_default_and_the_refusal_is_the_seeds() {
    let shared = Shared::start(&[]);
    let usage = r#"{"status": "ERROR", "code": "usage", "message": "--Protocol Tidak Benar"}"#;
    let usage = format!("{usage}\r\n\r\n").into_bytes();
    for line in ["auth\r\n", "auth \r\n", "auth paff\r\n"] {
        let mut local = shared.connect();
        local.send(line);
        assert_eq!(local.reply_bytes(), usage, "{line:?}");
        let mut far = shared.server.connect();
        far.send(line);
        assert_eq!(far.reply_bytes(), usage, "{line:?}");
    }
    assert_eq!(shared.sessions(), 0);
}

#[test]
fn mapped_user_has_an_ordinary_session_and_only_over_the_socket() {
    let shared = Shared::start(&["--unix-user-map", &own_entry("neko")]);
    let mut wire = shared.connect();
    let reply = wire.done("auth");
    assert_eq!(reply["user"], "neko");
    let token = reply["tokenid"].as_str().unwrap();
    // The session is one of every connection, and the seed's `auth` is as ever.
    let mut far = shared.server.connect();
    assert_eq!(far.done(format!("whoami {token}"))["user"], "neko");
    let paff = wire.log_in("paff");
    wire.done(format!("send {paff} neko hai"));
    let inbox = far.done(format!("inbox {token}"));
    assert_eq!(inbox["messages"]["paff"][0]["msg"], "hai");
    assert_eq!(wire.refused("auth neko wrong"), "wrong_password");
    assert_eq!(far.refused("auth"), "usage");
    assert_eq!(far.refused("auth neko"), "usage");
    assert_eq!(wire.refused("auth neko"), "usage");
    wire.done(format!("logout {token}"));
    assert_eq!(far.refused(format!("whoami {token}")), "no_session");
}

#[test]
fn kernel_logins_are_not_counted_as_failures_and_do_not_lock_out_passwords() {
    let shared = Shared::start(&["--unix-user-map", &own_entry("neko")]);
    let mut wire = shared.connect();
    for _ in 0..5 {
        assert_eq!(wire.refused("auth neko wrong"), "wrong_password");
    }
    assert_eq!(wire.refused("auth neko cytus"), "rate_limited");
    assert_eq!(wire.done("auth")["user"], "neko", "the kernel does not guess");
}

#[test]
fn disabled_and_deleted_users_are_not_logged_in() {
    let shared = Shared::start(&["--unix-user-map", &own_entry("neko")]);
    let own = geteuid().as_raw();
    let mut wire = shared.connect();
    let token = wire.done("auth")["tokenid"].as_str().unwrap().to_owned();
    shared.operate(&["user", "disable", "neko"]);
    assert_eq!(wire.refused(format!("whoami {token}")), "no_session");
    assert_eq!(refusal(&wire.ask("auth")), format!("uid {own} is neko, who is disabled"));
    shared.operate(&["user", "enable", "neko"]);
    assert_eq!(wire.done("auth")["user"], "neko");
    shared.operate(&["user", "delete", "neko", "--yes"]);
    assert_eq!(refusal(&wire.ask("auth")), format!("uid {own} is neko, and there is no such user"));
    assert_eq!(shared.sessions(), 0);
}

#[test]
fn one_login_too_many_ends_the_session_that_was_not_used_for_the_longest_time() {
    let shared = Shared::start(&["--unix-user-map", &own_entry("neko")]);
    let mut wire = shared.connect();
    let mut log_in = || wire.done("auth")["tokenid"].as_str().unwrap().to_owned();
    let first = log_in();
    let tokens: Vec<String> = (0..64).map(|_| log_in()).collect();
    assert_eq!(shared.sessions(), 64);
    assert_eq!(wire.refused(format!("whoami {first}")), "no_session");
    for token in tokens {
        wire.done(format!("whoami {token}"));
    }
}

#[test]
fn pipelined_requests_keep_their_order() {
    let shared = Shared::start(&["--unix-user-map", &own_entry("neko")]);
    let mut wire = shared.connect();
    wire.send("hello\r\nauth\r\nhello\r\nauth x\r\nauth\r\n");
    assert_eq!(wire.reply()["server"], "chat-server");
    assert_eq!(wire.reply()["user"], "neko");
    assert_eq!(wire.reply()["server"], "chat-server");
    assert_eq!(wire.reply()["code"], "usage");
    assert_eq!(wire.reply()["user"], "neko");
}

#[test]
fn peers_of_other_users_are_whom_the_kernel_names() {
    if !can_be_somebody_else() {
        return;
    }
    let shared = Shared::start(&["--unix-users", "--unix-user-map", "uid 2=neko,sys=paff"]);
    let socket = shared.socket();
    let (name, uid) = DAEMON;
    let text = format!("uid {uid} is {name}, and there is no such user");
    assert_eq!(refusal(&auth_as(uid, &[], &socket)), text);
    operator::add_user(&shared.server.database(), name, "some secret");
    assert_eq!(auth_as(uid, &[], &socket)["user"], name);
    assert_eq!(auth_as(2, &[], &socket)["user"], "neko", "by the number");
    assert_eq!(auth_as(3, &[], &socket)["user"], "paff", "by the name");
    let text = format!("uid {NAMELESS} has no name and is not mapped to a user");
    assert_eq!(refusal(&auth_as(NAMELESS, &[], &socket)), text);
    let text = "root (uid 0) has to be mapped to a user by name";
    assert_eq!(refusal(&shared.connect().ask("auth")), text);
    let text = "uid 65534 stands for all users of other user namespaces, such as containers";
    assert_eq!(refusal(&auth_as(OVERFLOW, &[], &socket)), text);
}

#[test]
fn map_alone_logs_in_nobody_else_and_root_may_be_in_it() {
    if !can_be_somebody_else() {
        return;
    }
    let shared = Shared::start(&["--unix-user-map", "root=neko"]);
    assert_eq!(shared.connect().done("auth")["user"], "neko");
    let (name, uid) = DAEMON;
    operator::add_user(&shared.server.database(), name, "some secret");
    let text = format!("uid {uid} ({name}) is not mapped to a user");
    assert_eq!(refusal(&auth_as(uid, &[], &shared.socket())), text);
}

/// Whether user namespaces can be made here; if not, the test is skipped and says so.
#[track_caller]
fn can_make_namespaces() -> bool {
    if !is_here("unshare") {
        return false;
    }
    let made = Command::new("unshare").args(["-U", "-r", "true"]).output();
    let is_made = made.is_ok_and(|output| output.status.success());
    if !is_made {
        skip("user namespaces", "allow unshare -U");
    }
    is_made
}

#[test]
fn root_of_a_container_is_who_made_the_container() {
    if !can_be_somebody_else() || !can_make_namespaces() {
        return;
    }
    let shared = Shared::start(&["--unix-users"]);
    let (name, uid) = DAEMON;
    operator::add_user(&shared.server.database(), name, "some secret");
    for within in [&["unshare", "-U", "-r"][..], &["unshare", "-U"]] {
        assert_eq!(auth_as(uid, within, &shared.socket())["user"], name, "{within:?}");
    }
}

#[test]
fn server_in_a_container_does_not_take_strangers_for_one_user() {
    if !can_be_somebody_else() || !can_make_namespaces() {
        return;
    }
    for (mapped, entry) in [(false, "root=neko"), (true, "uid 65534=vanessa")] {
        let (folder, data) = (open_folder(), TempDir::new().unwrap());
        let listen = listen(folder.path());
        let plain = server_command(&data.path().join("chat.sqlite"));
        // Only root has a number in this namespace.
        let mut command = Command::new("unshare");
        command.args(["-U", "-r"]).arg(plain.get_program()).args(plain.get_args());
        command.args(["--listen", &listen, "--unix-mode", "666", "--unix-users"]);
        command.args(["--unix-user-map", entry]).env("CHAT_SERVER_CONFIG", "/dev/null");
        let server = Server::start_command(command, data);
        let reply = auth_as(DAEMON.1, &[], &folder.path().join("chat.sock"));
        match mapped {
            true => assert_eq!(reply["user"], "vanessa"),
            false => assert!(refusal(&reply).starts_with("uid 65534 stands for"), "{reply}"),
        }
        drop(server);
    }
}

#[test]
fn system_users_without_a_socket_and_wrong_entries_are_refused_at_the_start() {
    let start = |options: &[&str]| {
        let folder = TempDir::new().unwrap();
        let mut command = server_command(&folder.path().join("chat.sqlite"));
        command.args(options);
        cli::outcome(command)
    };
    for (options, named) in [
        (&["--unix-users"][..], "--unix-users"),
        (&["--unix-user-map", "alice=ada"], "--unix-user-map"),
    ] {
        let outcome = start(options);
        assert_eq!(outcome.code, 78, "{outcome:?}");
        let problem = format!("error: {named} logs in system users over a Unix-domain socket");
        assert!(outcome.stderr.contains(&problem), "{outcome:?}");
        assert!(outcome.stderr.contains("hint: add --listen unix:/"), "{outcome:?}");
    }
    for entry in ["alice", "uid x=ada", "alice=Ada", "=ada"] {
        assert_eq!(start(&["--unix-user-map", entry]).code, 2, "{entry:?}");
    }
}
