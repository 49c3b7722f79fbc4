//! The layering that ARCHITECTURE.md promises, read off the source text: who uses whom, where SQL
//! and sockets may stand, and that every file says what it owns.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module of the crate may use of the others.
const LAYERS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("queue", &[]),
    ("protocol", &["model"]),
    ("store", &["model", "queue"]),
    ("service", &["model", "queue", "protocol", "store"]),
    ("server", &["model", "protocol", "service"]),
    ("client", &["model", "protocol"]),
];

/// Names that may stand in some modules only.
const CONFINED: &[(&[&str], &[&str])] = &[
    (&["rusqlite", "r2d2", "r2d2_sqlite", "rusqlite_migration"], &["store"]),
    (&["mio", "TcpStream", "TcpListener", "UdpSocket"], &["server", "client", "bin"]),
    // `std::net` as a whole: addresses too.
    (&["net"], &["server", "client", "bin"]),
    // The protocol is a pure function of bytes: no clock and no thread.
    (
        &["Instant", "SystemTime", "thread"],
        &["model", "queue", "store", "service", "server", "client", "bin"],
    ),
    (&["unsafe"], &[]),
];

/// How SQL begins, in the capitals that the source writes it in.
const SQL: &[&str] = &[
    "SELECT ",
    "INSERT INTO ",
    "DELETE FROM ",
    "PRAGMA ",
    "CREATE TABLE ",
    "CREATE VIEW ",
    "CREATE INDEX ",
    "BEGIN IMMEDIATE",
    "ROLLBACK",
    "SAVEPOINT ",
];

/// Names that say nothing about what a file is for.
const EMPTY_NAMES: &[&str] = &["util", "utils", "helper", "helpers", "common", "manager", "misc"];

#[test]
fn every_module_uses_only_what_is_below_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = rust_files(&root.join("src"));
    assert!(files.len() > 40, "the source is found: {} files", files.len());
    let mut modules = BTreeSet::new();
    let mut found = Vec::new();
    for file in files {
        let path = file.strip_prefix(root).unwrap().to_str().unwrap();
        modules.insert(module_of(path).to_owned());
        found.extend(violations(path, &fs::read_to_string(&file).unwrap()));
    }
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
    let expected: BTreeSet<String> =
        LAYERS.iter().map(|(module, _)| *module).chain(["bin", "lib"]).map(str::to_owned).collect();
    assert_eq!(modules, expected, "every module has its place in the layers");
}

#[test]
fn every_file_says_at_its_top_what_it_owns() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut silent = Vec::new();
    for file in rust_files(&root.join("src")).into_iter().chain(rust_files(&root.join("tests"))) {
        if !fs::read_to_string(&file).unwrap().starts_with("//! ") {
            silent.push(file);
        }
    }
    assert!(silent.is_empty(), "without //! at the top: {silent:?}");
}

/// A check that finds nothing may be blind.
#[test]
fn what_breaks_the_layering_is_found_with_its_line() {
    for (path, source, expected) in [
        (
            "src/protocol/x.rs",
            "\nuse crate::store::Store;",
            "src/protocol/x.rs:2: protocol uses store",
        ),
        (
            "src/store/x.rs",
            "use crate::{\n  model::X,\n  protocol::Y};",
            "src/store/x.rs:3: store uses protocol",
        ),
        (
            "src/service.rs",
            "fn f() { crate::server::run(); }",
            "src/service.rs:1: service uses server",
        ),
        (
            "src/client/a/b.rs",
            "use super::super::super::store;",
            "src/client/a/b.rs:1: client uses store",
        ),
        ("src/server/x.rs", "/* a */ use rusqlite::Row;", "src/server/x.rs:1: rusqlite"),
        ("src/service/x.rs", "\n\nuse std::net::IpAddr;", "src/service/x.rs:3: net"),
        ("src/client/x.rs", "let sql = \"SELECT 1\";", "src/client/x.rs:1: SQL"),
        ("src/bin/x.rs", "let sql = r#\"\n PRAGMA x\"#;", "src/bin/x.rs:2: SQL"),
        ("src/protocol/x.rs", "let now = Instant::now();", "src/protocol/x.rs:1: Instant"),
        ("src/store/x.rs", "unsafe { f() }", "src/store/x.rs:1: unsafe"),
        ("src/client/utils.rs", "", "src/client/utils.rs:1: the name"),
    ] {
        let found = violations(path, source);
        assert_eq!(found.len(), 1, "{source:?}: {found:?}");
        assert!(found[0].starts_with(expected), "{found:?} is not {expected}");
    }
    for (path, source) in [
        ("src/protocol/x.rs", "use crate::model::X; // crate::store, rusqlite and SELECT x"),
        (
            "src/protocol/x.rs",
            "/* /* crate::store */ std::net */ let a = '\"'; let b = \"crate::store\";",
        ),
        ("src/protocol.rs", "/// [`crate::server`]\nuse super::model::X; fn f<'a>(x: &'a str) {}"),
        ("src/store/x.rs", "use rusqlite::Row; let sql = \"SELECT 1\";"),
        ("src/bin/x.rs", "use std::net::TcpListener; use chat::store::Store;"),
        ("src/service/x.rs", "use super::super::store; use crate::protocol::{reply, json};"),
    ] {
        assert_eq!(violations(path, source), [""; 0], "{source:?}");
    }
}

/// What in `source` breaks a rule, each with its file and line.
fn violations(path: &str, source: &str) -> Vec<String> {
    let module = module_of(path);
    let Source { code, texts } = read(source);
    let mut found = Vec::new();
    let mut report = |line: usize, what: String| found.push(format!("{path}:{line}: {what}"));
    if EMPTY_NAMES.contains(&path.rsplit('/').next().unwrap().trim_end_matches(".rs")) {
        report(1, "the name says nothing about what the file is for".to_owned());
    }
    let below = LAYERS.iter().find(|(layer, _)| *layer == module).map(|(_, below)| *below);
    for (line, used) in used_modules(path, &code) {
        if below.is_some_and(|below| used != module && !below.contains(&used.as_str())) {
            report(line, format!("{module} uses {used}"));
        }
    }
    for (at, word) in words(&code) {
        for (names, homes) in CONFINED {
            // `net` only as `std::net`.
            let meant = word != "net" || code[..at].ends_with("std::");
            if names.contains(&word) && meant && !homes.contains(&module) && module != "lib" {
                report(line_of(&code, at), format!("{word} may stand in {homes:?} only"));
            }
        }
    }
    if module != "store" {
        for (line, text) in texts {
            for (offset, text) in text.lines().enumerate() {
                if SQL.iter().any(|sql| text.contains(sql)) {
                    report(line + offset, format!("SQL outside the store: {text:?}"));
                }
            }
        }
    }
    found
}

/// `src/store/file.rs` and `src/store.rs` are of `store`.
fn module_of(path: &str) -> &str {
    let path = path.strip_prefix("src/").unwrap_or(path);
    path.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The modules of the crate's root that are named in `code`, and the lines they are named in.
fn used_modules(path: &str, code: &str) -> Vec<(usize, String)> {
    let is_module = |word: &str| LAYERS.iter().any(|(module, _)| *module == word);
    let depth = path.trim_start_matches("src/").split('/').count();
    let mut used = Vec::new();
    for (at, word) in words(code) {
        let after = at + word.len();
        let roots = match word {
            "crate" => code[after..].starts_with("::").then_some(after + 2),
            // As many steps up as there are lead to the root.
            "super" if !code[..at].ends_with("super::") => {
                let supers = code[at..].split("::").take_while(|step| *step == "super").count();
                (supers >= depth).then_some(at + supers * "super::".len())
            }
            _ => None,
        };
        for at in roots.into_iter().flat_map(|begin| first_steps(code, begin)) {
            if let Some((offset, name)) = words(&code[at..]).next().filter(|word| is_module(word.1))
            {
                used.push((line_of(code, at + offset), name.to_owned()));
            }
        }
    }
    used
}

/// Where the first steps of a path begin: one, or as many as a group in braces has.
fn first_steps(code: &str, begin: usize) -> Vec<usize> {
    if !code[begin..].starts_with('{') {
        return vec![begin];
    }
    let mut steps = vec![begin + 1];
    let mut depth = 0;
    for (offset, character) in code[begin..].char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => steps.push(begin + offset + 1),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    steps
}

/// The words of `code`, each with its place.
fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    code.split(move |character| !is_word(character))
        .filter(|word| !word.is_empty())
        .map(|word| (word.as_ptr() as usize - code.as_ptr() as usize, word))
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// Source text with its comments and its texts taken apart.
struct Source {
    /// Blanks in place of comments and of what stands in quotes; every line where it was.
    code: String,
    /// What stands in quotes, with the line it begins in.
    texts: Vec<(usize, String)>,
}

fn read(source: &str) -> Source {
    let bytes = source.as_bytes();
    let mut code = String::new();
    let mut texts = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &source[at..];
        let in_word = code.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        let (length, text) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), None)
        } else if rest.starts_with("/*") {
            (block_comment(rest), None)
        } else if let Some((begin, end)) = raw_text(rest).filter(|_| !in_word) {
            let closing = begin - 1;
            (end + closing - usize::from(rest.starts_with("br")), Some(&rest[begin..end]))
        } else if rest.starts_with('"') {
            let end = quoted(rest);
            (end + 1, Some(&rest[1..end]))
        } else if let Some(length) = character_literal(rest) {
            (length, None)
        } else {
            let character = rest.chars().next().unwrap();
            code.push(character);
            at += character.len_utf8();
            continue;
        };
        if let Some(text) = text {
            texts.push((line_of(source, at), text.to_owned()));
        }
        let length = length.min(rest.len());
        code.push(' ');
        code.extend(rest[..length].matches('\n'));
        at += length;
    }
    Source { code, texts }
}

/// How long the comment at the beginning of `rest` is; they nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        match rest.as_bytes().get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// Where the text of a raw string at the beginning of `rest` begins and ends.
fn raw_text(rest: &str) -> Option<(usize, usize)> {
    let marks = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = marks.len() - marks.trim_start_matches('#').len();
    marks[hashes..].starts_with('"').then_some(())?;
    let begin = rest.len() - marks.len() + hashes + 1;
    let closing = format!("\"{}", "#".repeat(hashes));
    let end = rest[begin..].find(&closing).map_or(rest.len(), |end| begin + end);
    Some((begin, end))
}

/// Where the quote is that ends the text at the beginning of `rest`.
fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at,
            _ => {}
        }
    }
    rest.len()
}

/// How long a character in quotes is; `None` for a lifetime.
fn character_literal(rest: &str) -> Option<usize> {
    let mut characters = rest.strip_prefix('\'')?.char_indices();
    let (_, first) = characters.next()?;
    if first == '\\' {
        // The character after the backslash may be a quote itself.
        let escaped = rest.char_indices().skip(3).find(|(_, character)| *character == '\'');
        return escaped.map(|(at, _)| at + 1);
    }
    let (end, second) = characters.next()?;
    (second == '\'').then_some(end + 2)
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
