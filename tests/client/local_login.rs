//! `chat-cli` without a password and without a stored session, over this machine's socket; and how
//! it finds that socket.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::geteuid;
use tempfile::TempDir;

use crate::support::cli::{Home, Outcome, outcome};
use crate::support::pty::Terminal;
use crate::support::skip::{is_here, skip};
use crate::support::{Server, operator};

/// A server that takes this process's user for neko, and a home without a login.
struct Host {
    server: Server,
    folder: TempDir,
    home: Home,
}

impl Host {
    fn start() -> Self {
        let entry = format!("uid {}=neko", geteuid().as_raw());
        Self::start_with(&["--unix-user-map", &entry])
    }

    fn start_with(options: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let listen = format!("unix:{}", folder.path().join("chat.sock").display());
        let mut all = vec!["--listen", listen.as_str()];
        all.extend(options);
        let server = Server::start_with(&all);
        let home = Home::new(server.address());
        Self { server, folder, home }
    }

    fn address(&self) -> String {
        format!("unix:{}", self.folder.path().join("chat.sock").display())
    }

    fn cli(&self, words: &[&str]) -> Command {
        let mut command = self.home.cli(words);
        command.env("CHAT_SERVER", self.address());
        command
    }

    fn run(&self, words: &[&str]) -> Outcome {
        outcome(self.cli(words))
    }

    fn sessions(&self) -> usize {
        self.server.query("SELECT id FROM sessions").len()
    }
}

#[test]
fn commands_need_no_session_and_leave_none() {
    let host = Host::start();
    let paff = Home::of("paff", host.server.address());
    let before = host.sessions();
    assert_eq!(host.run(&["whoami"]).stdout, "neko (Neko UwU)\n");
    assert_eq!(host.run(&["send", "paff", "hai"]).code, 0);
    assert_eq!(paff.run(["inbox"]).stdout, "{\"neko\": [{\"msg\": \"hai\"}]}\n");
    assert_eq!(paff.run(["send", "neko", "hai hai"]).code, 0);
    assert_eq!(host.run(&["watch", "--since", "all", "-n", "1", "--raw"]).stdout, "hai hai\n");
    assert_eq!(host.run(&["unread"]).code, 0);
    // A refused command leaves no session either.
    assert_eq!(host.run(&["send", "nosuchuser", "hai"]).code, 67);
    assert_eq!(host.run(&["history", "paff"]).code, 0);
    assert_eq!(host.sessions(), before);
    assert!(!host.home.state().exists(), "something was stored");
    assert_eq!(host.run(&["logout"]).code, 77, "there is nothing to end");
}

#[test]
fn process_without_a_home_can_send() {
    let host = Host::start();
    let mut command = host.cli(&["send", "paff", "from a service"]);
    command.env_remove("HOME").env_remove("XDG_STATE_HOME");
    let outcome = outcome(command);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
}

#[test]
fn stored_session_and_token_come_before_the_kernel() {
    let host = Host::start();
    assert_eq!(host.run(&["auth", "paff", "cytus"]).code, 0);
    assert_eq!(host.run(&["whoami"]).stdout, "paff (Paff Aroma)\n");
    let mut command = host.cli(&["whoami"]);
    command.env("CHAT_TOKEN", host.server.log_in("ivy"));
    assert_eq!(outcome(command).stdout, "ivy (Ivy)\n");
    assert_eq!(host.run(&["logout"]).code, 0);
    assert_eq!(host.run(&["whoami"]).stdout, "neko (Neko UwU)\n");
}

#[test]
fn user_that_is_set_has_to_be_the_one_that_the_kernel_names() {
    let host = Host::start();
    assert_eq!(host.run(&["--user", "neko", "whoami"]).stdout, "neko (Neko UwU)\n");
    let outcome = host.run(&["--user", "paff", "send", "ivy", "hai"]);
    assert_eq!(outcome.code, 77, "{outcome:?}");
    let problem = "error: the server knows you as neko, and the user is set to paff\n";
    assert!(outcome.stderr.starts_with(problem), "{outcome:?}");
    assert!(outcome.stderr.contains("hint: leave out --user"), "{outcome:?}");
    assert_eq!(host.sessions(), 0);
    assert!(host.server.query("SELECT id FROM messages").is_empty());
}

#[test]
fn user_whom_the_server_does_not_log_in_is_told_why() {
    let host = Host::start();
    operator::done(&host.server.database(), &["user", "disable", "neko"]);
    let outcome = host.run(&["send", "paff", "hai"]);
    assert_eq!(outcome.code, 77, "{outcome:?}");
    assert!(outcome.stderr.contains("is neko, who is disabled\n"), "{outcome:?}");
    assert!(outcome.stderr.contains("hint: log in with"), "{outcome:?}");
    let json = host.run(&["--json", "send", "paff", "hai"]);
    assert!(json.stderr.contains("\"code\": \"not_logged_in\""), "{json:?}");
    // Without the option it is as before.
    let host = Host::start_with(&[]);
    let outcome = host.run(&["send", "paff", "hai"]);
    let told = "Error, not authorized\nhint: log in with `chat-cli auth USER`\n";
    assert_eq!((outcome.code, outcome.stderr.as_str()), (77, told));
}

#[test]
fn prompt_begins_logged_in_and_leaves_no_session() {
    let host = Host::start();
    let mut terminal = Terminal::start(host.cli(&[]));
    terminal.wait_for_end("Command neko:");
    assert!(!terminal.screen().contains("note:"), "{}", terminal.screen());
    terminal.line("send paff hai");
    terminal.wait_for("message sent to paff");
    terminal.line("quit");
    assert!(terminal.wait().success());
    assert_eq!(host.sessions(), 0);
}

/// Runs a shell script in a mount namespace with an empty `/run`, and a network of its own. `$CLI`
/// and `$SERVER` are the programs; `$T` is a folder for the script.
fn with_empty_run(script: &str) -> Option<Outcome> {
    if !["unshare", "setpriv", "ip", "nc"].into_iter().all(is_here) {
        return None;
    }
    if !geteuid().is_root() {
        skip("root", "run as root");
        return None;
    }
    let folder = TempDir::new().expect("a temporary folder");
    let copy = |program: &str, name: &str| -> PathBuf {
        let copied = folder.path().join(name);
        fs::copy(program, &copied).expect("a copy");
        copied
    };
    let cli = copy(env!("CARGO_BIN_EXE_chat-cli"), "chat-cli");
    let server = copy(env!("CARGO_BIN_EXE_chat-server"), "chat-server");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("a mode");
    let begin = "set -eu\nmount -t tmpfs none /run\nmkdir /run/chat\n";
    let functions = r#"
serve() {
    rm -f "$T/ready"
    "$SERVER" --db "$T/chat.sqlite" --log error --listen "unix:$SOCKET" --ready-file "$T/ready" \
        --unix-user-map root=neko "$@" >/dev/null &
    server=$!
    trap 'kill -9 $server 2>/dev/null || true' EXIT
    while [ ! -e "$T/ready" ]; do sleep 0.02; done
}
as_daemon() { setpriv --reuid 1 --regid 1 --clear-groups "$@"; }
code() { set +e; "$@"; echo "code $?"; set -e; }
SOCKET=/run/chat/chat.sock
"#;
    let mut command = Command::new("unshare");
    command.args(["-m", "-n", "sh", "-c", &format!("{begin}{functions}{script}")]);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.env("CLI", cli).env("SERVER", server).env("T", folder.path());
    command.env("HOME", folder.path()).env("CHAT_SERVER_CONFIG", "/dev/null");
    Some(outcome(command))
}

#[test]
fn socket_of_the_machine_is_found_where_no_server_is_named() {
    let Some(outcome) = with_empty_run(
        r#"
serve
$CLI send neko hi
$CLI inbox
$CLI config show | grep ^server
# The option, the environment and the profile come first.
code $CLI --server 127.0.0.1:1 whoami
CHAT_SERVER=127.0.0.1:2 code $CLI whoami
mkdir -p "$T/.config/chat"
echo 'server = "127.0.0.1:3"' >"$T/.config/chat/config.toml"
code $CLI whoami
"#,
    ) else {
        return;
    };
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let expected = "message sent to neko\n{\"neko\": [{\"msg\": \"hi\"}]}\n\
        server = \"unix:/run/chat/chat.sock\"  # default\ncode 69\ncode 69\ncode 69\n";
    assert_eq!(outcome.stdout, expected, "{outcome:?}");
    for address in ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"] {
        assert!(outcome.stderr.contains(&format!("cannot reach {address}: ")), "{outcome:?}");
    }
}

#[test]
fn stale_socket_is_an_error_and_a_missing_or_closed_one_is_not_used() {
    let Some(outcome) = with_empty_run(
        r#"
code $CLI whoami
touch $SOCKET
code $CLI whoami
rm $SOCKET
serve --unix-mode 600
HOME=/ code as_daemon $CLI whoami
kill -9 $server
wait $server || true
test -S $SOCKET
code $CLI send neko hi
serve
code $CLI whoami
"#,
    ) else {
        return;
    };
    assert_eq!(outcome.stdout, "code 69\ncode 69\ncode 69\ncode 69\nneko (Neko UwU)\ncode 0\n");
    let problems: Vec<&str> =
        outcome.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    let default = "error: cannot reach 127.0.0.1:8889: ";
    let stale = "error: cannot reach unix:/run/chat/chat.sock: ";
    assert_eq!(problems.len(), 4, "{outcome:?}");
    for (problem, begin) in problems.into_iter().zip([default, default, default, stale]) {
        assert!(problem.starts_with(begin), "{problem:?} does not begin with {begin:?}");
    }
}

#[test]
fn session_that_was_stored_for_the_default_address_is_used_on() {
    let Some(outcome) = with_empty_run(
        r#"
ip link set lo up
serve --listen 127.0.0.1:8889
$CLI whoami
$CLI --server 127.0.0.1:8889 auth paff cytus >/dev/null
$CLI whoami
$CLI --user ivy whoami || true
CHAT_TOKEN=$(printf 'auth vanessa cytus\r\n' | nc -N 127.0.0.1 8889 | sed 's/.*"tokenid": "//; s/".*//' | head -1) \
    $CLI config show | grep ^server
$CLI --server 127.0.0.1:8889 logout >/dev/null
$CLI whoami
"#,
    ) else {
        return;
    };
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let expected = "neko (Neko UwU)\npaff (Paff Aroma)\n\
        server = \"127.0.0.1:8889\"  # default\nneko (Neko UwU)\n";
    assert_eq!(outcome.stdout, expected, "{outcome:?}");
    let another = "error: the server knows you as neko, and the user is set to ivy\n";
    assert!(outcome.stderr.starts_with(another), "{outcome:?}");
}
