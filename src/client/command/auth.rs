//! `chat-cli auth USER [PASSWORD]`

use std::io::{self, Write};

use serde_json::json;

use crate::catalogue::{client, shared};
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
    let user: UserName = arguments.user.parse().map_err(|_| Code::UnknownUser)?;
    // First, so that nobody logs in to a session that cannot be kept.
    let folder = StateFolder::create(&StateFolder::locate()?)?;
    let password = match &arguments.password {
        Some(text) => password::check(text)?,
        None => password::ask(&client::password_of_prompt(&user))?,
    };
    let token = verbs::auth(link, &user, &password)?;
    let session = Session { user, token };
    if let Err(failure) = session::store(&folder, link.address(), &session) {
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
