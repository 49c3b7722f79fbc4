//! `chat-cli token create NAME`, `token list`, `token revoke NAME|--all`

use std::io::{self, IsTerminal, Write};

use super::parse_mailbox;
use crate::catalogue::{shared, token as texts};
use crate::client::arguments::{
    TokenArguments, TokenCommand, TokenCreateArguments, TokenRevokeArguments,
};
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::inbox::Clock;
use crate::client::render::messages::moment;
use crate::client::render::{View, object};
use crate::client::{local_login, verbs};
use crate::model::{MailboxName, Rights};
use crate::protocol::tokens::{TARGETS_MAX, TokenCreate, TokenInfo, TokenRevoke};
use crate::terminal;

/// Makes, lists or revokes access tokens.
pub fn run(
    arguments: TokenArguments,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    match arguments.command {
        TokenCommand::Create(create) => make(create, view, link, out),
        TokenCommand::List => list(view, link, out),
        TokenCommand::Revoke(which) => revoke(which, view, link, out),
    }
}

/// Prints the secret, alone on its line.
fn make(
    arguments: TokenCreateArguments,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let create = to_create(arguments)?;
    let is_hook = create.can == Rights::Hook;
    let (session, _) = local_login::current(link)?;
    let created = verbs::token_create(link, session, create)?;
    if view.is_json {
        writeln!(out, "{}", object::line(&created))?;
        return Ok(Exit::Done);
    }
    writeln!(out, "{}", created.token.reveal())?;
    out.flush()?;
    if io::stderr().is_terminal() {
        let _ = writeln!(io::stderr(), "{}", shared::note(texts::token_shown_once()));
        if is_hook {
            let _ = writeln!(io::stderr(), "{}", shared::note(texts::hook_is_posted_to()));
        }
    }
    Ok(Exit::Done)
}

fn to_create(arguments: TokenCreateArguments) -> Result<TokenCreate, Failure> {
    let TokenCreateArguments { name, can, to, expires } = arguments;
    let to: Vec<MailboxName> =
        to.iter().map(|name| parse_mailbox(name)).collect::<Result<_, _>>()?;
    let usage = |message: String| Err(Failure::new(Exit::Usage, message));
    if !to.is_empty() && !matches!(can, Rights::Send | Rights::Hook) {
        return usage(texts::targets_only_for_send().to_owned());
    }
    if can == Rights::Hook && to.len() != 1 {
        return usage(texts::hook_has_one_target().to_owned());
    }
    if to.len() > TARGETS_MAX {
        return usage(texts::too_many_targets(TARGETS_MAX));
    }
    let to = Some(to).filter(|to| !to.is_empty());
    Ok(TokenCreate { name, can, to, expires_in: expires.map(|life| life.as_secs()) })
}

/// One line each: name, rights, targets, end and last use.
fn list(view: View, link: &mut Link, out: &mut dyn Write) -> Result<Exit, Failure> {
    let (session, _) = local_login::current(link)?;
    let tokens = verbs::tokens(link, session)?.tokens;
    let default = if terminal::is_shown() { Clock::Local } else { Clock::Utc };
    let clock = view.clock.unwrap_or(default);
    for token in &tokens {
        match view.is_json {
            true => writeln!(out, "{}", object::line(token))?,
            false => writeln!(out, "{}", line(token, clock))?,
        }
    }
    Ok(if tokens.is_empty() { Exit::Nothing } else { Exit::Done })
}

fn line(token: &TokenInfo, clock: Clock) -> String {
    let to = match &token.to {
        Some(to) => to.iter().map(MailboxName::as_str).collect::<Vec<_>>().join(","),
        None if token.can == Rights::Read => String::new(),
        None => texts::to_everybody().to_owned(),
    };
    let end = match token.expires_at {
        Some(at) => texts::expires_at(at.to_rfc3339()),
        None => texts::never_expires().to_owned(),
    };
    let used = match (token.last_used_at, &token.last_used_from) {
        (Some(at), Some(from)) => texts::token_used(moment(at, clock), from),
        _ => texts::never_used().to_owned(),
    };
    [token.name.as_str(), token.can.as_str(), &to, &end, &used].join("\t")
}

fn revoke(
    arguments: TokenRevokeArguments,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (session, _) = local_login::current(link)?;
    let which = match &arguments.name {
        Some(name) => TokenRevoke::Named(name.clone()),
        None => TokenRevoke::All,
    };
    let ended = verbs::token_revoke(link, session, which)?;
    if view.is_json {
        writeln!(out, "{}", object::line(&ended))?;
    }
    match (&arguments.name, ended.ended) {
        (Some(name), 0) => {
            let failure = Failure::new(Exit::Nothing, texts::no_token_of_this_name(name));
            return Err(failure.with_hint(texts::token_list_shows()));
        }
        _ if view.is_json => {}
        (_, count) => writeln!(out, "{}", revoked(count))?,
    }
    Ok(Exit::Done)
}

fn revoked(count: usize) -> String {
    match count {
        1 => texts::one_token_revoked().to_owned(),
        count => texts::tokens_revoked(count),
    }
}
