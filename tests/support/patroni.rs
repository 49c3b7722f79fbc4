//! Three PostgreSQL servers under Patroni, which promotes a standby when the primary is gone. etcd holds
//! its lock. Each member has an address of its own, like a machine of its own.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::postgres::{OWNER, as_owner, done, give, kill_with_children, programs};
use super::replicas::DATABASE;
use super::skip::is_here;
use super::wait_until;

const MEMBERS: usize = 3;
// The usual ports.
const PORT: u16 = 5432;
const REST_PORT: u16 = 8008;
const ETCD_PORT: u16 = 2379;
const ETCD_PEER_PORT: u16 = 2380;
/// Starts a program and tells its process id. Ends it, and the PostgreSQL server in its folder, once
/// the other end of the standard input is closed. Without a line there it also removes the folder.
const WATCH: &str = r#"
    "$@" >>"$0/log" 2>&1 & started=$!
    echo $started
    read -r stays || remove=yes
    kill -KILL $started
    if read -r server <"$0/data/postmaster.pid"; then
        kill -QUIT $server
        for tenth in $(seq 100); do [ ! -e "$0/data/postmaster.pid" ] || sleep 0.1; done
    fi 2>/dev/null
    wait
    [ -z "$remove" ] || rm -rf "$0"
"#;

/// The three members and etcd. All end, and their folders are removed, when this is dropped.
pub struct Managed {
    members: Vec<Member>,
    _etcd: (Watched, TempDir),
    programs: PathBuf,
}

/// A PostgreSQL server and the Patroni that starts it.
struct Member {
    host: Ipv4Addr,
    patroni: Option<Watched>,
    folder: TempDir,
}

/// A program under [`WATCH`].
struct Watched {
    watch: Child,
    pid: Pid,
    stays: bool,
}

impl Managed {
    /// Starts the three with these lines of Patroni's section `dcs`, and creates the database.
    /// `None`, visibly, where a program is not installed.
    #[track_caller]
    pub fn start(settings: &str) -> Option<Self> {
        let programs = programs()?;
        if !is_here("etcd") || !is_here("patroni") {
            return None;
        }
        let etcd = folder();
        let etcd = (start_etcd(etcd.path()), etcd);
        let members: Vec<Member> = (0..MEMBERS)
            .map(|number| Member { host: host(number), folder: folder(), patroni: None })
            .collect();
        let mut managed = Self { _etcd: etcd, members, programs };
        for number in 0..MEMBERS {
            managed.configure(number, settings);
            managed.restart(number);
        }
        managed.wait_for_standbys(MEMBERS - 1);
        managed.psql("postgres", &format!("CREATE DATABASE {DATABASE}"));
        Some(managed)
    }

    fn configure(&self, number: usize, settings: &str) {
        let Member { host, folder, .. } = &self.members[number];
        let (folder, programs) = (folder.path().display(), self.programs.display());
        let etcd = self.members[0].host;
        let configuration = format!(
            "scope: chat\n\
             name: member{number}\n\
             etcd3: {{host: '{etcd}:{ETCD_PORT}'}}\n\
             restapi: {{listen: '{host}:{REST_PORT}', connect_address: '{host}:{REST_PORT}'}}\n\
             bootstrap:\n  \
               initdb: [{{encoding: UTF8}}, {{auth: trust}}, {{locale: C.UTF-8}}, data-checksums]\n  \
               dcs:\n\
             {settings}\
             postgresql:\n  \
               listen: '{host}:{PORT}'\n  \
               connect_address: '{host}:{PORT}'\n  \
               data_dir: {folder}/data\n  \
               bin_dir: {programs}\n  \
               pgpass: {folder}/pgpass\n  \
               parameters: {{unix_socket_directories: {folder}, shared_buffers: 64MB}}\n  \
               pg_hba: ['local all all trust', 'host all,replication all 127.0.0.0/8 trust']\n  \
               authentication: {{superuser: {{username: {OWNER}}}, replication: {{username: {OWNER}}}}}\n"
        );
        fs::write(self.members[number].configuration(), configuration).expect("our own folder");
    }

    /// Starts a member, which was never started or was killed. It becomes a standby if there is a
    /// primary.
    pub fn restart(&mut self, number: usize) {
        let member = &mut self.members[number];
        let mut patroni = Command::new("sh");
        patroni.args(["-c", WATCH]).arg(member.folder.path());
        patroni.arg("patroni").arg(member.configuration());
        member.patroni = Some(Watched::start(patroni));
    }

    /// Ends all processes of the primary with SIGKILL, Patroni first. Returns its number.
    pub fn kill_primary(&mut self) -> usize {
        let host = self.psql("postgres", "SELECT host(inet_server_addr())");
        let is_primary = |member: &Member| member.host.to_string() == host;
        let number = self.members.iter().position(is_primary).expect("one of the three");
        let member = &mut self.members[number];
        let mut patroni = member.patroni.take().expect("it runs");
        let _ = kill_process(patroni.pid, Signal::KILL);
        let pid = fs::read_to_string(member.folder.path().join("data/postmaster.pid"));
        let pid = pid.expect("it runs").lines().next().and_then(|pid| pid.parse().ok());
        kill_with_children(pid.and_then(Pid::from_raw).expect("a process id"));
        patroni.stays = true;
        number
    }

    /// Waits until a primary has so many standbys, and its commits wait for one of them.
    pub fn wait_for_standbys(&self, count: usize) {
        let sql = "SELECT count(*) || ' ' || bool_or(sync_state <> 'async')
                     FROM pg_stat_replication WHERE state = 'streaming'";
        wait_until("a synchronous standby", || {
            self.try_psql("postgres", sql).is_some_and(|found| found == format!("{count} true"))
        });
    }

    /// Executes SQL at the primary, in the schema of the servers.
    pub fn sql(&self, sql: &str) -> String {
        self.psql(DATABASE, &format!("SET search_path = chat; {sql}"))
    }

    /// The URL of the database, with every host.
    pub fn url(&self) -> String {
        format!("postgres://{OWNER}@{}/{DATABASE}", self.hosts())
    }

    fn hosts(&self) -> String {
        let hosts = self.members.iter().map(|member| member.host.to_string());
        hosts.collect::<Vec<_>>().join(",")
    }

    fn psql(&self, database: &str, sql: &str) -> String {
        done(&mut self.psql_command(database, sql)).trim_end().to_owned()
    }

    fn try_psql(&self, database: &str, sql: &str) -> Option<String> {
        let output = self.psql_command(database, sql).output().expect("it is installed");
        output
            .status
            .success()
            .then(|| String::from_utf8(output.stdout).expect("text"))
            .map(|found| found.trim_end().to_owned())
    }

    fn psql_command(&self, database: &str, sql: &str) -> Command {
        let mut command = Command::new(self.programs.join("psql"));
        as_owner(&mut command);
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql]);
        let hosts = self.hosts();
        command.arg(format!(
            "host={hosts} port={PORT} user={OWNER} dbname={database} \
             target_session_attrs=read-write connect_timeout=2"
        ));
        command
    }
}

impl Member {
    fn configuration(&self) -> PathBuf {
        self.folder.path().join("patroni.yml")
    }
}

impl Watched {
    fn start(mut command: Command) -> Self {
        as_owner(&mut command);
        command.env("LC_ALL", "C.UTF-8").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut watch = command.stderr(Stdio::null()).spawn().expect("sh");
        let mut pid = String::new();
        let told = BufReader::new(watch.stdout.take().expect("a pipe")).read_line(&mut pid);
        told.expect("a line");
        let pid = pid.trim_end().parse().ok().and_then(Pid::from_raw).expect("a process id");
        Self { watch, pid, stays: false }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut input = self.watch.stdin.take().expect("a pipe");
        if self.stays {
            let _ = input.write_all(b"stays\n");
        }
        drop(input);
        let _ = self.watch.wait();
    }
}

/// The address of a member. No other test listens at it, because the process id is a part of it.
fn host(number: usize) -> Ipv4Addr {
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 100 + u8::try_from(number).expect("a few"), high, low)
}

fn folder() -> TempDir {
    let folder = TempDir::new().expect("a temporary folder");
    give(folder.path());
    folder
}

fn start_etcd(folder: &Path) -> Watched {
    let address = host(0);
    let clients = format!("http://{address}:{ETCD_PORT}");
    let peers = format!("http://{address}:{ETCD_PEER_PORT}");
    let mut etcd = Command::new("sh");
    etcd.args(["-c", WATCH]).arg(folder).arg("etcd").arg("--data-dir").arg(folder.join("etcd"));
    etcd.args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients]);
    etcd.args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers]);
    etcd.args(["--initial-cluster", &format!("default={peers}")]);
    Watched::start(etcd)
}
