//! Draws the picture of the prompt in the README from the real programs: `docs/record-prompt`, or
//! `cargo run --example picture -- FILE` after `cargo build --bins`.
//!
//! A server on a new database, a person at the prompt on a pseudo-terminal, and two others who
//! write meanwhile. The picture is the same each time: the times of messages and the server's
//! address, which differ from run to run, are replaced.

#[path = "../../tests/support/pty.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod pty;
mod svg;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use pty::Terminal;
use tempfile::TempDir;

/// How large the terminal is.
const ROWS: u16 = 24;
const COLUMNS: u16 = 72;
/// The password of the seed's users, which is published.
const PASSWORD: &str = "cytus";

fn main() -> Result<()> {
    let file = std::env::args_os().nth(1).context("give the file to write")?;
    let folder = TempDir::new()?;
    let server = Server::start(folder.path())?;
    let [paff, robo] =
        ["paff", "robo"].map(|name| Person { name, folder: folder.path(), server: &server });
    for person in [&paff, &robo] {
        person.log_in()?;
    }
    let mut terminal = prompt(folder.path(), &server)?;
    terminal.wait_for_end("Command :");
    terminal.line("auth neko");
    terminal.wait_for("Password");
    terminal.line(PASSWORD);
    terminal.wait_for("neko logged in");
    terminal.wait_until("the prompt", |terminal| terminal.cursor_row().starts_with("Command neko"));
    terminal.line("send paff is build 417 ready to deploy?");
    terminal.wait_for("sent to paff");
    for (person, text) in
        [(&paff, "two tests still run"), (&robo, "build 417: all 214 tests passed")]
    {
        person.send(text)?;
        terminal.wait_for(text);
    }
    // A draft: what arrives now appears above it.
    terminal.keys("send paff deploying at noo");
    terminal.wait_until("the draft", |terminal| terminal.cursor_row().contains("at noo"));
    paff.send("go ahead")?;
    terminal.wait_for("go ahead");
    terminal.wait_until("the draft", |terminal| terminal.cursor_row().contains("at noo"));
    let picture = svg::draw(terminal.colours(), |text| server.replace_address(text));
    fs::write(&file, picture)
        .with_context(|| format!("cannot write {}", Path::new(&file).display()))
}

/// The program of this name that was built beside this one.
fn program(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).context("this program is in no folder")?;
    let program = folder.join(name);
    ensure!(program.exists(), "{} is missing: run `cargo build --bins`", program.display());
    Ok(program)
}

/// `chat-cli` with nothing of this machine's environment.
fn client(home: &Path, server: &Server) -> Result<Command> {
    let mut command = Command::new(program("chat-cli")?);
    dress(&mut command, home, server);
    Ok(command)
}

fn dress(command: &mut Command, home: &Path, server: &Server) {
    command.env_clear().env("HOME", home).env("XDG_STATE_HOME", home.join("state"));
    command.env("XDG_CONFIG_HOME", home.join("config")).env("CHAT_SERVER", &server.address);
    command.env("TERM", "xterm-256color").env("LANG", "en_US.UTF-8").env("TZ", "UTC");
}

/// The prompt on a terminal, started from a shell's command line.
fn prompt(folder: &Path, server: &Server) -> Result<Terminal> {
    let mut shell = Command::new("sh");
    dress(&mut shell, &folder.join("neko"), server);
    shell.env("CLI", program("chat-cli")?).args(["-c", r#"printf '$ chat-cli\n'; exec "$CLI""#]);
    Ok(Terminal::start_sized(shell, ROWS, COLUMNS))
}

/// A user of the seed who runs commands.
struct Person<'a> {
    name: &'a str,
    folder: &'a Path,
    server: &'a Server,
}

impl Person<'_> {
    fn log_in(&self) -> Result<()> {
        self.run(&["auth", self.name], &format!("{PASSWORD}\n"))
    }

    fn send(&self, text: &str) -> Result<()> {
        self.run(&["send", "neko", text], "")
    }

    fn run(&self, arguments: &[&str], input: &str) -> Result<()> {
        let mut command = client(&self.folder.join(self.name), self.server)?;
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = command.spawn()?;
        child.stdin.take().context("its standard input")?.write_all(input.as_bytes())?;
        let status = child.wait()?;
        ensure!(status.success(), "chat-cli {arguments:?}: {status}");
        Ok(())
    }
}

/// A server on a new database; killed when this is dropped.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(folder: &Path) -> Result<Self> {
        let mut command = Command::new(program("chat-server")?);
        command.env_clear().arg("--db").arg(folder.join("chat.sqlite"));
        command.args(["--listen", "127.0.0.1:0", "--log", "warn"]).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let output = child.stdout.take().context("its standard output")?;
        let mut server = Self { child, address: String::new() };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let address = line.trim().rsplit(' ').next().context("an address")?;
        server.address = address.to_owned();
        Ok(server)
    }

    /// The default address stands for that of this server, which the system chose.
    fn replace_address(&self, text: &str) -> String {
        text.replace(&self.address, "127.0.0.1:8889")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
