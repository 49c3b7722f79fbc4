//! `chat-cli` with TLS: which servers it trusts, how it refuses others, and that everything works
//! over it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::Wire;
use crate::support::cli;
use crate::support::cli::{Home, Outcome};
use crate::support::tls::{Authority, Kind, TlsServer, as_str};

/// A home whose server is the TLS port.
struct Person {
    home: Home,
    url: String,
}

impl Person {
    fn at(server: &TlsServer) -> Self {
        Self { home: Home::new(server.tls), url: format!("chats://{}", server.tls) }
    }

    /// Runs a command, with these authorities.
    fn run(&self, words: &[&str], authority: Option<&Authority>) -> Outcome {
        let mut command = self.home.cli(words);
        command.env("CHAT_SERVER", &self.url);
        if let Some(authority) = authority {
            command.env("CHAT_TLS_CA", authority.file());
        }
        cli::outcome(command)
    }
}

#[track_caller]
fn assert_refused(outcome: &Outcome, code: i32, texts: &[&str]) {
    assert_eq!((outcome.code, outcome.stdout.as_str()), (code, ""), "{outcome:?}");
    for text in texts {
        assert!(outcome.stderr.contains(text), "{text:?} is not in {}", outcome.stderr);
    }
}

#[test]
fn everything_works_over_tls_with_an_authority_that_is_given() {
    let authority = Authority::new();
    let server = authority.server().start(&[]);
    let (paff, neko) = (Person::at(&server), Person::at(&server));
    let ca = Some(&authority);
    assert_eq!(paff.run(&["auth", "paff", "cytus"], ca).code, 0);
    assert_eq!(neko.run(&["auth", "neko", "cytus"], ca).code, 0);
    let file = authority.file();
    let option = ["--tls-ca", as_str(&file), "send", "neko", "hai", "neko"];
    assert_eq!(paff.run(&option, None).stdout, "message sent to neko\n");
    let long = "x".repeat(32_000);
    for _ in 0..10 {
        assert_eq!(paff.run(&["send", "neko", &long], ca).code, 0);
    }
    assert_eq!(neko.run(&["unread"], ca).code, 0);
    let inbox: Value = serde_json::from_str(&neko.run(&["inbox"], ca).stdout).unwrap();
    assert_eq!(inbox["paff"].as_array().map(Vec::len), Some(11));
    let watched = neko.run(&["watch", "--since", "all", "--exit-at-end", "--raw", "-n", "1"], ca);
    assert_eq!(watched.stdout, "hai neko\n", "{watched:?}");
    assert_eq!(paff.run(&["logout"], ca).code, 0);
    // A session is for one server and one scheme.
    let mut plain = neko.home.cli(["whoami"]);
    plain.env("CHAT_SERVER", server.plain.to_string());
    assert_eq!(cli::outcome(plain).code, 77);
}

#[test]
fn seeds_session_works_over_tls() {
    let authority = Authority::new();
    let server = authority.server().start(&[]);
    let person = Person::at(&server);
    let mut command = person.home.cli(["--server", &person.url]);
    command.env("CHAT_TLS_CA", authority.file());
    let script = b"auth paff cytus\nsend neko hai\nlist\nlogout\n";
    let outcome = cli::outcome_with_input(command, script);
    assert!(outcome.stdout.contains("message sent to neko"), "{outcome:?}");
    assert!(outcome.stdout.contains("List user: paff"), "{outcome:?}");
}

#[test]
fn watch_goes_on_when_the_certificate_is_replaced_and_the_server_restarted() {
    let authority = Authority::new();
    let files = authority.server();
    let mut server = files.start(&[]);
    let person = Person::at(&server);
    assert_eq!(person.run(&["auth", "neko", "cytus"], Some(&authority)).code, 0);
    let mut watch = person.home.cli(["--server", &person.url, "watch", "--raw"]);
    let mut watch = cli::start(watch.env("CHAT_TLS_CA", authority.file()));
    let mut lines = BufReader::new(watch.stdout.take().unwrap());
    let mut next = || {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        line
    };
    let send = |address, text: &str| {
        let mut wire = Wire::connect(address);
        let paff = wire.log_in("paff");
        wire.done(format!("send {paff} neko {text}"));
    };
    send(server.plain, "first");
    assert_eq!(next(), "first\n");
    files.become_as(&authority.issue("second", &["127.0.0.1"], Kind::Good));
    server.server.signal(Signal::HUP);
    send(server.plain, "second");
    assert_eq!(next(), "second\n");
    server.server.kill();
    server.start_again();
    send(server.plain, "third");
    assert_eq!(next(), "third\n");
    watch.kill().unwrap();
    watch.wait().unwrap();
}

#[test]
fn untrusted_server_is_refused_with_a_hint() {
    let authority = Authority::new();
    for (kind, names, reason) in [
        (Kind::Good, "127.0.0.1", "no trusted authority has signed its certificate"),
        (Kind::Expired, "127.0.0.1", "its certificate expired on 2020-02-29"),
        (Kind::NotYet, "127.0.0.1", "its certificate is valid only from 2096-02-29"),
        (Kind::Good, "chat.example.org", "is for chat.example.org, not for 127.0.0.1"),
    ] {
        let server = authority.issue("server", &[names], kind).start(&[]);
        let person = Person::at(&server);
        let trusted = (!reason.starts_with("no trusted authority")).then_some(&authority);
        let outcome = person.run(&["auth", "paff", "cytus"], trusted);
        assert_refused(&outcome, 78, &["is not trusted: ", reason, "\nhint: "]);
    }
}

#[test]
fn refusal_for_programs_has_its_own_code() {
    let authority = Authority::new();
    let server = authority.server().start(&[]);
    let person = Person::at(&server);
    let outcome = person.run(&["--json", "auth", "paff", "cytus"], None);
    let told: Value = serde_json::from_str(&outcome.stderr).unwrap();
    assert_eq!((&told["code"], &told["exit"]), (&"untrusted".into(), &78.into()), "{told}");
}

#[test]
fn mixed_up_tls_and_plain_ports_are_reported() {
    let authority = Authority::new();
    let server = authority.server().start(&[]);
    let home = Home::of("paff", server.plain);
    let run = |url: &str| {
        let mut command = home.cli(["send", "neko", "hai"]);
        command.env("CHAT_SERVER", url).env("CHAT_TOKEN", home.token());
        command.env("CHAT_TLS_CA", authority.file());
        cli::outcome(command)
    };
    let plain = run(&format!("chats://{}", server.plain));
    assert_refused(
        &plain,
        76,
        &["there is no TLS at chats://", "hint: give the server's TLS port"],
    );
    let tls = run(&server.tls.to_string());
    assert_refused(&tls, 76, &["this port speaks TLS", "hint: the server speaks TLS there"]);
    let nobody = run("chats://127.0.0.1:1");
    assert_refused(&nobody, 69, &["cannot reach chats://127.0.0.1:1"]);
}

#[test]
fn pinned_certificate_is_trusted_alone_whatever_else_it_says() {
    let authority = Authority::new();
    let files = authority.issue("server", &["another.example"], Kind::Expired);
    let mut server = files.start(&[]);
    let person = Person::at(&server);
    let host = server.tls.to_string();

    // It is shown, and not pinned without a confirmation.
    let shown = person.run(&["trust", "--json"], None);
    assert_eq!(shown.code, 1, "{shown:?}");
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown["trusted"], false);
    assert_eq!(shown["names"][0], "another.example");
    let fingerprint = shown["fingerprint"].as_str().unwrap();
    assert_eq!(person.run(&["trust", "--list"], None).code, 1);

    let wrong = format!("SHA256:{}", "00".repeat(32));
    let outcome = person.run(&["trust", &host, "--fingerprint", &wrong], None);
    assert_eq!(outcome.code, 78, "{outcome:?}");
    assert_eq!(person.run(&["auth", "paff", "cytus"], None).code, 78);

    let outcome = person.run(&["trust", &host, "--fingerprint", fingerprint], None);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(person.run(&["trust"], None).code, 0, "it is pinned");
    let listed = person.run(&["trust", "--list"], None).stdout;
    assert!(listed.starts_with(&format!("{host}  {fingerprint}  ")), "{listed}");
    let file = person.home.state().join("known_servers");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(person.run(&["auth", "paff", "cytus"], None).code, 0);

    // The authority trusts the next certificate, but the pin does not.
    files.become_as(&authority.issue("next", &["127.0.0.1"], Kind::Good));
    server.server.kill();
    server.start_again();
    let outcome = person.run(&["send", "neko", "secret"], Some(&authority));
    let changed = format!("is not the one that was pinned: it was {fingerprint}, and is SHA256:");
    assert_refused(
        &outcome,
        78,
        &[&changed, "the connection may be intercepted", "chat-cli trust"],
    );
    let shown = person.run(&["trust"], None);
    assert!(shown.stdout.contains("ANOTHER one: "), "{shown:?}");

    assert_eq!(person.run(&["trust", &host, "--remove"], None).code, 0);
    assert_eq!(person.run(&["trust", &host, "--remove"], None).code, 1);
    assert_eq!(person.run(&["send", "neko", "hai"], Some(&authority)).code, 0);
}

#[test]
fn damaged_or_open_pins_trust_nobody() {
    let authority = Authority::new();
    let server = authority.server().start(&[]);
    let person = Person::at(&server);
    assert_eq!(person.run(&["auth", "paff", "cytus"], Some(&authority)).code, 0);
    let file = person.home.state().join("known_servers");
    fs::write(&file, "junk\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let outcome = person.run(&["unread"], Some(&authority));
    assert_refused(&outcome, 74, &["is open to other users"]);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let outcome = person.run(&["unread"], Some(&authority));
    assert_refused(&outcome, 74, &["known_servers: line 1 is invalid", "hint: "]);
}

#[test]
fn authority_that_cannot_be_read_is_reported() {
    let authority = Authority::new();
    let server = authority.server().start(&[]);
    let person = Person::at(&server);
    let key = authority.server().key;
    for (path, reason) in [("/nonexistent", "No such file"), (as_str(&key), "no certificate in it")]
    {
        let outcome = person.run(&["--tls-ca", path, "auth", "paff", "cytus"], None);
        assert_refused(&outcome, 78, &[path, reason, "hint: --tls-ca"]);
    }
}

#[test]
fn server_without_room_says_so_before_the_handshake() {
    let authority = Authority::new();
    let server = authority.server().start(&["--connections-max", "1"]);
    let _only = Wire::connect(server.plain);
    let person = Person::at(&server);
    let words = ["auth", "paff", "cytus"];
    let outcome = person.run(&words, Some(&authority));
    assert_refused(&outcome, 75, &["too many connections"]);
}
