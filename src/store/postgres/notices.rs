//! What a node tells the others of reading: in the notification itself, which comes once or, over a
//! broken connection, not at all.

use postgres::Notification;

use crate::model::{MailboxName, MessageId, UserId};
use crate::store::events::Event;
use crate::store::postgres::error::Result;
use crate::store::postgres::session::Session;

/// The first word of such a notification.
const READ: &str = "read";

/// What a user has read: see [`Event::Read`].
type Read<'a> = (UserId, Option<&'a MailboxName>, MessageId);

/// Tells the other nodes once the open transaction is committed.
pub(in crate::store) fn tell(
    session: &mut Session,
    node: i64,
    (user, conversation, upto): Read<'_>,
) -> Result<()> {
    let name = conversation.map_or("", |name| name.as_str());
    let text = format!("{READ} {node} {} {} {name}", user.0, upto.0);
    session.query_one("SELECT pg_notify('chat', $1)", &[&text]).map(drop)
}

/// What another node than `node` tells. `None` for every other notification.
pub(in crate::store) fn heard(notification: &Notification, node: i64) -> Option<Event> {
    parse(notification.payload(), node)
}

fn parse(text: &str, node: i64) -> Option<Event> {
    let mut words = text.splitn(5, ' ');
    let number = |word: Option<&str>| word?.parse::<i64>().ok();
    if words.next()? != READ || number(words.next())? == node {
        return None;
    }
    let (user, upto) = (UserId(number(words.next())?), MessageId(number(words.next())?));
    let conversation = match words.next()? {
        "" => None,
        name => Some(name.parse().ok()?),
    };
    Some(Event::Read(user, conversation, upto))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_other_nodes_tell_is_heard() {
        let room = Some("#build".parse().unwrap());
        let event = Event::Read(UserId(2), room, MessageId(7));
        assert_eq!(parse("read 1 2 7 #build", 3), Some(event));
        let event = Event::Read(UserId(2), None, MessageId(7));
        assert_eq!(parse("read 1 2 7 ", 3), Some(event));
        for other in ["read 3 2 7 #build", "17", "change", "seen", "read 1 2", "read 1 2 7 #"] {
            assert_eq!(parse(other, 3), None, "{other}");
        }
    }
}
