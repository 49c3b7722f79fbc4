//! Configuration files of the client and of the server.

use std::path::Path;

use chat::configuration::{Document, Problem, Table, Value};

/// A file is accepted, or its error names a line of the file. A setting parses back from its
/// display.
pub fn settings_read_back_and_mistakes_are_in_the_file(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let read = || Document::parse(Path::new("x.toml"), text);
    let document = match read() {
        Ok(document) => document,
        Err(problem) => return check_problem(&problem, text),
    };
    check_table(&document.root, text);
    if let Err(problem) = chat::client::settings::check(document) {
        check_problem(&problem, text);
    }
    // Reading the definitions takes a hundred times as long as the rest.
    if text.starts_with("# server\n") {
        let document = read().expect("it was one before");
        for problem in chat::operate::settings::check(document).err().into_iter().flatten() {
            check_problem(&problem, text);
        }
    }
}

fn check_problem(problem: &Problem, text: &str) {
    let lines = 1 + text.bytes().filter(|&byte| byte == b'\n').count();
    assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)), "{problem}");
    assert!(problem.to_string().starts_with("x.toml:"), "{problem}");
}

fn check_table(table: &Table, text: &str) {
    let lines = 1 + text.bytes().filter(|&byte| byte == b'\n').count();
    assert!((1..=lines).contains(&table.line), "{}", table.line);
    for entry in &table.entries {
        assert!((1..=lines).contains(&entry.line), "{entry:?}");
        if matches!(entry.value, Value::Other(_)) {
            continue;
        }
        let shown = format!("key = {}\n", entry.value);
        let again = Document::parse(Path::new("y.toml"), &shown).expect("the output is TOML");
        assert_eq!(again.root.entries[0].value, entry.value, "{shown}");
    }
    for table in &table.tables {
        check_table(table, text);
    }
}
