//! The manual: a page for each command of both programs, from the definitions behind `--help`, and
//! a page for the protocol, from its document.

use anyhow::Result;
use chat::{client, operate};
use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::markdown;
use super::roff::{Roff, bold, escaped};

/// A manual page.
#[derive(Debug)]
pub struct Page {
    /// The name, such as `chat-cli-send`.
    pub name: String,
    /// The section: 1, 7 or 8.
    pub section: u8,
    /// The text in `man(7)`.
    pub text: String,
}

impl Page {
    /// The name of its file.
    pub fn file_name(&self) -> String {
        format!("{}.{}", self.name, self.section)
    }
}

/// All pages, dated `date`.
pub fn all(date: &str) -> Result<Vec<Page>> {
    let mut pages = vec![protocol(date)?];
    for (command, section) in [
        (client::arguments::Arguments::command(), 1),
        (operate::arguments::Arguments::command(), 8),
    ] {
        // Skip `help`: its pages would repeat the others.
        let mut command = command.disable_help_subcommand(true);
        command.build();
        add_commands(&command, &Program { section, date, root: &command }, &mut pages)?;
    }
    Ok(pages)
}

/// The common parts of one program's pages.
struct Program<'a> {
    section: u8,
    date: &'a str,
    root: &'a Command,
}

fn add_commands(command: &Command, program: &Program<'_>, pages: &mut Vec<Page>) -> Result<()> {
    pages.push(command_page(command, program)?);
    for command in
        command.get_subcommands().filter(|it| !it.is_hide_set() && it.get_name() != "help")
    {
        add_commands(command, program, pages)?;
    }
    Ok(())
}

fn command_page(command: &Command, program: &Program<'_>) -> Result<Page> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let section = program.section.to_string();
    let extra = Extra::of(command);
    let mut page = begin(&name, program.section, program.date);
    let man = Man::new(command.clone().subcommand_help_heading("COMMANDS")).section(&section);
    written(&mut page, |out| man.render_name_section(out))?;
    page.request("SH", &["SYNOPSIS"]);
    let usage = command.clone().render_usage().to_string();
    for line in usage.trim_start_matches("Usage:").lines().map(str::trim) {
        page.request("PP", &[]);
        page.line(&escaped(line));
    }
    page.request("SH", &["DESCRIPTION"]);
    let about = command.get_long_about().or_else(|| command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    page.line(&escaped(&format!("{}.", about.trim_end_matches('.'))));
    for paragraph in &extra.paragraphs {
        paragraph.write(&mut page);
    }
    written(&mut page, |out| man.render_options_section(out))?;
    if command.get_subcommands().any(|it| !it.is_hide_set()) {
        written(&mut page, |out| man.render_subcommands_section(out))?;
    }
    for (title, blocks) in extra.sections {
        page.request("SH", &[&title]);
        blocks.iter().for_each(|block| block.write(&mut page));
    }
    if name != program.root.get_name() {
        // It ends as the program does.
        let root = Extra::of(program.root).sections.into_iter();
        for (title, blocks) in root.filter(|(title, _)| title == EXIT_STATUS) {
            page.request("SH", &[&title]);
            blocks.iter().for_each(|block| block.write(&mut page));
        }
    }
    page.request("SH", &["SEE ALSO"]);
    let others = [("chat-cli", 1), ("chat-protocol", 7), ("chat-server", 8)];
    let others: Vec<String> = others
        .iter()
        .filter(|(other, _)| *other != name)
        .map(|(other, section)| format!("{}({section})", bold(other)))
        .collect();
    page.line(&others.join(",\n"));
    Ok(Page { name, section: program.section, text: page.finish() })
}

fn protocol(date: &str) -> Result<Page> {
    const NAME: &str = "chat-protocol";
    let mut page = begin(NAME, 7, date);
    page.request("SH", &["NAME"]);
    page.line(&escaped(&format!("{NAME} - the lines that chat-server and its clients speak")));
    page.request("SH", &["DESCRIPTION"]);
    markdown::write(include_str!("../../docs/protocol.md"), &mut page)?;
    page.request("SH", &["SEE ALSO"]);
    page.line(&format!("{}(1),\n{}(8)", bold("chat-cli"), bold("chat-server")));
    Ok(Page { name: NAME.to_owned(), section: 7, text: page.finish() })
}

/// Starts a page with its head.
fn begin(name: &str, section: u8, date: &str) -> Roff {
    let mut page = Roff::default();
    // The definition of an apostrophe that `clap_mangen` uses.
    page.raw(".ie \\n(.g .ds Aq \\(aq\n.el .ds Aq '\n");
    let source = concat!("chat ", env!("CARGO_PKG_VERSION"));
    page.request("TH", &[name, &section.to_string(), date, source, "Chat"]);
    // No hyphenation and no justification.
    page.request("nh", &[]);
    page.request("ad", &["l"]);
    page
}

/// The output of `clap_mangen`, without the head of each section.
fn written(
    page: &mut Roff,
    write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()>,
) -> Result<()> {
    let mut bytes = Vec::new();
    write(&mut bytes)?;
    let text = String::from_utf8(bytes)?;
    let mut last = "";
    for line in text.lines().map(str::trim_end) {
        let is_head = line.starts_with(".ie ") || line.starts_with(".el ");
        let is_again = line == ".br" && last == ".br";
        if !(line.is_empty() || is_head || is_again) {
            page.raw(line);
            page.raw("\n");
            last = line;
        }
    }
    Ok(())
}

const EXIT_STATUS: &str = "EXIT STATUS";

/// The text at the end of `--help`.
struct Extra {
    /// The text outside the sections.
    paragraphs: Vec<Block>,
    sections: Vec<(String, Vec<Block>)>,
}

/// A block of that text.
enum Block {
    Paragraph(String),
    Verbatim(Vec<String>),
    /// A number and its meaning.
    Code(String, String),
}

impl Extra {
    /// Splits the text into blocks. A line that ends in a colon before indented lines is a title.
    /// Indented lines stay verbatim, and everything else is text.
    fn of(command: &Command) -> Self {
        let help = command.get_after_long_help().or_else(|| command.get_after_help());
        let help = help.map(ToString::to_string).unwrap_or_default();
        let mut extra = Self { paragraphs: Vec::new(), sections: Vec::new() };
        let mut is_in_section = false;
        let mut lines = help.lines().peekable();
        let mut is_after_gap = true;
        while let Some(line) = lines.next() {
            let is_indented = |line: &&str| line.starts_with(' ');
            let block = if line.trim().is_empty() {
                is_after_gap = true;
                continue;
            } else if let Some(title) = line.strip_suffix(':')
                && is_after_gap
                && lines.peek().is_some_and(is_indented)
            {
                extra.sections.push((section_title(title), Vec::new()));
                is_in_section = true;
                if let Some((_, condition)) = title.split_once(", ") {
                    Block::Paragraph(format!("{}:", capitalised(condition)))
                } else {
                    continue;
                }
            } else if is_indented(&line) {
                if let Some(code) = exit_code(line) {
                    code
                } else {
                    let mut block = vec![line.to_owned()];
                    while let Some(next) = lines.next_if(is_indented) {
                        block.push(next.to_owned());
                    }
                    Block::Verbatim(without_indent(block))
                }
            } else {
                is_in_section = false;
                let mut text = line.to_owned();
                while let Some(next) = lines.next_if(|it| !it.is_empty() && !is_indented(it)) {
                    text.push('\n');
                    text.push_str(next);
                }
                Block::Paragraph(text)
            };
            is_after_gap = false;
            match extra.sections.last_mut().filter(|_| is_in_section) {
                Some((_, blocks)) => blocks.push(block),
                None => extra.paragraphs.push(block),
            }
        }
        // The usual order of manual pages.
        let place = |title: &str| [EXIT_STATUS, "ENVIRONMENT"].iter().position(|it| *it == title);
        extra.sections.sort_by_key(|(title, _)| place(title).unwrap_or(usize::MAX));
        extra
    }
}

impl Block {
    fn write(&self, page: &mut Roff) {
        match self {
            Self::Paragraph(text) => {
                page.request("PP", &[]);
                page.line(&escaped(text));
            }
            Self::Verbatim(lines) => page.verbatim(lines.iter().map(String::as_str)),
            Self::Code(code, meaning) => {
                page.request("TP", &["5"]);
                page.line(&bold(code));
                page.line(&escaped(meaning));
            }
        }
    }
}

fn section_title(title: &str) -> String {
    match title.split_once(',').map_or(title, |(title, _)| title) {
        "Exit codes" => EXIT_STATUS.to_owned(),
        title => title.to_uppercase(),
    }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

/// Parses a line of the table of exit codes.
fn exit_code(line: &str) -> Option<Block> {
    let (code, meaning) = line.trim_start().split_once("  ")?;
    let is_code = code.len() <= 3 && code.bytes().all(|byte| byte.is_ascii_digit());
    is_code.then(|| Block::Code(code.to_owned(), meaning.trim_start().to_owned()))
}

fn without_indent(lines: Vec<String>) -> Vec<String> {
    let indent = |line: &String| line.len() - line.trim_start().len();
    let least = lines.iter().map(indent).min().unwrap_or_default();
    lines.into_iter().map(|line| line[least..].to_owned()).collect()
}
