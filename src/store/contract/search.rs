//! Searching: every engine finds what a look at each message finds, whatever its index has.

use std::collections::BTreeMap;

use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::{Engine, NEKO, Open, PAFF, USERS, ids, message};
use crate::model::{Details, MessageId, UserId};
use crate::search::Query;
use crate::store::{
    Actor, Alteration, Append, ChangeMessage, MessageChanged, PageBounds, Purge, ReadAround,
    SEARCHED_ROWS_MAX, SEARCHED_TEXTS_MAX, Search, SearchPage, Searched, Unreadable,
};

/// The messages of a page.
const PAGE_MESSAGES: usize = 3;

/// A message and who wrote it to whom, by their places in [`USERS`].
type Said = (usize, usize, String);

/// What is done, one step after another.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Say(Said),
    /// Deletes one of the messages.
    Delete(u8),
    /// One of the messages gets another text, or is deleted by who wrote it.
    Edit(u8, String),
    Remove(u8),
    /// Indexes all messages.
    Index,
    Reopen,
    /// Searches as this user.
    Search(usize, String),
}

/// Words of few letters, so that they are found; and any characters, so that nothing is left out.
fn text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        8 => "[abé猫東]{1,3}",
        2 => "[A-Bß ﬁ①ﾊﾞ한🎉\u{301}\u{200d}]{1,3}",
        1 => "\\PC{1,4}",
    ];
    let separator = prop_oneof![4 => Just(" "), 1 => Just("-"), 1 => Just("")];
    prop::collection::vec((word, separator), 1..6)
        .prop_map(|words| words.into_iter().map(|(word, separator)| word + separator).collect())
}

fn query() -> impl Strategy<Value = String> {
    let word = "[abAé猫東]{1,3}";
    let term = prop_oneof![
        4 => word.prop_map(|word| word),
        1 => word.prop_map(|word| format!("-{word}")),
        1 => (word, word).prop_map(|(one, other)| format!("\"{one} {other}\"")),
        1 => "[abé]{1,2}".prop_map(|word| format!("{word}*")),
        1 => Just("from:neko".to_owned()),
        1 => Just("-with:paff".to_owned()),
        1 => "[1-9]".prop_map(|id| format!("before:{id}")),
        1 => "[1-9]".prop_map(|id| format!("-after:{id}")),
    ];
    prop::collection::vec(term, 1..3).prop_map(|terms| terms.join(" "))
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let user = 0..USERS.len();
    let step = prop_oneof![
        10 => (user.clone(), user.clone(), text()).prop_map(Step::Say),
        2 => any::<u8>().prop_map(Step::Delete),
        3 => (any::<u8>(), text()).prop_map(|(place, text)| Step::Edit(place, text)),
        1 => any::<u8>().prop_map(Step::Remove),
        2 => Just(Step::Index),
        1 => Just(Step::Reopen),
        6 => (user, query()).prop_map(|(user, query)| Step::Search(user, query)),
    ];
    prop::collection::vec(step, 1..40)
}

/// Compares an engine with [`is_found`].
pub(super) fn agrees_with_a_naive_scan(open: Open, steps: &[Step]) {
    let Some(mut engine) = Engine::new(open) else { return };
    let mut log: BTreeMap<i64, Said> = BTreeMap::new();
    for step in steps {
        match step {
            Step::Say((sender, to, body)) => {
                // The body of a message is trimmed by nobody, but must not be empty.
                let sent = message(UserId(*sender as i64 + 1), &[USERS[*to]], body, None);
                let id = ids(&engine.append(sent))[0];
                log.insert(id, (*sender, *to, body.clone()));
            }
            Step::Delete(place) => {
                let count = log.len().max(1);
                let Some(id) = log.keys().copied().nth(usize::from(*place) % count) else {
                    continue;
                };
                let (ids, unread_too) = (vec![MessageId(id)], true);
                assert_eq!(engine.write(Purge { ids, unread_too }), Ok(1));
                log.remove(&id);
            }
            Step::Edit(place, body) => {
                let chosen = usize::from(*place) % log.len().max(1);
                let Some((id, said)) = log.iter_mut().nth(chosen) else { continue };
                let (body, key) = (body.parse().unwrap(), None);
                let edited = change(&engine, said.0, *id, Alteration::Edit { body, key });
                if matches!(edited, MessageChanged::Stored { .. }) {
                    said.2 = step_text(step);
                } else {
                    assert_eq!(edited, MessageChanged::TooManyEdits);
                }
            }
            Step::Remove(place) => {
                let chosen = usize::from(*place) % log.len().max(1);
                let Some((id, said)) = log.iter().nth(chosen).map(|(id, said)| (*id, said.0))
                else {
                    continue;
                };
                let removed = change(&engine, said, id, Alteration::Delete);
                assert!(matches!(removed, MessageChanged::Stored { .. }));
                log.remove(&id);
            }
            Step::Index => engine.store().index_words(),
            Step::Reopen => engine.reopen(),
            Step::Search(reader, query) => {
                let found: Vec<i64> = all(&engine, UserId(*reader as i64 + 1), query);
                let is_met = |(id, said): &(&i64, &Said)| is_found(**id, said, *reader, query);
                let expected = log.iter().rev().filter(is_met).map(|(id, _)| *id);
                assert_eq!(found, Vec::from_iter(expected), "{query} as {}", USERS[*reader]);
            }
        }
    }
    engine.store().close();
}

fn change(engine: &Engine, author: usize, id: i64, alteration: Alteration) -> MessageChanged {
    let (actor, id) = (Actor::User(UserId(author as i64 + 1)), MessageId(id));
    engine.write(ChangeMessage { actor, id, alteration, only: None }).unwrap()
}

fn step_text(step: &Step) -> String {
    match step {
        Step::Edit(_, text) => text.clone(),
        _ => String::new(),
    }
}

/// Whether the reader finds a message. It shares nothing with the search but the form of a query.
fn is_found(id: i64, (sender, to, body): &Said, reader: usize, query: &str) -> bool {
    let is_met = |term: &str| match term.split_once(':') {
        Some(("from", name)) => USERS[*sender] == name,
        Some(("with", name)) => [(*sender, *to), (*to, *sender)]
            .iter()
            .any(|&(one, other)| one == reader && USERS[other] == name),
        Some(("before", before)) => id < before.parse().unwrap(),
        Some(("after", after)) => id > after.parse().unwrap(),
        _ => has_words(body, term),
    };
    let mut rest = query;
    let mut terms = Vec::new();
    while !rest.is_empty() {
        // A phrase has one space.
        let end = match rest.starts_with('"') {
            true => rest[1..].find('"').unwrap() + 2,
            false => rest.find(' ').unwrap_or(rest.len()),
        };
        terms.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    (*sender == reader || *to == reader)
        && terms.into_iter().all(|term| match term.strip_prefix('-') {
            Some(excluded) => !is_met(excluded),
            None => is_met(term),
        })
}

/// Whether a text has a term's words one after another: as a part of the folded text that begins and
/// ends where words do.
fn has_words(body: &str, term: &str) -> bool {
    let is_prefix = term.ends_with('*');
    let (body, term) = (folded(body), folded(term));
    let Some((last, first)) = term.split_last() else { return false };
    let is_last = |word: &String| if is_prefix { word.starts_with(last) } else { word == last };
    // A character without a word around it is a word here, and `+` joins it to the one before it.
    let is_same = |word: &String, wanted: &String| {
        word == wanted || word.strip_prefix('+') == Some(wanted.as_str())
    };
    body.windows(term.len()).any(|words| {
        let (end, begin) = words.split_last().unwrap();
        (is_last(end) || is_same(end, last))
            && begin.iter().zip(first).all(|(word, wanted)| is_same(word, wanted))
    })
}

/// The words of a text: folded as a whole, and split at what is no letter.
fn folded(text: &str) -> Vec<String> {
    let visible = text.chars().filter(|it| {
        !matches!(it, '\u{200b}'..='\u{200f}' | '\u{ad}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    });
    // Hangul and kana are composed again; accents of other letters are gone.
    let is_kept = |it: &char| matches!(it, '\u{3099}' | '\u{309a}') || !is_accent(*it);
    let folded: String = visible
        .nfkd()
        .filter(is_kept)
        .flat_map(|it| {
            if is_combining_mark(it) {
                vec![it]
            } else {
                it.to_uppercase().flat_map(char::to_lowercase).collect()
            }
        })
        .nfc()
        // A voicing mark without its kana is nothing.
        .filter(|it| !matches!(it, '\u{3099}' | '\u{309a}'))
        .collect();
    let mut words: Vec<String> = Vec::new();
    let mut last = Kind::Separator;
    for character in folded.chars() {
        let kind = kind(character);
        match (last, kind) {
            (_, Kind::Separator) => {}
            (Kind::Letter, Kind::Letter) => words.last_mut().unwrap().push(character),
            (Kind::Alone, Kind::Alone) => words.push(format!("+{character}")),
            _ => words.push(character.to_string()),
        }
        last = kind;
    }
    words
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Separator,
    Letter,
    Alone,
}

fn kind(character: char) -> Kind {
    // The generated texts have these; any others are compared as letters or not at all.
    let unit = crate::search::Units::of(&character.to_string());
    let mut tokens = Vec::new();
    crate::search::Units::of(&format!("a{character}a"))
        .tokens(|token| tokens.push(token.to_owned()));
    match () {
        () if unit.is_empty() && !is_combining_mark(character) => Kind::Separator,
        () if tokens.len() == 3 => Kind::Alone,
        () => Kind::Letter,
    }
}

fn is_accent(character: char) -> bool {
    is_combining_mark(character)
        && !matches!(character, '\u{900}'..='\u{1aaf}' | '\u{1b00}'..='\u{1bff}'
            | '\u{a800}'..='\u{abff}' | '\u{11000}'..='\u{11fff}')
}

pub(super) fn search(reader: UserId, query: &str, before: MessageId) -> Search {
    let bounds = PageBounds { messages: PAGE_MESSAGES, size: usize::MAX, measure: |_| 1 };
    Search { reader, query: Query::parse(query).unwrap(), before, bounds }
}

/// One page.
fn page(engine: &Engine, reader: UserId, query: &str, before: MessageId) -> SearchPage {
    match engine.read(search(reader, query, before)) {
        Searched::Page(page) => page,
        other => panic!("{other:?}"),
    }
}

/// The ids of all messages that are found, page by page.
pub(super) fn all(engine: &Engine, reader: UserId, query: &str) -> Vec<i64> {
    let (mut found, mut before) = (Vec::new(), MessageId(i64::MAX));
    loop {
        let page = page(engine, reader, query, before);
        assert!(page.hits.len() <= PAGE_MESSAGES);
        found.extend(page.hits.iter().map(|(message, _)| message.id.0));
        match page.upto {
            Some(upto) if page.more => {
                assert!(upto < before, "{upto:?} {before:?}");
                before = upto;
            }
            _ if page.more => panic!("a page has more and no end"),
            _ => return found,
        }
    }
}

/// Has a user write `count` messages to another one.
fn say(engine: &Engine, count: usize, body: impl Fn(usize) -> String) -> Vec<i64> {
    let say = |index| ids(&engine.append(message(PAFF, &["neko"], &body(index), None)))[0];
    (0..count).map(say).collect()
}

pub(super) fn search_finds_what_is_not_indexed_yet(open: Open) {
    let Some(mut engine) = Engine::new(open) else { return };
    let mut sent = say(&engine, 3, |index| format!("Déploy {index}"));
    assert_eq!(all(&engine, NEKO, "deploy"), Vec::from_iter(sent.iter().rev().copied()));
    engine.store().index_words();
    sent.extend(say(&engine, 3, |index| format!("de\u{301}ploy {index}")));
    engine.reopen();
    for reader in [NEKO, PAFF] {
        assert_eq!(all(&engine, reader, "deploy"), Vec::from_iter(sent.iter().rev().copied()));
    }
    assert_eq!(all(&engine, UserId(3), "deploy"), [0_i64; 0]);
    engine.store().close();
}

pub(super) fn search_says_where_the_words_are(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let details = Details::from_json(r#"{"title": "Build 417", "tags": ["ci"]}"#).unwrap().if_any();
    engine
        .append(Append {
            details, ..message(PAFF, &["neko"], "the build\nfailed: 東京都", None)
        });
    for _ in 0..2 {
        for (query, body, title) in [
            ("build", &[(4, 9)][..], &[(0, 5)][..]),
            ("\"build failed\"", &[(4, 16)], &[]),
            ("fail* 京都 tag:ci", &[(10, 16), (19, 21)], &[]),
            ("417 -tag:cd", &[], &[(6, 9)]),
        ] {
            let found = page(&engine, NEKO, query, MessageId(i64::MAX));
            let [(_, matches)] = &found.hits[..] else { panic!("{query}: {found:?}") };
            assert_eq!((&matches.body[..], &matches.title[..]), (body, title), "{query}");
        }
        for query in ["-tag:ci", "\"417 the\"", "京東", "build -417"] {
            assert_eq!(all(&engine, NEKO, query), [0_i64; 0], "{query}");
        }
        engine.store().index_words();
    }
    engine.store().close();
}

pub(super) fn search_has_bounded_pages(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let body = |index: usize| format!("{} b", if index == 0 { "a" } else { "b x" });
    let count = 2 * SEARCHED_TEXTS_MAX.max(SEARCHED_ROWS_MAX);
    let sent = say(&engine, count, body);
    for is_indexed in [false, true] {
        // The index cannot tell that the words of a phrase are in another order.
        let first = page(&engine, NEKO, "\"b b\"", MessageId(i64::MAX));
        assert_eq!((first.hits.len(), first.more), (0, true));
        assert_eq!(all(&engine, NEKO, "\"b b\""), [0_i64; 0]);
        if is_indexed {
            // The index proposes the only message that can have it.
            let first = page(&engine, NEKO, "\"a b\"", MessageId(i64::MAX));
            assert_eq!((first.hits.len(), first.more), (1, false));
        }
        assert_eq!(all(&engine, NEKO, "\"a b\""), [sent[0]]);
        assert_eq!(all(&engine, NEKO, "x").len(), count - 1);
        engine.store().index_words();
    }
    engine.store().close();
}

pub(super) fn search_refuses_unknown_names(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    say(&engine, 1, |_| "a".to_owned());
    let answer = |query| engine.read(search(NEKO, query, MessageId(i64::MAX)));
    let names = vec!["nobody".parse().unwrap(), "noone".parse().unwrap()];
    assert_eq!(answer("a from:nobody -with:noone"), Searched::UnknownUsers(names));
    let unknown = Searched::UnreadableRoom("#x".parse().unwrap(), Unreadable::Unknown);
    assert_eq!(answer("a in:#x"), unknown);
    engine.store().close();
}

pub(super) fn words_of_deleted_messages_are_gone(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let sent = say(&engine, 4, |index| format!("secret{index} word"));
    engine.store().index_words();
    let ids = vec![MessageId(sent[1]), MessageId(sent[3])];
    assert_eq!(engine.write(Purge { ids, unread_too: true }), Ok(2));
    assert_eq!(all(&engine, NEKO, "word"), [sent[2], sent[0]]);
    assert_eq!(all(&engine, NEKO, "secret*"), [sent[2], sent[0]]);
    assert_eq!(all(&engine, NEKO, "secret1"), [0_i64; 0]);
    let next = say(&engine, 1, |_| "word".to_owned());
    engine.store().index_words();
    assert_eq!(all(&engine, NEKO, "word"), [next[0], sent[2], sent[0]]);
    engine.store().close();
}

pub(super) fn messages_around_an_id_are_one_page(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let sent = say(&engine, 7, |index| index.to_string());
    let around = |around, with: Option<&str>, up_to, after| {
        let bounds = |messages| PageBounds { messages, size: usize::MAX, measure: |_| 1 };
        let (reader, with) = (NEKO, with.map(|name| name.parse().unwrap()));
        let (around, bounds) = (MessageId(around), (bounds(up_to), bounds(after)));
        let found = engine.read(ReadAround { reader, around, bounds, with })?;
        let [older, newer] = [found.0, found.1].map(|page| {
            (Vec::from_iter(page.messages.iter().map(|message| message.id.0)), page.more)
        });
        Ok((older, newer))
    };
    for with in [None, Some("paff")] {
        let found = around(sent[3], with, 2, 1).unwrap();
        assert_eq!(found, ((sent[2..4].to_vec(), true), (vec![sent[4]], true)));
        let found = around(sent[0], with, 2, 9).unwrap();
        assert_eq!(found, ((vec![sent[0]], false), (sent[1..].to_vec(), false)));
    }
    assert_eq!(around(sent[3], Some("robo"), 2, 2).unwrap(), ((vec![], false), (vec![], false)));
    assert_eq!(around(sent[3], Some("nobody"), 2, 2), Err(Unreadable::Unknown));
    engine.store().close();
}
