//! Wraps lines at the terminal's width. If the terminal wrapped a line, the rest would begin in its
//! first column, where it could pass for another message.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

/// Replaces a character that is wider than the terminal.
const TOO_WIDE: char = '?';

/// The text without characters wider than `columns`: with one column, a character of two becomes
/// `?`. The text must be safe to print.
pub fn fitted(line: &str, columns: usize) -> Cow<'_, str> {
    if columns > 1 || clusters(line).all(|(_, width)| width <= columns) {
        return Cow::Borrowed(line);
    }
    let mut fitted = String::new();
    for (cluster, width) in clusters(line) {
        if width <= columns { fitted.push_str(cluster) } else { fitted.push(TOO_WIDE) }
    }
    Cow::Owned(fitted)
}

/// The characters with their combining marks, and the width of each.
fn clusters(line: &str) -> impl Iterator<Item = (&str, usize)> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let mut width = rest.chars().next()?.width().unwrap_or(0);
        let mut end = rest.len();
        for (at, character) in rest.char_indices().skip(1) {
            if character.width().unwrap_or(0) > 0 {
                end = at;
                break;
            }
            // The emoji style makes a narrow symbol wide.
            width += usize::from(character == '\u{fe0f}');
        }
        let (cluster, after) = rest.split_at(end);
        rest = after;
        Some((cluster, width))
    })
}

/// Splits a line into pieces of at most `columns`, at least one piece. It splits at spaces if
/// possible, and omits those spaces. The text must be safe to print.
pub fn wrap(line: &str, columns: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = line;
    while let Some(end) = overflow(rest, columns) {
        let (mut piece, mut after) = rest.split_at(end);
        // The space itself may be the first character that does not fit.
        if !after.starts_with(' ')
            && let Some(space) = piece.trim_start_matches(' ').rfind(' ')
        {
            let indent = piece.len() - piece.trim_start_matches(' ').len();
            (piece, after) = rest.split_at(indent + space);
        }
        pieces.push(piece.trim_end_matches(' '));
        rest = after.trim_start_matches(' ');
    }
    if !rest.is_empty() || pieces.is_empty() {
        pieces.push(rest);
    }
    pieces
}

/// The start of the first character that does not fit; `None` if all fit. The first character
/// counts as fitting, so that [`wrap`] makes progress; see [`fitted`].
fn overflow(line: &str, columns: usize) -> Option<usize> {
    let mut used = 0;
    let mut begin = 0;
    for (cluster, width) in clusters(line) {
        used += width;
        if used > columns && begin > 0 {
            return Some(begin);
        }
        begin += cluster.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn breaks_at_spaces_and_else_between_characters() {
        assert_eq!(wrap("one two three", 20), ["one two three"]);
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("one  two", 4), ["one", "two"]);
        assert_eq!(wrap("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
        assert_eq!(wrap("猫猫猫", 5), ["猫猫", "猫"]);
        assert_eq!(wrap("猫", 1), ["猫"]);
        assert_eq!(wrap("  indented text", 10), ["  indented", "text"]);
        assert_eq!(wrap("", 4), [""]);
    }

    #[test]
    fn marks_stay_with_their_character() {
        assert_eq!(wrap("abe\u{301}cd", 3), ["abe\u{301}", "cd"]);
        let heart = "❤\u{fe0f}";
        assert_eq!(wrap(&heart.repeat(3), 5), [heart.repeat(2), heart.to_owned()]);
    }

    proptest! {
        #[test]
        fn no_piece_is_too_wide_and_no_letter_is_lost(line in "([a-z 猫]|e\u{301}|❤\u{fe0f}){0,80}", columns in 1usize..20) {
            let line = fitted(&line, columns);
            let pieces = wrap(&line, columns);
            for piece in &pieces {
                prop_assert!(piece.width() <= columns, "{piece:?}");
            }
            let letters = |text: &str| text.chars().filter(|&letter| letter != ' ').collect::<String>();
            prop_assert_eq!(letters(&pieces.concat()), letters(&line));
        }
    }
}
