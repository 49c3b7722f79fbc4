//! The keys that do not edit a line. With its own bindings for them, rustyline would return an
//! error and lose what it has read ahead. Here they end the line as Enter does, and [`LineEnd`]
//! says which key it was. A secret goes into a separate buffer, so that no part of it appears on
//! the screen, in the kill ring or in the undo list.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::termios::{SpecialCodeIndex, Termios};
use rustyline::{
    Cmd, ConditionalEventHandler, Event, EventContext, EventHandler, KeyCode, KeyEvent, Modifiers,
    RepeatCount,
};

/// A longer secret is refused: see [`crate::terminal::secret`].
const SECRET_BYTES_MAX: usize = 1024;

/// How a line ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LineEnd {
    /// With Enter.
    #[default]
    Enter,
    /// With Ctrl-C; or with Ctrl-D at the beginning of a secret.
    Interrupted,
    /// With Ctrl-Z: the process is to stop, and to continue with the same line later.
    Suspended {
        /// The position of the cursor, in bytes.
        cursor: usize,
    },
}

/// The bindings of the keys. Clones share their state.
#[derive(Debug, Clone)]
pub struct Keys {
    interrupt: [KeyEvent; 2],
    suspend: KeyEvent,
    end_of_file: KeyEvent,
    typed: Arc<Mutex<Typed>>,
}

#[derive(Debug, Default)]
struct Typed {
    end: LineEnd,
    /// The secret that is being typed.
    secret: Option<String>,
}

impl Keys {
    /// The keys by the terminal's settings.
    pub fn of(settings: &Termios) -> Self {
        let key = |index| KeyEvent::from(char::from(settings.special_codes[index]));
        Self {
            interrupt: [key(SpecialCodeIndex::VINTR), key(SpecialCodeIndex::VQUIT)],
            suspend: key(SpecialCodeIndex::VSUSP),
            end_of_file: key(SpecialCodeIndex::VEOF),
            typed: Arc::default(),
        }
    }

    /// Handles all keys, except those that it leaves to rustyline.
    pub fn handler(&self) -> EventHandler {
        EventHandler::Conditional(Box::new(self.clone()))
    }

    /// From now on, the keys type a secret.
    pub fn begin_secret(&self) {
        self.typed().secret = Some(String::new());
    }

    /// The secret that was typed.
    pub fn take_secret(&self) -> String {
        self.typed().secret.take().unwrap_or_default()
    }

    /// How the last line ended.
    pub fn take_end(&self) -> LineEnd {
        std::mem::take(&mut self.typed().end)
    }

    fn typed(&self) -> MutexGuard<'_, Typed> {
        self.typed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The command for a key; `None` leaves the key to rustyline.
    fn press(&self, key: KeyEvent, cursor: usize) -> Option<Cmd> {
        const NULL: KeyEvent = KeyEvent(KeyCode::Char('@'), Modifiers::CTRL);
        let mut typed = self.typed();
        match key {
            // A key that is disabled in the terminal's settings has this value.
            NULL => Some(Cmd::Noop),
            _ if self.interrupt.contains(&key) => {
                typed.end = LineEnd::Interrupted;
                Some(Cmd::AcceptLine)
            }
            _ if typed.secret.is_some() => Some(self.press_in_secret(key, &mut typed)),
            _ if key == self.suspend => {
                typed.end = LineEnd::Suspended { cursor };
                Some(Cmd::AcceptLine)
            }
            _ => None,
        }
    }

    fn press_in_secret(&self, key: KeyEvent, typed: &mut Typed) -> Cmd {
        let Some(secret) = &mut typed.secret else { return Cmd::Noop };
        match key {
            KeyEvent(KeyCode::Enter, _) | KeyEvent(KeyCode::Char('J' | 'M'), Modifiers::CTRL) => {
                return Cmd::AcceptLine;
            }
            _ if key == self.end_of_file && secret.is_empty() => {
                typed.end = LineEnd::Interrupted;
                return Cmd::AcceptLine;
            }
            KeyEvent(KeyCode::Char('U'), Modifiers::CTRL) => secret.clear(),
            KeyEvent(KeyCode::Backspace, _) => drop(secret.pop()),
            // One more byte is kept, so that the caller sees that the secret is too long.
            KeyEvent(KeyCode::Char(letter), Modifiers::NONE)
                if secret.len() <= SECRET_BYTES_MAX =>
            {
                secret.push(letter);
            }
            _ => {}
        }
        Cmd::Noop
    }
}

impl ConditionalEventHandler for Keys {
    fn handle(
        &self,
        event: &Event,
        _count: RepeatCount,
        _positive: bool,
        context: &EventContext<'_>,
    ) -> Option<Cmd> {
        self.press(*event.get(0)?, context.pos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys {
            interrupt: [KeyEvent::from('\x03'), KeyEvent::from('\x1c')],
            suspend: KeyEvent::from('\x1a'),
            end_of_file: KeyEvent::from('\x04'),
            typed: Arc::default(),
        }
    }

    #[test]
    fn keys_that_end_a_line_are_distinguished_and_others_edit() {
        let keys = keys();
        for (key, does, end) in [
            ('\r', None, LineEnd::Enter),
            ('\x04', None, LineEnd::Enter),
            ('a', None, LineEnd::Enter),
            ('\0', Some(Cmd::Noop), LineEnd::Enter),
            ('\x03', Some(Cmd::AcceptLine), LineEnd::Interrupted),
            ('\x1c', Some(Cmd::AcceptLine), LineEnd::Interrupted),
            ('\x1a', Some(Cmd::AcceptLine), LineEnd::Suspended { cursor: 7 }),
        ] {
            assert_eq!((keys.press(key.into(), 7), keys.take_end()), (does, end), "{key:?}");
        }
    }

    #[test]
    fn secret_is_edited_and_is_nowhere_but_here() {
        let keys = keys();
        let accept = Some(Cmd::AcceptLine);
        for (typed, secret, end) in [
            ("cytus\r", "cytus", LineEnd::Enter),
            ("wrong\x15cytux\x7fs\n", "cytus", LineEnd::Enter),
            ("猫\x7fé\x1a\t\x12\x04\r", "é", LineEnd::Enter),
            ("cyt\x03", "cyt", LineEnd::Interrupted),
            ("\x04", "", LineEnd::Interrupted),
        ] {
            keys.begin_secret();
            let done: Vec<_> = typed.chars().map(|key| keys.press(key.into(), 0)).collect();
            let (last, before) = done.split_last().unwrap();
            assert!(before.iter().all(|command| *command == Some(Cmd::Noop)), "{done:?}");
            assert_eq!((last, keys.take_secret().as_str()), (&accept, secret), "{typed:?}");
            assert_eq!(keys.take_end(), end, "{typed:?}");
        }
        assert_eq!(keys.press('a'.into(), 0), None);
        keys.begin_secret();
        (0..5000).for_each(|_| drop(keys.press('a'.into(), 0)));
        assert_eq!(keys.take_secret().len(), SECRET_BYTES_MAX + 1);
    }
}
