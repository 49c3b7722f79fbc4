//! The language of texts for people: how it is chosen, and what it does not change; against the
//! real programs.

use std::io::{BufRead, BufReader};
use std::path::Path;

use chat::protocol::refusal::Code;
use serde_json::Value;

use crate::support::cli::{Home, Outcome, outcome, outcome_with_input, without_tokens};
use crate::support::fake::{Fake, Step};
use crate::support::pty::Terminal;
use crate::support::{Server, Wire};
use crate::support::{cli, operator};

/// The output of a command with these variables set.
fn run_in(home: &Home, variables: &[(&str, &str)], arguments: &[&str]) -> Outcome {
    let mut command = home.cli(arguments);
    command.envs(variables.iter().copied());
    outcome(command)
}

#[test]
fn language_comes_from_the_option_then_the_variable_then_the_locale() {
    let server = Server::start();
    let home = Home::new(server.address());
    let (english, indonesian) = ("not authorized", "belum login");
    for (variables, option, told) in [
        (&[][..], &[][..], english),
        (&[("LANG", "C.UTF-8")], &[], english),
        (&[("LANG", "en_US.UTF-8")], &[], english),
        (&[("LANG", "id_ID.UTF-8")], &[], indonesian),
        (&[("LANG", "en_US.UTF-8"), ("LC_MESSAGES", "id_ID.UTF-8")], &[], indonesian),
        (&[("LC_MESSAGES", "id_ID.UTF-8"), ("LC_ALL", "C")], &[], english),
        (&[("LANG", "id_ID.UTF-8"), ("CHAT_LANG", "en")], &[], english),
        (&[("LANG", "en_US.UTF-8"), ("CHAT_LANG", "id")], &[], indonesian),
        (&[("LANG", "id_ID.UTF-8"), ("CHAT_LANG", "")], &[], indonesian),
        (&[("CHAT_LANG", "tlh")], &[], english),
        (&[("CHAT_LANG", "en")], &["--lang", "id"], indonesian),
        (&[("CHAT_LANG", "id")], &["--lang=en"], english),
    ] {
        for arguments in [[&["list"], option].concat(), [option, &["list"]].concat()] {
            let outcome = run_in(&home, variables, &arguments);
            let told = format!("Error, {told}\n");
            assert!(outcome.stderr.starts_with(&told), "{variables:?} {option:?}: {outcome:?}");
            assert_eq!(outcome.code, 77);
        }
    }
}

#[test]
fn results_and_failures_are_in_the_chosen_language() {
    let server = Server::start();
    let home = Home::new(server.address());
    for (arguments, english, indonesian) in [
        (
            &["auth", "paff", "wrong"][..],
            "Error, the password is wrong\n",
            "Error, Password Salah\n",
        ),
        (&["auth", "sagan", "x"], "Error, there is no such user\n", "Error, User Tidak Ada\n"),
        (
            &["auth", "paff", "cytus"],
            "username paff logged in, token <token 1>\n",
            "user paff sudah login, token <token 1>\n",
        ),
        (&["send", "neko", "hai"], "message sent to neko\n", "pesan terkirim ke neko\n"),
        (
            &["send", "neko,conner", "hai"],
            "Error, there is no such user: conner\n",
            "Error, User Tidak Ditemukan: conner\n",
        ),
        (&["send", "neko", ""], "Error, the message is empty\n", "Error, pesannya kosong\n"),
        (
            &["send", "neko", "-F", "/nowhere"],
            "error: cannot read /nowhere: No such file or directory (os error 2)\n",
            "error: /nowhere tidak bisa dibaca: No such file or directory (os error 2)\n",
        ),
        (&["ack", "--all"], "inbox stands at 0\n", "inbox ada di 0\n"),
        (&["revoke", "--others"], "1 session ended\n", "0 sesi diakhiri\n"),
        (&["list"], "\"List user: paff\"\n", "\"List user: paff\"\n"),
        (&["logout"], "logged out\n", "\"Logout berhasil\"\n"),
    ] {
        for (language, expected) in [("en", english), ("id", indonesian)] {
            if arguments[0] == "logout" {
                home.run(["auth", "paff", "cytus"]);
            }
            let outcome = run_in(&home, &[("CHAT_LANG", language)], arguments);
            let told = without_tokens(&format!("{}{}", outcome.stdout, outcome.stderr));
            assert_eq!(told, expected, "{arguments:?}");
        }
    }
}

/// By its code, and by the text of a server without codes.
#[test]
fn english_user_sees_no_word_of_the_seed_outside_its_session() {
    let token = ("CHAT_TOKEN", "7a592c0e-2cb5-4de6-866b-4e216b0caf15");
    for code in Code::ALL {
        let (word, text) = (code.as_str(), code.message());
        for reply in [
            format!(r#"{{"status": "ERROR", "code": "{word}", "message": "{text}"}}"#),
            format!(r#"{{"status": "ERROR", "message": "{text}"}}"#),
        ] {
            let fake = Fake::start(vec![vec![Step::Reply(reply.leak())]]);
            let home = Home::new(fake.address());
            for locale in ["", "C.UTF-8", "en_US.UTF-8"] {
                let said = run_in(&home, &[("LANG", locale), token], &["list"]).stderr;
                let of_the_seed = ["Tidak", "Salah", "Maaf", "berhasil"];
                let found = of_the_seed.iter().any(|word| said.contains(word));
                assert!(said.starts_with("Error, ") && !found, "{word} in {locale:?}: {said}");
            }
        }
    }
}

#[test]
fn code_that_the_client_does_not_know_is_shown_with_the_servers_text() {
    let fake =
        Fake::saying(r#"{"status": "ERROR", "code": "tired", "message": "come back later"}"#);
    let home = Home::new(fake.address());
    let token = ("CHAT_TOKEN", "7a592c0e-2cb5-4de6-866b-4e216b0caf15");
    let outcome = run_in(&home, &[token], &["list"]);
    assert_eq!(outcome.stderr, "Error, refused as tired: come back later\n");
    let outcome = run_in(&home, &[token], &["--json", "list"]);
    let object: Value = serde_json::from_str(&outcome.stderr).unwrap();
    assert_eq!((&object["code"], &object["exit"]), (&"tired".into(), &76.into()));
}

#[test]
fn output_for_programs_is_the_same_in_every_language() {
    let server = Server::start();
    let home = Home::of("paff", server.address());
    let error_of = |arguments: &[&str], language: &str| {
        let outcome = run_in(&home, &[("CHAT_LANG", language)], arguments);
        let object: Value = serde_json::from_str(&outcome.stderr).expect(&outcome.stderr);
        assert_eq!(object["exit"], outcome.code);
        object
    };
    for (arguments, differs) in [
        (&["--json", "send", "conner", "hai"][..], true),
        (&["--json", "send", "neko", ""], true),
        (&["--json", "auth", "paff", "wrong"], true),
        (&["--json", "list", "--nonsense"], true),
        (&["--json", "--server", "127.0.0.1:1", "list"], true),
    ] {
        let (mut english, mut indonesian) = (error_of(arguments, "en"), error_of(arguments, "id"));
        assert_eq!(english["error"] != indonesian["error"], differs, "{english} {indonesian}");
        for object in [&mut english, &mut indonesian] {
            for text in ["error", "hint"] {
                object.as_object_mut().unwrap().remove(text);
            }
        }
        assert_eq!(english, indonesian, "{arguments:?}");
    }
    home.run(["send", "paff", "hai"]);
    for arguments in [
        &["--json", "inbox", "--peek"][..],
        &["--json", "whoami"],
        &["--json", "unread"],
        &["inbox", "--peek"],
        &["history"],
        &["unread"],
    ] {
        let english = run_in(&home, &[("CHAT_LANG", "en")], arguments);
        let indonesian = run_in(&home, &[("CHAT_LANG", "id")], arguments);
        assert_eq!(english, indonesian, "{arguments:?}");
        assert!(!english.stdout.is_empty());
    }
}

#[test]
fn help_and_usage_errors_are_in_the_chosen_language() {
    let home = Home::new("127.0.0.1:9".parse().unwrap());
    let indonesian = |arguments: &[&str]| run_in(&home, &[("CHAT_LANG", "id")], arguments);
    let help = indonesian(&["send", "--help"]);
    assert_eq!(help.code, 0);
    for text in
        ["Kirim pesan, tepat satu kali", "Pemakaian: chat-cli send", "Argumen:", "Opsi:", "Contoh:"]
    {
        assert!(help.stdout.contains(text), "{text}: {}", help.stdout);
    }
    let main = indonesian(&["--help"]).stdout;
    assert!(main.contains("Perintah:") && main.contains("Kode keluar:\n    0  selesai"), "{main}");
    assert!(!main.contains("Usage") && !main.contains("Options"), "{main}");
    assert!(indonesian(&["-h"]).stdout.contains("[pilihan: en, id]"));
    // The language is chosen in a command line that is itself invalid.
    for (arguments, told) in [
        (
            &["--lang", "id", "lits"][..],
            "error: perintah 'lits' tidak dikenal\n\n  saran: ada yang mirip: 'list'\n",
        ),
        (&["list", "--wrong", "--lang=id"], "error: argumen '--wrong' tidak dikenal\n"),
        (
            &["--lang", "id", "send"],
            "error: argumen wajib berikut belum diberikan:\n  <TO[,TO...]>\n",
        ),
        (
            &["--lang", "id", "--timeout", "0s", "list"],
            "error: nilai '0s' untuk '--timeout <DURATION>' tidak benar: tulis paling sedikit 1ms\n",
        ),
        (
            &["--lang", "id", "--classic", "list"],
            "error: --classic dan --trace untuk prompt, bukan untuk perintah\n",
        ),
    ] {
        let outcome = home.run(arguments);
        assert!(outcome.stderr.starts_with(told), "{arguments:?}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("Usage") && !outcome.stderr.contains("For more"));
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{arguments:?}");
    }
    let unknown = home.run(["--lang", "de", "list"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("[possible values: en, id]"), "{unknown:?}");
    assert!(home.run(["--help"]).stdout.contains("Usage: chat-cli"));
}

#[test]
fn option_in_a_message_is_text() {
    let server = Server::start();
    let home = Home::of("paff", server.address());
    let sent = home.run(["send", "neko", "try", "--lang", "id"]);
    assert_eq!(sent.stdout, "message sent to neko\n");
    let inbox = Home::of("neko", server.address()).run(["inbox", "--raw"]);
    assert_eq!(inbox.stdout, "try --lang id\n");
}

#[test]
fn classic_session_is_the_seeds_in_every_language() {
    // The test enters more wrong passwords than the default limit allows in a minute.
    let server = Server::start_with(&["--login-failures-per-address-max", "1000"]);
    let home = Home::new(server.address());
    let input = "auth paff wrong\nlist\nauth paff cytus\nsend neko hai\nsend conner hai\nsend neko\n\
                 dance\nlist\nlogout\n";
    let said = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = home.cli(arguments);
        command.envs(variables.iter().copied());
        let outcome = outcome_with_input(command, input.as_bytes());
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
        without_tokens(&outcome.stdout)
    };
    let of_the_seed = said(&[], &[]);
    assert!(of_the_seed.contains("Silahkan menggunakan command"), "{of_the_seed}");
    assert!(of_the_seed.contains("message sent to neko\n"), "{of_the_seed}");
    for language in ["en", "id"] {
        assert_eq!(said(&[("CHAT_LANG", language)], &[]), of_the_seed);
        assert_eq!(said(&[], &["--lang", language]), of_the_seed);
        assert_eq!(said(&[], &["--lang", language, "--classic"]), of_the_seed);
    }
}

/// The output of an operator's command in a language.
fn operate_in(language: &str, database: &Path, arguments: &[&str]) -> Outcome {
    outcome(operator::command(database, &[&["--lang", language], arguments].concat()))
}

#[test]
fn operators_read_the_chosen_language_and_programs_the_same_output() {
    let server = Server::start();
    let database = server.database();
    let nowhere = server.folder().join("nowhere.sqlite");
    for (database, arguments, code, english, indonesian) in [
        (
            &nowhere,
            &["user", "list"][..],
            66,
            "error: there is no database ",
            "error: tidak ada database ",
        ),
        (
            &database,
            &["user", "show", "conner"],
            67,
            "error: there is no user conner\nhint: `chat-server user list` lists the users\n",
            "error: user itu tidak ada (there is no user conner)\nsaran: `chat-server user list` \
             menampilkan para user\n",
        ),
        (
            &database,
            &["user", "show", "No!"],
            65,
            "error: \"No!\" is no user name: it has a character that is not allowed\n",
            "error: \"No!\" bukan nama user: ada karakter yang tidak diperbolehkan\n",
        ),
        (
            &database,
            &["user", "delete", "paff"],
            2,
            "error: this cannot be undone, and there is no terminal to confirm it\nhint: give --yes\n",
            "error: ini tidak bisa dibatalkan, dan tidak ada terminal untuk mengonfirmasinya\n\
             saran: tambahkan --yes\n",
        ),
        (
            &database,
            &["serve"],
            75,
            &format!("error: {} is in use by process ", database.display()),
            &format!("error: {} sedang dipakai proses ", database.display()),
        ),
        (&database, &["user", "lits"], 2, "error: unrecognized", "error: perintah 'lits' tidak"),
    ] {
        for (language, told) in [("en", english), ("id", indonesian)] {
            let outcome = operate_in(language, database, arguments);
            assert_eq!(outcome.code, code, "{arguments:?}: {outcome:?}");
            assert!(outcome.stderr.starts_with(told), "{arguments:?}: {}", outcome.stderr);
        }
    }
    let told = |language| operate_in(language, &database, &["healthcheck"]).stdout;
    assert!(told("en").starts_with("healthy: wrote and read in "));
    assert!(told("id").starts_with("sehat: menulis dan membaca dalam "));
    for arguments in [
        &["user", "list"][..],
        &["user", "show", "paff"],
        &["user", "list", "--json"],
        &["session", "list"],
        &["check", "--json"],
    ] {
        let english = operate_in("en", &database, arguments);
        let indonesian = operate_in("id", &database, arguments);
        assert_eq!(english.code, 0, "{english:?}");
        assert_eq!(english, indonesian, "{arguments:?}");
    }
    let refused = operate_in("id", &database, &["--json", "user", "show", "conner"]);
    let object: Value = serde_json::from_str(&refused.stderr).expect(&refused.stderr);
    assert_eq!((&object["code"], &object["exit"]), (&"unknown_user".into(), &67.into()));
}

#[test]
fn help_of_the_server_and_its_configuration_are_there_in_indonesian() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("chat.sqlite");
    let help = operate_in("id", &database, &["user", "add", "--help"]).stdout;
    assert!(help.contains("Nama untuk login") && help.contains("Pemakaian:"), "{help}");
    assert!(!help.contains("Options") && !help.contains("Examples"), "{help}");
    let example = operate_in("id", &database, &["config", "example"]).stdout;
    assert!(example.contains("# Jumlah koneksi paling banyak pada satu saat.\n"), "{example}");
    // The settings in it are the same.
    let settings = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| line.starts_with('#') && !line.starts_with("# ") && line.contains(" = "))
            .map(str::to_owned)
            .collect()
    };
    let english = operate_in("en", &database, &["config", "example"]).stdout;
    assert_eq!(settings(&example), settings(&english));
    assert!(!settings(&english).is_empty());
}

#[test]
fn log_of_the_server_speaks_english_always() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("chat.sqlite");
    let arguments = ["--lang", "id", "serve", "--listen", "127.0.0.1:0"];
    let mut command = operator::command(&database, &arguments);
    let mut child = cli::start(&mut command);
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("chat-server listening on 127.0.0.1:"), "{line}");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let outcome = cli::told(child.wait_with_output().unwrap());
    assert_eq!(outcome.code, 0);
    assert!(outcome.stderr.contains("new database") && outcome.stderr.contains("stopping"));
}

/// Types lines at the prompt in a language. Returns the screen.
fn at_the_prompt(language: &str, lines: &[(&str, &str)]) -> String {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = Terminal::start(home.cli(["--lang", language]));
    terminal.wait_for_end("Command :");
    for (line, answer) in lines {
        terminal.line(line);
        terminal.wait_for_end(answer);
    }
    terminal.screen()
}

#[test]
fn prompt_speaks_indonesian() {
    let screen = at_the_prompt(
        "id",
        &[
            ("list", "Error, belum login\nCommand :"),
            ("auth paff wrong", "Error, Password Salah\nCommand :"),
            ("auth paff cytus", "user paff sudah login\nCommand paff:"),
            ("send neko hai", "pesan terkirim ke neko\nCommand paff:"),
            ("inbox", "tidak ada pesan baru\nCommand paff:"),
            ("dance", "*Maaf, command tidak benar\nCommand paff:"),
            ("passwd a b", "passwordnya ditanyakan dan tidak ditampilkan\nCommand paff:"),
            ("help", "sampai kamu menekan Enter.\nCommand paff:"),
            ("logout", "\"Logout berhasil\"\nCommand :"),
        ],
    );
    assert!(screen.contains("kirim pesan, tepat satu kali"), "{screen}");
}

#[test]
fn prompt_speaks_english() {
    let screen = at_the_prompt(
        "en",
        &[
            ("auth paff wrong", "Error, the password is wrong\nCommand :"),
            ("auth paff cytus", "username paff logged in\nCommand paff:"),
            ("dance", "*Sorry, there is no such command: type help\nCommand paff:"),
            ("send neko", "-Sorry, something is missing in this command: type help\nCommand paff:"),
            ("send conner hai", "Error, there is no such user: conner\nCommand paff:"),
            ("logout", "logged out\nCommand :"),
        ],
    );
    assert!(screen.starts_with("Welcome to Chat CLI\nauth USER  "), "{screen}");
    assert!(!screen.contains("Silahkan"), "{screen}");
}

#[test]
fn message_on_the_wire_is_the_seeds_whatever_the_server_speaks() {
    for language in ["en", "id"] {
        let server = Server::start_with(&["--lang", language]);
        let mut wire: Wire = server.connect();
        let refused = wire.ask("auth paff wrong");
        assert_eq!(refused["message"], "Password Salah");
        assert_eq!(refused["code"], "wrong_password");
        let refused = wire.ask("auth");
        assert_eq!(refused["message"], "--Protocol Tidak Benar");
        let token = wire.log_in("paff");
        let refused = wire.ask(format!("send {token} neko "));
        assert_eq!(refused["message"], "the message is empty", "{refused}");
    }
}
