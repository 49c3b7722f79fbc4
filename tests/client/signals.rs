//! `watch --exec`, its command and signals: the command gets the signal, its success stays
//! recorded, and no cursor has two commands at once, however the processes were killed.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};
use std::thread;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::support::cli::{Home, Outcome, outcome, start};
use crate::support::{Server, wait_until};

const SIGNALS: [Signal; 4] = [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT];

/// A `watch --exec sh -c SCRIPT` and its output.
struct Watch {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Watch {
    fn start(home: &Home, cursor: &str, script: &str) -> Self {
        let words = ["watch", "--events", "--json", "--as", cursor, "--max-tries", "9"];
        let mut command = with_default_signals(home);
        command.args(words).args(["--exec", "sh", "-c", script]);
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        let mut child = start(&mut command);
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut watch = Self { child, lines };
        while !watch.line().contains("caught_up") {}
        watch
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        let count = self.lines.read_line(&mut line).unwrap();
        assert!(count > 0, "it has ended: {}", self.said());
        line.trim_end().to_owned()
    }

    fn said(&mut self) -> String {
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        said
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end, which must be by this signal.
    fn ends_by(mut self, signal: Signal, state: &str) -> String {
        let ended = self.child.wait().unwrap().signal();
        let said = self.said();
        assert_eq!(ended, Some(signal.as_raw()), "{state}, {signal:?}: {said}");
        said
    }
}

/// `chat-cli` without ignored signals: a shell ignores some for background jobs, which may include
/// the tests.
fn with_default_signals(home: &Home) -> Command {
    let mut command = home.command("env");
    command.args(["--default-signal=TERM,INT,HUP,QUIT", env!("CARGO_BIN_EXE_chat-cli")]);
    command
}

/// The state of a process as the letter that `ps` shows; `None` if there is no such process.
fn state_of(process: &str) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn is_running(process: &str) -> bool {
    let pid = Pid::from_raw(process.parse().unwrap()).unwrap();
    test_kill_process(pid).is_ok() && state_of(process) != Some('Z')
}

fn send(server: &Server, text: &str) {
    server.connect().done(format!("send {} neko {text}", server.log_in("paff")));
}

/// The messages that another `watch` of the cursor finds.
fn rest(home: &Home, cursor: &str) -> Outcome {
    home.run([
        "watch",
        "--as",
        cursor,
        "--exit-at-end",
        "--exec",
        "sh",
        "-c",
        "echo again $CHAT_ID",
    ])
}

/// A state of the command when a signal arrives, and the messages that are left after it.
struct State {
    name: &'static str,
    /// The script prints its process id when it is in that state, or about to be.
    script: &'static str,
    again: &'static str,
}

const RUNNING: State =
    State { name: "running", script: "echo $$; exec sleep 90", again: "again 1\n" };
const ACHIEVING: State = State {
    name: "ending well when it is told",
    script: "trap 'kill $!; exit 0' TERM INT HUP QUIT; sleep 90 & echo $$; wait",
    again: "",
};
const LEADER: State = State {
    name: "running, with a process of its own that ignores it",
    script: "(trap '' TERM INT HUP QUIT; exec sleep 90) & echo $$; wait",
    again: "again 1\n",
};
const IGNORING: State = State {
    name: "ignoring it",
    script: "trap '' TERM INT HUP QUIT; echo $$; exec sleep 90",
    again: "again 1\n",
};
const STOPPED: State =
    State { name: "stopped", script: "echo $$; kill -STOP $$; exec sleep 90", again: "again 1\n" };

#[test]
fn every_signal_reaches_the_command_in_every_state_and_its_success_stays_recorded() {
    let states = [RUNNING, ACHIEVING, LEADER, IGNORING, STOPPED];
    thread::scope(|scope| {
        for state in &states {
            scope.spawn(move || {
                let server = Server::start();
                let home = Home::of("neko", server.address());
                let cursors = ["term", "int", "hup", "quit"];
                let mut watches: Vec<(Watch, &str)> = cursors
                    .iter()
                    .map(|cursor| (Watch::start(&home, cursor, state.script), *cursor))
                    .collect();
                send(&server, "job");
                let processes: Vec<String> =
                    watches.iter_mut().map(|(watch, _)| watch.line()).collect();
                if state.name == STOPPED.name {
                    for process in &processes {
                        wait_until("it stops", || state_of(process) == Some('T'));
                    }
                }
                for ((watch, _), signal) in watches.iter().zip(SIGNALS) {
                    watch.signal(signal);
                }
                for (((watch, cursor), signal), process) in
                    watches.into_iter().zip(SIGNALS).zip(processes)
                {
                    watch.ends_by(signal, state.name);
                    assert!(!is_running(&process), "{}, {signal:?}", state.name);
                    let rest = rest(&home, cursor);
                    let told = (rest.code, rest.stdout.as_str());
                    assert_eq!(told, (0, state.again), "{}, {signal:?}: {rest:?}", state.name);
                    assert_eq!(home.run(["watch", "--as", cursor, "--dead"]).code, 1);
                }
            });
        }
    });
}

#[test]
fn signal_before_the_command_and_between_its_tries_ends_it_at_once() {
    let server = Server::start();
    let home = Home::of("neko", server.address());
    for signal in SIGNALS {
        let watch = Watch::start(&home, "idle", "exit 1");
        watch.signal(signal);
        watch.ends_by(signal, "idle");
    }
    send(&server, "job");
    for signal in SIGNALS {
        let script = "echo $$; exit 1";
        let mut command = with_default_signals(&home);
        command.args(["watch", "--as", "w", "--max-tries", "9", "--exec", "sh", "-c", script]);
        let mut child = start(&mut command);
        let mut notes = BufReader::new(child.stderr.take().unwrap()).lines();
        // The pause after it is longer than a signal takes.
        while !notes.next().unwrap().unwrap().contains("try 4 of 9") {}
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(signal.as_raw()));
        assert_eq!(home.run(["watch", "--as", "w", "--dead"]).code, 1, "it was not given up");
    }
    assert_eq!(rest(&home, "w").stdout, "again 1\n");
}

#[test]
fn success_is_recorded_though_a_signal_arrives_before_the_acknowledgement() {
    for signal in SIGNALS {
        let server = Server::start();
        let home = Home::of("neko", server.address());
        let gate = home.path().join("gate");
        rustix::fs::mkfifoat(rustix::fs::CWD, &gate, 0o600.into()).unwrap();
        let script = format!("echo $$; read line <{}; exit 0", gate.display());
        let mut watch = Watch::start(&home, "w", &script);
        send(&server, "job");
        let process = watch.line();
        server.freeze();
        fs::write(&gate, "go\n").unwrap();
        wait_until("it ends", || state_of(&process).is_none());
        watch.signal(signal);
        server.signal(Signal::CONT);
        watch.ends_by(signal, "ended");
        assert_eq!(rest(&home, "w").stdout, "", "{signal:?}");
    }
}

/// Whenever it arrives, also while the command starts.
#[test]
fn signal_at_any_moment_leaves_no_command_behind() {
    let server = Server::start();
    let home = Home::of("neko", server.address());
    for (round, signal) in SIGNALS.into_iter().cycle().take(24).enumerate() {
        let watch = Watch::start(&home, "w", "exec sleep 90");
        send(&server, "job");
        // The message arrives after an unknown moment.
        for _ in 0..round * 40 {
            thread::yield_now();
        }
        watch.signal(signal);
        watch.ends_by(signal, "at any moment");
        let rest = rest(&home, "w");
        assert_eq!((rest.code, rest.stdout.lines().count()), (0, 1), "{rest:?}");
    }
}

#[test]
fn command_whose_watch_was_killed_keeps_the_next_one_away_until_it_ends() {
    let server = Server::start();
    let home = Home::of("neko", server.address());
    let mut watch = Watch::start(&home, "w", "echo $$; exec sleep 90");
    send(&server, "job");
    let process = watch.line();
    wait_until("the watch notes its command", || lock_names(&home, &process));
    watch.signal(Signal::KILL);
    watch.child.wait().unwrap();
    assert!(is_running(&process));
    for _ in 0..2 {
        let refused = rest(&home, "w");
        assert_eq!((refused.code, refused.stdout.as_str()), (75, ""), "{refused:?}");
        let named = format!("for message 1 is still running: process {process}\n");
        assert!(refused.stderr.contains(&named), "{refused:?}");
    }
    // Another cursor has another lock.
    assert_eq!(rest(&home, "v").stdout, "again 1\n");
    kill_process(Pid::from_raw(process.parse().unwrap()).unwrap(), Signal::KILL).unwrap();
    wait_until("it ends", || !is_running(&process));
    assert_eq!(rest(&home, "w").stdout, "again 1\n");
}

/// Whether a cursor's lock file names this process.
fn lock_names(home: &Home, process: &str) -> bool {
    fs::read_dir(home.state()).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        path.extension().is_some_and(|extension| extension == "lock")
            && fs::read_to_string(&path).unwrap().contains(process)
    })
}

#[test]
fn second_watch_of_a_cursor_is_refused_and_the_holder_is_named() {
    let server = Server::start();
    let home = Home::of("neko", server.address());
    let watch = Watch::start(&home, "w", "true");
    let refused = rest(&home, "w");
    let named = format!("handles the messages of cursor w: process {}\n", watch.child.id());
    assert!(refused.code == 75 && refused.stderr.contains(&named), "{refused:?}");
    // The lock does not concern a `watch` without `--exec`, or another user of this home.
    assert_eq!(home.run(["watch", "--as", "w", "--exit-at-end"]).code, 0);
    assert_eq!(home.run(["--user", "ivy", "auth", "ivy", "cytus"]).code, 0);
    let other = ["--user", "ivy", "watch", "--as", "w", "--exit-at-end", "--exec", "true"];
    assert_eq!(home.run(other).code, 0);
    watch.signal(Signal::TERM);
    watch.ends_by(Signal::TERM, "idle");
    assert_eq!(rest(&home, "w").code, 0);
}

#[test]
fn signal_that_was_ignored_from_the_start_stays_ignored() {
    let server = Server::start();
    let home = Home::of("neko", server.address());
    let script =
        "trap '' HUP; exec $CLI watch --events --json --as w --exec sh -c 'echo $$; exec sleep 90'";
    let mut watch = Watch::of(home.sh(script));
    send(&server, "job");
    let process = watch.line();
    watch.signal(Signal::HUP);
    watch.signal(Signal::TERM);
    watch.ends_by(Signal::TERM, "running");
    assert!(!is_running(&process));
}

#[test]
fn stopping_the_watch_stops_the_command_too() {
    let server = Server::start();
    let home = Home::of("neko", server.address());
    let mut watch = Watch::start(&home, "w", "echo $$; exec sleep 90");
    send(&server, "job");
    let process = watch.line();
    watch.signal(Signal::TSTP);
    wait_until("both stop", || {
        state_of(&process) == Some('T') && state_of(&watch.child.id().to_string()) == Some('T')
    });
    watch.signal(Signal::CONT);
    wait_until("both go on", || {
        state_of(&process) != Some('T') && state_of(&watch.child.id().to_string()) != Some('T')
    });
    watch.signal(Signal::TERM);
    watch.ends_by(Signal::TERM, "running");
}

/// Without a place for the lock, nothing runs.
#[test]
fn command_is_not_run_where_there_is_no_place_for_the_lock() {
    let server = Server::start();
    let home = Home::of("neko", server.address());
    let mut command = home.cli(["watch", "--as", "w", "--exit-at-end", "--exec", "true"]);
    command.env("CHAT_TOKEN", home.token()).env_remove("HOME").env_remove("XDG_STATE_HOME");
    assert_eq!(outcome(command).code, 78);
}
