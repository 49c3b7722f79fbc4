//! Follows a recipe of the documentation: its files, its commands and their output, in the homes of
//! its users, against a separate server.
//!
//! The words after a fence mean: `recipe=NAME` its recipe; `file=PATH` a file in the home;
//! `as=USER` commands of that user; a block of `text` is the output of the commands before it;
//! `shown` a block that is not run.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

use super::Server;
use super::cli::{Home, Outcome, outcome};
use super::page::{Block, Names, blocks, fits};

/// Not a user of the server, but may read and write its database.
pub const OPERATOR: &str = "operator";

/// Has another machine, with a database there.
pub const SUCCESSOR: &str = "successor";

/// A test for each recipe of `PAGE`, and the list of them, `TESTED`. The programs in brackets must
/// be installed.
#[allow(unused_macros, reason = "not every test program follows recipes")]
macro_rules! recipes {
    ($($name:ident [$($program:literal)*])*) => {
        mod follow {
            $(#[test]
            fn $name() {
                let programs: &[&str] = &[$($program),*];
                if programs.iter().all(|program| crate::support::skip::is_here(program)) {
                    let blocks = crate::support::page::blocks(super::PAGE);
                    let mut recipe = crate::support::recipe::Recipe::new(stringify!($name), &blocks);
                    super::$name(&mut recipe);
                    recipe.finish();
                }
            })*
        }

        /// The tested recipes, and the programs that they need.
        const TESTED: &[(&str, &[&str])] = &[$((stringify!($name), &[$($program),*])),*];
    };
}

/// Every recipe of the page has a test, every test a recipe, and every block belongs to one, unless
/// it is only `shown`.
pub fn assert_all_are_tested(page: &str, tested: &[(&str, &[&str])]) {
    let blocks = blocks(page);
    let mut on_the_page = BTreeSet::new();
    for block in blocks.iter().filter(|block| block.attribute("shown").is_none()) {
        let name = block.attribute("recipe");
        on_the_page.insert(name.unwrap_or_else(|| panic!("line {}: no recipe", block.line)));
    }
    let tested: BTreeSet<_> = tested.iter().map(|(name, _)| *name).collect();
    assert_eq!(on_the_page, tested, "left: the recipes of the page; right: the tests");
}

/// A recipe that is being followed.
pub struct Recipe {
    /// The server of its commands.
    pub server: Server,
    homes: BTreeMap<String, Home>,
    /// The remaining blocks.
    left: VecDeque<Block>,
    /// The latest block of commands.
    last: Option<Block>,
    names: Names,
    environment: BTreeMap<String, String>,
}

impl Recipe {
    /// The recipe `name` of a page: a server, and for each of its users a home with the user's
    /// session and files.
    pub fn new(name: &str, blocks: &[Block]) -> Self {
        let server = Server::start();
        let own = blocks.iter().filter(|block| block.attribute("recipe") == Some(name));
        let own: Vec<Block> = own.cloned().collect();
        let mut homes = BTreeMap::new();
        for user in own.iter().filter_map(|block| block.attribute("as")) {
            let new = || match user {
                OPERATOR | SUCCESSOR => Home::new(server.address()),
                user => Home::of(user, server.address()),
            };
            homes.entry(user.to_owned()).or_insert_with(new);
        }
        let (files, left): (Vec<Block>, Vec<Block>) =
            own.into_iter().partition(|block| block.attribute("file").is_some());
        let recipe = Self {
            server,
            homes,
            left: left.into(),
            last: None,
            names: Names::new(),
            environment: BTreeMap::new(),
        };
        for file in &files {
            let path = file.attribute("file").expect("a file");
            let heading = format!("`~/{path}`:");
            assert_eq!(file.before, heading, "line {}: the file is named above it", file.line);
            for user in recipe.homes.keys() {
                recipe.put(user, path, &file.text);
            }
        }
        recipe
    }

    /// The home of a user of the recipe.
    pub fn home(&self, user: &str) -> &Home {
        self.homes.get(user).unwrap_or_else(|| panic!("{user} has no part in the recipe"))
    }

    /// Creates a home and a session for a user who is not in the recipe.
    pub fn log_in(&mut self, user: &str) {
        let home = Home::of(user, self.server.address());
        self.homes.insert(user.to_owned(), home);
    }

    /// Writes an executable file into the home of a user.
    pub fn put(&self, user: &str, path: &str, text: &str) {
        let path = self.home(user).path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder is made");
        std::fs::write(&path, text).expect("the file is written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    }

    /// Sets an environment variable for all later commands.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// Runs a script of the test in the home of a user.
    pub fn sh(&self, user: &str, script: &str) -> Outcome {
        outcome(self.command(user, script))
    }

    /// [`Self::sh`], which must succeed; returns its output.
    pub fn done(&self, user: &str, script: &str) -> String {
        let outcome = self.sh(user, script);
        assert_eq!(outcome.code, 0, "{script}: {outcome:?}");
        outcome.stdout
    }

    /// Waits for the next message for a user, and returns its text.
    pub fn next_message(&self, user: &str) -> String {
        let wait = "chat-cli watch --as test --since all --raw -n 1 --timeout 60s";
        self.done(user, wait).trim_end().to_owned()
    }

    /// The number of messages that a user has received.
    pub fn count(&self, user: &str) -> usize {
        let sql = format!("select count(*) from v1_messages where recipient = '{user}'");
        self.server.query(&sql)[0].parse().expect("a number")
    }

    /// Runs the next block of commands to its end: it succeeds, and prints the text on the page.
    pub fn run(&mut self) {
        self.run_failing(0);
    }

    /// [`Self::run`], with another exit code.
    pub fn run_failing(&mut self, code: i32) {
        let block = self.take_commands();
        let expected = self.take_text();
        let printed = self.run_again(code);
        if let Some(expected) = expected {
            let (line, expected) = (expected.line, without_trailing_space(&expected.text));
            let printed = without_trailing_space(&printed);
            assert!(
                fits(&expected, &printed, &mut self.names),
                "line {line} says\n{expected}\nand it is\n{printed}"
            );
        } else {
            println!("line {} prints\n{printed}", block.line);
        }
    }

    /// Runs the latest block of commands once more, and returns both outputs.
    pub fn run_again(&self, code: i32) -> String {
        let block = self.last.as_ref().expect("a block was run");
        let outcome = outcome(self.command_of(block));
        assert_eq!(outcome.code, code, "line {}: {outcome:?}", block.line);
        outcome.stdout
    }

    /// Starts the next block of commands, which runs until it is stopped.
    pub fn start(&mut self) -> Running {
        let block = self.take_commands();
        Running::start(self.command_of(&block))
    }

    /// Starts the latest block of commands once more.
    pub fn start_again(&self) -> Running {
        Running::start(self.command_of(self.last.as_ref().expect("a block was run")))
    }

    /// The next output on the page, for tests that compare it themselves.
    pub fn text(&mut self) -> String {
        self.take_text().expect("a block of text is next").text
    }

    /// The text that a name in angle brackets stood for.
    pub fn name(&self, name: &str) -> &str {
        self.names.get(name).unwrap_or_else(|| panic!("nothing was printed for <{name}>"))
    }

    /// Stops the server, and moves its database away.
    pub fn begin_anew(&mut self) {
        self.server.stop();
        for suffix in ["", ".lock"] {
            let path = format!("{}{suffix}", self.server.database().display());
            std::fs::remove_file(path).expect("a file of the server");
        }
        let left = std::fs::read_dir(self.server.folder()).expect("a folder").count();
        assert_eq!(left, 0, "nothing is left of the database");
    }

    /// Does not follow the rest of the recipe, where something that it needs is not installed.
    pub fn leave_out(&mut self) {
        self.left.clear();
    }

    /// Asserts that every block of this recipe was used.
    pub fn finish(self) {
        assert!(self.left.is_empty(), "the test has left out {:?}", self.left);
    }

    fn take_commands(&mut self) -> Block {
        let block = self.left.pop_front().expect("one more block");
        assert!(block.attribute("as").is_some(), "line {} is run by nobody", block.line);
        self.last = Some(block.clone());
        block
    }

    fn take_text(&mut self) -> Option<Block> {
        self.left.pop_front_if(|block| block.language == "text")
    }

    /// The commands of a block, with both outputs in one.
    fn command_of(&self, block: &Block) -> Command {
        let user = block.attribute("as").expect("a user");
        let script = match block.language.as_str() {
            "sh" => block.text.clone(),
            "crontab" => command_of_crontab(&block.text),
            other => panic!("line {}: nothing runs {other}", block.line),
        };
        self.command(user, &format!("exec 2>&1\n{script}"))
    }

    fn command(&self, user: &str, script: &str) -> Command {
        let home = self.home(user);
        let mut command = home.sh(script);
        let binaries = Path::new(env!("CARGO_BIN_EXE_chat-cli")).parent().expect("a folder");
        let others = std::env::var_os("PATH").unwrap_or_default();
        let folders = [home.path().join("bin"), binaries.to_owned()];
        let path = std::env::join_paths(folders.into_iter().chain(std::env::split_paths(&others)));
        let database = match user {
            SUCCESSOR => home.path().join("chat.sqlite"),
            _ => self.server.database(),
        };
        command.env("PATH", path.expect("a path")).env("CHAT_SERVER_DB", database);
        command.current_dir(home.path()).envs(&self.environment);
        command
    }
}

fn without_trailing_space(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The command of a crontab line.
fn command_of_crontab(line: &str) -> String {
    assert!(!line.contains('%'), "cron reads a % as the end of a line");
    assert_eq!(line.lines().count(), 1, "one line");
    let mut rest = line.trim_end();
    for _ in 0..5 {
        let (field, others) = rest.split_once(' ').expect("five fields and a command");
        assert!(field.chars().all(|c| "0123456789*/-,".contains(c)), "{field} is a time");
        rest = others;
    }
    rest.to_owned()
}

/// A running block of commands. It is killed, with all its processes, when this is dropped.
pub struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the commands start");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        Self { child, output }
    }

    /// Its next line, on either output.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a line");
        assert!(!line.is_empty(), "it has ended");
        line
    }

    /// Waits for its end; returns the exit code and the unread output.
    pub fn end(mut self) -> (i32, String) {
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut self.output, &mut rest).expect("its output");
        let status = self.child.wait().expect("it has ended");
        (status.code().expect("an exit code"), rest)
    }

    /// Stops it, and waits for its end.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}
