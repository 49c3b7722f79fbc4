//! `chat-cli completions`: prints the script of a shell, and answers it. An answer contains what is
//! known quickly. It is never an error and never waits long.

use std::ffi::OsString;
use std::io::Write;

use clap::{CommandFactory, ValueHint};

use super::change;
use crate::catalogue::{client_help, command_line};
use crate::client::arguments::Arguments;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::settings::{self, Settings};
use crate::client::{local_login, verbs};
use crate::completion::cursor::Cursor;
use crate::completion::{self, CompletionsArguments, LIVE_WAIT};
use crate::model::{AT_ALL, MessageId, Token};
use crate::protocol::arguments::{Fetch, FetchFrom};
use crate::protocol::rooms::RoomInfo;

/// How many of the newest messages to search for senders.
const MESSAGES_MAX: usize = 100;

/// How many of the user's own messages to offer.
const OWN_MESSAGES_MAX: usize = 20;

/// Prints the script or the completions.
pub fn run(arguments: &CompletionsArguments, out: &mut dyn Write) -> Result<Exit, Failure> {
    let definitions = command_line::spoken(Arguments::command(), client_help::HELP);
    completion::run(arguments, definitions, live, out)?;
    Ok(Exit::Done)
}

/// The kind of values to ask the server for.
#[derive(Debug, Clone, Copy)]
enum Wanted {
    Users,
    /// The users, and the rooms that the user is in.
    UsersAndRooms,
    /// The rooms that the user is in, or all that the user can see.
    Rooms {
        mine: bool,
        /// Whether the `#` was typed. An argument that is a room needs none.
        is_hashed: bool,
    },
    Sessions,
    /// The newest messages of the user.
    OwnMessages,
}

/// The values that can stand at the cursor: from the configuration file, or from the server if it
/// answers in time.
fn live(cursor: &Cursor<'_>) -> Vec<String> {
    let Some(argument) = cursor.argument() else { return Vec::new() };
    let wanted = match (cursor.command_name(), argument.get_id().as_str()) {
        ("send" | "ask", "to") | ("history", "user") => Wanted::UsersAndRooms,
        _ if argument.get_value_hint() == ValueHint::Username => Wanted::Users,
        ("create", "room") => return Vec::new(),
        (command, "room" | "rooms") => {
            let mine = !matches!(command, "join" | "show" | "members");
            Wanted::Rooms { mine, is_hashed: cursor.typed().starts_with('#') }
        }
        ("revoke", "id") => Wanted::Sessions,
        ("edit" | "delete", "message") => Wanted::OwnMessages,
        (_, "profile") => return profiles(),
        _ => return Vec::new(),
    };
    // The words before the cursor name the server, as they do for the command itself.
    let words = ["chat-cli"].iter().chain(cursor.global_options());
    let words: Vec<OsString> = words.map(OsString::from).collect();
    let Ok(arguments) = Arguments::read(&words) else { return Vec::new() };
    let Ok(settings) = Settings::of(&arguments) else { return Vec::new() };
    completion::in_time(move |found| ask(settings, wanted, found))
}

/// The profiles of the configuration file; none if it is invalid.
fn profiles() -> Vec<String> {
    let profiles = settings::path().and_then(|path| settings::profiles(&path));
    profiles.ok().flatten().unwrap_or_default()
}

/// Asks the server and passes the values to `found`. Without an answer or a login there are no
/// values.
fn ask(settings: Settings, wanted: Wanted, found: &dyn Fn(String)) {
    let mut link = Link::new(settings.dialer(), LIVE_WAIT).acting_as(settings.user);
    let Ok((token, _)) = local_login::current(&mut link) else { return };
    let _ = match wanted {
        Wanted::Users => users(&mut link, token, found),
        Wanted::UsersAndRooms => {
            let _ = users(&mut link, token, found);
            rooms(&mut link, token, true, |info| {
                found(info.room.to_string());
                if info.everybody {
                    found(AT_ALL.to_owned());
                }
            })
        }
        Wanted::Rooms { mine, is_hashed } => rooms(&mut link, token, mine, |info| {
            found(info.room.as_str()[usize::from(!is_hashed)..].to_owned());
        }),
        Wanted::Sessions => sessions(&mut link, token, found),
        Wanted::OwnMessages => own_messages(&mut link, token, found),
    };
    local_login::end(&mut link);
}

/// All users. If the server does not tell them, those who are logged in and those who have sent
/// messages.
fn users(link: &mut Link, token: Token, found: &dyn Fn(String)) -> Result<(), Failure> {
    let reply = verbs::all_users(link, token, |users| {
        users.iter().map(|info| info.user.to_string()).for_each(found);
        Ok(())
    });
    if reply.is_ok() {
        return reply;
    }
    let reply = verbs::list(link, token)?;
    verbs::parse_list(&reply).into_iter().flatten().map(str::to_owned).for_each(found);
    let from = FetchFrom::Before(MessageId(i64::MAX));
    let newest = Fetch {
        from,
        with: None,
        thread: None,
        since: None,
        filter: Box::default(),
        limit: MESSAGES_MAX,
    };
    let page = verbs::fetch(link, token, newest)?;
    page.messages.iter().map(|message| message.from.to_string()).for_each(found);
    Ok(())
}

fn rooms(
    link: &mut Link,
    token: Token,
    mine: bool,
    found: impl Fn(&RoomInfo),
) -> Result<(), Failure> {
    verbs::all_rooms(link, token, mine, |rooms| {
        rooms.iter().for_each(&found);
        Ok(())
    })
}

fn sessions(link: &mut Link, token: Token, found: &dyn Fn(String)) -> Result<(), Failure> {
    let reply = verbs::sessions(link, token)?;
    reply.sessions.iter().map(|session| session.id.0.to_string()).for_each(found);
    Ok(())
}

/// Each with the beginning of its text.
fn own_messages(link: &mut Link, token: Token, found: &dyn Fn(String)) -> Result<(), Failure> {
    let user = verbs::whoami(link, token)?.user;
    for message in change::newest_of(link, token, &user, OWN_MESSAGES_MAX)? {
        found(format!("{}\t{}", message.id.0, change::beginning(message.body.as_str())));
    }
    Ok(())
}
