//! Runs `chat-cli` as its users do: a process with its own home and an otherwise empty environment.

use std::ffi::OsStr;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// The home of a user of `chat-cli`; removed when this is dropped.
pub struct Home {
    folder: TempDir,
    server: String,
}

/// The exit status and the output of a process.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Home {
    /// A new home whose configured server is `server`.
    pub fn new(server: SocketAddr) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        Self { folder, server: server.to_string() }
    }

    /// A new home in which a user of the seed has logged in.
    pub fn of(user: &str, server: SocketAddr) -> Self {
        let home = Self::new(server);
        let outcome = home.run(["auth", user, "cytus"]);
        assert_eq!(outcome.code, 0, "{outcome:?}");
        home
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of the client's files.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state/chat")
    }

    /// The stored session.
    pub fn session_file(&self) -> PathBuf {
        let file = std::fs::read_dir(self.state()).expect("a state folder").find_map(|entry| {
            let path = entry.expect("an entry").path();
            path.extension().is_some_and(|extension| extension == "json").then_some(path)
        });
        file.expect("a session file")
    }

    /// The token of the stored session.
    pub fn token(&self) -> String {
        let bytes = std::fs::read(self.session_file()).expect("a session file");
        let session: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
        session["token"].as_str().expect("a token").to_owned()
    }

    /// `chat-cli` with these arguments and empty standard input.
    pub fn cli<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat-cli"));
        self.dress(&mut command).args(arguments);
        command
    }

    /// A shell script, in which `$CLI` is `chat-cli`.
    pub fn sh(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        self.dress(&mut command).args(["-c", script]).env("CLI", env!("CARGO_BIN_EXE_chat-cli"));
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    /// Another program, with this home.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        self.dress(&mut command);
        command
    }

    /// Runs [`Self::cli`] to its end.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Outcome {
        outcome(self.cli(arguments))
    }

    /// [`Self::run`], with this on standard input.
    pub fn run_with_input<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
        input: impl AsRef<[u8]>,
    ) -> Outcome {
        outcome_with_input(self.cli(arguments), input.as_ref())
    }

    fn dress<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let home = self.folder.path();
        command
            .env_clear()
            .env("HOME", home)
            .env("XDG_STATE_HOME", home.join("state"))
            .env("CHAT_SERVER", &self.server)
            .env("TZ", "UTC")
            .env("TERM", "xterm")
            .stdin(Stdio::null())
    }
}

/// Runs a command to its end.
pub fn outcome(mut command: Command) -> Outcome {
    told(command.output().expect("the command runs"))
}

/// [`outcome`], with this on standard input.
pub fn outcome_with_input(mut command: Command, input: &[u8]) -> Outcome {
    let mut child = start(command.stdin(Stdio::piped()));
    let mut stdin = child.stdin.take().expect("standard input");
    // A refused command may not read to the end.
    let _ = stdin.write_all(input);
    drop(stdin);
    told(child.wait_with_output().expect("the command ends"))
}

/// Starts a command whose outputs can be read.
pub fn start(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts")
}

/// The exit status and the output of a process.
pub fn told(output: Output) -> Outcome {
    Outcome {
        code: output.status.code().expect("an exit code"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8 on standard output"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8 on standard error"),
    }
}

/// The text with every token replaced by `<token 1>`, `<token 2>` and so on; equal tokens get equal
/// names.
pub fn without_tokens(text: &str) -> String {
    const TOKEN_BYTES: usize = 36;
    let mut seen: Vec<&str> = Vec::new();
    let mut out = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let token = rest.get(..TOKEN_BYTES).filter(|token| {
            token.bytes().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            })
        });
        match token {
            Some(token) => {
                let number = seen.iter().position(|other| *other == token).unwrap_or_else(|| {
                    seen.push(token);
                    seen.len() - 1
                });
                out.push_str(&format!("<token {}>", number + 1));
                rest = &rest[TOKEN_BYTES..];
            }
            None => {
                out.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
    }
    out
}
