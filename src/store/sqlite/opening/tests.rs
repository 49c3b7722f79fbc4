//! Random histories of a database and its WAL. Any state that a crash can leave is accepted, and a
//! copy that replaces the file is detected.

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

/// Random numbers (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }
}

/// A database to which the server's transactions and a shell write.
struct History {
    folder: TempDir,
    writer: Option<Connection>,
    random: Random,
    /// Whether the WAL is checkpointed, so that the next write renews the stamp.
    is_checkpointed: bool,
    /// The header of the WAL at the last checkpoint.
    checkpointed_header: [u8; 32],
    copies: usize,
}

impl History {
    fn new(seed: u64) -> Self {
        let folder = TempDir::new().unwrap();
        let random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut history = Self {
            folder,
            writer: None,
            random,
            is_checkpointed: true,
            checkpointed_header: [0; 32],
            copies: 0,
        };
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
        self.is_checkpointed = false;
    }

    fn stop(&mut self) {
        drop(self.writer.take());
        assert!(!with_suffix(&self.path(), "-wal").exists());
    }

    /// Writes messages in a transaction, like the server.
    fn write(&mut self) {
        let (count, size) = (1 + self.random.below(5), self.random.below(6_000));
        self.writer().execute_batch("BEGIN IMMEDIATE").unwrap();
        insert(self.writer(), count, size);
        if self.random.below(4) == 0 {
            let delete = "DELETE FROM messages WHERE id % 3 = 0";
            self.writer().execute(delete, []).unwrap();
        }
        if self.is_checkpointed {
            stamp::renew(self.writer()).unwrap();
            self.is_checkpointed = false;
        }
        self.writer().execute_batch("COMMIT").unwrap();
    }

    fn step(&mut self) {
        match self.random.below(12) {
            0 => {
                self.writer().execute_batch("PRAGMA wal_checkpoint(PASSIVE)").unwrap();
                self.is_checkpointed = true;
                if let Some(header) = self.files()[1].first_chunk() {
                    self.checkpointed_header = *header;
                }
            }
            1 => {
                self.writer().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
                self.is_checkpointed = true;
            }
            2 => {
                self.stop();
                self.start();
            }
            3 => self.writer().execute_batch("VACUUM").unwrap(),
            // A shell, which checkpoints the WAL or not, and never renews the stamp.
            4 => {
                let shell = Connection::open(self.path()).unwrap();
                insert(&shell, 1 + self.random.below(3), self.random.below(9_000));
                if self.random.below(2) == 0 {
                    shell.execute_batch("PRAGMA wal_checkpoint(RESTART)").unwrap();
                    insert(&shell, 1, 10);
                }
            }
            // A server that was killed, and a shell that opens its files.
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

    /// The file and its WAL.
    fn files(&self) -> [Vec<u8>; 2] {
        let wal = fs::read(with_suffix(&self.path(), "-wal")).unwrap_or_default();
        [fs::read(self.path()).unwrap(), wal]
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

fn put(path: &Path, [database, wal]: &[Vec<u8>; 2]) {
    fs::write(path, database).unwrap();
    fs::write(with_suffix(path, "-wal"), wal).unwrap();
    let _ = fs::remove_file(with_suffix(path, "-shm"));
}

/// Runs `look` on these files, and checks that it changes nothing.
fn judge(files: &[Vec<u8>; 2]) -> Result<Look, OpenError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("chat.sqlite");
    put(&path, files);
    let judged = look(&path);
    assert!(fs::read(&path).unwrap() == files[0], "the file was changed");
    assert!(fs::read(with_suffix(&path, "-wal")).unwrap() == files[1], "the WAL was changed");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "a file was created");
    judged
}

/// The file after an interrupted checkpoint, which has written some of the pages.
fn half_checkpointed([database, wal]: &[Vec<u8>; 2], random: &mut Random) -> [Vec<u8>; 2] {
    let mut written = database.clone();
    let salt = wal.get(16..24).unwrap_or_default();
    for frame in wal.get(32..).unwrap_or_default().chunks_exact(FRAME) {
        if frame[8..16] != *salt {
            break;
        }
        if random.below(3) > 0 {
            let page = u32::from_be_bytes(frame[..4].try_into().unwrap()) as usize;
            written.resize(written.len().max(page * PAGE), 0);
            written[(page - 1) * PAGE..page * PAGE].copy_from_slice(&frame[24..]);
        }
    }
    [written, wal.clone()]
}

#[test]
fn any_state_after_a_crash_is_accepted() {
    for seed in 1..=6 {
        let mut history = History::new(seed);
        for step in 0..60 {
            history.step();
            let files = history.files();
            let judged = judge(&files);
            assert!(judged.is_ok(), "seed {seed}, step {step}: {judged:?}");
            let half = half_checkpointed(&files, &mut history.random);
            let judged = judge(&half);
            assert!(judged.is_ok(), "seed {seed}, step {step}, half checkpointed: {judged:?}");
            // A WAL that was cut anywhere, with reserved room after it. Checkpointed frames cannot
            // be cut: they were synced before.
            let [database, mut wal] = files;
            if wal.get(..32) == Some(&history.checkpointed_header) {
                continue;
            }
            wal.truncate(history.random.below(wal.len() + 1));
            wal.resize(wal.len() + 20_000, 0);
            let judged = judge(&[database, wal]);
            assert!(judged.is_ok(), "seed {seed}, step {step}, cut: {judged:?}");
        }
    }
}

/// Makes a copy.
type MakeCopy = fn(&mut History) -> PathBuf;

/// With our backup.
fn backup(history: &mut History) -> PathBuf {
    let copy = history.new_copy();
    let draft = Draft::begin(&copy).unwrap();
    draft.fill(history.writer(), &mut |_, _| ControlFlow::Continue(())).unwrap();
    draft.publish().unwrap().path
}

/// With `cp`, while no process has the file open.
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
fn wal_beside_any_older_copy_is_foreign() {
    let ways: [(&str, MakeCopy); 4] = [
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
            // From a single message after the copy to a long WAL and several generations later.
            for step in 0..40 {
                history.write();
                let [_, wal] = history.files();
                let judged = judge(&[copy.clone(), wal]);
                let refused = matches!(judged, Err(OpenError::ForeignWal { .. }));
                assert!(refused, "{name}, seed {seed}, step {step}: {judged:?}");
                if step % 8 == 7 {
                    history.step();
                }
            }
        }
    }
}

#[test]
fn wal_of_another_database_is_foreign_and_one_without_a_database_is_an_orphan() {
    let (mut one, mut other) = (History::new(1), History::new(2));
    one.write();
    other.write();
    let ([database, _], [_, wal]) = (one.files(), other.files());
    let judged = judge(&[database, wal.clone()]);
    assert!(matches!(judged, Err(OpenError::ForeignWal { .. })), "{judged:?}");
    let judged = judge(&[Vec::new(), wal]);
    assert!(matches!(judged, Err(OpenError::OrphanWal { .. })), "{judged:?}");
    let frozen = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/frozen/schema-4.sqlite");
    let [_, wal] = other.files();
    let judged = judge(&[fs::read(frozen).unwrap(), wal]);
    assert!(matches!(judged, Err(OpenError::ForeignWal { .. })), "{judged:?}");
}
