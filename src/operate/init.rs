//! `init`: asks for the settings of a server, writes its configuration, and creates its database
//! with a first user. If anything fails, it leaves no file behind.

mod made;
mod plan;

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, IsTerminal, Write, stdin};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use serde_json::json;

use super::address::{Listen, ListenOn};
use super::admin_client::{AdminClient, Missing, unexpected};
use super::arguments::{InitArguments, ServeArguments};
use super::database::Database;
use super::failure::{Exit, Failure};
use super::listen;
use super::output::Output;
use super::preconditions;
use super::settings::{Resolved, Unresolved};
use super::stop::Stop;
use super::user::password::{self, Chosen};
use crate::admin::answer::AdminReply;
use crate::admin::request::{NewUser, Request};
use crate::catalogue::{configuration, init as texts, server, shared};
use crate::model::{DisplayName, UserName};
use made::Made;
use plan::Plan;

/// Writes the configuration and creates the database.
pub(super) fn run(
    resolved: &Resolved,
    arguments: &InitArguments,
    output: Output,
) -> Result<(), Failure> {
    let is_asked = stdin().is_terminal();
    let plan = Plan::settle(resolved, arguments, is_asked)?;
    let chosen = choose(&plan.name, arguments, is_asked)?;
    // From here on a signal takes effect once all files exist, or none.
    let stop = Stop::listen()?;
    let mut made = Made::default();
    let serve = make(&plan, &chosen, arguments.force, &mut made)?;
    if stop.flow().is_break() {
        return Err(Failure::new(Exit::Interrupted, shared::interrupted()));
    }
    made.keep(&plan.config)?;
    tell(&plan, &serve, &chosen, output)
}

/// The password of the first user. On a terminal, a refused password is asked for again, so that
/// the earlier answers are not lost.
fn choose(name: &UserName, arguments: &InitArguments, is_asked: bool) -> Result<Chosen, Failure> {
    if let Some(path) = &arguments.password_file {
        return password::of_file(path);
    }
    if !is_asked && !arguments.generate {
        return password::of_input()?.ok_or_else(|| {
            Failure::new(Exit::Usage, texts::password_missing(name)).hint(texts::give_password())
        });
    }
    loop {
        match password::choose(name, arguments.generate) {
            Err(failure) if matches!(failure.exit, Exit::Usage | Exit::Data) => failure.report(),
            chosen => return chosen,
        }
    }
}

/// Writes the file, reads it as `serve` will, and creates the database that it names. Records the
/// created files in `made`. Returns the settings of the file.
fn make(
    plan: &Plan,
    chosen: &Chosen,
    force: bool,
    made: &mut Made,
) -> Result<ServeArguments, Failure> {
    let file = made.configuration(&plan.config, force);
    let written = OpenOptions::new().write(true).create_new(true).open(&file);
    let mut written = written.map_err(|error| {
        // The file belongs to another process, or does not exist.
        made.leave(&file);
        match error.kind() {
            ErrorKind::AlreadyExists => plan::exists(&plan.config),
            _ => cannot_write(&file, error),
        }
    })?;
    written.write_all(plan.text().as_bytes()).map_err(|error| cannot_write(&file, error))?;
    let serve = read(&file)?;
    preconditions::check(&serve)?;
    made.database(&plan.db);
    let mut admin = AdminClient::open(&Database::File(&plan.db), Missing::Create)?;
    add(&mut admin, &plan.name, chosen, &serve)?;
    Ok(serve)
}

fn cannot_write(path: &Path, error: io::Error) -> Failure {
    Failure::new(Exit::Io, configuration::cannot_write(path.display(), error))
}

/// The settings of the server with this file and the current environment.
fn read(file: &Path) -> Result<ServeArguments, Failure> {
    let words: [OsString; 3] = ["chat-server".into(), "--config".into(), file.into()];
    match Resolved::of(&words) {
        Ok(resolved) => Ok(resolved.arguments.serve),
        Err(Unresolved::File(problems)) => {
            let unknown = || Failure::new(Exit::Internal, configuration::cannot_be_read("?"));
            Err(problems.into_iter().next().map_or_else(unknown, Failure::from))
        }
        Err(Unresolved::Words(error)) => Err(Failure::new(Exit::Usage, error)),
    }
}

/// Adds the first user. An exposed server would not start with a published password.
fn add(
    admin: &mut AdminClient,
    name: &UserName,
    chosen: &Chosen,
    serve: &ServeArguments,
) -> Result<(), Failure> {
    let display_name = DisplayName::from(name);
    let user = NewUser { name: name.clone(), display_name, password: chosen.secret() };
    admin.ask(&Request::UserAdd { user })?;
    let Some(address) = listen::exposed(serve).filter(|_| !serve.allow_default_passwords) else {
        return Ok(());
    };
    match admin.ask(&Request::UserShow { name: name.clone() })? {
        AdminReply::UserDetails(details) if details.user.password_is_published => {
            preconditions::check_passwords(address, std::slice::from_ref(name))
        }
        AdminReply::UserDetails(_) => Ok(()),
        answer => Err(unexpected(&answer)),
    }
}

/// Prints the created files, how to start the server, and how to log in.
fn tell(
    plan: &Plan,
    serve: &ServeArguments,
    chosen: &Chosen,
    mut output: Output,
) -> Result<(), Failure> {
    let Plan { config, db, name, .. } = plan;
    if output.is_json {
        let mut fields = json!({"config": config, "new_database": db, "name": name});
        if let Some(password) = chosen.to_print() {
            fields["password"] = password.into();
        }
        output.object(&fields)?;
        return output.finish();
    }
    output.line(&configuration::configuration_written(config.display()))?;
    output.line(&server::new_database(db.display()))?;
    output.line(&match chosen.to_print() {
        Some(password) => texts::user_added_with_password(name, password),
        None => server::user_added(name),
    })?;
    output.line("")?;
    let config = word(config);
    output.line(&texts::start_the_server(&config))?;
    output.line(&match place(serve) {
        Some(place) => texts::log_in_at(place, name),
        None => texts::log_in(name),
    })?;
    output.line(&texts::add_users(&config))?;
    output.finish()
}

/// The value of `--server` for a client on this machine. `None` if it needs no such option.
fn place(serve: &ServeArguments) -> Option<String> {
    const DEFAULT: &str = "127.0.0.1:8889";
    const TLS_PORT: u16 = 8890;
    match serve.listen.first()? {
        ListenOn::Plain(listen) => {
            Some(here(listen)?.to_string()).filter(|address| address != DEFAULT)
        }
        ListenOn::Tls(listen) => {
            let address = here(listen)?;
            let host = listen::name_shown(serve).unwrap_or_else(|| match address {
                SocketAddr::V4(address) => address.ip().to_string(),
                SocketAddr::V6(address) => format!("[{}]", address.ip()),
            });
            Some(match address.port() {
                TLS_PORT => format!("chats://{host}"),
                port => format!("chats://{host}:{port}"),
            })
        }
        ListenOn::Unix(path) => Some(format!("unix:{}", word(path))),
    }
}

/// The address for clients on this machine.
fn here(listen: &Listen) -> Option<SocketAddr> {
    let mut address = *listen.addresses.first()?;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Some(address)
}

/// The path as a word for a shell.
fn word(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./+,:@%".contains(&byte);
    match path.bytes().all(is_plain) {
        true => path,
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}
