//! Histories of a database and its WAL by chance: whatever a crash may leave is taken, and copies that
//! are put in the place of the file are found.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::Backup;
use tempfile::TempDir;

use super::*;
use crate::store::sqlite::copy::Draft;
use crate::store::sqlite::migrations;

const PAGE: usize = 4_096;
const FRAME: usize = 24 + PAGE;

/// Numbers by chance (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// A database that is written to as the server does it, and by a shell.
struct History {
    folder: TempDir,
    writer: Option<Connection>,
    random: Random,
    /// Whether the log was folded in, so that the next write renews the stamp.
    is_folded: bool,
    /// What the log began with then.
    folded_log: [u8; 32],
    copies: usize,
}

impl History {
    fn new(seed: u64) -> Self {
        let folder = TempDir::new().unwrap();
        let random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut history =
            Self { folder, writer: None, random, is_folded: true, folded_log: [0; 32], copies: 0 };
        history.start();
        history
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("chat.sqlite")
    }

    fn writer(&self) -> &Connection {
        self.writer.as_ref().unwrap()
    }

    fn start(&mut self) {
        let mut writer = Connection::open(self.path()).unwrap();
        migrations::apply(&mut writer, &self.path()).unwrap();
        writer.execute_batch("PRAGMA wal_autocheckpoint = 0; PRAGMA secure_delete = ON").unwrap();
        let opened = "INSERT INTO meta VALUES ('opened_by', 'a test') ON CONFLICT DO NOTHING";
        writer.execute_batch(opened).unwrap();
        stamp::renew(&writer).unwrap();
        writer.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        stamp::renew(&writer).unwrap();
        self.writer = Some(writer);
        self.is_folded = false;
    }

    fn stop(&mut self) {
        drop(self.writer.take());
        assert!(!with_suffix(&self.path(), "-wal").exists());
    }

    /// Messages in a transaction, as the server writes them.
    fn write(&mut self) {
        let (count, size) = (1 + self.random.below(5), self.random.below(6_000));
        self.writer().execute_batch("BEGIN IMMEDIATE").unwrap();
        insert(self.writer(), count, size);
        if self.random.below(4) == 0 {
            let delete = "DELETE FROM messages WHERE id % 3 = 0";
            self.writer().execute(delete, []).unwrap();
        }
        if self.is_folded {
            stamp::renew(self.writer()).unwrap();
            self.is_folded = false;
        }
        self.writer().execute_batch("COMMIT").unwrap();
    }

    fn step(&mut self) {
        match self.random.below(12) {
            0 => {
                self.writer().execute_batch("PRAGMA wal_checkpoint(PASSIVE)").unwrap();
                self.is_folded = true;
                if let Some(header) = self.files()[1].first_chunk() {
                    self.folded_log = *header;
                }
            }
            1 => {
                self.writer().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
                self.is_folded = true;
            }
            2 => {
                self.stop();
                self.start();
            }
            3 => self.writer().execute_batch("VACUUM").unwrap(),
            // A shell, which folds the log in or not, and never renews the stamp.
            4 => {
                let shell = Connection::open(self.path()).unwrap();
                insert(&shell, 1 + self.random.below(3), self.random.below(9_000));
                if self.random.below(2) == 0 {
                    shell.execute_batch("PRAGMA wal_checkpoint(RESTART)").unwrap();
                    insert(&shell, 1, 10);
                }
            }
            // A server that was killed, and a shell that opens what it left.
            5 => {
                let files = self.files();
                self.stop();
                put(&self.path(), &files);
                if self.random.below(2) == 0 {
                    let shell = Connection::open(self.path()).unwrap();
                    insert(&shell, 1, 100);
                }
                assert_eq!(look(&self.path()).map(|_| ()).ok(), Some(()));
                self.start();
            }
            _ => self.write(),
        }
    }

    /// The file and its log.
    fn files(&self) -> [Vec<u8>; 2] {
        let log = fs::read(with_suffix(&self.path(), "-wal")).unwrap_or_default();
        [fs::read(self.path()).unwrap(), log]
    }

    fn new_copy(&mut self) -> PathBuf {
        self.copies += 1;
        self.folder.path().join(format!("copy-{}", self.copies))
    }
}

fn insert(connection: &Connection, count: usize, size: usize) {
    let user = "INSERT OR IGNORE INTO users (id, name, display_name, password_hash, created_at)
                VALUES (1, 'neko', '', '', 0)";
    connection.execute(user, []).unwrap();
    for _ in 0..count {
        let message = "INSERT INTO messages (sent_at, sender_id, recipient_id, body)
                       VALUES (0, 1, 1, ?1)";
        connection.execute(message, ["x".repeat(size + 1)]).unwrap();
    }
}

fn put(path: &Path, [database, log]: &[Vec<u8>; 2]) {
    fs::write(path, database).unwrap();
    fs::write(with_suffix(path, "-wal"), log).unwrap();
    let _ = fs::remove_file(with_suffix(path, "-shm"));
}

/// What `look` says of these files.
fn judge(files: &[Vec<u8>; 2]) -> Result<Look, OpenError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("chat.sqlite");
    put(&path, files);
    let judged = look(&path);
    assert!(fs::read(&path).unwrap() == files[0], "the file is left as it was");
    assert!(fs::read(with_suffix(&path, "-wal")).unwrap() == files[1], "and the log");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "and the folder");
    judged
}

/// The file in the middle of a checkpoint, which was cut off when some pages had been written.
fn half_folded([database, log]: &[Vec<u8>; 2], random: &mut Random) -> [Vec<u8>; 2] {
    let mut folded = database.clone();
    let salt = log.get(16..24).unwrap_or_default();
    for frame in log.get(32..).unwrap_or_default().chunks_exact(FRAME) {
        if frame[8..16] != *salt {
            break;
        }
        if random.below(3) > 0 {
            let page = u32::from_be_bytes(frame[..4].try_into().unwrap()) as usize;
            folded.resize(folded.len().max(page * PAGE), 0);
            folded[(page - 1) * PAGE..page * PAGE].copy_from_slice(&frame[24..]);
        }
    }
    [folded, log.clone()]
}

#[test]
fn whatever_a_crash_leaves_is_taken() {
    for seed in 1..=6 {
        let mut history = History::new(seed);
        for step in 0..60 {
            history.step();
            let files = history.files();
            let judged = judge(&files);
            assert!(judged.is_ok(), "seed {seed}, step {step}: {judged:?}");
            let half = half_folded(&files, &mut history.random);
            let judged = judge(&half);
            assert!(judged.is_ok(), "seed {seed}, step {step}, half folded: {judged:?}");
            // A log that was cut anywhere, and room that was made behind it. What is folded in already
            // was synced before.
            let [database, mut log] = files;
            if log.get(..32) == Some(&history.folded_log) {
                continue;
            }
            log.truncate(history.random.below(log.len() + 1));
            log.resize(log.len() + 20_000, 0);
            let judged = judge(&[database, log]);
            assert!(judged.is_ok(), "seed {seed}, step {step}, cut: {judged:?}");
        }
    }
}

/// How a copy is made.
type Way = fn(&mut History) -> PathBuf;

/// By us.
fn backup(history: &mut History) -> PathBuf {
    let copy = history.new_copy();
    let draft = Draft::begin(&copy).unwrap();
    draft.fill(history.writer(), &mut |_, _| ControlFlow::Continue(())).unwrap();
    draft.publish().unwrap().path
}

/// With `cp`, while nobody has it open.
fn cp(history: &mut History) -> PathBuf {
    let copy = history.new_copy();
    history.stop();
    fs::copy(history.path(), &copy).unwrap();
    history.start();
    copy
}

/// With the shell, beside the server.
fn shell_backup(history: &mut History) -> PathBuf {
    let copy = history.new_copy();
    let mut target = Connection::open(&copy).unwrap();
    Backup::new(history.writer(), &mut target).unwrap().step(-1).unwrap();
    drop(target);
    let _ = fs::remove_file(with_suffix(&copy, "-wal"));
    copy
}

fn vacuum_into(history: &mut History) -> PathBuf {
    let copy = history.new_copy();
    history.writer().execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    copy
}

#[test]
fn log_beside_any_older_copy_is_foreign() {
    let ways: [(&str, Way); 4] = [
        ("backup", backup),
        ("cp", cp),
        ("shell's backup", shell_backup),
        ("vacuum into", vacuum_into),
    ];
    for (name, make) in ways {
        for seed in 1..=3 {
            let mut history = History::new(seed);
            (0..30).for_each(|_| history.step());
            let copy = fs::read(make(&mut history)).unwrap();
            // From nothing but one message after it to a long log, and several logs later.
            for step in 0..40 {
                history.write();
                let [_, log] = history.files();
                let judged = judge(&[copy.clone(), log]);
                let refused = matches!(judged, Err(OpenError::ForeignLog { .. }));
                assert!(refused, "{name}, seed {seed}, step {step}: {judged:?}");
                if step % 8 == 7 {
                    history.step();
                }
            }
        }
    }
}

#[test]
fn log_of_another_database_is_foreign_and_one_without_a_database_is_an_orphan() {
    let (mut one, mut other) = (History::new(1), History::new(2));
    one.write();
    other.write();
    let ([database, _], [_, log]) = (one.files(), other.files());
    let judged = judge(&[database, log.clone()]);
    assert!(matches!(judged, Err(OpenError::ForeignLog { .. })), "{judged:?}");
    let judged = judge(&[Vec::new(), log]);
    assert!(matches!(judged, Err(OpenError::Orphan { .. })), "{judged:?}");
    let frozen = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/frozen/schema-4.sqlite");
    let [_, log] = other.files();
    let judged = judge(&[fs::read(frozen).unwrap(), log]);
    assert!(matches!(judged, Err(OpenError::ForeignLog { .. })), "{judged:?}");
}
