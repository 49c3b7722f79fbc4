//! Finds what the cursor of a command line stands on, and what can stand there.
//!
//! The words before the cursor are matched against the definitions as `clap` would match them.
//! Mistakes in them are skipped, because the user may still correct them.

mod matcher;

use clap::builder::StyledStr;
use clap::{Arg, ArgAction, Command, ValueHint};

use matcher::Matcher;

/// The longest description of a word, in characters.
const MEANING_CHARACTERS_MAX: usize = 72;

/// The position to complete in a command line.
#[derive(Debug)]
pub struct Cursor<'a> {
    /// The innermost command that the words before the cursor name.
    command: &'a Command,
    /// The argument that takes a value here.
    argument: Option<&'a Arg>,
    /// The number of values that the argument already has.
    values: usize,
    /// The part of the word that was typed.
    word: &'a str,
    /// The offset in `word` at which the value begins: after `--file=`, or after the last comma of
    /// a list.
    value_at: usize,
    /// Whether an option may stand here.
    takes_options: bool,
    /// Whether a command may stand here.
    takes_commands: bool,
    /// The options of the innermost command that came before.
    given: Vec<&'a Arg>,
    /// The global options that came before, with their values, as typed.
    global: Vec<&'a str>,
}

/// What can stand at a position.
#[derive(Debug, PartialEq, Eq)]
pub enum Offer {
    /// A file name.
    Files,
    /// A folder name.
    Folders,
    /// A program name.
    Commands,
    /// One of these words, which may be none.
    Words(Vec<Word>),
}

/// A word that can stand at a position. It is safe to print on a terminal and has no special
/// meaning to a shell, except that it may begin with a `#`: the scripts quote that.
#[derive(Debug, PartialEq, Eq)]
pub struct Word {
    /// The complete word.
    pub text: String,
    /// A one-line description, which may be empty.
    pub meaning: String,
}

impl<'a> Cursor<'a> {
    /// Finds the position of `word`, which may be incomplete, after the words `before`. `before`
    /// does not contain the program's name. `command` must have been built.
    pub fn find(command: &'a Command, before: &[&'a str], word: &'a str) -> Self {
        let mut matcher = Matcher::new(command);
        for word in before {
            matcher.consume(word);
        }
        matcher.finish(word)
    }

    /// The argument whose value is being completed, if any.
    pub fn argument(&self) -> Option<&'a Arg> {
        self.argument
    }

    /// The part of the value that was typed.
    pub fn typed(&self) -> &'a str {
        &self.word[self.value_at..]
    }

    /// The name of the innermost command before the cursor.
    pub fn command_name(&self) -> &'a str {
        self.command.get_name()
    }

    /// The global options before the cursor, with their values.
    pub fn global_options(&self) -> &[&'a str] {
        &self.global
    }

    /// What can stand here. `live` supplies values that are not in the definitions. A tab may follow
    /// a value, and after it what it means, on one line.
    pub fn offer(&self, live: impl FnOnce(&Self) -> Vec<String>) -> Offer {
        if self.takes_options && self.word.starts_with('-') {
            return Offer::Words(self.options());
        }
        let mut words = Vec::new();
        if self.takes_commands {
            let commands = self.command.get_subcommands().filter(|command| !command.is_hide_set());
            words.extend(commands.filter_map(|it| self.word(it.get_name(), it.get_about())));
        }
        let Some(argument) = self.argument else { return Offer::Words(words) };
        match argument.get_value_hint() {
            ValueHint::AnyPath | ValueHint::FilePath | ValueHint::ExecutablePath => {
                return Offer::Files;
            }
            ValueHint::DirPath => return Offer::Folders,
            // The values after the program's name are its arguments.
            ValueHint::CommandName if self.values > 0 => return Offer::Files,
            ValueHint::CommandName => return Offer::Commands,
            _ => {}
        }
        let values = argument.get_possible_values();
        if values.is_empty() {
            words.extend(live(self).iter().filter_map(|value| self.live_word(value)));
        }
        let values = values.iter().filter(|value| !value.is_hide_set());
        words.extend(values.filter_map(|value| self.word(value.get_name(), value.get_help())));
        Offer::Words(words)
    }

    /// All options, except those that were given and may be given only once.
    fn options(&self) -> Vec<Word> {
        let options = self.command.get_arguments().filter(|option| {
            let repeats = matches!(option.get_action(), ArgAction::Append | ArgAction::Count);
            let is_given = self.given.iter().any(|given| given.get_id() == option.get_id());
            !option.is_positional() && !option.is_hide_set() && (repeats || !is_given)
        });
        let names = options.flat_map(|option| {
            let long = option.get_long().map(|long| format!("--{long}"));
            let short = option.get_short().map(|short| format!("-{short}"));
            [long, short].into_iter().flatten().map(|name| (name, option.get_help()))
        });
        names.filter_map(|(name, help)| self.word(&name, help)).collect()
    }

    fn live_word(&self, value: &str) -> Option<Word> {
        let (value, meaning) = value.split_once('\t').unwrap_or((value, ""));
        self.word(value, None).map(|word| Word { meaning: meaning.to_owned(), ..word })
    }

    /// Completes the word with `value`, if `value` continues it and is safe in a shell.
    fn word(&self, value: &str, meaning: Option<&StyledStr>) -> Option<Word> {
        let is_plain = value.strip_prefix(['#', '@']).unwrap_or(value).bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'/' | b'+')
        });
        let (before, begun) = self.word.split_at(self.value_at);
        let is_named = before.split(',').any(|named| named == value);
        (is_plain && !is_named && value.starts_with(begun)).then(|| Word {
            text: format!("{before}{value}"),
            meaning: meaning.map(summary).unwrap_or_default(),
        })
    }
}

/// The first sentence of the first line, shortened if necessary.
fn summary(text: &StyledStr) -> String {
    let text = text.to_string();
    let line = text.lines().next().unwrap_or_default();
    let sentence = line.split_once(". ").map_or(line, |(sentence, _)| sentence);
    let sentence = sentence.trim_end_matches('.');
    match sentence.char_indices().nth(MEANING_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", sentence[..end].trim_end()),
        None => sentence.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::builder::PossibleValue;

    /// A program with an argument of every kind.
    fn program() -> Command {
        let time = Arg::new("time").long("time").global(true).value_parser([
            PossibleValue::new("local").help("This machine's. Or not."),
            PossibleValue::new("utc"),
            PossibleValue::new("secret").hide(true),
        ]);
        let user =
            || Arg::new("user").value_hint(ValueHint::Username).conflicts_with_all(["nobody"]);
        let send = Command::new("send")
            .about("Send a message")
            .arg(Arg::new("file").short('F').long("file").value_hint(ValueHint::FilePath))
            .arg(Arg::new("lines").short('l').long("lines").action(ArgAction::SetTrue))
            .arg(Arg::new("tag").long("tag").action(ArgAction::Append))
            .arg(Arg::new("nobody").long("nobody").action(ArgAction::SetTrue).hide(true))
            .arg(user().required(true))
            .arg(Arg::new("text").num_args(0..).trailing_var_arg(true));
        let run = Command::new("run").arg(
            Arg::new("exec")
                .long("exec")
                .num_args(1..)
                .allow_hyphen_values(true)
                .value_hint(ValueHint::CommandName),
        );
        let add = Command::new("add")
            .visible_alias("new")
            .arg(Arg::new("user").value_hint(ValueHint::Username));
        let mut program = Command::new("program")
            .arg(time)
            .arg(Arg::new("db").long("db").value_hint(ValueHint::DirPath))
            .subcommand(send)
            .subcommand(run)
            .subcommand(Command::new("user").disable_help_subcommand(true).subcommand(add))
            .subcommand(Command::new("hidden").hide(true))
            .disable_help_subcommand(true);
        program.build();
        program
    }

    /// What is offered for the last word of `line`, with a fixed list of live user names.
    fn offer(line: &str) -> Offer {
        let program = program();
        let words: Vec<&str> = line.split(' ').collect();
        let (word, before) = words.split_last().unwrap();
        let live = |cursor: &Cursor<'_>| {
            let hint = cursor.argument().unwrap().get_value_hint();
            let names = ["neko", "nana", "paff", "#news", "$(rm -rf)", "a b", "\x1b[2J", "a#b"];
            let names = if hint == ValueHint::Username { &names[..] } else { &[] };
            names.iter().map(ToString::to_string).collect()
        };
        Cursor::find(&program, before, word).offer(live)
    }

    fn words(line: &str) -> Vec<String> {
        match offer(line) {
            Offer::Words(words) => words.into_iter().map(|word| word.text).collect(),
            other => panic!("{line:?}: {other:?}"),
        }
    }

    #[test]
    fn commands_are_offered_first_and_hidden_ones_never() {
        assert_eq!(words(""), ["send", "run", "user"]);
        assert_eq!(words("s"), ["send"]);
        assert_eq!(words("--time utc s"), ["send"]);
        assert_eq!(words("--time=utc user "), ["add"]);
        assert_eq!(words("send neko s"), [""; 0]);
    }

    #[test]
    fn given_options_are_not_offered_again_unless_repeatable() {
        let all = ["--file", "-F", "--lines", "-l", "--tag", "--time", "--help", "-h"];
        assert_eq!(words("send -"), all);
        assert_eq!(words("send --lines --tag x --t"), ["--tag", "--time"]);
        assert_eq!(words("--time utc send --t"), ["--tag"]);
        assert_eq!(words("send neko --f"), ["--file"]);
        assert_eq!(words("send neko hai --f"), [""; 0]);
        assert_eq!(words("send -- --f"), [""; 0]);
    }

    #[test]
    fn option_values_follow_the_definition() {
        assert_eq!(words("--time "), ["local", "utc"]);
        assert_eq!(words("--time=u"), ["--time=utc"]);
        assert_eq!(words("send --time l"), ["local"]);
        for line in ["send -F ", "send --file ", "send --file=x", "send -lF x", "send neko -F "] {
            assert_eq!(offer(line), Offer::Files, "{line:?}");
        }
        assert_eq!(offer("--db x"), Offer::Folders);
        assert_eq!(offer("run --exec l"), Offer::Commands);
        assert_eq!(offer("run --exec ls --fo"), Offer::Files);
    }

    #[test]
    fn live_users_are_offered_without_unsafe_names() {
        assert_eq!(words("send "), ["neko", "nana", "paff", "#news"]);
        assert_eq!(words("send neko,#"), ["neko,#news"]);
        assert_eq!(words("send -Fx n"), ["neko", "nana"]);
        assert_eq!(words("send -- n"), ["neko", "nana"]);
        assert_eq!(words("user new p"), ["paff"]);
        assert_eq!(words("send neko "), [""; 0]);
        assert_eq!(words("user add paff "), [""; 0]);
    }

    #[test]
    fn argument_that_an_option_replaces_is_not_offered() {
        assert_eq!(words("send --nobody n"), [""; 0]);
        assert_eq!(words("send --tag x n"), ["neko", "nana"]);
    }

    #[test]
    fn comma_continues_a_list_of_users() {
        assert_eq!(words("send paff,n"), ["paff,neko", "paff,nana"]);
        assert_eq!(words("send paff,neko,n"), ["paff,neko,nana"]);
    }

    #[test]
    fn mistakes_before_the_cursor_are_skipped() {
        assert_eq!(words("--nonsense -x send n"), ["neko", "nana"]);
        assert_eq!(words("--time never send n"), ["neko", "nana"]);
        assert_eq!(words("nonsense s"), [""; 0]);
        assert_eq!(words("--nonsense=s"), [""; 0]);
    }

    #[test]
    fn description_is_one_short_sentence() {
        let Offer::Words(words) = offer("--time l") else { panic!() };
        assert_eq!(words[0].meaning, "This machine's");
        let long = summary(&"wörd ".repeat(100).into());
        assert!(long.chars().count() <= MEANING_CHARACTERS_MAX + 1 && long.ends_with('…'));
    }

    #[test]
    fn global_options_are_kept_with_their_values() {
        let program = program();
        let before = ["--time", "utc", "send", "-F", "x", "--time=local"];
        let cursor = Cursor::find(&program, &before, "n");
        assert_eq!(cursor.global_options(), ["--time", "utc", "--time=local"]);
        assert_eq!(cursor.command_name(), "send");
        assert_eq!(cursor.argument().unwrap().get_id(), "user");
    }
}
