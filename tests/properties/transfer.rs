//! The lines of an export, and those of the admin socket.

use chat::admin::{decode_request, decode_result, encode_request, encode_result};
use chat::transfer::{Block, Cursor, Header, Mark, Message, PasswordHash, Record, User};

use super::choices::Choices;

/// A record is one line that reads back; any other line is a record or is refused. The same holds
/// for the admin socket.
pub fn lines_read_back_as_they_were_written(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    if choices.flag() {
        return check_record(&record(&mut choices));
    }
    let line = choices.0;
    if let Ok(record) = serde_json::from_slice::<Record>(line) {
        check_record(&record);
    }
    if let Ok(request) = decode_request(line) {
        let encoded = encode_request(&request);
        assert_eq!(encoded.iter().position(|&byte| byte == b'\n'), Some(encoded.len() - 1));
        let again = decode_request(&encoded).expect("a request can be encoded again");
        assert_eq!(encode_request(&again), encoded);
    }
    let outcome = encode_result(&decode_result(line));
    assert_eq!(outcome.iter().position(|&byte| byte == b'\n'), Some(outcome.len() - 1));
    assert_eq!(encode_result(&decode_result(&outcome)), outcome);
}

fn check_record(record: &Record) {
    let line = serde_json::to_string(record).expect("a record has a line");
    assert!(!line.contains('\n'), "{line:?} is one line");
    let again: Record = serde_json::from_str(&line).expect("it is understood");
    assert_eq!(again, *record, "{line}");
    if let (Record::Message(one), Record::Message(other)) = (record, again) {
        // The substitute key of a message must be the same every time.
        assert_eq!(one.key_of_content(), other.key_of_content());
    }
}

fn record(choices: &mut Choices<'_>) -> Record {
    let moment = |choices: &mut Choices<'_>| choices.flag().then(|| choices.moment());
    match choices.below(6) {
        0 => Record::Header(Header {
            format: choices.text(),
            version: choices.number() as u32,
            newest: choices.id(),
        }),
        1 => Record::User(User {
            name: choices.name(),
            display_name: choices.text(),
            created_at: choices.moment(),
            disabled_at: moment(choices),
            deleted_at: moment(choices),
            receipts_off: choices.flag(),
            status: Default::default(),
            invisible: choices.flag(),
            password: choices
                .flag()
                .then(|| PasswordHash { hash: choices.text(), is_published: choices.flag() }),
        }),
        2 => Record::Cursor(Cursor {
            user: choices.name(),
            cursor: choices.cursor(),
            upto: choices.id(),
            moved_at: choices.moment(),
        }),
        4 => Record::Block(Block {
            user: choices.name(),
            blocked: choices.name(),
            after: choices.id(),
            at: choices.moment(),
        }),
        3 => Record::Mark(Mark {
            user: choices.name(),
            with: choices.name().into(),
            upto: choices.id(),
            moved_at: choices.moment(),
        }),
        _ => {
            let chat::model::Message { id, at, from, body, details, .. } = choices.message();
            let to = choices.name();
            let key = choices.flag().then(|| choices.key());
            let dead = choices.many(3, Choices::cursor);
            let to = chat::model::MailboxName::from(to);
            let dead_for = Vec::new();
            Record::Message(Message { id, at, from, to, body, details, key, dead, dead_for })
        }
    }
}
