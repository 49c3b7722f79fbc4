//! Rooms, as an operator sees and changes them: with a server and without one.

use serde_json::json;

use crate::support::Server;
use crate::support::cli::Home;
use crate::support::operator;

#[test]
fn operator_sees_private_rooms_and_changes_every_room() {
    let server = Server::start();
    let database = server.database();
    let paff = Home::of("paff", server.address());
    assert_eq!(paff.run(["room", "create", "secret", "--private", "--topic", "x"]).code, 0);
    let room = &operator::objects(&database, &["room", "list"])[0];
    assert_eq!((&room["room"], &room["private"]), (&json!("#secret"), &json!(true)));
    assert_eq!((&room["members"], room.get("role")), (&json!(1), None));
    let ivy = Home::of("ivy", server.address());
    assert_eq!(ivy.run(["room", "show", "secret"]).code, 67);
    // The member is there at once, and so is what was said.
    assert_eq!(paff.run(["send", "#secret", "psst"]).code, 0);
    operator::done(&database, &["room", "add", "secret", "ivy", "--role", "moderator"]);
    assert_eq!(ivy.run(["history", "#secret", "--raw"]).stdout, "psst\n");
    let member = &operator::objects(&database, &["room", "members", "secret"])[0];
    assert_eq!((&member["user"], &member["role"]), (&json!("ivy"), &json!("moderator")));
    operator::done(&database, &["room", "set", "secret", "--public", "--topic", ""]);
    let room = &operator::objects(&database, &["room", "show", "secret"])[0];
    assert_eq!((&room["private"], &room["topic"]), (&json!(false), &json!("")));
    let neko = Home::of("neko", server.address());
    assert_eq!(neko.run(["room", "join", "secret"]).code, 0);
}

#[test]
fn rooms_are_changed_without_a_server_and_found_by_the_next_one() {
    let mut server = Server::start();
    let database = server.database();
    server.stop();
    operator::done(&database, &["room", "create", "build"]);
    operator::done(&database, &["room", "add", "build", "neko"]);
    server.start_again();
    let neko = Home::of("neko", server.address());
    assert_eq!(neko.run(["send", "#build", "hai"]).code, 0);
}

#[test]
fn mistakes_are_refused_with_their_reason() {
    let server = Server::start();
    let database = server.database();
    operator::done(&database, &["room", "create", "build"]);
    for (words, code, told) in [
        (&["room", "create", "build"][..], 65, "error: there is a room #build already\n"),
        (&["room", "show", "nowhere"], 67, "error: there is no room #nowhere\n"),
        (&["room", "add", "build", "conner"], 67, "error: there is no user conner\n"),
        (&["room", "add", "nowhere", "neko"], 67, "error: there is no room #nowhere\n"),
        (&["room", "set", "build"], 2, "error: the following required arguments"),
        (&["room", "create", "Two Words"], 2, "error: invalid value 'Two Words'"),
        (&["room", "set", "build", "--topic", "a\nb"], 2, "error: invalid value"),
        (&["room", "add", "build", "neko", "--role", "boss"], 2, "error: invalid value 'boss'"),
    ] {
        let outcome = operator::run(&database, words);
        assert_eq!(outcome.code, code, "{words:?}: {outcome:?}");
        assert!(outcome.stderr.starts_with(told), "{words:?}: {outcome:?}");
    }
    operator::done(&database, &["room", "archive", "build"]);
    let archived = operator::run(&database, &["room", "add", "build", "neko"]);
    assert_eq!(archived.code, 65);
    assert!(archived.stderr.contains("room archive ROOM --undo"), "{archived:?}");
}
