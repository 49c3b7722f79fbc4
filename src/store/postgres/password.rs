//! The password of a database: from the file that the operator names, else from libpq's password
//! file. It is never part of an argument or of the environment, which other users can read.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::target::{Host, HostAddress, Target};

/// The mode bits that let other users read or change a file.
const OTHERS: u32 = 0o077;
/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// The folders where libpq may have its default socket. Its password file calls them `localhost`.
const SOCKET_FOLDERS_DEFAULT: [&str; 3] = ["/run/postgresql", "/var/run/postgresql", "/tmp"];

/// Where to look for the password. It is read again for each connection, so that it can change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordSource {
    /// The first line of this file, for every host.
    File(PathBuf),
    /// The line that matches, in a file in the format of `~/.pgpass`.
    PasswordFile {
        /// The file.
        path: PathBuf,
        /// Whether somebody has named the file, so that it must exist.
        is_named: bool,
    },
    /// There is none.
    None,
}

/// A password. It is not shown in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub(super) String);

/// Why no password can be read.
#[derive(Debug)]
pub enum PasswordError {
    /// Other users can read or change the file.
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The system refused to read the file.
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file cannot be a password file.
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: ContentProblem,
    },
}

/// Why a file is not a password file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentProblem {
    /// It is a folder or a device.
    NotAFile,
    /// It has more than 64 KiB.
    TooLarge,
    /// It is not UTF-8, or has a NUL byte.
    NotText,
    /// Its first line is empty.
    Empty,
}

impl PasswordSource {
    /// `file` if there is one; else the file that `PGPASSFILE` names; else `~/.pgpass`.
    pub fn find(file: Option<&Path>) -> Self {
        let value = |name| env::var_os(name).filter(|value: &OsString| !value.is_empty());
        Self::from(file, value("PGPASSFILE"), value("HOME"))
    }

    fn from(file: Option<&Path>, named: Option<OsString>, home: Option<OsString>) -> Self {
        match (file, named, home) {
            (Some(path), _, _) => Self::File(path.to_owned()),
            (_, Some(path), _) => Self::PasswordFile { path: path.into(), is_named: true },
            (_, _, Some(home)) => {
                Self::PasswordFile { path: Path::new(&home).join(".pgpass"), is_named: false }
            }
            _ => Self::None,
        }
    }

    /// The password of the user of `target` at `host`. `None` if there is no line for it.
    ///
    /// # Errors
    /// The file cannot be read, or other users can read it.
    pub fn password(&self, target: &Target, host: &Host) -> Result<Option<Secret>, PasswordError> {
        match self {
            Self::None => Ok(None),
            Self::File(path) => first_line(path).map(Some),
            Self::PasswordFile { path, is_named } => match read(path) {
                Ok(text) => Ok(find(&text, target, host)),
                Err(PasswordError::Io { source, .. })
                    if !is_named && source.kind() == io::ErrorKind::NotFound =>
                {
                    Ok(None)
                }
                Err(error) => Err(error),
            },
        }
    }

    /// Where a missing password belongs.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) | Self::PasswordFile { path, .. } => Some(path),
            Self::None => None,
        }
    }
}

fn first_line(path: &Path) -> Result<Secret, PasswordError> {
    let text = read(path)?;
    match text.lines().next().filter(|line| !line.is_empty()) {
        Some(line) => Ok(Secret(line.to_owned())),
        None => Err(content(path, ContentProblem::Empty)),
    }
}

/// Reads a file that no other user can read.
fn read(path: &Path) -> Result<String, PasswordError> {
    let io = |source| PasswordError::Io { path: path.to_owned(), source };
    // A pipe would block here, so the file is looked at before it is opened, and again after.
    if !path.metadata().map_err(io)?.is_file() {
        return Err(content(path, ContentProblem::NotAFile));
    }
    let file = File::open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if metadata.mode() & OTHERS != 0 {
        let mode = metadata.mode() & 0o777;
        return Err(PasswordError::Open { path: path.to_owned(), mode });
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(content(path, ContentProblem::TooLarge));
    }
    let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    text.ok_or_else(|| content(path, ContentProblem::NotText))
}

fn content(path: &Path, problem: ContentProblem) -> PasswordError {
    PasswordError::Content { path: path.to_owned(), problem }
}

/// The password of the first line that matches: `host:port:database:user:password`.
fn find(text: &str, target: &Target, host: &Host) -> Option<Secret> {
    let port = host.port.to_string();
    let matches_host = |field: &str| match &host.address {
        HostAddress::Network(name) => matches(field, name),
        HostAddress::Socket(folder) => {
            let folder = folder.to_string_lossy();
            matches(field, &folder)
                || SOCKET_FOLDERS_DEFAULT.contains(&folder.as_ref()) && matches(field, "localhost")
        }
    };
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let (found_host, rest) = field(line)?;
        let (found_port, rest) = field(rest)?;
        let (database, rest) = field(rest)?;
        let (user, password) = field(rest)?;
        let is_match = matches_host(found_host)
            && matches(found_port, &port)
            && matches(database, &target.database)
            && matches(user, &target.user);
        is_match.then(|| Secret(unescape(password)))
    })
}

/// The text in front of the first colon that has no backslash before it, and the text behind.
fn field(text: &str) -> Option<(&str, &str)> {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b':' => return Some((&text[..at], &text[at + 1..])),
            _ => {}
        }
    }
    None
}

fn matches(field: &str, value: &str) -> bool {
    field == "*" || unescape(field) == value
}

/// A backslash stands for the character after it; at the end, for itself.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => plain.push(characters.next().unwrap_or('\\')),
            character => plain.push(character),
        }
    }
    plain
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use proptest::prelude::*;

    use super::*;

    fn found(text: &str, url: &str) -> Option<String> {
        let target: Target = url.parse().unwrap();
        find(text, &target, &target.hosts[0]).map(|secret| secret.0)
    }

    fn file(folder: &Path, text: &str, mode: u32) -> PathBuf {
        let path = folder.join("pass");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn first_line_that_matches_has_the_password() {
        let text = "# db:5432:chat:chat:comment\n\
                    db:5433:chat:chat:port\n\
                    db:5432:other:chat:database\n\
                    db:5432:chat:other:user\n\
                    not a line\n\
                    db:5432:chat:chat:right\n\
                    *:*:*:*:any\n";
        for (url, password) in [
            ("postgres://chat@db/chat", "right"),
            ("postgres://chat@db:5433/chat", "port"),
            ("postgres://chat@db/other", "database"),
            ("postgres://other@db/chat", "user"),
            ("postgres://chat@elsewhere/chat", "any"),
        ] {
            assert_eq!(found(text, url).as_deref(), Some(password), "{url}");
        }
        assert_eq!(found("db:5432:chat:chat:p", "postgres://chat@elsewhere/chat"), None);
    }

    #[test]
    fn backslash_escapes_colons_and_itself() {
        let text = r"::1:5432:chat:chat:wrong
\:\:1:*:a\:b:back\\slash:p\:a\\s:s\";
        let url = "postgres://back%5Cslash@[::1]/a:b";
        assert_eq!(found(text, url).as_deref(), Some(r"p:a\s:s\"));
        // Only an unescaped asterisk stands for everything.
        assert_eq!(found(r"\*:*:*:*:p", "postgres://chat@db/chat"), None);
    }

    #[test]
    fn socket_in_its_usual_folder_is_called_localhost() {
        let text = "localhost:5432:*:*:local\n/srv/db:5432:*:*:path\n";
        for (folder, password) in [
            ("/run/postgresql", Some("local")),
            ("/var/run/postgresql", Some("local")),
            ("/srv/db", Some("path")),
            ("/srv/other", None),
        ] {
            let url = format!("postgres://chat@/chat?host={folder}");
            assert_eq!(found(text, &url).as_deref(), password, "{folder}");
        }
    }

    #[test]
    fn named_file_goes_before_the_variable_and_that_before_the_home() {
        let (file, home) = (Path::new("/f"), Some(OsString::from("/home/chat")));
        let variable = Some(OsString::from("/v"));
        let from = PasswordSource::from;
        assert_eq!(from(Some(file), variable.clone(), home.clone()).path(), Some(file));
        let of_variable = from(None, variable, home.clone());
        assert!(matches!(&of_variable, PasswordSource::PasswordFile { path, is_named: true }
            if path == Path::new("/v")));
        assert_eq!(from(None, None, home).path(), Some(Path::new("/home/chat/.pgpass")));
        assert_eq!(from(None, None, None), PasswordSource::None);
    }

    #[test]
    fn file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let target: Target = "postgres://chat@db/chat".parse().unwrap();
        for mode in [0o640, 0o604, 0o620, 0o601] {
            let path = file(folder.path(), "secret\n", mode);
            let source = PasswordSource::File(path);
            let error = source.password(&target, &target.hosts[0]).unwrap_err();
            assert!(matches!(error, PasswordError::Open { mode: found, .. } if found == mode));
        }
        for mode in [0o600, 0o400] {
            let path = file(folder.path(), "secret\nsecond\n", mode);
            let password = PasswordSource::File(path.clone()).password(&target, &target.hosts[0]);
            assert_eq!(password.unwrap(), Some(Secret("secret".to_owned())));
            fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn missing_file_is_an_error_only_if_somebody_named_it() {
        let folder = tempfile::tempdir().unwrap();
        let target: Target = "postgres://chat@db/chat".parse().unwrap();
        let path = folder.path().join("none");
        let ask = |source: PasswordSource| source.password(&target, &target.hosts[0]);
        let home = PasswordSource::PasswordFile { path: path.clone(), is_named: false };
        assert_eq!(ask(home).unwrap(), None);
        let named = PasswordSource::PasswordFile { path: path.clone(), is_named: true };
        assert!(matches!(ask(named), Err(PasswordError::Io { .. })));
        assert!(matches!(ask(PasswordSource::File(path)), Err(PasswordError::Io { .. })));
    }

    #[test]
    fn file_without_a_password_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let problem = |path: &Path| match first_line(path) {
            Err(PasswordError::Content { problem, .. }) => problem,
            other => panic!("{other:?}"),
        };
        assert_eq!(problem(folder.path()), ContentProblem::NotAFile);
        let expect = |text: &[u8], expected| {
            let path = file(folder.path(), "", 0o600);
            fs::write(&path, text).unwrap();
            assert_eq!(problem(&path), expected);
        };
        expect(b"", ContentProblem::Empty);
        expect(b"\nsecret\n", ContentProblem::Empty);
        expect(b"\xff\n", ContentProblem::NotText);
        expect(b"a\0b\n", ContentProblem::NotText);
        expect(&vec![b'x'; FILE_BYTES_MAX as usize + 1], ContentProblem::TooLarge);
    }

    #[test]
    fn password_is_not_shown() {
        assert_eq!(format!("{:?}", Some(Secret("s3cret".to_owned()))), "Some(Secret)");
    }

    proptest! {
        #[test]
        fn any_password_file_is_read(text: String) {
            let _ = found(&text, "postgres://chat@db/chat");
        }

        #[test]
        fn every_password_can_be_written(password in "[^\r\n]{0,20}") {
            let escaped = password.replace('\\', r"\\").replace(':', r"\:");
            let text = format!("*:*:*:*:{escaped}\n");
            prop_assert_eq!(found(&text, "postgres://chat@db/chat"), Some(password));
        }
    }
}
