//! `chat-server db init`: the schema, and roles with the least rights that will do.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::cli::{Outcome, outcome};
use crate::support::postgres::{Cluster, OWNER};
use crate::support::{Server, operator};

fn init(url: &str, more: &[&str]) -> Outcome {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
    command.env_clear().env("CHAT_SERVER_CONFIG", "/dev/null").stdin(Stdio::null());
    outcome({
        command.args(["db", "init", url]).args(more);
        command
    })
}

/// Executes SQL as a role; the error is the database's message.
fn as_role(cluster: &Cluster, role: &str, sql: &str) -> Result<(), String> {
    let url = cluster.url(role, "chat");
    let target = url.parse().expect("a URL");
    let password = chat::store::postgres::password::PasswordSource::None;
    let connector = chat::store::postgres::connect::Connector { target, password };
    let mut client = connector.connect().expect("a connection");
    client.batch_execute(sql).map_err(|error| {
        error.as_db_error().map(|refused| refused.message().to_owned()).unwrap_or_default()
    })
}

fn prepared() -> Option<Cluster> {
    let cluster = Cluster::start(&[])?;
    cluster.sql("postgres", "CREATE DATABASE chat");
    let outcome = init(&cluster.url(OWNER, "chat"), &[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    Some(cluster)
}

#[test]
fn init_makes_schema_and_roles_and_can_be_repeated() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    cluster.sql("postgres", "CREATE DATABASE chat");
    let url = cluster.url(OWNER, "chat");
    let outcome = init(&url, &[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    for told in ["chat_server is new and has no password", "db check postgres://chat_server@"] {
        assert!(outcome.stdout.contains(told), "{told:?} is not in {}", outcome.stdout);
    }
    let outcome = init(&url, &["--json"]);
    let told: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!((&told["new_roles"], &told["sees_standbys"]), (&Value::Array(vec![]), &true.into()));
    assert!(told["schema"].as_i64() >= Some(1), "{told}");
    let sql = "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication FROM pg_roles
                WHERE rolname IN ('chat_server', 'chat_reader')";
    assert_eq!(cluster.sql("chat", sql), "f\nf");
}

#[test]
fn server_may_not_change_the_schema_nor_a_stored_message() {
    let Some(cluster) = prepared() else { return };
    let refused = |sql: &str| {
        let told = as_role(&cluster, "chat_server", sql).expect_err(sql);
        assert!(told.contains("permission denied") || told.contains("must be owner"), "{told}");
    };
    for sql in [
        "UPDATE chat.messages SET body = ''",
        "UPDATE chat.keys SET first_id = 1",
        "UPDATE chat.batches SET at = 0",
        "UPDATE chat.meta SET value = '0'",
        "INSERT INTO chat.meta VALUES ('a', 'b')",
        "UPDATE chat.keys SET sender_id = 1",
        "TRUNCATE chat.messages",
        "DROP TABLE chat.messages",
        "ALTER TABLE chat.messages ADD COLUMN more text",
        "CREATE TABLE chat.more (id int)",
        "CREATE OR REPLACE FUNCTION chat.lock_log(p_lane int) RETURNS void LANGUAGE sql AS ''",
        "SELECT pg_read_file('postgresql.conf')",
    ] {
        refused(sql);
    }
    for sql in [
        "INSERT INTO chat.messages (id, sent_at, sender_id, mailbox_id, body)
         VALUES (1, 0, 1, 1, 'hai')",
        "DELETE FROM chat.messages WHERE id = 1",
        "UPDATE chat.users SET display_name = 'x'",
        "SELECT chat.lock_log(0), chat.head(0)",
        "SELECT * FROM chat.v1_messages",
    ] {
        assert_eq!(as_role(&cluster, "chat_server", sql), Ok(()), "{sql}");
    }
}

#[test]
fn server_serves_and_commands_change_users_with_the_rights_of_its_role() {
    let Some(cluster) = prepared() else { return };
    let database = PathBuf::from(cluster.url("chat_server", "chat"));
    let server = Server::start_on(&database);
    let neko = server.log_in("neko");
    server.connect().done(format!(r#"post {neko} {{"to": ["paff"], "body": "hai", "key": "k"}}"#));
    operator::add_user(&database, "ann", "a good password");
    operator::done(&database, &["user", "delete", "ann", "--yes"]);
    operator::done(&database, &["message", "purge", "--user", "paff", "--unread-too"]);
    assert_eq!(operator::objects(&database, &["stats"])[0]["messages"], 0);
}

#[test]
fn reader_sees_the_views_and_nothing_else() {
    let Some(cluster) = prepared() else { return };
    cluster.sql(
        "chat",
        "INSERT INTO chat.users (id, name, display_name, password_hash, created_at)
         VALUES (1, 'paff', 'Paff', 'secret', 0);
         INSERT INTO chat.messages (id, sent_at, sender_id, mailbox_id, body)
         VALUES (1, 0, 1, 1, 'hai'), (2, 0, 1, -1, '@ivy hai');
         INSERT INTO chat.users (id, name, display_name, password_hash, created_at)
         VALUES (2, 'ivy', 'Ivy', 'secret', 0);
         INSERT INTO chat.rooms (id, name, posting, history, created_at)
         VALUES (1, '#build', 'members', 'all', 0);
         INSERT INTO chat.memberships (user_id, room_id, joined_after, sees_after, role, notify)
         VALUES (2, 1, 0, 0, 'member', 'mentions')",
    );
    let views = cluster.sql(
        "chat",
        "SELECT viewname FROM pg_views WHERE schemaname = 'chat' AND viewname LIKE 'v%'",
    );
    assert!(views.lines().count() >= 10, "{views}");
    let unread = cluster.sql("chat", "SELECT recipient, id, room FROM chat.v2_inbox ORDER BY id");
    assert_eq!(unread.lines().collect::<Vec<_>>(), ["paff|1|", "ivy|2|#build"]);
    for view in views.lines() {
        let sql = format!("SELECT * FROM chat.{view}");
        assert_eq!(as_role(&cluster, "chat_reader", &sql), Ok(()), "{view}");
    }
    for sql in [
        "SELECT password_hash FROM chat.users",
        "SELECT token_hash FROM chat.sessions",
        "SELECT * FROM chat.messages",
        "SELECT chat.lock_log(0)",
        "SELECT chat.next_number(0, 'users')",
        "DELETE FROM chat.v1_messages",
        "CREATE TABLE chat.more (id int)",
    ] {
        let told = as_role(&cluster, "chat_reader", sql).expect_err(sql);
        assert!(told.contains("permission denied") || told.contains("cannot delete"), "{told}");
    }
}

#[test]
fn owner_without_the_right_to_make_roles_is_told_what_is_needed() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    cluster.sql("postgres", "CREATE ROLE chat_owner LOGIN");
    cluster.sql("postgres", "CREATE DATABASE chat OWNER chat_owner");
    let url = cluster.url("chat_owner", "chat");
    let outcome = init(&url, &[]);
    assert_eq!(outcome.code, 77, "{outcome:?}");
    assert!(outcome.stderr.contains("hint: connect as its owner, who needs CREATEROLE"));

    // An administrator makes the roles; the owner may not show them the standbys.
    cluster.sql("postgres", "CREATE ROLE chat_server LOGIN; CREATE ROLE chat_reader LOGIN");
    let outcome = init(&url, &[]);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.stdout.contains("GRANT pg_read_all_stats TO chat_server"), "{outcome:?}");
    assert_eq!(as_role(&cluster, "chat_server", "SELECT chat.head(0)"), Ok(()));
}

#[test]
fn roles_and_databases_that_will_not_do_are_refused() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    cluster.sql("postgres", "CREATE DATABASE chat");
    let url = cluster.url(OWNER, "chat");
    for (more, code, told) in [
        (&["--server-role", "Chat"][..], 2, "is not the name of a role"),
        (&["--server-role", "a", "--reader-role", "a"], 2, "three roles"),
        (&["--server-role", OWNER], 2, "three roles"),
    ] {
        let outcome = init(&url, more);
        assert_eq!(outcome.code, code, "{more:?}: {outcome:?}");
        assert!(outcome.stderr.contains(told), "{more:?}: {outcome:?}");
    }
    cluster.sql("postgres", "CREATE ROLE mighty SUPERUSER LOGIN");
    let outcome = init(&url, &["--server-role", "mighty"]);
    assert_eq!(outcome.code, 78, "{outcome:?}");
    cluster
        .sql("postgres", "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    let outcome = init(&cluster.url(OWNER, "latin"), &[]);
    assert_eq!(outcome.code, 65, "{outcome:?}");
    assert!(outcome.stderr.contains("LATIN1"), "{outcome:?}");
    // Nothing was made before the refusals.
    let sql = "SELECT count(*) FROM pg_namespace WHERE nspname = 'chat'";
    assert_eq!(cluster.sql("chat", sql), "0");
}
