//! The documents: their links lead to existing files and headings, the modules that they name
//! exist, and the picture of the prompt is well-formed.

#[path = "../../examples/picture/svg.rs"]
mod svg;

use std::fs;
use std::path::{Path, PathBuf};

/// Folders with foreign documents, or documents not for readers.
const SKIPPED: [&str; 3] = ["target", ".git", "corpus"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && !SKIPPED.contains(&name.as_str()) {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 20, "the documents are found");
    found
}

/// A document without its blocks of code.
fn prose(text: &str) -> String {
    let mut is_code = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The targets of a document's links, as `](target)` has them.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target.to_owned()).collect()
}

/// The fragment that links to a heading, as GitHub forms it.
fn fragment(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|character| character.is_alphanumeric() || " -_".contains(*character));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

fn has_heading(text: &str, wanted: &str) -> bool {
    let headings = prose(text);
    headings
        .lines()
        .filter(|line| line.starts_with('#'))
        .any(|line| fragment(line.trim_start_matches('#').trim()) == wanted)
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        for link in links(&text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => path.clone(),
                _ => path.parent().unwrap().join(file),
            };
            let is_there = match heading {
                "" => target.exists(),
                _ => fs::read_to_string(&target).is_ok_and(|text| has_heading(&text, heading)),
            };
            if !is_there {
                broken.push(format!("{}: {link}", path.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The documents for developers, which name modules of the sources.
fn pages_about_the_code() -> Vec<PathBuf> {
    let mut pages = vec![root().join("ARCHITECTURE.md"), root().join("CONTRIBUTING.md")];
    for folder in ["docs/decisions", "docs/experiments"] {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        pages.extend(entries.map(|entry| entry.unwrap().path()));
    }
    pages
}

/// Whether `path`, as in `store::sqlite::writer`, is a module of the sources or an item in one.
fn is_in_the_sources(path: &str) -> bool {
    let mut file = root().join("src");
    for name in path.split("::") {
        let inside = file.join(name);
        if !inside.is_dir() && !inside.with_extension("rs").exists() {
            return fs::read_to_string(file.with_extension("rs"))
                .is_ok_and(|text| text.contains(name));
        }
        file = inside;
    }
    true
}

#[test]
fn modules_that_the_documents_name_exist() {
    let mut missing = Vec::new();
    let mut count = 0;
    for page in pages_about_the_code() {
        let text = fs::read_to_string(&page).unwrap();
        let prose = prose(&text);
        let spans = prose.split('`').skip(1).step_by(2).filter(|span| span.contains("::"));
        for span in spans {
            let is_path = span
                .chars()
                .all(|character| character.is_alphanumeric() || "_:".contains(character));
            let begin = span.split("::").next().unwrap_or_default();
            let is_ours = root().join("src").join(begin).is_dir()
                || root().join("src").join(begin).with_extension("rs").exists();
            if is_path && is_ours && !begin.is_empty() {
                count += 1;
                if !is_in_the_sources(span) {
                    let page = page.strip_prefix(root()).unwrap().display();
                    missing.push(format!("{page}: {span}"));
                }
            }
        }
    }
    assert!(count > 40, "modules are named: {count}");
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_decision_and_experiment_is_in_its_index() {
    for folder in ["docs/decisions", "docs/experiments"] {
        let index = fs::read_to_string(root().join(folder).join("README.md")).unwrap();
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let is_listed = name == "README.md" || index.contains(&format!("]({name})"));
            assert!(is_listed, "{folder}/{name} is not in the index");
        }
    }
}

#[test]
fn no_two_decisions_have_the_same_number() {
    let mut numbers: Vec<String> = fs::read_dir(root().join("docs/decisions"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .map(|name| name.split('-').next().unwrap_or_default().to_owned())
        .collect();
    numbers.sort();
    assert!(numbers.len() > 40, "{numbers:?}");
    let twice: Vec<_> = numbers.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn links_and_headings_are_read() {
    let text =
        "# A title\n## One: `two`, three\n[a](b.md#c) and [d](#e)\n```\n[f](g)\n# not\n```\n";
    assert_eq!(links(text), ["b.md#c", "#e"]);
    assert!(has_heading(text, "one-two-three") && !has_heading(text, "not"));
}

/// Whether a picture is well-formed XML, as far as our pictures use it: paired tags, quoted
/// attributes, no stray `&`.
fn is_well_formed(picture: &str) -> bool {
    let mut open: Vec<&str> = Vec::new();
    let mut pieces = picture.split('<');
    let is_blank = pieces.next().is_some_and(|before| before.is_empty());
    let is_text = |text: &str| {
        let entities = ["amp;", "lt;", "gt;"];
        text.split('&').skip(1).all(|rest| entities.iter().any(|entity| rest.starts_with(entity)))
    };
    let all_fit = pieces.all(|piece| {
        let Some((tag, text)) = piece.split_once('>') else { return false };
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        let is_right = match (tag.starts_with('/'), tag.ends_with('/')) {
            (true, _) => open.pop() == Some(name),
            (false, true) => true,
            (false, false) => {
                open.push(name);
                true
            }
        };
        is_right && tag.matches('"').count() % 2 == 0 && is_text(text)
    });
    is_blank && all_fit && open.is_empty()
}

/// Whether a text contains anything in the form of a token.
fn has_token(text: &str) -> bool {
    text.as_bytes().windows(36).any(|window| {
        window.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    })
}

#[test]
fn picture_of_the_prompt_is_well_formed_and_holds_no_token() {
    let picture = fs::read_to_string(root().join("docs/prompt.svg")).unwrap();
    assert!(is_well_formed(&picture) && !has_token(&picture) && !picture.contains("cytus"));
    assert!(picture.contains("<title>") && picture.contains("neko"));
}

#[test]
fn any_screen_is_drawn_as_a_well_formed_picture() {
    let mut terminal = vt100::Parser::new(4, 30, 0);
    terminal.process(b"<a href=\"x\"> & \x1b[1;31mred\x1b[0m \x1b[7minverse\x1b[0m\r\n");
    terminal.process(b"  09:59  paff  \x1b[38;5;208mhi");
    let picture = svg::draw(terminal.screen(), |text| text.replace("paff", "neko"));
    assert!(is_well_formed(&picture), "{picture}");
    for drawn in ["&lt;a href=", "&amp;", "font-weight=\"bold\"", "10:54  neko", "#ff8700"] {
        assert!(picture.contains(drawn), "{drawn}: {picture}");
    }
    assert!(!is_well_formed("<svg><g></svg>") && !is_well_formed("<a>&</a>"));
    assert!(has_token("x 7a592c0e-2cb5-4de6-866b-4e216b0caf15"));
}

/// Tables and links that cannot be broken may be longer. In the changelog a long line may also be one
/// that a merge of two branches brought back.
#[test]
fn prose_is_wrapped_at_100_columns() {
    let mut long = Vec::new();
    for page in documents() {
        let text = fs::read_to_string(&page).unwrap();
        let prose = prose(&text);
        let lines = prose.lines().filter(|line| line.chars().count() > 100);
        let breakable = lines.filter(|line| !line.starts_with('|') && line.trim().contains(' '));
        let page = page.strip_prefix(root()).unwrap().display();
        long.extend(breakable.map(|line| format!("{page}: {line}")));
    }
    assert!(long.is_empty(), "{long:#?}");
}
