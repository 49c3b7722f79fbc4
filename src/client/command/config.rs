//! `chat-cli config init|show|path`

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use crate::catalogue::configuration;
use crate::client::arguments::{Arguments, AuthArguments, ConfigCommand, SERVER_DEFAULT};
use crate::client::dial::Dialer;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::{View, object};
use crate::client::servers::Servers;
use crate::client::settings;
use crate::configuration::{Value, setting};
use crate::model::UserName;
use crate::protocol::command::Request;
use crate::terminal::{is_prompted, question, text};

/// Runs a subcommand. `words` are the words that `arguments` were parsed from.
pub fn run(
    command: &ConfigCommand,
    arguments: &Arguments,
    words: &[OsString],
    view: View,
    link: &Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Init(init) => return begin(init.force, arguments, view, link, out),
        ConfigCommand::Show => {
            let settings = settings::sources(arguments, words)?;
            if view.is_json {
                for setting in settings {
                    writeln!(out, "{}", object::line(&setting))?;
                }
            } else {
                for line in setting::lines(&settings) {
                    writeln!(out, "{}", text::visible(&line))?;
                }
            }
        }
        ConfigCommand::Path => {
            let path = settings::path()?;
            if view.is_json {
                writeln!(out, "{}", object::line(&json!({"path": path, "exists": path.exists()})))?;
            } else {
                writeln!(out, "{}", text::visible(&path.display().to_string()))?;
            }
        }
    }
    Ok(Exit::Done)
}

/// Writes the file, or adds a profile to it. Existing content is never lost.
fn begin(
    force: bool,
    arguments: &Arguments,
    view: View,
    link: &Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let path = settings::path()?;
    let profile = arguments.profile.as_deref().filter(|name| !name.is_empty());
    let old = kept(&path, profile, force)?;
    let is_asked = is_prompted();
    let server = server(arguments, link.timeout(), is_asked)?;
    let user = user(arguments, is_asked)?;
    let section = section(profile, &server, arguments.tls_ca.as_deref(), user.as_ref());
    let (header, footer) = (configuration::file_header(), configuration::file_footer());
    let text = match (&old, profile) {
        (Some(old), _) => format!("{}\n\n{section}", old.trim_end()),
        (None, Some(_)) => format!("{header}{footer}\n{section}"),
        (None, None) => format!("{header}\n{section}{footer}{}", configuration::file_profile()),
    };
    write(&path, &text)?;
    let shown = path.display().to_string();
    if view.is_json {
        writeln!(out, "{}", object::line(&json!({"path": path, "profile": profile})))?;
    } else {
        writeln!(out, "{}", configuration::configuration_written(text::visible(&shown)))?;
    }
    out.flush()?;
    match user {
        Some(user) if is_asked && yes(&configuration::log_in_now(&user), true)? => {
            let dialer = Dialer::new(server, arguments.tls_ca.clone());
            let mut link = Link::new(dialer, link.timeout()).acting_as(Some(user));
            super::auth::run(&AuthArguments { user: None, password: None }, view, &mut link, out)
        }
        _ => Ok(Exit::Done),
    }
}

/// The existing content to keep; `None` if there is no file or it is to be replaced.
fn kept(path: &Path, profile: Option<&str>, force: bool) -> Result<Option<String>, Failure> {
    let shown = path.display();
    if let Some(name) = profile
        && !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    {
        let message = configuration::no_profile_name(format_args!("{name:?}"));
        return Err(Failure::new(Exit::Usage, message));
    }
    if force {
        return Ok(None);
    }
    let Some(profiles) = settings::profiles(path)? else { return Ok(None) };
    let there = |message: String| Failure::new(Exit::LocalFile, message);
    match profile {
        None => Err(there(configuration::configuration_is_there(shown))
            .with_hint(configuration::edit_configuration())),
        Some(name) if profiles.iter().any(|known| known == name) => {
            Err(there(configuration::profile_is_there(shown, name))
                .with_hint(configuration::edit_profile()))
        }
        Some(_) => match fs::read_to_string(path) {
            Ok(text) => Ok(Some(text)),
            Err(error) => Err(there(configuration::cannot_read(shown, error))),
        },
    }
}

fn section(
    profile: Option<&str>,
    servers: &Servers,
    tls_ca: Option<&Path>,
    user: Option<&UserName>,
) -> String {
    let begin = profile.map(|name| format!("[profile.{name}]\n")).unwrap_or_default();
    let server = Value::Text(servers.to_string());
    // The file may be read from another folder than the current one.
    let tls_ca = tls_ca.and_then(|path| std::path::absolute(path).ok()).map(|path| {
        let path = Value::Text(path.display().to_string());
        format!("tls-ca = {path}\n")
    });
    let tls_ca = tls_ca.unwrap_or_default();
    let user = match user {
        Some(user) => format!("user = {}", Value::Text(user.to_string())),
        None => "#user = \"name\"".to_owned(),
    };
    let (of_server, of_user) = (configuration::file_server(), configuration::file_user());
    format!("{begin}{of_server}\nserver = {server}\n{tls_ca}\n{of_user}\n{user}\n")
}

/// The server's address: from the options, else from the person, until a server answers or the
/// person keeps the address anyway.
fn server(arguments: &Arguments, timeout: Duration, is_asked: bool) -> Result<Servers, Failure> {
    let mut given = arguments.server.clone();
    loop {
        let server = match given.take() {
            Some(server) => server,
            None if is_asked => {
                match answer(configuration::where_is_the_server(), SERVER_DEFAULT)?.parse() {
                    Ok(server) => server,
                    Err(error) => {
                        note(&format!("{error}"));
                        continue;
                    }
                }
            }
            None => Servers::local(),
        };
        let dialer = Dialer::new(server.clone(), arguments.tls_ca.clone());
        let tried = Link::new(dialer, timeout).call(&Request::Hello);
        let Err(failure) = tried else {
            note(&configuration::server_answers(&server));
            return Ok(server);
        };
        note(&format!("{failure}"));
        if !is_asked || yes(configuration::write_anyway(), false)? {
            return Ok(server);
        }
    }
}

fn user(arguments: &Arguments, is_asked: bool) -> Result<Option<UserName>, Failure> {
    if arguments.user.is_some() || !is_asked {
        return Ok(arguments.user.clone());
    }
    loop {
        let name = answer(configuration::who_are_you(), "")?;
        if name.is_empty() {
            return Ok(None);
        }
        match name.parse() {
            Ok(user) => return Ok(Some(user)),
            Err(error) => note(&format!("{name:?}: {error}")),
        }
    }
}

fn yes(question: &str, default: bool) -> Result<bool, Failure> {
    question::ask_yes(question, default).map_err(unreadable)?.ok_or(Failure::Interrupted)
}

/// A line from the terminal; `default` if it is empty. The end of the input counts as an
/// interruption.
fn answer(question: &str, default: &str) -> Result<String, Failure> {
    question::ask(question, default).map_err(unreadable)?.ok_or(Failure::Interrupted)
}

fn unreadable(error: io::Error) -> Failure {
    Failure::new(Exit::LocalFile, configuration::cannot_read("stdin", error))
}

fn note(what: &str) {
    let _ = writeln!(io::stderr(), "{}", text::visible(what));
}

/// Replaces the file atomically. It follows a link, because many users keep such files elsewhere.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let trouble = |error: io::Error| {
        Failure::new(Exit::LocalFile, configuration::cannot_write(path.display(), error))
    };
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(trouble)?;
    }
    let mut draft = path.clone().into_os_string();
    draft.push(format!(".{}", std::process::id()));
    let draft = PathBuf::from(draft);
    fs::write(&draft, text).and_then(|()| fs::rename(&draft, &path)).map_err(|error| {
        let _ = fs::remove_file(&draft);
        trouble(error)
    })
}
