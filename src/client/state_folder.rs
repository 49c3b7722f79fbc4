//! The folder for the client's persistent files: `chat` in the XDG state folder. Its content is
//! private. The client refuses to work with a folder that other users can access.
//!
//! Files are opened relative to the open folder and never through a symbolic link. So a user who
//! can rename the folders above cannot redirect the client.

use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, FlockOperation, Mode, OFlags, RawMode, fchmod, flock, fstat, open, openat, renameat,
    unlinkat,
};
use uuid::Uuid;

use super::exit::Exit;
use super::failure::Failure;
use super::xdg_folder;
use crate::catalogue::client;

/// The largest file that the client reads from the folder.
pub const FILE_BYTES_MAX: u64 = 16 * 1024;

/// The mode bits for everybody but the owner.
const OTHERS: RawMode = 0o077;

/// The open folder. When it was opened, it belonged to the user and was closed to others.
#[derive(Debug)]
pub struct StateFolder {
    path: PathBuf,
    folder: OwnedFd,
}

/// An open file that other processes may have open too; see [`StateFolder::share`].
#[derive(Debug)]
pub struct SharedFile(File);

impl SharedFile {
    /// The content of the file, up to the limit of [`StateFolder::read`].
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        (&self.0).take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Whether no other process shares the file. If so, none can share it afterwards.
    pub fn take_over(&self) -> bool {
        flock(&self.0, FlockOperation::NonBlockingLockExclusive).is_ok()
    }
}

impl StateFolder {
    /// The folder's path for the user of this process, whether it exists or not:
    /// `$XDG_STATE_HOME/chat`, else `~/.local/state/chat`. As the XDG specification requires, a
    /// relative `XDG_STATE_HOME` is ignored.
    pub fn locate() -> Result<PathBuf, Failure> {
        xdg_folder::locate("XDG_STATE_HOME", ".local/state").ok_or_else(|| {
            Failure::new(Exit::Configuration, client::no_place_for_session())
                .with_hint(client::set_home())
        })
    }

    /// Opens the folder, and creates it (0700) if it does not exist.
    pub fn create(path: &Path) -> Result<Self, Failure> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        // If something other than a folder is there, `open` reports it.
        if let Err(error) = made
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(local_file(client::folder_not_made(path.display(), error)));
        }
        match Self::open(path)? {
            Some(folder) => Ok(folder),
            None => Err(local_file(client::folder_not_opened(
                path.display(),
                io::Error::from(io::ErrorKind::NotFound),
            ))),
        }
    }

    /// Opens the folder; `None` if it does not exist.
    pub fn open(path: &Path) -> Result<Option<Self>, Failure> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = match open(path, flags, Mode::empty()) {
            Ok(folder) => folder,
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(rustix::io::Errno::LOOP | rustix::io::Errno::NOTDIR) => {
                let message = client::not_a_folder(path.display());
                return Err(
                    Failure::new(Exit::LocalFile, message).with_hint(client::move_folder_away())
                );
            }
            Err(error) => {
                let error = io::Error::from(error);
                return Err(local_file(client::folder_not_opened(path.display(), error)));
            }
        };
        check_private(&folder, path, "700")?;
        Ok(Some(Self { path: path.to_owned(), folder }))
    }

    /// The path of a file in the folder.
    pub fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Whether the file exists. Fails as [`read`](Self::read) does, except for the size.
    pub fn has(&self, name: &str) -> Result<bool, Failure> {
        Ok(self.open_file(name)?.is_some())
    }

    /// Reads a file; `None` if it does not exist. Refuses a file that belongs to another user, that
    /// others can access, that is a link, that is not a regular file, or that is too large.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        let Some(file) = self.open_file(name)? else { return Ok(None) };
        let path = self.path_of(name);
        // Enough for a session, so that one read suffices.
        let mut bytes = Vec::with_capacity(512);
        let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
        read.map_err(|error| unreadable(&path, &error))?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(not_plain(&path));
        }
        Ok(Some(bytes))
    }

    /// Writes a file (0600), replacing the previous one atomically. A reader sees the old or the
    /// new content, never a part, even if two processes write at once or this one is killed.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        let draft = format!(".{name}.{}", Uuid::new_v4().simple());
        let written = self.write_draft(&draft, bytes).and_then(|()| {
            renameat(&self.folder, &draft, &self.folder, name).map_err(io::Error::from)
        });
        written.map_err(|error| {
            // The draft may not exist; there is no other clean-up to do.
            let _ = unlinkat(&self.folder, &draft, AtFlags::empty());
            local_file(client::file_not_written(self.path_of(name).display(), error))
        })
    }

    /// Locks the folder against other processes until the lock is dropped, for changes that read a
    /// file and write it again. Blocks while another process holds the lock.
    pub fn lock(&self) -> Result<OwnedFd, Failure> {
        let locked = || {
            // A lock belongs to an open file description, so it needs its own.
            let folder =
                openat(&self.folder, ".", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
            flock(&folder, FlockOperation::LockExclusive)?;
            Ok(folder)
        };
        locked().map_err(|error: rustix::io::Errno| {
            local_file(client::folder_not_opened(self.path.display(), error))
        })
    }

    /// Opens a file and holds a shared lock on it until the result is dropped. The lock stays with
    /// this file, even if the name gets another one. `None` if the file does not exist, or another
    /// process has it exclusively. Fails as [`read`](Self::read) does.
    pub fn share(&self, name: &str) -> Result<Option<SharedFile>, Failure> {
        let Some(file) = self.open_file(name)? else { return Ok(None) };
        let is_shared = flock(&file, FlockOperation::NonBlockingLockShared).is_ok();
        Ok(is_shared.then_some(SharedFile(file)))
    }

    /// Opens a file for reading and writing, and creates it (0600) if it does not exist. Fails as
    /// [`read`](Self::read) does, except for the size.
    pub fn open_or_create(&self, name: &str) -> Result<File, Failure> {
        let path = self.path_of(name);
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match openat(&self.folder, name, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => check_ours(File::from(file), &path),
            Err(rustix::io::Errno::LOOP) => Err(not_plain(&path)),
            Err(error) => {
                let error = io::Error::from(error);
                Err(local_file(client::file_not_opened(path.display(), error)))
            }
        }
    }

    /// Removes a file, if it exists.
    pub fn remove(&self, name: &str) -> Result<(), Failure> {
        match unlinkat(&self.folder, name, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(error) => {
                let error = io::Error::from(error);
                Err(local_file(client::file_not_removed(self.path_of(name).display(), error)))
            }
        }
    }

    fn open_file(&self, name: &str) -> Result<Option<File>, Failure> {
        let path = self.path_of(name);
        // Opening a pipe must not wait for a writer.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(&self.folder, name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(rustix::io::Errno::LOOP) => return Err(not_plain(&path)),
            Err(error) => {
                let error = io::Error::from(error);
                return Err(local_file(client::file_not_opened(path.display(), error)));
            }
        };
        check_ours(file, &path).map(Some)
    }

    fn write_draft(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let mut file = File::from(openat(&self.folder, name, flags, mode)?);
        // The umask may have removed these bits.
        fchmod(&file, mode)?;
        file.write_all(bytes)?;
        // Otherwise a power cut could leave an empty file under the new name.
        file.sync_all()
    }
}

/// Checks that it is a regular file of the user, closed to others.
fn check_ours(file: File, path: &Path) -> Result<File, Failure> {
    let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
    if !metadata.is_file() {
        return Err(not_plain(path));
    }
    check_private(&file, path, "600")?;
    Ok(file)
}

fn check_private(
    file: impl std::os::fd::AsFd,
    path: &Path,
    mode: &'static str,
) -> Result<(), Failure> {
    let stat = fstat(file).map_err(|error| unreadable(path, &error.into()))?;
    let shown = path.display();
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        return Err(
            local_file(client::belongs_to_another(shown)).with_hint(client::use_own_folder())
        );
    }
    if stat.st_mode & OTHERS != 0 {
        let advice = client::change_mode(mode, &shown);
        return Err(local_file(client::open_to_others(shown)).with_hint(advice));
    }
    Ok(())
}

fn not_plain(path: &Path) -> Failure {
    local_file(client::not_our_file(path.display())).with_hint(client::move_file_away())
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    local_file(client::file_not_read(path.display(), error))
}

fn local_file(message: String) -> Failure {
    Failure::new(Exit::LocalFile, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn refusal<T: std::fmt::Debug>(result: Result<T, Failure>) -> String {
        let failure = result.unwrap_err();
        assert_eq!(failure.exit(), Exit::LocalFile);
        let mut shown = Vec::new();
        failure.report(&mut shown);
        String::from_utf8(shown).unwrap()
    }

    #[test]
    fn folder_is_0700_and_its_files_0600() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("state/chat");
        let folder = StateFolder::create(&path).unwrap();
        folder.write("session", b"one").unwrap();
        folder.write("session", b"two").unwrap();
        assert_eq!((mode(&path), mode(&path.join("session"))), (0o700, 0o600));
        assert_eq!(folder.read("session").unwrap().unwrap(), b"two");
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1, "drafts are left behind");
        folder.remove("session").unwrap();
        folder.remove("session").unwrap();
        assert!(folder.read("session").unwrap().is_none());
    }

    #[test]
    fn missing_folder_is_not_created_by_opening_it() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("chat");
        assert!(StateFolder::open(&path).unwrap().is_none());
        assert!(!path.exists());
    }

    #[test]
    fn folder_that_others_can_look_into_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("chat");
        StateFolder::create(&path).unwrap();
        for loose in [0o755, 0o711, 0o770, 0o702] {
            chmod(&path, loose);
            let shown = refusal(StateFolder::open(&path));
            assert!(shown.contains(&format!("hint: chmod 700 {}", path.display())), "{shown}");
            refusal(StateFolder::create(&path));
        }
    }

    #[test]
    fn file_that_others_can_read_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let folder = StateFolder::create(&home.path().join("chat")).unwrap();
        folder.write("session", b"secret").unwrap();
        for loose in [0o644, 0o640, 0o620, 0o601] {
            chmod(&folder.path_of("session"), loose);
            let shown = refusal(folder.read("session"));
            assert!(shown.contains("hint: chmod 600 "), "{shown}");
        }
    }

    #[test]
    fn links_and_other_than_regular_files_are_refused() {
        let home = tempfile::tempdir().unwrap();
        let elsewhere = home.path().join("elsewhere");
        let path = home.path().join("chat");
        let folder = StateFolder::create(&path).unwrap();
        fs::write(&elsewhere, "not ours").unwrap();
        chmod(&elsewhere, 0o600);
        symlink(&elsewhere, folder.path_of("session")).unwrap();
        refusal(folder.read("session"));
        // Writing replaces the link and does not follow it.
        folder.write("session", b"ours").unwrap();
        assert_eq!(fs::read(&elsewhere).unwrap(), b"not ours");

        fs::create_dir(folder.path_of("folder")).unwrap();
        chmod(&folder.path_of("folder"), 0o700);
        refusal(folder.read("folder"));
        folder.write("huge", &vec![b'x'; FILE_BYTES_MAX as usize + 1]).unwrap();
        refusal(folder.read("huge"));

        let linked = home.path().join("linked");
        symlink(&path, &linked).unwrap();
        refusal(StateFolder::open(&linked));
        refusal(StateFolder::create(&linked));
        refusal(StateFolder::create(&elsewhere));
        refusal(StateFolder::create(&elsewhere.join("below")));
    }

    #[test]
    fn file_that_others_share_is_taken_over_by_the_last_of_them() {
        let home = tempfile::tempdir().unwrap();
        let folder = StateFolder::create(&home.path().join("chat")).unwrap();
        assert!(folder.share("session").unwrap().is_none());
        folder.write("session", b"one").unwrap();
        let first = folder.share("session").unwrap().unwrap();
        let second = folder.share("session").unwrap().unwrap();
        folder.write("session", b"two").unwrap();
        assert_eq!(second.read().unwrap(), b"one");
        assert!(!first.take_over());
        drop(first);
        assert!(second.take_over());
        assert!(folder.share("session").unwrap().unwrap().take_over());
    }

    #[test]
    fn writers_at_once_leave_one_whole_file() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("chat");
        let texts: Vec<Vec<u8>> = (0..8).map(|n| vec![b'a' + n; 4000]).collect();
        std::thread::scope(|scope| {
            for text in &texts {
                let path = &path;
                scope.spawn(move || {
                    let folder = StateFolder::create(path).unwrap();
                    for _ in 0..20 {
                        folder.write("session", text).unwrap();
                        let seen = folder.read("session").unwrap().unwrap();
                        assert_eq!(seen, vec![seen[0]; 4000]);
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
    }
}
