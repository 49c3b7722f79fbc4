//! A PostgreSQL cluster, and its synchronous standbys.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rustix::process::{Signal, geteuid};

use super::{Process, TIMEOUT, first_line, free_address, let_in, postgres, run, user_id};

/// The database user of all benchmarks.
pub const USER: &str = "load";
const CONNECTIONS_MAX: usize = 1100;

/// The programs of PostgreSQL, in Debian's folder for one version.
#[derive(Debug, Clone)]
pub struct Programs(PathBuf);

impl Programs {
    /// Finds the newest version on this machine.
    pub fn find() -> Option<Self> {
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
        let folders = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin")));
        folders.filter(|folder| folder.join("postgres").is_file()).max().map(Self)
    }

    pub fn version(&self) -> String {
        first_line(&self.path("postgres"), "--version").unwrap_or_default()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A command that runs as its own user, because PostgreSQL refuses to run as root.
    fn command(&self, name: &str, owner: Option<u32>) -> Command {
        let mut command = Command::new(self.path(name));
        command.stdin(Stdio::null()).env("LC_ALL", "C");
        if let Some(owner) = owner {
            command.uid(owner).current_dir("/");
        }
        command
    }
}

/// A primary that syncs each commit to its disk, and its standbys. Dropping it kills all.
pub struct Cluster {
    pub address: SocketAddr,
    primary: Process,
    standbys: Vec<Process>,
}

impl Cluster {
    /// Starts it in an empty folder. If there are standbys, a commit waits until one of them has
    /// synced it, too.
    pub fn start(programs: &Programs, folder: &Path, standbys: usize) -> Result<Self> {
        let owner = owner(folder)?;
        let data = folder.join("primary");
        let mut initdb = programs.command("initdb", owner);
        initdb.args(["--auth=trust", "--encoding=UTF8", "--no-sync", "--username", USER, "-D"]);
        run(initdb.arg(&data).stderr(Stdio::null()))?;
        let (primary, address) = serve(programs, owner, &data)?;
        let mut cluster = Self { address, primary, standbys: Vec::new() };
        for number in 0..standbys {
            cluster.add_standby(programs, owner, &folder.join(format!("standby{number}")))?;
        }
        if standbys > 0 {
            cluster.ask("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (*)'")?;
            cluster.ask("SELECT pg_reload_conf()")?;
            cluster.wait_for_standbys(standbys)?;
        }
        Ok(cluster)
    }

    fn add_standby(&mut self, programs: &Programs, owner: Option<u32>, data: &Path) -> Result<()> {
        let mut copy = programs.command("pg_basebackup", owner);
        copy.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync", "-D"]).arg(data);
        let (ip, port) = (self.address.ip(), self.address.port());
        run(copy.arg(format!("--dbname=host={ip} port={port} user={USER}")))?;
        let (standby, _) = serve(programs, owner, data)?;
        self.standbys.push(standby);
        Ok(())
    }

    fn wait_for_standbys(&self, count: usize) -> Result<()> {
        let connected = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'quorum'";
        let begin = Instant::now();
        while self.ask(connected)?.as_deref() != Some(&count.to_string()) {
            ensure!(begin.elapsed() < TIMEOUT, "the standbys do not connect");
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    pub fn process(&self) -> u32 {
        self.primary.id()
    }

    pub fn has_standbys(&self) -> bool {
        !self.standbys.is_empty()
    }

    /// Executes a command, and returns the first value of its result.
    pub fn ask(&self, command: &str) -> Result<Option<String>> {
        self.ask_in("postgres", command)
    }

    /// [`Self::ask`] in another database.
    pub fn ask_in(&self, database: &str, command: &str) -> Result<Option<String>> {
        postgres::ask(&mut postgres::connect_to(self.address, database)?, command)
    }

    /// The URL of one of its databases.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@{}/{database}", self.address)
    }

    /// Stops all. The fast shutdown ends open connections.
    pub fn stop(self) -> Result<()> {
        self.primary.stop_by(Signal::INT)?;
        self.standbys.into_iter().try_for_each(|standby| standby.stop_by(Signal::INT))
    }
}

/// Starts a server, and waits until it answers: it accepts connections some time before.
fn serve(programs: &Programs, owner: Option<u32>, data: &Path) -> Result<(Process, SocketAddr)> {
    let address = free_address()?;
    let mut command = programs.command("postgres", owner);
    command.arg("-D").arg(data).args(["-h", "127.0.0.1", "-k", ""]);
    command.args(["-p", &address.port().to_string()]);
    command.args(["-c", &format!("max_connections={CONNECTIONS_MAX}")]);
    let process = Process::start(&mut command, address)?;
    let begin = Instant::now();
    while let Err(error) = postgres::connect_to(address, "postgres") {
        ensure!(begin.elapsed() < TIMEOUT, "{error}");
        thread::sleep(Duration::from_millis(10));
    }
    Ok((process, address))
}

/// The user to run as if this process is root: one that owns nothing else. That user gets access to
/// `folder`.
fn owner(folder: &Path) -> Result<Option<u32>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let owner = user_id("postgres")?;
    chown(folder, Some(owner), None)?;
    let_in(folder)?;
    Ok(Some(owner))
}
