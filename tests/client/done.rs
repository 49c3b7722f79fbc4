//! `send --done`: every way in which a command can end, its output, its signals, and the message.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::cli::{Home, Outcome, outcome, outcome_with_input};
use crate::support::pty::{CTRL_C, Terminal};
use crate::support::skip::is_here;
use crate::support::{Server, wait_until};

/// paff runs commands, and neko is told.
struct Desk {
    server: Server,
    paff: Home,
    neko: Home,
}

impl Desk {
    fn new() -> Self {
        let server = Server::start();
        let (paff, neko) = (Home::of("paff", server.address()), Home::of("neko", server.address()));
        Self { server, paff, neko }
    }

    /// Runs a shell command in paff's home.
    fn sh(&self, script: &str) -> Outcome {
        self.paff.run(["send", "--done", "neko", "--", "sh", "-c", script])
    }

    fn start(&self, script: &str) -> Child {
        let mut command = self.paff.cli(["send", "--done", "neko", "--", "sh", "-c", script]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
    }

    /// The only message that neko has not read.
    fn told(&self) -> String {
        let outcome = self.neko.run(["inbox", "--raw"]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        let count = "select count(*) from v1_messages";
        let before = self.server.query(count);
        assert_eq!(self.neko.run(["unread"]).code, 1, "one message, {before:?}");
        outcome.stdout.strip_suffix('\n').expect("a line end").to_owned()
    }
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("it can be signalled");
}

/// Waits until the command has printed this.
fn wait_for(child: &mut Child, text: &str) {
    let stdout = child.stdout.as_mut().expect("an output");
    let mut seen = Vec::new();
    while !seen.ends_with(text.as_bytes()) {
        let mut byte = [0];
        assert_eq!(stdout.read(&mut byte).expect("output"), 1, "it has ended after {seen:?}");
        seen.push(byte[0]);
    }
}

#[test]
fn success_and_failure_are_told_with_the_last_lines_and_the_code_is_the_commands() {
    let desk = Desk::new();
    let outcome = desk.sh("echo one; echo two >&2; printf three");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "one\nthree"));
    assert_eq!(outcome.stderr, "two\n");
    let told = desk.told();
    let (headline, lines) = told.split_once('\n').unwrap();
    let begin = "sh -c echo one; echo two >&2; printf three succeeded after ";
    assert!(headline.starts_with(begin), "{told}");
    let mut lines: Vec<&str> = lines.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["one", "three", "two"]);
    assert_eq!(desk.sh("exit 3").code, 3);
    assert_eq!(desk.told(), "sh -c exit 3 failed with 3 after less than a second");
    assert_eq!(desk.sh("exit 255").code, 255);
    assert!(desk.told().contains(" failed with 255 after "));
    // The sender's language.
    let mut command = desk.paff.cli(["send", "--done", "neko", "--", "false"]);
    command.env("CHAT_LANG", "id");
    assert_eq!(outcome_of(command).code, 1);
    assert_eq!(desk.told(), "false gagal dengan 1 setelah kurang dari satu detik");
}

fn outcome_of(command: std::process::Command) -> Outcome {
    outcome(command)
}

#[test]
fn command_that_is_not_there_or_cannot_be_run_has_the_codes_of_the_shell() {
    let desk = Desk::new();
    let outcome = desk.paff.run(["send", "--done", "neko", "no-such-command", "-x"]);
    assert_eq!(outcome.code, 127, "{outcome:?}");
    let problem = "no-such-command could not be run: No such file or directory";
    assert!(outcome.stderr.starts_with(&format!("error: {problem}")), "{outcome:?}");
    let problem = "no-such-command -x could not be run: No such file or directory";
    assert!(desk.told().starts_with(problem));
    let file = desk.paff.path().join("no-program");
    std::fs::write(&file, "text").unwrap();
    let file = file.to_str().unwrap();
    let outcome = desk.paff.run(["send", "--done", "neko", file]);
    assert_eq!(outcome.code, 126, "{outcome:?}");
    assert!(desk.told().starts_with(&format!("{file} could not be run: Permission denied")));
}

#[test]
fn command_that_a_signal_ends_is_told_by_its_name() {
    let desk = Desk::new();
    for (name, code) in [("KILL", 137), ("TERM", 143), ("SEGV", 139), ("PIPE", 141)] {
        let outcome = desk.sh(&format!("kill -{name} $$"));
        assert_eq!(outcome.code, code, "{outcome:?}");
        let told = format!("sh -c kill -{name} $$ was ended by signal {name} after ");
        assert!(desk.told().starts_with(&told));
    }
}

#[test]
fn signals_are_passed_on_and_the_command_decides() {
    let desk = Desk::new();
    // The shell runs the trap when its child has ended.
    let wait = "echo ready; while :; do sleep 0.05; done";
    for (sent, name) in
        [(Signal::TERM, "TERM"), (Signal::INT, "INT"), (Signal::HUP, "HUP"), (Signal::QUIT, "QUIT")]
    {
        let mut child = desk.start(&format!("trap 'echo {name}; exit 7' {name}; {wait}"));
        wait_for(&mut child, "ready\n");
        signal(&child, sent);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(7), "{output:?}");
        assert_eq!(output.stdout, format!("{name}\n").as_bytes());
        let told = desk.told();
        assert!(told.contains(" failed with 7 after ") && told.ends_with(name), "{told}");
    }
    // Other signals do not end it, and a signal without a trap ends the command.
    let mut child = desk.start(&format!("trap 'echo usr' USR1; {wait}"));
    wait_for(&mut child, "ready\n");
    signal(&child, Signal::USR1);
    wait_for(&mut child, "usr\n");
    signal(&child, Signal::TERM);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.status.signal()), (Some(143), None));
    assert!(desk.told().contains(" was ended by signal TERM after "));
}

#[test]
fn ctrl_c_reaches_the_command_once() {
    if !is_here("setsid") {
        return;
    }
    let desk = Desk::new();
    let script = "trap 'echo once; n=$((n+1))' INT; echo ready; \
        i=0; while [ $i -lt 12 ] || [ -z \"$n\" ]; do sleep 0.05; i=$((i+1)); done; echo n=$n";
    for tail in ["0", "20"] {
        let words = ["send", "--tail", tail, "--done", "neko", "--", "sh", "-c", script];
        // Signals from the terminal need a session of its own.
        let mut command = desk.paff.command("setsid");
        command.args(["--ctty", "--wait", env!("CARGO_BIN_EXE_chat-cli")]).args(words);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let mut terminal = Terminal::start(command);
        terminal.wait_for("ready");
        terminal.keys(CTRL_C);
        terminal.wait_for("n=1");
        assert!(terminal.wait().success());
        assert!(desk.told().contains(" succeeded after "));
    }
}

#[test]
fn stopped_command_is_waited_for() {
    let desk = Desk::new();
    let mut child = desk.start("echo $$; kill -STOP $$; echo on; exit 4");
    let mut number = String::new();
    let stdout = child.stdout.as_mut().unwrap();
    while !number.ends_with('\n') {
        let mut byte = [0];
        assert_eq!(stdout.read(&mut byte).unwrap(), 1);
        number.push(char::from(byte[0]));
    }
    let stat = format!("/proc/{}/stat", number.trim());
    wait_until("it stops", || fs::read_to_string(&stat).unwrap().contains(") T "));
    assert!(child.try_wait().unwrap().is_none(), "it has not ended");
    assert_eq!(desk.neko.run(["unread"]).code, 1, "nothing is told yet");
    let process = Pid::from_raw(number.trim().parse().unwrap()).unwrap();
    kill_process(process, Signal::CONT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(4), &b"on\n"[..]));
    assert!(desk.told().contains(" failed with 4 after "));
}

#[test]
fn command_learns_that_its_output_is_closed() {
    let desk = Desk::new();
    let mut child = desk.start("echo first; while :; do echo more; done");
    wait_for(&mut child, "first\n");
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(141), "{output:?}");
    assert!(desk.told().contains(" was ended by signal PIPE after "));
    // A command that writes nothing more does not learn it.
    let script = "exec >&-; exit 5";
    assert_eq!(desk.sh(script).code, 5);
    assert!(desk.told().contains(" failed with 5 after "));
}

#[test]
fn input_is_the_commands_and_output_has_any_bytes() {
    let desk = Desk::new();
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let mut command = desk.paff.cli(["send", "--done", "neko", "cat"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let given = bytes.clone();
    let writer = std::thread::spawn(move || stdin.write_all(&given));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success() && output.stdout == bytes, "the output was changed");
    let told = desk.told();
    assert!(told.starts_with("cat succeeded after "), "{told:.40}");
    assert!(told.contains('\u{fffd}'), "the message has only text");
}

#[test]
fn gigabyte_of_output_passes_in_little_memory() {
    let desk = Desk::new();
    let size = crate::support::scaled(200_000_000, 1_000_000_000);
    // Keeping the output would need more address space than the limit allows.
    let script = format!(
        "ulimit -v 150000; exec $CLI send --done neko -- sh -c 'head -c {size} /dev/zero; echo; \
         yes | head -n 100000; echo end' | wc -c"
    );
    let outcome = outcome_of(desk.paff.sh(&script));
    let expected = size + 1 + 200_000 + 4;
    assert_eq!(outcome.stdout.trim(), expected.to_string(), "{outcome:?}");
    let told = desk.told();
    let lines: Vec<&str> = told.lines().skip(1).collect();
    assert_eq!((lines.len(), lines[0], lines[19]), (20, "y", "end"), "{told:.200}");
}

#[test]
fn message_has_as_many_lines_as_asked_for_and_fit() {
    let desk = Desk::new();
    let run = |tail: &str, script: &str| {
        let outcome =
            desk.paff.run(["send", "--tail", tail, "--done", "neko", "--", "sh", "-c", script]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        desk.told()
    };
    assert_eq!(run("2", "seq 1 9").lines().skip(1).collect::<Vec<_>>(), ["8", "9"]);
    assert_eq!(run("0", "seq 1 9").lines().count(), 1);
    let told = run("1000", "seq -f '%0999g' 1 100");
    assert!(told.len() <= 32 * 1024 && told.ends_with("100"), "{}", told.len());
    assert_eq!(told.lines().count(), 1 + 32);
    for wrong in ["-1", "1001", "many"] {
        let outcome = desk.paff.run(["send", "--tail", wrong, "--done", "neko", "true"]);
        assert_eq!(outcome.code, 2, "{wrong}");
    }
}

#[test]
fn process_that_is_left_behind_is_not_waited_for() {
    let desk = Desk::new();
    let begun = Instant::now();
    let outcome = desk.sh("sleep 600 & echo $!");
    assert!(begun.elapsed() < Duration::from_secs(300));
    assert_eq!(outcome.code, 0);
    let process = Pid::from_raw(outcome.stdout.trim().parse().unwrap()).unwrap();
    kill_process(process, Signal::KILL).unwrap();
    assert!(desk.told().contains(" succeeded after "));
}

#[test]
fn mistakes_are_found_before_the_command_runs() {
    let desk = Desk::new();
    let ran = desk.paff.path().join("ran");
    let touch = format!("touch {}", ran.display());
    for (words, code) in [
        (&["send", "--done", "No Such", "--", "sh", "-c", &touch][..], 67),
        (&["send", "--done", "neko"], 2),
        (&["send", "--done", "--lines", "neko", "sh"], 2),
        (&["send", "--done", "-F", "x", "neko", "sh"], 2),
        (&["send", "--tail", "3", "neko", "hai"], 2),
        (&["send", "--done-pid", "0", "neko"], 2),
        (&["send", "--done-pid", "1", "neko", "hai"], 2),
    ] {
        assert_eq!(desk.paff.run(words).code, code, "{words:?}");
    }
    assert_eq!(desk.paff.run(["logout"]).code, 0);
    assert_eq!(desk.sh(&touch).code, 77);
    assert!(!ran.exists(), "the command was run");
}

#[test]
fn command_runs_without_a_server_and_its_code_is_kept() {
    let mut desk = Desk::new();
    desk.server.stop();
    let outcome = desk.sh("echo work; exit 9");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (9, "work\n"));
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert_eq!(lines[0], "note: the result of the command was not sent to neko");
    assert!(lines[1].starts_with("error: cannot reach 127.0.0.1:"), "{outcome:?}");
    let outcome = desk.paff.run(["--json", "send", "--done", "neko", "true"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, ""));
    assert!(outcome.stderr.contains("\"code\": \"unreachable\""), "{outcome:?}");
    let outcome = desk.paff.run(["send", "--done", "nosuchuser", "true"]);
    assert_eq!(outcome.code, 0, "nobody can know the users without a server");
}

#[test]
fn message_is_stored_once_under_its_id_and_for_all_recipients() {
    let desk = Desk::new();
    let words = ["send", "--id", "night-7", "--done", "neko,ivy", "--", "sleep", "0"];
    assert_eq!(desk.paff.run(words).code, 0);
    assert_eq!(desk.paff.run(words).code, 0, "it has the same result, and is one message");
    assert_eq!(desk.server.query("select count(*) from v1_messages"), ["2"]);
    let outcome = desk.paff.run(["send", "--done", "neko,nosuchuser", "true"]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(
        outcome
            .stderr
            .contains("note: the result of the command was not sent to neko, nosuchuser\n"),
        "{outcome:?}"
    );
    assert!(outcome.stderr.contains("nosuchuser"), "{outcome:?}");
    let input = outcome_with_input(desk.paff.cli(["send", "--done", "neko", "cat"]), b"in");
    assert_eq!(input.stdout, "in");
}

#[test]
fn end_of_a_running_process_is_told() {
    let desk = Desk::new();
    let mut sleeper = std::process::Command::new("sleep").arg("600").spawn().unwrap();
    let number = sleeper.id().to_string();
    let mut waiter = desk.paff.cli(["send", "--done-pid", &number, "neko"]).spawn().unwrap();
    let open = format!("/proc/{}/fd", waiter.id());
    wait_until("it waits for the process", || {
        assert!(waiter.try_wait().unwrap().is_none(), "the process runs");
        let files = fs::read_dir(&open).unwrap();
        let mut links = files.filter_map(|file| fs::read_link(file.unwrap().path()).ok());
        links.any(|link| link.to_string_lossy().contains("pidfd"))
    });
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    assert!(waiter.wait().unwrap().success());
    assert!(desk.told().starts_with(&format!("sleep (process {number}) ended after ")));
    let outcome = desk.paff.run(["send", "--done-pid", &number, "neko"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    let problem = format!("error: there is no process {number}, or it has ended\n");
    assert_eq!(outcome.stderr, problem);
}
