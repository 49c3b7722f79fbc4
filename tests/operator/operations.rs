//! docs/operations.md: its commands run, its table of exit codes matches the program, and the
//! faults that it describes are caused.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use chat::operate::failure::Exit;
use tempfile::TempDir;

use crate::support::recipe::{OPERATOR, Recipe, assert_all_are_tested};
use crate::support::skip::{is_here, skip};
use crate::support::{Server, Wire};

const PAGE: &str = include_str!("../../docs/operations.md");

recipes! {
    first_users []
    drill []
    restore []
    upgrade []
    downgrade []
    sound []
    tls ["openssl"]
    leaver []
    leaked []
    well []
    retention []
}

#[test]
fn every_command_of_the_page_is_tested() {
    assert_all_are_tested(PAGE, TESTED);
}

fn first_users(recipe: &mut Recipe) {
    recipe.begin_anew();
    let address = recipe.server.address().to_string();
    recipe.set("ADDRESS", &address);
    recipe.run();
    assert_eq!(recipe.name("address"), address);
    recipe.server.start_again_at_its_address();
    let auth = format!("echo {} | chat-cli auth ada", recipe.name("password of ada"));
    recipe.done("operator", &auth);
    assert_eq!(recipe.sh("operator", "echo cytus | chat-cli auth paff").code, 67);
    recipe.done("operator", "echo secret | chat-server user add eve && chat-cli send eve hai");
}

fn drill(recipe: &mut Recipe) {
    recipe.log_in("neko");
    recipe.done("neko", "chat-cli send paff hai; chat-cli send paff the newest one");
    recipe.done(OPERATOR, "echo cytus >~/password-of-paff");
    recipe.put(OPERATOR, "bin/sleep", "#!/bin/sh\n");
    recipe.run();
    recipe.run();
    recipe.done(OPERATOR, "! ls -d drill 2>/dev/null");
}

fn restore(recipe: &mut Recipe) {
    recipe.log_in("neko");
    recipe.done("neko", "chat-cli send paff kept");
    recipe.done(OPERATOR, "mkdir backup && chat-server backup backup");
    recipe.done("neko", "chat-cli send paff lost");
    recipe.server.kill();
    recipe.run();
    recipe.server.start_again_at_its_address();
    assert_eq!(recipe.sh("neko", "chat-cli whoami").code, 77, "sessions have ended");
    recipe.done("neko", "echo cytus | chat-cli auth neko && chat-cli send paff new");
    let bodies = recipe.server.query("select body from v1_messages order by id");
    assert_eq!(bodies, ["kept", "new"]);
}

/// Replaces the server's database by that of the first schema.
fn put_old_database(recipe: &mut Recipe) {
    recipe.begin_anew();
    let old = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/frozen/schema-1.sqlite");
    fs::copy(old, recipe.server.database()).expect("a copy");
}

fn upgrade(recipe: &mut Recipe) {
    put_old_database(recipe);
    recipe.run();
    assert_eq!(recipe.done(OPERATOR, "ls"), "", "nothing is left of the trial");
    recipe.server.start_again_at_its_address();
    recipe.log_in("neko");
    let copies = recipe.done(OPERATOR, "ls \"$CHAT_SERVER_DB\".schema-1.*.backup");
    assert_eq!(copies.lines().count(), 1, "{copies}");
}

fn downgrade(recipe: &mut Recipe) {
    put_old_database(recipe);
    recipe.done(OPERATOR, "chat-server user list && chat-server check | grep -v 'schema 1$'");
    recipe.run();
    recipe.done(OPERATOR, "chat-server check | grep 'schema 1$'");
}

fn sound(recipe: &mut Recipe) {
    recipe.done(OPERATOR, "mkdir backup && chat-server backup backup");
    recipe.run();
    let backup = recipe.done(OPERATOR, "ls ~/backup/*");
    // A page of another database.
    fs::OpenOptions::new()
        .write(true)
        .open(backup.trim())
        .and_then(|file| file.write_all_at(&[0x5a; 4096], 4096 * 2))
        .expect("damage");
    assert!(recipe.run_again(65).contains("is damaged"));
}

fn leaver(recipe: &mut Recipe) {
    recipe.log_in("robo");
    recipe.log_in("neko");
    recipe.done("robo", "chat-cli send neko farewell");
    recipe.run();
    assert_eq!(recipe.sh("robo", "chat-cli unread").code, 77);
    assert_eq!(recipe.sh("robo", "echo cytus | chat-cli auth robo").code, 67);
    assert_eq!(recipe.sh("neko", "chat-cli send robo hai").code, 67);
    assert_eq!(recipe.done("neko", "chat-cli inbox --raw"), "farewell\n");
    assert_eq!(recipe.sh(OPERATOR, "echo x | chat-server user add robo").code, 65);
}

fn leaked(recipe: &mut Recipe) {
    recipe.log_in("robo");
    recipe.run();
    assert_eq!(recipe.sh("robo", "chat-cli whoami").code, 77);
    let auth = format!("echo {} | chat-cli auth robo", recipe.name("new password"));
    assert_eq!(recipe.sh("robo", "echo cytus | chat-cli auth robo").code, 77);
    recipe.done("robo", &auth);
}

fn tls(recipe: &mut Recipe) {
    recipe.run();
    let home = recipe.home(OPERATOR).path().to_owned();
    let options = ["--tls-cert", "chat.pem", "--tls-key", "chat.key", "--log", "warn"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
    command.args(["--db", "tls.sqlite", "--listen", "tls:127.0.0.1:0"]).args(options);
    let mut child = command.current_dir(home).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    let output = child.stdout.take().expect("its output");
    BufReader::new(output).read_line(&mut line).expect("a line");
    let port = line.trim_end().rsplit(':').next().expect("a port").to_owned();
    recipe.set("CHAT_SERVER", &format!("chats://localhost:{port}"));
    let fingerprint = recipe.name("fingerprint").to_owned();
    recipe.done("neko", "echo cytus >~/password");
    assert_ne!(recipe.sh("neko", "chat-cli auth neko <~/password").code, 0, "not trusted");
    let wrong = recipe
        .sh("neko", &format!("chat-cli trust --fingerprint SHA256:{}", "00:".repeat(31) + "00"));
    assert_ne!(wrong.code, 0, "{wrong:?}");
    recipe.set("FINGERPRINT", &fingerprint);
    recipe.run();
    child.kill().and_then(|()| child.wait()).expect("it ends");
}

fn well(recipe: &mut Recipe) {
    recipe.log_in("neko");
    recipe.done("neko", "chat-cli send neko hai");
    recipe.run();
    recipe.server.stop();
    assert_eq!(recipe.sh(OPERATOR, "chat-server healthcheck").code, 69);
}

fn retention(recipe: &mut Recipe) {
    recipe.log_in("neko");
    recipe.done("neko", "seq 4 | chat-cli send neko --lines; chat-cli ack 3");
    // The first two, as if they were a year old.
    recipe.server.stop();
    let database = rusqlite::Connection::open(recipe.server.database()).expect("opens");
    let earlier = "UPDATE messages SET sent_at = sent_at - 366 * 86400000 WHERE id <= 2";
    assert_eq!(database.execute(earlier, []), Ok(2));
    drop(database);
    recipe.server.start_again_at_its_address();
    recipe.run();
    assert_eq!(recipe.server.query("select id from v1_messages"), ["3", "4"]);
}

#[test]
fn files_restored_or_upgraded_by_root_belong_to_the_owner_of_the_folder() {
    const NOBODY: u32 = 65_534;
    if !rustix::process::geteuid().is_root() {
        skip("root", "run as root");
        return;
    }
    let folder = TempDir::new().expect("a temporary folder");
    let own = folder.path().join("chat");
    fs::create_dir(&own).expect("a folder");
    std::os::unix::fs::chown(&own, Some(NOBODY), Some(NOBODY)).expect("a new owner");
    let old = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/frozen/schema-1.sqlite");
    let backup = folder.path().join("backup.sqlite");
    fs::copy(old, &backup).expect("a copy");
    let backup = backup.to_str().expect("a path");
    for words in [["restore", backup], ["user", "list"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
        let done = command.arg("--db").arg(own.join("chat.sqlite")).args(words).output();
        let done = done.expect("chat-server runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    let files: Vec<_> = fs::read_dir(&own).expect("a folder").map(Result::unwrap).collect();
    assert!(files.len() >= 3, "the database, its lock, and the copy of before the upgrade");
    for file in files {
        assert_eq!(file.metadata().expect("a file").uid(), NOBODY, "{:?}", file.file_name());
    }
}

#[test]
fn page_names_every_file_that_a_server_has() {
    let server = Server::start();
    server.connect().log_in("paff");
    for entry in fs::read_dir(server.folder()).expect("a folder") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name");
        let row = format!("| `{name}` | ");
        assert!(PAGE.lines().any(|line| line.starts_with(&row)), "{name} is not on the page");
    }
}

#[test]
fn page_has_every_exit_code() {
    let rows: Vec<&str> = PAGE.lines().filter(|line| line.starts_with("| ")).collect();
    for exit in Exit::ALL {
        let row = format!("| {} | ", exit.code());
        assert!(rows.iter().any(|line| line.starts_with(&row)), "{exit:?} is not on the page");
    }
}

#[test]
fn page_says_what_to_do_about_every_alert() {
    let alerts = include_str!("../../contrib/prometheus/alerts.yml");
    let names = alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    let names: Vec<&str> = names.collect();
    assert!(names.len() >= 10, "the alerts are found: {names:?}");
    for name in &names {
        let quoted = format!("`{name}`");
        let rows =
            PAGE.lines().filter(|line| line.starts_with("| `Chat") && line.contains(&quoted));
        assert_eq!(rows.count(), 1, "{name}");
    }
    let reported = PAGE.matches("`Chat").count();
    assert_eq!(reported, names.len(), "the page has no alert that is not there");
}

#[test]
fn page_says_after_which_exit_codes_the_unit_leaves_the_server() {
    let unit = include_str!("../../contrib/systemd/chat-server.service");
    let prevented = unit.lines().find_map(|line| line.strip_prefix("RestartPreventExitStatus="));
    let prevented: Vec<&str> = prevented.expect("codes").split(' ').collect();
    let left: Vec<&str> = PAGE
        .lines()
        .filter(|line| line.ends_with(" | leaves it |"))
        .map(|line| line.trim_start_matches("| ").split(' ').next().expect("a code"))
        .collect();
    assert_eq!(left[0], "0", "that is no failure");
    assert_eq!(left[1..], prevented);
    assert!(unit.contains("\nRestart=on-failure\n") && unit.contains("\nRestartSec=1s\n"));
}

/// The errors that the page quotes are those of the program.
#[test]
fn page_quotes_errors_of_the_program() {
    let mut sources = String::new();
    let mut folders = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                sources.push_str(&fs::read_to_string(&path).expect("a source"));
            }
        }
    }
    // A text that continues on the next line.
    let lines: Vec<&str> = sources.split("\\\n").map(str::trim_start).collect();
    let sources = lines.concat();
    let (_, tables) = PAGE.split_once("## What happened, what to do").expect("the tables");
    let mut quotes = 0;
    for row in tables.lines().filter(|line| line.starts_with("| `")) {
        let cell = row.split(" | ").next().expect("a cell");
        for quote in cell.split('`').skip(1).step_by(2) {
            quotes += 1;
            for part in quote.split('…').map(str::trim).filter(|part| !part.is_empty()) {
                assert!(sources.contains(part), "no source says {part:?}");
            }
        }
    }
    assert!(quotes >= 20, "the tables are found");
}

/// A server whose database lies on a separate file system of 4 MiB, which only this test sees.
struct SmallDisk {
    child: Child,
    wire: Wire,
    folder: TempDir,
}

impl SmallDisk {
    /// `None` if the system does not allow such a file system; the test is then skipped and says
    /// so.
    fn start() -> Option<Self> {
        if !is_here("unshare") {
            return None;
        }
        let folder = TempDir::new().expect("a temporary folder");
        // Another file fills most of it.
        let script =
            "mount -t tmpfs -o size=4m none \"$0\" && cd \"$0\" && head -c 3m /dev/zero >other &&
            exec \"$1\" --db chat.sqlite --listen 127.0.0.1:0 --log error";
        let mut child = Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh", "-c", script])
            .arg(folder.path())
            .arg(env!("CARGO_BIN_EXE_chat-server"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("unshare starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output"))
            .read_line(&mut line)
            .expect("a line");
        let Some(address) = line.trim_end().rsplit(' ').next().and_then(|word| word.parse().ok())
        else {
            let said = child.wait_with_output().expect("it has ended").stderr;
            let said = String::from_utf8_lossy(&said);
            skip(&format!("a file system of its own: {}", said.trim()), "run as root");
            return None;
        };
        Some(Self { child, wire: Wire::connect(address), folder })
    }

    /// The file of another program.
    fn other(&self) -> String {
        format!("/proc/{}/root{}/other", self.child.id(), self.folder.path().display())
    }

    /// To the last byte.
    fn fill(&self) {
        let mut other = fs::OpenOptions::new().append(true).open(self.other()).expect("a file");
        while other.write(&[0; 4096]).is_ok() {}
    }

    fn make_room(&self) {
        fs::remove_file(self.other()).expect("there is room again");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn full_disk_refuses_only_writes_until_there_is_room() {
    let Some(mut disk) = SmallDisk::start() else { return };
    let paff = disk.wire.log_in("paff");
    let body = "x".repeat(30_000);
    let mut stored = 0;
    let refusal = loop {
        let reply = disk.wire.ask(format!("send {paff} neko {stored} {body}"));
        if reply["status"] != "OK" {
            break reply;
        }
        stored += 1;
    };
    assert_eq!(refusal["code"], "storage_full");
    disk.fill();
    let fetch = format!("fetch {paff} {{\"with\": \"neko\"}}");
    let read = disk.wire.done(format!("unread {paff}"));
    assert_eq!(read["unread"], 0);
    disk.wire.done(&fetch);
    assert_eq!(disk.wire.refused(format!("send {paff} neko again {body}")), "storage_full");
    disk.make_room();
    disk.wire.done(format!("send {paff} neko at last {body}"));
    let neko = disk.wire.log_in("neko");
    assert_eq!(
        disk.wire.done(format!("unread {neko}"))["unread"],
        stored + 1,
        "the stored messages"
    );
}
