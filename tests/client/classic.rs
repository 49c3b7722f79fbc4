//! The transcripts of the seed's document, word for word: the classic session against a real
//! server.

use std::io::{Read, Write};
use std::process::Stdio;

use crate::support::Server;
use crate::support::cli;
use crate::support::cli::{Home, without_tokens};
use crate::support::pty::{CTRL_D, Terminal};

const BANNER: &str = "\
Welcome to Chat CLI
Silahkan menggunakan command yang tertulis:
1. auth 'username' 'password' -> login dengan username dan password masing masing
2. list -> untuk melihat daftar user yang aktif
3. send 'penerima' 'pesan' -> untuk mengirim pesan ke penerima yang dituju
4. inbox -> untuk melihat pesan
5. logout -> untuk melogout user
";

/// The output of the session for these lines, with tokens replaced. Standard input is not echoed,
/// so each answer follows its prompt directly.
fn session(home: &Home, options: &[&str], lines: &str) -> String {
    let outcome = home.run_with_input(options, lines);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
    let told = outcome.stdout.strip_prefix(BANNER).expect("the banner first").to_owned();
    without_tokens(&told)
}

#[test]
fn transcript_of_auth() {
    let server = Server::start();
    let home = Home::new(server.address());
    assert_eq!(
        session(&home, &[], "auth paff cytus\n"),
        "Command :username paff logged in, token <token 1>\nCommand <token 1>:"
    );
    assert_eq!(
        session(&home, &[], "auth neko cytus2\nauth sagan cytus\n"),
        "Command :Error, Password Salah\nCommand :Error, User Tidak Ada\nCommand :"
    );
}

#[test]
fn transcript_of_send() {
    let server = Server::start();
    let home = Home::new(server.address());
    let lines = "auth paff cytus\nsend neko hai neko\nsend conner hai conner\n";
    assert_eq!(
        session(&home, &["--trace"], lines),
        "Command :username paff logged in, token <token 1>\n\
         Command <token 1>:send <token 1> neko hai neko\n\
         \n\
         message sent to neko\n\
         Command <token 1>:send <token 1> conner hai conner\n\
         \n\
         Error, User Tidak Ditemukan\n\
         Command <token 1>:"
    );
    assert_eq!(
        session(&home, &[], lines),
        "Command :username paff logged in, token <token 1>\n\
         Command <token 1>:message sent to neko\n\
         Command <token 1>:Error, User Tidak Ditemukan\n\
         Command <token 1>:"
    );
}

#[test]
fn transcript_of_inbox() {
    let server = Server::start();
    let home = Home::new(server.address());
    session(&home, &[], "auth paff cytus\nsend neko hai neko\n");
    assert_eq!(
        session(&home, &[], "auth neko cytus\ninbox\ninbox\n"),
        "Command :username neko logged in, token <token 1>\n\
         Command <token 1>:{\"paff\": [{\"msg\": \"hai neko\"}]}\n\
         Command <token 1>:{}\n\
         Command <token 1>:"
    );
}

/// A message of a room has its sender, because it stands under the name of the room.
#[test]
fn session_in_a_room() {
    let server = Server::start();
    let mut wire = server.connect();
    let (paff, neko) = (wire.log_in("paff"), wire.log_in("neko"));
    wire.done(format!(r##"room_create {paff} {{"room": "#build"}}"##));
    wire.done(format!(r##"room_join {neko} {{"room": "#build"}}"##));
    let home = Home::new(server.address());
    assert_eq!(
        session(&home, &[], "auth paff cytus\nsend #build done\nsend #ops hai\n"),
        "Command :username paff logged in, token <token 1>\n\
         Command <token 1>:message sent to #build\n\
         Command <token 1>:Error, User Tidak Ditemukan\n\
         Command <token 1>:"
    );
    assert_eq!(
        session(&home, &[], "auth neko cytus\ninbox\ninbox\n"),
        "Command :username neko logged in, token <token 1>\n\
         Command <token 1>:{\"#build\": [{\"msg\": \"done\", \"from\": \"paff\"}]}\n\
         Command <token 1>:{}\n\
         Command <token 1>:"
    );
}

#[test]
fn transcript_of_list_and_logout() {
    let server = Server::start();
    let home = Home::new(server.address());
    session(&home, &[], "auth paff cytus\n");
    assert_eq!(
        session(&home, &[], "auth neko cytus\n list\n logout\nlist\n"),
        "Command :username neko logged in, token <token 1>\n\
         Command <token 1>:\"List user: paff,neko\"\n\
         Command <token 1>:\"Logout berhasil\"\n\
         Command :Error, not authorized\n\
         Command :"
    );
}

/// The document shows a terminal, where the typed line follows its prompt.
#[test]
fn transcripts_on_a_terminal_are_the_documents() {
    let server = Server::start();
    let mut terminal = classic(&Home::new(server.address()), &["--trace"]);
    terminal.wait_for_end("Command :");
    for (line, answer) in [
        ("auth neko cytus2", "Error, Password Salah\nCommand :"),
        ("auth sagan cytus", "Error, User Tidak Ada\nCommand :"),
        ("auth paff cytus", "\nCommand <token 1>:"),
        ("send neko hai neko", "message sent to neko\nCommand <token 1>:"),
        ("send conner hai conner", "Error, User Tidak Ditemukan\nCommand <token 1>:"),
        (" list", "\"List user: paff\"\nCommand <token 1>:"),
        (" logout", "\"Logout berhasil\"\nCommand :"),
        ("auth neko cytus", "\nCommand <token 2>:"),
        ("inbox", "}]}\nCommand <token 2>:"),
    ] {
        terminal.line(line);
        terminal
            .wait_until(answer, |terminal| without_tokens(&terminal.screen()).ends_with(answer));
    }
    assert_eq!(
        without_tokens(&terminal.screen()),
        format!(
            "{BANNER}\
             Command :auth neko cytus2\n\
             Error, Password Salah\n\
             Command :auth sagan cytus\n\
             Error, User Tidak Ada\n\
             Command :auth paff cytus\n\
             username paff logged in, token <token 1>\n\
             Command <token 1>:send neko hai neko\n\
             send <token 1> neko hai neko\n\
             \n\
             message sent to neko\n\
             Command <token 1>:send conner hai conner\n\
             send <token 1> conner hai conner\n\
             \n\
             Error, User Tidak Ditemukan\n\
             Command <token 1>: list\n\
             \"List user: paff\"\n\
             Command <token 1>: logout\n\
             \"Logout berhasil\"\n\
             Command :auth neko cytus\n\
             username neko logged in, token <token 2>\n\
             Command <token 2>:inbox\n\
             {{\"paff\": [{{\"msg\": \"hai neko\"}}]}}\n\
             Command <token 2>:"
        )
    );
    terminal.keys(CTRL_D);
    assert!(terminal.wait().success());
}

fn classic(home: &Home, options: &[&str]) -> Terminal {
    let mut command = home.cli(["--classic"]);
    command.args(options);
    Terminal::start_sized(command, 60, 120)
}

#[test]
fn texts_keep_their_words_and_their_inner_spaces() {
    let server = Server::start();
    let home = Home::new(server.address());
    let lines = "auth paff cytus\nsend neko  a  b \nsend neko 🐱 猫 \x1b[2J\u{7f}\r\n";
    session(&home, &[], lines);
    let told = session(&home, &[], "auth neko cytus\ninbox\n");
    let map = r#"{"paff": [{"msg": "a  b"}, {"msg": "\ud83d\udc31 \u732b \u001b[2J\u007f"}]}"#;
    assert!(told.contains(&format!("Command <token 1>:{map}\n")), "{told}");
}

#[test]
fn token_works_on_after_the_server_was_started_again() {
    let mut server = Server::start();
    let home = Home::new(server.address());
    let token = server.log_in("paff");
    server.kill();
    server.start_again();
    let mut command = home.cli(["--server", &server.address().to_string(), "list"]);
    command.env("CHAT_TOKEN", token);
    assert_eq!(cli::outcome(command).stdout, "\"List user: paff\"\n");
}

#[test]
fn session_ends_where_there_is_no_server() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let home = Home::new(address);
    let outcome = home.run_with_input([""; 0], "auth paff cytus\nlist\n");
    assert_eq!((outcome.code, outcome.stdout), (69, format!("{BANNER}Command :")));
    assert!(outcome.stderr.starts_with("error: cannot reach "), "{}", outcome.stderr);
    // Without a command, no server is contacted.
    assert_eq!(home.run_with_input([""; 0], "").code, 0);
}

#[test]
fn session_leaves_nothing_behind() {
    let server = Server::start();
    let home = Home::new(server.address());
    session(&home, &[], "auth paff cytus\nlist\n");
    assert!(!home.state().exists());
}

#[test]
fn closed_output_is_quiet() {
    let server = Server::start();
    let home = Home::new(server.address());
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = home.cli([""; 0]);
    command.stdin(Stdio::piped()).stdout(writer).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(command);
    // The reader goes away in the middle of the session.
    reader.read_exact(&mut [0; BANNER.len()]).unwrap();
    drop(reader);
    let mut stdin = child.stdin.take().unwrap();
    // Write until the session notices: a child that another test starts may have the reader open
    // for a moment.
    let mut lines = std::iter::repeat_n(b"list\n", 10_000);
    let _ = lines.try_for_each(|line| stdin.write_all(line));
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(141), &b""[..]));
}
