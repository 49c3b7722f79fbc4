//! The command line in Indonesian: the help of a `clap` command, and what `clap` says is wrong.
//!
//! The help is written where its options are, in English. Here each text of it is looked up in a
//! table of that program's, by its English: whoever changes the English is told by a test that the
//! Indonesian no longer stands for it.

use std::collections::BTreeMap;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use super::shared_help::{self, Help};
use super::{Language, language};

/// The same error in the language of the process: to `clap`, a help that was asked for is one too.
/// `command` is the program's command line as `clap` derived it, which these words are not of.
pub fn in_language(
    error: clap::Error,
    command: Command,
    help: &Help,
    words: &[OsString],
) -> clap::Error {
    if language() != Language::Indonesian {
        return error;
    }
    match error.kind() {
        ErrorKind::DisplayVersion => error,
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            // The same words ask the translated command for the same help.
            match translated(command, help).try_get_matches_from(words) {
                Err(translated) if translated.kind() == error.kind() => translated,
                _ => error,
            }
        }
        kind => clap::Error::raw(kind, problem(&error)),
    }
}

/// What is wrong, as one line: with the names of what is missing, which `clap` puts under it.
pub fn one_line(error: &clap::Error) -> String {
    let rendered = error.to_string();
    let lines = rendered.lines().take_while(|line| !line.is_empty()).map(str::trim);
    let line = lines.collect::<Vec<_>>().join(" ");
    line.strip_prefix("error: ").map_or(line.clone(), str::to_owned)
}

/// The command with its help in the language of the process.
pub fn spoken(command: Command, help: &Help) -> Command {
    if language() == Language::Indonesian { translated(command, help) } else { command }
}

/// One text of a program's help, in the language of the process.
pub fn help_in_language<'a>(english: &'a str, help: &Help) -> &'a str {
    let found = help.iter().chain(shared_help::HELP).find(|(known, _)| *known == english);
    match (language(), found) {
        (Language::Indonesian, Some((_, indonesian))) => indonesian,
        _ => english,
    }
}

/// The command with its help in Indonesian. What the table lacks stays English.
pub fn translated(mut command: Command, help: &Help) -> Command {
    // So that what `clap` itself adds is there: `--help`, `--version`, `help`.
    command.build();
    translate(command, &shared_help::HELP.iter().chain(help).copied().collect())
}

fn translate(command: Command, help: &BTreeMap<&str, &'static str>) -> Command {
    let lookup = |text: Option<String>| text.and_then(|text| help.get(text.as_str()).copied());
    let about = lookup(command.get_about().map(ToString::to_string));
    let long_about = lookup(command.get_long_about().map(ToString::to_string));
    let template = template(&command);
    let mut command = command.help_template(template);
    if let Some(about) = about {
        command = command.about(about);
    }
    if let Some(about) = long_about {
        command = command.long_about(about);
    }
    command
        .mut_args(|argument| translate_argument(argument, help))
        .mut_subcommands(|command| translate(command, help))
}

fn translate_argument(argument: Arg, help: &BTreeMap<&str, &'static str>) -> Arg {
    let lookup = |text: Option<String>| text.and_then(|text| help.get(text.as_str()).copied());
    let short = lookup(argument.get_help().map(ToString::to_string));
    let long = lookup(argument.get_long_help().map(ToString::to_string)).or(short);
    let (Some(short), Some(long)) = (short, long) else { return argument };
    let mut said = Vec::new();
    let mut explained = String::new();
    if argument.get_action().takes_values() {
        let defaults = argument.get_default_values().iter().map(|value| value.to_string_lossy());
        let defaults = defaults.collect::<Vec<_>>().join(" ");
        if !defaults.is_empty() && !argument.is_hide_default_value_set() {
            said.push(format!("[{}: {defaults}]", default_heading()));
        }
        let choices = argument.get_possible_values();
        let choices: Vec<_> = choices.iter().filter(|choice| !choice.is_hide_set()).collect();
        if !choices.is_empty() && !argument.is_hide_possible_values_set() {
            let names = choices.iter().map(|choice| choice.get_name()).collect::<Vec<_>>();
            said.push(format!("[{}: {}]", choices_heading(), names.join(", ")));
        }
        for choice in choices {
            if let Some(meaning) = lookup(choice.get_help().map(ToString::to_string)) {
                explained.push_str(&format!("\n- {}: {meaning}", choice.get_name()));
            }
        }
    }
    let said = said.join(" ");
    let short = if said.is_empty() { short.to_owned() } else { format!("{short} {said}") };
    let long = match (said.is_empty(), explained.is_empty()) {
        (true, _) => long.to_owned(),
        (false, true) => format!("{long}\n\n{said}"),
        (false, false) => format!("{long}\n\n{said}{explained}"),
    };
    argument.help(short).long_help(long).hide_default_value(true).hide_possible_values(true)
}

/// As `clap` lays out its help, with other headings.
fn template(command: &Command) -> String {
    let heading = |text: &str| {
        let style = command.get_styles().get_header();
        format!("{style}{text}:{style:#}")
    };
    let is_shown = |argument: &&Arg| !argument.is_hide_set();
    let mut parts = vec![format!(
        "{{before-help}}{{about-with-newline}}\n{} {{usage}}",
        heading(usage_heading())
    )];
    if command.get_subcommands().any(|command| !command.is_hide_set()) {
        parts.push(format!("{}\n{{subcommands}}", heading(commands_heading())));
    }
    if command.get_positionals().any(|argument| is_shown(&argument)) {
        parts.push(format!("{}\n{{positionals}}", heading(arguments_heading())));
    }
    let mut options = command.get_arguments().filter(|argument| !argument.is_positional());
    if options.any(|argument| is_shown(&argument)) {
        parts.push(format!("{}\n{{options}}", heading(options_heading())));
    }
    format!("{}{{after-help}}", parts.join("\n\n"))
}

/// What is wrong, as `clap` would say it.
fn problem(error: &clap::Error) -> String {
    let usage = match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => usage.ansi().to_string(),
        _ => String::new(),
    };
    // What the program itself says is in its language already.
    let sentence = sentence(error).unwrap_or_else(|| {
        let rendered = error.to_string();
        let first = rendered.lines().next().unwrap_or_default();
        first.strip_prefix("error: ").unwrap_or(first).to_owned()
    });
    let mut text = format!("{sentence}\n");
    for kind in
        [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue]
    {
        if let Some(similar) = error.get(kind) {
            text.push_str(&format!("\n  {}\n", tip_similar(similar)));
        }
    }
    if !usage.is_empty() {
        text.push_str(&format!("\n{}\n", usage.replacen("Usage", usage_heading(), 1)));
    }
    text.push_str(&format!("\n{}\n", more_with_help()));
    text
}

fn sentence(error: &clap::Error) -> Option<String> {
    let named = |kind| error.get(kind).map(|value| listed(value, ", "));
    let argument = named(ContextKind::InvalidArg);
    let value = named(ContextKind::InvalidValue);
    let choices = match error.get(ContextKind::ValidValue) {
        Some(values) => format!("\n  [{}: {}]", choices_heading(), listed(values, ", ")),
        None => String::new(),
    };
    let sentence = match error.kind() {
        ErrorKind::InvalidValue if value.as_deref() == Some("") => {
            value_missing(argument?) + &choices
        }
        ErrorKind::InvalidValue => value_invalid(value?, argument?) + &choices,
        ErrorKind::ValueValidation => {
            let sentence = value_invalid(value?, argument?);
            match std::error::Error::source(error) {
                Some(source) => format!("{sentence}: {source}"),
                None => sentence,
            }
        }
        ErrorKind::UnknownArgument => argument_unknown(argument?),
        ErrorKind::InvalidSubcommand => command_unknown(named(ContextKind::InvalidSubcommand)?),
        ErrorKind::MissingRequiredArgument => {
            let missing = error.get(ContextKind::InvalidArg)?;
            format!("{}\n  {}", arguments_missing(), listed(missing, "\n  "))
        }
        ErrorKind::MissingSubcommand => command_missing(named(ContextKind::InvalidSubcommand)?),
        ErrorKind::ArgumentConflict => match (argument, named(ContextKind::PriorArg)) {
            (Some(argument), Some(prior)) if argument == prior => argument_repeated(argument),
            (Some(argument), Some(prior)) => arguments_conflict(argument, prior),
            _ => return None,
        },
        ErrorKind::TooManyValues => value_one_too_many(value?, argument?),
        ErrorKind::NoEquals => equals_missing(argument?),
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => values_miscounted(argument?),
        ErrorKind::InvalidUtf8 => not_utf8().to_owned(),
        _ => return None,
    };
    Some(sentence)
}

fn listed(value: &ContextValue, between: &str) -> String {
    match value {
        ContextValue::Strings(values) => values.join(between),
        value => value.to_string(),
    }
}

texts! {
    usage_heading { en: "Usage", id: "Pemakaian" }
    commands_heading { en: "Commands", id: "Perintah" }
    arguments_heading { en: "Arguments", id: "Argumen" }
    options_heading { en: "Options", id: "Opsi" }
    default_heading { en: "default", id: "bawaan" }
    choices_heading { en: "possible values", id: "pilihan" }
    value_missing(argument) {
        en: "a value is required for '{argument}' but none was supplied",
        id: "'{argument}' membutuhkan nilai, tetapi tidak diberi",
    }
    value_invalid(value, argument) {
        en: "invalid value '{value}' for '{argument}'",
        id: "nilai '{value}' untuk '{argument}' tidak benar",
    }
    argument_unknown(argument) {
        en: "unexpected argument '{argument}' found",
        id: "argumen '{argument}' tidak dikenal",
    }
    command_unknown(command) {
        en: "unrecognized subcommand '{command}'",
        id: "perintah '{command}' tidak dikenal",
    }
    arguments_missing {
        en: "the following required arguments were not provided:",
        id: "argumen wajib berikut belum diberikan:",
    }
    command_missing(command) {
        en: "'{command}' requires a subcommand but one was not provided",
        id: "'{command}' membutuhkan perintah lanjutan, tetapi tidak diberi",
    }
    argument_repeated(argument) {
        en: "the argument '{argument}' cannot be used multiple times",
        id: "argumen '{argument}' tidak bisa dipakai lebih dari sekali",
    }
    arguments_conflict(argument, other) {
        en: "the argument '{argument}' cannot be used with '{other}'",
        id: "argumen '{argument}' tidak bisa dipakai bersama '{other}'",
    }
    value_one_too_many(value, argument) {
        en: "unexpected value '{value}' for '{argument}' found; no more were expected",
        id: "nilai '{value}' untuk '{argument}' berlebih",
    }
    equals_missing(argument) {
        en: "equal sign is needed when assigning values to '{argument}'",
        id: "nilai untuk '{argument}' harus diberikan dengan tanda sama dengan",
    }
    values_miscounted(argument) {
        en: "the number of values for '{argument}' is wrong",
        id: "jumlah nilai untuk '{argument}' tidak benar",
    }
    not_utf8 {
        en: "invalid UTF-8 was detected in one or more arguments",
        id: "ada argumen yang bukan UTF-8",
    }
    tip_similar(similar) {
        en: "tip: a similar one exists: '{similar}'",
        id: "saran: ada yang mirip: '{similar}'",
    }
    more_with_help {
        en: "For more information, try '--help'.",
        id: "Keterangan lebih lanjut: '--help'.",
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::catalogue::speaking;

    /// Every text of a program's help, as `clap` has it; and what stands after it, which the
    /// catalogue has in both languages.
    fn texts(command: &Command) -> (BTreeSet<String>, Vec<String>) {
        let mut looked_up = BTreeSet::new();
        let mut after: Vec<String> = [command.get_after_help(), command.get_after_long_help()]
            .into_iter()
            .flatten()
            .map(ToString::to_string)
            .collect();
        let abouts = [command.get_about(), command.get_long_about()];
        looked_up.extend(abouts.into_iter().flatten().map(ToString::to_string));
        for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
            assert_eq!(argument.get_help_heading(), None, "the template has no place for it");
            let helps = [argument.get_help(), argument.get_long_help()];
            assert!(helps[0].is_some(), "{argument} of {} has no help", command.get_name());
            looked_up.extend(helps.into_iter().flatten().map(ToString::to_string));
            if argument.get_action().takes_values() {
                let choices = argument.get_possible_values();
                looked_up.extend(
                    choices.iter().filter_map(|choice| choice.get_help()).map(ToString::to_string),
                );
            }
        }
        for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
            let (more, more_after) = texts(command);
            looked_up.extend(more);
            after.extend(more_after);
        }
        (looked_up, after)
    }

    /// Checks that all of a program's help is there in Indonesian, and nothing that it no longer
    /// says.
    pub(crate) fn assert_translated(command: impl Fn() -> Command, help: &Help) {
        // Built: some commands make their options only then.
        let texts = || {
            let mut command = command();
            command.build();
            texts(&command)
        };
        let (said, english) = speaking(Language::English, texts);
        let (_, indonesian) = speaking(Language::Indonesian, texts);
        let known: BTreeSet<String> =
            help.iter().map(|(english, _)| (*english).to_owned()).collect();
        assert_eq!(known.len(), help.len(), "a text stands in the table twice");
        let shared = |text: &String| shared_help::HELP.iter().any(|(english, _)| english == text);
        let missing: Vec<_> = said.difference(&known).filter(|text| !shared(text)).collect();
        assert!(missing.is_empty(), "without an Indonesian text: {missing:#?}");
        let unused: Vec<_> = known.difference(&said).collect();
        assert!(unused.is_empty(), "the help no longer says: {unused:#?}");
        assert_eq!(english.len(), indonesian.len());
        for (english, indonesian) in english.iter().zip(&indonesian) {
            assert_ne!(english, indonesian, "the same in both languages");
        }
        for (english, indonesian) in help.iter().chain(shared_help::HELP) {
            assert!(english != indonesian || english.len() < 5, "{english}");
            assert!(!indonesian.trim().is_empty() && !indonesian.ends_with('.'), "{indonesian:?}");
        }

        let render = || translated(command(), help).render_long_help().to_string();
        let shown = speaking(Language::Indonesian, render);
        for word in ["Usage", "Options:", "Commands:", "Arguments:", "[default", "Possible values"]
        {
            assert!(!shown.contains(word), "{word} is in {shown}");
        }
    }
}
