//! What a hook makes of a body. Programs do not know the limits of a message: what is too long is
//! cut, and what cannot be had beside the text is left out, so that an alert arrives.

use crate::model::{BODY_BYTES_MAX, Click, Details, TITLE_BYTES_MAX, Title};

/// What stands where a text was cut.
const CUT: &str = "…";

/// A message that came to a hook.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) text: String,
    pub(super) details: Details,
}

impl Incoming {
    /// A message with this text, without the white space around it.
    pub(super) fn new(text: &str, details: Details) -> Self {
        Self { text: cut(text.trim(), BODY_BYTES_MAX), details }
    }
}

/// A title, on one line.
pub(super) fn title(text: &str) -> Option<Title> {
    let line: Vec<&str> = text.split(|c: char| c.is_control() || c == ' ').collect();
    let line = line.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    cut(&line, TITLE_BYTES_MAX).parse().ok()
}

/// The first of these URLs that a message can have.
pub(super) fn click<'a>(urls: impl IntoIterator<Item = Option<&'a String>>) -> Option<Click> {
    urls.into_iter().flatten().find_map(|url| url.parse().ok())
}

fn cut(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let kept = text.floor_char_boundary(max - CUT.len());
    format!("{}{CUT}", &text[..kept])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        let long = "猫".repeat(BODY_BYTES_MAX);
        let Incoming { text, .. } = Incoming::new(&long, Details::default());
        assert!(text.len() <= BODY_BYTES_MAX && text.len() > BODY_BYTES_MAX - 6);
        assert!(text.ends_with("猫…"));
        let title = title(&long).expect("a title");
        assert!(title.as_str().len() <= TITLE_BYTES_MAX && title.as_str().ends_with("猫…"));
        assert_eq!(Incoming::new(" hai\n", Details::default()).text, "hai");
    }

    #[test]
    fn title_is_one_line_and_a_link_is_one_that_a_message_can_have() {
        assert_eq!(title("\u{1b}[FIRING:1]\n  disk ").unwrap().as_str(), "[FIRING:1] disk");
        assert_eq!(title(" \n "), None);
        let urls = ["", "javascript:x", "https://a.example", "https://b.example"];
        let urls = urls.map(str::to_owned);
        let found = click(urls.iter().map(Some)).unwrap();
        assert_eq!(found.as_str(), "https://a.example");
        assert_eq!(click([None, Some(&urls[1])]), None);
    }
}
