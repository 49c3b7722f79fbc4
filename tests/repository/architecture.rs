//! The layering that ARCHITECTURE.md describes, checked against the sources.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::modules::Modules;

/// What each module of the library may use of the others.
const MAY_USE: [(&str, &[&str]); 25] = [
    ("adjustable", &[]),
    ("catalogue", &[]),
    ("model", &[]),
    ("metrics", &[]),
    ("queue", &[]),
    ("wake", &[]),
    ("log", &["metrics", "queue"]),
    ("completion", &["catalogue"]),
    ("configuration", &["catalogue"]),
    ("protocol", &["model"]),
    ("search", &["model"]),
    ("terminal", &["catalogue", "model"]),
    ("transfer", &["model"]),
    ("system", &[]),
    ("unix", &["system"]),
    ("tls", &["model"]),
    ("admin", &["model", "protocol", "system", "transfer", "unix"]),
    (
        "store",
        &["adjustable", "metrics", "model", "queue", "search", "system", "tls", "transfer", "wake"],
    ),
    (
        "service",
        &[
            "adjustable",
            "admin",
            "log",
            "metrics",
            "model",
            "queue",
            "protocol",
            "search",
            "store",
            "system",
            "transfer",
        ],
    ),
    (
        "server",
        &[
            "adjustable",
            "admin",
            "log",
            "metrics",
            "model",
            "protocol",
            "service",
            "system",
            "tls",
            "unix",
            "wake",
        ],
    ),
    ("http", &["server"]),
    ("gateway", &["adjustable", "catalogue", "http", "model", "protocol", "server", "service"]),
    (
        "monitor",
        &["http", "log", "metrics", "model", "protocol", "server", "service", "store", "system"],
    ),
    (
        "client",
        &[
            "catalogue",
            "completion",
            "configuration",
            "model",
            "protocol",
            "system",
            "terminal",
            "tls",
            "unix",
        ],
    ),
    (
        "operate",
        &[
            "adjustable",
            "admin",
            "catalogue",
            "completion",
            "configuration",
            "gateway",
            "http",
            "log",
            "model",
            "monitor",
            "protocol",
            "server",
            "service",
            "store",
            "system",
            "terminal",
            "tls",
            "transfer",
            "unix",
        ],
    ),
];

/// Words that belong to one module, and the places where they may appear.
const AT_HOME: [(&[&str], &[&str]); 16] = [
    (&["postgres::Client", "tokio_postgres"], &["store"]),
    (&["tokio", "tokio_rustls"], &["gateway", "http", "monitor", "store"]),
    (&["axum", "hyper", "hyper_util"], &["gateway", "http", "monitor"]),
    (&["schemars"], &["gateway", "model", "protocol"]),
    (&["rusqlite", "r2d2", "rusqlite_migration", "prepare_cached"], &["store"]),
    (&["mio"], &["server"]),
    (
        &["std::net", "TcpStream", "TcpListener"],
        &["server", "client", "gateway", "http", "operate", "system"],
    ),
    (&["argon2"], &["service"]),
    (&["rustls"], &["tls", "server", "client", "store"]),
    (&["x509_cert"], &["tls"]),
    (&["toml::de", "toml::Spanned"], &["configuration"]),
    (&["indicatif"], &["terminal"]),
    (&["comfy_table"], &["operate"]),
    (&["qrcode"], &["operate"]),
    (&["prometheus"], &["monitor"]),
    // Interfaces that not every system has.
    (
        &[
            "libc",
            "nix",
            "std::os::linux",
            "statx",
            "fallocate",
            "eventfd",
            "socket_peercred",
            "socket_with",
            "getrandom",
            "rustix::rand",
            "ClockId::Boottime",
            "OFlags::PATH",
        ],
        &["system"],
    ),
];

/// A source file: its module in the library, and its numbered lines of code, without comments and
/// without the tests at its end.
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

/// The modules of the library that a line names as `crate::…`, or with any number of `super::`: no
/// inner module has the name of a top one.
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
                // `sync` is the standard library's own.
                let fine = used == source.module
                    || allowed.contains(&used)
                    || ["", "sync"].contains(&used);
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

/// A child of a folder is a file and the folder of the same name. Test code does not count.
#[test]
fn no_folder_of_the_library_has_a_cycle() {
    let cycles = Modules::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).cycles();
    assert!(cycles.is_empty(), "modules use each other: {cycles:#?}");
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
fn names_that_belong_to_one_module_appear_nowhere_else() {
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
fn only_system_asks_which_system_it_runs_on() {
    let questions =
        ["target_os", "target_vendor", "target_env", "cfg(unix", "cfg(windows", "\"/proc"];
    for source in sources() {
        if source.module == "system" {
            continue;
        }
        let found = questions.iter().find(|question| source.text.contains(**question));
        assert!(found.is_none(), "{}: {found:?} belongs to src/system", source.path.display());
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

/// Secrets are not text, so they can be neither compared nor logged as text. Of the modules on a
/// request's path one hashes passwords, and one compares a new password with the published ones,
/// which are no secrets. `protocol` encodes the tokens for the client.
#[test]
fn server_sees_secrets_as_text_in_three_places() {
    let encoding =
        ["arguments.rs", "command.rs", "cookie.rs", "invitations.rs", "reply.rs", "tokens.rs"];
    let encoding = encoding.map(|file| format!("protocol/{file}"));
    let mut found = BTreeMap::new();
    for source in sources() {
        let is_on_the_way =
            ["gateway", "http", "protocol", "server", "service", "store", "monitor"]
                .contains(&source.module.as_str());
        let count = source.lines.iter().map(|(_, line)| line.matches(".reveal()").count()).sum();
        if is_on_the_way && count > 0 && !encoding.iter().any(|file| source.path.ends_with(file)) {
            found.insert(source.path, count);
        }
    }
    let found: Vec<_> = found.iter().map(|(path, count)| (path.as_path(), *count)).collect();
    let [(hashers, 1_usize), (seed, 2_usize)] = found[..] else { panic!("{found:?}") };
    assert!(hashers.ends_with("service/hashers.rs") && seed.ends_with("service/seed.rs"));
    // The only places of `protocol` that the server uses: the replies to `auth` and `token_create`, and
    // the cookie of a browser.
    for (file, expected) in
        [("reply.rs", "tokenid"), ("tokens.rs", "serialize_str"), ("cookie.rs", "LIFE_SECONDS")]
    {
        let path = format!("protocol/{file}");
        let reply = sources().into_iter().find(|source| source.path.ends_with(&path));
        let lines = reply.expect("the replies").lines;
        let revealed: Vec<_> =
            lines.iter().filter(|(_, line)| line.contains(".reveal()")).collect();
        assert!(matches!(revealed[..], [(_, line)] if line.contains(expected)), "{revealed:?}");
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
    let manifest = include_str!("../../Cargo.toml");
    assert!(manifest.contains("unsafe_code = \"forbid\""));
}

/// Code whose texts for people all come from the catalogue.
const SPEAK_BY_CATALOGUE: &[&str] = &["client", "completion", "operate", "terminal"];

/// Sentences outside the catalogue: texts on the wire, the seed's exact words, names of invisible
/// characters, and lines of the server log.
const OTHER_SENTENCES: &[&str] = &[
    "List user: ",
    "send {} {to} {text}\\n",
    "[+{} marks]",
    "chat-server listening on {}\\n",
    "chat-server metrics on {url}\\n",
    "chat-server http on {}\\n",
    "not set",
];

#[test]
fn texts_for_people_are_in_the_catalogue() {
    let mut found = Vec::new();
    for source in sources() {
        if !SPEAK_BY_CATALOGUE.contains(&source.module.as_str()) {
            continue;
        }
        for literal in literals(&source.text) {
            let is_other = OTHER_SENTENCES.contains(&literal.as_str());
            let place = source.path.display();
            if !is_other && is_sentence(&literal) {
                found.push(format!("{place}: {literal:?}"));
            }
        }
    }
    assert!(found.is_empty(), "texts in one language: {found:#?}");
}

/// Two words with a space between them are a text for people.
fn is_sentence(literal: &str) -> bool {
    let trimmed = |word: &str| {
        word.trim_matches(|character: char| {
            !character.is_alphanumeric() && !"{}".contains(character)
        })
        .to_owned()
    };
    let is_word = |word: &str| word.len() > 1 && word.chars().all(char::is_alphabetic);
    let is_value = |word: &str| word.contains('{');
    let words: Vec<String> = literal.split(' ').map(trimmed).collect();
    words.windows(2).any(|pair| {
        let [one, two] = [pair[0].as_str(), pair[1].as_str()];
        is_word(one) && (is_word(two) || is_value(two)) || is_value(one) && is_word(two)
    })
}

/// The string literals of the code before its tests, except those of the server log, with their
/// escapes.
fn literals(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find(['"', '\'', '/', 't']) {
        let here = &rest[at..];
        rest = if here.starts_with("tracing::") {
            here.find(");").map_or("", |end| &here[end..])
        } else if here.starts_with("//") {
            here.find('\n').map_or("", |end| &here[end..])
        } else if let Some(inside) = here.strip_prefix('"') {
            let mut end = 0;
            while !inside[end..].starts_with('"') {
                end += if inside[end..].starts_with('\\') { 2 } else { 1 };
                while !inside.is_char_boundary(end) {
                    end += 1;
                }
            }
            found.push(inside[..end].to_owned());
            &inside[end + 1..]
        } else if here.starts_with("'\"'") || here.starts_with("'\\") {
            here.get(3..).unwrap_or_default()
        } else {
            &here[1..]
        };
    }
    found
}

/// A table of tests needs tests that exist.
#[test]
fn tests_that_the_documents_name_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/reliability.md")).unwrap();
    let named: Vec<(&str, &str)> =
        page.split('`').filter_map(|code| code.split_once(".rs::")).collect();
    assert!(named.len() > 50, "the table is read");
    for (file, name) in named {
        let source = fs::read_to_string(root.join(format!("{file}.rs"))).unwrap_or_default();
        let is_test = source.split("#[test]").skip(1).any(|rest| {
            let begin = rest.split_once("fn ").map_or("", |(_, begin)| begin);
            begin.split('(').next() == Some(name)
        });
        let is_property = source.contains("proptest! {");
        let is_there = is_test || is_property && source.contains(&format!("fn {name}("));
        assert!(is_there, "{file}.rs has no test {name}");
    }
}

/// `module::name` of each test of a program in `tests/`.
fn tests_of(program: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(program);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            // Parts of a module, without tests.
            continue;
        }
        let module = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        for rest in text.split("#[test]").skip(1) {
            let name = rest.split_once("fn ").map_or("", |(_, begin)| begin);
            let name = name.split('(').next().unwrap_or_default();
            found.push(format!("{module}::{name}"));
        }
    }
    found
}

/// `cargo test` succeeds even if its filter matches no test.
#[test]
fn commands_of_the_reliability_page_run_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/reliability.md")).unwrap();
    let mut count = 0;
    for (program, filter) in page.split('`').filter_map(|code| code.split_once(' ')) {
        if ["client", "wire", "operator", "faults", "repository"].contains(&program) {
            count += 1;
            let is_there = tests_of(program).iter().any(|name| name.contains(filter));
            assert!(is_there, "{program} has no test {filter}");
        }
    }
    assert!(count > 25, "the commands are read: {count}");
}

#[test]
fn sentences_are_distinguished_from_other_literals() {
    let source = r#"
        // "a comment with words"
        let quote = ('"', '\'', b'"', "plain", "two words");
        fn f<'a>(text: &'a str) { say("it is \"said\" here", "a/b // c"); }
        fn g() { tracing::info!("the log speaks English"); say("but this is said"); }
        #[cfg(test)]
        mod tests { const X: &str = "a test may say it"; }
    "#
    .replace("        ", "");
    let found = literals(&source);
    let expected =
        ["plain", "two words", "it is \\\"said\\\" here", "a/b // c", "but this is said"];
    assert_eq!(found, expected);
    let sentences: Vec<&String> = found.iter().filter(|literal| is_sentence(literal)).collect();
    assert_eq!(sentences, ["two words", "it is \\\"said\\\" here", "but this is said"]);
    assert!(
        !is_sentence("{:>6} {}") && !is_sentence("%Y-%m-%d %H") && is_sentence("{name} is gone")
    );
}
