//! `chat-server` as a command: arguments, files, signals and exit codes.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support;
use crate::support::skip::skip;
use crate::support::{PATIENCE, Server, server_command};

/// Runs a command that must end by itself; one that serves instead is killed, and the test fails.
fn run(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the server starts");
    let mut stderr = child.stderr.take().unwrap();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = sender.send(stderr.read_to_end(&mut text).map(|_| text));
    });
    let said = receiver.recv_timeout(PATIENCE);
    if said.is_err() {
        let _ = child.kill();
    }
    let mut output = child.wait_with_output().unwrap();
    output.stderr = said.expect("it ends by itself").unwrap();
    output
}

/// Asserts that it does not start: the exit code, and a line on standard error with all of `words`.
fn assert_refused(command: &mut Command, code: i32, words: &[&str]) {
    let output = run(command);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{error}");
    let first = error.lines().find(|line| line.starts_with("error: ")).unwrap_or(&error);
    for word in words {
        assert!(first.contains(word), "{word:?} is not in {first:?}");
    }
    assert!(output.stdout.is_empty(), "nothing on standard output");
}

fn folder_content(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut content: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap_or_default())
        })
        .collect();
    content.sort();
    content
}

fn folder_content_names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn help_and_version_need_no_database() {
    let folder = TempDir::new().unwrap();
    for (argument, word) in [("--help", "Exit codes:"), ("--version", env!("CARGO_PKG_VERSION"))] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
        let output = run(command.arg(argument).current_dir(&folder));
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8(output.stdout).unwrap().contains(word));
    }
    assert!(folder_content(folder.path()).is_empty());
}

#[test]
fn arguments_that_make_no_sense_are_usage_errors() {
    let folder = TempDir::new().unwrap();
    let database = folder.path().join("chat.sqlite");
    for arguments in [
        ["--listen", "127.0.0.1:65536"],
        ["--listen", "127.0.0.1:abc"],
        ["--listen", "127.0.0.1"],
        ["--session-idle", "soon"],
        ["--session-idle", "0"],
        ["--session-lifetime", "0d"],
        ["--heartbeat", "0ms"],
        ["--connections-max", "0"],
        ["--log-format", "xml"],
        ["--nonsense", "x"],
        ["--db", ""],
        ["--db", ":memory:"],
        ["--db", "file:chat.sqlite"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
        if arguments[0] != "--db" {
            command.arg("--db").arg(&database);
        }
        let output = run(command.args(arguments).current_dir(&folder));
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty());
    }
    assert!(folder_content(folder.path()).is_empty());
}

#[test]
fn foreign_files_are_refused_and_left_unchanged() {
    let folder = TempDir::new().unwrap();
    let text = folder.path().join("notes.txt");
    fs::write(&text, "only text, and quite a lot of it\n".repeat(10)).unwrap();
    let foreign = folder.path().join("foreign.sqlite");
    let database = rusqlite::Connection::open(&foreign).unwrap();
    database.execute_batch("CREATE TABLE songs (title); PRAGMA application_id = 7").unwrap();
    drop(database);
    let unnamed = folder.path().join("unnamed.sqlite");
    let database = rusqlite::Connection::open(&unnamed).unwrap();
    database.execute_batch("PRAGMA journal_mode = wal; CREATE TABLE songs (title)").unwrap();
    drop(database);
    let before = folder_content(folder.path());
    for (path, words) in [
        (&text, "is not a SQLite database"),
        (&foreign, "is the database of another program"),
        (&unnamed, "is the database of another program"),
    ] {
        assert_refused(&mut server_command(path), 65, &[path.to_str().unwrap(), words]);
    }
    assert_eq!(folder_content(folder.path()), before);
}

/// A valid database, left by a stopped server.
fn database_of_ours(folder: &Path) -> std::path::PathBuf {
    let mut server = Server::start();
    server.stop();
    let path = folder.join("chat.sqlite");
    fs::copy(server.database(), &path).unwrap();
    path
}

#[test]
fn newer_schema_and_damaged_header_are_refused_and_left_unchanged() {
    let folder = TempDir::new().unwrap();
    let path = database_of_ours(folder.path());
    let good = fs::read(&path).unwrap();
    let mut newer = good.clone();
    // The user version is at byte 60 of the header.
    newer[60..64].copy_from_slice(&999_u32.to_be_bytes());
    let mut damaged = good.clone();
    // The page size is at byte 16; 3 is invalid.
    damaged[16..18].copy_from_slice(&3_u16.to_be_bytes());
    let mut damaged_inside = good.clone();
    damaged_inside[100..1_000].fill(0x5a);
    let cut = good[..5_000].to_vec();
    for (bytes, words) in [
        (newer, "newer than this program"),
        (damaged, "damaged"),
        (damaged_inside, "damaged"),
        (cut, "damaged"),
    ] {
        fs::write(&path, &bytes).unwrap();
        assert_refused(&mut server_command(&path), 65, &[path.to_str().unwrap(), words]);
        assert_eq!(fs::read(&path).unwrap(), bytes);
        assert_eq!(folder_content_names(folder.path()), ["chat.sqlite"], "{words}");
    }
    fs::write(&path, &good).unwrap();
    drop(start_on(&path));
}

#[test]
fn newer_schema_only_in_the_wal_is_refused_and_left_unchanged() {
    let folder = TempDir::new().unwrap();
    let path = database_of_ours(folder.path());
    let newer = rusqlite::Connection::open(&path).unwrap();
    newer.execute_batch("PRAGMA wal_autocheckpoint = 0; PRAGMA user_version = 999").unwrap();
    // As the killed newer server left it.
    let killed = TempDir::new().unwrap();
    let copy = killed.path().join("chat.sqlite");
    fs::copy(&path, &copy).unwrap();
    fs::copy(folder.path().join("chat.sqlite-wal"), killed.path().join("chat.sqlite-wal")).unwrap();
    let before = folder_content(killed.path());
    assert_refused(&mut server_command(&copy), 65, &[copy.to_str().unwrap(), "schema 999"]);
    assert!(folder_content(killed.path()) == before, "the file and its WAL are unchanged");
}

#[test]
fn folders_and_missing_folders_are_no_input() {
    let folder = TempDir::new().unwrap();
    assert_refused(&mut server_command(folder.path()), 66, &["is a folder"]);
    let missing = folder.path().join("missing/chat.sqlite");
    let words = [missing.to_str().unwrap(), "does not exist"];
    assert_refused(&mut server_command(&missing), 66, &words);
    let dangling = folder.path().join("dangling");
    std::os::unix::fs::symlink(folder.path().join("nowhere"), &dangling).unwrap();
    assert_refused(&mut server_command(&dangling), 66, &["symbolic link"]);
}

#[test]
fn pipes_and_sockets_are_no_input_and_are_not_waited_for() {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // Held open with data in it, so that a server that did read it would not wait for ever.
    let mut held = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    held.write_all(&[b'x'; 4_096]).unwrap();
    for path in [&socket, &pipe] {
        assert_refused(&mut server_command(path), 66, &[path.to_str().unwrap(), "is not a file"]);
    }
    assert_eq!(folder_content_names(folder.path()), ["pipe", "socket"]);
}

/// The user nobody, who owns nothing.
const NOBODY: u32 = 65_534;

#[test]
fn file_without_permission_is_an_io_error() {
    let folder = TempDir::new().unwrap();
    let own = |name: &str, folder_mode: u32, file_mode: Option<u32>| {
        let inner = folder.path().join(name);
        fs::create_dir(&inner).unwrap();
        let path = inner.join("chat.sqlite");
        if let Some(mode) = file_mode {
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::set_permissions(&inner, fs::Permissions::from_mode(folder_mode)).unwrap();
        path
    };
    let cases = [
        own("folder-not-writable", 0o555, None),
        own("folder-not-enterable", 0o000, None),
        own("file-not-writable", 0o777, Some(0o444)),
        own("file-not-readable", 0o777, Some(0o000)),
    ];
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for path in &cases {
        let mut command = server_command(path);
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY).current_dir("/");
            if Command::new(command.get_program()).arg("--version").uid(NOBODY).output().is_err() {
                return skip("programs that nobody may start", "build where every user may look");
            }
        }
        assert_refused(&mut command, 74, &[path.to_str().unwrap()]);
        let written = fs::metadata(path).is_ok_and(|file| file.len() > 0);
        assert!(!written, "{} is left as it was", path.display());
    }
}

#[test]
fn read_only_file_system_is_an_io_error() {
    // A file system that is read-only for everybody, root included.
    let path = Path::new("/proc/chat.sqlite");
    assert_refused(&mut server_command(path), 74, &["/proc/chat.sqlite"]);
}

/// A server on this database, with the addresses that it prints.
struct Started {
    child: std::process::Child,
    addresses: Vec<SocketAddr>,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start(command: &mut Command) -> Started {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let addresses =
        line.strip_prefix("chat-server listening on ").unwrap_or_else(|| panic!("{line:?}"));
    let addresses = addresses.split_whitespace().map(|address| address.parse().unwrap()).collect();
    Started { child, addresses, stdout }
}

fn start_on(path: &Path) -> Started {
    start(&mut server_command(path))
}

#[test]
fn empty_file_becomes_a_database_and_a_new_one_is_private_to_its_owner() {
    let folder = TempDir::new().unwrap();
    let (empty, new) = (folder.path().join("empty"), folder.path().join("new"));
    fs::write(&empty, "").unwrap();
    for path in [&empty, &new] {
        let server = start_on(path);
        support::Wire::connect(server.addresses[0]).log_in("paff");
    }
    for name in ["new", "new-wal", "new-shm", "new.lock"] {
        let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn second_server_on_a_file_is_refused_and_names_the_first_also_through_a_link() {
    let mut server = Server::start();
    let link = server.folder().join("link");
    std::os::unix::fs::symlink(server.database(), &link).unwrap();
    let holder = format!("process {}", server.pid());
    for path in [&server.database(), &link] {
        let words = [holder.as_str(), "is in use by"];
        assert_refused(&mut server_command(path), 75, &words);
    }
    // Another name of the same file has another lock file, and an operator removes a lock file as
    // left over.
    // over and removes it.
    let name = server.folder().join("name");
    fs::hard_link(server.database(), &name).unwrap();
    fs::remove_file(server.folder().join("chat.sqlite.lock")).unwrap();
    for path in [&name, &server.database()] {
        assert_refused(&mut server_command(path), 75, &["another process", "is in use by"]);
    }
    fs::remove_file(&name).unwrap();
    server.log_in("paff");
    server.kill();
    server.start_again();
    server.log_in("paff");
}

#[test]
fn symbolic_link_is_followed_once() {
    let folder = TempDir::new().unwrap();
    let (real, link) = (folder.path().join("real.sqlite"), folder.path().join("link"));
    fs::write(&real, "").unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let server = start_on(&link);
    let mut wire = support::Wire::connect(server.addresses[0]);
    let token = wire.log_in("paff");
    // From here on the link leads elsewhere; the server keeps its file.
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(folder.path().join("elsewhere"), &link).unwrap();
    wire.done(format!("send {token} neko hai"));
    drop(server);
    assert_eq!(
        folder_content_names(folder.path()),
        [
            "link",
            "real.sqlite",
            "real.sqlite-shm",
            "real.sqlite-wal",
            "real.sqlite.admin",
            "real.sqlite.lock"
        ]
    );
    let server = start_on(&real);
    support::Wire::connect(server.addresses[0]).done(format!("whoami {token}"));
}

#[test]
fn one_of_several_servers_starting_at_once_serves_and_the_others_are_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("chat.sqlite");
    for _ in 0..5 {
        let ready = folder.path().join("ready");
        let servers: Vec<_> = (0..4)
            .map(|_| {
                let mut command = server_command(&path);
                command
                    .arg("--ready-file")
                    .arg(&ready)
                    .stdout(Stdio::piped())
                    .stderr(Stdio::null());
                command.spawn().unwrap()
            })
            .collect();
        let mut serving = Vec::new();
        for mut server in servers {
            let mut line = String::new();
            BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
            if line.is_empty() {
                assert_eq!(server.wait().unwrap().code(), Some(75));
            } else {
                serving.push((server, line));
            }
        }
        assert_eq!(serving.len(), 1, "one serves");
        let (mut server, line) = serving.remove(0);
        let address = line.trim_end().rsplit(' ').next().unwrap().parse().unwrap();
        support::Wire::connect(address).log_in("paff");
        server.kill().unwrap();
        server.wait().unwrap();
    }
}

#[test]
fn server_killed_while_creating_its_database_starts_again() {
    let mut random = support::Random::new();
    for _ in 0..support::scaled(10, 100) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("chat.sqlite");
        for _ in 0..3 {
            let mut child = server_command(&path).stdout(Stdio::null()).spawn().unwrap();
            // At a random moment of the start, which takes a tenth of a second or two.
            let moment = Instant::now() + Duration::from_micros(random.below(150_000) as u64);
            while Instant::now() < moment {
                std::thread::yield_now();
            }
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let server = start_on(&path);
        let mut wire = support::Wire::connect(server.addresses[0]);
        for user in ["paff", "vanessa"] {
            wire.log_in(user);
        }
    }
}

#[test]
fn address_in_use_is_reported_and_the_database_stays_closed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("chat.sqlite");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
    command.arg("--db").arg(&path).args(["--listen", &address]);
    // Left by a killed server: a waiting program must not mistake it for that of this server.
    let ready = folder.path().join("ready");
    fs::write(&ready, "127.0.0.1:1\n").unwrap();
    command.arg("--ready-file").arg(&ready);
    assert_refused(&mut command, 69, &[&address, "in use"]);
    assert!(!ready.exists());
    drop(start_on(&path));
}

#[test]
fn refused_start_neither_creates_nor_changes_a_database() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("chat.sqlite");
    let mine = TempDir::new().unwrap();
    let (file, missing) = (mine.path().join("file"), mine.path().join("no/socket"));
    fs::write(&file, "mine").unwrap();
    let unix = |path: &Path| format!("unix:{}", path.display());
    let (file, missing) = (unix(&file), unix(&missing));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let refuses = |code: i32, options: &[&str]| {
        let before = (folder_content(folder.path()), folder_content(mine.path()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
        assert_refused(command.arg("--db").arg(&path).args(options), code, &[]);
        assert_eq!(
            (folder_content(folder.path()), folder_content(mine.path())),
            before,
            "{options:?}"
        );
    };
    let addresses = [
        ["--listen", &taken, "--listen", "127.0.0.1:0"],
        ["--listen", "127.0.0.1:0", "--listen", &taken],
        ["--listen", "127.0.0.1:0", "--metrics", &taken],
        ["--listen", "127.0.0.1:0", "--http", &taken],
        ["--listen", "127.0.0.1:0", "--listen", &file],
        ["--listen", "127.0.0.1:0", "--listen", &missing],
    ];
    addresses.iter().for_each(|options| refuses(69, options));
    refuses(78, &["--listen", "0.0.0.0:0", "--allow-plaintext"]);
    refuses(78, &["--http", "0.0.0.0:0"]);
    refuses(78, &["--http", "0.0.0.0:0", "--allow-plaintext"]);
    refuses(78, &["--http", "tls:127.0.0.1:0"]);
    refuses(2, &["--http", "unix:/tmp/socket"]);
    assert!(folder_content(folder.path()).is_empty());
    for _ in 0..2 {
        let mut server = start_on(&path);
        let pid = rustix::process::Pid::from_child(&server.child);
        rustix::process::kill_process(pid, Signal::TERM).unwrap();
        assert_eq!(server.child.wait().unwrap().code(), Some(0));
        addresses.iter().for_each(|options| refuses(69, options));
    }
}

#[test]
fn listens_on_several_addresses_and_writes_them_to_the_ready_file() {
    let folder = TempDir::new().unwrap();
    let ready = folder.path().join("ready");
    let mut command = server_command(&folder.path().join("chat.sqlite"));
    command.args(["--listen", "127.0.0.2:0", "--ready-file"]).arg(&ready);
    let mut server = start(&mut command);
    assert_eq!(server.addresses.len(), 2);
    // It exists a moment after the line; a request is answered once it does.
    let deadline = Instant::now() + PATIENCE;
    while !ready.exists() {
        assert!(Instant::now() < deadline, "no ready file");
        support::Wire::connect(server.addresses[0]).done("hello");
    }
    let listed = fs::read_to_string(&ready).unwrap();
    let listed: Vec<SocketAddr> = listed.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(listed, server.addresses);
    for address in &server.addresses {
        support::Wire::connect(*address).done("hello");
    }
    // A refused server does not touch it.
    assert_refused(&mut command, 75, &["is in use"]);
    assert!(ready.exists());
    let pid = rustix::process::Pid::from_child(&server.child);
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    assert!(!ready.exists(), "it is removed at the end");
}

#[test]
fn unwritable_ready_file_is_reported() {
    let folder = TempDir::new().unwrap();
    let ready = folder.path().join("missing/ready");
    let mut command = server_command(&folder.path().join("chat.sqlite"));
    let output = run(command.arg("--ready-file").arg(&ready));
    assert_eq!(output.status.code(), Some(74));
    assert!(String::from_utf8(output.stderr).unwrap().contains(ready.to_str().unwrap()));
}

#[test]
fn database_may_have_any_name_and_a_relative_one() {
    let folder = TempDir::new().unwrap();
    for name in ["chat?mode=ro#%41.sqlite", "😀 file", "-dash"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
        command.arg(format!("--db={name}")).args(["--listen", "127.0.0.1:0", "--no-seed"]);
        let mut server = start(command.current_dir(&folder).stderr(Stdio::null()));
        let pid = rustix::process::Pid::from_child(&server.child);
        rustix::process::kill_process(pid, Signal::TERM).unwrap();
        assert_eq!(server.child.wait().unwrap().code(), Some(0));
        assert!(fs::metadata(folder.path().join(name)).unwrap().len() > 0, "{name}");
    }
}

#[test]
fn options_come_from_the_environment_too_and_flags_override_it() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("from-environment.sqlite");
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
    command
        .env("CHAT_SERVER_DB", &path)
        .env("CHAT_SERVER_LISTEN", "127.0.0.1:0,127.0.0.2:0")
        .env("CHAT_SERVER_NO_SEED", "true")
        .env("CHAT_SERVER_LOG", "warn");
    let server = start(&mut command);
    assert_eq!(server.addresses.len(), 2);
    let mut wire = support::Wire::connect(server.addresses[1]);
    assert_eq!(wire.refused("auth paff cytus"), "unknown_user");
    drop(server);
    let other = folder.path().join("from-flag.sqlite");
    let server = start(command.arg("--db").arg(&other));
    assert!(other.exists());
    drop(server);
    // The choice of no users is stored.
    let server = start_on(&path);
    let mut wire = support::Wire::connect(server.addresses[0]);
    assert_eq!(wire.refused("auth paff cytus"), "unknown_user");
}

#[test]
fn flags_in_the_environment_are_yes_or_no_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    for flag in ["NO_SEED", "ALLOW_PLAINTEXT", "ALLOW_DEFAULT_PASSWORDS"] {
        for (value, code) in
            [("1", 66), ("true", 66), ("yes", 66), ("0", 66), ("false", 66), ("maybe", 2)]
        {
            // A folder is no database: a server that gets that far has parsed the flag.
            let mut command = server_command(folder.path());
            let output = run(command.env(format!("CHAT_SERVER_{flag}"), value));
            assert_eq!(output.status.code(), Some(code), "{flag}={value}");
        }
    }
    // The flag has its meaning.
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
    command.arg("--db").arg(folder.path().join("chat.sqlite")).args(["--listen", "0.0.0.0:0"]);
    command.env("CHAT_SERVER_ALLOW_PLAINTEXT", "0");
    assert_refused(&mut command, 78, &["unencrypted"]);
}

#[test]
fn listening_beyond_this_machine_requires_explicit_permission() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("chat.sqlite");
    let command = |options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
        command.arg("--db").arg(&path).args(["--listen", "0.0.0.0:0"]).args(options);
        command
    };
    assert_refused(&mut command(&[]), 78, &["unencrypted"]);
    assert!(folder_content(folder.path()).is_empty(), "nothing was made");
    let names = ["is public", "paff", "vanessa"];
    assert_refused(&mut command(&["--allow-plaintext"]), 78, &names);
    // The refused start did not add the users that it was refused for.
    drop(start(&mut command(&["--allow-plaintext", "--no-seed"])));
    let path = folder.path().join("seeded.sqlite");
    let command = |options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
        command.arg("--db").arg(&path).args(["--listen", "0.0.0.0:0"]).args(options);
        command
    };
    drop(start_on(&path));
    assert_refused(&mut command(&["--allow-plaintext", "--no-seed"]), 78, &names);
    drop(start(&mut command(&["--allow-plaintext", "--allow-default-passwords"])));
}

#[test]
fn every_form_of_an_address_that_others_can_reach_is_recognised() {
    let folder = TempDir::new().unwrap();
    let seeded = folder.path().join("seeded.sqlite");
    drop(start_on(&seeded));
    let refused = |listen: &str| {
        let command = |path: &Path, options: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
            command.arg("--db").arg(path).args(["--listen", listen]).args(options);
            command
        };
        let new = folder.path().join("new.sqlite");
        assert_refused(&mut command(&new, &[]), 78, &["unencrypted"]);
        let allowed = ["--allow-plaintext"];
        assert_refused(&mut command(&new, &allowed), 78, &["is public", "paff"]);
        assert_refused(&mut command(&seeded, &allowed), 78, &["is public", "paff"]);
    };
    for listen in
        ["0.0.0.0:0", "[::]:0", "[::ffff:0.0.0.0]:0", "[::ffff:192.0.2.1]:0", "192.0.2.1:0"]
    {
        refused(listen);
    }
    // A local address does not hide one that others can reach.
    let mut command = server_command(&seeded);
    assert_refused(
        command.args(["--listen", "127.0.0.1:0", "--listen", "[::]:0"]),
        78,
        &["unencrypted"],
    );
}

/// The test starts itself again in an environment where it can define host names.
#[test]
fn name_of_an_address_that_others_can_reach_is_recognised() {
    const INSIDE: &str = "CHAT_TEST_WITH_OWN_NAMES";
    let folder = TempDir::new().unwrap();
    if std::env::var_os(INSIDE).is_none() {
        let hosts = folder.path().join("hosts");
        fs::write(
            &hosts,
            "127.0.0.1 localhost near.test both.test\n192.0.2.1 far.test both.test\n",
        )
        .unwrap();
        let own_names = |then: &str| {
            let mut command = Command::new("unshare");
            let script = format!("mount --bind \"$HOSTS\" /etc/hosts && {then}");
            command.args(["--mount", "sh", "-c", &script]).env("HOSTS", &hosts);
            command
        };
        if !own_names("true").output().is_ok_and(|output| output.status.success()) {
            return skip("a file system of its own", "run as root; install util-linux");
        }
        let name = "server_cli::name_of_an_address_that_others_can_reach_is_recognised";
        let mut inside = own_names("exec \"$0\" \"$@\"");
        inside.arg(std::env::current_exe().unwrap()).args(["--exact", name, "--nocapture"]);
        let output = inside.env(INSIDE, "1").output().unwrap();
        let reported = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && reported.contains("1 passed"), "{output:?}");
        return;
    }
    let command = |listen: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
        let path = folder.path().join("chat.sqlite");
        command.arg("--db").arg(path).args(["--listen", listen]);
        command
    };
    for listen in ["far.test:0", "both.test:0"] {
        assert_refused(&mut command(listen), 78, &["unencrypted"]);
        assert_refused(command(listen).arg("--allow-plaintext"), 78, &["is public"]);
    }
    drop(start(&mut command("near.test:0")));
}

/// A password that was different in between is no safer.
#[test]
fn password_set_back_to_the_published_one_is_recognised() {
    type Change = fn(&Path, SocketAddr);
    fn passwd(address: SocketAddr, from: &str, to: &str) {
        let mut wire = support::Wire::connect(address);
        let reply = wire.done(format!("auth paff {from}"));
        let token = reply["tokenid"].as_str().unwrap();
        wire.done(format!(r#"passwd {token} {{"old": "{from}", "new": "{to}"}}"#));
    }
    fn command(database: &Path, arguments: &[&str], password: &str) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
        command.env("CHAT_SERVER_CONFIG", "/dev/null").arg("--db").arg(database).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
        assert!(child.wait().unwrap().success(), "{arguments:?}");
    }
    let changes: [(&str, Change); 3] = [
        ("paff", |_, address| {
            passwd(address, "cytus", "another one");
            passwd(address, "another one", "cytus");
        }),
        ("paff", |database, _| {
            command(database, &["user", "passwd", "paff"], "another one");
            command(database, &["user", "passwd", "paff"], "cytus");
        }),
        ("alice", |database, _| command(database, &["user", "add", "alice"], "cytus")),
    ];
    for (name, change) in changes {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("chat.sqlite");
        let server = start_on(&path);
        // All other users are safe.
        for user in ["neko", "robo", "ivy", "vanessa"] {
            command(&path, &["user", "passwd", user], "another one");
        }
        if name != "paff" {
            command(&path, &["user", "passwd", "paff"], "another one");
        }
        change(&path, server.addresses[0]);
        drop(server);
        let mut exposed = Command::new(env!("CARGO_BIN_EXE_chat-server"));
        exposed.arg("--db").arg(&path).args(["--listen", "0.0.0.0:0", "--allow-plaintext"]);
        assert_refused(&mut exposed, 78, &["is public", name]);
        command(&path, &["user", "passwd", name], "another one");
        // A server that others can reach accepts no published password.
        let server = start(&mut exposed);
        let mut wire = support::Wire::connect(server.addresses[0]);
        let reply = wire.done(format!("auth {name} another one"));
        let token = reply["tokenid"].as_str().unwrap();
        let back = format!(r#"passwd {token} {{"old": "another one", "new": "cytus"}}"#);
        assert_eq!(wire.refused(back), "bad_argument");
        for arguments in [["user", "passwd", name], ["user", "add", "bob"]] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
            command.env("CHAT_SERVER_CONFIG", "/dev/null").arg("--db").arg(&path).args(arguments);
            let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
            writeln!(child.stdin.take().unwrap(), "cytus").unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(78), "{arguments:?}");
        }
        support::Wire::connect(server.addresses[0]).done(format!("auth {name} another one"));
    }
}

#[test]
fn connection_limit_above_the_descriptor_limit_is_refused() {
    let folder = TempDir::new().unwrap();
    let mut command = server_command(&folder.path().join("chat.sqlite"));
    // More than the kernel allows any process.
    command.args(["--connections-max", "4000000000"]);
    assert_refused(&mut command, 78, &["4000000000", "descriptors"]);
}

#[test]
fn sigterm_answers_pending_requests() {
    let mut server = Server::start();
    let token = server.log_in("paff");
    let mut wire = server.connect();
    for number in 0..100 {
        wire.send(format!("send {token} neko {number}\r\n"));
    }
    server.signal(Signal::TERM);
    let mut answered = 0;
    while let Some(reply) = wire.try_reply_bytes() {
        assert!(reply.starts_with(b"{\"status\": \"OK\""));
        answered += 1;
    }
    assert_eq!(server.wait().code(), Some(0));
    let stored: usize = server.query("select count(*) from messages")[0].parse().unwrap();
    assert_eq!(stored, answered, "every executed request was answered");
    assert!(TcpStream::connect(server.address()).is_err());
}

#[test]
fn peer_that_never_reads_delays_a_stop_by_no_more_than_ten_seconds() {
    let mut server = Server::start();
    let token = server.log_in("paff");
    let mut wire = server.connect();
    for _ in 0..30 {
        wire.done(format!("send {token} paff {}", "x".repeat(30_000)));
    }
    // More than all buffers hold, until nothing has moved for a while: the server cannot write.
    wire.stream().set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let requests = format!("fetch {token} {{}}\r\n").repeat(1_000);
    while wire.stream().write_all(requests.as_bytes()).is_ok() {}
    server.signal(Signal::TERM);
    let begun = Instant::now();
    assert_eq!(server.wait().code(), Some(0));
    let waited = begun.elapsed().as_secs();
    assert!((2..60).contains(&waited), "it waited for {waited} s");
    // The earlier messages are still stored.
    server.start_again();
    assert_eq!(server.connect().done(format!("unread {token}"))["unread"], 30);
}

#[test]
fn second_signal_ends_at_once_despite_pending_requests() {
    let mut server = Server::start();
    let token = server.log_in("paff");
    let shell = rusqlite::Connection::open(server.database()).unwrap();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut wire = server.connect();
    wire.send(format!("send {token} neko hai\r\n"));
    server.connect().done("hello");
    server.signal(Signal::TERM);
    // It no longer accepts connections: the first signal has arrived.
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect(server.address()).is_ok() {
        assert!(Instant::now() < deadline, "it still accepts");
    }
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code(), Some(143));
}

#[test]
fn sighup_and_sigpipe_do_no_harm_and_closed_output_neither() {
    let folder = TempDir::new().unwrap();
    let mut server = start(
        server_command(&folder.path().join("chat.sqlite"))
            .args(["--log", "debug"])
            .stderr(Stdio::piped()),
    );
    let address = server.addresses[0];
    // From here on nobody reads the server log.
    drop(server.child.stderr.take());
    let pid = rustix::process::Pid::from_child(&server.child);
    for signal in [Signal::HUP, Signal::PIPE, Signal::HUP] {
        rustix::process::kill_process(pid, signal).unwrap();
        support::Wire::connect(address).log_in("paff");
    }
    rustix::process::kill_process(pid, Signal::INT).unwrap();
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    server.stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "one line on standard output, no more");
}

#[test]
fn unread_server_log_delays_nobody() {
    let folder = TempDir::new().unwrap();
    let mut command = server_command(&folder.path().join("chat.sqlite"));
    // Held open and never read: a pipe is soon full.
    let server = start(command.args(["--log", "trace"]).stderr(Stdio::piped()));
    for _ in 0..3_000 {
        support::Wire::connect(server.addresses[0]).done("hello");
    }
    let pid = rustix::process::Pid::from_child(&server.child);
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    let mut server = server;
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[test]
fn server_log_whose_full_pipe_is_closed_during_requests_delays_nobody() {
    let folder = TempDir::new().unwrap();
    let mut command = server_command(&folder.path().join("chat.sqlite"));
    let mut server = start(command.args(["--log", "trace"]).stderr(Stdio::piped()));
    let token = support::Wire::connect(server.addresses[0]).log_in("paff");
    let mut wire = support::Wire::connect(server.addresses[0]);
    let pid = rustix::process::Pid::from_child(&server.child);
    // Several times the capacity of a pipe; then the reader closes it.
    for number in 0..2_000 {
        if number == 1_000 {
            drop(server.child.stderr.take());
        }
        if number % 100 == 0 {
            rustix::process::kill_process(pid, Signal::HUP).unwrap();
            rustix::process::kill_process(pid, Signal::PIPE).unwrap();
        }
        wire.done(format!("send {token} neko hai"));
        wire.refused(format!("nonsense {number}"));
    }
    let begun = Instant::now();
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn server_log_is_json_if_requested() {
    let folder = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
    command.arg("--db").arg(folder.path().join("chat.sqlite"));
    command.args(["--listen", "127.0.0.1:0", "--log-format", "json"]).stderr(Stdio::piped());
    let mut server = start(&mut command);
    let mut line = String::new();
    BufReader::new(server.child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["level"], &line["message"]), (&"INFO".into(), &"new database".into()));
}

#[test]
fn neither_passwords_nor_tokens_are_in_files_or_logs() {
    let folder = TempDir::new().unwrap();
    let log = folder.path().join("log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
    command.arg("--db").arg(folder.path().join("chat.sqlite"));
    command.args(["--listen", "127.0.0.1:0", "--log", "trace"]);
    let server = start(command.stderr(fs::File::create(&log).unwrap()));
    let mut wire = support::Wire::connect(server.addresses[0]);
    let mut secrets = vec!["never-to-be-seen".to_owned(), "also-never-seen".to_owned()];
    let token = wire.log_in("paff");
    wire.refused("auth paff never-to-be-seen");
    wire.refused("auth never-to-be-seen never-to-be-seen");
    wire.done(format!(r#"passwd {token} {{"old": "cytus", "new": "also-never-seen"}}"#));
    wire.done(format!("send {token} neko hai"));
    wire.refused(format!("send {token} neko  "));
    wire.refused(format!("nonsense {token}"));
    wire.refused(format!(r#"ack {token} {{"nonsense": "also-never-seen"}}"#));
    secrets.push(token);
    for (name, bytes) in folder_content(folder.path()) {
        for secret in &secrets {
            let found = bytes.windows(secret.len()).any(|bytes| bytes == secret.as_bytes());
            assert!(!found, "{secret} is in {name}");
        }
    }
}

/// Changes by others to the files of a running server. Earlier messages may be lost with the
/// change. Messages acknowledged after it must be in the file at the path.
#[test]
fn server_acknowledges_nothing_that_is_not_in_the_files_at_its_path() {
    type Deed = fn(&Path);
    let log = |path: &Path| path.with_extension("sqlite-wal");
    let deeds: [(&str, Deed); 11] = [
        ("renamed", |path| fs::rename(path, path.with_extension("elsewhere")).unwrap()),
        ("replaced", |path| {
            let other = path.with_extension("other");
            fs::copy(path, &other).unwrap();
            fs::rename(other, path).unwrap();
        }),
        ("removed", |path| fs::remove_file(path).unwrap()),
        ("all removed", |path| {
            for suffix in ["", "-wal", "-shm", ".lock"] {
                fs::remove_file(path.with_extension(format!("sqlite{suffix}"))).unwrap();
            }
        }),
        ("WAL removed", |path| fs::remove_file(path.with_extension("sqlite-wal")).unwrap()),
        ("WAL replaced", |path| {
            let (log, other) = (path.with_extension("sqlite-wal"), path.with_extension("other"));
            fs::copy(&log, &other).unwrap();
            fs::rename(other, log).unwrap();
        }),
        ("WAL emptied", |path| drop(fs::File::create(path.with_extension("sqlite-wal")).unwrap())),
        ("WAL cut in its header", |path| cut(&path.with_extension("sqlite-wal"), 10)),
        ("WAL cut in its salt", |path| cut(&path.with_extension("sqlite-wal"), 18)),
        ("WAL cut", |path| {
            let log = path.with_extension("sqlite-wal");
            cut(&log, written(&log) - 5_000);
        }),
        ("index removed", |path| fs::remove_file(path.with_extension("sqlite-shm")).unwrap()),
    ];
    for (name, deed) in deeds {
        for requests in ["new", "again"] {
            let folder = TempDir::new().unwrap();
            let mut command = server_command(&folder.path().join("chat.sqlite"));
            // The test expects it to end, and discards its last lines.
            command.stderr(Stdio::null());
            let mut server = Server::start_command(command, folder);
            let token = server.log_in("paff");
            let mut wire = server.connect();
            let post = |key: &str| {
                format!(r#"post {token} {{"to": ["neko"], "body": "hai", "key": "{key}"}}"#)
            };
            wire.done(post("before"));
            assert!(written(&log(&server.database())) > 10_000);
            deed(&server.database());
            // A new message, or a repeated one, which the server has in memory.
            let key = if requests == "new" { "after" } else { "before" };
            wire.send(format!("{}\r\n", post(key)));
            let reported = wire.try_reply_bytes();
            if requests == "again" && reported.is_some() {
                // A shell may have checkpointed and truncated an empty WAL: the next write decides.
                assert_eq!(name, "WAL emptied");
                wire.send(format!("{}\r\n", post("after")));
                assert_eq!(wire.try_reply_bytes(), None, "{name}");
            } else {
                assert_eq!(reported, None, "{name}, {requests}: nothing is acknowledged");
            }
            assert_eq!(server.wait().code(), Some(74), "{name}, {requests}");
        }
    }
}

/// The end of the frames of the WAL's current generation. Reserved zeros, or frames of an earlier
/// generation, may follow.
fn written(log: &Path) -> u64 {
    const HEADER: usize = 32;
    const FRAME: usize = 24 + 4_096;
    let bytes = fs::read(log).unwrap();
    let (header, frames) = bytes.split_at(HEADER);
    let is_current = |frame: &&[u8]| frame[8..16] == header[16..24];
    let count = frames.chunks_exact(FRAME).take_while(is_current).count();
    (HEADER + count * FRAME) as u64
}

fn cut(path: &Path, length: u64) {
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap();
}

/// A shell may checkpoint and truncate the WAL, and write again: that is no fault.
#[test]
fn wal_checkpointed_and_truncated_by_a_shell_is_no_fault() {
    let mut server = Server::start();
    let token = server.log_in("paff");
    let mut wire = server.connect();
    let shell = rusqlite::Connection::open(server.database()).unwrap();
    let log = server.database().with_extension("sqlite-wal");
    let mut sent = 0;
    for statements in [
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "PRAGMA wal_checkpoint(RESTART)",
        "PRAGMA wal_checkpoint(TRUNCATE); UPDATE users SET display_name = 'P' WHERE name = 'paff'",
        "VACUUM; PRAGMA wal_checkpoint(TRUNCATE)",
    ] {
        // The WAL has more pages after it than before, and fewer.
        for size in [10, 30_000, 10] {
            wire.done(format!("send {token} neko {}", "x".repeat(size)));
            let emptied: i64 =
                shell.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
            assert_eq!((emptied, fs::metadata(&log).unwrap().len()), (0, 0));
            wire.refused(format!(r#"post {token} {{"to": ["nobody"], "body": "hai"}}"#));
            shell.execute_batch(statements).unwrap();
            wire.done(format!("send {token} neko {}", "x".repeat(30_000)));
            shell.execute_batch(statements).unwrap();
            sent += 2;
        }
    }
    wire.done(format!("send {token} neko hai"));
    drop((wire, shell));
    assert_eq!(server.stop().code(), Some(0));
    assert_eq!(server.query("select count(*) from messages"), [(sent + 1).to_string()]);
    assert_eq!(server.query("PRAGMA integrity_check"), ["ok"]);
}

#[test]
fn stop_loses_nothing_for_slow_readers() {
    let mut server = Server::start();
    let token = server.log_in("paff");
    let mut wire = server.connect();
    let mut writer = wire.stream().try_clone().unwrap();
    let line = format!("send {token} neko hai\r\n");
    let answered = std::thread::scope(|scope| {
        // Sends as long as the server accepts it, and reads nothing meanwhile.
        let flood = scope.spawn(move || {
            use std::io::Write;
            while writer.write_all(line.repeat(100).as_bytes()).is_ok() {}
        });
        let stored = || server.query("select count(*) from messages")[0].parse::<usize>().unwrap();
        while stored() < 2_000 {}
        server.signal(Signal::TERM);
        let mut answered = 0;
        while let Some(reply) = wire.try_reply_bytes() {
            assert!(reply.starts_with(b"{\"status\": \"OK\""));
            answered += 1;
        }
        wire.stream().shutdown(std::net::Shutdown::Both).ok();
        flood.join().unwrap();
        answered
    });
    assert_eq!(server.wait().code(), Some(0));
    let stored: usize = server.query("select count(*) from messages")[0].parse().unwrap();
    assert_eq!(answered, stored, "every executed request was answered");
}

#[test]
fn reader_of_the_file_delays_no_sender() {
    let server = Server::start();
    let token = server.log_in("paff");
    let mut wire = server.connect();
    wire.done(format!("send {token} neko before"));
    let shell = rusqlite::Connection::open(server.database()).unwrap();
    shell.execute_batch("BEGIN; SELECT count(*) FROM v1_messages").unwrap();
    let _: i64 = shell.query_row("SELECT count(*) FROM v1_messages", [], |row| row.get(0)).unwrap();
    wire.done(format!("send {token} neko during"));
    // The number of messages in the file without its WAL. During a checkpoint the file may be torn.
    let copy = server.folder().join("copy.sqlite");
    let in_file = || {
        fs::copy(server.database(), &copy).unwrap();
        let copy = rusqlite::Connection::open(&copy).unwrap();
        let count = "SELECT count(*) FROM messages";
        copy.query_row(count, [], |row| row.get::<_, u32>(0)).unwrap_or(0)
    };
    // Idle for so long that the server would checkpoint its WAL.
    let begun = Instant::now();
    while begun.elapsed() < std::time::Duration::from_secs(11) {
        assert!(in_file() < 2, "the WAL is still being read");
    }
    let begun = Instant::now();
    wire.done(format!("send {token} neko after"));
    assert!(begun.elapsed() < std::time::Duration::from_secs(4), "{:?}", begun.elapsed());
    shell.execute_batch("COMMIT").unwrap();
    let deadline = Instant::now() + PATIENCE;
    while in_file() < 3 {
        assert!(Instant::now() < deadline, "the WAL is not checkpointed");
    }
}

#[test]
fn foreign_lock_makes_senders_busy_until_it_is_released() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut wire = server.connect();
    wire.done(format!("send {paff} neko before"));
    let shell = rusqlite::Connection::open(server.database()).unwrap();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut blocked = server.connect();
    blocked.send(format!("send {paff} neko during\r\n"));
    // Reads go on meanwhile.
    assert_eq!(wire.done(format!("unread {neko}"))["unread"], 1);
    assert_eq!(blocked.reply()["code"], "busy");
    shell.execute_batch("COMMIT").unwrap();
    wire.done(format!("send {paff} neko after"));
    let reply = wire.done(format!("inbox {neko}"));
    assert_eq!(reply["messages"]["paff"].as_array().unwrap().len(), 2);
}
