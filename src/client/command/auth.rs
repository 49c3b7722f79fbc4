//! `chat-cli auth USER [PASSWORD]`

use std::io::{self, Write};

use serde_json::json;

use crate::client::arguments::AuthArguments;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::{View, object};
use crate::client::session::{self, Session, TOKEN_VARIABLE};
use crate::client::state_folder::StateFolder;
use crate::client::{password, verbs};
use crate::model::UserName;
use crate::protocol::refusal::Code;
use crate::terminal;

/// Logs in and stores the session. The token is told only where no person sees it.
pub fn run(
    arguments: &AuthArguments,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let user = whom(arguments, link)?;
    // First, so that nobody logs in to a session that cannot be kept.
    let folder = StateFolder::create(&StateFolder::locate()?)?;
    let password = match &arguments.password {
        Some(text) => password::check(text)?,
        None => password::ask(&format!("Password for {user}: "))?,
    };
    let token = verbs::auth(link, &user, &password)?;
    let session = Session { user, token };
    if let Err(failure) = session::store(&folder, link.account(), &session) {
        // Else a session that nobody can use would live on; without it, it is only a pity.
        let _ = verbs::logout(link, token);
        return Err(failure);
    }
    let user = &session.user;
    let revealed = (!terminal::is_shown()).then(|| token.reveal());
    if view.is_json {
        let mut fields = json!({"user": user});
        if let Some(token) = revealed {
            fields["token"] = token.into();
        }
        writeln!(out, "{}", object::line(&fields))?;
    } else if let Some(token) = revealed {
        writeln!(out, "username {user} logged in, token {token}")?;
    } else {
        writeln!(out, "username {user} logged in")?;
    }
    if std::env::var_os(TOKEN_VARIABLE).is_some_and(|text| !text.is_empty()) {
        let _ = writeln!(
            io::stderr(),
            "note: {TOKEN_VARIABLE} is set, and goes before the session just stored"
        );
    }
    Ok(Exit::Done)
}

/// Whom to log in as. Where the session of one user is meant, somebody else's is not put in its
/// place.
fn whom(arguments: &AuthArguments, link: &Link) -> Result<UserName, Failure> {
    let named = arguments.user.as_ref().map(|name| name.parse::<UserName>());
    let named = named.transpose().map_err(|_| Code::UnknownUser)?;
    match (named, &link.account().user) {
        (Some(named), Some(set)) if named != *set => {
            let message = format!("the user is set to {set}, so {named} cannot log in");
            Err(Failure::trouble(Exit::Usage, message).with_hint(format!(
                "chat-cli --user {named} auth, or another --profile; `chat-cli config show` tells \
                 where {set} comes from"
            )))
        }
        (Some(user), _) => Ok(user),
        (None, Some(user)) => Ok(user.clone()),
        (None, None) => Err(Failure::trouble(Exit::Usage, "it is not said whom to log in as")
            .with_hint("chat-cli auth USER, or set `user` with `chat-cli config init`")),
    }
}
