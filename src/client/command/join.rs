//! `chat-cli join LINK [NAME]`

use std::io::{self, IsTerminal, Write, stdin};

use serde_json::json;

use crate::catalogue::{client, invitation as texts, shared};
use crate::client::arguments::JoinArguments;
use crate::client::exit::Exit;
use crate::client::failure::{Failure, Refused};
use crate::client::join_link::JoinLink;
use crate::client::link::Link;
use crate::client::render::{View, object};
use crate::client::session::{self, Session};
use crate::client::state_folder::StateFolder;
use crate::client::{password, verbs};
use crate::model::{Password, RoomName, UserName};
use crate::protocol::invitations::{Accept, Accepted, InvitationInfo};
use crate::protocol::refusal::Code;
use crate::terminal;
use crate::terminal::question;
use crate::terminal::reason::of_invalid;

/// Makes the account of an invitation, logs in, and stores the session. The same command again, with
/// the same name and password, ends as the first one did.
pub fn run(
    arguments: &JoinArguments,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let wrong = |why| Failure::new(Exit::Usage, why);
    let secret = JoinLink::parse(&arguments.link).map_err(wrong)?.secret;
    let given = arguments.name.as_deref().map(parse_name).transpose()?;
    // First, so that no account is made whose session cannot be stored.
    let folder = StateFolder::create(&StateFolder::locate()?)?;
    let invited = match verbs::invitation(link, secret) {
        Ok(invited) => Some(invited),
        // It may be this command's own answer that was lost.
        Err(Failure::Refused(Refused { code: Some(Code::InvitationUsed), .. }))
            if given.is_some() || !stdin().is_terminal() =>
        {
            None
        }
        Err(failure) => return Err(with_hint(failure, given.as_ref())),
    };
    let mut name = choose_name(given.as_ref(), invited.as_ref())?;
    let password = choose_password(name.as_ref())?;
    let is_asked = given.is_none() && invited.is_some_and(|invited| invited.user.is_none());
    let accepted = loop {
        let accept = Accept {
            invitation: secret,
            user: name.clone(),
            display_name: arguments.display_name.clone(),
            password: password.clone(),
        };
        match verbs::accept(link, accept) {
            Err(Failure::Refused(refused)) if refused.code == Some(Code::NameTaken) && is_asked => {
                let _ = writeln!(io::stderr(), "{}", refused.line());
                name = Some(ask_name()?);
            }
            // The invitation was used, and has no name to repeat the command with.
            Err(Failure::Refused(refused))
                if refused.code == Some(Code::BadArgument) && name.is_none() =>
            {
                return Err(with_hint(Code::InvitationUsed.into(), None));
            }
            accepted => break accepted.map_err(|failure| with_hint(failure, name.as_ref()))?,
        }
    };
    let token = verbs::auth(link, &accepted.user, &password)?;
    let session = Session { user: accepted.user.clone(), token };
    session::store(&folder, link.account(), &session)?;
    report(&accepted, arguments, view, link, out)?;
    Ok(Exit::Done)
}

/// The name of the account: that of the command line, or of the invitation, else asked for. A used
/// invitation does not tell its name, but the server knows it.
fn choose_name(
    given: Option<&UserName>,
    invited: Option<&InvitationInfo>,
) -> Result<Option<UserName>, Failure> {
    let Some(invited) = invited else { return Ok(given.cloned()) };
    let name = match (given, &invited.user) {
        (Some(given), Some(theirs)) if given != theirs => {
            let failure = Failure::new(Exit::Usage, texts::invitation_is_for(theirs));
            Err(failure.with_hint(texts::leave_name_out()))
        }
        (Some(name), _) | (None, Some(name)) => Ok(name.clone()),
        (None, None) if stdin().is_terminal() => ask_name(),
        (None, None) => Err(no_name()),
    };
    name.map(Some)
}

/// Asks until the answer can be a name.
fn ask_name() -> Result<UserName, Failure> {
    loop {
        let answer = question::ask(texts::choose_name_question(), "");
        let answer = answer
            .map_err(|error| Failure::new(Exit::LocalFile, client::password_unreadable(error)))?;
        let Some(answer) = answer else { return Err(no_name()) };
        match parse_name(&answer) {
            Ok(name) => return Ok(name),
            Err(failure) => failure.report(&mut io::stderr()),
        }
    }
}

fn no_name() -> Failure {
    Failure::new(Exit::Usage, texts::no_name_chosen()).with_hint(texts::give_name_to_join())
}

fn parse_name(text: &str) -> Result<UserName, Failure> {
    text.parse()
        .map_err(|invalid| Failure::new(Exit::Usage, texts::name_not_possible(of_invalid(invalid))))
}

/// On a terminal it is asked for twice, without echo; else it is the first line of standard input.
fn choose_password(name: Option<&UserName>) -> Result<Password, Failure> {
    let name = name.map_or("", UserName::as_str);
    let chosen = password::ask(&texts::choose_password_prompt(name))?;
    if stdin().is_terminal() && password::ask(texts::choose_password_again_prompt())? != chosen {
        return Err(Failure::new(Exit::Usage, texts::chosen_passwords_differ())
            .with_hint(texts::no_account_made()));
    }
    Ok(chosen)
}

/// What to do about an invitation that cannot be accepted.
fn with_hint(failure: Failure, name: Option<&UserName>) -> Failure {
    let Failure::Refused(refused) = &failure else { return failure };
    let name = name.map_or("NAME", UserName::as_str);
    let hint = match refused.code {
        Some(Code::InvitationUsed) => texts::join_before_log_in(name),
        Some(Code::UnknownInvitation) => texts::ask_for_another_link().to_owned(),
        _ => return failure,
    };
    Failure::refused_with_hint(refused, hint)
}

fn report(
    accepted: &Accepted,
    arguments: &JoinArguments,
    view: View,
    link: &Link,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let Accepted { user, rooms, .. } = accepted;
    if view.is_json {
        writeln!(out, "{}", object::line(&json!({"user": user, "rooms": rooms})))?;
        return Ok(());
    }
    writeln!(out, "{}", texts::joined(user))?;
    if !rooms.is_empty() {
        let names: Vec<&str> = rooms.iter().map(RoomName::as_str).collect();
        writeln!(out, "{}", texts::joined_rooms(names.join(", ")))?;
    }
    out.flush()?;
    let servers = &link.account().servers;
    if arguments.is_elsewhere && terminal::is_shown() {
        let _ = writeln!(io::stderr(), "{}", shared::note(texts::joined_elsewhere(servers)));
    }
    Ok(())
}
