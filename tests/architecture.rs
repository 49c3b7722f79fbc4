//! The layering that ARCHITECTURE.md describes, checked against the sources.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module of the library may use of the others.
const MAY_USE: [(&str, &[&str]); 15] = [
    ("catalogue", &[]),
    ("model", &[]),
    ("queue", &[]),
    ("log", &["queue"]),
    ("completion", &["catalogue"]),
    ("configuration", &[]),
    ("protocol", &["model"]),
    ("terminal", &["model"]),
    ("transfer", &["model"]),
    ("admin", &["model", "protocol", "transfer"]),
    ("store", &["model", "queue", "transfer"]),
    ("service", &["admin", "model", "queue", "protocol", "store", "transfer"]),
    ("server", &["admin", "model", "protocol", "service"]),
    ("client", &["catalogue", "completion", "model", "protocol", "terminal"]),
    (
        "operate",
        &[
            "admin",
            "catalogue",
            "completion",
            "configuration",
            "log",
            "model",
            "protocol",
            "server",
            "service",
            "store",
            "terminal",
            "transfer",
        ],
    ),
];

/// What is one module's business: words, and where they may stand.
const AT_HOME: [(&[&str], &[&str]); 5] = [
    (&["rusqlite", "r2d2", "rusqlite_migration", "prepare_cached"], &["store"]),
    (&["mio"], &["server"]),
    (&["std::net", "TcpStream", "TcpListener"], &["server", "client", "operate"]),
    (&["argon2"], &["service"]),
    (&["toml::de", "toml::Spanned"], &["configuration"]),
];

/// A source file: the module of the library that it belongs to, and its lines of code, numbered,
/// without comments and without the tests at its end.
struct Source {
    path: PathBuf,
    module: String,
    text: String,
    lines: Vec<(usize, String)>,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(source(&root, path));
            }
        }
    }
    assert!(found.len() > 40, "the sources are found");
    found
}

fn source(root: &Path, path: PathBuf) -> Source {
    let text = fs::read_to_string(&path).unwrap();
    let inside = path.strip_prefix(root).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy();
    let module = first.trim_end_matches(".rs").to_owned();
    let code = text.lines().take_while(|line| line.trim() != "#[cfg(test)]");
    let lines = code
        .enumerate()
        .map(|(index, line)| (index + 1, line.split("//").next().unwrap_or("").to_owned()))
        .filter(|(_, line)| !line.trim().is_empty())
        .collect();
    Source { path, module, text, lines }
}

/// The modules of the library that a line names as `crate::…`, or by as many `super::` as there may
/// be: no module inside has the name of one at the top.
fn named(line: &str) -> Vec<&str> {
    let inside = |rest: &str| {
        let name = rest.split(|character: char| !character.is_alphanumeric()).next().unwrap_or("");
        MAY_USE.iter().any(|(module, _)| *module == name)
    };
    let absolute = line.match_indices("crate::");
    let above = line.match_indices("super::").filter(|(at, word)| inside(&line[at + word.len()..]));
    absolute
        .chain(above)
        .map(|(at, word)| &line[at + word.len()..])
        .map(|rest| rest.split(|character: char| !character.is_alphanumeric()).next().unwrap())
        .collect()
}

#[test]
fn modules_use_only_what_is_below_them() {
    let may_use: BTreeMap<_, _> = MAY_USE.into_iter().collect();
    for source in sources() {
        let Some(allowed) = may_use.get(source.module.as_str()) else { continue };
        for (number, line) in &source.lines {
            for used in named(line) {
                let fine = used == source.module || allowed.contains(&used) || used.is_empty();
                let place = format!("{}:{number}", source.path.display());
                assert!(fine, "{place}: {} must not use {used}", source.module);
            }
            assert!(
                !line.contains("crate::{"),
                "{}:{number}: name modules one by one",
                source.path.display()
            );
        }
    }
}

#[test]
fn every_module_of_the_library_has_its_place_in_the_layering() {
    let modules: Vec<&str> = MAY_USE.iter().map(|(module, _)| *module).collect();
    for source in sources() {
        let known = ["lib", "bin"].contains(&source.module.as_str())
            || modules.contains(&source.module.as_str());
        assert!(known, "{} is in no layer", source.path.display());
    }
}

#[test]
fn what_is_one_modules_business_is_named_nowhere_else() {
    for source in sources() {
        for (words, homes) in AT_HOME {
            if homes.contains(&source.module.as_str()) {
                continue;
            }
            for (number, line) in &source.lines {
                for word in words {
                    let place = format!("{}:{number}", source.path.display());
                    let named = line.split(|character: char| {
                        !(character.is_alphanumeric() || character == '_' || character == ':')
                    });
                    let found = named
                        .into_iter()
                        .any(|path| path == *word || path.starts_with(&format!("{word}::")));
                    assert!(!found, "{place}: {word} is the business of {homes:?}");
                }
            }
        }
    }
}

#[test]
fn sql_is_in_the_store_only() {
    let statements =
        ["SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM", "CREATE TABLE", "PRAGMA "];
    for source in sources() {
        if source.module == "store" {
            continue;
        }
        for (number, line) in &source.lines {
            let found = statements.iter().find(|statement| line.contains(**statement));
            assert!(found.is_none(), "{}:{number}: {found:?}", source.path.display());
        }
    }
}

#[test]
fn every_file_says_what_it_is_for_and_none_is_unsafe() {
    for source in sources() {
        let path = source.path.display();
        assert!(source.text.starts_with("//! "), "{path} does not say what it is for");
        let unsafe_line = source.lines.iter().find(|(_, line)| line.contains("unsafe "));
        assert!(unsafe_line.is_none(), "{path}: {unsafe_line:?}");
    }
    let manifest = include_str!("../Cargo.toml");
    assert!(manifest.contains("unsafe_code = \"forbid\""));
}
