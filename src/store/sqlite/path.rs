//! Paths of a database and of the files beside it, and opening files safely. Knows no SQLite.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::catalogue::storage;
use crate::store::error::OpenError;

/// The absolute path of a database with no symbolic link in it, so that it means the same for as
/// long as the process runs. The file need not be there, but its folder.
///
/// # Errors
/// What is given is no file, or cannot be one.
pub fn resolve(given: &Path) -> Result<PathBuf, OpenError> {
    let text = given.to_string_lossy();
    if text.is_empty() || text == ":memory:" || text.starts_with("file:") {
        return Err(OpenError::NotAFileName(given.to_owned()));
    }
    let no_input = |problem| OpenError::NoInput { path: given.to_owned(), problem };
    match fs::canonicalize(given) {
        Ok(path) if path.is_dir() => return Err(no_input(storage::is_a_folder())),
        Ok(path) if path.is_file() => return Ok(path),
        // Opening a pipe would wait for its other end, for ever.
        Ok(_) => return Err(no_input(storage::is_a_device())),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            return Err(no_input(storage::is_below_a_file()));
        }
        Err(error) => return Err(io_error(given, error)),
    }
    // A file may have come to be there meanwhile.
    if fs::symlink_metadata(given).is_ok_and(|there| there.is_symlink()) {
        return Err(no_input(storage::is_a_dead_link()));
    }
    let name = given.file_name().ok_or_else(|| OpenError::NotAFileName(given.to_owned()))?;
    let parent = given.parent().filter(|parent| !parent.as_os_str().is_empty());
    match fs::canonicalize(parent.unwrap_or(Path::new("."))) {
        Ok(parent) => Ok(parent.join(name)),
        Err(_) => Err(no_input(storage::is_in_no_folder())),
    }
}

/// The absolute path of a database that is not there; leaves everything as it is.
pub(in crate::store) fn check_free(given: &Path) -> Result<PathBuf, OpenError> {
    let path = resolve(given)?;
    let files = ["", "-wal", "-journal"].map(|suffix| with_suffix(&path, suffix));
    match files.into_iter().find(|path| fs::symlink_metadata(path).is_ok()) {
        Some(path) => Err(OpenError::Exists { path }),
        None => Ok(path),
    }
}

/// Makes the names durable of a file and of what lies beside it.
pub(in crate::store) fn sync_folder(path: &Path) -> Result<(), OpenError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| io_error(folder, error))
}

/// Opens a file that is there for reading and writing: SQLite would fall back to reading only, and
/// say so much later. A link is not followed: root would write through it.
pub(in crate::store) fn open_existing(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(OFlags::NOFOLLOW.bits() as i32)
        .open(path)
}

/// Opens a file for reading and writing; where there is none, makes one that is for its owner only.
/// What an administrator's command makes as root belongs to whom the folder belongs to: to the
/// server, which has to be able to open it.
pub(in crate::store) fn open_or_create(path: &Path) -> io::Result<File> {
    open_or_create_new(path).map(|(file, _)| file)
}

/// [`open_or_create`], and whether it was made.
pub(in crate::store) fn open_or_create_new(path: &Path) -> io::Result<(File, bool)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600).custom_flags(OFlags::NOFOLLOW.bits() as i32);
    match options.create_new(true).open(path) {
        Ok(file) => {
            let folder = fs::metadata(path.parent().unwrap_or(Path::new("/")))?;
            if rustix::process::geteuid().is_root() && folder.uid() != 0 {
                // Where root may not give away, it is root's.
                let _ = fchown(&file, Some(folder.uid()), Some(folder.gid()));
            }
            Ok((file, true))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            open_existing(path).map(|file| (file, false))
        }
        Err(error) => Err(error),
    }
}

/// The path of what lies beside a file.
pub(in crate::store) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

pub(in crate::store) fn io_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::Io { path: path.to_owned(), source }
}

/// The name by which SQLite opens a file with a parameter.
pub(in crate::store) fn uri(path: &Path, parameter: &str) -> String {
    let mut uri = String::from("file:");
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => uri.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(byte)),
            byte => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    format!("{uri}?{parameter}")
}
