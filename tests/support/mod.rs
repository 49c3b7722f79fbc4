//! Shared by the integration tests: a real `chat-server` with its own port and database, and a
//! client that speaks bytes.
#![allow(dead_code, reason = "every test file uses a part of it")]

pub mod browser;
pub mod cli;
pub mod clock;
#[cfg(feature = "postgres")]
pub mod databases;
pub mod disk;
pub mod exposition;
pub mod fake;
pub mod hostile;
pub mod http;
pub mod http2;
pub mod json_schema;
pub mod network;
pub mod operator;
pub mod page;
#[cfg(feature = "postgres")]
pub mod patroni;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod preload;
pub mod pty;
pub mod python;
#[macro_use]
pub mod recipe;
pub mod relay;
#[cfg(feature = "postgres")]
pub mod replicas;
pub mod service;
pub mod skip;
pub mod strace;
pub mod tab;
pub mod tls;
pub mod websocket;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use network::Machine;
use serde_json::Value;
use tempfile::TempDir;

/// How long a test waits for an event before it fails. A passing test never waits so long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `holds`, at most for [`PATIENCE`]; fails with `what` then.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::yield_now();
    }
}

/// With `postgres` in this variable, servers are started on a new database of a PostgreSQL server,
/// and not on a new file. So the same tests run with both engines.
const DATABASE: &str = "CHAT_TEST_DB";

/// Whether servers are started on PostgreSQL.
pub fn is_on_postgres() -> bool {
    match std::env::var(DATABASE) {
        Ok(engine) => match engine.as_str() {
            "postgres" => true,
            "sqlite" => false,
            other => panic!("{DATABASE} is {other:?}, not postgres or sqlite"),
        },
        Err(_) => false,
    }
}

/// Whether the tests run on PostgreSQL, where a test of files is skipped and says so.
#[track_caller]
pub fn is_for_files_only() -> bool {
    let is_skipped = is_on_postgres();
    if is_skipped {
        skip::does_not_apply("PostgreSQL");
    }
    is_skipped
}

/// Where a new database is: a file in this folder, or a URL.
pub fn new_database(folder: &Path) -> PathBuf {
    #[cfg(feature = "postgres")]
    if is_on_postgres() {
        return new_on_postgres().expect("PostgreSQL is installed").into();
    }
    folder.join("chat.sqlite")
}

/// A new database on PostgreSQL after `db init`: its URL for a server. `None` if PostgreSQL is not
/// installed; then the calling test is skipped and says so.
#[cfg(feature = "postgres")]
#[track_caller]
pub fn new_on_postgres() -> Option<String> {
    databases::new_prepared(|url| drop(operator::done(Path::new(url), &["db", "init"])))
}

/// Whether a database is on PostgreSQL.
pub fn is_url(database: &Path) -> bool {
    database.to_str().is_some_and(|text| text.starts_with("postgres://"))
}

/// Where a server serves HTTP.
#[derive(Debug, Clone, Copy)]
struct Web {
    monitor: Option<SocketAddr>,
    http: Option<SocketAddr>,
}

/// A running server. It is killed, and its folder removed, when this is dropped.
pub struct Server {
    child: Child,
    address: SocketAddr,
    web: Web,
    folder: TempDir,
    database: PathBuf,
    options: Vec<String>,
    /// The machine of a test's own network where it runs.
    machine: Option<Machine>,
}

impl Server {
    /// Starts a server on a new database.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server on a new database, with more options.
    pub fn start_with(options: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let options = options.iter().map(ToString::to_string).collect();
        let database = new_database(folder.path());
        let (child, address, web) = spawn(&database, &options);
        Self { child, address, web, folder, database, options, machine: None }
    }

    /// Starts a server on this database, which others may use as well.
    pub fn start_on(database: &Path) -> Self {
        Self::start_on_with(database, &[])
    }

    /// [`Self::start_on`], with more options.
    pub fn start_on_with(database: &Path, options: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let options = options.iter().map(ToString::to_string).collect();
        let (child, address, web) = spawn(database, &options);
        Self { child, address, web, folder, database: database.to_owned(), options, machine: None }
    }

    /// [`Self::start_on_with`], in a machine of a test's own network.
    pub fn start_in(machine: &Machine, database: &Path, options: &[&str]) -> Self {
        let mut server = machine.enter(|| Self::start_on_with(database, options));
        server.machine = Some(machine.clone());
        server
    }

    /// Starts a server on a copy of a database.
    pub fn start_from(database: &Path) -> Self {
        Self::start_from_with(database, &[])
    }

    /// Starts a server on a copy of a database, with more options.
    pub fn start_from_with(database: &Path, options: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path().join("chat.sqlite");
        std::fs::copy(database, &path).expect("a copy");
        let options = options.iter().map(ToString::to_string).collect();
        let (child, address, web) = spawn(&path, &options);
        Self { child, address, web, folder, database: path, options, machine: None }
    }

    /// Starts a server by a command whose database is `chat.sqlite` in `folder`.
    pub fn start_command(mut command: Command, folder: TempDir) -> Self {
        let (child, address, web) = spawn_command(&mut command);
        let database = folder.path().join("chat.sqlite");
        Self { child, address, web, folder, database, options: Vec::new(), machine: None }
    }

    /// Starts a server with `count` more users, `user-0` and so on, whose password is the seed's.
    pub fn start_with_users(count: usize) -> Self {
        Self::start_with_users_and(count, &[])
    }

    /// [`Self::start_with_users`], with more options.
    pub fn start_with_users_and(count: usize, options: &[&str]) -> Self {
        let mut server = Self::start_with(options);
        server.stop();
        // The same hash for all: one password, hashed once.
        let users = match is_url(&server.database) {
            true => format!("SELECT generate_series(0, {count} - 1) AS number"),
            false => format!(
                "WITH RECURSIVE n (number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM n
                                                WHERE number + 1 < {count})
                 SELECT number FROM n"
            ),
        };
        let (columns, values) = match is_url(&server.database) {
            true => ("id, ", "next_number(0, 'users'), "),
            false => ("", ""),
        };
        server.change(&format!(
            "INSERT INTO users ({columns}name, display_name, password_hash, created_at)
             SELECT {values}'user-' || n.number, '', password_hash, 0
               FROM users, ({users}) AS n WHERE name = 'paff'"
        ));
        server.start_again();
        server
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of its monitor, if it was started with one.
    pub fn monitor(&self) -> SocketAddr {
        self.web.monitor.expect("the server was started with --metrics")
    }

    /// The address of its gateway, if it was started with one.
    pub fn http(&self) -> SocketAddr {
        self.web.http.expect("the server was started with --http")
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.child.id().try_into().expect("a pid")
    }

    /// Its database: a file, or a URL.
    pub fn database(&self) -> PathBuf {
        self.database.clone()
    }

    /// Executes a statement in the database. The server must have been stopped. Gives the number of
    /// rows that it changed.
    pub fn change(&self, sql: &str) -> usize {
        #[cfg(feature = "postgres")]
        if let Some(url) = self.database.to_str().filter(|_| is_url(&self.database)) {
            return databases::change(url, sql);
        }
        let database = rusqlite::Connection::open(&self.database).expect("opens");
        database.execute(sql, []).expect("the statement is valid")
    }

    /// The folder of the database: tests may put files there too.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends it with SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().expect("the server can be killed");
        self.child.wait().expect("the server has ended");
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid()).expect("a pid");
        rustix::process::kill_process(pid, signal).expect("the server can be signalled");
    }

    /// Suspends it until SIGCONT. On return none of its threads runs any more: the signal is sent
    /// at once, but on a busy machine some threads run on for a while.
    pub fn freeze(&self) {
        self.signal(rustix::process::Signal::STOP);
        let is_stopped = |task: std::io::Result<std::fs::DirEntry>| {
            let stat = std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap();
            // After the name, which may contain anything (proc(5)).
            stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
        };
        let tasks = format!("/proc/{}/task", self.pid());
        let deadline = Instant::now() + PATIENCE;
        while !std::fs::read_dir(&tasks).unwrap().all(is_stopped) {
            assert!(Instant::now() < deadline, "the server does not stop");
            std::thread::yield_now();
        }
    }

    /// [`Self::signal`], even if it may have ended.
    pub fn try_signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(self.pid()).expect("a pid");
        let _ = rustix::process::kill_process(pid, signal);
    }

    /// Stops it with SIGTERM and waits for its end.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(rustix::process::Signal::TERM);
        self.child.wait().expect("the server has ended")
    }

    /// Waits for it to end by itself.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("the server has ended")
    }

    /// Starts it again on the same database, at another address, after it has ended.
    pub fn start_again(&mut self) {
        (self.child, self.address, self.web) = spawn(&self.database(), &self.options);
    }

    /// [`Self::start_again`], with more options from now on.
    pub fn start_again_with(&mut self, more: &[&str]) {
        self.options.extend(more.iter().map(ToString::to_string));
        self.start_again();
    }

    /// Starts it again on the same database, at the same address, after it has ended.
    pub fn start_again_at_its_address(&mut self) {
        self.start_again_listening(&self.address.to_string());
    }

    /// Starts it again on the same database, also listening there, after it has ended.
    pub fn start_again_listening(&mut self, listen: &str) {
        let listen = ["--listen".to_owned(), listen.to_owned()];
        let options: Vec<String> = self.options.iter().cloned().chain(listen).collect();
        (self.child, self.address, self.web) = spawn(&self.database(), &options);
    }

    /// A new connection.
    pub fn connect(&self) -> Wire {
        match &self.machine {
            Some(machine) => machine.enter(|| Wire::connect(self.address)),
            None => Wire::connect(self.address),
        }
    }

    /// Logs in a user of the seed, and returns the token.
    pub fn log_in(&self, user: &str) -> String {
        self.connect().log_in(user)
    }

    /// The rows of a query as in the `sqlite3` shell, columns joined by `|`.
    pub fn query(&self, sql: &str) -> Vec<String> {
        #[cfg(feature = "postgres")]
        if let Some(url) = self.database.to_str().filter(|_| is_url(&self.database)) {
            return databases::query(url, sql);
        }
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let database =
            rusqlite::Connection::open_with_flags(self.database(), flags).expect("opens");
        let mut statement = database.prepare(sql).expect("the query is valid");
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            let column = |index| {
                row.get_ref(index).map(|value| match value {
                    rusqlite::types::ValueRef::Null => String::new(),
                    rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                    rusqlite::types::ValueRef::Real(number) => number.to_string(),
                    rusqlite::types::ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
                    rusqlite::types::ValueRef::Blob(bytes) => format!("{bytes:?}"),
                })
            };
            Ok((0..columns).map(column).collect::<Result<Vec<_>, _>>()?.join("|"))
        });
        rows.expect("the query runs").collect::<Result<_, _>>().expect("rows")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command that starts a server on `database` at a port that the system chooses.
pub fn server_command(database: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
    command.env_clear().arg("--db").arg(database).args([
        "--listen",
        "127.0.0.1:0",
        "--log",
        "warn",
    ]);
    command.env("CHAT_SERVER_CONFIG", "/dev/null").stdin(Stdio::null());
    use_database(&mut command, database);
    command
}

/// The server of the tests does not sync, and has no standby.
pub fn use_database(command: &mut Command, database: &Path) {
    if is_url(database) {
        command.env("CHAT_SERVER_DB_DURABILITY", "storage");
    }
}

fn spawn(database: &Path, options: &Vec<String>) -> (Child, SocketAddr, Web) {
    spawn_command(server_command(database).args(options))
}

fn spawn_command(command: &mut Command) -> (Child, SocketAddr, Web) {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the server starts");
    let stdout = child.stdout.take().expect("its standard output");
    let mut stdout = BufReader::new(stdout);
    let mut next_address = || {
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a line when it accepts");
        // The last one: a socket in the file system has none.
        let address = line.trim_end().rsplit(' ').find_map(|word| {
            let word = word.trim_start_matches("https://").trim_start_matches("http://");
            let word = word.trim_start_matches("tls:");
            word.trim_end_matches('/').parse().ok()
        });
        address.unwrap_or_else(|| panic!("no address in {line:?}"))
    };
    let address = next_address();
    let has = |option: &str| command.get_args().any(|argument| argument == option);
    let monitor = has("--metrics").then(&mut next_address);
    let http = has("--http").then(&mut next_address);
    (child, address, Web { monitor, http })
}

/// A connection that speaks bytes.
pub struct Wire<S = TcpStream> {
    stream: S,
    received: Vec<u8>,
}

impl Wire {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        Self::over(stream)
    }

    /// Half-closes: sends nothing more, but can still read replies.
    pub fn end(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("half-close");
    }
}

impl<S: Read + Write> Wire<S> {
    /// Over an existing connection.
    pub fn over(stream: S) -> Self {
        Self { stream, received: Vec::new() }
    }

    /// The socket itself.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// The socket itself.
    pub fn stream_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// The bytes received after the last reply.
    pub fn received(&self) -> &[u8] {
        &self.received
    }

    /// Sends exactly these bytes.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the server accepts bytes");
    }

    /// The bytes of the next reply, with the `\r\n\r\n` that ends it.
    pub fn reply_bytes(&mut self) -> Vec<u8> {
        self.try_reply_bytes().expect("a reply")
    }

    /// [`Self::reply_bytes`]; `None` if the connection ends before a complete reply.
    pub fn try_reply_bytes(&mut self) -> Option<Vec<u8>> {
        let mut chunk = [0; 4096];
        let mut searched = 0;
        loop {
            let end = self.received[searched..].windows(4).position(|bytes| bytes == b"\r\n\r\n");
            if let Some(end) = end {
                return Some(self.received.drain(..searched + end + 4).collect());
            }
            searched = self.received.len().saturating_sub(3);
            match read_some(&mut self.stream, &mut chunk) {
                Ok(0) => return None,
                Ok(count) => self.received.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("no reply: {error}"),
            }
        }
    }

    /// The next reply.
    pub fn reply(&mut self) -> Value {
        let bytes = self.reply_bytes();
        serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            panic!("{error}: {}", String::from_utf8_lossy(&bytes));
        })
    }

    /// Sends a line with its ending, and returns the reply.
    pub fn ask(&mut self, line: impl AsRef<str>) -> Value {
        self.send(format!("{}\r\n", line.as_ref()));
        self.reply()
    }

    /// [`Self::ask`], and the `code` of the expected refusal.
    pub fn refused(&mut self, line: impl AsRef<str>) -> String {
        let reply = self.ask(line.as_ref());
        assert_eq!(reply["status"], "ERROR", "{} is refused: {reply}", line.as_ref());
        reply["code"].as_str().expect("a code").to_owned()
    }

    /// [`Self::ask`], which must succeed.
    pub fn done(&mut self, line: impl AsRef<str>) -> Value {
        let reply = self.ask(line.as_ref());
        assert_eq!(reply["status"], "OK", "{} is done: {reply}", line.as_ref());
        reply
    }

    /// Logs in a user of the seed, and returns the token.
    pub fn log_in(&mut self, user: &str) -> String {
        let reply = self.done(format!("auth {user} cytus"));
        reply["tokenid"].as_str().expect("a token").to_owned()
    }

    /// Waits until the server closes the connection; returns the remaining bytes.
    pub fn wait_for_close(&mut self) -> Vec<u8> {
        let mut rest = std::mem::take(&mut self.received);
        match self.stream.read_to_end(&mut rest) {
            Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => {
                panic!("the server does not close: {error}")
            }
            _ => rest,
        }
    }
}

/// Reads once. A read with a timeout can be interrupted when a process of another test ends
/// (signal(7)); it is then repeated.
pub fn read_some(mut stream: impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    loop {
        match stream.read(buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// Sets a flag to `false` at the end, even if a test fails before it: another thread that waits for
/// the flag would otherwise wait for ever.
pub struct Ending<'a>(pub &'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// The size of a test: `full` if `CHAT_TEST_FULL` is set, as in CI, otherwise `short`.
pub fn scaled(short: usize, full: usize) -> usize {
    if std::env::var_os("CHAT_TEST_FULL").is_some() { full } else { short }
}

/// A seeded source of numbers (xorshift64*, Vigna 2014). The seed is printed; `CHAT_TEST_SEED`
/// repeats a failure.
pub struct Random(u64);

impl Random {
    /// Seeds the run: from `CHAT_TEST_SEED`, else from the clock.
    pub fn new() -> Self {
        let given = std::env::var("CHAT_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let clock = || {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            since.map_or(1, |since| since.as_nanos() as u64)
        };
        let seed = given.unwrap_or_else(clock);
        println!("CHAT_TEST_SEED={seed}");
        Self(seed | 1)
    }

    /// An independent source, for another thread.
    pub fn fork(&mut self) -> Self {
        Self(self.next() | 1)
    }

    /// Any number.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}
