//! The examples of docs/protocol.md, run against a server: what the page says is what happens.

mod support;

use std::collections::BTreeMap;

use support::{Server, Wire};

const PAGE: &str = include_str!("../docs/protocol.md");

/// What the names in angle brackets stand for, as far as it is known.
type Names = BTreeMap<String, String>;

/// The lines of the `session` blocks, with their numbers; each block is one connection.
fn blocks() -> Vec<Vec<(usize, &'static str)>> {
    let mut blocks = Vec::new();
    let mut inside = false;
    for (index, line) in PAGE.lines().enumerate() {
        match line {
            "```session" => {
                inside = true;
                blocks.push(Vec::new());
            }
            "```" => inside = false,
            line if inside => blocks.last_mut().unwrap().push((index + 1, line)),
            _ => {}
        }
    }
    blocks
}

/// Puts what is known in the place of names.
fn fill_in(text: &str, names: &Names) -> String {
    names
        .iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("<{name}>"), value))
}

/// Whether `actual` is what `expected` says; takes note of what the names in it stand for.
fn fits(expected: &str, actual: &str, names: &mut Names) -> bool {
    let expected = fill_in(expected, names);
    let Some((before, rest)) = expected.split_once('<') else { return expected == actual };
    let Some((name, after)) = rest.split_once('>') else { return expected == actual };
    let Some(actual) = actual.strip_prefix(before) else { return false };
    let end = match after.split_once('<') {
        Some((plain, _)) => actual.find(plain),
        None => actual.strip_suffix(after).map(str::len),
    };
    let Some(end) = end else { return false };
    if !["time", "text", "version", "list"].contains(&name) {
        names.insert(name.to_owned(), actual[..end].to_owned());
    }
    fits(after, &actual[end..], names)
}

fn run(wire: &mut Wire, block: &[(usize, &str)], names: &mut Names) {
    for (number, line) in block {
        if let Some(request) = line.strip_prefix("C:") {
            wire.send(format!("{}\r\n", fill_in(request.trim_start(), names)));
        } else if let Some(expected) = line.strip_prefix("S: ") {
            let reply = String::from_utf8(wire.reply_bytes()).unwrap();
            let reply = reply.strip_suffix("\r\n\r\n").unwrap();
            assert!(
                fits(expected, reply, names),
                "docs/protocol.md, line {number}, says\n  {expected}\nand it is\n  {reply}"
            );
        } else {
            panic!("docs/protocol.md, line {number}: neither C: nor S: in {line:?}");
        }
    }
}

#[test]
fn examples_of_the_protocol_page_are_true() {
    let server = Server::start();
    let mut names = Names::new();
    let blocks = blocks();
    assert!(blocks.len() >= 16, "an example for each verb");
    for block in &blocks {
        run(&mut server.connect(), block, &mut names);
    }
}

#[test]
fn protocol_page_names_every_refusal_with_its_message() {
    use chat::protocol::refusal::Code;
    for code in Code::ALL {
        let row = format!("| `{code}` | ");
        let Some(row) = PAGE.lines().find(|line| line.starts_with(&row)) else {
            panic!("docs/protocol.md has no row for {code}");
        };
        let own_text = [Code::BadArgument].contains(code);
        assert!(own_text || row.contains(code.message()), "{row} has not {}", code.message());
    }
}

#[test]
fn protocol_page_has_a_section_for_every_verb_that_help_names() {
    let server = Server::start();
    let help = server.connect().done("help");
    for line in help["help"].as_array().unwrap() {
        let verb = line.as_str().unwrap().split(' ').next().unwrap();
        assert!(PAGE.lines().any(|line| line == format!("## {verb}")), "no section for {verb}");
    }
}
