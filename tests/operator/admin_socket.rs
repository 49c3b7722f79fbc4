//! The admin socket: who may use it, and that no use of it disturbs the server.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::support;
use crate::support::skip::{is_here, skip};
use crate::support::{PATIENCE, Server, Wire};
use crate::support::{cli, operator};

const LIST: &str = r#"{"v": 1, "content": {"do": "user_list", "after": null}}"#;

fn socket(database: &Path) -> PathBuf {
    database.with_file_name("chat.sqlite.admin")
}

/// A connection to the admin socket of a server.
struct Admin {
    stream: BufReader<UnixStream>,
}

impl Admin {
    fn connect(server: &Server) -> Self {
        let stream = UnixStream::connect(socket(&server.database())).expect("connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        Self { stream: BufReader::new(stream) }
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).expect("the server accepts bytes");
    }

    /// The next outcome: `Ok` or `Err`, and its content.
    fn outcome(&mut self) -> (String, Value) {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a line");
        let line: Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(line["v"], 1);
        let outcome = line["content"].as_object().expect("an outcome");
        let (word, content) = outcome.iter().next().expect("one field");
        (word.clone(), content.clone())
    }

    fn refusal(&mut self) -> String {
        let (word, refusal) = self.outcome();
        assert_eq!(word, "Err", "{refusal}");
        refusal["code"].as_str().expect("a code").to_owned()
    }

    fn users(&mut self) -> usize {
        let (word, answer) = self.outcome();
        assert_eq!((word.as_str(), &answer["answer"]), ("Ok", &"users".into()));
        answer["users"].as_array().expect("users").len()
    }

    fn wait_for_close(&mut self) {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => {
                panic!("the server does not close: {error}")
            }
            _ => assert!(rest.is_empty(), "nothing more is sent"),
        }
    }
}

/// Clients and operators are served.
fn assert_well(server: &Server) {
    let mut wire = server.connect();
    let token = wire.log_in("paff");
    wire.done(format!("send {token} neko hai"));
    operator::done(&server.database(), &["healthcheck", "--timeout", "60s"]);
}

#[test]
fn junk_is_refused_and_the_connection_goes_on() {
    let server = Server::start();
    let mut admin = Admin::connect(&server);
    for line in ["", "user list", "{}", "\0\x1b[2J", "GET / HTTP/1.1", "\u{feff}{}", "[1]"] {
        admin.send(format!("{line}\n"));
        assert_eq!(admin.refusal(), "bad_request", "{line:?}");
    }
    admin.send(b"\xff\xfe\n");
    assert_eq!(admin.refusal(), "bad_request");
    admin.send(r#"{"v": 2, "content": {"do": "user_purge"}}"#.to_owned() + "\n");
    assert_eq!(admin.refusal(), "version");
    admin.send(format!("{LIST}\n"));
    assert_eq!(admin.users(), 5);
    assert_well(&server);
}

#[test]
fn requests_are_answered_in_order_however_they_are_split() {
    let server = Server::start();
    let mut admin = Admin::connect(&server);
    for byte in format!("{LIST}\n").bytes() {
        admin.send([byte]);
    }
    assert_eq!(admin.users(), 5);
    admin.send(format!("{LIST}\njunk\n{LIST}\n"));
    let asked = (admin.users(), admin.refusal(), admin.users());
    assert_eq!(asked, (5, "bad_request".to_owned(), 5));
    // A peer that has half-closed still gets the reply.
    admin.send(format!("{LIST}\n"));
    admin.stream.get_ref().shutdown(std::net::Shutdown::Write).expect("half-close");
    assert_eq!(admin.users(), 5);
    admin.wait_for_close();
}

#[test]
fn line_without_an_end_is_refused_and_half_a_line_is_not_executed() {
    let server = Server::start();
    let mut endless = Admin::connect(&server);
    let chunk = vec![b'x'; 64 * 1024];
    // Far beyond the limit: the server closes the connection before the end.
    let said = (0..1024).take_while(|_| endless.stream.get_mut().write_all(&chunk).is_ok());
    assert!(said.count() < 1024, "an endless line was accepted");
    assert_eq!(endless.refusal(), "line_too_long");
    endless.wait_for_close();
    let mut half = Admin::connect(&server);
    half.send(r#"{"v": 1, "content": {"do": "user_disable", "name": "paff"}}"#);
    half.stream.get_ref().shutdown(std::net::Shutdown::Write).expect("half-close");
    half.wait_for_close();
    assert_well(&server);
}

#[test]
fn silent_peers_and_peers_that_do_not_read_keep_nobody_out() {
    let mut server = Server::start();
    let silent: Vec<Admin> = (0..100).map(|_| Admin::connect(&server)).collect();
    let deaf: Vec<Admin> = (0..20)
        .map(|_| {
            let mut admin = Admin::connect(&server);
            // As much as the sockets hold: nobody reads.
            admin.stream.get_ref().set_nonblocking(true).expect("does not block");
            let requests = format!("{LIST}\n").repeat(1_000);
            let _ = admin.stream.get_mut().write(requests.as_bytes());
            admin
        })
        .collect();
    operator::add_user(&server.database(), "alice", "secret");
    assert_well(&server);
    // Nor do they delay its stop.
    let begun = Instant::now();
    assert!(server.stop().success());
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    drop((silent, deaf));
}

const NOBODY: u32 = 65534;

/// Whether a test can start programs as another user; if not, it is skipped and says so.
fn can_be_somebody_else() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        skip("root", "run as root");
    }
    is_root && is_here("setpriv")
}

/// A command that runs a program as the user nobody.
fn as_nobody(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    let uid = NOBODY.to_string();
    command.args(["--reuid", &uid, "--regid", &uid, "--clear-groups"]).arg(program);
    command
}

/// Copies the program to a place where every user can run it.
fn put_program(folder: &Path) -> PathBuf {
    let program = folder.join("chat-server");
    operator::copy_program(&program);
    for path in [folder, &program] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).expect("a mode");
    }
    program
}

/// A folder that belongs to nobody, with the program in it.
fn nobodys_folder() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    std::os::unix::fs::chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("an owner");
    put_program(folder.path());
    folder
}

/// The command that starts a server as nobody in that folder.
fn server_of_nobody(folder: &TempDir) -> Command {
    let mut command = as_nobody(&folder.path().join("chat-server"));
    command.arg("--db").arg(folder.path().join("chat.sqlite"));
    command.args(["--listen", "127.0.0.1:0", "--log", "warn"]);
    command
}

#[test]
fn other_users_of_the_machine_are_kept_out() {
    if !can_be_somebody_else() {
        return;
    }
    // The other user must be able to reach the socket.
    let server = Server::start();
    let program = put_program(server.folder());
    let list = || {
        let mut command = as_nobody(&program);
        command.arg("--db").arg(server.database()).args(["user", "list"]);
        cli::outcome(command)
    };
    let kept_out = list();
    assert_eq!((kept_out.code, kept_out.stdout.as_str()), (77, ""), "{kept_out:?}");
    // Even if the socket's mode was loosened.
    let loose = Permissions::from_mode(0o666);
    fs::set_permissions(socket(&server.database()), loose).expect("a mode");
    let kept_out = list();
    assert_eq!((kept_out.code, kept_out.stdout.as_str()), (75, ""), "{kept_out:?}");
    assert_well(&server);
}

#[test]
fn files_created_by_root_belong_to_the_owner_of_the_folder() {
    if !can_be_somebody_else() {
        return;
    }
    let folder = nobodys_folder();
    let database = folder.path().join("chat.sqlite");
    operator::add_user(&database, "alice", "secret");
    // The owner runs the server, and root still sends commands.
    let mut server = Server::start_command(server_of_nobody(&folder), folder);
    operator::add_user(&database, "bob", "secret");
    server.connect().done("auth alice secret");
    server.connect().done("auth bob secret");
    assert!(server.stop().success());
    // The command does not write through a link of the owner.
    let (lock, mine) = (database.with_extension("sqlite.lock"), server.folder().join("mine"));
    fs::write(&mine, "of root").expect("a file");
    fs::remove_file(&lock).expect("the lock");
    std::os::unix::fs::symlink(&mine, &lock).expect("a link");
    let outcome = operator::run(&database, &["user", "list"]);
    assert_eq!(outcome.code, 74, "{outcome:?}");
    assert_eq!(fs::read_to_string(&mine).expect("the file"), "of root");
}

#[test]
fn socket_of_another_user_receives_no_password() {
    if !can_be_somebody_else() {
        return;
    }
    // A server of another user, whose socket now lies beside our database.
    let (theirs, ours) = (nobodys_folder(), TempDir::new().expect("a temporary folder"));
    let (their_database, database) =
        (theirs.path().join("chat.sqlite"), ours.path().join("chat.sqlite"));
    let server = Server::start_command(server_of_nobody(&theirs), theirs);
    operator::add_user(&database, "alice", "secret");
    fs::rename(socket(&their_database), socket(&database)).expect("is put there");
    let outcome = operator::run_with_input(&database, &["user", "add", "bob"], "secret\n");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (77, ""), "{outcome:?}");
    assert!(outcome.stderr.contains("user 65534 listens there"), "{outcome:?}");
    assert_eq!(server.connect().refused("auth bob secret"), "unknown_user");
}

#[test]
fn umask_of_the_server_does_not_open_the_socket() {
    let folder = TempDir::new().expect("a temporary folder");
    let database = folder.path().join("chat.sqlite");
    let mut command = Command::new("sh");
    command.args(["-c", "umask 000; exec \"$0\" --db \"$1\" --listen 127.0.0.1:0 --log warn"]);
    command.arg(env!("CARGO_BIN_EXE_chat-server")).arg(&database);
    let server = Server::start_command(command, folder);
    let mode = fs::metadata(socket(&database)).expect("a socket").permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    assert_well(&server);
}

#[test]
fn path_longer_than_a_socket_address_works() {
    let folder = TempDir::new().expect("a temporary folder");
    let deep = folder.path().join("x".repeat(100)).join("y".repeat(100));
    fs::create_dir_all(&deep).expect("folders");
    let database = deep.join("chat.sqlite");
    let server = Server::start_command(support::server_command(&database), folder);
    assert!(socket(&database).metadata().expect("a socket").file_type().is_socket());
    operator::add_user(&database, "alice", "secret");
    server.connect().done("auth alice secret");
}

#[test]
fn link_to_the_database_leads_to_the_same_socket() {
    let server = Server::start();
    let link = server.folder().join("link");
    std::os::unix::fs::symlink(server.database(), &link).expect("a link");
    operator::add_user(&link, "alice", "secret");
    server.connect().done("auth alice secret");
}

#[test]
fn file_in_the_place_of_the_socket_is_left_alone_and_clients_are_served() {
    let folder = TempDir::new().expect("a temporary folder");
    let database = folder.path().join("chat.sqlite");
    fs::write(socket(&database), "mine").expect("a file");
    let mut server = Server::start_command(support::server_command(&database), folder);
    server.log_in("paff");
    let outcome = operator::run(&database, &["user", "list"]);
    assert_eq!(outcome.code, 75, "{outcome:?}");
    let holder = format!("is in use by process {}", server.pid());
    assert!(outcome.stderr.contains(&holder), "{outcome:?}");
    assert!(server.stop().success());
    assert_eq!(fs::read_to_string(socket(&database)).expect("the file"), "mine");
}

#[test]
fn suspended_server_is_not_waited_for() {
    let server = Server::start();
    server.freeze();
    let outcome = operator::run(&server.database(), &["healthcheck", "--timeout", "300ms"]);
    server.signal(Signal::CONT);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (75, ""), "{outcome:?}");
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
    assert_well(&server);
}

#[test]
fn pending_request_is_answered_when_the_server_stops() {
    let mut server = Server::start();
    // Another program holds the lock: the request must wait.
    let holder = rusqlite::Connection::open(server.database()).expect("opens");
    holder.execute_batch("BEGIN IMMEDIATE").expect("holds");
    let mut admin = Admin::connect(&server);
    admin.send(r#"{"v": 1, "content": {"do": "user_disable", "name": "neko"}}"#.to_owned() + "\n");
    // The reply to this request proves that the other one has been read.
    let mut other = Admin::connect(&server);
    other.send(format!("{LIST}\n"));
    assert_eq!(other.users(), 5);
    server.signal(Signal::TERM);
    other.wait_for_close();
    drop(holder);
    let (word, answer) = admin.outcome();
    assert_eq!((word.as_str(), &answer["answer"]), ("Ok", &"ended".into()), "{answer}");
    assert!(server.wait().success());
    assert!(!socket(&server.database()).exists());
}

#[test]
fn health_sets_the_exit_code() {
    let mut server = Server::start();
    let check =
        |timeout: &str| operator::run(&server.database(), &["healthcheck", "--timeout", timeout]);
    let well = check("60s");
    assert_eq!((well.code, well.stderr.as_str()), (0, ""));
    assert!(well.stdout.starts_with("healthy: "), "{well:?}");
    let object = &operator::objects(&server.database(), &["healthcheck"])[0];
    assert_eq!(object["healthy"], true);
    // Nobody can write: a read alone is not enough.
    let holder = rusqlite::Connection::open(server.database()).expect("opens");
    holder.execute_batch("BEGIN IMMEDIATE").expect("holds");
    assert_eq!(check("300ms").code, 75);
    drop(holder);
    assert_eq!(check("60s").code, 0);
    server.kill();
    let database = server.database();
    let gone = operator::run(&database, &["healthcheck", "--json"]);
    let error: Value = serde_json::from_str(&gone.stderr).expect("an object");
    assert_eq!((gone.code, &error["code"]), (69, &"unavailable".into()));
    let nowhere = operator::run(Path::new("/nowhere/chat.sqlite"), &["healthcheck"]);
    assert_eq!(nowhere.code, 66, "{nowhere:?}");
    // The command did not open the file.
    assert_eq!(operator::run(&database, &["healthcheck"]).code, 69);
    server.start_again();
    Wire::connect(server.address()).log_in("paff");
}
