//! Allows one `watch --exec` per cursor: a lock on a file in the state folder, which the command
//! inherits. So the lock holds as long as the command runs, even if the `watch` was killed.

use std::fs::File;
use std::os::unix::fs::FileExt;

use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::catalogue::client;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::servers::Servers;
use crate::client::state_folder::StateFolder;
use crate::model::{CursorName, MessageId, UserName};

/// How much of the file to read: more than a [`Holder`] takes.
const HOLDER_BYTES_MAX: usize = 512;

/// A lock that holds until it is dropped and every command that inherited it has ended.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

/// The holder of the lock, for the message to a process that does not get it.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Holder {
    /// The process of the `watch`.
    watch: u32,
    /// The process of its last command, and the id of its message.
    command: Option<(u32, i64)>,
}

impl Lock {
    /// Takes the lock of this cursor of a user of a service. Does not wait.
    ///
    /// # Errors
    /// [`Exit::TryAgain`] if another process holds it; the failure names that process. Others if
    /// the file cannot be used.
    pub fn take(servers: &Servers, user: &UserName, cursor: &CursorName) -> Result<Self, Failure> {
        let folder = StateFolder::create(&StateFolder::locate()?)?;
        let name = file_name(servers, user, cursor);
        let file = folder.open_or_create(&name)?;
        let lock = Self { file };
        match flock(&lock.file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(lock.holder().refusal(cursor)),
            Err(error) => {
                let message = client::file_not_locked(folder.path_of(&name).display(), error);
                return Err(Failure::new(Exit::LocalFile, message));
            }
        }
        // The commands inherit the lock.
        fcntl_setfd(&lock.file, FdFlags::empty()).map_err(|error| {
            let message = client::file_not_locked(folder.path_of(&name).display(), error);
            Failure::new(Exit::LocalFile, message)
        })?;
        lock.note(Holder { watch: std::process::id(), command: None });
        Ok(lock)
    }

    /// Records the running command.
    pub fn note_command(&self, process: u32, message: MessageId) {
        let command = Some((process, message.0));
        self.note(Holder { watch: std::process::id(), command });
    }

    /// Writes the holder, for the message of a refusal. The lock holds without it.
    fn note(&self, holder: Holder) {
        if let Ok(text) = serde_json::to_string(&holder) {
            let text = format!("{text}\n");
            let written = self.file.write_all_at(text.as_bytes(), 0);
            let _ = written.and_then(|()| self.file.set_len(text.len() as u64));
        }
    }

    fn holder(&self) -> Holder {
        let mut bytes = [0; HOLDER_BYTES_MAX];
        let count = self.file.read_at(&mut bytes, 0).unwrap_or(0);
        serde_json::from_slice(&bytes[..count]).unwrap_or_default()
    }
}

impl Holder {
    fn refusal(&self, cursor: &CursorName) -> Failure {
        let cursor = cursor.as_str();
        let message = match self.command {
            _ if is_running(self.watch) => client::watched_already(cursor, self.watch),
            Some((process, message)) if is_running(process) => {
                client::command_left(cursor, message, process)
            }
            _ => client::command_left_something(cursor),
        };
        Failure::new(Exit::TryAgain, message).with_hint(client::end_the_other_watch())
    }
}

fn is_running(process: u32) -> bool {
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

/// A name that fits any file system, however long the address is.
fn file_name(servers: &Servers, user: &UserName, cursor: &CursorName) -> String {
    let (service, cursor) = (servers.service(), cursor.as_str());
    let digest = Sha256::digest(format!("{service}\n{user}\n{cursor}"));
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("watch-{hex}.lock")
}
