//! `export` writes everything exactly, and `import` stores it, any number of times.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support;
use crate::support::operator;
use crate::support::pty::Terminal;
use crate::support::{Random, Server, Wire, scaled};

/// A server with odd messages among its users, cursors and dead letters.
fn odd_server(random: &mut Random, messages: usize) -> Server {
    let server = Server::start();
    add_odd_messages(&server, random, messages);
    server
}

/// Lets the users of the seed send odd messages, and move cursors.
pub fn add_odd_messages(server: &Server, random: &mut Random, messages: usize) {
    let users = ["paff", "neko", "robo", "ivy"];
    let tokens = users.map(|user| server.log_in(user));
    let mut wire = server.connect();
    for number in 0..messages {
        let body = odd_text(random);
        let mut to: Vec<&str> = users.iter().copied().filter(|_| random.below(2) == 0).collect();
        if to.is_empty() {
            to.push("neko");
        }
        let mut post = json!({"to": to, "body": body});
        add_odd_details(random, &mut post);
        if random.below(2) == 0 {
            post["key"] = json!(format!("key-{number}-of-{}", random.below(3)));
        }
        wire.done(format!("post {} {post}", tokens[random.below(4)]));
    }
    add_answers(server, &mut wire, &tokens[0]);
    let newest: i64 = server.query("SELECT max(id) FROM messages")[0].parse().unwrap();
    for (user, token) in users.iter().zip(&tokens).take(3) {
        let theirs =
            server.query(&format!("SELECT id FROM v1_messages WHERE recipient = '{user}'"));
        for (cursor, upto) in [("inbox", newest), ("worker", newest / 2), ("night.ly", 0)] {
            wire.done(format!(r#"ack {token} {{"cursor": "{cursor}", "upto": {upto}}}"#));
        }
        for id in theirs.iter().step_by(7).take(5) {
            wire.done(format!(r#"ack {token} {{"cursor": "bot", "upto": {id}, "dead": "add"}}"#));
        }
    }
}

/// Paff answers messages, and answers these answers.
fn add_answers(server: &Server, wire: &mut Wire, paff: &str) {
    let theirs = "SELECT id FROM v1_messages WHERE 'paff' IN (sender, recipient) ORDER BY id";
    for id in server.query(theirs).iter().step_by(5).take(8) {
        let mut id: i64 = id.parse().unwrap();
        for depth in 0..3 {
            let post = json!({"to": ["neko", "ivy"], "body": depth.to_string(), "reply_to": id});
            id = wire.done(format!("post {paff} {post}"))["id"].as_i64().unwrap();
        }
    }
}

/// Which texts answer which, and where their threads begin.
fn answers(server: &Server) -> Vec<String> {
    let [answer, asked, first] = ["answer", "asked", "first"].map(|table| {
        if support::is_on_postgres() {
            format!("encode(convert_to({table}.body, 'UTF8'), 'hex')")
        } else {
            format!("hex({table}.body)")
        }
    });
    server.query(&format!(
        "SELECT {answer}, {asked}, {first}
           FROM v2_messages answer
           LEFT JOIN v2_messages asked ON asked.id = answer.reply_to
           LEFT JOIN v2_messages first ON first.id = answer.thread
          WHERE answer.thread <> answer.id ORDER BY answer.id"
    ))
}

/// Some of the details that a message can have.
fn add_odd_details(random: &mut Random, post: &mut Value) {
    if random.below(3) == 0 {
        post["title"] = json!("\u{202e}\u{1f980} \\ \" \u{2028}");
    }
    if random.below(3) == 0 {
        post["priority"] = json!(1 + random.below(5));
        post["tags"] = json!(["+1", "\\", "\""]);
    }
    if random.below(3) == 0 {
        post["click"] = json!("https://ci.example/?a=\\&b=\"#c");
    }
}

/// Control characters, line ends, characters that look like them, and long texts.
fn odd_text(random: &mut Random) -> String {
    let parts = [
        "\0",
        "\n",
        "\r\n",
        "\t",
        "\u{7f}",
        "\u{1b}[31m",
        "\u{85}",
        "\u{2028}",
        "\u{2029}",
        "\u{feff}",
        "\u{202e}",
        "\u{1f980}",
        "e\u{301}",
        "\u{6f22}\u{5b57}",
        "\\",
        "\"",
        "\\u0000",
        "{}",
        " ",
        "x",
    ];
    let count = if random.below(40) == 0 { 8_000 } else { 1 + random.below(12) };
    let mut text = String::new();
    for _ in 0..count {
        let part = parts[random.below(parts.len())];
        if text.len() + part.len() <= 32 * 1024 {
            text.push_str(part);
        }
    }
    text
}

/// An export as a file, with its contents.
pub fn export(database: &Path, to: &Path, arguments: &[&str]) -> Vec<u8> {
    let arguments = [&["export"], arguments].concat();
    let output = operator::command(database, &arguments).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && error.is_empty(), "{error}");
    fs::write(to, &output.stdout).unwrap();
    output.stdout
}

/// Imports a file; returns the summary.
pub fn import(database: &Path, file: &Path) -> Value {
    operator::objects(database, &["import", file.to_str().unwrap()]).remove(0)
}

/// The lines of an export.
pub fn records(export: &[u8]) -> Vec<Value> {
    let lines = export.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).collect()
}

/// A folder, a file in it, and a new database.
fn folder() -> (TempDir, PathBuf, PathBuf) {
    let folder = TempDir::new().unwrap();
    let (file, database) = (folder.path().join("file"), new_database(folder.path()));
    (folder, file, database)
}

/// A new database. A file is in a folder of its own inside this one.
fn new_database(folder: &Path) -> PathBuf {
    support::new_database(&tempfile::tempdir_in(folder).unwrap().keep())
}

/// A file is checked; PostgreSQL looks after its indexes itself.
fn assert_is_sound(database: &Path) {
    if !support::is_url(database) {
        assert_eq!(operator::objects(database, &["check"])[0]["sound"], true);
    }
}

/// The number of messages that others see, also while there is no schema yet.
fn stored_messages(database: &Path) -> i64 {
    #[cfg(feature = "postgres")]
    if let Some(url) = database.to_str().filter(|_| support::is_url(database)) {
        let config: postgres::Config = url.parse().expect("a URL");
        let mut client = config.connect(postgres::NoTls).expect("the database answers");
        let row = client.query_one("SELECT count(*) FROM chat.messages", &[]);
        return row.map_or(0, |row| row.get(0));
    }
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let opened = rusqlite::Connection::open_with_flags(database, flags);
    let count = |opened: rusqlite::Connection| {
        opened.query_row("SELECT count(*) FROM messages", [], |row| row.get::<_, i64>(0))
    };
    opened.and_then(count).unwrap_or(0)
}

#[test]
fn export_import_export_is_the_same_to_the_byte() {
    let mut server = odd_server(&mut Random::new(), scaled(150, 2_000));
    // The newest ones are gone; and their ids do not come back in the other database either.
    server.connect().done(format!("send {} neko last", server.log_in("vanessa")));
    operator::done(&server.database(), &["message", "purge", "--user", "vanessa", "--unread-too"]);
    operator::done(&server.database(), &["user", "disable", "ivy"]);
    operator::done(&server.database(), &["user", "delete", "vanessa", "--yes"]);
    let (folder, file, mut database) = folder();
    for arguments in [&["--with-secrets"][..], &[]] {
        database = new_database(folder.path());
        let first = export(&server.database(), &file, arguments);
        let reported = import(&database, &file);
        assert_eq!(
            (&reported["renumbered"], &reported["cursors_left"]),
            (&json!(0), &json!(0)),
            "{reported}"
        );
        let second = export(&database, &file, arguments);
        assert!(first == second, "the exports differ");
        assert_is_sound(&database);
        let has = |word: &str| first.windows(word.len()).any(|bytes| bytes == word.as_bytes());
        assert_eq!(has("argon2id"), !arguments.is_empty(), "hashes are there if requested");
    }
    let without = server.query("SELECT id, body FROM v1_inbox ORDER BY recipient, id");
    server.stop();
    let copy = Server::start_on(&database);
    assert_eq!(copy.query("SELECT id, body FROM v1_inbox ORDER BY recipient, id"), without);
    assert_eq!(
        copy.connect().refused("auth paff cytus"),
        "wrong_password",
        "no password came along"
    );
    let outcome =
        operator::run_with_input(&copy.database(), &["user", "passwd", "paff"], "new one\n");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    copy.connect().done("auth paff new one");
}

#[test]
fn users_log_in_with_their_passwords_if_the_secrets_were_exported() {
    let server = Server::start();
    let (_folder, file, database) = folder();
    export(&server.database(), &file, &["--with-secrets"]);
    import(&database, &file);
    Server::start_on(&database).log_in("paff");
}

#[test]
fn repeated_or_killed_import_stores_everything_once() {
    let server = odd_server(&mut Random::new(), 400);
    let (_folder, file, database) = folder();
    let all = export(&server.database(), &file, &["--with-secrets"]);
    let mut child = operator::command(&database, &["import", file.to_str().unwrap()])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // During the messages: the users come first.
    while stored_messages(&database) == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
        thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let reported = import(&database, &file);
    let (new, there) =
        (reported["messages"].as_u64().unwrap(), reported["messages_there"].as_u64().unwrap());
    assert!(new > 0 && there > 0, "it goes on where it was killed: {reported}");
    assert!(export(&database, &file, &["--with-secrets"]) == all);
    let reported = import(&database, &file);
    assert_eq!((&reported["messages"], &reported["users"]), (&json!(0), &json!(0)), "{reported}");
    assert!(export(&database, &file, &["--with-secrets"]) == all);
}

#[test]
fn import_beside_other_messages_keeps_them_and_the_unread_ones_and_gives_new_ids() {
    let mut random = Random::new();
    let source = odd_server(&mut random, 60);
    let (_folder, file, _) = folder();
    let exported = records(&export(&source.database(), &file, &[]));
    let messages = exported.iter().filter(|record| record["type"] == "message");
    let (count, bodies) = (
        messages.clone().count() as u64,
        messages.map(|record| record["body"].as_str().unwrap().to_owned()).collect::<Vec<_>>(),
    );

    let target = Server::start();
    let (robo, vanessa) = (target.log_in("robo"), target.log_in("vanessa"));
    let mut wire = target.connect();
    wire.done(format!("send {vanessa} robo unread before"));
    wire.done(format!("send {robo} vanessa other"));
    let mut watch = target.connect();
    let neko = target.log_in("neko");
    watch.done(format!(r#"watch {neko} {{"from": "new"}}"#));
    let reported = import(&target.database(), &file);
    assert_eq!(
        (&reported["messages"], &reported["renumbered"]),
        (&json!(count), &json!(count)),
        "{reported}"
    );
    let hex = if support::is_on_postgres() { "upper(encode(body, 'hex'))" } else { "hex(body)" };
    let stored = target.query(&format!("SELECT {hex} FROM messages WHERE id > 2 ORDER BY id"));
    let hex = |text: &String| text.bytes().map(|byte| format!("{byte:02X}")).collect::<String>();
    assert!(stored.iter().eq(&bodies.iter().map(hex).collect::<Vec<_>>()), "in their order");
    assert!(answers(&source).len() > 20, "there are answers");
    assert_eq!(answers(&target), answers(&source));
    // A user without earlier messages has the cursor of the export; a user with some has all of it
    // unread.
    let unread = |server: &Server, user: &str| {
        server.query(&format!("SELECT count(*) FROM v1_inbox WHERE recipient = '{user}'"))
    };
    assert_eq!(unread(&target, "neko"), unread(&source, "neko"));
    assert!(reported["cursors_left"].as_u64() > Some(0), "{reported}");
    let robos = target.query("SELECT count(*) FROM v1_messages WHERE recipient = 'robo'");
    assert_eq!(unread(&target, "robo"), robos);
    // Watchers get it at once.
    while watch.reply()["event"] != "message" {}

    let reported = import(&target.database(), &file);
    assert_eq!(
        (&reported["messages"], &reported["messages_there"]),
        (&json!(0), &json!(count)),
        "{reported}"
    );
    assert_is_sound(&target.database());
}

#[test]
fn export_of_one_user_has_only_what_the_user_may_see() {
    let server = Server::start();
    let [paff, neko, robo] = ["paff", "neko", "robo"].map(|user| server.log_in(user));
    let mut wire = server.connect();
    wire.done(format!("send {paff} neko to neko"));
    wire.done(format!("send {neko} paff to paff"));
    wire.done(format!("send {robo} neko between others"));
    wire.done(format!(r#"ack {neko} {{"cursor": "bot", "upto": 1, "dead": "add"}}"#));
    wire.done(format!(r#"ack {paff} {{"upto": 2}}"#));
    let (_folder, file, database) = folder();
    let arguments = ["--user", "paff", "--with-secrets"];
    let exported = records(&export(&server.database(), &file, &arguments));
    let of = |kind: &str, field: &str| -> Vec<Value> {
        let records = exported.iter().filter(|record| record["type"] == kind);
        records.map(|record| record[field].clone()).collect()
    };
    assert_eq!(of("message", "body"), ["to neko", "to paff"]);
    assert_eq!(of("message", "dead"), [Value::Null, Value::Null], "neko's own business");
    assert_eq!(of("user", "name"), ["paff", "neko"]);
    assert_eq!(of("cursor", "user"), ["paff"]);
    let passwords = of("user", "password");
    assert!(passwords[0]["hash"].as_str().unwrap().starts_with("$argon2id$"));
    assert_eq!(passwords[1], Value::Null);
    import(&database, &file);
    let again = records(&export(&database, &file, &arguments));
    assert_eq!(again, exported);
    let later = records(&export(&server.database(), &file, &["--from-id", "3"]));
    let later: Vec<_> = later.iter().filter(|record| record["type"] == "message").collect();
    assert_eq!((later.len(), &later[0]["id"]), (1, &json!(3)));
    let outcome = operator::run(&server.database(), &["export", "--user", "conner"]);
    assert_eq!(outcome.code, 67, "{outcome:?}");
}

#[test]
fn wrong_line_is_named_and_the_lines_before_it_are_stored() {
    let (folder, file, database) = folder();
    let header = r#"{"type":"header","format":"chat-export","version":1,"newest":9}"#;
    let user = |name: &str| {
        format!(
            r#"{{"type":"user","name":"{name}","display_name":"X","created_at":"2026-01-01T00:00:00.000Z"}}"#
        )
    };
    let message = |id: i64, key: &str, body: &str| {
        let fields = r#""at":"2026-01-01T00:00:00.000Z","from":"a","to":"b""#;
        format!(r#"{{"type":"message","id":{id},{fields},"body":"{body}","key":"{key}"}}"#)
    };
    let good = [header.to_owned(), user("a"), user("b"), message(1, "k1", "one")];
    let long = "x".repeat(40_000);
    for (wrong, words) in [
        ("nonsense".to_owned(), "line 5: expected"),
        (message(2, "k2", ""), "line 5: it is empty"),
        (message(2, "k2", &long), "line 5: it is longer than"),
        (message(2, "k1", "another text"), "line 5: the key \"k1\" of a belongs to message 1"),
        (
            message(2, "k2", "two").replace(r#""to":"b""#, r#""to":"c""#),
            "line 5: there is no user c",
        ),
        (
            message(2, "k2", "two").replace("\"id\":2", "\"id\":2,\"song\":1"),
            "line 5: unknown field `song`",
        ),
        (header.to_owned(), "line 5: is a second header"),
        // After it no message could get an id.
        (message(i64::MAX, "k2", "two"), "line 5: the id 9223372036854775807 is higher than"),
        (user("c").replace("\"X\"", r#""X\u001b[2J""#), "line 5: the display name of c is none"),
        (message(2, "k2", "two")[..40].to_owned(), "line 5: "),
    ] {
        let text = [good.join("\n"), wrong, message(3, "k3", "three")].join("\n");
        fs::write(&file, text).unwrap();
        let outcome = operator::run(&database, &["import", file.to_str().unwrap()]);
        assert_eq!(outcome.code, 65, "{outcome:?}");
        assert!(outcome.stderr.contains(words), "{words}: {outcome:?}");
        assert!(outcome.stderr.contains("\nhint: "), "{outcome:?}");
    }
    for (text, words) in [
        (String::new(), "line 1: is missing"),
        (user("a"), "line 1: is not the header"),
        (
            header.replace(":9}", ":9223372036854775807}"),
            "the id 9223372036854775807 is higher than",
        ),
        (header.replace("\"version\":1", "\"version\":3"), "line 1: is of version 3"),
        (header.replace("chat-export", "songs"), "line 1: is not the header"),
    ] {
        fs::write(&file, text).unwrap();
        let outcome = operator::run(&database, &["import", file.to_str().unwrap()]);
        assert!(outcome.code == 65 && outcome.stderr.contains(words), "{outcome:?}");
        let new = folder.path().join("not-to-be");
        operator::run(&new, &["import", file.to_str().unwrap()]);
        assert!(!new.exists(), "what is no export makes no database");
    }
    // Corrected, without a line feed at its end.
    fs::write(&file, [good.join("\n"), message(2, "k2", "two")].join("\n")).unwrap();
    import(&database, &file);
    let exported = records(&export(&database, &folder.path().join("out"), &[]));
    let bodies: Vec<_> = exported.iter().filter_map(|record| record["body"].as_str()).collect();
    assert_eq!(bodies, ["one", "two"]);
    let missing = operator::run(&database, &["import", "missing"]);
    assert_eq!(missing.code, 66, "{missing:?}");
}

#[test]
fn export_of_a_database_with_ids_near_the_end_can_be_imported_again() {
    const END: i64 = 1 << 53;
    let mut random = Random::new();
    let odd = [1, 7, END / 2 - 1, END / 2, END / 2 + 1, END / 2 + 9, END - 3, END - 2, END - 1];
    for round in 0..scaled(4, 40) {
        let mut ids: Vec<i64> = odd.iter().copied().filter(|_| random.below(2) == 0).collect();
        ids.push(odd[round % odd.len()]);
        ids.sort_unstable();
        ids.dedup();
        let newest = [ids[ids.len() - 1], END - 1][random.below(2)];
        let mut lines = vec![format!(
            r#"{{"type":"header","format":"chat-export","version":1,"newest":{newest}}}"#
        )];
        let created = r#""created_at":"2026-01-01T00:00:00.000Z""#;
        for name in ["paff", "neko"] {
            lines
                .push(format!(r#"{{"type":"user","name":"{name}","display_name":"X",{created}}}"#));
        }
        for id in &ids {
            let fields = r#""at":"2026-01-01T00:00:00.000Z","from":"paff","to":"neko""#;
            lines.push(format!(r#"{{"type":"message","id":{id},{fields},"body":"{id}"}}"#));
        }
        let (folder, file, database) = folder();
        fs::write(&file, lines.join("\n")).unwrap();
        assert_eq!(import(&database, &file)["messages"], ids.len(), "{ids:?}");
        assert_eq!(import(&database, &file)["messages"], 0, "nothing is stored twice: {ids:?}");
        operator::run_with_input(&database, &["user", "passwd", "paff"], "cytus\n");
        let mut server = Server::start_on(&database);
        let paff = server.log_in("paff");
        let mut wire = server.connect();
        for text in ["one", "two", "three"] {
            let posted = wire.done(format!(r#"post {paff} {{"to": ["neko"], "body": "{text}"}}"#));
            assert!(posted["id"].as_i64().unwrap() < END, "{ids:?}: {posted}");
        }
        server.stop();

        // An export from before can be imported, and gives the same result.
        let exports: Vec<Vec<Value>> = (0..2)
            .scan(server.database(), |from, _| {
                let database = new_database(folder.path());
                let exported = export(from, &file, &[]);
                import(&database, &file);
                assert_is_sound(&database);
                *from = database;
                Some(records(&exported))
            })
            .collect();
        let bodies = |records: &[Value]| -> Vec<String> {
            records.iter().filter_map(|record| record["body"].as_str().map(str::to_owned)).collect()
        };
        assert_eq!(bodies(&exports[0]).len(), ids.len() + 3);
        assert_eq!(bodies(&exports[0]), bodies(&exports[1]), "{ids:?}");
    }
}

#[test]
fn import_under_a_key_that_belongs_to_another_message_is_refused_and_its_sender_notices_nothing() {
    let post = |server: &Server, to: &[&str], body: &str, key: &str| {
        let arguments = json!({"to": to, "body": body, "key": key});
        server.connect().done(format!("post {} {arguments}", server.log_in("paff")))
    };
    let here = Server::start();
    let first = post(&here, &["neko"], "hai", "k");
    for (to, body) in
        [(&["robo"][..], "hai"), (&["neko"], "other"), (&["neko", "robo"], "hai"), (&["ivy"], "x")]
    {
        let there = Server::start();
        post(&there, &["paff"], "before it", "another");
        post(&there, to, body, "k");
        let (_folder, file, _) = folder();
        export(&there.database(), &file, &[]);
        let outcome = operator::run(&here.database(), &["import", file.to_str().unwrap()]);
        assert_eq!(outcome.code, 65, "{to:?} {body}: {outcome:?}");
        let said = "the key \"k\" of paff belongs to message 1\n";
        assert!(outcome.stderr.contains(said), "{to:?} {body}: {outcome:?}");
        let again = post(&here, &["neko"], "hai", "k");
        assert_eq!((&again["id"], &again["duplicate"]), (&first["id"], &json!(true)));
    }

    // The copies of one message come with the exports of its recipients.
    let there = Server::start();
    post(&there, &["neko", "robo", "ivy"], "to all of you", "all");
    let (_folder, file, database) = folder();
    for user in ["neko", "robo", "ivy", "neko"] {
        export(&there.database(), &file, &["--user", user]);
        import(&database, &file);
    }
    let outcome = operator::run_with_input(&database, &["user", "passwd", "paff"], "cytus\n");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let copy = Server::start_on(&database);
    assert_eq!(copy.query("SELECT count(*) FROM messages"), ["3"]);
    assert_eq!(post(&copy, &["neko", "robo", "ivy"], "to all of you", "all")["duplicate"], true);
}

#[test]
fn plain_text_is_one_message_a_line_and_can_be_continued_later() {
    let server = Server::start();
    let (_folder, file, _) = folder();
    let arguments = ["import", "--text", "--from", "paff", "--to", "neko", file.to_str().unwrap()];
    let take = |text: &str| {
        fs::write(&file, text).unwrap();
        operator::objects(&server.database(), &arguments).remove(0)
    };
    let reported = take("one\r\n\n two\u{1b}[31m \nsame\nsame");
    assert_eq!(
        (&reported["messages"], &reported["renumbered"]),
        (&json!(4), &json!(0)),
        "{reported}"
    );
    let reported = take("one\r\n\n two\u{1b}[31m \nsame\nsame\nthree\n");
    assert_eq!(
        (&reported["messages"], &reported["messages_there"]),
        (&json!(1), &json!(4)),
        "{reported}"
    );
    let neko = server.log_in("neko");
    let inbox = server.connect().done(format!("inbox {neko}"));
    let texts =
        ["one", " two\u{1b}[31m ", "same", "same", "three"].map(|text| json!({"msg": text}));
    assert_eq!(inbox["messages"]["paff"], json!(texts));

    fs::write(&file, b"good\n\xff\n").unwrap();
    let outcome = operator::run(&server.database(), &arguments);
    assert!(outcome.code == 65 && outcome.stderr.contains("line 2: invalid utf-8"), "{outcome:?}");
    fs::write(&file, "late\n").unwrap();
    let deleted = operator::run(&server.database(), &["user", "delete", "ivy", "--yes"]);
    assert_eq!(deleted.code, 0, "{deleted:?}");
    for (from, to) in [("ivy", "neko"), ("paff", "ivy")] {
        let file = file.to_str().unwrap();
        let arguments = ["import", "--text", "--from", from, "--to", to, file];
        let outcome = operator::run(&server.database(), &arguments);
        assert!(outcome.code == 65 && outcome.stderr.contains("no user ivy"), "{outcome:?}");
    }
    let stranger = ["import", "--text", "--from", "conner", "--to", "neko", file.to_str().unwrap()];
    fs::write(&file, "hai\n").unwrap();
    let outcome = operator::run(&server.database(), &stranger);
    assert!(outcome.code == 65 && outcome.stderr.contains("no user conner"), "{outcome:?}");
    let alone = operator::run(&server.database(), &["import", "--text", "x"]);
    assert_eq!(alone.code, 2);
}

#[test]
fn export_while_senders_send_is_a_prefix_and_comes_from_standard_input_too() {
    let server = Server::start();
    let (_folder, file, database) = folder();
    let sending = std::sync::atomic::AtomicBool::new(true);
    thread::scope(|scope| {
        let (mut wire, sending) = (server.connect(), &sending);
        scope.spawn(move || {
            let token = wire.log_in("paff");
            while sending.load(std::sync::atomic::Ordering::Relaxed) {
                wire.done(format!("send {token} neko hai"));
            }
        });
        let _ending = support::Ending(sending);
        for _ in 0..5 {
            let exported = records(&export(&server.database(), &file, &[]));
            let ids = exported.iter().filter_map(|record| record["id"].as_i64());
            let newest = exported[0]["newest"].as_i64().unwrap();
            assert!(ids.eq(1..=newest), "every message up to the newest");
        }
    });
    let text = fs::read_to_string(&file).unwrap();
    let outcome = operator::run_with_input(&database, &["import", "-", "--json"], &text);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(fs::read(&file).unwrap() == export(&database, &file, &[]));
}

#[test]
fn rebuild_recreates_deliveries_keys_indexes_and_views_and_keeps_ids_apart() {
    if support::is_for_files_only() {
        return;
    }
    for stopped in [true, false] {
        let mut server = Server::start();
        let paff = server.log_in("paff");
        for text in ["one", "two"] {
            let post = json!({"to": ["neko"], "body": text, "key": text});
            server.connect().done(format!("post {paff} {post}"));
        }
        server.stop();
        let connection = rusqlite::Connection::open(server.database()).unwrap();
        // An index that lacks a session, a run of deliveries and a table of keys that lack a
        // message, a missing view, a cursor beyond the newest id.
        let damage = "
            UPDATE cursors SET upto_id = 0;
            INSERT INTO cursors (user_id, name, upto_id, moved_at) VALUES (2, 'bot', 50, 0);
            DROP VIEW v1_inbox;
            INSERT INTO delivery_runs (upto_id, run) VALUES (2, 1);
            INSERT INTO deliveries (run, user_id, message_id) SELECT 1, recipient_id, 1 FROM messages LIMIT 1;
            INSERT INTO keys (key, sender_id, message_id) SELECT key, sender_id, id FROM messages WHERE id = 1;
            INSERT INTO keys (key, sender_id, message_id) VALUES ('none', 1, 1);
            UPDATE meta SET value = '2' WHERE name = 'keys_upto';
            DROP INDEX sessions_by_user;
            CREATE INDEX sessions_by_user ON sessions (user_id) WHERE id < 1;
            PRAGMA writable_schema = ON;
            UPDATE sqlite_schema SET sql = 'CREATE INDEX sessions_by_user ON sessions (user_id)'
             WHERE name = 'sessions_by_user';
        ";
        connection.execute_batch(damage).unwrap();
        drop(connection);
        let outcome = operator::run(&server.database(), &["check"]);
        assert_eq!(outcome.code, 65);
        for finding in [
            "sessions_by_user",
            "the deliveries of neko have 1 of 2 messages in the message log",
            "the table of keys lacks the keys of 1 messages, and has 1 keys without a message",
        ] {
            assert!(outcome.stdout.contains(finding), "{finding}: {outcome:?}");
        }
        if !stopped {
            server.start_again();
        }
        let sound = operator::objects(&server.database(), &["check", "--rebuild"]);
        assert_eq!(sound[0]["sound"], true);
        if stopped {
            server.start_again();
        }
        let neko = server.log_in("neko");
        let mut wire = server.connect();
        assert_eq!(wire.done(format!("unread {neko}"))["unread"], 2);
        let again = json!({"to": ["neko"], "body": "two", "key": "two"});
        assert_eq!(wire.done(format!("post {paff} {again}"))["duplicate"], true);
        let posted = wire.done(format!(r#"post {paff} {{"to": ["neko"], "body": "three"}}"#));
        assert_eq!(posted["id"], 51);
    }
}

#[test]
fn example_of_the_storage_page_is_an_export() {
    let page = include_str!("../../docs/storage.md");
    let example = page.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let (folder, file, database) = folder();
    fs::write(&file, example).unwrap();
    let reported = import(&database, &file);
    assert_eq!((&reported["messages"], &reported["cursors"]), (&json!(3), &json!(2)), "{reported}");
    let exported = export(&database, &folder.path().join("out"), &[]);
    assert_eq!(String::from_utf8(exported).unwrap(), example);
}

#[test]
fn import_shows_its_progress_at_a_terminal_until_the_end() {
    let server = Server::start();
    let (folder, file, database) = folder();
    let lines = export(&server.database(), &file, &[]);
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo");
    assert!(made.success());
    for name in [&pipe, &file] {
        let mut command = operator::command(&database, &["import", name.to_str().unwrap()]);
        command.env("TERM", "xterm");
        let mut terminal = Terminal::start(command);
        if *name == pipe {
            let mut input = File::options().write(true).open(&pipe).expect("a reader");
            input.write_all(&lines).expect("read");
            // A pipe has no size, so the progress has no percentage and no time left.
            terminal.wait_for("importing messages … 0 B  0 B/s");
        }
        assert!(terminal.wait().success());
        let screen = terminal.screen();
        assert!(screen.contains("users imported") && !screen.contains('…'), "{screen}");
    }
}
