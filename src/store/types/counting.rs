//! How far a count of unread messages looks into rooms. Every engine divides the work in the same
//! way.

use crate::model::MessageId;

/// A count looks at so many messages of one room at most.
pub const ROOM_UNREAD_MAX: usize = if cfg!(test) { 8 } else { 1_000 };
/// A count looks at so many messages of all rooms together. It goes on only in rooms where it found
/// none that is unread, and looks at one message of each room at least.
pub const ROOMS_UNREAD_MAX: usize = if cfg!(test) { 12 } else { 2_048 };

/// What a count has found in a room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::store) struct Tally {
    /// How many messages it has looked at.
    pub(in crate::store) looked_at: usize,
    /// The last of them.
    pub(in crate::store) upto: Option<MessageId>,
    /// The room has more messages after it.
    pub(in crate::store) more: bool,
    /// How many are unread, and how many of these mention the reader.
    pub(in crate::store) count: usize,
    pub(in crate::store) mentions: usize,
    /// The first and the last unread one.
    pub(in crate::store) ends: Option<(MessageId, MessageId)>,
}

impl Tally {
    /// Notes that the count has looked at a message.
    pub(in crate::store) fn look_at(&mut self, id: MessageId) {
        (self.looked_at, self.upto) = (self.looked_at + 1, Some(id));
    }

    /// Notes that a message is unread.
    pub(in crate::store) fn add(&mut self, id: MessageId, is_mention: bool) {
        (self.count, self.mentions) = (self.count + 1, self.mentions + usize::from(is_mention));
        self.ends = Some((self.ends.map_or(id, |(first, _)| first), id));
    }

    /// Adds what a look at the messages after `upto` has found.
    #[cfg(any(feature = "postgres", test))]
    pub(in crate::store) fn append(&mut self, next: &Self) {
        self.looked_at += next.looked_at;
        self.upto = next.upto.or(self.upto);
        self.more = next.more;
        (self.count, self.mentions) = (self.count + next.count, self.mentions + next.mentions);
        let newest = next.ends.map(|(_, newest)| newest);
        self.ends = match (self.ends, newest) {
            (Some((first, _)), Some(newest)) => Some((first, newest)),
            (ends, _) => ends.or(next.ends),
        };
    }

    /// As [`Conversation`](super::conversations::Conversation) has it: how many messages are unread,
    /// whether there may be more, and how many mention the reader.
    pub(in crate::store) fn figures(&self) -> (usize, bool, usize) {
        (self.count, self.more && self.count > 0, self.mentions)
    }
}

/// Counts in `rooms` rooms. `look` is called for some of them: it looks at up to so many messages
/// more of each, after those that the tally has. First all rooms get the same part of
/// [`ROOMS_UNREAD_MAX`]. Then rooms with more messages share what the others left. Those where
/// nothing was found yet get [`ROOM_UNREAD_MAX`]: a reader's own posts must not hide the answers.
pub(in crate::store) fn count_in_turns<E>(
    rooms: usize,
    mut look: impl FnMut(&[usize], usize, &mut [Tally]) -> Result<(), E>,
) -> Result<Vec<Tally>, E> {
    let mut tallies = vec![Tally::default(); rooms];
    let mut open: Vec<usize> = (0..rooms).collect();
    let mut share = (ROOMS_UNREAD_MAX / rooms.max(1)).clamp(1, ROOM_UNREAD_MAX);
    let mut of_each = 0;
    for turn in [Turn::Shared, Turn::Rest, Turn::NothingFound] {
        match turn {
            Turn::Shared => {}
            Turn::Rest => {
                open.retain(|&room| tallies[room].more);
                let looked_at: usize = tallies.iter().map(|tally| tally.looked_at).sum();
                let left = ROOMS_UNREAD_MAX.saturating_sub(looked_at);
                share = (left / open.len().max(1)).min(ROOM_UNREAD_MAX - of_each);
            }
            Turn::NothingFound => {
                open.retain(|&room| tallies[room].more && tallies[room].count == 0);
                share = ROOM_UNREAD_MAX - of_each;
            }
        }
        if open.is_empty() || share == 0 {
            continue;
        }
        look(&open, share, &mut tallies)?;
        of_each += share;
    }
    Ok(tallies)
}

enum Turn {
    Shared,
    Rest,
    NothingFound,
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// Rooms with so many messages, of which those after the first few are unread.
    fn counted(rooms: &[(usize, usize)]) -> Vec<(usize, usize, bool)> {
        let look = |open: &[usize], share: usize, tallies: &mut [Tally]| {
            for &room in open {
                let (messages, own) = rooms[room];
                let mut found = Tally::default();
                let begin = tallies[room].looked_at;
                for place in begin..messages.min(begin + share) {
                    let id = MessageId(place as i64 + 1);
                    found.look_at(id);
                    if place >= own {
                        found.add(id, false);
                    }
                }
                found.more = messages > begin + share;
                tallies[room].append(&found);
                let first = (own < tallies[room].looked_at).then_some(MessageId(own as i64 + 1));
                assert_eq!(tallies[room].ends, first.zip(tallies[room].upto));
            }
            Ok::<_, Infallible>(())
        };
        let Ok(tallies) = count_in_turns(rooms.len(), look);
        tallies.iter().map(|tally| (tally.looked_at, tally.count, tally.more)).collect()
    }

    #[test]
    fn few_rooms_are_counted_up_to_the_limit_of_a_room() {
        assert_eq!(counted(&[]), []);
        assert_eq!(counted(&[(9, 0)]), [(8, 8, true)]);
        assert_eq!(counted(&[(8, 0), (3, 0)]), [(8, 8, false), (3, 3, false)]);
    }

    #[test]
    fn rooms_share_what_small_ones_leave() {
        let expected = [(0, 0, false), (1, 1, false), (5, 5, true), (5, 5, true)];
        assert_eq!(counted(&[(0, 0), (1, 0), (50, 0), (50, 0)]), expected);
        assert_eq!(counted(&[(50, 0); 4]), [(3, 3, true); 4]);
    }

    #[test]
    fn each_of_many_rooms_is_looked_at() {
        assert_eq!(counted(&[(3, 0); 30]), [(1, 1, true); 30]);
    }

    #[test]
    fn ones_own_posts_hide_no_answer_before_the_limit_of_a_room() {
        let found = counted(&[(50, 7), (50, 0), (50, 0), (50, 0)]);
        assert_eq!(found, [(8, 1, true), (3, 3, true), (3, 3, true), (3, 3, true)]);
        assert_eq!(counted(&[(50, 20)]), [(8, 0, true)]);
    }
}
