//! Reads the fenced blocks of a page of the documentation, and compares them with real output.

use std::collections::BTreeMap;

/// Names in angle brackets that may stand for another text each time; any other name stands for the
/// same text everywhere.
const ANEW: [&str; 6] = ["time", "text", "version", "list", "number", "id"];

/// The known texts of the names in angle brackets.
pub type Names = BTreeMap<String, String>;

/// A fenced block.
#[derive(Clone, Debug)]
pub struct Block {
    /// The number of its first line in the page.
    pub line: usize,
    /// The first word after the fence: the language.
    pub language: String,
    /// The words after the language, as `name=value`; the value is empty without an `=`.
    pub attributes: BTreeMap<String, String>,
    /// The last line before the block that is not empty.
    pub before: String,
    /// Its contents, with a line feed at the end of every line.
    pub text: String,
}

impl Block {
    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    /// Its lines, with their numbers in the page.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (self.line..).zip(self.text.lines())
    }
}

/// The fenced blocks of a page, in their order.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_inside = false;
    let mut before = "";
    for (index, line) in page.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(_) if is_inside => {
                assert_eq!(line, "```", "line {}: a fence ends with nothing behind it", index + 1);
                is_inside = false;
            }
            Some(info) => {
                is_inside = true;
                blocks.push(block(index + 2, info, before));
            }
            None if is_inside => {
                let text = &mut blocks.last_mut().expect("a block").text;
                text.push_str(line);
                text.push('\n');
            }
            None if !line.trim().is_empty() => before = line,
            None => {}
        }
    }
    assert!(!is_inside, "the last fence is closed");
    blocks
}

fn block(line: usize, info: &str, before: &str) -> Block {
    let mut words = info.split_whitespace();
    let language = words.next().unwrap_or_default().to_owned();
    let attributes = words.map(|word| {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        (name.to_owned(), value.to_owned())
    });
    let attributes = attributes.collect();
    Block { line, language, attributes, before: before.to_owned(), text: String::new() }
}

/// Replaces names by their known texts.
pub fn fill_in(text: &str, names: &Names) -> String {
    names
        .iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("<{name}>"), value))
}

/// Whether `actual` matches `expected`; records the texts of the names.
pub fn fits(expected: &str, actual: &str, names: &mut Names) -> bool {
    let expected = fill_in(expected, names);
    let Some((before, rest)) = expected.split_once('<') else { return expected == actual };
    let Some((name, after)) = rest.split_once('>') else { return expected == actual };
    let Some(actual) = actual.strip_prefix(before) else { return false };
    let end = match after.split_once('<') {
        Some((plain, _)) => actual.find(plain),
        None => actual.strip_suffix(after).map(str::len),
    };
    let Some(end) = end else { return false };
    if !ANEW.contains(&name) {
        names.insert(name.to_owned(), actual[..end].to_owned());
    }
    fits(after, &actual[end..], names)
}
