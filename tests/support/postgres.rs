//! A PostgreSQL cluster of a test's own: in a temporary folder, reached over a socket there. It runs
//! as a user who is not root, because PostgreSQL refuses root. It ends with the test's process,
//! however that ends.

use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use super::skip::skip;

/// The owner of a cluster that root starts: `nobody`, who exists everywhere.
const NOBODY: u32 = 65534;
/// The oldest version that the server supports.
const VERSION_MIN: u32 = 15;
/// The port of a cluster that only has a socket, where it cannot be taken.
const PORT: u16 = 5432;
/// How many ports are tried.
const PORTS_MAX: usize = 10;
/// How long a test waits for a server to start.
const PATIENCE: Duration = Duration::from_secs(60);
/// Starts the server and tells its process id. Removes both it and its folder once the process that
/// holds the other end of the standard input has ended; a line there says that it was stopped.
const WATCH: &str = r#"
    "$@" >/dev/null & server=$!
    echo $server
    if ! read -r stopped; then kill -QUIT $server; wait $server; exec rm -rf "$0"; fi
    wait $server
"#;
/// How much of a server log is kept.
const LOG_BYTES_MAX: usize = 64 * 1024;
/// The database user that owns everything.
pub const OWNER: &str = "owner";

/// A database server. It is stopped, and its folder removed, when this is dropped.
pub struct Cluster {
    server: Option<Running>,
    programs: PathBuf,
    folder: TempDir,
    data: PathBuf,
    port: u16,
    settings: Vec<String>,
}

/// A running server.
struct Running {
    /// [`WATCH`].
    watch: Child,
    pid: Pid,
}

impl Cluster {
    /// Makes and starts a cluster with these settings (`name=value`). `None`, visibly, where
    /// PostgreSQL is not installed.
    #[track_caller]
    pub fn start(settings: &[&str]) -> Option<Self> {
        let mut cluster = Self::empty(programs()?, settings);
        cluster.initialize();
        cluster.restart();
        Some(cluster)
    }

    /// [`Self::start`], with the data in this folder, which is given to the server.
    #[track_caller]
    pub fn start_in(folder: &Path, settings: &[&str]) -> Option<Self> {
        let mut cluster = Self::empty(programs()?, settings);
        give(folder);
        cluster.data = folder.join("data");
        cluster.initialize();
        cluster.restart();
        Some(cluster)
    }

    /// [`Self::start`], with the write-ahead log in this folder, which is given to the server. The
    /// log grows in small steps.
    #[track_caller]
    pub fn start_with_log_in(folder: &Path, settings: &[&str]) -> Option<Self> {
        let mut cluster = Self::empty(programs()?, settings);
        give(folder);
        let mut log = OsString::from("--waldir=");
        log.push(folder.join("log"));
        cluster.initialize_with(&["--wal-segsize=1".as_ref(), &log]);
        cluster.restart();
        Some(cluster)
    }

    /// Makes and starts a cluster that also listens at [`Self::port`]: of 127.0.0.1, or of what
    /// the settings name. `prepare` is called before it starts.
    #[track_caller]
    pub fn start_on_network(settings: &[&str], prepare: impl FnOnce(&Self)) -> Option<Self> {
        let mut cluster = Self::empty(programs()?, settings);
        cluster.initialize();
        prepare(&cluster);
        cluster.start_listening();
        Some(cluster)
    }

    fn start_listening(&mut self) {
        if !self.settings.iter().any(|setting| setting.starts_with("listen_addresses=")) {
            self.settings.push("listen_addresses=127.0.0.1".to_owned());
        }
        let is_started = (0..PORTS_MAX).any(|_| {
            // PostgreSQL cannot choose a port, and another process can take this one meanwhile.
            let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
            self.port = free.expect("a free port").port();
            self.try_start().is_ok()
        });
        assert!(is_started, "no port is free");
    }

    fn initialize(&self) {
        self.initialize_with(&[]);
    }

    fn initialize_with(&self, more: &[&OsStr]) {
        let mut initialize = self.command("initdb");
        initialize.args(more);
        initialize.args(["--username", OWNER, "--auth=trust", "--no-sync", "--encoding=UTF8"]);
        initialize.args(["--no-instructions", "--locale=C.UTF-8", "--pgdata"]).arg(&self.data);
        done(&mut initialize);
    }

    /// Makes and starts a standby of this cluster, which bears a name for
    /// `synchronous_standby_names`.
    pub fn standby(&self, name: &str) -> Self {
        let mut standby = Self::empty(self.programs.clone(), &[]);
        standby.copy(&self.followed_as(name));
        standby.restart();
        standby
    }

    /// A copy of this cluster, which has never run; nor does the copy.
    pub fn copy_of_new(&self) -> Self {
        let copy = Self::empty(self.programs.clone(), &[]);
        done(self.command("cp").arg("-a").arg(&self.data).arg(&copy.data));
        copy
    }

    /// Starts a copy as a standby of the original, with its settings. It listens on the network.
    pub fn start_as_standby(&mut self, of: &Self, name: &str) {
        self.settings.clone_from(&of.settings);
        self.write("standby.signal", "");
        let primary = format!("primary_conninfo = '{}'\n", of.followed_as(name));
        self.write("postgresql.auto.conf", &primary);
        self.start_listening();
    }

    /// Makes a standby of this cluster, which has ended: its own data are replaced by a copy.
    pub fn restart_as_standby(&mut self, of: &Self, name: &str) {
        assert!(self.server.is_none(), "it has ended");
        fs::remove_dir_all(&self.data).expect("our own folder");
        self.copy(&of.followed_as(name));
        self.restart();
    }

    /// Copies a primary, whose standby this becomes.
    fn copy(&self, primary: &str) {
        let mut copy = self.command("pg_basebackup");
        copy.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--pgdata"]);
        done(copy.arg(&self.data).arg("--dbname").arg(primary));
    }

    /// How a standby with this name connects to this cluster.
    pub fn followed_as(&self, name: &str) -> String {
        format!("{} application_name={name}", self.keywords("postgres"))
    }

    fn empty(programs: PathBuf, settings: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let settings = settings.iter().map(ToString::to_string).collect();
        let data = folder.path().join("data");
        let cluster = Self { server: None, programs, folder, data, port: PORT, settings };
        give(cluster.folder.path());
        cluster
    }

    /// Starts the server, again if it has been stopped, and waits until it answers.
    pub fn restart(&mut self) {
        self.try_start().expect("postgres is ready");
    }

    /// The error is the server log.
    fn try_start(&mut self) -> Result<(), String> {
        let mut command = self.command("sh");
        command.args(["-c", WATCH]).arg(self.folder.path());
        command.arg(self.programs.join("postgres")).arg("-D").arg(&self.data);
        command.arg("-k").arg(self.socket_folder()).args(["-p", &self.port.to_string()]);
        for setting in ["listen_addresses=", "logging_collector=off", "lc_messages=C"] {
            command.args(["-c", setting]);
        }
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut watch = command.spawn().expect("postgres starts");
        let log = BufReader::new(watch.stderr.take().expect("a pipe"));
        let mut pid = String::new();
        let told = BufReader::new(watch.stdout.take().expect("a pipe")).read_line(&mut pid);
        told.expect("a line");
        let pid = pid.trim_end().parse().ok().and_then(Pid::from_raw).expect("a process id");
        self.server = Some(Running { watch, pid });
        let (sender, ready) = mpsc::channel();
        // Reads on until the end, because the server would wait for a full pipe.
        thread::spawn(move || {
            let mut said = String::new();
            for line in log.lines().map_while(Result::ok) {
                if line.contains("database system is ready to accept") {
                    let _ = sender.send(Ok(()));
                }
                if said.len() < LOG_BYTES_MAX {
                    said.push_str(&line);
                    said.push('\n');
                }
            }
            let _ = sender.send(Err(said));
        });
        let started = ready.recv_timeout(PATIENCE).expect("a line");
        if started.is_err() {
            self.stop();
        }
        started
    }

    /// Ends all its processes with SIGKILL.
    pub fn kill(&mut self) {
        let Some(Running { pid, .. }) = self.server else { return };
        kill_with_children(pid);
        self.stop_with(Signal::KILL);
    }

    /// Stops the server in order.
    pub fn stop(&mut self) {
        self.stop_with(Signal::INT);
    }

    fn stop_with(&mut self, signal: Signal) {
        let Some(Running { mut watch, pid }) = self.server.take() else { return };
        let _ = kill_process(pid, signal);
        let _ = watch.stdin.take().expect("a pipe").write_all(b"stopped\n");
        let _ = watch.wait();
    }

    /// Whether it runs. A server that cannot write may end by itself.
    pub fn is_running(&self) -> bool {
        self.server.as_ref().is_some_and(|server| is_alive(server.pid))
    }

    /// Suspends or resumes the postmaster: it accepts connections no more, and does not answer.
    pub fn suspend(&self, is_suspended: bool) {
        let signal = if is_suspended { Signal::STOP } else { Signal::CONT };
        let server = self.server.as_ref().expect("it runs");
        kill_process(server.pid, signal).expect("our own process");
    }

    /// Replaces a file in the folder of the cluster, which then belongs to the server.
    pub fn write(&self, name: &str, content: &str) {
        let path = self.data.join(name);
        fs::write(&path, content).expect("our own folder");
        fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("our own file");
        if geteuid().is_root() {
            chown(&path, Some(NOBODY), Some(NOBODY)).expect("root gives a file away");
        }
    }

    /// Executes SQL as the owner and gives what `psql` prints.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let mut command = self.command("psql");
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql]);
        done(command.arg(self.keywords(database))).trim_end().to_owned()
    }

    /// `postgres://USER@…/DATABASE`, by the socket.
    pub fn url(&self, user: &str, database: &str) -> String {
        let folder = self.socket_folder().display();
        format!("postgres://{user}@/{database}?host={folder}&port={}", self.port)
    }

    /// The port, which is also a part of the socket's name.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of a cluster that listens on the network.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The folder of the socket.
    pub fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    fn keywords(&self, database: &str) -> String {
        let folder = self.socket_folder().display();
        format!("host={folder} port={} user={OWNER} dbname={database}", self.port)
    }

    /// A program of PostgreSQL or of the system, as the user of the cluster.
    fn command(&self, program: &str) -> Command {
        let path = self.programs.join(program);
        let mut command = Command::new(if path.exists() { path } else { program.into() });
        command.stdin(Stdio::null()).stdout(Stdio::null());
        as_owner(&mut command);
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            let _ = kill_process(server.pid, Signal::CONT);
        }
        self.stop_with(Signal::QUIT);
    }
}

/// Gives a folder to the user of the clusters. Its clients may be other users.
pub fn give(folder: &Path) {
    if geteuid().is_root() {
        chown(folder, Some(NOBODY), Some(NOBODY)).expect("root gives a folder away");
    }
    fs::set_permissions(folder, Permissions::from_mode(0o711)).expect("our own folder");
}

/// Lets a program run as the user of the clusters, without the variables of the test.
pub fn as_owner(command: &mut Command) {
    if geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.current_dir("/").env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C");
}

/// Ends a server and the processes that it has started with SIGKILL.
pub fn kill_with_children(pid: Pid) {
    // It starts no other process meanwhile.
    let _ = kill_process(pid, Signal::STOP);
    let children = children_of(pid);
    for killed in children.iter().chain([&pid]) {
        let _ = kill_process(*killed, Signal::KILL);
    }
    // A later start must find none of them.
    while children.iter().any(|child| is_alive(*child)) {
        thread::yield_now();
    }
}

/// The processes that a server has started.
fn children_of(pid: Pid) -> Vec<Pid> {
    let all = fs::read_dir("/proc").expect("/proc").flatten();
    let all = all.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    let parent = pid.as_raw_nonzero().to_string();
    all.filter(|child| stat(*child).is_some_and(|[_, of]| of == parent)).collect()
}

/// Whether a process runs. One that has ended may still be in the list of processes.
fn is_alive(pid: Pid) -> bool {
    stat(pid).is_some_and(|[state, _]| state != "Z" && state != "X")
}

/// The state and the parent of a process (proc(5)).
fn stat(pid: Pid) -> Option<[String; 2]> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // After the name, which may contain anything.
    let mut words = stat.rsplit(") ").next()?.split(' ').map(str::to_owned);
    Some([words.next()?, words.next()?])
}

/// Executes a program, which must succeed, and gives what it prints.
pub fn done(command: &mut Command) -> String {
    let output = command.stdout(Stdio::piped()).output().expect("it is installed");
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The programs of the newest version that is installed. Debian has them in no folder of `PATH`.
#[track_caller]
pub fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions
        .map(|entry| entry.path())
        .filter(|path| version(path).is_some_and(|version| version >= VERSION_MIN))
        .max_by_key(|path| version(path));
    let programs = newest.map(|path| path.join("bin")).filter(|path| path.join("initdb").exists());
    if programs.is_none() {
        skip("PostgreSQL 15 or newer", "install postgresql");
    }
    programs
}
