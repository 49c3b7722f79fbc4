//! Matches the words before the cursor against the definitions, as `clap` would.

use clap::{Arg, Command, ValueHint};

use super::Cursor;

/// The state after a number of words, on the way to the cursor.
pub(super) struct Matcher<'a> {
    command: &'a Command,
    /// The option that the next word may belong to, and the number of its values so far.
    open: Option<(&'a Arg, usize)>,
    /// The number of positional values so far.
    positionals: usize,
    /// Whether all further words are positional: after `--`, or in an argument that takes the rest.
    takes_rest: bool,
    /// Whether `--` came before.
    is_escaped: bool,
    given: Vec<&'a Arg>,
    global: Vec<&'a str>,
}

impl<'a> Matcher<'a> {
    pub(super) fn new(command: &'a Command) -> Self {
        Self {
            command,
            open: None,
            positionals: 0,
            takes_rest: false,
            is_escaped: false,
            given: Vec::new(),
            global: Vec::new(),
        }
    }

    /// Processes a word before the cursor.
    pub(super) fn consume(&mut self, word: &'a str) {
        if let Some((option, values)) = self.open.take() {
            let (_, most) = values_of(option);
            if must_take_value(option, values) || !word.starts_with('-') {
                if option.is_global_set() {
                    self.global.push(word);
                }
                self.open = (values + 1 < most).then_some((option, values + 1));
                return;
            }
        }
        if self.takes_rest {
            self.positionals += 1;
        } else if word == "--" {
            (self.takes_rest, self.is_escaped) = (true, true);
        } else if let Some(long) = word.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(a, b)| (a, Some(b)));
            if let Some(option) = self.long(name) {
                self.record(option, word, value.is_some());
            }
        } else if word.len() > 1 && word.starts_with('-') {
            self.consume_shorts(word);
        } else if let Some(command) = self.subcommand(word) {
            self.command = command;
            self.given.retain(|option| option.is_global_set());
        } else {
            if self.positional().is_some_and(|(argument, _)| argument.is_trailing_var_arg_set()) {
                self.takes_rest = true;
            }
            self.positionals += 1;
        }
    }

    /// Processes short options. One word may hold several, and the last one may include its value.
    fn consume_shorts(&mut self, word: &'a str) {
        let letters = &word[1..];
        for (at, letter) in letters.char_indices() {
            let options = self.command.get_arguments();
            let mut options = options.filter(|option| option.get_short() == Some(letter));
            let Some(option) = options.next() else { return };
            let has_value = at + letter.len_utf8() < letters.len();
            let takes_value = option.get_action().takes_values();
            self.record(option, word, has_value || !takes_value);
            if takes_value {
                return;
            }
        }
    }

    fn record(&mut self, option: &'a Arg, word: &'a str, is_whole: bool) {
        self.given.push(option);
        if !option.get_action().takes_values() {
            return;
        }
        if option.is_global_set() {
            self.global.push(word);
        }
        self.open = (!is_whole).then_some((option, 0));
    }

    /// Processes the word at the cursor.
    pub(super) fn finish(self, word: &'a str) -> Cursor<'a> {
        let is_option = !self.takes_rest && word.starts_with("--");
        let (place, value_at, is_free) = match (self.open, word.find('=')) {
            (Some((option, values)), _) if must_take_value(option, values) => (self.open, 0, false),
            (_, Some(equals)) if is_option => {
                (self.long(&word[2..equals]).map(|option| (option, 0)), equals + 1, false)
            }
            // An option with optional further values does not exclude anything else here.
            (Some(_), _) => (self.open, 0, true),
            (None, _) => (self.positional(), 0, true),
        };
        let (argument, values) = place.unzip();
        let list_at = match argument {
            Some(argument) if is_list(argument) => word[value_at..].rfind(','),
            _ => None,
        };
        Cursor {
            command: self.command,
            argument,
            values: values.unwrap_or_default(),
            word,
            value_at: list_at.map_or(value_at, |comma| value_at + comma + 1),
            takes_options: is_free && !self.takes_rest,
            takes_commands: is_free && !self.takes_rest && self.positionals == 0,
            given: self.given,
            global: self.global,
        }
    }

    fn long(&self, name: &str) -> Option<&'a Arg> {
        self.command.get_arguments().find(|option| {
            let mut names = option.get_all_aliases().unwrap_or_default();
            names.extend(option.get_long());
            names.contains(&name)
        })
    }

    fn subcommand(&self, word: &str) -> Option<&'a Command> {
        if self.positionals > 0 { None } else { self.command.find_subcommand(word) }
    }

    /// The positional argument of the next word, and the number of its values so far.
    fn positional(&self) -> Option<(&'a Arg, usize)> {
        let mut values = self.positionals;
        let is_excluded = |positional: &&Arg| {
            let others = self.command.get_arg_conflicts_with(positional);
            others.iter().any(|it| self.given.iter().any(|given| given.get_id() == it.get_id()))
        };
        // A positional argument that an option replaces takes no word.
        for positional in self.command.get_positionals().filter(|it| !is_excluded(it)) {
            let (_, most) = values_of(positional);
            if values < most {
                let is_open = self.is_escaped || !positional.is_last_set();
                return is_open.then_some((positional, values));
            }
            values -= most;
        }
        None
    }
}

/// The least and the most values that an argument takes each time it is given.
fn values_of(argument: &Arg) -> (usize, usize) {
    argument.get_num_args().map_or((1, 1), |range| (range.min_values(), range.max_values()))
}

/// Whether the next word must be a value of this option, even if it looks like an option.
fn must_take_value(option: &Arg, values: usize) -> bool {
    values < values_of(option).0 || option.is_allow_hyphen_values_set()
}

/// Whether one word can hold several values separated by commas. Arguments with user names count
/// too: no user name contains a comma, so this is harmless where only one is allowed.
fn is_list(argument: &Arg) -> bool {
    argument.get_value_delimiter() == Some(',') || argument.get_value_hint() == ValueHint::Username
}
