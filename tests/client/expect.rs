//! `expect` and `report`.

use serde_json::Value;

use crate::support::cli::Home;
use crate::support::{Server, wait_until};

#[test]
fn expectation_is_declared_listed_reported_and_removed() {
    let server = Server::start();
    let (paff, neko) = (Home::of("paff", server.address()), Home::of("neko", server.address()));
    assert_eq!(paff.run(["expect", "list"]).code, 1);
    let words = ["expect", "backup", "--every", "1d", "--grace", "1h", "--tell", "neko"];
    let outcome = paff.run(words);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.stdout.starts_with("backup is expected, the next report until 20"));
    let list = || paff.run(["expect", "list"]).stdout;
    let line = list();
    let fields: Vec<&str> = line.trim_end().split('\t').collect();
    assert_eq!(fields[..2], ["backup", "on time"]);
    assert_eq!(fields[3..], ["no report yet", "tells neko"]);
    assert_eq!(paff.run(["report", "backup", "--start"]).code, 0);
    assert!(list().starts_with("backup\trunning\t"));
    let words = ["report", "backup", "--exit-code", "7", "-"];
    let outcome = paff.run_with_input(words, "no space\n");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(list().starts_with("backup\tLATE\t"), "{}", list());
    let failed = || neko.run(["history", "--raw"]).stdout.starts_with("backup failed with 7 at ");
    wait_until("neko is told", failed);
    assert_eq!(paff.run(["report", "backup"]).code, 0);
    let told = || neko.run(["history", "--raw"]).stdout;
    wait_until("neko is told", || told().lines().count() == 4);
    assert_eq!(told().lines().nth(2), Some("no space"));
    assert!(told().lines().last().unwrap().starts_with("backup is back: it reported at "));
    let json = paff.run(["--json", "expect", "list"]);
    let object: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(
        (&object["v"], &object["every"], &object["late"]),
        (&1.into(), &86_400.into(), &false.into())
    );
    assert_eq!((&object["last_code"], &object["tell"]), (&0.into(), &"neko".into()));
    assert_eq!(paff.run(["expect", "remove", "backup"]).stdout, "backup is no longer expected\n");
    for words in [&["report", "backup"][..], &["expect", "remove", "backup"]] {
        let outcome = paff.run(words);
        assert_eq!(outcome.code, 1, "{outcome:?}");
        assert_eq!(outcome.stderr, "Error, there is no such expectation\n");
    }
}

/// What a script at night has: options after the words, and logs that are no text of a message.
#[test]
fn failure_is_told_whatever_its_text_is() {
    let server = Server::start();
    let (paff, neko) = (Home::of("paff", server.address()), Home::of("neko", server.address()));
    let every_day = ["--every", "1d", "--tell", "neko"];
    let mut number = 0;
    let mut fails = |words: &[&str], input: &[u8], end: &str| {
        number += 1;
        let name = format!("job{number}");
        assert_eq!(paff.run([&["expect", &name][..], &every_day].concat()).code, 0);
        let outcome = paff.run_with_input([&["report", &name], words].concat(), input);
        assert_eq!(outcome.code, 0, "{words:?}: {outcome:?}");
        let told = || neko.run(["inbox", "--raw"]).stdout;
        let is_told = |told: &str| {
            told.starts_with(&format!("{name} failed with ")) && told.trim_end().ends_with(end)
        };
        wait_until(&format!("neko is told of {words:?}"), || is_told(&told()));
    };
    fails(&["no", "space", "--fail"], b"", "\nno space");
    fails(&["no space", "--exit-code", "3"], b"", "\nno space");
    fails(&["--fail", "-"], b"caf\xe9\n", "\ncaf\u{fffd}");
    let long = ["x".repeat(100_000).as_bytes(), b"\nno space\n"].concat();
    fails(&["--fail", "-"], &long, "xx\nno space");
    fails(&["--fail", "--", "--fast", "is", "wrong"], b"", "\n--fast is wrong");
    let mistyped = paff.run(["report", "job1", "slow", "--faill"]);
    assert_eq!(mistyped.code, 2, "{mistyped:?}");
}

#[test]
fn wrong_expectations_are_usage_errors() {
    let server = Server::start();
    let paff = Home::of("paff", server.address());
    for words in [
        &["expect"][..],
        &["expect", "backup"],
        &["expect", "backup", "--every", "1d"],
        &["expect", "backup", "--every", "0s", "--tell", "neko"],
        &["expect", "backup", "--every", "500ms", "--tell", "neko"],
        &["expect", "backup", "--every", "400d", "--tell", "neko"],
        &["expect", "Backup", "--every", "1d", "--tell", "neko"],
        &["report"],
        &["report", "backup", "--start", "--fail"],
        &["report", "backup", "--exit-code", "256"],
    ] {
        assert_eq!(paff.run(words).code, 2, "{words:?}");
    }
    let nobody = paff.run(["expect", "backup", "--every", "1d", "--tell", "nobody"]);
    assert_eq!(nobody.code, 67, "{nobody:?}");
}

#[test]
fn report_waits_for_a_server_that_restarts() {
    let mut server = Server::start();
    let paff = Home::of("paff", server.address());
    paff.run(["expect", "backup", "--every", "1d", "--tell", "neko"]);
    server.kill();
    assert_eq!(paff.run(["report", "backup"]).code, 69, "it says that there is no server");
    server.start_again_at_its_address();
    assert_eq!(paff.run(["report", "backup"]).code, 0);
}
