//! Selects messages by what they carry.

use serde::{Deserialize, Serialize};

use super::{Details, Message, Priority, RoomName, Tags, UserName};

/// Which messages are wanted. Without conditions it is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Only messages of this priority and higher ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_priority: Option<Priority>,
    /// Only messages that have all of these tags.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// Only messages of this user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<UserName>,
    /// Only messages to this room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomName>,
}

impl Filter {
    /// Whether it has no condition.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the message is wanted.
    pub fn passes(&self, message: &Message) -> bool {
        let Self { min_priority, tags, sender, room } = self;
        let none = Details::default();
        let details = message.details.as_deref().unwrap_or(&none);
        min_priority.is_none_or(|least| details.priority >= least)
            && tags.iter().all(|tag| details.tags.has(tag))
            && sender.as_ref().is_none_or(|sender| *sender == message.from)
            && room.as_ref().is_none_or(|room| message.to.room() == Some(room))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MessageId, Timestamp};

    #[test]
    fn message_passes_that_meets_all_conditions() {
        let message = |details: &str| Message {
            id: MessageId(1),
            at: Timestamp(0),
            from: "paff".parse().unwrap(),
            to: "neko".parse().unwrap(),
            body: "hai".parse().unwrap(),
            details: Details::from_json(details).unwrap().if_any(),
        };
        let (plain, all) = (message("{}"), message(r#"{"priority":4,"tags":["a","b"]}"#));
        for (filter, takes_plain, takes_all) in [
            ("{}", true, true),
            (r#"{"min_priority": 1}"#, true, true),
            (r#"{"min_priority": 3}"#, true, true),
            (r#"{"min_priority": 4}"#, false, true),
            (r#"{"min_priority": 5}"#, false, false),
            (r#"{"tags": ["b"]}"#, false, true),
            (r#"{"tags": ["a", "b"]}"#, false, true),
            (r#"{"tags": ["a", "c"]}"#, false, false),
            (r#"{"sender": "paff"}"#, true, true),
            (r#"{"sender": "ivy"}"#, false, false),
            (r##"{"room": "#build"}"##, false, false),
            (r#"{"sender": "paff", "min_priority": 4, "tags": ["a"]}"#, false, true),
        ] {
            let filter: Filter = serde_json::from_str(filter).unwrap();
            assert_eq!(filter.passes(&plain), takes_plain, "{filter:?}");
            assert_eq!(filter.passes(&all), takes_all, "{filter:?}");
        }
    }

    #[test]
    fn filter_by_room_leaves_out_users_and_other_rooms() {
        let filter: Filter = serde_json::from_str(r##"{"room": "#build"}"##).unwrap();
        for (to, passes) in [("#build", true), ("#builds", false), ("build", false)] {
            let message = Message {
                id: MessageId(1),
                at: Timestamp(0),
                from: "paff".parse().unwrap(),
                to: to.parse().unwrap(),
                body: "hai".parse().unwrap(),
                details: None,
            };
            assert_eq!(filter.passes(&message), passes, "{to}");
        }
        assert!(serde_json::from_str::<Filter>(r#"{"room": "build"}"#).is_err());
    }
}
