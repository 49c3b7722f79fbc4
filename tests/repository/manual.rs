//! The manual pages, against the programs: the page of a command contains all of its `--help`, and
//! the page of the protocol all of its document. The pages are generated, so they cannot be out of
//! date; these tests find what the generator loses.

#[path = "../../examples/manual/markdown.rs"]
mod markdown;
#[path = "../../examples/manual/pages.rs"]
mod pages;
#[path = "../../examples/manual/roff.rs"]
mod roff;

use std::fs;
use std::process::Command;

use pages::Page;
use tempfile::TempDir;

use crate::support::skip::is_here;

fn all() -> Vec<Page> {
    pages::all("2026-11-24").expect("the manual is written")
}

fn page<'a>(pages: &'a [Page], name: &str) -> &'a Page {
    pages.iter().find(|page| page.name == name).unwrap_or_else(|| panic!("no page {name}"))
}

/// The text of a page as a reader sees it, with all white space alike.
fn read(page: &Page) -> String {
    let mut text = String::new();
    for line in page.text.lines() {
        let is_request = line.starts_with('.');
        let shown = line.split_once(' ').map_or("", |(_, arguments)| arguments);
        text.push_str(if is_request { shown } else { line });
        text.push('\n');
    }
    for (written, shown) in [
        ("\\fB", ""),
        ("\\fI", ""),
        ("\\fR", ""),
        ("\\&", ""),
        ("\\-", "-"),
        ("\\*(Aq", "'"),
        ("\\(aq", "'"),
        ("\\(ga", "`"),
        ("\\(dq", "\""),
        ("\\(ti", "~"),
        ("\\(ha", "^"),
        ("\\[u2026]", "…"),
        ("\\\\", "\\e"),
        ("\\e", "\\"),
    ] {
        text = text.replace(written, shown);
    }
    one_space(&text)
}

fn one_space(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The help of a command, and of its subcommands.
fn help(program: &str, words: &[String]) -> String {
    let output = Command::new(program).args(words).arg("--help").env_clear().output();
    let output = output.expect("it runs");
    assert!(output.status.success(), "{words:?} --help");
    String::from_utf8(output.stdout).expect("text")
}

/// The subcommands that a help text names.
fn commands(help: &str) -> Vec<String> {
    let Some((_, list)) = help.split_once("\nCommands:\n") else { return Vec::new() };
    let lines = list.lines().take_while(|line| line.starts_with("  "));
    let names =
        lines.filter(|line| !line.starts_with("   ")).filter_map(|it| it.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// Checks the page of a command and those of its subcommands; returns their number.
fn check_command(program: &str, name: &str, words: &[String], pages: &[Page]) -> usize {
    let help = help(program, words);
    let page_name = [&[name.to_owned()], words].concat().join("-");
    let text = read(page(pages, &page_name));
    let usage = help.lines().find_map(|line| line.strip_prefix("Usage: ")).expect("a usage");
    assert!(text.contains(&one_space(usage)), "{page_name} lacks {usage:?}");
    for line in
        help.lines().map(str::trim).filter(|line| line.starts_with('-') || line.starts_with('<'))
    {
        // `-F, --file <FILE>`, followed by its text in the short form; or
        // `- value:  what it means`.
        let option = line.trim_start_matches("- ").split("  ").next().unwrap_or(line);
        for part in option.split(", ") {
            assert!(text.contains(part), "{page_name} lacks {part:?}");
        }
    }
    // The width of the terminal splits texts and examples into lines.
    let (_, end) = help.split_at(help.find("\nExamples").unwrap_or(help.len()));
    for line in end.lines().map(str::trim).filter(|line| !line.ends_with(':')) {
        assert!(text.contains(&one_space(line)), "{page_name} lacks {line:?}");
    }
    for title in ["NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "SEE ALSO"] {
        assert!(text.contains(title), "{page_name} has no {title}");
    }
    let below = commands(&help);
    1 + below
        .into_iter()
        .map(|command| {
            assert!(text.contains(&format!("{page_name}-{command}(")), "{page_name}: {command}");
            check_command(program, name, &[words, &[command]].concat(), pages)
        })
        .sum::<usize>()
}

#[test]
fn page_of_a_command_contains_all_of_its_help() {
    let pages = all();
    let client = check_command(env!("CARGO_BIN_EXE_chat-cli"), "chat-cli", &[], &pages);
    let server = check_command(env!("CARGO_BIN_EXE_chat-server"), "chat-server", &[], &pages);
    assert!(client > 10 && server > 3, "the commands are found");
    assert_eq!(pages.len(), client + server + 1, "and each has one page");
}

#[test]
fn the_page_of_the_protocol_says_what_the_document_says() {
    let pages = all();
    let text = read(page(&pages, "chat-protocol"));
    let document = include_str!("../../docs/protocol.md");
    let mut is_example = false;
    for line in document.lines().skip(1) {
        if line.starts_with("```") {
            is_example = !is_example;
        } else if is_example {
            assert!(text.contains(&one_space(line)), "{line:?}");
        } else if let Some(title) = line.strip_prefix("## ") {
            assert!(text.contains(&title.to_uppercase()), "{title:?}");
        } else {
            for word in words_of(line) {
                assert!(text.contains(&word), "{word:?} of {line:?}");
            }
        }
    }
}

/// The words of a line of the document, without its marks and the targets of its links.
fn words_of(line: &str) -> Vec<String> {
    let mut plain = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("](") {
        plain.push_str(before);
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    let marks = |mark: char| matches!(mark, '`' | '*' | '|' | '[');
    plain
        .split_whitespace()
        .map(|word| word.replace(marks, ""))
        .filter(|word| word != "---")
        .collect()
}

#[test]
fn unknown_markdown_is_an_error() {
    for unknown in
        ["> a quotation", "![a picture](x.png)", "#### deep", "a `mark that stays", "a [bracket"]
    {
        let mut page = roff::Roff::default();
        assert!(markdown::write(unknown, &mut page).is_err(), "{unknown:?}");
    }
}

#[test]
fn formatters_report_no_errors() {
    let folder = TempDir::new().expect("a temporary folder");
    let mut paths = Vec::new();
    for page in all() {
        let path = folder.path().join(page.file_name());
        fs::write(&path, &page.text).expect("a file");
        paths.push(path);
    }
    for (program, arguments) in [
        ("mandoc", &["-T", "lint", "-W", "warning"][..]),
        ("groff", &["-man", "-ww", "-Tutf8", "-z"]),
    ] {
        if !is_here(program) {
            continue;
        }
        for path in &paths {
            let output = Command::new(program).args(arguments).arg(path).output();
            let output = output.expect("it starts");
            let said = [output.stdout, output.stderr].concat();
            assert_eq!(String::from_utf8_lossy(&said), "", "{program} {}", path.display());
        }
    }
}
