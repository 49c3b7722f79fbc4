//! The paths of a database and of the files beside it, and safe ways to open files. Knows no
//! SQLite.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::store::error::{NoInput, OpenError};

/// The absolute path of a database without symbolic links, so that it stays the same while the
/// process runs. The folder must exist; the file need not.
///
/// # Errors
/// The path cannot be that of a file.
pub fn resolve(given: &Path) -> Result<PathBuf, OpenError> {
    let text = given.to_string_lossy();
    if text.is_empty() || text == ":memory:" || text.starts_with("file:") {
        return Err(OpenError::NotAFileName(given.to_owned()));
    }
    let no_input = |problem| OpenError::NoInput { path: given.to_owned(), problem };
    match fs::canonicalize(given) {
        Ok(path) if path.is_dir() => return Err(no_input(NoInput::Folder)),
        Ok(path) if path.is_file() => return Ok(path),
        // Opening a pipe would wait for its other end forever.
        Ok(_) => return Err(no_input(NoInput::Device)),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            return Err(no_input(NoInput::BelowFile));
        }
        Err(error) => return Err(io_error(given, error)),
    }
    // A file may have been created meanwhile.
    if fs::symlink_metadata(given).is_ok_and(|there| there.is_symlink()) {
        return Err(no_input(NoInput::DeadLink));
    }
    let name = given.file_name().ok_or_else(|| OpenError::NotAFileName(given.to_owned()))?;
    let parent = given.parent().filter(|parent| !parent.as_os_str().is_empty());
    match fs::canonicalize(parent.unwrap_or(Path::new("."))) {
        Ok(parent) => Ok(parent.join(name)),
        Err(_) => Err(no_input(NoInput::NoFolder)),
    }
}

/// The absolute path of a database that does not exist. Changes nothing.
pub(in crate::store) fn check_free(given: &Path) -> Result<PathBuf, OpenError> {
    let path = resolve(given)?;
    let files = ["", "-wal", "-journal"].map(|suffix| with_suffix(&path, suffix));
    match files.into_iter().find(|path| fs::symlink_metadata(path).is_ok()) {
        Some(path) => Err(OpenError::Exists { path }),
        None => Ok(path),
    }
}

/// Makes the names in the file's folder durable.
pub(in crate::store) fn sync_folder(path: &Path) -> Result<(), OpenError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| io_error(folder, error))
}

/// Opens an existing file for reading and writing. SQLite would fall back to reading only, and
/// report it much later. It follows no link, because root would write through it.
pub(in crate::store) fn open_existing(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(OFlags::NOFOLLOW.bits() as i32)
        .open(path)
}

/// Opens a file for reading and writing, or creates one that only its owner may read. A file that
/// root creates gets the owner of the folder, because the server must be able to open it.
pub(in crate::store) fn open_or_create(path: &Path) -> io::Result<File> {
    open_or_create_new(path).map(|(file, _)| file)
}

/// Like [`open_or_create`]. Also returns whether the file is new.
pub(in crate::store) fn open_or_create_new(path: &Path) -> io::Result<(File, bool)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600).custom_flags(OFlags::NOFOLLOW.bits() as i32);
    match options.create_new(true).open(path) {
        Ok(file) => {
            let folder = fs::metadata(path.parent().unwrap_or(Path::new("/")))?;
            if rustix::process::geteuid().is_root() && folder.uid() != 0 {
                // If root may not change the owner, root stays the owner.
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

/// The path of a file beside another one.
pub(in crate::store) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

pub(in crate::store) fn io_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::Io { path: path.to_owned(), source }
}

/// The URI with which SQLite opens a file with a parameter.
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
