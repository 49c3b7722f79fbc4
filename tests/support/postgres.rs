//! A PostgreSQL cluster of a test's own: in a temporary folder, reached over a socket there. It runs
//! as a user who is not root, because PostgreSQL refuses root.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use super::PATIENCE;
use super::skip::skip;

/// The owner of a cluster that root starts: `nobody`, who exists everywhere.
const NOBODY: u32 = 65534;
/// The oldest version that the server supports.
const VERSION_MIN: u32 = 15;
/// The port of a cluster that only has a socket, where it cannot be taken.
const PORT: u16 = 5432;
/// How many ports are tried.
const PORTS_MAX: usize = 10;
/// The database user that owns everything.
pub const OWNER: &str = "owner";

/// A running database server. It is stopped, and its folder removed, when this is dropped.
pub struct Cluster {
    server: Option<Child>,
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    settings: Vec<String>,
}

impl Cluster {
    /// Makes and starts a cluster with these settings (`name=value`). `None`, visibly, where
    /// PostgreSQL is not installed.
    #[track_caller]
    pub fn start(settings: &[&str]) -> Option<Self> {
        let mut cluster = Self::initialized(settings)?;
        cluster.restart();
        Some(cluster)
    }

    /// Makes and starts a cluster that also listens at 127.0.0.1, at [`Self::port`]. `prepare` is
    /// called before it starts.
    #[track_caller]
    pub fn start_on_network(settings: &[&str], prepare: impl FnOnce(&Self)) -> Option<Self> {
        let mut cluster = Self::initialized(settings)?;
        prepare(&cluster);
        cluster.settings.push("listen_addresses=127.0.0.1".to_owned());
        let is_started = (0..PORTS_MAX).any(|_| {
            // PostgreSQL cannot choose a port, and another process can take this one meanwhile.
            let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
            cluster.port = free.expect("a free port").port();
            cluster.try_start().is_ok()
        });
        assert!(is_started, "no port is free");
        Some(cluster)
    }

    #[track_caller]
    fn initialized(settings: &[&str]) -> Option<Self> {
        let cluster = Self::empty(programs()?, settings);
        let mut initialize = cluster.command("initdb");
        initialize.args(["--username", OWNER, "--auth=trust", "--no-sync", "--encoding=UTF8"]);
        initialize.args(["--locale=C", "--pgdata"]).arg(cluster.data());
        done(&mut initialize);
        Some(cluster)
    }

    /// Makes and starts a standby of this cluster, which bears a name for
    /// `synchronous_standby_names`.
    pub fn standby(&self, name: &str) -> Self {
        let mut standby = Self::empty(self.programs.clone(), &[]);
        let mut copy = standby.command("pg_basebackup");
        copy.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "--pgdata"]);
        copy.arg(standby.data()).arg("--dbname");
        copy.arg(format!("{} application_name={name}", self.keywords("postgres")));
        done(&mut copy);
        standby.restart();
        standby
    }

    fn empty(programs: PathBuf, settings: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        if geteuid().is_root() {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("root gives a folder away");
        }
        // Its clients may be other users.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o711)).expect("our own folder");
        let settings = settings.iter().map(ToString::to_string).collect();
        Self { server: None, programs, folder, port: PORT, settings }
    }

    /// Starts the server, again if it has been stopped, and waits until it answers.
    pub fn restart(&mut self) {
        self.try_start().expect("postgres is ready");
    }

    /// The error is the server log.
    fn try_start(&mut self) -> Result<(), String> {
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(self.socket_folder());
        command.args(["-p", &self.port.to_string()]);
        for setting in ["listen_addresses=", "logging_collector=off", "lc_messages=C"] {
            command.args(["-c", setting]);
        }
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        let mut server = command.stderr(Stdio::piped()).spawn().expect("postgres starts");
        let log = BufReader::new(server.stderr.take().expect("a pipe"));
        self.server = Some(server);
        let (sender, ready) = mpsc::channel();
        // Reads on until the end, because the server would wait for a full pipe.
        thread::spawn(move || {
            let mut said = String::new();
            for line in log.lines().map_while(Result::ok) {
                if line.contains("database system is ready to accept") {
                    let _ = sender.send(Ok(()));
                }
                said.push_str(&line);
                said.push('\n');
            }
            let _ = sender.send(Err(said));
        });
        let started = ready.recv_timeout(PATIENCE).expect("a line");
        if started.is_err() {
            self.kill();
        }
        started
    }

    /// Stops the server as SIGKILL of the machine would.
    pub fn kill(&mut self) {
        self.stop_with(Signal::QUIT);
    }

    /// Stops the server in order.
    pub fn stop(&mut self) {
        self.stop_with(Signal::INT);
    }

    fn stop_with(&mut self, signal: Signal) {
        let Some(mut server) = self.server.take() else { return };
        let _ = kill_process(Pid::from_child(&server), signal);
        let _ = server.wait();
    }

    /// Suspends or resumes the postmaster: it accepts connections no more, and does not answer.
    pub fn suspend(&self, is_suspended: bool) {
        let signal = if is_suspended { Signal::STOP } else { Signal::CONT };
        let server = self.server.as_ref().expect("it runs");
        kill_process(Pid::from_child(server), signal).expect("our own child");
    }

    /// Replaces a file in the folder of the cluster, which then belongs to the server.
    pub fn write(&self, name: &str, content: &str) {
        let path = self.data().join(name);
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

    /// The folder of the socket.
    pub fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn keywords(&self, database: &str) -> String {
        let folder = self.socket_folder().display();
        format!("host={folder} port={} user={OWNER} dbname={database}", self.port)
    }

    /// A program of PostgreSQL, as the user of the cluster.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        if geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.current_dir("/").env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            let _ = kill_process(Pid::from_child(server), Signal::CONT);
        }
        self.stop_with(Signal::QUIT);
    }
}

fn done(command: &mut Command) -> String {
    let output = command.stdout(Stdio::piped()).output().expect("it is installed");
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The programs of the newest version that is installed. Debian has them in no folder of `PATH`.
#[track_caller]
fn programs() -> Option<PathBuf> {
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
