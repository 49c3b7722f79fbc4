//! `send --at`, `send --in` and `scheduled`.

use serde_json::Value;

use crate::support::cli::{Home, Outcome, outcome};
use crate::support::pty::Terminal;
use crate::support::{Server, wait_until};

/// With the rules of the zone itself, because a machine may lack the data base of zones.
const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
const KATHMANDU: &str = "<+0545>-5:45";

/// Runs it in this time zone.
fn run_in(home: &Home, zone: &str, words: &[&str]) -> Outcome {
    let mut command = home.cli(words);
    command.env("TZ", zone);
    outcome(command)
}

#[test]
fn message_is_scheduled_listed_cancelled_and_sent() {
    let server = Server::start();
    let (paff, neko) = (Home::of("paff", server.address()), Home::of("neko", server.address()));
    assert_eq!(paff.run(["scheduled"]).code, 1);
    let far =
        run_in(&paff, "UTC", &["send", "--at", "2031-12-01 09:00", "neko,ivy", "happy", "day"]);
    assert_eq!(far.stdout, "scheduled as 1 to neko, ivy for 2031-12-01T09:00:00.000Z\n", "{far:?}");
    let near = paff.run_with_input(["send", "--in", "2h", "--id", "k", "neko"], "two\nlines\n");
    assert!(near.stdout.starts_with("scheduled as 2 to neko for 20"), "{near:?}");
    let again = paff.run_with_input(["send", "--in", "5h", "--id", "k", "neko"], "two\nlines\n");
    assert_eq!(again.stdout.replace("already ", ""), near.stdout, "{again:?}");
    let listed = paff.run(["scheduled"]).stdout;
    let lines: Vec<Vec<&str>> = listed.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!((lines[0][0], lines[1][0]), ("2", "1"), "the next one first: {listed}");
    assert_eq!(lines[0][2..], ["neko", "two\\nlines"]);
    assert_eq!(lines[1][1..], ["2031-12-01T09:00:00.000Z", "neko,ivy", "happy day"]);
    let json = paff.run(["--json", "scheduled"]).stdout;
    let object: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!((&object["v"], &object["id"], &object["key"]), (&1.into(), &2.into(), &"k".into()));
    assert_eq!(object["body"], "two\nlines");
    let json = paff.run(["--json", "send", "--in", "1s", "--title", "t", "neko", "soon"]).stdout;
    let object: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&object["scheduled"], &object["duplicate"]), (&3.into(), &false.into()), "{json}");
    wait_until("it is sent", || neko.run(["history", "--raw"]).stdout == "soon\n");
    let cancelled = paff.run(["scheduled", "cancel", "2"]);
    assert_eq!(cancelled.stdout, "scheduled message 2 is cancelled\n", "{cancelled:?}");
    let gone = paff.run(["scheduled", "cancel", "2"]);
    assert_eq!(
        (gone.code, gone.stderr.as_str()),
        (1, "Error, there is no such scheduled message\n")
    );
    let id = paff.run(["send", "--in", "2h", "neko", "x"]);
    assert_eq!(id.code, 0, "{id:?}");
    let unknown = paff.run(["send", "--in", "2h", "nobody", "x"]);
    assert_eq!(unknown.code, 67, "{unknown:?}");
}

#[test]
fn times_are_those_of_the_machine_and_none_is_guessed() {
    let server = Server::start();
    let paff = Home::of("paff", server.address());
    let at = |zone: &str, time: &str| {
        run_in(&paff, zone, &["--json", "send", "--at", time, "neko", "hai"])
    };
    for (zone, time, expected) in [
        (BERLIN, "2031-07-01 09:00", "2031-07-01T07:00:00.000Z"),
        (BERLIN, "2031-12-01T09:00:30", "2031-12-01T08:00:30.000Z"),
        (KATHMANDU, "2031-12-01 09:00", "2031-12-01T03:15:00.000Z"),
        (KATHMANDU, "2031-12-01T09:00:00Z", "2031-12-01T09:00:00.000Z"),
        // The second of two, by its offset.
        (BERLIN, "2031-10-26T02:30:00+01:00", "2031-10-26T01:30:00.000Z"),
    ] {
        let outcome = at(zone, time);
        let object: Value = serde_json::from_str(&outcome.stdout)
            .unwrap_or_else(|_| panic!("{zone} {time}: {outcome:?}"));
        assert_eq!(object["due_at"], expected, "{zone} {time}");
    }
    for (zone, time, word) in [
        (BERLIN, "2031-03-30 02:30", "does not exist in this time zone"),
        (BERLIN, "2031-10-26 02:30", "give 2031-10-26T02:30:00+02 or"),
        ("UTC", "2020-01-01 09:00", "has passed"),
        ("UTC", "tomorrow", "is no time"),
        ("UTC", "25:00", "is no time"),
        ("UTC", "2099-01-01 09:00", "is more than 3660 days from now"),
    ] {
        let outcome = at(zone, time);
        assert_eq!(outcome.code, 2, "{zone} {time}: {outcome:?}");
        assert!(outcome.stderr.contains(word), "{zone} {time}: {outcome:?}");
    }
    for words in [
        &["send", "--in", "0s", "neko", "x"][..],
        &["send", "--in", "2h", "--at", "17:00", "neko", "x"],
        &["send", "--in", "2h", "--lines", "neko"],
        &["send", "--at", "17:00", "--done", "neko", "true"],
        &["scheduled", "cancel"],
        &["scheduled", "cancel", "x"],
    ] {
        assert_eq!(paff.run(words).code, 2, "{words:?}");
    }
    let wrong = paff.run(["scheduled", "cancel", "x"]).stderr;
    assert!(wrong.contains("give the number of a scheduled message"), "{wrong}");
}

#[test]
fn prompt_schedules_lists_and_cancels() {
    let server = Server::start();
    let paff = Home::of("paff", server.address());
    let mut terminal = Terminal::start(paff.cli([""; 0]));
    terminal.wait_for("Command paff");
    terminal.keys("later 2031-12-01T09:00 neko happy day\r");
    terminal.wait_for("scheduled as 1 to neko for 2031-12-01 09:00:00");
    terminal.keys("later 2h neko hai\r");
    terminal.wait_for("scheduled as 2 to neko");
    terminal.keys("later soon neko hai\r");
    terminal.wait_for("is no time");
    terminal.keys("scheduled cancel 2\r");
    terminal.wait_for("scheduled message 2 is cancelled");
    terminal.keys("scheduled\r");
    terminal.wait_until("the list", |terminal| {
        let is_it = |line: &str| line.starts_with('1') && line.trim_end().ends_with("happy day");
        terminal.screen().lines().any(is_it)
    });
}

#[test]
fn message_that_came_late_says_so() {
    let server = Server::start();
    let neko = Home::of("neko", server.address());
    let mut wire = server.connect();
    let paff = wire.log_in("paff");
    let fields = r#"{"to": ["neko"], "body": "hai", "at": "2026-01-01T09:00:00Z"}"#;
    wire.done(format!("post {paff} {fields}"));
    wait_until("it is sent", || !neko.run(["history", "--raw"]).stdout.is_empty());
    let shown = run_in(&neko, "UTC", &["history"]);
    assert!(shown.stdout.contains("(late, due 2026-01-01 09:00)"), "{shown:?}");
    let json: Value = serde_json::from_str(&neko.run(["--json", "history"]).stdout).unwrap();
    assert_eq!(json["due_at"], "2026-01-01T09:00:00.000Z");
}
