//! Blocks: who takes no messages from whom, and what that hides.

use super::*;

impl Model {
    /// Whether a user blocks another one.
    pub(super) fn is_blocked_by(&self, user: &str, other: &str) -> bool {
        self.blocks.iter().any(|&(blocker, blocked)| (blocker, blocked) == (user, other))
    }

    /// Whether a user does not see a message of a room, whenever it was sent.
    pub(super) fn is_hidden_from(&self, user: &str, message: &Message) -> bool {
        message.is_in_room() && self.is_blocked_by(user, message.from)
    }

    /// The blocks as `v2_blocks` shows them.
    pub(super) fn all_blocks(&self) -> Vec<String> {
        self.blocks.iter().map(|(user, blocked)| format!("{user} {blocked}")).collect()
    }
}

impl Run {
    /// Blocks a user, or more often ends a block.
    pub(super) fn block(&mut self) {
        let (Session { user, token }, other) = (self.session(), self.user());
        let is_blocked = self.random.below(3) == 0;
        let verb = if is_blocked { "block" } else { "unblock" };
        let line = format!("{verb} {token} {}", json!({"user": other}));
        if other == user {
            return assert_eq!(self.wire.refused(line), "bad_argument");
        }
        let changed = match is_blocked {
            true => self.model.blocks.insert((user, other)),
            false => self.model.blocks.remove(&(user, other)),
        };
        let state =
            json!({"status": "OK", "user": other, "blocked": is_blocked, "changed": changed});
        assert_eq!(self.wire.done(line), state);
        let reply = self.wire.done(format!("blocks {token}"));
        let listed = reply["blocked"].as_array().unwrap().iter().map(|of| &of["user"]);
        let own = self.model.blocks.iter().filter(|(blocker, _)| *blocker == user);
        assert!(listed.eq(own.map(|(_, blocked)| blocked)), "{user}: {reply}");
    }
}
