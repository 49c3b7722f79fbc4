//! Folding: a text becomes units that are compared exactly.
//!
//! A unit is a word, or one character of a script that has no spaces between words. Case, accents,
//! and forms of compatibility (`ﬁ`, `Ａ`, `①`) make no difference. Each unit knows its place in the
//! text.

use unicode_normalization::char::{compose, decompose_compatible, is_combining_mark};

/// The most characters of a token. A longer word is found by its beginning, and then compared.
pub const TOKEN_CHARS_MAX: usize = 64;

/// The units of a text, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Units {
    /// The folded characters of all units, one unit after another.
    folded: String,
    units: Vec<Unit>,
    /// Nothing separates the next character from the last unit.
    is_touching: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unit {
    /// Its place in `folded`, in bytes.
    begin: usize,
    end: usize,
    /// Its place in the text, in characters.
    from: usize,
    to: usize,
    /// It is one character that is not part of a word.
    is_single: bool,
    /// It follows another single character, with nothing in between.
    is_joined: bool,
}

impl Units {
    /// Folds a text.
    pub fn of(text: &str) -> Self {
        let mut units = Self::default();
        for (place, character) in text.chars().enumerate() {
            if character.is_ascii() {
                units.put(character.to_ascii_lowercase(), place);
            } else {
                decompose_compatible(character, |part| units.take(part, place));
            }
        }
        units
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// Passes the tokens to `each`: the beginning of each word, each single character, and each two
    /// single characters that are joined.
    pub fn tokens(&self, mut each: impl FnMut(&str)) {
        for (index, unit) in self.units.iter().enumerate() {
            each(self.token(unit));
            if unit.is_joined {
                each(&self.folded[self.units[index - 1].begin..unit.end]);
            }
        }
    }

    /// The tokens that each text has in which these units are found, one after another. With
    /// `is_prefix`, the last unit may be the beginning of a word: it has no token here, but
    /// [`Self::prefix`].
    pub fn needed_tokens(&self, is_prefix: bool) -> Vec<String> {
        let mut tokens = Vec::new();
        let words = self.units.len() - usize::from(is_prefix && self.ends_with_word());
        for (index, unit) in self.units[..words].iter().enumerate() {
            let is_in_pair =
                unit.is_joined || self.units.get(index + 1).is_some_and(|next| next.is_joined);
            if unit.is_joined {
                tokens.push(self.folded[self.units[index - 1].begin..unit.end].to_owned());
            } else if !is_in_pair {
                tokens.push(self.token(unit).to_owned());
            }
        }
        tokens
    }

    /// The beginning of the last word, for a search by the beginnings of tokens.
    pub fn prefix(&self) -> Option<&str> {
        self.units.last().filter(|last| !last.is_single).map(|last| self.token(last))
    }

    /// Whether they are one unit, whose token tells it from all others.
    pub fn is_one_token(&self) -> bool {
        self.units.len() == 1 && self.folded.chars().count() < TOKEN_CHARS_MAX
    }

    /// Passes each place where `wanted` is found to `each`, in characters: the first, and the first
    /// after it. With `is_prefix`, the last unit may be the beginning of a word.
    pub fn find(&self, wanted: &Self, is_prefix: bool, mut each: impl FnMut(usize, usize)) {
        let Some(last) = wanted.units.len().checked_sub(1) else { return };
        let is_at = |units: &[Unit]| {
            units.iter().zip(&wanted.units).enumerate().all(|(index, (unit, wanted_unit))| {
                let (text, wanted_text) = (self.text(unit), wanted.text(wanted_unit));
                unit.is_single == wanted_unit.is_single
                    && (unit.is_joined || !wanted_unit.is_joined || index == 0)
                    && match is_prefix && index == last && !unit.is_single {
                        true => text.starts_with(wanted_text),
                        false => text == wanted_text,
                    }
            })
        };
        for units in self.units.windows(last + 1).filter(|units| is_at(units)) {
            each(units[0].from, units[last].to);
        }
    }

    fn ends_with_word(&self) -> bool {
        self.units.last().is_some_and(|last| !last.is_single)
    }

    fn text(&self, unit: &Unit) -> &str {
        &self.folded[unit.begin..unit.end]
    }

    fn token(&self, unit: &Unit) -> &str {
        let text = self.text(unit);
        text.char_indices().nth(TOKEN_CHARS_MAX).map_or(text, |(end, _)| &text[..end])
    }

    /// Takes a character that is not ASCII, or a part of its decomposition.
    fn take(&mut self, character: char, place: usize) {
        if is_invisible(character) || self.compose(character, place) {
            return;
        }
        if is_combining_mark(character) {
            if !is_letter_of_its_script(character) {
                return self.extend(place);
            }
            return self.add_to_word(character, place);
        }
        for folded in character.to_uppercase().flat_map(char::to_lowercase) {
            self.put(folded, place);
        }
    }

    /// Takes a folded character.
    fn put(&mut self, character: char, place: usize) {
        if stands_alone(character) {
            let is_joined = self.is_touching && self.units.last().is_some_and(|it| it.is_single);
            self.begin(place, true, is_joined);
            self.append(character, place);
        } else if character.is_alphanumeric() {
            self.add_to_word(character, place);
        } else {
            self.is_touching = false;
        }
    }

    fn add_to_word(&mut self, character: char, place: usize) {
        if !self.is_touching || self.units.last().is_none_or(|last| last.is_single) {
            self.begin(place, false, false);
        }
        self.append(character, place);
    }

    fn begin(&mut self, from: usize, is_single: bool, is_joined: bool) {
        let begin = self.folded.len();
        self.units.push(Unit { begin, end: begin, from, to: from + 1, is_single, is_joined });
        self.is_touching = true;
    }

    fn append(&mut self, character: char, place: usize) {
        self.folded.push(character);
        if let Some(last) = self.units.last_mut() {
            (last.end, last.to) = (self.folded.len(), place + 1);
        }
    }

    /// Adds an accent to the place of the last unit.
    fn extend(&mut self, place: usize) {
        if let Some(last) = self.units.last_mut().filter(|_| self.is_touching) {
            last.to = place + 1;
        }
    }

    /// Joins the parts of a syllable of Hangul, and a voicing mark with its kana: they are other
    /// letters, not accents. Returns whether the character was a part of the last one.
    fn compose(&mut self, character: char, place: usize) -> bool {
        if !matches!(character, '\u{3099}' | '\u{309a}' | '\u{1161}'..='\u{1175}' | '\u{11a8}'..='\u{11c2}')
        {
            return false;
        }
        let (Some(last), true) = (self.folded.chars().next_back(), self.is_touching) else {
            return false;
        };
        let Some(whole) = compose(last, character) else { return false };
        self.folded.pop();
        self.append(whole, place);
        true
    }
}

/// Characters that nobody sees, and that separate nothing.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Whether a combining mark is no accent but a letter, as the vowels of Devanagari or Thai are.
fn is_letter_of_its_script(mark: char) -> bool {
    matches!(mark, '\u{900}'..='\u{1aaf}' | '\u{1b00}'..='\u{1bff}' | '\u{a800}'..='\u{abff}'
        | '\u{11000}'..='\u{11fff}')
}

/// Characters of scripts without spaces between words, and pictures: each is a unit of its own.
fn stands_alone(character: char) -> bool {
    matches!(character,
        // Thai, Lao, Myanmar, Hangul, Khmer.
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1100}'..='\u{11ff}'
        | '\u{1780}'..='\u{17ff}'
        // Arrows, symbols and pictures.
        | '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}'
        // Radicals, kana, Bopomofo, Han, Yi, Hangul. Not the punctuation.
        | '\u{2e80}'..='\u{2fdf}' | '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{3029}'
        | '\u{3040}'..='\u{30ff}' | '\u{3100}'..='\u{31bf}' | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7ff}'
        | '\u{f900}'..='\u{faff}' | '\u{16fe0}'..='\u{1b2ff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn folded(text: &str) -> Vec<String> {
        let units = Units::of(text);
        units.units.iter().map(|unit| units.text(unit).to_owned()).collect()
    }

    #[test]
    fn case_accents_and_forms_make_no_difference() {
        for (one, other) in [
            ("CAFÉ", "cafe"),
            ("cafe\u{301}", "café"),
            ("Straße", "STRASSE"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("İstanbul", "istanbul"),
            ("ﬁle", "FILE"),
            ("Ｆｕｌｌ ①", "full 1"),
            ("co\u{ad}op\u{200b}", "coop"),
            ("한국", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{116e}\u{11a8}"),
            ("ガ", "ｶﾞ"),
            ("مُحَمَّد", "محمد"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
        for (one, other) in [("が", "か"), ("하", "한"), ("की", "क")] {
            assert_ne!(folded(one), folded(other), "{one} {other}");
        }
    }

    #[test]
    fn words_end_at_what_is_no_letter_and_characters_without_spaces_are_alone() {
        assert_eq!(folded("foo-bar_baz 3.14"), ["foo", "bar", "baz", "3", "14"]);
        assert_eq!(folded("東京tower 🎉!"), ["東", "京", "tower", "🎉"]);
        assert_eq!(folded(" \u{300}—…*\"' "), Vec::<String>::new());
    }

    #[test]
    fn tokens_are_words_characters_and_pairs() {
        let tokens = |text: &str| {
            let mut tokens = Vec::new();
            Units::of(text).tokens(|token| tokens.push(token.to_owned()));
            tokens
        };
        assert_eq!(tokens("Ab 東京 都"), ["ab", "東", "京", "東京", "都"]);
        assert_eq!(tokens(&"é".repeat(70)), ["e".repeat(64)]);
        let needed = |text: &str, is_prefix| Units::of(text).needed_tokens(is_prefix);
        assert_eq!(needed("東京都 b", false), ["東京", "京都", "b"]);
        assert_eq!(needed("a b", true), ["a"]);
        assert_eq!(needed("東", true), ["東"]);
    }

    #[test]
    fn places_are_in_characters_of_the_text() {
        let find = |text: &str, wanted: &str, is_prefix| {
            let mut found = Vec::new();
            let (text, wanted) = (Units::of(text), Units::of(wanted));
            text.find(&wanted, is_prefix, |from, to| found.push((from, to)));
            found
        };
        assert_eq!(find("ein Cafe\u{301}, ein CAFÉ", "café", false), [(4, 9), (15, 19)]);
        assert_eq!(find("deploy deployed", "deploy", false), [(0, 6)]);
        assert_eq!(find("deploy deployed", "deploy", true), [(0, 6), (7, 15)]);
        assert_eq!(find("a. b a-b", "a b", false), [(0, 4), (5, 8)]);
        assert_eq!(find("東京都 東 京", "東京", false), [(0, 2)]);
        assert_eq!(find("東京都 東 京", "京", false), [(1, 2), (6, 7)]);
    }

    proptest! {
        #[test]
        fn folded_text_is_folded_to_itself(text in "\\PC{0,20}") {
            let once = folded(&text).join(" ");
            prop_assert_eq!(folded(&once).join(" "), once);
        }

        #[test]
        fn text_has_the_tokens_that_its_units_need(text in "\\PC{0,20}") {
            let units = Units::of(&text);
            let mut tokens = Vec::new();
            units.tokens(|token| tokens.push(token.to_owned()));
            for needed in units.needed_tokens(false) {
                prop_assert!(tokens.contains(&needed), "{needed}");
            }
            for token in tokens {
                let is_good = |c: char| !c.is_ascii() || c.is_ascii_lowercase() || c.is_ascii_digit();
                prop_assert!(!token.is_empty() && token.chars().all(is_good), "{token:?}");
            }
            let mut found = Vec::new();
            units.find(&units, false, |from, to| found.push((from, to)));
            prop_assert_eq!(found.is_empty(), units.is_empty());
        }
    }
}
