//! Which files were opened, and whether what is committed is to be found in them.
//!
//! Each is asked for nothing but what is needed. Since Linux 6.13 whoever is told when a file was last
//! changed has its next change noted to the nanosecond (`fs/inode.c`, multigrain timestamps), and the
//! next fsync writes that down as well: it takes 1.5 times as long.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, Statx, StatxFlags, makedev, statx};
use rustix::io::Errno;

/// What stands in the log before its pages, and before each of them (the `SQLite` file format, section 4.1).
pub(super) const LOG_HEADER_BYTES: usize = 32;
pub(super) const LOG_FRAME_HEADER_BYTES: u64 = 24;
/// How much of the index of the log is made at the start: enough for 32,734 pages, 32 KiB for 4,096 of them
/// (the format of the WAL-index); see `store::writer` for how many there may be.
const INDEX_BYTES_RESERVED: u64 = 256 * 1024;

/// How long ago a folder was changed last, at least, when its time tells whether it has been changed since: times
/// are as coarse as ten milliseconds, and two seconds where a file system is FAT.
const SETTLED_AFTER: Duration = Duration::from_secs(3);

/// Which files were opened, and how far the log was written. An open file that was renamed or removed
/// takes writes as if nothing had happened, and whoever opens the name finds none of them; a log that
/// was cut is written on behind the gap, and whoever reads it ends there.
pub(super) struct Identity {
    /// The database, its log and the index of that.
    files: [(PathBuf, FileId); 3],
    /// Where they lie.
    folder: PathBuf,
    /// As the folder was when the names were last seen to lead to them, where its time tells whether it has
    /// been changed since.
    settled: Option<Folder>,
    /// Its time does not tell before.
    settles_at: SystemTime,
    log: File,
    frame_bytes: u64,
    /// How long the log was after the last commit at least.
    written: u64,
    /// How it began then. Other bytes for each time that the log is begun anew.
    header: [u8; LOG_HEADER_BYTES],
    /// How long it was before this commit.
    found: u64,
    /// Open for as long as SQLite has it open, because closing it would end SQLite's locks of this process.
    _index: File,
}

impl Identity {
    /// Of the database, its log and the index of that, as SQLite has them open now.
    pub(super) fn open(names: [PathBuf; 3], page_bytes: u64) -> io::Result<Self> {
        let folder = names[0].parent().unwrap_or(Path::new("/")).to_owned();
        let [database, log, index] = names.map(|name| FileId::of(&name).map(|file| (name, file)));
        let files = [database?, log?, index?];
        let log = File::open(&files[1].0)?;
        let index = OpenOptions::new().write(true).open(&files[2].0)?;
        // Where there is no room for it there is none for the log either.
        let _ = index.metadata().and_then(|there| reserve_index(&index, there.len()));
        let frame_bytes = LOG_FRAME_HEADER_BYTES + page_bytes;
        let header = [0; LOG_HEADER_BYTES];
        Ok(Self {
            files,
            folder,
            settled: None,
            settles_at: SystemTime::UNIX_EPOCH,
            log,
            frame_bytes,
            written: 0,
            header,
            found: 0,
            _index: index,
        })
    }

    /// Looks at the log before something is committed, when nobody else can write.
    pub(super) fn look(&mut self) {
        self.found = length(&self.log).unwrap_or(0);
    }

    /// The log was folded in, and its file is as long as it may be.
    pub(super) fn forget_length(&mut self) {
        self.written = 0;
    }

    /// After a commit, since [`Self::look`]; the log has so many pages now. `None` where nothing was
    /// written; then a log that is empty may be one that a shell has folded in.
    ///
    /// # Errors
    /// What was committed is not, or not to be found, where the names lead to.
    pub(super) fn check(&mut self, pages: Option<u64>) -> Result<(), &'static str> {
        if !self.names_lead_to_files(SystemTime::now()) {
            return Err("the database file was renamed or removed while the server was running");
        }
        let mut header = [0; LOG_HEADER_BYTES];
        let is_whole = self.log.read_exact_at(&mut header, 0).is_ok();
        // Somebody at a shell may have folded the log in and emptied it: then it was begun anew.
        // With another salt, and with its checksum, which is last.
        let is_another =
            is_whole && header[16..20] != self.header[16..20] && header[24..] != [0; 8];
        let is_short = self.found < self.written;
        if is_short && !is_another && (self.found > 0 || pages.is_some()) {
            return Err("the log of the database was cut while the server was running");
        }
        if let Some(pages) = pages {
            self.header = header;
            self.written = LOG_HEADER_BYTES as u64 + pages * self.frame_bytes;
        }
        Ok(())
    }

    /// Whether the names still lead to the files that were opened. Mostly one look at the folder tells, instead
    /// of one at each.
    fn names_lead_to_files(&mut self, now: SystemTime) -> bool {
        // Before the files are looked at: what is done meanwhile gives it another time.
        let is_told = now > self.settles_at;
        let folder = is_told.then(|| Folder::of(&self.folder).ok()).flatten();
        if folder.is_some() && folder == self.settled {
            return true;
        }
        let is_there =
            |(name, found): &(PathBuf, FileId)| FileId::of(name).is_ok_and(|file| file == *found);
        let are_there = self.files.iter().all(is_there);
        self.settled = None;
        if let Some((folder, settles_at)) = folder.and_then(|it| Some((it, it.settles_at()?))) {
            self.settles_at = settles_at;
            self.settled = (are_there && now > settles_at).then_some(folder);
        }
        are_there
    }
}

/// Which folder a name leads to, and when a name in it, or it itself, was last changed: by `st_ctime`, which
/// nobody can set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Folder {
    id: FileId,
    seconds: i64,
    nanoseconds: i64,
}

impl Folder {
    fn of(path: &Path) -> io::Result<Self> {
        match statx(CWD, path, AtFlags::empty(), StatxFlags::INO | StatxFlags::CTIME) {
            Ok(found) => Ok(Self {
                id: FileId::told(&found),
                seconds: found.stx_ctime.tv_sec,
                nanoseconds: found.stx_ctime.tv_nsec.into(),
            }),
            Err(error) if is_no_call(error) => {
                let found = fs::metadata(path)?;
                let id = FileId { device: found.dev(), number: found.ino() };
                Ok(Self { id, seconds: found.ctime(), nanoseconds: found.ctime_nsec() })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// From when on the next change gives it another time, whatever the clock of the file system is like.
    fn settles_at(&self) -> Option<SystemTime> {
        let changed = Duration::from_secs(u64::try_from(self.seconds).ok()?);
        SystemTime::UNIX_EPOCH.checked_add(changed.checked_add(SETTLED_AFTER)?)
    }
}

/// Which file it is that has a name: its device and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId {
    device: u64,
    number: u64,
}

impl FileId {
    fn told(found: &Statx) -> Self {
        let device = makedev(found.stx_dev_major, found.stx_dev_minor);
        Self { device, number: found.stx_ino }
    }

    fn of(path: &Path) -> io::Result<Self> {
        match statx(CWD, path, AtFlags::empty(), StatxFlags::INO) {
            Ok(found) => Ok(Self::told(&found)),
            Err(error) if is_no_call(error) => {
                let found = fs::metadata(path)?;
                Ok(Self { device: found.dev(), number: found.ino() })
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// How long a file is.
fn length(file: &File) -> io::Result<u64> {
    match statx(file.as_fd(), "", AtFlags::EMPTY_PATH, StatxFlags::SIZE) {
        Ok(found) => Ok(found.stx_size),
        Err(error) if is_no_call(error) => Ok(file.metadata()?.len()),
        Err(error) => Err(error.into()),
    }
}

/// Some kernels and sandboxes do not have `statx`.
fn is_no_call(error: Errno) -> bool {
    matches!(error, Errno::NOSYS | Errno::PERM)
}

/// Makes the index as long as a log needs that nobody keeps from being folded in. SQLite lets it grow when a
/// commit is in the log already: without room for it then, nobody could say whether that was done.
fn reserve_index(index: &File, length: u64) -> io::Result<()> {
    let missing = INDEX_BYTES_RESERVED.saturating_sub(length);
    // Not a hole: what is written to one by memory finds no room too late.
    index.write_all_at(&vec![0; missing as usize], length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Changes something elsewhere until the clock of the file system has gone on.
    fn wait_for_another_time(folder: &Path) {
        let time = |folder| Folder::of(folder).map(|found| (found.seconds, found.nanoseconds));
        let changed = time(folder).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        while time(elsewhere.path()).unwrap() <= changed {
            fs::write(elsewhere.path().join("file"), "").unwrap();
            fs::remove_file(elsewhere.path().join("file")).unwrap();
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_seen_in_a_folder_that_was_settled() {
        type Deed = fn(&Path);
        let deeds: [(&str, Deed); 7] = [
            ("renamed", |path| fs::rename(path.join("log"), path.join("other")).unwrap()),
            ("removed", |path| fs::remove_file(path.join("database")).unwrap()),
            ("replaced", |path| {
                fs::write(path.join("other"), "").unwrap();
                fs::rename(path.join("other"), path.join("index")).unwrap();
            }),
            ("exchanged", |path| {
                let [log, index, other] = ["log", "index", "other"].map(|name| path.join(name));
                fs::rename(&log, &other).unwrap();
                fs::rename(&index, &log).unwrap();
                fs::rename(&other, &index).unwrap();
            }),
            ("the folder renamed", |path| {
                fs::rename(path, path.with_file_name("elsewhere")).unwrap();
            }),
            ("the folder replaced", |path| {
                fs::rename(path, path.with_file_name("elsewhere")).unwrap();
                fs::create_dir(path).unwrap();
            }),
            ("the folder above it renamed", |path| {
                let above = path.parent().unwrap();
                fs::rename(above, above.with_file_name("elsewhere")).unwrap();
            }),
        ];
        for (name, deed) in deeds {
            let place = tempfile::tempdir().unwrap();
            let folder = place.path().join("above/folder");
            fs::create_dir_all(&folder).unwrap();
            let names = ["database", "log", "index"].map(|name| folder.join(name));
            names.iter().for_each(|name| fs::write(name, "").unwrap());
            let mut identity = Identity::open(names, 4_096).unwrap();
            let now = SystemTime::now();
            let later = |seconds| now + Duration::from_secs(seconds);
            assert!(identity.names_lead_to_files(now));
            assert_eq!(identity.settled, None, "it has just been changed");
            for moment in [10, 20] {
                assert!(identity.names_lead_to_files(later(moment)));
                assert_eq!(identity.settled, Some(Folder::of(&folder).unwrap()));
            }
            wait_for_another_time(&folder);
            // What else is done there is nobody's concern.
            fs::write(folder.join("beside"), "").unwrap();
            assert!(identity.names_lead_to_files(later(30)), "{name}");
            assert_eq!(identity.settled, Some(Folder::of(&folder).unwrap()));
            wait_for_another_time(&folder);
            deed(&folder);
            assert!(!identity.names_lead_to_files(later(40)), "{name}");
            assert!(!identity.names_lead_to_files(later(50)), "{name}");
        }
    }
}
