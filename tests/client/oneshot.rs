//! One-shot commands in scripts: separate processes, their output and their exit codes, against a
//! real server.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;
use std::thread;

use rustix::process::Signal;

use crate::support;
use crate::support::cli;
use crate::support::cli::{Home, outcome, outcome_with_input, start, told, without_tokens};
use crate::support::skip::{is_here, skip};
use crate::support::{Server, Wire};

const NOT_AUTHORIZED: &str = "Error, not authorized\nhint: log in with `chat-cli auth USER`\n";

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn session_is_shared_by_commands_and_ends_with_logout() {
    let server = Server::start();
    let home = Home::new(server.address());

    let outcome = home.run(["auth", "paff", "cytus"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    let token = home.token();
    assert_eq!(outcome.stdout, format!("username paff logged in, token {token}\n"));
    assert_eq!((mode(&home.state()), mode(&home.session_file())), (0o700, 0o600));

    assert_eq!(home.run(["send", "neko", "hai", "neko"]).stdout, "message sent to neko\n");
    assert_eq!(home.run(["send", "paff", "note to self"]).stdout, "message sent to paff\n");
    assert_eq!(home.run(["inbox"]).stdout, "{\"paff\": [{\"msg\": \"note to self\"}]}\n");
    assert_eq!(home.run(["inbox"]).stdout, "{}\n");
    assert_eq!(home.run(["list"]).stdout, "\"List user: paff\"\n");

    let file = home.session_file();
    assert_eq!(home.run(["logout"]).stdout, "logged out\n");
    assert!(!file.exists());
    for command in [&["list"][..], &["inbox"], &["logout"], &["send", "neko", "hai"]] {
        let outcome = home.run(command);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (77, NOT_AUTHORIZED), "{command:?}");
        assert_eq!(outcome.stdout, "");
    }
    assert_eq!(server.connect().refused(format!("list {token}")), "no_session");
}

#[test]
fn refusals_end_with_their_exit_code_in_english() {
    let server = Server::start();
    let home = Home::of("paff", server.address());
    let long = "x".repeat(32 * 1024 + 1);
    for (command, code, told) in [
        (&["auth", "neko", "cytus2"][..], 77, "Error, the password is wrong\n"),
        (&["auth", "sagan", "cytus"], 67, "Error, there is no such user\n"),
        (&["auth", "No!", "cytus"], 67, "Error, there is no such user\n"),
        (
            &["auth", "paff", "cytus\r\nlist x"],
            65,
            "error: the password is refused: it has a character that is not allowed\n",
        ),
        (&["auth", "paff", &long[..129]], 65, "Error, the text is too long\n"),
        (&["send", "conner", "hai"], 67, "Error, there is no such user: conner\n"),
        (&["send", "' OR 1=1--", "hai"], 67, "Error, there is no such user: ' OR 1=1--\n"),
        (&["send", "neko", ""], 65, "Error, the message is empty\n"),
        (&["send", "neko", &long], 65, "Error, the message is longer than 32768 bytes\n"),
    ] {
        let outcome = home.run(command);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (code, told), "{command:?}");
        assert_eq!(outcome.stdout, "", "{command:?}");
    }
    for input in [&b""[..], b"\n", b"\xff\n", long.as_bytes()] {
        assert_eq!(home.run_with_input(["send", "neko"], input).code, 65);
    }
    let latin = std::ffi::OsStr::from_bytes(b"caf\xe9");
    let refused = home.run([std::ffi::OsStr::new("send"), "neko".as_ref(), latin]);
    assert_eq!((refused.code, refused.stderr.as_str()), (65, "Error, the text is not UTF-8\n"));

    // A refused login does not touch the session, and nothing was sent.
    assert_eq!(home.run(["list"]).code, 0);
    assert_eq!(server.query("select count(*) from messages"), ["0"]);
}

#[test]
fn wrong_command_lines_are_usage_errors() {
    let home = Home::new("127.0.0.1:1".parse().unwrap());
    for command in [
        &["--server", "127.0.0.1:0", "list"][..],
        &["--server", "127.0.0.1:65536", "list"],
        &["list", "--server", "127.0.0.1:abc"],
        &["nonsense"],
        &["auth"],
        &["send"],
        &["send", "--key", "a b", "neko", "hai"],
        &["--timeout", "soon", "list"],
        &["--classic", "list"],
        &["auth", "paff", ""],
    ] {
        let outcome = home.run(command);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{command:?}");
        assert!(outcome.stderr.starts_with("error: "), "{command:?}: {}", outcome.stderr);
    }
    let mut command = home.cli(["list"]);
    command.env("CHAT_SERVER", "localhost:http");
    assert_eq!(outcome(command).code, 2);
}

#[test]
fn help_and_version_need_nothing() {
    for words in [&["--help"][..], &["--version"], &["send", "--help"]] {
        let mut command = Home::new("127.0.0.1:1".parse().unwrap()).cli(words);
        let outcome = outcome({
            command.env_clear();
            command
        });
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
        assert!(outcome.stdout.contains("chat-cli"));
    }
}

#[test]
fn missing_server_is_reported_with_a_hint() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let home = Home::new(address);
    for words in [&["auth", "paff", "cytus"][..], &["send", "neko", "hai"], &["inbox"], &["list"]] {
        let mut command = home.cli(words);
        command.env("CHAT_TOKEN", "7a592c0e-2cb5-4de6-866b-4e216b0caf15");
        let outcome = outcome(command);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (69, ""), "{words:?}");
        let told = format!("error: cannot reach {address}: ");
        assert!(outcome.stderr.starts_with(&told), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("\nhint: "), "{}", outcome.stderr);
    }
    let host = home.run(["--server", "no.such.host.invalid:8889", "auth", "paff", "cytus"]);
    assert_eq!(host.code, 69, "{host:?}");
}

#[test]
fn password_is_the_first_line_of_standard_input_and_no_more() {
    let server = Server::start();
    let home = Home::new(server.address());
    let outcome = outcome_with_input(home.sh("$CLI auth paff && cat"), b"cytus\r\nthe rest\n");
    let told = "username paff logged in, token <token 1>\nthe rest\n";
    assert_eq!((outcome.code, without_tokens(&outcome.stdout).as_str()), (0, told));
    for (input, code) in [(&b"cytus"[..], 0), (b"wrong\ncytus\n", 77), (b"", 2), (b"\n", 2)] {
        let outcome = home.run_with_input(["auth", "neko"], input);
        assert_eq!(outcome.code, code, "{input:?}: {outcome:?}");
    }
}

#[test]
fn standard_input_is_never_touched_when_there_is_a_text() {
    let server = Server::start();
    let home = Home::of("paff", server.address());
    let script = "$CLI send neko from the arguments && cat";
    let piped = outcome_with_input(home.sh(script), b"for somebody else\n");
    assert_eq!(piped.stdout, "message sent to neko\nfor somebody else\n");
    // Standard input stays open without data, and the command does not wait for it.
    let mut command = home.cli(["send", "neko", "waits for nobody"]);
    let mut child = start(command.stdin(Stdio::piped()));
    let stdin = child.stdin.take();
    assert!(child.wait().unwrap().success());
    drop(stdin);
    assert_eq!(outcome(home.sh("$CLI send neko hai <&-")).code, 0);
}

#[test]
fn text_from_standard_input_arrives_exactly() {
    let server = Server::start();
    let (paff, neko) = (Home::of("paff", server.address()), Home::of("neko", server.address()));
    let text = " one\r\n\n\ttwo  \u{202e}\x1b[2J 🐱猫\n";
    assert_eq!(paff.run_with_input(["send", "neko"], format!("{text}\n")).code, 0);
    let inbox = neko.run(["inbox"]).stdout;
    assert!(inbox.is_ascii() && inbox.lines().count() == 1);
    let map: serde_json::Value = serde_json::from_str(&inbox).unwrap();
    assert_eq!(map["paff"][0]["msg"], text);

    for letter in ["x", "é", "🐱"] {
        let longest = letter.repeat(32 * 1024 / letter.len());
        assert_eq!(paff.run_with_input(["send", "neko"], &longest).code, 0, "{letter}");
        assert_eq!(neko.run(["inbox", "--raw"]).stdout, format!("{longest}\n"));
    }
    assert_eq!(paff.run(["send", "neko", "two", "", "words "]).code, 0);
    assert_eq!(neko.run(["inbox", "--raw"]).stdout, "two  words \n");
}

#[test]
fn simultaneous_logins_leave_one_valid_session() {
    let server = Server::start();
    let home = Home::new(server.address());
    let children: Vec<_> = (0..6)
        .map(|n| {
            let user = ["paff", "neko"][n % 2];
            start(home.cli(["auth", user, "cytus"]).stdin(Stdio::null()))
        })
        .collect();
    let outcomes: Vec<_> =
        children.into_iter().map(|child| told(child.wait_with_output().unwrap())).collect();
    assert!(outcomes.iter().all(|outcome| outcome.code == 0), "{outcomes:?}");
    assert_eq!(fs::read_dir(home.state()).unwrap().count(), 1, "drafts are left behind");
    let token = home.token();
    assert!(outcomes.iter().any(|outcome| outcome.stdout.contains(&token)));
    assert_eq!(home.run(["list"]).code, 0);
}

#[test]
fn simultaneous_commands_do_not_disturb_one_another() {
    let server = Server::start();
    let home = Home::of("paff", server.address());
    let children: Vec<_> = (0..8)
        .map(|n| start(home.cli(["send", "neko", &format!("message {n}")]).stdin(Stdio::null())))
        .collect();
    for child in children {
        let outcome = told(child.wait_with_output().unwrap());
        assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "message sent to neko\n"));
    }
    assert_eq!(server.query("select count(distinct body) from messages"), ["8"]);
}

#[test]
fn token_in_the_environment_goes_before_the_stored_one_and_needs_no_home() {
    let server = Server::start();
    let home = Home::of("paff", server.address());
    let token = server.log_in("neko");
    let with_token = |words: &[&str]| {
        let mut command = home.cli(words);
        command.env("CHAT_TOKEN", &token);
        command
    };
    assert_eq!(home.run(["send", "neko", "hai"]).code, 0);
    let mut homeless = with_token(&["inbox"]);
    homeless.env_remove("HOME").env_remove("XDG_STATE_HOME");
    assert_eq!(outcome(homeless).stdout, "{\"paff\": [{\"msg\": \"hai\"}]}\n");

    let login = outcome(with_token(&["auth", "ivy", "cytus"]));
    assert!(login.code == 0 && login.stderr.starts_with("note: CHAT_TOKEN is set"), "{login:?}");
    assert_eq!(outcome(with_token(&["logout"])).code, 0);
    assert!(home.session_file().exists(), "the session that was not ended is forgotten");
    assert_eq!(outcome(with_token(&["list"])).code, 77);
    assert_eq!(home.run(["list"]).code, 0);

    for bogus in ["bogus", "7a592c0e-2cb5-4de6-866b-4e216b0caf15", "x y\r\nlist"] {
        let mut command = home.cli(["inbox"]);
        command.env("CHAT_TOKEN", bogus);
        let outcome = outcome(command);
        assert_eq!(outcome.code, 77, "{bogus:?}");
        assert!(outcome.stderr.starts_with("Error, there is no such session\n"), "{outcome:?}");
    }
}

#[test]
fn without_a_home_there_is_no_place_for_a_session() {
    let server = Server::start();
    let home = Home::new(server.address());
    for words in [&["auth", "paff", "cytus"][..], &["inbox"]] {
        let mut command = home.cli(words);
        command.env_remove("HOME").env("XDG_STATE_HOME", "relative/is/ignored");
        let outcome = outcome(command);
        assert_eq!(outcome.code, 78, "{outcome:?}");
        assert!(outcome.stderr.contains("hint: set HOME"), "{outcome:?}");
    }
    // No session was opened that could not be stored.
    assert_eq!(server.query("select count(*) from sessions"), ["0"]);
    let mut command = home.cli(["auth", "paff", "cytus"]);
    command.env_remove("XDG_STATE_HOME");
    assert_eq!(outcome(command).code, 0);
    assert!(home.state().parent().unwrap().parent().unwrap().join(".local/state/chat").is_dir());
}

#[test]
fn session_that_others_can_reach_is_refused() {
    let server = Server::start();
    let home = Home::of("paff", server.address());
    let (folder, file) = (home.state(), home.session_file());
    for (path, loose, tight) in
        [(&file, 0o644, 0o600), (&file, 0o660, 0o600), (&folder, 0o755, 0o700)]
    {
        chmod(path, loose);
        for command in [&["list"][..], &["send", "neko", "hai"], &["inbox"], &["logout"]] {
            let outcome = home.run(command);
            assert_eq!((outcome.code, outcome.stdout.as_str()), (74, ""), "{command:?}");
            let hint = format!("hint: chmod {tight:o} {}\n", path.display());
            assert!(outcome.stderr.ends_with(&hint), "{}", outcome.stderr);
        }
        chmod(path, tight);
    }
    assert_eq!(home.run(["list"]).code, 0);

    let moved = folder.join("moved");
    fs::rename(&file, &moved).unwrap();
    symlink(&moved, &file).unwrap();
    assert_eq!(home.run(["list"]).code, 74);
    // A login replaces the link by a file.
    assert_eq!(home.run(["auth", "neko", "cytus"]).code, 0);
    assert!(fs::symlink_metadata(&file).unwrap().is_file());
    fs::write(&file, "{").unwrap();
    assert_eq!(home.run(["list"]).code, 74);
    assert_eq!(home.run(["auth", "neko", "cytus"]).code, 0);

    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&file, Some(65_534), None).unwrap();
        let outcome = home.run(["list"]);
        assert!(outcome.code == 74 && outcome.stderr.contains("belongs to another user"));
    }
}

#[test]
fn state_folder_that_cannot_be_created_is_reported_before_a_login() {
    let server = Server::start();
    let home = Home::new(server.address());
    let in_the_way = home.state().parent().unwrap().to_owned();
    fs::write(&in_the_way, "").unwrap();
    let outcome = home.run(["auth", "paff", "cytus"]);
    assert_eq!(outcome.code, 74);
    assert!(outcome.stderr.contains(&in_the_way.display().to_string()), "{}", outcome.stderr);
    assert_eq!(server.query("select count(*) from sessions"), ["0"]);
}

#[test]
fn logout_forgets_a_session_that_the_server_has_forgotten() {
    let server = Server::start();
    let home = Home::of("paff", server.address());
    let file = home.session_file();
    server.connect().done(format!("logout {}", home.token()));
    let list = home.run(["list"]);
    assert_eq!(list.code, 77);
    assert!(list.stderr.starts_with("Error, there is no such session\nhint: "), "{list:?}");
    assert!(file.exists());
    assert_eq!(home.run(["logout"]).code, 77);
    assert!(!file.exists());
}

#[test]
fn sessions_of_several_servers_stand_side_by_side() {
    let (one, two) = (Server::start(), Server::start());
    let home = Home::of("paff", one.address());
    let two_at = two.address().to_string();
    assert_eq!(home.run(["--server", &two_at, "list"]).code, 77);
    assert_eq!(home.run(["--server", &two_at, "auth", "neko", "cytus"]).code, 0);
    assert_eq!(home.run(["list"]).stdout, "\"List user: paff\"\n");
    assert_eq!(home.run(["list", "--server", &two_at]).stdout, "\"List user: neko\"\n");
}

#[test]
fn closed_output_is_quiet_and_loses_nothing() {
    let server = Server::start();
    let (paff, neko) = (Home::of("paff", server.address()), Home::of("neko", server.address()));
    assert_eq!(paff.run(["send", "neko", "hai neko"]).code, 0);
    for words in [&["inbox"][..], &["inbox", "--raw"], &["list"], &["--help"]] {
        let (reader, mut writer) = std::io::pipe().unwrap();
        drop(reader);
        // A child that another test starts may have it open for a moment.
        while writer.write(b"x").is_ok() {
            thread::yield_now();
        }
        let mut command = neko.cli(words);
        let child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        let outcome = told(child.wait_with_output().unwrap());
        assert_eq!((outcome.code, outcome.stderr.as_str()), (141, ""), "{words:?}");
    }
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = neko.cli(["inbox"]);
    let child = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let outcome = told(child.wait_with_output().unwrap());
    assert_eq!(outcome.code, 74, "{outcome:?}");
    assert!(outcome.stderr.starts_with("error: cannot write to standard output"), "{outcome:?}");
    // Standard error may be closed as well.
    let nobody = neko.sh("$CLI auth paff wrong 2>&- >&-");
    assert_eq!(cli::outcome(nobody).code, 77);

    assert_eq!(neko.run(["inbox"]).stdout, "{\"paff\": [{\"msg\": \"hai neko\"}]}\n");
}

#[test]
fn inbox_of_many_pages_is_one_map_and_read_once() {
    const COUNT: usize = 2_500;
    let server = Server::start();
    let neko = Home::of("neko", server.address());
    let mut wire = server.connect();
    let token = wire.log_in("paff");
    for batch in (0..COUNT).collect::<Vec<_>>().chunks(100) {
        for n in batch {
            wire.send(format!("send {token} neko message {n}\r\n"));
        }
        for _ in batch {
            assert_eq!(wire.reply()["status"], "OK");
        }
    }
    let outcome = neko.run(["inbox"]);
    let map: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    let texts = map["paff"].as_array().unwrap();
    assert_eq!(texts.len(), COUNT);
    for (n, text) in texts.iter().enumerate() {
        assert_eq!(text["msg"], format!("message {n}"));
    }
    assert_eq!(neko.run(["inbox"]).stdout, "{}\n");
    assert_eq!(neko.run(["inbox", "--raw"]).stdout, "");
}

#[test]
fn stopped_server_leaves_the_outcome_unknown_and_the_key_finds_out() {
    let server = Server::start();
    let home = Home::of("paff", server.address());
    server.freeze();
    let stopped = home.run(["send", "--timeout", "300ms", "neko", "hai neko"]);
    let list = home.run(["list", "--timeout", "50ms"]);
    server.signal(Signal::CONT);
    assert_eq!((list.code, list.stdout.as_str()), (75, ""));
    assert_eq!((stopped.code, stopped.stdout.as_str()), (75, ""), "{stopped:?}");
    let key = stopped.stderr.split_once("--id ").unwrap().1.split(' ').next().unwrap();
    assert_eq!(
        home.run(["send", "--key", key, "neko", "hai neko"]).stdout,
        "message sent to neko\n"
    );
    assert_eq!(server.query("select body from messages"), ["hai neko"]);

    let conflict = home.run(["send", "--key", key, "neko", "something else"]);
    assert_eq!(conflict.code, 65, "{conflict:?}");
}

#[test]
fn lost_answer_is_requested_again_and_the_message_stored_once() {
    let server = Server::start();
    let address = losing_proxy(server.address(), 3);
    let home = Home::new(address);
    let mut command = home.cli(["send", "neko", "hai neko"]);
    command.env("CHAT_TOKEN", server.log_in("paff"));
    assert_eq!(outcome(command).stdout, "message sent to neko\n");
    assert_eq!(server.query("select body from messages"), ["hai neko"]);
}

/// A proxy in front of a server that loses the answers of the first connections.
fn losing_proxy(server: SocketAddr, losses: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for (number, mut client) in listener.incoming().flatten().enumerate() {
            let mut wire = Wire::connect(server);
            let mut line = String::new();
            BufReader::new(client.try_clone().unwrap()).read_line(&mut line).unwrap();
            wire.send(line);
            let reply = wire.reply_bytes();
            if number >= losses {
                client.write_all(&reply).unwrap();
            }
        }
    });
    address
}

#[test]
fn server_killed_under_a_send_is_an_unknown_outcome() {
    let mut server = Server::start();
    let home = Home::of("paff", server.address());
    // The server is frozen, so the request is certainly in progress when it is killed.
    server.freeze();
    let child = start(home.cli(["send", "--timeout", "2s", "neko", "hai"]).stdin(Stdio::null()));
    wait_for_request(server.address().port());
    server.kill();
    let outcome = told(child.wait_with_output().unwrap());
    assert_eq!((outcome.code, outcome.stdout.as_str()), (75, ""), "{outcome:?}");
    assert!(outcome.stderr.contains("hint: `chat-cli send --id "), "{outcome:?}");
    server.start_again();
    assert!(server.query("select count(*) from messages")[0].parse::<u32>().unwrap() <= 1);
}

/// Waits until a connection to `port` has bytes that the server has not read.
fn wait_for_request(port: u16) {
    let deadline = std::time::Instant::now() + support::PATIENCE;
    let local = format!(":{port:04X}");
    loop {
        // Fields: sl, local address, remote address, state, tx_queue:rx_queue, …
        let connections = fs::read_to_string("/proc/net/tcp").unwrap();
        let waits = connections.lines().any(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let established = fields.get(3) == Some(&"01");
            established && fields[1].ends_with(&local) && !fields[4].ends_with(":00000000")
        });
        if waits {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "no request arrives");
        thread::yield_now();
    }
}

#[test]
fn ipv6_and_names_are_reached() {
    let server = Server::start_with(&["--listen", "[::1]:0"]);
    assert!(server.address().is_ipv6());
    let home = Home::of("paff", server.address());
    assert_eq!(home.run(["list"]).stdout, "\"List user: paff\"\n");

    let server = Server::start();
    let home = Home::new(server.address());
    let name = format!("localhost:{}", server.address().port());
    assert_eq!(home.run(["--server", &name, "auth", "paff", "cytus"]).code, 0);
    assert_eq!(home.run(["--server", &name, "list"]).code, 0);
}

/// An address with a zone, given by the name or the number of the interface.
#[test]
fn ipv6_address_with_a_zone_is_listened_on_and_reached() {
    if !is_here("unshare") || !is_here("ip") {
        return;
    }
    let home = Home::new("127.0.0.1:9".parse().unwrap());
    let isolated = |script: &str| {
        let mut command = home.sh("exec unshare -rn sh -c \"$0\"");
        command.arg(script).env("SERVER", env!("CARGO_BIN_EXE_chat-server"));
        command
    };
    let network = "ip link set lo up && ip addr add fe80::1/64 dev lo nodad";
    if !isolated(network).output().unwrap().status.success() {
        return skip("a network of its own", "run it as root, or allow user namespaces");
    }
    let script = format!(
        "{network} && cd && set -e
        \"$SERVER\" --listen '[fe80::1%lo]:8889' --allow-plaintext --allow-default-passwords \
            --ready-file ready --log warn &
        until test -s ready; do :; done
        \"$CLI\" --server '[fe80::1%lo]:8889' auth paff cytus >/dev/null
        \"$CLI\" --server '[fe80::1%lo]:8889' send paff hai
        \"$CLI\" --server '[fe80::1%1]:8889' auth paff cytus >/dev/null
        \"$CLI\" --server '[fe80::1%1]:8889' inbox --raw
        kill $! && wait"
    );
    let outcome = outcome(isolated(&script));
    let told = "chat-server listening on [fe80::1%1]:8889\nmessage sent to paff\nhai\n";
    assert_eq!(outcome.stdout, told, "{outcome:?}");
}

/// Without a server, logging in would not help.
#[test]
fn missing_server_is_reported_before_a_missing_login() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let home = Home::new(address);
    for words in [
        &["list"][..],
        &["send", "neko", "hai"],
        &["inbox"],
        &["watch"],
        &["ask", "neko", "hai"],
        &["logout"],
        &["passwd"],
    ] {
        let outcome = home.run(words);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (69, ""), "{words:?}: {outcome:?}");
        let told = format!("error: cannot reach {address}: ");
        assert!(outcome.stderr.starts_with(&told), "{words:?}: {outcome:?}");
    }
    // The server is there, but no user is logged in.
    let server = Server::start();
    let outcome = home.run(["--server", &server.address().to_string(), "list"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (77, NOT_AUTHORIZED));
}

#[test]
fn help_is_a_command_too() {
    let home = Home::new("127.0.0.1:9".parse().unwrap());
    for (words, same) in [
        (&["help"][..], &["--help"][..]),
        (&["help", "send"], &["send", "--help"]),
        (&["help", "config", "init"], &["config", "init", "--help"]),
    ] {
        let (told, same) = (home.run(words), home.run(same));
        assert_eq!((told.code, told.stderr.as_str()), (0, ""), "{words:?}");
        assert_eq!(told.stdout, same.stdout, "{words:?}");
        let mut command = home.cli(words);
        command.env("CHAT_LANG", "id");
        let told = outcome(command).stdout;
        assert!(told.contains("Pemakaian: chat-cli"), "{words:?}: {told}");
    }
    assert_eq!(home.run(["help", "sned"]).code, 2);
}

#[test]
fn lines_that_were_already_stored_are_counted() {
    let server = Server::start();
    let home = Home::of("paff", server.address());
    let send = |input: &str| {
        let outcome = home.run_with_input(["send", "neko", "--lines", "--id", "b"], input);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        outcome.stdout
    };
    assert_eq!(send("one\n"), "1 message sent to neko\n");
    assert_eq!(send("one\n"), "1 message sent to neko, 1 of them already stored\n");
    assert_eq!(send("one\ntwo\n\nthree\n"), "3 messages sent to neko, 1 of them already stored\n");
    assert_eq!(server.query("select count(*) from messages"), ["3"]);
}

#[test]
fn output_of_a_file_is_complete_when_the_command_has_ended() {
    let server = Server::start();
    let home = Home::of("paff", server.address());
    home.run(["send", "paff", "hai"]);
    let path = home.state().join("out");
    let file = File::create(&path).unwrap();
    assert!(home.cli(["inbox"]).stdout(file).status().unwrap().success());
    assert_eq!(fs::read_to_string(path).unwrap(), "{\"paff\": [{\"msg\": \"hai\"}]}\n");
}
