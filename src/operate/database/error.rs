//! The words for the errors of a connection to PostgreSQL, which are codes in the store.

use std::fmt::Display;
use std::io::ErrorKind;

use crate::catalogue::postgres as texts;
use crate::operate::failure::{Exit, Failure};
use crate::store::postgres::connect::{Attempt, ConnectError, Connector};
use crate::store::postgres::durability::{self, Durability, Shortfall};
use crate::store::postgres::encryption::EncryptionError;
use crate::store::postgres::password::{ContentProblem, PasswordError};
use crate::store::postgres::target::{HOSTS_MAX, Host, InvalidTarget, Target};

/// The failure for a URL that is none. It never repeats a URL, which may have a password.
pub(super) fn invalid(invalid: &InvalidTarget) -> Failure {
    let (problem, hint) = match invalid {
        InvalidTarget::Password => (texts::password_in_url().to_owned(), texts::where_password()),
        InvalidTarget::Unverified(mode) => (texts::unverified(mode), texts::give_verify_full()),
        InvalidTarget::NoUser => (texts::no_user().to_owned(), texts::give_url()),
        InvalidTarget::NoHost => (texts::no_host().to_owned(), texts::give_url()),
        InvalidTarget::Scheme => (texts::no_url().to_owned(), texts::give_url()),
        InvalidTarget::TooManyHosts => (texts::too_many_hosts(HOSTS_MAX), texts::give_url()),
        InvalidTarget::Escape(text) => (texts::bad_escape(text), texts::give_url()),
        InvalidTarget::Host(host) => (texts::bad_host(format!("{host:?}")), texts::give_url()),
        InvalidTarget::Port(port) => (texts::bad_port(format!("{port:?}")), texts::give_url()),
        InvalidTarget::PortCount { hosts, ports } => {
            (texts::port_count(hosts, ports), texts::give_url())
        }
        InvalidTarget::UnknownParameter(name) => {
            (texts::unknown_parameter(name), texts::known_parameters())
        }
        InvalidTarget::Parameter(text) => {
            (texts::bad_parameter(format!("{text:?}")), texts::known_parameters())
        }
        InvalidTarget::Value { parameter, value, expected } => {
            (texts::bad_value(parameter, format!("{value:?}"), expected), texts::give_url())
        }
    };
    Failure::new(Exit::Configuration, problem).hint(hint)
}

/// The failure for a host to which everything would travel unencrypted.
pub(super) fn exposed(host: &Host) -> Failure {
    Failure::new(Exit::Configuration, texts::exposed(host)).hint(texts::encrypt())
}

/// The failure for a database that no host gives a connection to. Its hint is about the first host
/// for which there is something to do.
pub(in crate::operate) fn not_connected(connector: &Connector, error: &ConnectError) -> Failure {
    let said: Vec<String> =
        error.attempts.iter().map(|(host, attempt)| format!("{host}: {}", said(attempt))).collect();
    let problem = texts::not_connected(&connector.target, said.join("; "));
    let exit = match error.attempts.iter().map(|(_, attempt)| exit(attempt)).collect::<Vec<_>>() {
        exits if exits.contains(&Exit::Configuration) => Exit::Configuration,
        exits if exits.contains(&Exit::NoPermission) => Exit::NoPermission,
        exits if exits.contains(&Exit::NoInput) => Exit::NoInput,
        _ => Exit::Unavailable,
    };
    let mut relevant = error.attempts.iter().filter(|(_, attempt)| self::exit(attempt) == exit);
    let failure = Failure::new(exit, problem);
    match relevant.find_map(|(_, attempt)| hint(attempt, connector)) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// The failure for a database that cannot hold the promise.
pub(in crate::operate) fn not_promised(
    target: &Target,
    asked: Durability,
    missing: &[Shortfall],
) -> Failure {
    let said: Vec<String> = missing.iter().map(shortfall).collect();
    let hint = match durability::weakest(missing) {
        Some(Durability::Storage) => texts::sync_or_storage(),
        Some(_) => texts::set_up_standby(),
        None => texts::use_newer_primary(),
    };
    let problem = texts::cannot_promise(target, asked, said.join("; "));
    Failure::new(Exit::Configuration, problem).hint(hint)
}

/// The failure for a question that a database did not answer.
pub(in crate::operate) fn not_answered(target: &Target, error: impl Display) -> Failure {
    Failure::new(Exit::Io, texts::question_failed(target, error))
}

fn shortfall(shortfall: &Shortfall) -> String {
    match shortfall {
        Shortfall::TooOld(version) => texts::too_old(version_shown(*version)),
        Shortfall::InRecovery => texts::in_recovery().to_owned(),
        Shortfall::Fsync => texts::fsync_off().to_owned(),
        Shortfall::FullPageWrites => texts::full_page_writes_off().to_owned(),
        Shortfall::NoStandby => texts::no_standby().to_owned(),
        Shortfall::SynchronousCommit(value) => texts::synchronous_commit(value),
    }
}

/// 150018 as `15.18`.
pub(in crate::operate) fn version_shown(version: u32) -> String {
    format!("{}.{}", version / 10_000, version % 10_000)
}

fn said(attempt: &Attempt) -> String {
    match attempt {
        Attempt::Password(error) => password(error),
        Attempt::Encryption(error) => encryption(error),
        Attempt::Unreachable(problem) | Attempt::Refused(problem) => problem.clone(),
        Attempt::TimedOut(limit) => texts::timed_out(limit.as_secs()),
        Attempt::NoTls => texts::no_tls().to_owned(),
        Attempt::Certificate(problem) => texts::certificate(problem),
        Attempt::NoPassword => texts::no_password().to_owned(),
        Attempt::Login(problem) => texts::login(problem),
        Attempt::NoDatabase => texts::no_database().to_owned(),
        Attempt::Starting => texts::starting().to_owned(),
        Attempt::TooMany => texts::too_many_connections().to_owned(),
        Attempt::ReadOnly => texts::read_only().to_owned(),
    }
}

fn password(error: &PasswordError) -> String {
    match error {
        PasswordError::Open { path, mode } => {
            texts::password_file_open(path.display(), format!("{mode:03o}"))
        }
        PasswordError::Io { path, source } => texts::password_file_io(path.display(), source),
        PasswordError::Content { path, problem } => {
            let problem = match problem {
                ContentProblem::NotAFile => texts::not_a_file(),
                ContentProblem::TooLarge => texts::too_large(),
                ContentProblem::NotText => texts::not_text(),
                ContentProblem::Empty => texts::first_line_empty(),
            };
            texts::password_file_content(path.display(), problem)
        }
    }
}

fn encryption(error: &EncryptionError) -> String {
    match error {
        EncryptionError::Authorities(error) => error.to_string(),
        EncryptionError::NotAnAuthority { path, problem } => {
            texts::no_authority(path.display(), problem)
        }
        EncryptionError::NoAuthorities => texts::no_authorities().to_owned(),
        EncryptionError::Unusable(problem) => problem.to_string(),
    }
}

fn exit(attempt: &Attempt) -> Exit {
    match attempt {
        Attempt::Password(_) | Attempt::Encryption(_) | Attempt::Certificate(_) => {
            Exit::Configuration
        }
        Attempt::NoTls | Attempt::NoPassword => Exit::Configuration,
        Attempt::Login(_) => Exit::NoPermission,
        Attempt::NoDatabase => Exit::NoInput,
        Attempt::Unreachable(_)
        | Attempt::TimedOut(_)
        | Attempt::Starting
        | Attempt::TooMany
        | Attempt::ReadOnly
        | Attempt::Refused(_) => Exit::Unavailable,
    }
}

fn hint(attempt: &Attempt, connector: &Connector) -> Option<String> {
    let hint = match attempt {
        Attempt::Password(PasswordError::Open { path, .. }) => {
            return Some(format!("chmod 600 {}", path.display()));
        }
        Attempt::Password(PasswordError::Io { source, .. })
            if source.kind() == ErrorKind::NotFound =>
        {
            texts::where_password()
        }
        Attempt::Password(_) | Attempt::NoPassword => texts::where_password(),
        Attempt::Encryption(_) | Attempt::Certificate(_) => texts::give_authority(),
        Attempt::NoTls => texts::encrypt(),
        Attempt::Login(_) => match connector.password.path() {
            Some(path) => return Some(texts::check_password(path.display())),
            None => texts::where_password(),
        },
        Attempt::NoDatabase => {
            return Some(texts::make_database(&connector.target.database));
        }
        Attempt::ReadOnly => texts::name_the_primary(),
        Attempt::TooMany => texts::raise_connections(),
        Attempt::Unreachable(_) | Attempt::TimedOut(_) => texts::is_it_running(),
        Attempt::Starting | Attempt::Refused(_) => return None,
    };
    Some(hint.to_owned())
}
