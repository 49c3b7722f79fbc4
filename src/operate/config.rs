//! `config`: shows and checks the settings, and prints an example file. It does not touch the
//! database.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::arguments::{ConfigCommand, ServeArguments};
use super::database::{self, Database};
use super::failure::{Exit, Failure};
use super::output::Output;
use super::preconditions;
use super::settings::{self, Definition, Resolved};
use crate::catalogue::{serve as texts, server};
use crate::configuration::{Kind, Value, setting};

/// The maximum length of an explaining line in the example file.
const COMMENT_COLUMNS: usize = 96;

pub(super) fn run(
    resolved: &Resolved,
    command: &ConfigCommand,
    output: Output,
) -> Result<(), Failure> {
    match command {
        ConfigCommand::Show(_) => show(resolved, output),
        ConfigCommand::Check(check) => check_all(resolved, &check.serve, output),
        ConfigCommand::Example => {
            let mut output = output;
            output.text(&example())?;
            output.finish()
        }
    }
}

/// Prints one setting a line. The whole is a configuration file with these settings.
fn show(resolved: &Resolved, mut output: Output) -> Result<(), Failure> {
    // A URL with a password is refused, and must not be shown.
    Database::of(resolved)?;
    if output.is_json {
        for setting in &resolved.settings {
            output.object(setting)?;
        }
    } else {
        for line in setting::lines(&resolved.settings) {
            output.line(&line)?;
        }
    }
    output.finish()
}

/// The values were checked when the file was read. This checks what a start would check.
fn check_all(
    resolved: &Resolved,
    serve: &ServeArguments,
    mut output: Output,
) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Checked {
        file: Option<String>,
        valid: bool,
    }
    for (key, path) in written(resolved, serve) {
        check_folder(key, path)?;
    }
    Database::of(resolved)?;
    preconditions::check(serve)?;
    let file = resolved.file.as_deref().map(|path| path.display().to_string());
    if output.is_json {
        output.object(&Checked { file, valid: true })?;
    } else {
        output.line(&match file {
            Some(file) => texts::configuration_valid(file),
            None => texts::no_file_but_valid().to_owned(),
        })?;
    }
    output.finish()
}

/// The files that the server will write.
fn written<'a>(
    resolved: &'a Resolved,
    serve: &'a ServeArguments,
) -> impl Iterator<Item = (&'static str, &'a PathBuf)> {
    let ready_file = serve.ready_file.iter().map(|path| ("ready_file", path));
    let db = &resolved.arguments.db;
    let is_url = db.to_str().is_some_and(database::is_url);
    (!is_url).then_some(("db", db)).into_iter().chain(ready_file)
}

pub(super) fn check_folder(key: &str, path: &Path) -> Result<(), Failure> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let problem = match (folder.is_dir(), path.is_dir()) {
        (true, false) => return Ok(()),
        (true, true) => texts::is_a_folder(key, path.display()),
        (false, _) => texts::no_such_folder(key, folder.display()),
    };
    Err(Failure::new(Exit::Configuration, problem).hint(server::give_file_in_folder()))
}

/// A configuration file that sets nothing and explains every setting.
pub(super) fn example() -> String {
    let definitions = settings::definitions();
    definitions.iter().fold(texts::example_header().to_owned(), |text, definition| {
        format!("{text}{}{}", comment(definition), commented(definition))
    })
}

/// The lines of a setting in a configuration file: its explanation and its value.
pub(super) fn explained(definition: &Definition, value: &Value) -> String {
    format!("{}{} = {value}\n", comment(definition), definition.key)
}

fn comment(definition: &Definition) -> String {
    let lines = wrapped(&definition.help());
    let lines: String = lines.iter().map(|line| format!("# {line}\n")).collect();
    format!("\n{lines}")
}

fn commented(definition: &Definition) -> String {
    let (key, not_set) = (&definition.key, texts::example_not_set());
    match (definition.default(), definition.kind) {
        (Some(default), _) => format!("#{key} = {default}\n"),
        (None, Kind::Text) => {
            format!("{not_set}\n#{key} = {}\n", Value::Text(definition.placeholder()))
        }
        (None, _) => format!("{not_set}\n#{key} = {}\n", definition.placeholder()),
    }
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        match lines[last].is_empty() {
            true => lines[last].push_str(word),
            false if lines[last].chars().count() + 1 + word.chars().count() > COMMENT_COLUMNS => {
                lines.push(word.to_owned());
            }
            false => {
                lines[last].push(' ');
                lines[last].push_str(word);
            }
        }
    }
    if let Some(last) = lines.last_mut()
        && !last.ends_with('.')
    {
        last.push('.');
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn example_file_in_the_repository_is_the_one_that_is_printed() {
        let stored = include_str!("../../contrib/server.toml");
        assert_eq!(stored, example(), "chat-server config example > contrib/server.toml");
    }
}
