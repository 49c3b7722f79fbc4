//! The query language, and whether a text meets a query.

use std::fmt;

use super::fold::Units;
use crate::model::{Details, MessageId, RoomName, Tag, Timestamp, UserName};

/// The longest query, in bytes.
pub const QUERY_BYTES_MAX: usize = 1_024;
/// The most terms of a query.
pub const TERMS_MAX: usize = 32;
/// The most places in one text that are reported.
const MATCHES_MAX: usize = 64;

/// A query. A message meets it if it meets all terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// One term or more.
    pub terms: Vec<Term>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The message must not meet it.
    pub is_excluded: bool,
    /// The condition.
    pub wanted: Wanted,
}

/// What a message must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// These words one after another, in the text or in the title.
    Text(Text),
    /// `from:USER`: this sender.
    From(UserName),
    /// `with:USER`: the searching user and this one wrote it to each other.
    With(UserName),
    /// `in:#ROOM`: this room.
    In(RoomName),
    /// `tag:TAG`
    Tag(Tag),
    /// `before:ID`, `before:DATE`: an earlier place in the message log.
    Before(Place),
    /// `after:ID`, `after:DATE`: a later place, or a time from this one on.
    After(Place),
}

/// Words one after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// One unit or more.
    pub units: Units,
    /// The last one may be the beginning of a word.
    pub is_prefix: bool,
}

/// A place in the message log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The message with this id.
    Id(MessageId),
    /// The first moment of a day in UTC, or any other moment.
    At(Timestamp),
}

/// Where the words of a query are, in characters (Unicode code points): the first character, and
/// the first after it. In order, and without overlaps; the first 64 of each text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matches {
    /// In the text of the message.
    pub body: Vec<(usize, usize)>,
    /// In its title.
    pub title: Vec<(usize, usize)>,
}

/// Why a text is not a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {problem}")]
pub struct BadQuery {
    /// The place in the query, in characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// It has no term.
    Empty,
    /// It is longer than [`QUERY_BYTES_MAX`].
    TooLong,
    /// It has more than [`TERMS_MAX`] terms.
    TooManyTerms,
    /// A quotation mark has no partner.
    Unclosed,
    /// A term goes on after its last quotation mark, or begins before its first.
    Quote,
    /// A term has neither letters nor digits.
    NoWord,
    /// The value of a field is missing or invalid.
    Value(&'static str),
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => formatter.write_str("the query is empty"),
            Self::TooLong => write!(formatter, "the query is longer than {QUERY_BYTES_MAX} bytes"),
            Self::TooManyTerms => write!(formatter, "the query has more than {TERMS_MAX} terms"),
            Self::Unclosed => formatter.write_str("the quotation mark is not closed"),
            Self::Quote => formatter.write_str("a phrase in quotation marks is a term of its own"),
            Self::NoWord => formatter.write_str("the term has neither letters nor digits"),
            Self::Value(expected) => write!(formatter, "give {expected}"),
        }
    }
}

impl Query {
    /// Parses a query: words, `"phrases"`, `prefix*`, fields, and `-` before a term to exclude it.
    /// Another text with a colon, such as a URL, is words.
    ///
    /// # Errors
    /// See [`BadQuery`].
    pub fn parse(text: &str) -> Result<Self, BadQuery> {
        if text.len() > QUERY_BYTES_MAX {
            return Err(BadQuery { column: 1, problem: Problem::TooLong });
        }
        let mut rest = Rest { characters: text.chars().collect(), at: 0 };
        let mut terms = Vec::new();
        while rest.skip_spaces() {
            if terms.len() == TERMS_MAX {
                return Err(rest.bad(rest.at, Problem::TooManyTerms));
            }
            terms.push(rest.term()?);
        }
        match terms.is_empty() {
            true => Err(BadQuery { column: 1, problem: Problem::Empty }),
            false => Ok(Self { terms }),
        }
    }

    /// Where the words of the query are in a message. `None` if it does not meet the terms about
    /// its text, title and tags. The other terms are not looked at.
    pub fn find_in(&self, body: &str, details: Option<&Details>) -> Option<Matches> {
        let title = details.and_then(|details| details.title.as_ref());
        let has_texts = self.terms.iter().any(|term| matches!(term.wanted, Wanted::Text(_)));
        let units = |text: &str| if has_texts { Units::of(text) } else { Units::default() };
        let (body, title) = (units(body), units(title.map_or("", |title| title.as_str())));
        let mut matches = Matches::default();
        for Term { is_excluded, wanted } in &self.terms {
            let is_met = match wanted {
                Wanted::Text(text) => {
                    let before = (matches.body.len(), matches.title.len());
                    let Text { units, is_prefix } = text;
                    body.find(units, *is_prefix, |from, to| matches.body.push((from, to)));
                    title.find(units, *is_prefix, |from, to| matches.title.push((from, to)));
                    (matches.body.len(), matches.title.len()) != before
                }
                Wanted::Tag(tag) => details.is_some_and(|details| details.tags.has(tag)),
                _ => continue,
            };
            if is_met == *is_excluded {
                return None;
            }
        }
        merge(&mut matches.body);
        merge(&mut matches.title);
        Some(matches)
    }
}

/// Sorts places, and joins those that overlap.
fn merge(places: &mut Vec<(usize, usize)>) {
    places.sort_unstable();
    places.dedup_by(|next, last| {
        let overlaps = next.0 < last.1;
        if overlaps {
            last.1 = last.1.max(next.1);
        }
        overlaps
    });
    places.truncate(MATCHES_MAX);
}

/// Makes a condition of the value of a field, or says what to give.
type Field = fn(&str) -> Result<Wanted, &'static str>;

/// A query that is being parsed.
struct Rest {
    characters: Vec<char>,
    at: usize,
}

impl Rest {
    /// Whether anything follows.
    fn skip_spaces(&mut self) -> bool {
        while self.next().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
        self.at < self.characters.len()
    }

    fn next(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    fn term(&mut self) -> Result<Term, BadQuery> {
        let is_excluded = self.next() == Some('-');
        if is_excluded {
            self.at += 1;
        }
        let begin = self.at;
        let wanted = match self.field() {
            Some(field) => {
                let begin = self.at;
                let (value, _) = self.value()?;
                field(&value).map_err(|expected| self.bad(begin, Problem::Value(expected)))?
            }
            None => {
                let (text, is_prefix) = self.value()?;
                let units = Units::of(&text);
                if units.is_empty() {
                    return Err(self.bad(begin - usize::from(is_excluded), Problem::NoWord));
                }
                Wanted::Text(Text { units, is_prefix })
            }
        };
        Ok(Term { is_excluded, wanted })
    }

    /// Takes the name of a field and its colon, if there is one.
    fn field(&mut self) -> Option<Field> {
        let rest = &self.characters[self.at..];
        let name: String = rest.iter().take_while(|it| it.is_ascii_lowercase()).collect();
        if rest.get(name.len()) != Some(&':') {
            return None;
        }
        let field: Field = match name.as_str() {
            "from" => |value| value.parse().map(Wanted::From).map_err(|_| "a user"),
            "with" => |value| value.parse().map(Wanted::With).map_err(|_| "a user"),
            "in" => |value| value.parse().map(Wanted::In).map_err(|_| "a room, as in in:#build"),
            "tag" => |value| value.parse().map(Wanted::Tag).map_err(|_| "a tag"),
            "before" => |value| place(value).map(Wanted::Before),
            "after" => |value| place(value).map(Wanted::After),
            _ => return None,
        };
        self.at += name.len() + 1;
        Some(field)
    }

    /// Takes a phrase in quotation marks, or all characters up to the next space. Whether a `*`
    /// follows it.
    fn value(&mut self) -> Result<(String, bool), BadQuery> {
        let begin = self.at;
        let is_quoted = self.next() == Some('"');
        if is_quoted {
            self.at += 1;
        }
        let mut value = String::new();
        loop {
            match self.next() {
                None if is_quoted => return Err(self.bad(begin, Problem::Unclosed)),
                Some('"') if is_quoted => break,
                Some('"') => return Err(self.bad(self.at, Problem::Quote)),
                Some(other) if is_quoted || !other.is_whitespace() => value.push(other),
                _ => break,
            }
            self.at += 1;
        }
        if !is_quoted {
            let is_prefix = value.ends_with('*');
            return Ok((value, is_prefix));
        }
        self.at += 1;
        let is_prefix = self.next() == Some('*');
        if is_prefix {
            self.at += 1;
        }
        match self.next() {
            Some(other) if !other.is_whitespace() => Err(self.bad(self.at, Problem::Quote)),
            _ => Ok((value, is_prefix)),
        }
    }

    fn bad(&self, at: usize, problem: Problem) -> BadQuery {
        BadQuery { column: at + 1, problem }
    }
}

/// An id, a day or a moment.
fn place(text: &str) -> Result<Place, &'static str> {
    let expected = "an id, a day as 2026-11-30, or a time as 2026-11-30T08:00:00Z";
    let is_id = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_id {
        return text.parse().map(|id| Place::Id(MessageId(id))).map_err(|_| expected);
    }
    let day = || format!("{text}T00:00:00Z").parse();
    text.parse().or_else(|_| day()).map(Place::At).map_err(|_| expected)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(query: &str, body: &str) -> Option<Vec<(usize, usize)>> {
        Query::parse(query).unwrap().find_in(body, None).map(|matches| matches.body)
    }

    #[test]
    fn all_terms_must_be_met_and_no_excluded_one() {
        let body = "Deploy of build-417 failed: café geschlossen, 東京タワー";
        for (query, is_met) in [
            ("deploy", true),
            ("DEPLOY cafe", true),
            ("deploy missing", false),
            ("deploy -missing", true),
            ("-deploy", false),
            ("-missing", true),
            ("dep*", true),
            ("dep", false),
            ("\"of build\"", true),
            ("\"build of\"", false),
            ("\"deploy of bui\"*", true),
            ("build-417", true),
            ("417-build", false),
            ("京タ", true),
            ("東タ", false),
            ("-\"of build\"", false),
        ] {
            assert_eq!(found(query, body).is_some(), is_met, "{query}");
        }
    }

    #[test]
    fn places_are_sorted_and_do_not_overlap() {
        assert_eq!(found("b* a \"a bc\"", "a bc a").unwrap(), [(0, 4), (5, 6)]);
        assert_eq!(found("東京 京都", "東京都").unwrap(), [(0, 3)]);
        assert_eq!(found("-x", "a b").unwrap(), []);
    }

    #[test]
    fn fields_are_conditions_of_their_own() {
        let wanted = |text: &str| Query::parse(text).unwrap().terms.remove(0).wanted;
        assert_eq!(wanted("from:neko"), Wanted::From("neko".parse().unwrap()));
        assert_eq!(wanted("-with:neko"), Wanted::With("neko".parse().unwrap()));
        assert_eq!(wanted("in:#build"), Wanted::In("#build".parse().unwrap()));
        assert_eq!(wanted("tag:ci"), Wanted::Tag("ci".parse().unwrap()));
        assert_eq!(wanted("before:17"), Wanted::Before(Place::Id(MessageId(17))));
        let day = Place::At("2026-11-30T00:00:00Z".parse().unwrap());
        assert_eq!(wanted("after:2026-11-30"), Wanted::After(day));
        assert!(matches!(wanted("https://example.org/x"), Wanted::Text(_)));
        assert!(matches!(wanted("\"from:neko\""), Wanted::Text(_)));
    }

    #[test]
    fn malformed_query_is_refused_with_its_place() {
        for (query, column, said) in [
            ("", 1, "the query is empty"),
            ("  ", 1, "the query is empty"),
            ("a \"b c", 3, "the quotation mark is not closed"),
            ("é -\"b", 4, "the quotation mark is not closed"),
            ("a b\"c", 4, "a phrase in quotation marks is a term of its own"),
            ("\"a\"b", 4, "a phrase in quotation marks is a term of its own"),
            ("a -", 3, "the term has neither letters nor digits"),
            ("a **", 3, "the term has neither letters nor digits"),
            ("\"\"", 1, "the term has neither letters nor digits"),
            ("a from:", 8, "give a user"),
            ("from:Neko!", 6, "give a user"),
            ("in:build", 4, "give a room, as in in:#build"),
            ("before:monday", 8, "give an id, a day as 2026-11-30, or a time as"),
            ("after:99999999999999999999", 7, "give an id"),
        ] {
            let bad = Query::parse(query).unwrap_err();
            assert_eq!(bad.column, column, "{query:?}");
            assert!(bad.problem.to_string().starts_with(said), "{query:?}: {bad}");
        }
        let many = "a ".repeat(TERMS_MAX);
        assert_eq!(Query::parse(&many).unwrap().terms.len(), TERMS_MAX);
        let bad = Query::parse(&format!("{many}b")).unwrap_err();
        assert_eq!((bad.column, bad.problem), (2 * TERMS_MAX + 1, Problem::TooManyTerms));
        let long = "a".repeat(QUERY_BYTES_MAX + 1);
        assert_eq!(Query::parse(&long).unwrap_err().problem, Problem::TooLong);
    }

    proptest! {
        #[test]
        fn any_text_is_a_query_or_refused_with_a_place_in_it(text in ".{0,60}") {
            if let Err(bad) = Query::parse(&text) {
                prop_assert!((1..=text.chars().count() + 1).contains(&bad.column));
            }
        }

        #[test]
        fn word_of_a_text_is_found_where_it_is(
            before in "[ a-zé猫]{0,10}", word in "[a-z]{1,9}", after in "[ a-zé猫]{0,10}",
        ) {
            let body = format!("{before} {word} {after}");
            let begin = before.chars().count() + 1;
            let places = found(&format!("\"{word}\""), &body).unwrap();
            prop_assert!(places.contains(&(begin, begin + word.len())));
        }
    }
}
