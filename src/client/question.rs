//! Which questions are open, by the messages alone. A question is a message with the tag `ask`. So
//! every client that looks at the same messages comes to the same answer, on whatever machine.

use std::time::Duration;

use crate::model::{Details, MailboxName, Message, MessageId, Tag, Tags, UserName};

/// The tag of a question.
const QUESTION: &str = "ask";
/// The beginning of a tag that offers an answer.
const CHOICE: &str = "choice:";
/// The beginning of a tag that names who may answer in a room.
const BY: &str = "by:";
/// How long a question can be open: the longest `--timeout`.
pub const OPEN_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The most answers that a question can offer, and users that it can name, together: the other tag
/// is that of the question.
pub const CHOICES_MAX: usize = crate::model::TAGS_MAX - 1;
/// The longest offered answer, in bytes.
pub const CHOICE_BYTES_MAX: usize = crate::model::TAG_BYTES_MAX - CHOICE.len();
/// The longest name of a user whom a question can name, in bytes.
pub const BY_BYTES_MAX: usize = crate::model::TAG_BYTES_MAX - BY.len();

/// The details of a question that offers these answers. In a room only the users of `by` may answer
/// it, unless there are none. `None` if it does not fit: see [`CHOICES_MAX`] and [`BY_BYTES_MAX`].
pub fn details(choices: &[Tag], by: &[UserName]) -> Option<Box<Details>> {
    let offer = |choice: &Tag| format!("{CHOICE}{}", choice.as_str()).parse();
    let name = |user: &UserName| format!("{BY}{user}").parse();
    let tags: Vec<Tag> = std::iter::once(QUESTION.parse())
        .chain(choices.iter().map(offer))
        .chain(by.iter().map(name))
        .collect::<Result<_, _>>()
        .ok()?;
    let tags = Tags::try_from(tags).ok()?;
    Details { tags, ..Details::default() }.if_any()
}

/// Whether the message is a question.
pub fn is_question(message: &Message) -> bool {
    let details = message.details.as_ref();
    details.is_some_and(|details| details.tags.iter().any(|tag| tag.as_str() == QUESTION))
}

/// Whether a tag belongs to the question itself.
pub fn is_of_question(tag: &Tag) -> bool {
    tag.as_str() == QUESTION || tag.as_str().starts_with(CHOICE)
}

/// The answers that a question offers; none if any answer will do.
pub fn choices(question: &Message) -> Vec<&str> {
    tags_after(CHOICE, question).collect()
}

/// What stands after `begin` in the tags that begin so.
fn tags_after<'a>(begin: &'a str, message: &'a Message) -> impl Iterator<Item = &'a str> {
    let tags = message.details.iter().flat_map(|details| details.tags.iter());
    tags.filter_map(move |tag| tag.as_str().strip_prefix(begin))
}

/// Whether the user may answer a question in a room: any other member, or only those whom it names.
pub fn may_answer(question: &Message, user: &UserName) -> bool {
    let mut named = tags_after(BY, question).peekable();
    question.from != *user && (named.peek().is_none() || named.any(|name| name == user.as_str()))
}

/// The number of the offered answer that this text is, from 0. Case and white space around it do
/// not count.
pub fn chosen(question: &Message, text: &str) -> Option<usize> {
    let text = text.trim();
    choices(question).iter().position(|choice| choice.eq_ignore_ascii_case(text))
}

/// Whether the text can be an answer to the question.
fn fits(question: &Message, text: &str) -> bool {
    choices(question).is_empty() || chosen(question, text).is_some()
}

/// How a message relates to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// It answers the question.
    Answer,
    /// It would answer the question, but is none of the offered answers.
    NotOffered,
    /// It is a reply in a room, of a user whom the question does not name.
    NotAsked,
    /// It is a plain message, and this many questions are open.
    Unclear(usize),
    /// It has nothing to do with it.
    None,
}

/// How `message` relates to `question`. `conversation` has the messages between the two users, or in
/// the room, before it, in their order, as far as they are needed: the question and its replies.
pub fn relation(conversation: &[Message], question: &Message, message: &Message) -> Relation {
    match &question.to {
        MailboxName::User(asked) => relation_to_user(conversation, (question, asked), message),
        MailboxName::Room(_) => relation_in_room(conversation, question, message),
    }
}

/// In a room several people talk, so only a reply counts.
fn relation_in_room(conversation: &[Message], question: &Message, message: &Message) -> Relation {
    let mut earlier = conversation.iter().filter(|earlier| earlier.id < message.id);
    if !is_reply_in_room(question, message) || earlier.any(|it| answers_in_room(question, it)) {
        return Relation::None;
    }
    match may_answer(question, &message.from) {
        false => Relation::NotAsked,
        true if fits(question, message.body.as_str()) => Relation::Answer,
        true => Relation::NotOffered,
    }
}

/// Whether the message would answer the question in a room, if no earlier one does.
pub fn answers_in_room(question: &Message, message: &Message) -> bool {
    is_reply_in_room(question, message)
        && may_answer(question, &message.from)
        && fits(question, message.body.as_str())
}

/// A reply of another member while the question is open.
fn is_reply_in_room(question: &Message, message: &Message) -> bool {
    let reply_to = message.details.as_ref().and_then(|details| details.reply_to);
    reply_to == Some(question.id)
        && message.to == question.to
        && message.from != question.from
        && question.at >= message.at.minus(OPEN_MAX)
}

fn relation_to_user(
    conversation: &[Message],
    (question, asked): (&Message, &UserName),
    message: &Message,
) -> Relation {
    let is_for_asker = message.from == *asked && message.to == question.from;
    if !is_for_asker || message.id <= question.id {
        return Relation::None;
    }
    let open = open_before(conversation, message, (&question.from, asked));
    if !open.contains(&question.id) {
        return Relation::None;
    }
    match message.details.as_ref().and_then(|details| details.reply_to) {
        Some(id) if id != question.id => Relation::None,
        None if is_question(message) => Relation::None,
        None if open.len() > 1 => Relation::Unclear(open.len()),
        _ if fits(question, message.body.as_str()) => Relation::Answer,
        _ => Relation::NotOffered,
    }
}

/// The questions of `asker` to the user `asked` that are open when `message` comes. `conversation` is
/// as for [`relation`].
pub fn open_before(
    conversation: &[Message],
    message: &Message,
    (asker, asked): (&UserName, &UserName),
) -> Vec<MessageId> {
    let mut open: Vec<&Message> = Vec::new();
    for earlier in conversation.iter().filter(|earlier| earlier.id < message.id) {
        open.retain(|question| question.at >= earlier.at.minus(OPEN_MAX));
        if earlier.from == *asker && earlier.to == *asked && is_question(earlier) {
            open.push(earlier);
        } else if earlier.from == *asked && earlier.to == *asker {
            close(&mut open, earlier);
        }
    }
    open.retain(|question| question.at >= message.at.minus(OPEN_MAX));
    open.iter().map(|question| question.id).collect()
}

/// Removes the question that a message of the other user answers.
fn close(open: &mut Vec<&Message>, message: &Message) {
    let answered = match message.details.as_ref().and_then(|details| details.reply_to) {
        Some(id) => open.iter().position(|question| question.id == id),
        None if is_question(message) => None,
        None => (open.len() == 1).then_some(0),
    };
    if let Some(place) = answered
        && fits(open[place], message.body.as_str())
    {
        open.remove(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    /// A message of `from` to the other of paff and neko, at this second.
    fn message(id: i64, from: &str, second: i64, body: &str, details: &str) -> Message {
        Message {
            id: MessageId(id),
            at: Timestamp(second * 1_000),
            from: from.parse().unwrap(),
            to: if from == "paff" { "neko" } else { "paff" }.parse().unwrap(),
            body: body.parse().unwrap(),
            details: Details::from_json(details).unwrap().if_any(),
        }
    }

    fn question(id: i64) -> Message {
        message(id, "paff", 100, "go?", r#"{"tags":["ask"]}"#)
    }

    fn plain(id: i64) -> Message {
        message(id, "neko", 101, "yes", "{}")
    }

    fn reply(id: i64, to: i64) -> Message {
        message(id, "neko", 101, "yes", &format!(r#"{{"reply_to":{to}}}"#))
    }

    #[test]
    fn plain_message_answers_the_only_open_question() {
        let asked = [question(1)];
        assert_eq!(relation(&asked, &asked[0], &plain(2)), Relation::Answer);
        assert_eq!(relation(&asked, &asked[0], &reply(2, 1)), Relation::Answer);
        let mine = message(2, "paff", 101, "well?", "{}");
        assert_eq!(relation(&asked, &asked[0], &mine), Relation::None);
        let counter = message(2, "neko", 101, "why?", r#"{"tags":["ask"]}"#);
        assert_eq!(relation(&asked, &asked[0], &counter), Relation::None);
        let before = message(1, "neko", 99, "yes", "{}");
        assert_eq!(relation(&asked, &question(1), &before), Relation::None);
    }

    #[test]
    fn answers_to_two_open_questions_cannot_be_swapped() {
        let asked = [question(1), question(2)];
        for own in &asked {
            assert_eq!(relation(&asked, own, &plain(3)), Relation::Unclear(2));
        }
        assert_eq!(relation(&asked, &asked[0], &reply(3, 1)), Relation::Answer);
        assert_eq!(relation(&asked, &asked[1], &reply(3, 1)), Relation::None);
        // Then one is left, which a plain message answers.
        let then = [question(1), question(2), reply(3, 1)];
        assert_eq!(relation(&then, &asked[0], &plain(4)), Relation::None);
        assert_eq!(relation(&then, &asked[1], &plain(4)), Relation::Answer);
        let then = [question(1), plain(2), question(3)];
        assert_eq!(relation(&then, &then[0], &plain(4)), Relation::None);
        assert_eq!(relation(&then, &then[2], &plain(4)), Relation::Answer);
    }

    #[test]
    fn offered_answers_are_the_only_ones() {
        let offer = r#"{"tags":["ask","choice:Deploy","choice:abort"]}"#;
        let asked = [message(1, "paff", 100, "go?", offer)];
        let says = |text: &str| message(2, "neko", 101, text, "{}");
        assert_eq!(relation(&asked, &asked[0], &says("why?")), Relation::NotOffered);
        assert_eq!(relation(&asked, &asked[0], &says(" deploy\n")), Relation::Answer);
        assert_eq!(chosen(&asked[0], "ABORT"), Some(1));
        assert_eq!(choices(&asked[0]), ["Deploy", "abort"]);
        // Another answer leaves it open.
        let then = [asked[0].clone(), says("why?")];
        let answer = message(3, "neko", 102, "abort", "{}");
        assert_eq!(relation(&then, &asked[0], &answer), Relation::Answer);
    }

    /// A message of `from` in the room, at this second.
    fn in_room(id: i64, from: &str, second: i64, body: &str, details: &str) -> Message {
        Message { to: "#build".parse().unwrap(), ..message(id, from, second, body, details) }
    }

    #[test]
    fn first_reply_of_another_member_answers_a_question_in_a_room() {
        let offer = r#"{"tags":["ask","choice:yes","choice:no"]}"#;
        let asked = in_room(1, "paff", 100, "go?", offer);
        let says = |id, from, text| in_room(id, from, 101, text, r#"{"reply_to":1}"#);
        let relates = |earlier: &[Message], message: &Message| relation(earlier, &asked, message);
        assert_eq!(relates(&[], &says(2, "neko", "Yes")), Relation::Answer);
        assert_eq!(relates(&[], &says(2, "neko", "why?")), Relation::NotOffered);
        for (other, what) in [
            (in_room(2, "neko", 101, "yes", "{}"), "a plain message"),
            (says(2, "paff", "yes"), "the asker's own"),
            (in_room(2, "neko", 101, "yes", r#"{"reply_to":3}"#), "to another one"),
            (message(2, "neko", 101, "yes", r#"{"reply_to":1}"#), "to the asker alone"),
        ] {
            assert_eq!(relates(&[], &other), Relation::None, "{what}");
        }
        let earlier = [asked.clone(), says(2, "neko", "why?"), says(3, "ivy", "no")];
        assert_eq!(relates(&earlier[..2], &earlier[2]), Relation::Answer);
        assert_eq!(relates(&earlier, &says(4, "neko", "yes")), Relation::None);
        let day = OPEN_MAX.as_secs() as i64;
        let late = |second| in_room(2, "neko", second, "yes", r#"{"reply_to":1}"#);
        assert_eq!(relates(&[], &late(100 + day)), Relation::Answer);
        assert_eq!(relates(&[], &late(101 + day)), Relation::None);
    }

    #[test]
    fn only_named_users_answer_a_question_in_a_room() {
        let users = ["neko", "ivy"].map(|user| user.parse().unwrap());
        let named = details(&["yes".parse().unwrap()], &users).unwrap();
        let asked = Message { details: Some(named), ..in_room(1, "paff", 100, "go?", "{}") };
        let says = |id, from| in_room(id, from, 101, "yes", r#"{"reply_to":1}"#);
        assert_eq!(relation(&[], &asked, &says(2, "robo")), Relation::NotAsked);
        let earlier = [says(2, "robo")];
        assert_eq!(relation(&earlier, &asked, &says(3, "ivy")), Relation::Answer);
        // What does not fit into the tags is refused, not left out.
        let long = |length| "x".repeat(length).parse().unwrap();
        assert!(details(&[], &[long(BY_BYTES_MAX)]).is_some());
        assert!(details(&[], &[long(BY_BYTES_MAX + 1)]).is_none());
        let choices: Vec<Tag> =
            (0..CHOICES_MAX).map(|it| it.to_string().parse().unwrap()).collect();
        assert!(details(&choices, &[]).is_some() && details(&choices, &users).is_none());
    }

    #[test]
    fn question_is_open_for_a_day() {
        let day = OPEN_MAX.as_secs() as i64;
        let old = message(1, "paff", 100, "go?", r#"{"tags":["ask"]}"#);
        let new = message(2, "paff", 100 + day, "and now?", r#"{"tags":["ask"]}"#);
        let asked = [old, new];
        let at = |second| message(3, "neko", second, "yes", "{}");
        assert_eq!(relation(&asked, &asked[1], &at(100 + day)), Relation::Unclear(2));
        assert_eq!(relation(&asked, &asked[1], &at(101 + day)), Relation::Answer);
    }
}
