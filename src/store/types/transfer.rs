//! Importing the records of another database, and rebuilding derived data.

use crate::model::{DisplayName, MailboxId, MessageId, RoomName};
use crate::store::operation::Write;
use crate::store::types::rooms;
use crate::transfer::{Membership, Room, Step, Taken, User};

/// The highest id that an export can contain. Every JSON reader represents it exactly.
const MESSAGE_ID_MAX: MessageId = MessageId((1 << 53) - 1);

/// Up to this id, an imported message keeps its id; above it, only if its id is the next one. So an
/// import leaves 2^52 ids below [`MESSAGE_ID_MAX`] for new messages, and the database can import
/// its own export.
pub(in crate::store) const KEPT_ID_MAX: MessageId = MessageId(1 << 52);

/// Why an import refuses this id. `None` if it does not.
pub fn refused_id(id: MessageId) -> Option<String> {
    let is_too_high = id > MESSAGE_ID_MAX;
    is_too_high.then(|| format!("the id {} is higher than {}", id.0, MESSAGE_ID_MAX.0))
}

/// Why an import refuses this user. `None` if it does not.
pub(in crate::store) fn refused_user(user: &User) -> Option<String> {
    if user.display_name.parse::<DisplayName>().is_err() {
        return Some(format!("the display name of {} is none", user.name));
    }
    // A deleted user has an empty one.
    let hash = user.password.as_ref().map_or("", |password| &password.hash);
    let is_hash = hash.bytes().all(|byte| byte.is_ascii_graphic());
    (!is_hash).then(|| format!("the password hash of {} is none", user.name))
}

/// Why an import refuses this room. `None` if it does not.
pub(in crate::store) fn refused_room(room: &Room) -> Option<String> {
    let may_be = room.room.is_of_everybody() && !room.private && room.archived_at.is_none();
    (room.everybody && !may_be).then(|| format!("{} cannot be the room of everybody", room.room))
}

/// Why an import refuses a room whose name another one has.
pub(in crate::store) fn another_room(name: &RoomName) -> String {
    format!("there is another room {name}, which was created at another time")
}

/// What becomes of an imported membership beside those that the user has of the room. `None` if it
/// comes after all of them, so that it is stored.
pub(in crate::store) fn overlap(
    there: impl IntoIterator<Item = rooms::Membership>,
    imported: &Membership,
) -> Option<Taken> {
    let mut taken = None;
    for of in there {
        if (of.joined_after, of.sees_after) == (imported.joined_after, imported.sees_after) {
            return Some(Taken::Already);
        }
        if of.left_upto.is_none_or(|left| left > imported.joined_after) {
            taken = Some(Taken::Left);
        }
    }
    taken
}

/// Executes the steps in order, in one transaction, up to the first step that it must refuse. A
/// step may be repeated: existing data is recognised by id and content, or by key. An inbox may
/// exceed its limit. Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct Import {
    /// The steps.
    pub steps: Vec<Step>,
    /// The password hash for users that come without one. No password matches it.
    pub locked: &'static str,
}

impl Write for Import {
    type Answer = Imported;

    fn text_bytes(&self) -> usize {
        let bytes = self.steps.iter().map(|step| match step {
            Step::Message(message) => {
                message.body.as_str().len()
                    + message.details.as_ref().map_or(0, |details| details.text_bytes())
            }
            _ => 0,
        });
        bytes.sum()
    }
}

/// The result of [`Import`].
#[derive(Debug, Clone, Default)]
pub struct Imported {
    /// The result of each step, up to the first refused one.
    pub taken: Vec<Taken>,
    /// Why the next step was refused. The steps after it were not executed.
    pub refused: Option<String>,
    /// The users who have a new message.
    pub recipients: Vec<MailboxId>,
}

/// Rebuilds one part of the derived data. The answer is the part's name, or `None` if there are no
/// more parts. Other writes wait: an index takes some seconds for a million messages. Durable when
/// the answer comes.
#[derive(Debug, Clone, Copy)]
pub struct Rebuild {
    /// The number of the part, from 0.
    pub part: usize,
}

impl Write for Rebuild {
    type Answer = Option<String>;
}
