//! The commands of the prompt, and its help after a mistake.

use crate::support::Server;
use crate::support::cli::Home;
use crate::support::pty::{CTRL_C, CTRL_D, TAB, Terminal};

/// The prompt of a logged-in user.
fn prompt_of(user: &str, home: &Home) -> Terminal {
    let mut terminal = Terminal::start(home.cli([""; 0]));
    terminal.wait_for_end("Command :");
    terminal.line(&format!("auth {user} cytus"));
    terminal.wait_for_end(&format!("username {user} logged in\nCommand {user}:"));
    terminal
}

/// Types a line at this prompt, and waits for the answer `told` and the prompt `next`.
fn ask(terminal: &mut Terminal, prompt: &str, line: &str, told: &str, next: &str) {
    terminal.line(line);
    terminal.wait_for_end(&format!("{prompt}{line}\n{told}\n{next}"));
}

/// The recipients and the texts of all messages.
fn sent(server: &Server) -> Vec<String> {
    server.query(
        "select u.name || ': ' || m.body from messages m join users u on u.id = m.recipient_id
         order by m.id",
    )
}

#[test]
fn send_takes_what_the_command_takes() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = prompt_of("paff", &home);
    let paff = "Command paff:";
    let mut ask = |line: &str, told: &str| ask(&mut terminal, paff, line, told, paff);
    ask("send neko,ivy hai", "message sent to neko, ivy");
    for (to, hint) in [("#all", ""), ("neko,nobody", ""), ("neko,", ""), ("nek", "neko")] {
        // The refusal is the same as the command's.
        let command = home.run(["send", to, "hai"]);
        assert_eq!(command.code, 67, "{command:?}");
        let hint =
            if hint.is_empty() { String::new() } else { format!("\nhint: did you mean {hint}?") };
        let refusal = command.stderr.lines().next().expect("a refusal").trim_end();
        ask(&format!("send {to} hai"), &format!("{refusal}{hint}"));
    }
    assert_eq!(sent(&server), ["neko: hai", "ivy: hai"]);
}

#[test]
fn surplus_words_are_refused_and_nothing_is_done() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = prompt_of("paff", &home);
    let paff = "Command paff:";
    for line in [
        "list all",
        "inbox now",
        "logout please",
        "quit now",
        "help send",
        "history neko ivy",
        "revoke others now",
        "to be honest",
    ] {
        let told = "-Sorry, there are too many words in this command: type help";
        ask(&mut terminal, paff, line, told, paff);
    }
    ask(&mut terminal, paff, "whoami", "paff (Paff Aroma)", paff);
}

#[test]
fn passwd_with_words_is_refused_and_says_that_it_asks() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = prompt_of("paff", &home);
    let paff = "Command paff:";
    let told = "-Sorry, type `passwd` alone: it asks for the passwords and does not show them";
    for line in ["passwd cytus secret", "passwd cytus"] {
        ask(&mut terminal, paff, line, told, paff);
        // Nor is it sent as a message where plain text goes to a user.
        ask(
            &mut terminal,
            paff,
            "to neko",
            "text without a verb goes to neko now; `to` alone ends that",
            "Command paff > neko:",
        );
        ask(&mut terminal, "Command paff > neko:", line, told, "Command paff > neko:");
        ask(
            &mut terminal,
            "Command paff > neko:",
            "to",
            "text without a verb goes to nobody now",
            paff,
        );
    }
    assert_eq!(sent(&server), [""; 0]);
    server.connect().done("auth paff cytus");
}

#[test]
fn similar_verbs_and_users_are_suggested() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = prompt_of("paff", &home);
    let paff = "Command paff:";
    let mut ask = |line: &str, told: &str| ask(&mut terminal, paff, line, told, paff);
    let verb = |verb: &str| format!("*Sorry, there is no such command: did you mean `{verb}`?");
    ask("sned neko hai", &verb("send"));
    ask("INBOX", &verb("inbox"));
    ask("login neko", &verb("auth"));
    ask("send neko hai", "message sent to neko");
    for (line, user) in
        [("send nekko hai", "neko"), ("history Neko", "neko"), ("auth pfaf x", "paff")]
    {
        terminal_tells(&mut ask, line, user, &home);
    }
}

fn terminal_tells(ask: &mut impl FnMut(&str, &str), line: &str, user: &str, home: &Home) {
    // The refusal of an unknown user, in the words of the command.
    let refusal = match line.starts_with("auth") {
        true => home.run_with_input(["auth", "nobody"], "x\n"),
        false => home.run(["send", line.split(' ').nth(1).expect("a user"), "hai"]),
    };
    let refusal = refusal.stderr.lines().next().expect("a refusal").to_owned();
    ask(line, &format!("{refusal}\nhint: did you mean {user}?"));
}

#[test]
fn auth_alone_asks_for_the_name_too() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = Terminal::start(home.cli([""; 0]));
    terminal.wait_for_end("Command :");
    terminal.line("auth");
    terminal.wait_for_end("User:");
    terminal.keys(CTRL_C);
    terminal.wait_for_end("\nCommand :");
    terminal.keys("auth\rpaff\rcytus\rauth --forget\r neko \rcytus\rwhoami\r");
    terminal.wait_for_end("neko (Neko UwU)\nCommand neko:");
    terminal.keys(CTRL_D);
    assert!(terminal.wait().success());
    assert_eq!(home.run(["whoami", "--json"]).code, 0);
    let history = std::fs::read_to_string(home.state().join("history")).unwrap();
    assert!(history.contains("whoami") && !history.contains("paff"), "{history}");
}

#[test]
fn plain_text_goes_to_the_chosen_users() {
    let server = Server::start();
    let home = Home::new(server.address());
    let mut terminal = prompt_of("paff", &home);
    let (paff, neko) = ("Command paff:", "Command paff > neko:");
    ask(&mut terminal, paff, "hai", "*Sorry, there is no such command: type help", paff);
    terminal.keys(format!("send neko one\rto ne{TAB}"));
    terminal.wait_for_end("Command paff:to neko");
    terminal.keys("\r");
    terminal.wait_for_end(&format!(
        "text without a verb goes to neko now; `to` alone ends that\n{neko}"
    ));
    ask(&mut terminal, neko, "apa  kabar, neko?", "message sent to neko", neko);
    ask(&mut terminal, neko, "whoami", "paff (Paff Aroma)", neko);
    ask(&mut terminal, neko, "send ivy two", "message sent to ivy", neko);
    // A misspelt login is not sent as a text.
    let told = "*Sorry, there is no such command: did you mean `auth`?";
    ask(&mut terminal, neko, "auht paff cytus", told, neko);
    ask(&mut terminal, neko, "to", "text without a verb goes to nobody now", paff);
    ask(&mut terminal, paff, "hai", "*Sorry, there is no such command: type help", paff);
    terminal.line("to neko,ivy");
    terminal.wait_for_end("Command paff > neko,ivy:");
    let both = "Command paff > neko,ivy:";
    ask(&mut terminal, both, "three", "message sent to neko, ivy", both);
    // It does not apply to the next user.
    terminal.line("auth robo cytus");
    terminal.wait_for_end("\nCommand robo:");
    let expected =
        ["neko: one", "neko: apa  kabar, neko?", "ivy: two", "neko: three", "ivy: three"];
    assert_eq!(sent(&server), expected);
}

#[test]
fn reply_goes_to_the_last_sender_of_when_it_was_begun() {
    let server = Server::start();
    let home = Home::new(server.address());
    let others = ["neko", "ivy", "robo"].map(|user| Home::of(user, server.address()));
    let mut terminal = prompt_of("paff", &home);
    let paff = "Command paff:";
    ask(&mut terminal, paff, "reply hai", "there is no message to reply to", paff);
    others[0].run(["send", "paff", "from neko"]);
    terminal.wait_for_end("  neko  from neko\nCommand paff:");
    terminal.keys("reply to nek");
    terminal.wait_for_end("reply to nek");
    others[1].run(["send", "paff", "from ivy"]);
    terminal.wait_for_end("  ivy  from ivy\nCommand paff:reply to nek");
    terminal.line("o");
    terminal.wait_for_end("reply to neko\nmessage sent to neko\nCommand paff:");
    ask(&mut terminal, paff, "reply to ivy", "message sent to ivy", paff);
    terminal.keys(CTRL_D);
    assert!(terminal.wait().success());
    // Messages that another prompt or `inbox` has shown count, and unseen ones do not.
    home.run(["inbox"]);
    others[2].run(["send", "paff", "from robo"]);
    let mut terminal = Terminal::start(home.cli([""; 0]));
    let paff = "Command paff (1):";
    terminal.wait_for_end(paff);
    ask(&mut terminal, paff, "reply ivy again", "message sent to ivy", paff);
    terminal.line("inbox");
    terminal.wait_for_end("  robo  from robo\nCommand paff:");
    ask(&mut terminal, "Command paff:", "reply to robo", "message sent to robo", "Command paff:");
    let replies: Vec<String> =
        sent(&server).into_iter().filter(|sent| !sent.starts_with("paff")).collect();
    assert_eq!(replies, ["neko: to neko", "ivy: to ivy", "ivy: ivy again", "robo: to robo"]);
}

#[test]
fn bell_rings_for_messages_where_it_is_on() {
    let server = Server::start();
    let home = Home::new(server.address());
    let neko = Home::of("neko", server.address());
    let rings = |terminal: &Terminal| terminal.transcript().matches('\x07').count();
    let mut terminal = prompt_of("paff", &home);
    let paff = "Command paff:";
    neko.run(["send", "paff", "one"]);
    terminal.wait_for_end("  neko  one\nCommand paff:");
    ask(&mut terminal, paff, "bell", "the bell is off", paff);
    ask(&mut terminal, paff, "bell on", "the bell is on", paff);
    assert_eq!(rings(&terminal), 0);
    neko.run(["send", "paff", "two"]);
    terminal.wait_for_end("  neko  two\nCommand paff:");
    assert_eq!(rings(&terminal), 1);
    ask(&mut terminal, paff, "bell off", "the bell is off", paff);
    terminal.keys(CTRL_D);
    assert!(terminal.wait().success());

    let folder = home.path().join(".config/chat");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("config.toml"), "bell = \"on\"\n").unwrap();
    let mut terminal = Terminal::start(home.cli([""; 0]));
    terminal.wait_for_end(paff);
    ask(&mut terminal, paff, "bell", "the bell is on", paff);
    std::fs::write(folder.join("config.toml"), "bell = \"loud\"\n").unwrap();
    assert_eq!(home.run(["list"]).code, 78);
}
