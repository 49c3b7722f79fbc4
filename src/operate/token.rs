//! `token`: makes, lists and revokes access tokens.

use serde_json::json;

use super::admin_client::{self, AdminClient, Missing, unexpected};
use super::arguments::{
    TokenCommand, TokenCreateArguments, TokenListArguments, TokenRevokeArguments,
};
use super::failure::{Exit, Failure};
use super::output::Output;
use super::user_name;
use crate::admin::answer::{AdminReply, HeldToken};
use crate::admin::request::Request;
use crate::catalogue::{client, server, token as texts};
use crate::model::{MailboxName, Rights, USER_NAME_BYTES_MAX};
use crate::operate::database::Database;
use crate::protocol::tokens::{TARGETS_MAX, TokenCreate, TokenInfo};
use crate::terminal::reason::of_invalid;

/// Executes a `token` command.
pub(super) fn run(
    db: &Database<'_>,
    command: &TokenCommand,
    output: Output,
) -> Result<(), Failure> {
    match command {
        TokenCommand::Create(arguments) => create(db, arguments, output),
        TokenCommand::List(arguments) => list(db, arguments, output),
        TokenCommand::Revoke(arguments) => revoke(db, arguments, output),
    }
}

/// Makes a token, and prints it. Nothing prints it again.
fn create(
    db: &Database<'_>,
    arguments: &TokenCreateArguments,
    mut output: Output,
) -> Result<(), Failure> {
    let user = user_name::parse(&arguments.user)?;
    let create = to_create(arguments)?;
    let token = match admin_client::ask(db, &Request::TokenCreate { user, create })? {
        AdminReply::TokenCreated { token } => token,
        answer => return Err(unexpected(&answer)),
    };
    if output.is_json {
        output.object(&token)?;
    } else {
        output.line(&token.token.reveal())?;
    }
    output.did_beside(texts::token_shown_once())?;
    if arguments.can == Rights::Hook {
        output.did_beside(texts::hook_is_posted_to())?;
    }
    output.finish()
}

fn to_create(arguments: &TokenCreateArguments) -> Result<TokenCreate, Failure> {
    let TokenCreateArguments { token, user: _, can, to, expires } = arguments;
    let to: Vec<MailboxName> = to.iter().map(|name| mailbox(name)).collect::<Result<_, _>>()?;
    let usage = |message: &str| Err(Failure::new(Exit::Usage, message));
    if !to.is_empty() && !matches!(can, Rights::Send | Rights::Hook) {
        return usage(texts::targets_only_for_send());
    }
    if *can == Rights::Hook && to.len() != 1 {
        return usage(texts::hook_has_one_target());
    }
    if to.len() > TARGETS_MAX {
        return usage(&texts::too_many_targets(TARGETS_MAX));
    }
    let to = Some(to).filter(|to| !to.is_empty());
    let expires_in = expires.map(|life| life.as_secs());
    Ok(TokenCreate { name: token.clone(), can: *can, to, expires_in })
}

fn mailbox(given: &str) -> Result<MailboxName, Failure> {
    match given.starts_with('#') {
        false => user_name::parse(given).map(MailboxName::User),
        true => given.parse().map_err(|invalid| {
            let message = server::no_user_name(format_args!("{given:?}"), of_invalid(invalid));
            Failure::new(Exit::Data, message).hint(server::give_user_name(USER_NAME_BYTES_MAX))
        }),
    }
}

/// Prints the tokens, the oldest first.
fn list(
    db: &Database<'_>,
    arguments: &TokenListArguments,
    mut output: Output,
) -> Result<(), Failure> {
    let user = arguments.user.as_deref().map(user_name::parse).transpose()?;
    let mut admin = AdminClient::open(db, Missing::Refuse)?;
    let mut rows = Vec::new();
    let mut after = None;
    loop {
        let (tokens, more) = match admin.ask(&Request::TokenList { user: user.clone(), after })? {
            AdminReply::Tokens { tokens, more } => (tokens, more),
            answer => return Err(unexpected(&answer)),
        };
        after = tokens.last().map(|token| token.id);
        for held in &tokens {
            if output.is_json {
                output.object(held)?;
            } else {
                rows.push(row(held, &output));
            }
        }
        if !more || after.is_none() {
            break;
        }
    }
    if !output.is_json {
        output.table(
            [
                server::title_user(),
                texts::title_token(),
                texts::title_can(),
                texts::title_to(),
                server::title_expires(),
                client::last_used(),
                texts::title_from(),
            ],
            &rows,
        )?;
    }
    output.finish()
}

fn row(held: &HeldToken, output: &Output) -> [String; 7] {
    let TokenInfo { name, can, to, expires_at, last_used_at, last_used_from, .. } = &held.token;
    let to = match to {
        Some(to) => to.iter().map(MailboxName::as_str).collect::<Vec<_>>().join(","),
        None if *can == Rights::Read => String::new(),
        None => texts::to_everybody().to_owned(),
    };
    [
        held.user.to_string(),
        name.to_string(),
        can.as_str().to_owned(),
        to,
        // It is in the future, so it has no age.
        expires_at.map_or_else(|| texts::never_expires().to_owned(), |at| at.to_rfc3339()),
        output.moment(*last_used_at),
        last_used_from.clone().unwrap_or_else(|| "-".to_owned()),
    ]
}

/// Revokes tokens.
fn revoke(
    db: &Database<'_>,
    arguments: &TokenRevokeArguments,
    mut output: Output,
) -> Result<(), Failure> {
    let user = user_name::parse(&arguments.user)?;
    let name = arguments.token.clone();
    let count = match admin_client::ask(db, &Request::TokenRevoke { user, name })? {
        AdminReply::TokensRevoked { tokens } => tokens,
        answer => return Err(unexpected(&answer)),
    };
    if output.is_json {
        output.object(&json!({"revoked": count}))?;
    }
    let done = match count {
        1 => texts::one_token_revoked().to_owned(),
        count => texts::tokens_revoked(count),
    };
    output.did(&done)?;
    output.finish()
}
