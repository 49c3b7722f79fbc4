//! `token create`, `list` and `revoke`, and `CHAT_TOKEN` with an access token.

use serde_json::Value;

use crate::support::Server;
use crate::support::cli::{Home, Outcome, outcome};

/// Runs a command with an access token, in a home without a session.
fn with_token(server: &Server, token: &str, words: &[&str]) -> Outcome {
    let home = Home::new(server.address());
    let mut command = home.cli(words);
    command.env("CHAT_TOKEN", token);
    outcome(command)
}

#[test]
fn token_is_made_used_listed_and_revoked() {
    let server = Server::start();
    let paff = Home::of("paff", server.address());
    assert_eq!(paff.run(["token", "list"]).code, 1);
    let made = paff.run(["token", "create", "ci", "--to", "neko", "--expires", "90d"]);
    assert_eq!((made.code, made.stderr.as_str()), (0, ""), "{made:?}");
    let token = made.stdout.trim_end();
    assert!(token.starts_with("ct_") && token.len() == 43, "{made:?}");
    let sent = with_token(&server, token, &["send", "neko", "the", "job", "is", "done"]);
    assert_eq!((sent.code, sent.stdout.as_str()), (0, "message sent to neko\n"), "{sent:?}");
    let [other, nobody] = ["vanessa", "nobody"]
        .map(|name| (name, with_token(&server, token, &["send", name, "hai"])))
        .map(|(name, outcome)| (outcome.code, outcome.stderr.replace(name, "NAME")));
    assert_eq!(other, nobody);
    assert_eq!(other.0, 67, "{other:?}");
    for words in [&["inbox"][..], &["users"], &["token", "list"], &["token", "create", "more"]] {
        let refused = with_token(&server, token, words);
        assert_eq!(refused.code, 1, "{words:?}: {refused:?}");
        let expected = "Error, the access token does not allow this: it may only send\n";
        assert_eq!(refused.stderr, expected, "{words:?}");
    }
    let list = paff.run(["token", "list"]).stdout;
    assert!(list.starts_with("ci\tsend\tneko\texpires 20"), "{list}");
    let json = paff.run(["--json", "token", "list"]).stdout;
    let object: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&object["v"], &object["can"]), (&1.into(), &"send".into()), "{json}");
    let again = paff.run(["token", "create", "ci"]);
    assert_eq!(again.code, 1, "{again:?}");
    assert_eq!(again.stderr, "Error, you have an access token of this name already\n");
    assert_eq!(paff.run(["token", "revoke", "ci"]).stdout, "1 token revoked\n");
    assert_eq!(with_token(&server, token, &["send", "neko", "hai"]).code, 77);
    assert_eq!(paff.run(["token", "revoke", "ci"]).code, 1);
}

#[test]
fn wrong_tokens_are_usage_errors() {
    let server = Server::start();
    let paff = Home::of("paff", server.address());
    for words in [
        &["token"][..],
        &["token", "create"],
        &["token", "create", "CI"],
        &["token", "create", "ci", "--can", "write"],
        &["token", "create", "ci", "--can", "read", "--to", "neko"],
        &["token", "create", "ci", "--can", "hook"],
        &["token", "create", "ci", "--can", "hook", "--to", "neko,robo"],
        &["token", "create", "ci", "--expires", "0s"],
        &["token", "create", "ci", "--expires", "1500ms"],
        &["token", "revoke"],
        &["token", "revoke", "ci", "--all"],
    ] {
        let refused = paff.run(words);
        assert_eq!(refused.code, 2, "{words:?}: {refused:?}");
    }
    let unknown = paff.run(["token", "create", "ci", "--to", "neko,nobody"]);
    assert_eq!(unknown.code, 67, "{unknown:?}");
    assert!(unknown.stderr.contains("nobody") && !unknown.stderr.contains("neko"), "{unknown:?}");
    assert_eq!(paff.run(["token", "list"]).code, 1);
}
