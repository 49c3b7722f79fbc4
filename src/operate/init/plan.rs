//! The plan of `init`: from the options, else from the user's answers, else by default.

use std::path::{self, Path, PathBuf};

use crate::catalogue::{init as texts, server, shared};
use crate::configuration::Value;
use crate::configuration::setting::{Setting, Source};
use crate::model::UserName;
use crate::operate::address::{ListenOn, parse_listen_on};
use crate::operate::arguments::{InitArguments, ServeArguments};
use crate::operate::config::{check_folder, explained};
use crate::operate::failure::{Exit, Failure};
use crate::operate::listen;
use crate::operate::preconditions;
use crate::operate::settings::{Resolved, definitions};
use crate::operate::user_name;
use crate::terminal::question;

/// The default path of the configuration.
const CONFIG_DEFAULT: &str = "chat-server.toml";
const LISTEN_DEFAULT: &str = "127.0.0.1:8889";

/// Everything except the password. Each part is valid.
pub(super) struct Plan {
    /// The configuration file, as an absolute path.
    pub(super) config: PathBuf,
    /// The database, as an absolute path. It does not exist yet.
    pub(super) db: PathBuf,
    /// The first user.
    pub(super) name: UserName,
    serve: ServeArguments,
    /// The other options.
    given: Vec<Setting>,
}

impl Plan {
    /// Determines every part. If `is_asked`, it asks the user until the answer is valid.
    ///
    /// # Errors
    /// A part is invalid, or the user gives no answer.
    pub(super) fn settle(
        resolved: &Resolved,
        arguments: &InitArguments,
        is_asked: bool,
    ) -> Result<Self, Failure> {
        let typed = &resolved.arguments;
        let shown = |path: &Path| path.display().to_string();
        let config = settle(
            typed.config.as_deref().map(shown),
            || asked(is_asked, texts::where_to_write(), CONFIG_DEFAULT),
            |given| free_configuration(given, arguments.force),
            is_asked,
        )?;
        let db = settle(
            resolved.is_set("db").then(|| shown(&typed.db)),
            || asked(is_asked, texts::where_to_store(), &shown(&typed.db)),
            free_database,
            is_asked,
        )?;
        let name = settle(
            arguments.user.clone(),
            || match is_asked {
                true => answer(texts::who_is_first(), ""),
                false => {
                    Err(Failure::new(Exit::Usage, texts::user_missing()).hint(texts::give_user()))
                }
            },
            user_name::parse,
            is_asked,
        )?;
        let mut serve = arguments.serve.clone();
        match is_asked && !resolved.is_set("listen") {
            true => ask_where_to_listen(&mut serve)?,
            false => check(&serve)?,
        }
        let is_given = |setting: &&Setting| setting.source != Source::Default;
        let given = resolved.settings.iter().filter(is_given).cloned().collect();
        Ok(Self { config, db, name, serve, given })
    }

    /// The configuration file: the given settings and the answers, each with its explanation.
    pub(super) fn text(&self) -> String {
        let header = texts::header().to_owned();
        definitions().iter().fold(header, |text, definition| match self.value(&definition.key) {
            Some(value) => format!("{text}{}", explained(definition, &value)),
            None => text,
        })
    }

    fn value(&self, key: &str) -> Option<Value> {
        let Self { serve, .. } = self;
        let given = || self.given.iter().find(|setting| setting.key == key)?.value.clone();
        let path = |path: &PathBuf| Value::Text(absolute(path).display().to_string());
        match key {
            "db" => Some(path(&self.db)),
            "listen" => Some(Value::List(serve.listen.iter().map(ToString::to_string).collect())),
            // The file that is read is not the file that is written.
            "tls_cert" => serve.tls_cert.as_ref().map(path),
            "tls_key" => serve.tls_key.as_ref().map(path),
            "ready_file" => serve.ready_file.as_ref().map(path),
            // If the database is lost or moved, a new one must not have the seed's users.
            "no_seed" => Some(Value::Switch(true)),
            "allow_plaintext" if serve.allow_plaintext => Some(Value::Switch(true)),
            _ => given(),
        }
    }
}

/// The failure for an existing configuration file.
pub(super) fn exists(path: &Path) -> Failure {
    let problem = crate::catalogue::storage::exists(path.display());
    Failure::new(Exit::Exists, problem).hint(texts::edit_or_replace())
}

/// The given value if it is valid, else the answer of `ask`, which is repeated until it is valid.
fn settle<T>(
    given: Option<String>,
    ask: impl Fn() -> Result<String, Failure>,
    check: impl Fn(&str) -> Result<T, Failure>,
    is_asked: bool,
) -> Result<T, Failure> {
    if let Some(given) = given {
        return check(&given);
    }
    loop {
        match check(&ask()?) {
            Err(failure) if is_asked => failure.report(),
            settled => return settled,
        }
    }
}

fn asked(is_asked: bool, question: &str, default: &str) -> Result<String, Failure> {
    if is_asked { answer(question, default) } else { Ok(default.to_owned()) }
}

fn answer(question: &str, default: &str) -> Result<String, Failure> {
    heard(question::ask(question, default))
}

/// The end of the input means Ctrl-D.
fn heard<T>(answer: std::io::Result<Option<T>>) -> Result<T, Failure> {
    match answer {
        Ok(Some(answer)) => Ok(answer),
        Ok(None) => Err(Failure::new(Exit::Interrupted, shared::interrupted())),
        Err(error) => Err(Failure::new(Exit::Io, server::input_failed(error))),
    }
}

fn absolute(path: &Path) -> PathBuf {
    path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn free_configuration(given: &str, force: bool) -> Result<PathBuf, Failure> {
    let path = absolute(Path::new(given));
    check_folder("config", &path)?;
    if !force && path.symlink_metadata().is_ok() {
        return Err(exists(&path));
    }
    Ok(if force { path.canonicalize().unwrap_or(path) } else { path })
}

fn free_database(given: &str) -> Result<PathBuf, Failure> {
    let path = absolute(Path::new(given));
    check_folder("db", &path)?;
    if path.symlink_metadata().is_ok() {
        let problem = crate::catalogue::storage::exists(path.display());
        return Err(Failure::new(Exit::Exists, problem).hint(texts::add_user_instead()));
    }
    Ok(path)
}

/// Asks for an address until the server can listen on it.
fn ask_where_to_listen(serve: &mut ServeArguments) -> Result<(), Failure> {
    loop {
        let mut asked = serve.clone();
        let listen = answer(texts::where_to_listen(), LISTEN_DEFAULT)?;
        let settled = parse_listen_on(&listen)
            .map_err(|problem| Failure::new(Exit::Usage, problem))
            .and_then(|listen| {
                asked.listen = vec![listen];
                ask_about_tls(&mut asked)?;
                check(&asked)
            });
        match settled {
            Err(failure) if failure.exit != Exit::Interrupted => failure.report(),
            settled => {
                *serve = asked;
                return settled;
            }
        }
    }
}

/// Asks for a certificate. Without one, asks whether other machines may connect unencrypted.
fn ask_about_tls(serve: &mut ServeArguments) -> Result<(), Failure> {
    let Some(ListenOn::Plain(listen) | ListenOn::Tls(listen)) = serve.listen.first().cloned()
    else {
        return Ok(());
    };
    if serve.tls_cert.is_none() {
        let certificate = answer(texts::which_certificate(), "")?;
        if !certificate.is_empty() {
            serve.tls_key = Some(answer(texts::which_key(), "")?.into());
            serve.tls_cert = Some(certificate.into());
        }
    }
    if serve.tls_cert.is_some() {
        serve.listen = vec![ListenOn::Tls(listen)];
    } else if let Some(address) = listen::exposed(serve)
        && !serve.allow_plaintext
    {
        serve.allow_plaintext =
            heard(question::ask_yes(&texts::travel_unencrypted(address), false))?;
    }
    Ok(())
}

/// Checks whether a server with this configuration would start: by the rules of `serve`, and by
/// binding its addresses for a moment.
fn check(serve: &ServeArguments) -> Result<(), Failure> {
    preconditions::check(serve)?;
    if let Some(path) = &serve.ready_file {
        check_folder("ready_file", path)?;
    }
    for listen in &serve.listen {
        if let ListenOn::Unix(path) = listen {
            check_folder("listen", path)?;
        }
    }
    listen::try_all(serve)
}
