//! SIGHUP: which settings a running server adopts, without disturbing its clients.

use std::fs;

use rustix::process::Signal;

use crate::support::Wire;
use crate::support::service::Service;
use crate::support::skip::is_here;

#[test]
fn limits_times_and_log_level_change_while_a_stream_lives_on() {
    let mut server = Service::start("log = \"info\"\nheartbeat = \"1h\"\n");
    let address = server.address();
    let mut sender = Wire::connect(address);
    let (paff, neko) = (sender.log_in("paff"), sender.log_in("neko"));
    let mut stream = Wire::connect(address);
    stream.done(format!("watch {neko} {{}}"));
    assert_eq!(stream.reply()["event"], "caught_up");

    server.configure(
        "log = \"info\"\nheartbeat = \"20ms\"\ninbox_unread_max = 2\nconnections_max = 3\n",
    );
    server.signal(Signal::HUP);
    let taken = server.wait_for_line("the configuration was read again");
    assert!(taken.contains("heartbeat = ") && !taken.contains("log = "), "{taken}");
    let mut late = Wire::connect(address);
    late.done("hello");
    let mut one_more = Wire::connect(address);
    assert_eq!(one_more.reply()["code"], "too_many_connections");
    for text in ["one", "two"] {
        sender.done(format!("send {paff} neko {text}"));
        let event = stream.reply();
        assert_eq!(event["body"], text, "the stream lives on: {event}");
    }
    assert_eq!(sender.refused(format!("send {paff} neko three")), "inbox_full");
    late.done(format!("watch {neko} {{\"from\": \"new\"}}"));
    assert_eq!(late.reply()["event"], "caught_up");
    assert_eq!(late.reply()["event"], "heartbeat");

    // From now on the log has only warnings; a setting that needs a restart is one.
    server.configure("log = \"warn\"\nworkers = 7\n");
    server.signal(Signal::HUP);
    let restart = server.wait_for_line("this needs a restart");
    assert!(restart.contains("workers") && restart.contains("server.toml:2"), "{restart}");

    // The limit is raised again: earlier connections do not count against it.
    server.configure("log = \"info\"\nheartbeat = \"1h\"\ninbox_unread_max = 4\n");
    server.signal(Signal::HUP);
    let taken = server.wait_for_line("the configuration was read again");
    for change in ["log = ", "info", "inbox_unread_max = 4"] {
        assert!(taken.contains(change), "{change} is not in {taken}");
    }
    for text in ["three", "four"] {
        sender.done(format!("send {paff} neko {text}"));
        assert_eq!(stream.reply()["body"], text);
    }
    assert_eq!(sender.refused(format!("send {paff} neko five")), "inbox_full");
    assert_eq!(server.stop().code(), Some(0));
}

#[test]
fn wrong_configuration_changes_nothing_and_can_be_corrected() {
    let server = Service::start("inbox_unread_max = 1\n");
    let mut wire = Wire::connect(server.address());
    let paff = wire.log_in("paff");
    wire.done(format!("send {paff} neko one"));
    for (text, reported) in [
        (
            "inbox_unread_max = 9\nheartbeet = \"1s\"\n",
            "server.toml:2: there is no setting heartbeet",
        ),
        ("inbox_unread_max = 9\nheartbeat = \n", "server.toml:2: is not TOML"),
        ("inbox_unread_max = 9\nmetrics = \"0.0.0.0:0\"\n", "can be reached from other machines"),
    ] {
        server.configure(text);
        server.signal(Signal::HUP);
        let refused = server.wait_for_line("the configuration was not read again");
        assert!(refused.contains(reported), "{reported:?} is not in {refused:?}");
        assert_eq!(wire.refused(format!("send {paff} neko two")), "inbox_full");
    }
    fs::remove_file(server.file()).unwrap();
    server.signal(Signal::HUP);
    server.wait_for_line("there is no such configuration file");
    server.configure("inbox_unread_max = 9\n");
    server.signal(Signal::HUP);
    server.wait_for_line("the configuration was read again");
    wire.done(format!("send {paff} neko two"));
}

#[test]
fn sessions_idle_for_the_new_limit_end() {
    let server = Service::start("session_idle = \"30d\"\n");
    let mut wire = Wire::connect(server.address());
    let (paff, neko) = (wire.log_in("paff"), wire.log_in("neko"));
    server.configure("session_idle = \"1ms\"\n");
    server.signal(Signal::HUP);
    server.wait_for_line("the configuration was read again");
    // Both were used before that line was written, but perhaps less than a millisecond ago.
    while wire.ask(format!("whoami {paff}"))["status"] == "OK" {}
    assert_eq!(wire.refused(format!("whoami {neko}")), "no_session");
}

/// Only the start decides about addresses and the options that allow them.
#[test]
fn listener_that_others_could_reach_is_not_added_by_a_reload() {
    if !is_here("ss") {
        return;
    }
    let mut server = Service::start_with("log = \"info\"\nlisten = [\"127.0.0.1:0\"]\n", &[]);
    let listens = |server: &Service| {
        let mine = format!("127.0.0.1:{}", server.address().port());
        let mut command = std::process::Command::new("ss");
        let output = command.args(["-Hltnp"]).output().ok()?;
        let text = String::from_utf8(output.stdout).unwrap();
        let pid = text.lines().find(|line| line.contains(&mine))?.split("pid=").nth(1)?;
        let pid = format!("pid={},", pid.split(',').next()?);
        Some(text.lines().filter(|line| line.contains(&pid)).count())
    };
    let before = listens(&server);
    for (configuration, said) in [
        ("listen = [\"0.0.0.0:0\"]\n", "0.0.0.0"),
        ("listen = [\"[::]:0\"]\n", "[::]"),
        (
            "listen = [\"0.0.0.0:0\"]\nallow_plaintext = true\nallow_default_passwords = true\n",
            "allow_plaintext",
        ),
    ] {
        server.configure(&format!("log = \"info\"\n{configuration}"));
        server.signal(Signal::HUP);
        let line = server.wait_for_line(said);
        assert!(line.contains("was not read again") || line.contains("needs a restart"), "{line}");
        Wire::connect(server.address()).log_in("paff");
        assert_eq!(listens(&server), before);
    }
    assert_eq!(server.stop().code(), Some(0));
}
