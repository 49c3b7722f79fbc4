//! A PostgreSQL server for the tests of one program. It starts with the first test that needs it,
//! as a user who is not root, in a temporary folder that has its socket. It ends with the program.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use postgres::{SimpleQueryMessage, SimpleQueryRow};

use super::skip;

/// Where Debian keeps the versions.
const VERSIONS: &str = "/usr/lib/postgresql";
/// The oldest version that is supported.
const VERSION_MIN: u32 = 15;
/// Whom to become where the tests run as root: `initdb` refuses root.
const OTHER_USERS: [&str; 2] = ["postgres", "nobody"];
/// Ends the server and removes its folder, once the program that holds the other end of the
/// standard input has ended, however it ended.
const WATCH: &str = r#"
    "$@" >"$0/log" 2>&1 & server=$!
    echo started
    cat >/dev/null
    kill -QUIT $server; wait $server
    rm -rf "$0"
"#;

/// The server of this program.
pub struct Cluster {
    folder: PathBuf,
    programs: PathBuf,
    /// The server, whose standard input ends with this program.
    _watch: Child,
}

/// A new, empty database: its URL. `None` if PostgreSQL is not installed; then the calling test is
/// skipped and says so.
#[track_caller]
pub fn new_database() -> Option<String> {
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let Some(cluster) = CLUSTER.get_or_init(start) else {
        skip::skip("PostgreSQL 15", "install postgresql");
        return None;
    };
    let name = format!("test_{}", COUNT.fetch_add(1, Ordering::SeqCst));
    cluster.run("createdb", &["-h", cluster.socket(), "-U", "chat", &name]);
    Some(cluster.url(&name))
}

/// The rows of a query, columns joined by `|`.
pub fn query(url: &str, sql: &str) -> Vec<String> {
    let mut config: postgres::Config = url.parse().expect("a URL");
    config.options("-c search_path=chat");
    let mut client = config.connect(postgres::NoTls).expect("the database answers");
    let answers = client.simple_query(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let rows = answers.iter().filter_map(|answer| match answer {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let column = |row: &SimpleQueryRow, index| row.get(index).unwrap_or_default().to_owned();
    let line = |row: &SimpleQueryRow| -> Vec<String> {
        (0..row.len()).map(|index| column(row, index)).collect()
    };
    rows.map(|row| line(row).join("|")).collect()
}

/// Executes a statement. Gives the number of rows that it changed.
pub fn change(url: &str, sql: &str) -> usize {
    let rows =
        query(url, &format!("WITH changed AS ({sql} RETURNING 1) SELECT count(*) FROM changed"));
    rows[0].parse().expect("a number")
}

impl Cluster {
    fn socket(&self) -> &str {
        self.folder.to_str().expect("UTF-8")
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://chat@/{database}?host={}", self.socket())
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let output = Command::new(self.programs.join(program))
            .env_clear()
            .args(arguments)
            .output()
            .expect("the program runs");
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The folder of the newest version.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(VERSIONS).ok()?.filter_map(|entry| {
        let version = entry.ok()?.file_name().to_str()?.parse::<u32>().ok()?;
        let programs = Path::new(VERSIONS).join(version.to_string()).join("bin");
        (version >= VERSION_MIN && programs.join("initdb").exists()).then_some((version, programs))
    });
    versions.max().map(|(_, programs)| programs)
}

fn start() -> Option<Cluster> {
    let programs = programs()?;
    let folder = tempfile::Builder::new().prefix("chat-pg-").tempdir().ok()?.keep();
    let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    let user = is_root.then(|| OTHER_USERS.into_iter().find(|user| has_user(user))).flatten();
    if let Some(user) = user {
        done(Command::new("chown").arg(user).arg(&folder));
    }
    done(Command::new("chmod").arg("755").arg(&folder));
    let data = folder.join("data");
    done(
        as_user(user, &programs.join("initdb"))
            .args(["--no-sync", "--no-instructions", "-A", "trust", "-U", "chat", "-E", "UTF8"])
            .args(["--locale=C.UTF-8", "-D"])
            .arg(&data),
    );
    let mut server = Command::new("sh");
    server.args(["-c", WATCH]).arg(&folder);
    let postgres = as_user(user, &programs.join("postgres"));
    server.arg(postgres.get_program()).args(postgres.get_args()).arg("-D").arg(&data).arg("-k");
    server.arg(&folder);
    // A test's server is never cut from the power.
    let settings = ["listen_addresses=", "fsync=off", "max_connections=400", "shared_buffers=32MB"];
    for setting in settings {
        server.args(["-c", setting]);
    }
    let mut watch =
        server.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the server starts");
    let mut line = String::new();
    let stdout = watch.stdout.take().expect("its standard output");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    let cluster = Cluster { folder, programs, _watch: watch };
    wait_until_ready(&cluster);
    Some(cluster)
}

fn wait_until_ready(cluster: &Cluster) {
    let begun = std::time::Instant::now();
    loop {
        let ready = Command::new(cluster.programs.join("pg_isready"))
            .args(["-q", "-h", cluster.socket()])
            .status()
            .expect("pg_isready runs");
        if ready.success() {
            return;
        }
        let log = fs::read_to_string(cluster.folder.join("log")).unwrap_or_default();
        assert!(begun.elapsed().as_secs() < 60, "PostgreSQL does not start: {log}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

fn has_user(name: &str) -> bool {
    Command::new("id").arg(name).output().is_ok_and(|output| output.status.success())
}

/// A program, as another user.
fn as_user(user: Option<&str>, program: &Path) -> Command {
    let Some(user) = user else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    command.args(["--reuid", user, "--regid"]);
    command.arg(if user == "nobody" { "nogroup" } else { user });
    command.arg("--clear-groups").arg(program);
    command
}

fn done(command: &mut Command) {
    let output = command.output().expect("the program runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
