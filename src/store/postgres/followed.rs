//! The readers whose cursor `inbox` somebody at this node follows. Other nodes move it without a word
//! to this one, so the tailer looks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{MessageId, UserId};
use crate::store::events::Event;
use crate::store::postgres::error::Result;
use crate::store::postgres::session::Session;

/// The readers who are followed.
#[derive(Default)]
pub(in crate::store) struct Followed {
    readers: Mutex<HashMap<UserId, Reader>>,
}

#[derive(Default)]
struct Reader {
    followers: usize,
    /// Where the cursor was last seen; `None` until the first look.
    seen: Option<MessageId>,
}

/// Somebody who follows a reader. Dropping it ends that.
pub(in crate::store) struct Follower {
    followed: Arc<Followed>,
    user: UserId,
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut readers = self.followed.lock();
        let reader = readers.entry(self.user).or_default();
        reader.followers = reader.followers.saturating_sub(1);
        if reader.followers == 0 {
            readers.remove(&self.user);
        }
    }
}

impl Followed {
    /// Follows a reader from now on.
    pub(in crate::store) fn follow(self: &Arc<Self>, user: UserId) -> Follower {
        self.lock().entry(user).or_default().followers += 1;
        Follower { followed: Arc::clone(self), user }
    }

    /// The cursor was moved here at this node, or back by another one, and its followers know.
    pub(in crate::store) fn note(&self, user: UserId, upto: MessageId) {
        if let Some(reader) = self.lock().get_mut(&user) {
            reader.seen = Some(upto);
        }
    }

    /// Looks where the cursors are, and tells of those that have moved forward.
    pub(in crate::store) fn look(&self, session: &mut Session, tell: impl Fn(Event)) -> Result<()> {
        let users: Vec<i64> = self.lock().keys().map(|user| user.0).collect();
        if users.is_empty() {
            return Ok(());
        }
        let rows = session.query(
            "SELECT f.id, coalesce(c.upto_id, 0) FROM unnest($1::bigint[]) AS f (id)
               LEFT JOIN chat.cursors c ON c.user_id = f.id AND c.name = 'inbox'",
            &[&users],
        )?;
        for row in &rows {
            let (user, upto) = (UserId(row.get(0)), MessageId(row.get(1)));
            if self.has_moved(user, upto) {
                tell(Event::Read(user, None, upto));
            }
        }
        Ok(())
    }

    fn has_moved(&self, user: UserId, upto: MessageId) -> bool {
        let mut readers = self.lock();
        let Some(reader) = readers.get_mut(&user) else { return false };
        match reader.seen {
            // It may have moved since the follower asked for it.
            None => {
                reader.seen = Some(upto);
                upto > MessageId::ZERO
            }
            // The row may have been read before a move of this node.
            Some(seen) if upto <= seen => false,
            Some(_) => {
                reader.seen = Some(upto);
                true
            }
        }
    }

    /// No statement leaves these values half changed when it panics.
    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, Reader>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_that_moves_forward_is_told_once_while_it_is_followed() {
        let (followed, neko) = (Arc::<Followed>::default(), UserId(2));
        assert!(!followed.has_moved(neko, MessageId(1)));
        let (one, other) = (followed.follow(neko), followed.follow(neko));
        assert!(!followed.has_moved(neko, MessageId::ZERO));
        assert!(followed.has_moved(neko, MessageId(2)));
        assert!(!followed.has_moved(neko, MessageId(2)));
        followed.note(neko, MessageId(5));
        assert!(!followed.has_moved(neko, MessageId(4)), "the row was older");
        drop(one);
        assert!(followed.has_moved(neko, MessageId(6)));
        drop(other);
        assert!(followed.lock().is_empty());
    }
}
