//! `chat-cli`: one-shot commands for scripts, and a prompt for people.
//!
//! The path of a one-shot command: [`arguments`] → one function of [`command`] → [`session`] (which
//! token) → [`verbs`] → [`link`] → [`connection`] → [`render`] → standard output. The prompt
//! ([`prompt`]) reads lines instead of arguments and shares the path from [`verbs`] on.
//!
//! Results go to standard output and everything else to standard error. The exit code says how the
//! command ended ([`exit`]). This module knows the protocol, but neither the server nor its
//! storage.

pub mod address;
pub mod arguments;
pub mod command;
pub mod connection;
pub mod delivery;
pub mod dial;
pub mod exit;
pub mod failure;
pub mod frames;
pub mod join_link;
pub mod known_servers;
pub mod link;
pub mod local_login;
pub mod open_questions;
pub mod password;
pub mod prompt;
pub mod question;
pub mod render;
pub mod retry;
pub mod servers;
pub mod session;
pub mod settings;
pub mod state_folder;
pub mod stream;
pub mod trust;
pub mod verbs;
pub mod xdg_folder;

use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::time::Instant;

use clap::CommandFactory;

use arguments::{Arguments, Command, ConfigCommand};
use exit::{Ending, Exit};
use failure::Failure;
use join_link::JoinLink;
use link::Link;
use render::View;
use settings::Settings;

use crate::catalogue::{self, Language, client as texts, command_line, shared};
use crate::terminal;

/// Runs the command line and returns how it ended. It never panics, whatever standard input
/// contains and even if standard output or standard error is closed.
pub fn run(words: impl IntoIterator<Item = OsString>) -> Ending {
    let words: Vec<OsString> = words.into_iter().collect();
    let of_environment = Language::of_environment();
    catalogue::set_language(Language::named_in(&words).unwrap_or(of_environment));
    let arguments = match Arguments::read(&words).and_then(Arguments::checked) {
        Ok(arguments) => arguments,
        Err(error) => {
            let help = catalogue::client_help::HELP;
            let hint = arguments::hint(&error, &words);
            let error = command_line::in_language(error, Arguments::command(), help, &words);
            let is_json = words.iter().any(|word| word == "--json");
            return print_message(&error, hint, is_json).into();
        }
    };
    // The word `--lang` may have been part of a message's text.
    catalogue::set_language(arguments.lang.unwrap_or(of_environment));
    let is_json = arguments.json;
    // An inbox has many lines, so standard output is not flushed at every line.
    let mut out = BufWriter::new(io::stdout().lock());
    let done = read_settings(&arguments).and_then(|settings| {
        // The profile's language counts if neither the command line nor the environment names one.
        settings.lang.into_iter().for_each(catalogue::set_language);
        dispatch(arguments, settings, &words, &mut out)
    });
    let done = done.and_then(|ending| {
        out.flush()?;
        Ok(ending)
    });
    match done {
        Ok(ending) => ending,
        Err(failure) => {
            // The results come before the error, as they did in time.
            let _ = out.flush();
            if is_json {
                failure.report_json(&mut io::stderr());
            } else {
                failure.report(&mut io::stderr());
            }
            failure.exit().into()
        }
    }
}

/// The settings, merged from all layers. Commands that need neither a server nor a session do not
/// read the file, so they work while it contains a mistake.
fn read_settings(arguments: &Arguments) -> Result<Settings, Failure> {
    match &arguments.command {
        Some(Command::Completions(_)) => Ok(Settings::default()),
        Some(Command::Config(config)) if !matches!(config.command, ConfigCommand::Show) => {
            Ok(Settings::of_command_line(arguments))
        }
        _ => Settings::of(arguments),
    }
}

fn dispatch(
    mut arguments: Arguments,
    settings: Settings,
    words: &[OsString],
    out: &mut dyn Write,
) -> Result<Ending, Failure> {
    let view = View { is_json: arguments.json, clock: settings.time };
    // The command decides how long it runs. `settings.timeout` is how long it waits for the server,
    // which the configuration file can also set.
    let timeout = arguments.timeout;
    // This also applies to the classic session and to the prompt, which have no command.
    if arguments.command.as_ref().is_none_or(Command::shows_messages) && !terminal::is_output_open()
    {
        return Err(
            Failure::new(Exit::LocalFile, texts::output_not_open()).with_hint(texts::open_output())
        );
    }
    let mut settings = settings;
    if let Some(Command::Join(join)) = &mut arguments.command
        && settings.server.is_none()
    {
        settings.server = JoinLink::parse(&join.link).ok().and_then(|link| link.server);
        join.is_elsewhere = settings.server.is_some();
    }
    let is_bell_on = settings.is_bell_on();
    let mut link = Link::new(settings.dialer(), settings.timeout()).acting_as(settings.user);
    let Some(command) = arguments.command.take() else {
        return prompt::run(&arguments.prompt, is_bell_on, link, out).map(|()| Exit::Done.into());
    };
    let link = &mut link;
    let done = match command {
        Command::Auth(arguments) => command::auth::run(&arguments, view, link, out),
        Command::Join(arguments) => command::join::run(&arguments, view, link, out),
        Command::Send(arguments) if arguments.done => {
            let done = command::send::done::run(&arguments, view, link);
            return end(done.map(Ending::OfCommand), link);
        }
        Command::Send(arguments) => command::send::run(arguments, view, link, out),
        Command::Reply(arguments) => command::reply::run(arguments, view, link, out),
        Command::Edit(arguments) => command::change::edit(arguments, view, link, out),
        Command::Delete(arguments) => command::change::delete(&arguments, view, link, out),
        Command::Inbox(arguments) => command::inbox::run(arguments, view, link, out),
        Command::History(arguments) => command::history::run(&arguments, view, link, out),
        Command::Search(arguments) => command::search::run(&arguments, view, link, out),
        Command::Conversations(arguments) => {
            command::conversations::run(&arguments, view, link, out)
        }
        Command::Receipts(arguments) => command::receipts::run(&arguments, view, link, out),
        Command::Unread => command::unread::run(view, link, out),
        Command::Ack(arguments) => command::ack::run(&arguments, view, link, out),
        Command::Watch(arguments) => command::watch::run(&arguments, timeout, view, link, out),
        Command::Ask(arguments) => {
            let done = command::ask::run(arguments, timeout, view, link, out);
            return end(done, link);
        }
        Command::Scheduled(arguments) => command::scheduled::run(&arguments, view, link, out),
        Command::Expect(arguments) => command::expect::run(arguments, view, link, out),
        Command::Report(arguments) => command::report::run(&arguments, view, link, out),
        Command::Mcp => command::mcp::run(link, out),
        Command::List => command::list::run(view, link, out),
        Command::Users => command::users::run(view, link, out),
        Command::Room(arguments) => command::room::run(arguments, view, link, out),
        Command::Who => command::who::run(view, link, out),
        Command::Status(arguments) => command::status::run(&arguments, view, link, out),
        Command::Block(arguments) => command::block::run(arguments.user, view, link, out),
        Command::Unblock(arguments) => command::block::end(arguments.user, view, link, out),
        Command::Whoami => command::whoami::run(view, link, out),
        Command::Passwd => command::passwd::run(view, link, out),
        Command::Sessions => command::sessions::run(view, link, out),
        Command::Revoke(arguments) => command::revoke::run(&arguments, view, link, out),
        Command::Token(arguments) => command::token::run(arguments, view, link, out),
        Command::Logout => command::logout::run(view, link, out),
        Command::Trust(arguments) => {
            command::trust::run(&arguments, settings.tls_ca.as_deref(), view, link, out)
        }
        Command::Config(config) => {
            command::config::run(&config.command, &arguments, words, view, link, out)
        }
        Command::Completions(arguments) => command::completions::run(&arguments, out),
    };
    end(done.map(Ending::Own), link)
}

fn end(done: Result<Ending, Failure>, link: &mut Link) -> Result<Ending, Failure> {
    local_login::end(link);
    match done {
        Err(Failure::NotLoggedIn) => Err(why_not_logged_in(link)),
        done => done,
    }
}

/// If no server is there, the failure says so, because logging in would not help.
fn why_not_logged_in(link: &Link) -> Failure {
    let deadline = Instant::now() + link.timeout();
    link.dialer().dial(deadline).err().unwrap_or(Failure::NotLoggedIn)
}

/// Prints a mistake in the command line, or the help or version, which are results.
fn print_message(error: &clap::Error, hint: Option<&str>, is_json: bool) -> Exit {
    if error.use_stderr() && is_json {
        let failure = Failure::new(Exit::Usage, command_line::one_line(error));
        let failure = match hint {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        };
        failure.report_json(&mut io::stderr());
        return Exit::Usage;
    }
    let printed = error.print();
    if let Some(hint) = hint {
        let _ = writeln!(io::stderr(), "\n{}", shared::hint(hint));
    }
    match (error.use_stderr(), printed) {
        (true, _) => Exit::Usage,
        (false, Ok(())) => Exit::Done,
        (false, Err(error)) => Failure::from(error).exit(),
    }
}
