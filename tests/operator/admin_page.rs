//! docs/admin.md: its commands run and print what the page shows, and its tables match the program.

use chat::operate::failure::Exit;

use crate::support::Server;
use crate::support::operator;
use crate::support::recipe::{OPERATOR, Recipe, assert_all_are_tested};

const PAGE: &str = include_str!("../../docs/admin.md");

recipes! {
    users []
    rooms []
    everybody []
    sessions []
    tokens []
    invite []
    seed []
    stats []
    health []
    json []
}

#[test]
fn every_command_of_the_page_is_tested() {
    assert_all_are_tested(PAGE, TESTED);
}

fn users(recipe: &mut Recipe) {
    recipe.run();
    recipe.run();
    let login = format!("echo {} | chat-cli auth build", recipe.name("password of build"));
    recipe.done(OPERATOR, &login);
    recipe.done(OPERATOR, "chat-cli logout");
    recipe.run();
    recipe.done(OPERATOR, "echo another one | chat-cli auth ada");
    recipe.run();
    assert_eq!(recipe.sh(OPERATOR, "chat-cli whoami").code, 77);
    recipe.done(OPERATOR, "echo another one | chat-cli auth ada");
    recipe.run();
    let name = recipe.done(OPERATOR, "chat-cli whoami");
    assert!(name.contains("ada-l"), "{name}");
    recipe.done(OPERATOR, "chat-cli send build hai");
    recipe.run();
    assert_eq!(recipe.sh(OPERATOR, "chat-cli send build hai").code, 67);
    recipe.run_failing(67);
    assert_eq!(recipe.count("build"), 0);
}

fn rooms(recipe: &mut Recipe) {
    recipe.log_in("paff");
    recipe.log_in("neko");
    recipe.run();
    recipe.done("paff", "chat-cli send '#build' hai");
    recipe.run_failing(67);
    assert_eq!(recipe.sh("paff", "chat-cli send '#build' hai").code, 73);
    assert_eq!(recipe.sh("neko", "chat-cli send '#build' hai").code, 73);
    recipe.done(OPERATOR, "chat-server room archive build --undo");
    recipe.done("neko", "chat-cli send '#build' hai");
    assert_eq!(recipe.sh(OPERATOR, "chat-server room create build").code, 65);
}

fn everybody(recipe: &mut Recipe) {
    recipe.log_in("neko");
    recipe.run();
    recipe.run();
    assert_eq!(recipe.sh("neko", "chat-cli send @all hai").code, 73);
    for words in ["remove all neko", "set all --private", "archive all", "create all"] {
        let refused = recipe.sh(OPERATOR, &format!("chat-server room {words}"));
        assert_eq!(refused.code, 65, "{words}: {refused:?}");
    }
    recipe.done(OPERATOR, "chat-server room add all paff");
    assert_eq!(recipe.sh("paff", "chat-cli send @all hai").code, 73);
    recipe.done(OPERATOR, "chat-server room everybody");
    assert_eq!(recipe.sh(OPERATOR, "chat-server user add all --bot").code, 65);
}

fn sessions(recipe: &mut Recipe) {
    recipe.log_in("paff");
    recipe.log_in("neko");
    recipe.run();
    recipe.run();
    assert_eq!(recipe.sh("paff", "chat-cli whoami").code, 77);
    assert_eq!(recipe.sh(OPERATOR, "chat-server session revoke 1").code, 1);
}

fn tokens(recipe: &mut Recipe) {
    recipe.run();
    assert_eq!(recipe.sh(OPERATOR, "chat-server token revoke --user ci github").code, 1);
}

fn invite(recipe: &mut Recipe) {
    recipe.run();
    assert_eq!(recipe.sh(OPERATOR, "chat-server invite revoke 1").code, 1);
}

fn seed(recipe: &mut Recipe) {
    recipe.begin_anew();
    recipe.run();
    recipe.run();
    recipe.server.start_again_at_its_address();
    recipe.done(OPERATOR, "echo open sesame | chat-cli auth ada");
}

fn stats(recipe: &mut Recipe) {
    recipe.run();
}

fn health(recipe: &mut Recipe) {
    recipe.run();
    recipe.server.stop();
    recipe.run_again(69);
}

fn json(recipe: &mut Recipe) {
    recipe.run_failing(67);
}

/// The row of a command in the table has exactly the fields that the command prints.
#[test]
fn page_has_every_field_of_every_object() {
    let server = Server::start();
    server.log_in("neko");
    server.connect().done(format!(r#"ack {} {{"upto": 0}}"#, server.log_in("neko")));
    for (command, arguments) in [
        ("`user list`", &["user", "list"][..]),
        ("`user show`", &["user", "show", "neko"]),
        ("`session list`", &["session", "list"]),
        ("`stats`", &["stats"]),
        ("`healthcheck`", &["healthcheck"]),
        ("`user add`", &["user", "add", "ada", "--generate"]),
        ("`user passwd`", &["user", "passwd", "ada", "--generate"]),
        ("`user disable`", &["user", "disable", "ada"]),
        ("`user disable`, `user enable`", &["user", "enable", "ada"]),
        ("`user rename`", &["user", "rename", "ada", "ada-l"]),
        ("`user delete`", &["user", "delete", "ada-l", "--yes"]),
        ("`session revoke`", &["session", "revoke", "--all"]),
        ("`token create`", &["token", "create", "--user", "neko", "--expires", "1d", "ci"]),
        ("`token list`", &["token", "list"]),
        ("`invite`", &["invite"]),
        ("`invite list`", &["invite", "list"]),
        ("`invite revoke`", &["invite", "revoke", "--all"]),
        ("`token revoke`", &["token", "revoke", "--user", "neko", "--all"]),
    ] {
        let row = PAGE.lines().find(|line| line.starts_with(&format!("| {command}")));
        let row = row.unwrap_or_else(|| panic!("{command} has a row"));
        let object = operator::objects(&server.database(), arguments).remove(0);
        let list = PAGE.lines().find(|line| line.starts_with("| `user list`")).expect("a row");
        let mut reported = row.to_owned();
        if command == "`user show`" {
            reported += list;
        }
        for field in object.as_object().expect("an object").keys().filter(|field| *field != "v") {
            assert!(reported.contains(&format!("`{field}`")), "{command}: {field} is in no row");
        }
    }
}

#[test]
fn page_has_every_exit_code() {
    let (_, table) = PAGE.split_once("## Exit codes").expect("a table");
    for &exit in Exit::ALL {
        // The exit codes that no command of this page uses.
        if !matches!(exit, Exit::Exists | Exit::OutputClosed) {
            assert!(
                table.contains(&format!("| {} | ", exit.code())),
                "{exit:?} is not on the page"
            );
        }
    }
}
