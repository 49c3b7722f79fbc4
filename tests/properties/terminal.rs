//! Text of other users, on a terminal.

use chat::client::render::wrap::wrap;
use chat::terminal::text::{visible, visible_lines};
use unicode_width::UnicodeWidthStr;

use super::choices::Choices;

/// Shown text neither acts nor hides, and is harmless to show again. Plain letters stay as they
/// are, and no wrapped line is wider than the terminal.
pub fn nothing_that_acts_or_hides_is_shown(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    // The widest character takes three columns: U+17D8.
    let columns = 3 + choices.below(100);
    let text = String::from_utf8_lossy(choices.0);
    let line = visible(&text);
    check_line(&line);
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        assert_eq!(line, text);
    }
    let lines = visible_lines(&text);
    assert!(!lines.is_empty());
    let ends = text.strip_suffix('\n').unwrap_or(&text).matches('\n').count();
    assert_eq!(lines.len(), 1 + ends, "{lines:?}");
    for line in &lines {
        check_line(line);
        let pieces = wrap(line, columns);
        assert!(!pieces.is_empty());
        for piece in &pieces {
            check_line(piece);
            assert!(piece.width() <= columns, "{piece:?} is wider than {columns}");
        }
        let letters = |text: &str| text.chars().filter(|&letter| letter != ' ').collect::<String>();
        assert_eq!(letters(&pieces.concat()), letters(line));
    }
}

fn check_line(line: &str) {
    let mut before = None;
    for character in line.chars() {
        assert!(!acts(character), "{character:?} acts, in {line:?}");
        let joins = matches!(character, '\u{200d}' | '\u{fe0e}' | '\u{fe0f}');
        assert!(!hides(character) || joins, "{character:?} hides, in {line:?}");
        // A joiner that joins nothing would be invisible.
        let joined = !joins || before.is_some_and(|before: char| !before.is_ascii_alphabetic());
        assert!(joined, "{character:?} after {before:?}, in {line:?}");
        before = Some(character);
    }
}

/// Control characters, and characters that change the direction of writing (Bidi_Control, and the
/// marks that Unicode had before).
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' | '\u{206a}'..='\u{206f}' | '\u{2028}' | '\u{2029}')
}

/// Default_Ignorable_Code_Point of Unicode's DerivedCoreProperties, and the interlinear marks.
fn hides(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}'
        | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}
