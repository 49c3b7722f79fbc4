//! `chat-cli auth USER [PASSWORD]`

use std::io::{self, Write};

use serde_json::json;

use crate::catalogue::{client, configuration, shared};
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

/// Logs in and stores the session. It prints the token only if standard output is not a terminal.
pub fn run(
    arguments: &AuthArguments,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let user = login_user(arguments, link)?;
    // First, so that no session is opened that cannot be stored.
    let folder = StateFolder::create(&StateFolder::locate()?)?;
    let password = match &arguments.password {
        Some(text) => password::check(text)?,
        None => password::ask(&client::password_of_prompt(&user))?,
    };
    let token = verbs::auth(link, &user, &password)?;
    let session = Session { user, token };
    if let Err(failure) = session::store(&folder, link.account(), &session) {
        // Otherwise the session would live on, although nobody can use it. If this fails too, it
        // expires.
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
        writeln!(out, "{}", client::logged_in_with_token(user, token))?;
    } else {
        writeln!(out, "{}", client::logged_in(user))?;
    }
    if std::env::var_os(TOKEN_VARIABLE).is_some_and(|text| !text.is_empty()) {
        let note = shared::note(client::variable_goes_before(TOKEN_VARIABLE));
        let _ = writeln!(io::stderr(), "{note}");
    }
    Ok(Exit::Done)
}

/// The user to log in as. If a user is set, another user's session must not replace theirs.
fn login_user(arguments: &AuthArguments, link: &Link) -> Result<UserName, Failure> {
    let named = arguments.user.as_ref().map(|name| name.parse::<UserName>());
    let named = named.transpose().map_err(|_| Code::UnknownUser)?;
    match (named, &link.account().user) {
        (Some(named), Some(set)) if named != *set => {
            Err(Failure::new(Exit::Usage, configuration::user_is_set(set, &named))
                .with_hint(configuration::log_in_as_other(set, &named)))
        }
        (Some(user), _) => Ok(user),
        (None, Some(user)) => Ok(user.clone()),
        (None, None) => Err(Failure::new(Exit::Usage, configuration::no_user_named())
            .with_hint(configuration::name_user())),
    }
}
