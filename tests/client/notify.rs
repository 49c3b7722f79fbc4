//! `watch --notify`, with a notify-send of our own and with terminals.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;

use crate::support::cli::{Home, Outcome, told};
use crate::support::pty::Terminal;
use crate::support::{Server, wait_until};

/// paff sends, and neko has a desktop.
struct Desk {
    server: Server,
    paff: Home,
    neko: Home,
}

/// Writes its arguments into the file `calls`, each on a line, and `end` after the last one.
const RECORD: &str = r#"case "$1" in --help) echo " -A, --action=NAME=Text"; exit 0;; esac
    text=$(printf '%s\n' "$@" end; echo .); printf '%s' "${text%.}" >>"$HOME/calls""#;

impl Desk {
    /// A desktop whose notify-send runs this script after it has written its arguments.
    fn new(script: &str) -> Self {
        let desk = Self::bare();
        desk.install(&format!("{RECORD}\n{script}\n"));
        desk
    }

    /// Without notify-send.
    fn bare() -> Self {
        let server = Server::start();
        let (paff, neko) = (Home::of("paff", server.address()), Home::of("neko", server.address()));
        fs::create_dir(neko.path().join("bin")).unwrap();
        Self { server, paff, neko }
    }

    fn install(&self, script: &str) {
        let program = self.path("bin/notify-send");
        fs::write(&program, format!("#!/bin/sh\n{script}")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.neko.path().join(name)
    }

    /// `watch --notify` with these options.
    fn watch(&self, options: &[&str]) -> Command {
        let mut command = self.neko.cli(["watch", "--notify"].iter().chain(options));
        let path = format!("{}:/usr/bin:/bin", self.path("bin").display());
        command.env("PATH", path).env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere");
        command
    }

    fn run(&self, options: &[&str]) -> Outcome {
        told(self.watch(options).output().unwrap())
    }

    /// Starts a watch, and waits until it watches.
    fn start(&self, options: &[&str]) -> Watch {
        let words = ["--json", "--events", "--since", "new"];
        let words: Vec<&str> = words.iter().chain(options).copied().collect();
        let mut command = self.watch(&words);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut watch = Watch { child, lines };
        assert_eq!(watch.object()["event"], "ready");
        assert_eq!(watch.object()["event"], "caught_up");
        watch
    }

    fn send(&self, words: &[&str]) {
        let outcome = self.paff.run(["send"].iter().chain(words));
        assert_eq!(outcome.code, 0, "{outcome:?}");
    }

    /// paff asks neko, and does not wait for the answer.
    fn ask(&self) {
        self.send(&["--tag", "ask,choice:yes,choice:no", "neko", "go?"]);
    }

    /// The arguments of each call of notify-send.
    fn calls(&self) -> Vec<Vec<String>> {
        let text = fs::read_to_string(self.path("calls")).unwrap_or_default();
        let calls = text.split("\nend\n").filter(|call| !call.is_empty());
        calls.map(|call| call.lines().map(str::to_owned).collect()).collect()
    }

    /// The number that a script has written into a file.
    fn number(&self, name: &str) -> Option<Pid> {
        let text = fs::read_to_string(self.path(name)).ok()?;
        Pid::from_raw(text.strip_suffix('\n')?.parse().ok()?)
    }

    /// What neko has sent to paff: text and the message that it answers.
    fn answers(&self) -> Vec<String> {
        let sql = "select body, reply_to from v2_messages where sender = 'neko' order by id";
        self.server.query(sql)
    }
}

struct Watch {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Watch {
    fn object(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end, and returns its standard error.
    fn stderr(mut self) -> String {
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        self.child.wait().unwrap();
        text
    }
}

#[test]
fn message_is_shown_on_the_desktop_with_its_sender_and_urgency() {
    let desk = Desk::new("");
    let watch = desk.start(&["-n", "2"]);
    let details =
        ["--title", "Build <417>", "--priority", "urgent", "--click", "https://ci.example/4"];
    desk.send(
        &[&details[..], &["neko", "--", "-u <b>no markup</b> \\033[31m\x1b]0;x\x07"]].concat(),
    );
    wait_until("the first call", || desk.calls().len() == 1);
    desk.send(&["--priority", "low", "neko", "hai"]);
    assert_eq!(watch.stderr(), "");
    let calls = desk.calls();
    let begin = ["--app-name=chat-cli", "--category=im.received"];
    let first = [
        "--urgency=critical",
        "--",
        "paff: Build <417>",
        "[urgent]",
        "-u &lt;b&gt;no markup&lt;/b&gt; \\\\033[31m\\\\x1b]0;x\\\\x07",
        "-&gt; https://ci.example/4",
    ];
    assert_eq!(calls[0], [&begin[..], &first].concat());
    assert_eq!(calls[1], [&begin[..], &["--urgency=low", "--", "paff", "[low]", "hai"]].concat());
}

#[test]
fn stored_messages_are_told_together_if_they_are_many() {
    let desk = Desk::new("");
    for number in 0..5 {
        desk.send(&["neko", &number.to_string()]);
    }
    let outcome = desk.run(&["--exit-at-end", "--raw"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "0\n1\n2\n3\n4\n"), "{outcome:?}");
    let calls = desk.calls();
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert!(calls[0].ends_with(&["5 new messages".to_owned(), "from paff".to_owned()]));
    fs::remove_file(desk.path("calls")).unwrap();
    desk.run(&["--exit-at-end", "-n", "2"]);
    assert_eq!(desk.calls().len(), 2, "each of a few messages");
}

#[test]
fn filter_decides_about_notifications_too() {
    let desk = Desk::new("");
    desk.send(&["neko", "hai"]);
    desk.send(&["--priority", "high", "neko", "fire"]);
    desk.run(&["--exit-at-end", "--min-priority", "high"]);
    let calls = desk.calls();
    assert!(calls.len() == 1 && calls[0].ends_with(&["fire".to_owned()]), "{calls:?}");
}

#[test]
fn notifier_that_hangs_delays_nothing_and_is_ended() {
    let desk = Desk::new(r#"trap '' INT; echo $$ >"$HOME/pid"; exec sleep 1000"#);
    let mut watch = desk.start(&[]);
    desk.send(&["neko", "one"]);
    assert_eq!(watch.object()["body"], "one");
    wait_until("it runs", || desk.number("pid").is_some());
    let hanging = desk.number("pid").unwrap();
    desk.send(&["neko", "two"]);
    assert_eq!(watch.object()["body"], "two");
    assert!(desk.calls().len() == 1, "the first notification is still being shown");
    // It is ended and reaped at its time limit, and the next notification is tried.
    wait_until("the second call", || desk.calls().len() == 2);
    assert!(test_kill_process(hanging).is_err(), "the first process is left over");
    wait_until("it runs", || desk.number("pid").is_some_and(|pid| pid != hanging));
    let hanging = desk.number("pid").unwrap();
    // A signal ends it too.
    watch.signal(Signal::TERM);
    assert_eq!(watch.child.wait().unwrap().signal(), Some(Signal::TERM.as_raw()));
    assert!(test_kill_process(hanging).is_err(), "the second process is left over");
    assert_eq!(watch.stderr(), "note: notify-send failed: it did not end within 5 s\n");
}

#[test]
fn failing_notifier_is_reported_once_and_the_terminal_is_used() {
    let desk = Desk::new("echo 'no bus' >&2; exit 3");
    let mut terminal = Terminal::start(desk.watch(&["--since", "new", "--events"]));
    terminal.wait_for("caught_up");
    desk.send(&["neko", "one"]);
    terminal.wait_until("the bell", |terminal| terminal.transcript().contains('\x07'));
    desk.send(&["neko", "two"]);
    terminal
        .wait_until("both bells", |terminal| terminal.transcript().matches('\x07').count() == 2);
    let screen = terminal.screen();
    let note = "note: notify-send failed: code 3: no bus";
    assert_eq!(screen.matches(note).count(), 1, "{screen}");
    assert!(screen.contains("one") && screen.contains("two"), "{screen}");
}

#[test]
fn terminal_gets_what_it_understands() {
    let desk = Desk::bare();
    let osc9 = "\x1b]9;paff: Build: [high] 4,7 \\x07\x1b\\";
    let osc777 = "\x1b]777;notify;paff: Build;[high] 4,7 \\x07\x1b\\";
    for (term, program, sequence) in [
        ("xterm", "", "\x07"),
        ("xterm", "iTerm.app", osc9),
        ("foot", "", osc777),
        ("tmux-256color", "iTerm.app", "\x07"),
    ] {
        let mut command = desk.watch(&["--since", "new", "--events", "-n", "1"]);
        command.env("TERM", term).env("TERM_PROGRAM", program);
        let mut terminal = Terminal::start(command);
        terminal.wait_for("caught_up");
        desk.send(&["--title", "Build", "--priority", "high", "neko", "4;7\n\x07"]);
        assert!(terminal.wait().success());
        let (_, after) = terminal.transcript().split_once("caught_up").unwrap();
        assert_eq!(after.matches(['\x07']).count(), sequence.matches('\x07').count());
        assert_eq!(after.matches("\x1b]").count(), sequence.matches("\x1b]").count());
        assert!(after.ends_with(sequence), "{after:?}");
    }
}

#[test]
fn without_desktop_and_terminal_the_stream_goes_on_and_says_so() {
    let desk = Desk::bare();
    desk.send(&["neko", "hai"]);
    let outcome = desk.run(&["--exit-at-end", "--raw"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "hai\n"));
    let note =
        "note: no notifications: there is neither notify-send with a desktop, nor a terminal\n";
    assert_eq!(outcome.stderr, note);
    assert_eq!(desk.neko.run(["watch", "--notify", "--exec", "true"]).code, 2);
}

#[test]
fn button_of_a_question_sends_the_answer_once_for_all_watchers() {
    // The second choice, when the test says so.
    let wait = r#"while [ ! -e "$HOME/go" ]; do sleep 0.02; done; echo 1"#;
    let desk = Desk::new(wait);
    let mut watchers = [desk.start(&[]), desk.start(&[])];
    let ask = ["--json", "ask", "--choice", "deploy,abort=now", "neko", "go?"];
    let asked = desk.paff.cli(ask).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let id = watchers.each_mut().map(|watch| watch.object()["id"].as_i64().unwrap())[0];
    wait_until("both show it", || desk.calls().len() == 2);
    for call in desk.calls() {
        assert_eq!(call[3..5], ["--action=0=deploy", "--action=1=abort=now"], "{call:?}");
    }
    // Other notifications do not wait for it.
    desk.send(&["neko", "hai"]);
    wait_until("the next ones", || desk.calls().len() == 4);
    fs::write(desk.path("go"), "").unwrap();
    let outcome = told(asked.wait_with_output().unwrap());
    assert_eq!(outcome.code, 3, "{outcome:?}");
    let answer: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!((&answer["body"], &answer["reply_to"]), (&"abort=now".into(), &id.into()));
    // A watcher at its end waits for its answer.
    for watch in &watchers {
        watch.signal(Signal::TERM);
    }
    let _ = watchers.map(Watch::stderr);
    assert_eq!(desk.answers(), [format!("abort=now|{id}")]);
}

#[test]
fn answer_arrives_once_although_the_server_is_away_when_it_is_chosen() {
    let mut desk = Desk::new(r#"while [ ! -e "$HOME/go" ]; do sleep 0.02; done; echo 0"#);
    let mut watch = desk.start(&[]);
    desk.ask();
    let id = watch.object()["id"].as_i64().unwrap();
    wait_until("it is shown", || desk.calls().len() == 1);
    desk.server.kill();
    fs::write(desk.path("go"), "").unwrap();
    assert_eq!(watch.object()["event"], "disconnected");
    desk.server.start_again_at_its_address();
    wait_until("the answer", || !desk.answers().is_empty());
    watch.signal(Signal::TERM);
    assert_eq!(watch.stderr(), "");
    assert_eq!(desk.answers(), [format!("yes|{id}")]);
}

#[test]
fn question_that_was_answered_elsewhere_gets_no_second_answer() {
    let desk = Desk::new(r#"while [ ! -e "$HOME/go" ]; do sleep 0.02; done; echo 0"#);
    let mut watch = desk.start(&["-n", "2"]);
    desk.ask();
    let id = watch.object()["id"].as_i64().unwrap();
    wait_until("it is shown", || desk.calls().len() == 1);
    assert_eq!(desk.neko.run(["reply", &id.to_string(), "no"]).code, 0);
    fs::write(desk.path("go"), "").unwrap();
    let mut stderr = BufReader::new(watch.child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert_eq!(line, format!("note: question {id} is no longer open, so yes was not sent\n"));
    desk.send(&["neko", "end"]);
    assert!(watch.child.wait().unwrap().success());
    assert_eq!(desk.answers(), [format!("no|{id}")]);
}

#[test]
fn button_of_a_question_in_a_room_answers_it_there_unless_another_member_has() {
    let desk = Desk::new(r#"while [ ! -e "$HOME/go" ]; do sleep 0.02; done; echo 0"#);
    let ivy = Home::of("ivy", desk.server.address());
    assert_eq!(desk.paff.run(["room", "create", "build"]).code, 0);
    for home in [&desk.neko, &ivy] {
        assert_eq!(home.run(["room", "join", "build"]).code, 0);
    }
    let mut watch = desk.start(&["-n", "5"]);
    let asked =
        ["ask,choice:yes,choice:no", "ask,choice:yes", "ask,choice:yes,by:ivy"].map(|tags| {
            desk.send(&["--tag", tags, "#build", "go?"]);
            watch.object()["id"].as_i64().unwrap()
        });
    wait_until("they are shown", || desk.calls().len() == 3);
    for call in desk.calls() {
        assert!(call.contains(&"paff #build".to_owned()), "{call:?}");
        assert_eq!(call[3], "--action=0=yes");
    }
    let [answered, open, of_ivy] = asked;
    assert_eq!(ivy.run(["reply", &answered.to_string(), "no"]).code, 0);
    watch.object();
    fs::write(desk.path("go"), "").unwrap();
    let mut stderr = BufReader::new(watch.child.stderr.take().unwrap());
    let mut notes = [String::new(), String::new()];
    for note in &mut notes {
        stderr.read_line(note).unwrap();
    }
    notes.sort();
    let expected = [
        format!("note: question {answered} is no longer open, so yes was not sent\n"),
        format!("note: question {of_ivy} is for other users of the room, so yes was not sent\n"),
    ];
    assert_eq!(notes, expected);
    wait_until("the answer", || !desk.answers().is_empty());
    desk.send(&["#build", "end"]);
    assert!(watch.child.wait().unwrap().success());
    assert_eq!(desk.answers(), [format!("yes|{open}")]);
    let sql = format!("select recipient from v2_messages where reply_to = {open}");
    assert_eq!(desk.server.query(&sql), ["#build"]);
}

#[test]
fn open_question_leaves_the_desktop_when_the_watch_ends() {
    // As notify-send does at an interrupt.
    let desk = Desk::new(
        r#"case "$*" in *--action*) ;; *) exit 0;; esac
        trap 'echo closed >"$HOME/closed"; exit 0' INT; echo $$ >"$HOME/pid"
        while :; do sleep 0.02; done"#,
    );
    let watch = desk.start(&["-n", "2"]);
    desk.ask();
    wait_until("it is shown", || desk.number("pid").is_some());
    desk.send(&["neko", "end"]);
    assert_eq!(watch.stderr(), "");
    assert!(
        desk.path("closed").exists() && test_kill_process(desk.number("pid").unwrap()).is_err()
    );
    assert!(desk.answers().is_empty());
}

#[test]
fn older_notify_send_shows_a_question_without_buttons() {
    let desk = Desk::bare();
    desk.install(&format!("case \"$1\" in --help) echo -u; exit 0;; esac\n{RECORD}"));
    desk.ask();
    desk.run(&["--exit-at-end"]);
    let calls = desk.calls();
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0][3..], ["--", "paff", "(reply 1) yes | no", "go?"]);
}
