//! Rooms from the command line: created, joined, talked in, and shown in every form.

use serde_json::{Value, json};

use crate::support::Server;
use crate::support::cli::{Home, Outcome, outcome};
use crate::support::pty::Terminal;

/// Users of one server, each with a home.
struct Users {
    _server: Server,
    paff: Home,
    neko: Home,
    ivy: Home,
}

impl Users {
    fn start() -> Self {
        let server = Server::start();
        let home = |user| Home::of(user, server.address());
        let (paff, neko, ivy) = (home("paff"), home("neko"), home("ivy"));
        Self { _server: server, paff, neko, ivy }
    }

    /// The room #build of paff, with the member neko.
    fn with_build() -> Self {
        let users = Self::start();
        done(&users.paff, &["room", "create", "build", "--topic", "Builds"]);
        done(&users.neko, &["room", "join", "build"]);
        users
    }
}

/// What the command prints, which succeeds.
fn done(home: &Home, words: &[&str]) -> String {
    let outcome = home.run(words);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{words:?}: {outcome:?}");
    outcome.stdout
}

/// The exit code and the error of the command, which fails.
fn refused(home: &Home, words: &[&str]) -> (i32, String) {
    let Outcome { code, stdout, stderr } = home.run(words);
    assert_eq!(stdout, "", "{words:?}");
    (code, stderr)
}

/// The objects that the command prints.
fn objects(home: &Home, words: &[&str]) -> Vec<Value> {
    let printed = done(home, &[&["--json"], words].concat());
    printed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn room_is_created_joined_and_left() {
    let users = Users::start();
    let (paff, neko) = (&users.paff, &users.neko);
    assert_eq!(done(paff, &["room", "create", "build"]), "#build is created; you are its owner\n");
    assert_eq!(done(neko, &["room", "join", "#build"]), "you are a member of #build\n");
    assert_eq!(done(neko, &["room", "join", "build"]), "you are a member of #build\n");
    assert_eq!(
        done(paff, &["room", "members", "build"]),
        "neko\tmember\tNeko UwU\npaff\towner\tPaff Aroma\n"
    );
    let (code, error) = refused(paff, &["room", "leave", "build"]);
    assert_eq!(code, 73);
    assert!(error.contains("\nhint: `chat-cli room leave ROOM --owner USER`"), "{error}");
    assert_eq!(done(paff, &["room", "leave", "build", "--owner", "neko"]), "you left #build\n");
    assert_eq!(done(neko, &["room", "members", "build"]), "neko\towner\tNeko UwU\n");
    assert_eq!(refused(&users.ivy, &["room", "create", "build"]).0, 73);
    assert_eq!(refused(&users.ivy, &["room", "join", "nowhere"]).0, 67);
}

#[test]
fn rooms_are_listed_and_shown() {
    let users = Users::with_build();
    let (paff, neko, ivy) = (&users.paff, &users.neko, &users.ivy);
    done(paff, &["room", "create", "secret", "--private"]);
    assert_eq!(
        done(paff, &["room", "list"]),
        "#build\t2\towner\tBuilds\n#secret\t1\towner,private\t\n"
    );
    assert_eq!(done(ivy, &["room", "list"]), "#build\t2\t-\tBuilds\n");
    assert_eq!(ivy.run(["room", "list", "--mine"]).code, 1);
    assert_eq!(
        done(paff, &["room", "invite", "secret", "ivy,neko"]),
        "invited to #secret: ivy, neko\n"
    );
    assert_eq!(done(ivy, &["room", "list", "--mine"]), "#secret\t1\tinvited,private\t\n");
    done(neko, &["room", "set", "build", "--notify", "mentions"]);
    let shown = done(neko, &["--time", "utc", "room", "show", "build"]);
    for line in ["#build", "topic    Builds", "access   public", "notify   mentions"] {
        assert!(shown.lines().any(|it| it == line), "{line:?} is not in {shown}");
    }
    let object = &objects(neko, &["room", "show", "build"])[0];
    assert_eq!((&object["v"], &object["room"]), (&json!(1), &json!("#build")));
    assert_eq!((&object["role"], &object["notify"]), (&json!("member"), &json!("mentions")));
    assert_eq!(objects(paff, &["room", "list"]).len(), 2);
    // Not on a terminal the clock is UTC, whatever the zone of the machine is.
    let mut elsewhere = paff.cli(["room", "show", "build"]);
    elsewhere.env("TZ", "Asia/Jakarta");
    let utc = done(paff, &["--time", "utc", "room", "show", "build"]);
    assert_eq!(outcome(elsewhere).stdout, utc);
    assert_eq!(objects(paff, &["room", "members", "build"])[1]["role"], "owner");
}

#[test]
fn private_room_is_nowhere_for_a_stranger() {
    let users = Users::start();
    done(&users.paff, &["room", "create", "secret", "--private"]);
    done(&users.paff, &["send", "#secret", "psst"]);
    let ivy = &users.ivy;
    for words in [
        &["room", "show", "ROOM"][..],
        &["room", "join", "ROOM"],
        &["room", "members", "ROOM"],
        &["room", "leave", "ROOM"],
        &["room", "invite", "ROOM", "ivy"],
        &["room", "set", "ROOM", "--notify", "none"],
        &["room", "archive", "ROOM"],
        &["send", "ROOM", "hai"],
        &["history", "ROOM"],
    ] {
        let refused = |room: &str| {
            let words: Vec<&str> =
                words.iter().map(|&word| if word == "ROOM" { room } else { word }).collect();
            let (code, error) = refused(ivy, &words);
            (code, error.replace(&room[1..], "ROOM"))
        };
        let (private, missing) = (refused("#secret"), refused("#nowhere"));
        assert_eq!(private, missing, "{words:?}");
        assert_eq!(private.0, 67, "{words:?}: {private:?}");
    }
    assert_eq!(done(ivy, &["inbox"]), "{}\n");
}

#[test]
fn message_to_a_room_is_sent_in_every_way_and_shown_in_every_form() {
    let users = Users::with_build();
    let (paff, neko) = (&users.paff, &users.neko);
    assert_eq!(done(paff, &["send", "#build", "one"]), "message sent to #build\n");
    assert_eq!(
        done(paff, &["send", "--room", "build", "two", "words"]),
        "message sent to #build\n"
    );
    assert_eq!(done(paff, &["send", "neko,#build", "to both"]), "message sent to neko, #build\n");
    let piped = paff.run_with_input(["send", "--room=build", "--json"], "piped\n");
    let sent: Value = serde_json::from_str(&piped.stdout).expect("JSON");
    assert_eq!(sent["to"], "#build");

    let history = done(neko, &["history", "--room", "build"]);
    let rows: Vec<&str> = history.lines().map(|line| line.split_once('\t').unwrap().1).collect();
    assert_eq!(
        rows,
        [
            "#build paff\tone",
            "#build paff\ttwo words",
            "#build paff\tto both",
            "#build paff\tpiped"
        ]
    );
    assert_eq!(done(neko, &["history", "#build"]), history);
    let object = &objects(neko, &["history", "#build", "-n", "1"])[0];
    assert_eq!((&object["room"], &object["from"]), (&json!("#build"), &json!("paff")));
    assert_eq!(object.get("to"), None);

    let unread = done(neko, &["unread"]);
    assert_eq!(unread, "5\n1\tpaff\n4\t#build\n");
    assert_eq!(objects(neko, &["unread"])[0]["rooms"][0]["count"], 4);
    assert_eq!(done(neko, &["inbox", "--room", "build", "--peek", "-n", "1", "--raw"]), "one\n");
    assert_eq!(
        done(neko, &["inbox"]),
        "{\"#build\": [{\"msg\": \"one\", \"from\": \"paff\"}, {\"msg\": \"two words\", \"from\": \"paff\"}, \
         {\"msg\": \"to both\", \"from\": \"paff\"}, {\"msg\": \"piped\", \"from\": \"paff\"}], \
         \"paff\": [{\"msg\": \"to both\"}]}\n"
    );
    // The sender's own messages are no news.
    assert_eq!(done(paff, &["inbox", "--all"]), "{}\n");
    assert_eq!(done(paff, &["history", "#build"]).lines().count(), 4);
}

#[test]
fn watch_selects_a_room_and_tells_its_command() {
    let users = Users::with_build();
    let (paff, neko) = (&users.paff, &users.neko);
    done(paff, &["send", "neko", "direct"]);
    done(paff, &["send", "#build", "built"]);
    let shown = done(neko, &["watch", "--exit-at-end", "--room", "build"]);
    assert!(shown.ends_with("\t#build paff\tbuilt\n") && shown.lines().count() == 1, "{shown}");
    let script = "echo \"$CHAT_FROM ${CHAT_ROOM-none}\"";
    let mut command = neko.cli(["watch", "--exit-at-end", "--exec", "sh", "-c", script]);
    command.env("CHAT_ROOM", "#outer");
    let outcome = outcome(command);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "paff none\npaff #build\n"));
}

#[test]
fn muted_room_is_watched_only_on_request() {
    let users = Users::with_build();
    let (paff, neko) = (&users.paff, &users.neko);
    done(neko, &["room", "set", "build", "--notify", "none"]);
    done(paff, &["send", "#build", "noise"]);
    assert_eq!(neko.run(["unread"]).code, 1);
    assert_eq!(done(neko, &["watch", "--exit-at-end"]), "");
    let muted = done(neko, &["watch", "--exit-at-end", "--muted", "--raw"]);
    assert_eq!(muted, "noise\n");
    assert_eq!(done(neko, &["history", "#build", "--raw"]), "noise\n");
}

#[test]
fn reply_to_a_message_of_a_room_goes_to_the_room() {
    let users = Users::with_build();
    let (paff, neko) = (&users.paff, &users.neko);
    let sent = &objects(paff, &["send", "#build", "ready?"])[0];
    let id = sent["id"].to_string();
    assert_eq!(done(neko, &["reply", &id, "yes"]), "message sent to #build\n");
    assert!(
        done(paff, &["inbox"]).contains("\"#build\": [{\"msg\": \"yes\", \"from\": \"neko\"}]")
    );
    assert_eq!(done(paff, &["history", "--thread", &id]).lines().count(), 2);
    // Somebody who cannot read the message cannot answer it.
    assert_eq!(refused(&users.ivy, &["reply", &id, "me too"]).0, 65);
}

#[test]
fn roles_decide_who_posts_and_changes_the_room() {
    let users = Users::with_build();
    let (paff, neko, ivy) = (&users.paff, &users.neko, &users.ivy);
    let (code, error) = refused(ivy, &["send", "#build", "hai"]);
    assert_eq!(code, 73, "{error}");
    assert!(error.contains("\nhint: `chat-cli room show build`"), "{error}");
    assert_eq!(refused(neko, &["room", "set", "build", "--topic", "mine"]).0, 73);
    let (code, error) = refused(paff, &["inbox", "--from", "#build"]);
    assert_eq!((code, error.as_str()), (67, "error: #build is a room: give a user\n"));
    assert_eq!(
        done(paff, &["room", "set", "build", "--posting", "moderators"]),
        "#build is changed\n"
    );
    assert_eq!(refused(neko, &["send", "#build", "hai"]).0, 73);
    done(paff, &["room", "set", "build", "--moderator", "neko"]);
    done(neko, &["send", "#build", "hai"]);
    done(neko, &["room", "set", "build", "--topic", "ours"]);
    assert_eq!(done(paff, &["room", "kick", "build", "neko"]), "neko is removed from #build\n");
    assert_eq!(refused(neko, &["send", "#build", "hai"]).0, 73);
    assert_eq!(done(paff, &["room", "archive", "build"]), "#build is archived\n");
    assert_eq!(refused(paff, &["send", "#build", "hai"]).0, 73);
    assert_eq!(done(paff, &["room", "archive", "build", "--undo"]), "#build is open again\n");
    done(paff, &["send", "#build", "hai"]);
}

#[test]
fn room_that_a_shell_took_for_a_comment_is_explained() {
    let users = Users::with_build();
    let told = |script: &str| {
        let outcome = outcome(users.paff.sh(script));
        assert_eq!(outcome.code, 2, "{script}: {outcome:?}");
        outcome.stderr
    };
    let quote = "hint: a shell takes # for a comment; for a room, quote it: '#build'; or give --room build\n";
    let leave_out =
        "hint: a shell takes # for a comment: leave it out, or quote the room: '#build'\n";
    assert!(told("\"$CLI\" send #build hai").ends_with(quote));
    assert!(told("\"$CLI\" send --room #build hai").ends_with(leave_out));
    assert!(told("\"$CLI\" room join #build").ends_with(leave_out));
    assert!(told("\"$CLI\" ask #build 'go?'").ends_with(quote));
    assert!(told("\"$CLI\" ask --room #build 'go?'").ends_with(leave_out));
    let error: Value = serde_json::from_str(&told("\"$CLI\" --json send #build hai")).unwrap();
    assert_eq!(error["hint"], quote.strip_prefix("hint: ").unwrap().trim_end());
    let indonesian = told("CHAT_LANG=id \"$CLI\" send #build hai");
    assert!(indonesian.contains("saran: shell menganggap # komentar"), "{indonesian}");
}

#[test]
fn rooms_stand_in_columns_on_a_terminal() {
    let users = Users::with_build();
    let (paff, neko) = (&users.paff, &users.neko);
    done(paff, &["send", "#build", "done"]);
    done(&users.ivy, &["send", "neko", "hai"]);
    let shown = |words: &[&str]| {
        let mut terminal = Terminal::start(neko.cli(words));
        terminal.wait();
        terminal.transcript().replace("\r\n", "\n")
    };
    let history = shown(&["history"]);
    assert!(
        history.contains("  \u{1b}[") || history.contains("#build  paff  done\n"),
        "{history:?}"
    );
    let plain = strip_colors(&history);
    assert!(plain.contains("  #build  paff  done\n"), "{plain:?}");
    assert!(plain.contains("          ivy   hai\n"), "{plain:?}");
    assert_eq!(shown(&["room", "list"]), "#build  2  member  Builds\n");
}

/// The text without the sequences that colour it.
fn strip_colors(text: &str) -> String {
    let mut pieces = text.split("\u{1b}[");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| text + piece.split_once('m').map_or(piece, |(_, rest)| rest))
}
