//! `contrib/postgres/try-two-nodes`, which docs/scale-out.md recommends for a first try.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use crate::support::cli::{Home, outcome};
use crate::support::postgres::programs;
use crate::support::{operator, wait_until};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/postgres/try-two-nodes");
/// `nobody`, who exists everywhere: PostgreSQL refuses root.
const NOBODY: u32 = 65534;

/// A folder of a user who is not root, with the server in it.
fn place() -> TempDir {
    let place = TempDir::new().expect("a temporary folder");
    let server = place.path().join("chat-server");
    operator::copy_program(&server);
    fs::copy(SCRIPT, place.path().join("script")).expect("a copy");
    for path in [place.path(), &server] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).expect("our own");
    }
    if geteuid().is_root() {
        chown(place.path(), Some(NOBODY), Some(NOBODY)).expect("root gives a folder away");
    }
    place
}

fn script(place: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("bash");
    command.env_clear().env("LC_ALL", "C.UTF-8").env("HOME", place).current_dir(place);
    command.env("PATH", format!("{}:/usr/bin:/bin", place.display()));
    // How many seconds `pg_ctl` waits for a cluster.
    command.env("PGCTLTIMEOUT", "600");
    command.arg("script").args(arguments).stdin(Stdio::null());
    if geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// The script in its own process, which is told to stop when this is dropped.
struct Service {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Service {
    fn start(place: &Path) -> Self {
        let mut command = script(place, &["service", "0"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("bash starts");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        Self { child, lines }
    }

    /// The rest of the next line that begins so.
    fn line(&mut self, begins: &str) -> String {
        loop {
            let line = self.lines.next().expect("the service runs").expect("a line");
            if let Some(rest) = line.strip_prefix(begins) {
                return rest.to_owned();
            }
        }
    }

    fn tell(&mut self, command: &str) {
        let mut stdin = self.child.stdin.as_ref().expect("its input");
        writeln!(stdin, "{command}").expect("it reads");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

#[test]
fn service_to_try_delivers_through_a_failover_and_leaves_no_process() {
    if programs().is_none() {
        return;
    }
    let place = place();
    let mut service = Service::start(place.path());
    let said = service.line("try: chat-cli --server ");
    let (servers, _) = said.split_once(' ').expect("the servers");
    let first = servers.split(',').next().expect("a server").parse().expect("an address");
    let done = |home: &Home, arguments: &[&str]| -> String {
        let arguments = [&["--server", servers], arguments].concat();
        // On a slow machine a failover outlasts the patience of a command, which then says that it may
        // be tried again. The id makes that safe.
        let mut outcome = home.run(&arguments);
        wait_until(&format!("{arguments:?}"), || {
            if [69, 75].contains(&outcome.code) {
                outcome = home.run(&arguments);
            }
            ![69, 75].contains(&outcome.code)
        });
        assert_eq!(outcome.code, 0, "{arguments:?}: {outcome:?}");
        outcome.stdout
    };
    let [paff, neko] = ["paff", "neko"].map(|user| {
        let home = Home::new(first);
        done(&home, &["auth", user, "cytus"]);
        home
    });
    let send = |text: &str| drop(done(&paff, &["send", "--id", text, "neko", text]));
    send("before");
    service.tell("kill");
    send("during");
    service.line("the standby is the primary now");
    send("after");
    let inbox = done(&neko, &["inbox"]);
    let expected = r#"{"paff": [{"msg": "before"}, {"msg": "during"}, {"msg": "after"}]}"#;
    assert_eq!(inbox.trim_end(), expected);
    service.tell("quit");
    assert!(service.child.wait().expect("it ends").success());
    for cluster in ["a", "b"] {
        let lock = place.path().join("service").join(cluster).join("postmaster.pid");
        assert!(!lock.exists(), "{cluster} is stopped");
    }
    assert_eq!(paff.run(["--server", servers, "whoami"]).code, 69);
}

#[test]
fn service_to_try_is_refused_without_a_new_folder() {
    let place = place();
    fs::create_dir(place.path().join("there")).expect("a folder");
    for (arguments, code, said) in
        [(&[][..], 2, "error: no folder is given\n"), (&["there"][..], 73, "error: there exists\n")]
    {
        let refused = outcome(script(place.path(), arguments));
        assert_eq!(refused.code, code, "{refused:?}");
        assert!(refused.stderr.starts_with(said), "{refused:?}");
        assert!(refused.stderr.contains("\nhint: "), "{refused:?}");
    }
}
