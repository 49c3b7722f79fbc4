//! The settings that a running server applies at SIGHUP, and those that need a restart. A reload
//! disconnects no client, and a wrong configuration changes nothing.

use std::sync::Arc;
use std::time::Duration;

use super::address::ListenOn;
use super::arguments::ServeArguments;
use super::database::Database;
use super::preconditions;
use super::settings::{Resolved, Unresolved};
use crate::adjustable::Adjustable;
use crate::configuration::setting::Setting;
use crate::log::Log;
use crate::server::Identity;
use crate::service::LoginLimits;

/// The settings that a reload applies. Every other one needs a restart.
pub const AT_RUN_TIME: [&str; 13] = [
    "log",
    "session_idle",
    "session_lifetime",
    "connections_max",
    "connections_per_address_max",
    "login_failures_per_address_max",
    "login_failures_per_user_max",
    "inbox_unread_max",
    "hide_users",
    "heartbeat",
    "slow_request",
    "tls_cert",
    "tls_key",
];

/// The parts of a running server that can change.
pub(super) struct Running {
    /// The limits that the server reads.
    pub(super) limits: Limits,
    /// The TLS certificate, if there is one.
    identity: Option<Arc<Identity>>,
    /// The addresses in use.
    listen: Vec<ListenOn>,
    log: Log,
    /// The settings in force.
    settings: Vec<Setting>,
}

/// The limits and times of a server. Clones share the values.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    pub(super) session_idle: Adjustable<Duration>,
    pub(super) session_lifetime: Adjustable<Duration>,
    pub(super) connections_max: Adjustable<usize>,
    pub(super) connections_per_address_max: Adjustable<usize>,
    pub(super) login_failures: LoginLimits,
    pub(super) inbox_unread_max: Adjustable<usize>,
    pub(super) users_hidden: Adjustable<bool>,
    pub(super) heartbeat: Adjustable<Duration>,
    pub(super) slow_request: Adjustable<Duration>,
}

impl Running {
    /// Creates the state of a server that starts with these settings.
    pub(super) fn new(
        resolved: &Resolved,
        arguments: &ServeArguments,
        identity: Option<Arc<Identity>>,
        log: &Log,
    ) -> Self {
        let (limits, settings) = (Limits::of(arguments), resolved.settings.clone());
        let listen = arguments.listen.clone();
        Self { limits, identity, listen, log: log.clone(), settings }
    }

    /// Reads all sources again. Applies all changes or none, and logs them.
    pub(super) fn reload(&mut self, started: &Resolved) {
        let resolved = match started.again() {
            Ok(resolved) => resolved,
            Err(Unresolved::Words(error)) => {
                let error = error.to_string();
                return refuse(error.lines().next().unwrap_or_default());
            }
            Err(Unresolved::File(problems)) => {
                return problems.iter().for_each(|problem| refuse(&problem.to_string()));
            }
        };
        let Some(arguments) = resolved.serve() else { return };
        let mut arguments = arguments.clone();
        if self.listen.iter().any(ListenOn::is_inherited) {
            // The configured addresses are not in use.
            arguments.listen.clone_from(&self.listen);
        }
        let arguments = &arguments;
        if let Err(failure) = Database::of(&resolved) {
            return refuse(failure.problem());
        }
        let identity = match preconditions::check(arguments) {
            Ok(identity) => identity,
            Err(failure) => return refuse(failure.problem()),
        };
        // From here on nothing fails.
        if let (Some(shown), Some(new)) = (&self.identity, identity) {
            shown.become_as(&new);
        }
        self.limits.take(arguments);
        self.log.refilter(arguments.log.clone());
        self.note(&resolved);
    }

    /// Logs what changed, and what needs a restart.
    fn note(&mut self, resolved: &Resolved) {
        let mut changed = Vec::new();
        for (now, new) in self.settings.iter_mut().zip(&resolved.settings) {
            let key = new.key.as_str();
            if now.value == new.value {
                continue;
            }
            let text = new.value.as_ref().map_or("not set".to_owned(), ToString::to_string);
            if AT_RUN_TIME.contains(&key) {
                changed.push(format!("{key} = {text}"));
                *now = new.clone();
            } else {
                tracing::warn!(key, value = text, source = %new.source, "this needs a restart");
            }
        }
        let changed = changed.join(", ");
        let file = resolved.file.as_ref().map(|path| path.display().to_string());
        tracing::info!(file, changed, "the configuration was read again");
    }
}

impl Limits {
    fn of(arguments: &ServeArguments) -> Self {
        Self {
            session_idle: arguments.session_idle.into(),
            session_lifetime: arguments.session_lifetime.into(),
            connections_max: (arguments.connections_max as usize).into(),
            connections_per_address_max: (arguments.connections_per_address_max as usize).into(),
            login_failures: LoginLimits {
                per_address: (arguments.login_failures_per_address_max as usize).into(),
                per_account: (arguments.login_failures_per_user_max as usize).into(),
            },
            inbox_unread_max: (arguments.inbox_unread_max as usize).into(),
            users_hidden: arguments.hide_users.into(),
            heartbeat: arguments.heartbeat.into(),
            slow_request: arguments.slow_request.into(),
        }
    }

    fn take(&self, arguments: &ServeArguments) {
        let new = Self::of(arguments);
        self.session_idle.set(new.session_idle.get());
        self.session_lifetime.set(new.session_lifetime.get());
        self.connections_max.set(new.connections_max.get());
        self.connections_per_address_max.set(new.connections_per_address_max.get());
        self.login_failures.per_address.set(new.login_failures.per_address.get());
        self.login_failures.per_account.set(new.login_failures.per_account.get());
        self.inbox_unread_max.set(new.inbox_unread_max.get());
        self.users_hidden.set(new.users_hidden.get());
        self.heartbeat.set(new.heartbeat.get());
        self.slow_request.set(new.slow_request.get());
    }
}

fn refuse(problem: &str) {
    tracing::error!(problem, "the configuration was not read again: everything is as it was");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operate::settings::definitions;

    #[test]
    fn page_of_the_configuration_says_what_is_taken_over_at_run_time() {
        let definitions = definitions();
        for key in AT_RUN_TIME {
            assert!(definitions.iter().any(|known| known.key == key), "{key} is no setting");
        }
        let page = include_str!("../../docs/configuration.md");
        for definition in definitions {
            let row = format!("\n| `{}` | ", definition.key);
            let row = page.split_once(&row).map_or("", |(_, rest)| rest.lines().next().unwrap());
            let cell =
                if AT_RUN_TIME.contains(&definition.key.as_str()) { "SIGHUP" } else { "restart" };
            assert!(row.contains(&format!(" | {cell} | ")), "docs: {} is {row:?}", definition.key);
        }
    }
}
