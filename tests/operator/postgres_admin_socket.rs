//! The admin socket of a server on PostgreSQL: commands reach the server of their database, and no
//! other.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::databases;
use crate::support::operator::{done, objects, run};
use crate::support::{Server, server_command};

/// A server on this database, with its socket at this path.
fn serve(database: &str, socket: &Path) -> Server {
    Server::start_command(command(database, socket), TempDir::new().unwrap())
}

fn command(database: &str, socket: &Path) -> Command {
    let mut command = server_command(Path::new(database));
    command.arg("--admin-socket").arg(socket);
    command
}

fn folder() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("admin.sock");
    (folder, socket)
}

/// The process that a command asked. `None` if it connected to the database.
fn asked(database: &str, socket: &Path) -> Option<i64> {
    let words = ["stats", "--admin-socket", socket.to_str().unwrap()];
    let stats = &objects(Path::new(database), &words)[0];
    stats["server"].as_object().map(|server| server["pid"].as_i64().unwrap())
}

#[test]
fn command_reaches_the_server_of_its_machine() {
    let Some(database) = databases::new_database() else { return };
    let (_folder, socket) = folder();
    let mut server = serve(&database, &socket);
    let mode = socket.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    let url = Path::new(&database);
    assert_eq!(asked(&database, &socket), Some(server.pid().into()));
    assert_eq!(objects(url, &["stats"])[0]["server"], Value::Null, "without the setting");

    let socket_option = ["--admin-socket", socket.to_str().unwrap()];
    let healthcheck = [&["healthcheck"][..], &socket_option].concat();
    assert!(done(url, &healthcheck).starts_with("healthy: "));
    let mut wire = server.connect();
    let token = wire.log_in("paff");
    done(url, &[&["user", "disable", "paff"][..], &socket_option].concat());
    assert_eq!(wire.refused(format!("whoami {token}")), "no_session");

    server.stop();
    assert!(!socket.exists());
    assert_eq!(asked(&database, &socket), None, "commands go on without a server");
    let outcome = run(url, &healthcheck);
    assert_eq!(outcome.code, 69, "{outcome:?}");
    assert!(outcome.stderr.contains("no server serves postgres://"), "{outcome:?}");
}

#[test]
fn server_of_another_database_is_not_asked() {
    let Some(served) = databases::new_database() else { return };
    let Some(other) = databases::new_database() else { return };
    let (_folder, socket) = folder();
    let server = serve(&served, &socket);
    let socket_option = ["--admin-socket", socket.to_str().unwrap()];
    done(Path::new(&other), &[&["seed"][..], &socket_option].concat());
    done(Path::new(&other), &[&["user", "disable", "neko"][..], &socket_option].concat());
    assert_eq!(asked(&other, &socket), None);
    server.log_in("neko");
    let outcome = run(Path::new(&other), &[&["healthcheck"][..], &socket_option].concat());
    assert_eq!(outcome.code, 69, "{outcome:?}");
}

#[test]
fn socket_of_a_running_server_is_not_taken_and_a_dead_one_is() {
    let Some(database) = databases::new_database() else { return };
    let (folder, socket) = folder();
    let mut first = serve(&database, &socket);
    let refused = |socket: &Path| {
        let output = command(&database, socket).stdout(Stdio::null()).output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(69), "{told}");
        assert!(told.contains(&format!("cannot listen on unix:{}: ", socket.display())), "{told}");
        told
    };
    assert!(refused(&socket).contains("hint: another server listens there; give another path"));
    assert_eq!(asked(&database, &socket), Some(first.pid().into()), "the first keeps it");
    assert!(
        refused(&folder.path().join("none/admin.sock")).contains("hint: make its folder first")
    );

    first.kill();
    assert!(socket.exists());
    let second = serve(&database, &socket);
    assert_eq!(asked(&database, &socket), Some(second.pid().into()));
}

#[test]
fn server_on_a_file_has_its_socket_beside_it_whatever_is_set() {
    let (folder, socket) = folder();
    let database = folder.path().join("chat.sqlite");
    let database = database.to_str().unwrap();
    let server = serve(database, &socket);
    assert!(!socket.exists());
    assert!(folder.path().join("chat.sqlite.admin").exists());
    assert_eq!(asked(database, &socket), Some(server.pid().into()));
}
