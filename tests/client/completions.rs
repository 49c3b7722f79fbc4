//! Tab in real shells: it completes words with names from the server, and shows nothing else. A
//! missing shell is reported as skipped.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::Server;
use crate::support::cli;
use crate::support::cli::Home;
use crate::support::operator;
use crate::support::pty::{CTRL_L, CTRL_U, TAB, Terminal};
use crate::support::skip::is_here;

/// How soon user names should appear. The measured time is printed and decides nothing, because the
/// machine may be busy.
const PROMISED: Duration = Duration::from_millis(200);

const PROMPT: &str = "ready>";

/// A shell at its prompt, with the completions of both programs loaded.
struct Shell {
    name: &'static str,
    terminal: Terminal,
    _folder: TempDir,
}

impl Shell {
    /// Starts the shell in the environment of `home`, in a folder with the file `letter.txt` and
    /// the folder `archive`. Without that shell it returns `None` and reports the skip.
    fn start(name: &'static str, home: &Home) -> Option<Self> {
        if !is_here(name) {
            return None;
        }
        let folder = TempDir::new().expect("a temporary folder");
        fs::write(folder.path().join("letter.txt"), "hai").expect("a file");
        fs::create_dir(folder.path().join("archive")).expect("a folder");
        // The shell needs its own controlling terminal.
        let mut command = home.command("setsid");
        command.args(["--ctty", name]).env("PATH", path()).current_dir(folder.path());
        let loaded =
            |how: &str| ["chat-cli", "chat-server"].map(|it| how.replace("IT", it)).join("\n");
        match name {
            "bash" => {
                let script = loaded("source <(IT completions bash)");
                let file = folder.path().join(".start");
                fs::write(&file, format!("PS1='{PROMPT} '\n{script}\n")).expect("a file");
                command.args(["--noprofile", "--rcfile"]).arg(file).arg("-i");
            }
            "zsh" => {
                let script = loaded("source <(IT completions zsh)");
                let start = format!(
                    "PROMPT='{PROMPT} '\nunsetopt PROMPT_SP\nautoload -Uz compinit\ncompinit -D -u\n{script}\n"
                );
                fs::write(folder.path().join(".zshrc"), start).expect("a file");
                command.env("ZDOTDIR", folder.path()).args(["-d", "-i"]);
            }
            _ => {
                let script = loaded("IT completions fish | source");
                let start = format!(
                    "function fish_prompt; echo -n '{PROMPT} '; end\nset -g fish_greeting\n\
                     set -g fish_autosuggestion_enabled 0\n{script}\n"
                );
                command.args(["--no-config", "--init-command", &start, "-i"]);
            }
        }
        let mut terminal = Terminal::start(command);
        terminal.wait_for_end(PROMPT);
        Some(Self { name, terminal, _folder: folder })
    }

    /// Tab completes the typed words to this line. Returns how long that took.
    fn completes(&mut self, typed: &str, line: &str) -> Duration {
        self.begin(typed);
        let begun = Instant::now();
        self.terminal.keys(TAB);
        self.wait_for_line(line);
        begun.elapsed()
    }

    /// Tab completes the typed words to this line, however busy the machine is: names that come too
    /// late are not offered, and the person presses Tab again.
    /// Returns how long the last attempt took.
    fn completes_at_last(&mut self, typed: &str, line: &str) -> Duration {
        const TRIES_MAX: usize = 40;
        let [unchanged, wanted] = [typed, line].map(|line| format!("{PROMPT} {line}."));
        for _ in 0..TRIES_MAX {
            self.begin(typed);
            let begun = Instant::now();
            // The full stop appears only after Tab was processed.
            self.terminal.keys(format!("{TAB}."));
            let what = format!("{wanted:?} in {}", self.name);
            self.terminal.wait_until(&what, |terminal| {
                [&unchanged, &wanted].contains(&&terminal.cursor_row().trim_end().to_owned())
            });
            if self.terminal.cursor_row().trim_end() == wanted {
                return begun.elapsed();
            }
        }
        panic!("{typed:?} is not completed in {}", self.name);
    }

    /// Tab, pressed twice if the shell requires that, shows all of these.
    fn lists(&mut self, typed: &str, words: &[&str]) {
        self.begin(typed);
        self.terminal.keys(format!("{TAB}{TAB}"));
        self.terminal.wait_until(&format!("{words:?} in {}", self.name), |terminal| {
            words.iter().all(|word| terminal.screen().contains(word))
        });
    }

    /// Tab changes and shows nothing.
    fn offers_nothing(&mut self, typed: &str) {
        self.begin(typed);
        let before = self.terminal.screen();
        // The full stop appears only after Tab was processed.
        self.terminal.keys(format!("{TAB}."));
        self.wait_for_line(&format!("{}.", typed));
        assert_eq!(
            self.terminal.screen(),
            format!("{}.", with_spaces(&before, typed)),
            "{}",
            self.name
        );
    }

    /// Types on an empty screen.
    fn begin(&mut self, typed: &str) {
        self.terminal.keys(format!("{CTRL_U}{CTRL_L}"));
        let wanted = format!("{PROMPT} {typed}");
        self.terminal.wait_until("an empty screen", |terminal| terminal.screen() == PROMPT);
        self.terminal.keys(typed);
        let what = format!("{wanted:?} in {}", self.name);
        self.terminal.wait_until(&what, |terminal| terminal.screen() == wanted.trim_end());
    }

    fn wait_for_line(&mut self, line: &str) {
        let wanted = format!("{PROMPT} {line}");
        let column = wanted.chars().count();
        let what = format!("{wanted:?} in {}", self.name);
        self.terminal.wait_until(&what, |terminal| {
            usize::from(terminal.cursor_column()) == column
                && terminal.cursor_row().trim_end() == wanted.trim_end()
        });
    }
}

/// The screen ends with the typed text, including its spaces at the end.
fn with_spaces(screen: &str, typed: &str) -> String {
    let spaces = typed.len() - typed.trim_end().len();
    format!("{screen}{}", " ".repeat(spaces))
}

/// The search path of this process, with our programs first.
fn path() -> std::ffi::OsString {
    let ours = Path::new(env!("CARGO_BIN_EXE_chat-cli")).parent().expect("a folder");
    let others = std::env::var_os("PATH").unwrap_or_default();
    let folders = [ours.to_owned()].into_iter().chain(std::env::split_paths(&others));
    std::env::join_paths(folders).expect("a path")
}

/// A home that is logged in at a server with the user neko, where robo has left a message.
fn home(server: &Server) -> Home {
    let home = Home::of("paff", server.address());
    server.log_in("neko");
    let robo = Home::of("robo", server.address());
    assert_eq!(robo.run(["send", "paff", "hai"]).code, 0);
    assert_eq!(robo.run(["logout"]).code, 0);
    home
}

/// An address without a listener.
fn nowhere() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("an address")
}

/// Stores the session of one server for another too.
fn keep_session_for(other: SocketAddr, home: &Home, server: SocketAddr) {
    let session = fs::read_to_string(home.session_file()).expect("a session");
    let path = home.state().join(format!("session-{}_{}.json", other.ip(), other.port()));
    fs::copy(home.session_file(), &path).expect("a private file");
    fs::write(path, session.replace(&server.to_string(), &other.to_string())).expect("a session");
}

/// All completions, in one shell.
fn what_is_typed_is_completed(name: &'static str) {
    let server = Server::start();
    let home = home(&server);
    let configuration = home.path().join(".config/chat");
    fs::create_dir_all(&configuration).expect("a folder");
    fs::write(configuration.join("config.toml"), "[profile.work]\n[profile.home]\n")
        .expect("a file");
    let Some(mut shell) = Shell::start(name, &home) else { return };
    shell.completes("chat-cli --profile wo", "chat-cli --profile work ");
    shell.completes("chat-cli whoa", "chat-cli whoami ");
    shell.completes("chat-cli history --th", "chat-cli history --thread ");
    shell.completes("chat-cli --time rel", "chat-cli --time relative ");
    shell.completes("chat-cli --time=rel", "chat-cli --time=relative ");
    shell.completes("chat-cli send -F let", "chat-cli send -F letter.txt ");
    shell.completes("chat-cli send --file=let", "chat-cli send --file=letter.txt ");
    shell.completes("chat-server serve --ready-fi", "chat-server serve --ready-file ");
    shell.completes("chat-server --log-format js", "chat-server --log-format json ");
    shell.lists("chat-cli se", &["search", "send", "sessions"]);

    // All users.
    let took = shell.completes_at_last("chat-cli send ne", "chat-cli send neko ");
    println!("{name}: a user's name is there after {took:?}, promised within {PROMISED:?}");
    shell.completes_at_last("chat-cli send ro", "chat-cli send robo ");
    shell.completes_at_last("chat-cli send neko,ro", "chat-cli send neko,robo ");
    shell.completes_at_last(
        "chat-cli --time utc inbox --from ro",
        "chat-cli --time utc inbox --from robo ",
    );
    let line = format!("chat-cli --server {} ask ne", server.address());
    shell.completes_at_last(&line, &format!("{line}ko "));
    shell.completes_at_last("chat-cli send vanes", "chat-cli send vanessa ");
    shell.lists("chat-cli send ", &["ivy", "neko", "paff", "robo", "vanessa"]);
    let line = format!("chat-server --db {} user show van", server.database().display());
    shell.completes_at_last(&line, &format!("{line}essa "));
    shell.completes_at_last("chat-cli revoke ", "chat-cli revoke 1 ");
    // The message that paff has sent. The first one is robo's.
    assert_eq!(home.run(["send", "neko", "hai neko"]).code, 0);
    shell.completes_at_last("chat-cli edit ", "chat-cli edit 2 ");
    shell.completes_at_last("chat-cli delete ", "chat-cli delete 2 ");
    shell.offers_nothing("chat-cli edit 2 ne");
    shell.offers_nothing("chat-cli send nobod");
    shell.offers_nothing("chat-cli send neko who");
}

/// `@all` needs no quotes, and is offered where there is such a room.
fn all_is_completed(name: &'static str) {
    let server = Server::start();
    let home = home(&server);
    let Some(mut shell) = Shell::start(name, &home) else { return };
    shell.offers_nothing("chat-cli send @a");
    operator::done(&server.database(), &["room", "everybody"]);
    shell.completes_at_last("chat-cli send @a", "chat-cli send @all ");
}

#[test]
fn all_is_completed_in_bash() {
    all_is_completed("bash");
}

#[test]
fn all_is_completed_in_zsh() {
    all_is_completed("zsh");
}

#[test]
fn all_is_completed_in_fish() {
    all_is_completed("fish");
}

/// Rooms, which are quoted where they begin a word: a shell takes a `#` there for a comment.
fn rooms_are_completed(name: &'static str, typed: &str, quoted: &str) {
    let server = Server::start();
    let home = home(&server);
    for room in ["build", "on-call"] {
        assert_eq!(home.run(["room", "create", room]).code, 0);
    }
    let Some(mut shell) = Shell::start(name, &home) else { return };
    shell.completes_at_last(&format!("chat-cli send {typed}"), &format!("chat-cli send {quoted} "));
    shell.completes_at_last("chat-cli send '#bu", "chat-cli send '#build' ");
    shell.completes_at_last("chat-cli ask '#bu", "chat-cli ask '#build' ");
    shell.completes_at_last("chat-cli ask --room bu", "chat-cli ask --room build ");
    shell.completes_at_last("chat-cli room join bu", "chat-cli room join build ");
    shell.completes_at_last(
        &format!("chat-cli room join {typed}"),
        &format!("chat-cli room join {quoted} "),
    );
    shell.completes_at_last("chat-cli watch --room on", "chat-cli watch --room on-call ");
    shell.completes_at_last("chat-cli room invite build ne", "chat-cli room invite build neko ");
    shell.completes_at_last("chat-cli room set build --not", "chat-cli room set build --notify ");
    shell.completes_at_last(
        "chat-cli room set build --notify m",
        "chat-cli room set build --notify mentions ",
    );
    shell.lists("chat-cli room show ", &["build", "on-call"]);
    shell.offers_nothing("chat-cli send --room build ne");
}

#[test]
fn rooms_are_completed_with_quotes_in_bash() {
    rooms_are_completed("bash", "#bu", "'#build'");
}

#[test]
fn rooms_are_completed_with_quotes_in_zsh() {
    rooms_are_completed("zsh", "#bu", "\\#build");
}

#[test]
fn rooms_are_completed_with_quotes_in_fish() {
    // Without a quote, fish takes the word for a comment and asks for no completion.
    rooms_are_completed("fish", "\\#bu", "\\#build");
}

/// The person who types does not see why there are no names.
fn what_fails_is_not_shown(name: &'static str) {
    let server = Server::start();
    let home = home(&server);
    let Some(mut shell) = Shell::start(name, &home) else { return };
    shell.completes_at_last("chat-cli send ne", "chat-cli send neko ");
    shell.offers_nothing(&format!("chat-cli --server {} send ne", nowhere()));
    let token = home.token();
    // It accepts the connection and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address");
    keep_session_for(address, &home, server.address());
    shell.offers_nothing(&format!("chat-cli --server {address} send ne"));
    shell.offers_nothing("chat-cli --server nonsense send ne");
    shell.offers_nothing("chat-server --db nowhere/chat.sqlite user show ne");
    // A session that is over, one that cannot be read, and none.
    server.connect().done(format!("logout {token}"));
    shell.offers_nothing("chat-cli send ne");
    fs::set_permissions(home.state(), fs::Permissions::from_mode(0o755)).expect("a mode");
    shell.offers_nothing("chat-cli send ne");
    fs::remove_dir_all(home.state()).expect("removed");
    shell.offers_nothing("chat-cli send ne");
}

#[test]
fn descriptions_of_words_are_in_the_language_of_the_user() {
    let home = Home::new(nowhere());
    let [english, indonesian] = ["en", "id"].map(|language| {
        let mut command = home.cli(["completions", "fish", "--", "chat-cli", "inbox"]);
        command.env("CHAT_LANG", language);
        cli::outcome(command).stdout
    });
    assert!(english.contains("\ninbox\tShow unread messages"), "{english}");
    assert!(indonesian.contains("\ninbox\t") && english != indonesian, "{indonesian}");
}

#[test]
fn typed_words_are_completed_in_bash() {
    what_is_typed_is_completed("bash");
}

#[test]
fn typed_words_are_completed_in_zsh() {
    what_is_typed_is_completed("zsh");
}

#[test]
fn typed_words_are_completed_in_fish() {
    what_is_typed_is_completed("fish");
}

#[test]
fn failures_are_not_shown_in_bash() {
    what_fails_is_not_shown("bash");
}

#[test]
fn failures_are_not_shown_in_zsh() {
    what_fails_is_not_shown("zsh");
}

#[test]
fn failures_are_not_shown_in_fish() {
    what_fails_is_not_shown("fish");
}

/// A new user has none of the folders.
#[test]
fn page_on_installation_puts_completions_where_shells_look_for_them() {
    let page = include_str!("../../docs/install.md");
    let (_, block) = page.split_once("\n```sh\nmkdir -p ").expect("the block");
    let (block, _) = block.split_once("\n```\n").expect("its end");
    let home = tempfile::TempDir::new().expect("a home");
    let mut command = std::process::Command::new("sh");
    command.env_clear().env("HOME", home.path()).env("PATH", path());
    command.args(["-e", "-c", &format!("mkdir -p {block}")]);
    let outcome = cli::outcome(command);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
    for file in [
        ".local/share/bash-completion/completions/chat-cli",
        ".zsh/completions/_chat-cli",
        ".config/fish/completions/chat-cli.fish",
    ] {
        let script = std::fs::read_to_string(home.path().join(file)).expect(file);
        assert!(script.contains("chat-cli"), "{file}");
    }
}
