//! Unit tests of `migrations`.

use rusqlite_migration::M;
use tempfile::TempDir;

use super::*;
use crate::store::sqlite::copy;

#[test]
fn migrations_are_valid() {
    MIGRATIONS.as_ref().unwrap().validate().unwrap();
}

fn steps(count: usize) -> Migrations<'static> {
    let first = include_str!("../../../../migrations/sqlite/01-log-and-cursors/up.sql");
    let steps = [first, "CREATE TABLE more (x)", "CREATE TABLE even_more (x)"];
    Migrations::new(steps.into_iter().take(count).map(M::up).collect())
}

/// Upgrades a file with the first `count` of these steps.
fn open(path: &Path, count: usize) -> Result<Connection, OpenError> {
    let mut connection = Connection::open(path).unwrap();
    apply_steps(&mut connection, path, &steps(count), count)?;
    Ok(connection)
}

fn copy(path: &Path, from: usize) -> Result<PathBuf, OpenError> {
    copy_before_upgrade(&Connection::open(path).unwrap(), path, from)
}

#[test]
fn newer_schema_is_refused_and_names_the_newest_copy() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().canonicalize().unwrap().join("chat.sqlite");
    let connection = open(&path, 1).unwrap();
    let user = "INSERT INTO users (name, display_name, password_hash, created_at)
                VALUES ('paff', '', '', 0)";
    connection.execute(user, []).unwrap();

    let from_1 = copy(&path, 1).unwrap();
    let name = from_1.file_name().unwrap().to_str().unwrap().to_owned();
    assert!(name.starts_with("chat.sqlite.schema-1.2") && name.ends_with("Z.backup"), "{name}");
    let content = copy::verify(&from_1).unwrap();
    assert_eq!((content.schema, content.users), (1, 1), "the copy has the content of the WAL too");
    drop(connection);
    drop(open(&path, 2).unwrap());

    let refused = open(&path, 1).map(drop);
    let Err(OpenError::Newer { version: 2, copy: Some(found), .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(found, from_1);
    let from_2 = copy(&path, 2).unwrap();
    drop(open(&path, 3).unwrap());
    let refused = open(&path, 2).map(drop);
    let Err(OpenError::Newer { version: 3, copy: Some(found), .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(found, from_2);
}

#[test]
fn damaged_file_is_not_copied() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().canonicalize().unwrap().join("chat.sqlite");
    drop(open(&path, 1).unwrap());
    // A row that refers to nothing: the copy would be damaged, and no way back.
    let connection = Connection::open(&path).unwrap();
    let astray = "PRAGMA foreign_keys = OFF;
                  INSERT INTO cursors (user_id, name, upto_id, moved_at) VALUES (7, 'x', 0, 0)";
    connection.execute_batch(astray).unwrap();
    let refused = copy(&path, 1);
    assert!(matches!(refused, Err(OpenError::NotOurs { .. })), "{refused:?}");
    let copies = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let copies: Vec<_> =
        copies.filter(|name| name.to_str().unwrap().contains(".schema-")).collect();
    assert!(copies.is_empty(), "{copies:?}");
}

#[test]
fn migration_drops_references_of_messages_to_users_only() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().canonicalize().unwrap().join("chat.sqlite");
    let mut connection = Connection::open(&path).unwrap();
    let migrations = MIGRATIONS.as_ref().unwrap();
    set_up(&connection).unwrap();
    migrations.to_version(&mut connection, 3).unwrap();
    let other = Connection::open(&path).unwrap();
    let of_nobody = "INSERT INTO messages (id, sent_at, sender_id, recipient_id, body)
                     VALUES (1, 0, 7, 8, 'x')";
    for connection in [&connection, &other] {
        assert!(connection.execute(of_nobody, []).is_err(), "enforced by default");
    }
    migrations.to_version(&mut connection, 4).unwrap();
    let cursor = "INSERT INTO cursors (user_id, name, upto_id, moved_at) VALUES (7, 'x', 0, 0)";
    for connection in [&connection, &other] {
        connection.execute(of_nobody, []).unwrap();
        connection.execute("DELETE FROM messages", []).unwrap();
        assert!(connection.execute(cursor, []).is_err(), "other references are still enforced");
    }
    let problem: String = other.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(problem, "ok");
    let written: bool =
        other.pragma_query_value(None, "writable_schema", |row| row.get(0)).unwrap();
    assert!(!written);
}
