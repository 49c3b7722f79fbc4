//! Notifications on the desktop, by the program notify-send.
//!
//! The thread `notifier` runs it, one notification after the other. A question that offers answers
//! has a thread `question`, because its notify-send runs until the user has chosen. No process
//! outlives this one, and none runs longer than its time limit.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use signal_hook::iterator::Signals;

use super::super::child::{ENDING, end_by};
use super::answer::{self, Answered};
use super::note;
use super::notification::{Batch, Notification};
use super::notify_send::{NotifySend, Problem};
use super::signal::Signal;
use crate::catalogue::notify as texts;
use crate::client::dial::Dialer;
use crate::client::link::Link;
use crate::client::question;
use crate::model::{Message, Token};
use crate::system::ignored_signals;

/// How long the last notifications may take at the end.
const FINISH_MAX: Duration = Duration::from_secs(10);

/// How long processes may take to end after they were told to.
const END_MAX: Duration = Duration::from_secs(2);

/// How many questions can wait for the user's choice. Others have no buttons.
const QUESTIONS_MAX: usize = 16;

/// A desktop to notify on.
#[derive(Debug)]
pub struct Desktop {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    signal: Option<Signal>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// What the thread `notifier` has not taken yet.
    pending: Batch,
    /// Whether that thread is busy.
    is_showing: bool,
    /// How many questions wait for the user's choice.
    questions: usize,
    /// How many answers are on their way.
    answers: usize,
    /// Whether all processes shall end.
    is_cancelled: bool,
    /// Whether notify-send has failed at its last call.
    has_failed: bool,
}

impl Desktop {
    /// The desktop of this process; `None` if there is none, or no notify-send. What it cannot show
    /// goes to the terminal on standard error, if there is one, by `signal`.
    pub fn find(link: &Link, token: Token, signal: Option<Signal>) -> Option<Self> {
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let has_desktop =
            ["DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"].into_iter().any(is_set);
        let program = has_desktop.then(|| find_program("notify-send"))??;
        let signal = signal.filter(|_| io::stderr().is_terminal());
        let shared = Arc::new(Shared { signal, ..Shared::default() });
        let sender = Sender { dialer: link.dialer().clone(), timeout: link.timeout(), token };
        let (notifier, signals) = (Arc::clone(&shared), Arc::clone(&shared));
        let started = end_with_processes(signals).and_then(|()| {
            thread::Builder::new()
                .name("notifier".to_owned())
                .spawn(move || notifier.show_all(&program, &sender))
        });
        // Without a thread the terminal is used.
        started.ok().map(|_| Self { shared })
    }

    /// Shows notifications soon. Does not block.
    pub fn tell(&self, batch: Batch) {
        self.shared.lock().pending.append(batch);
        self.shared.changed.notify_all();
    }

    /// Waits until everything was shown and chosen answers were sent, within limits. Questions that
    /// are still open on the desktop are closed there.
    pub fn finish(&mut self) {
        let shows = |state: &mut State| state.is_showing || !state.pending.is_empty();
        self.shared.wait_while(FINISH_MAX, shows);
        self.shared.wait_while(FINISH_MAX, |state| state.answers > 0);
        self.shared.cancel();
    }
}

/// With what a question is answered.
#[derive(Debug, Clone)]
struct Sender {
    dialer: Dialer,
    timeout: Duration,
    token: Token,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while this is so, at most for `limit`.
    fn wait_while(&self, limit: Duration, is_so: impl FnMut(&mut State) -> bool) {
        let waited = self.changed.wait_timeout_while(self.lock(), limit, is_so);
        drop(waited);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Ends all processes, and waits for their end.
    fn cancel(&self) {
        self.change(|state| state.is_cancelled = true);
        self.wait_while(END_MAX, |state| state.is_showing || state.questions > 0);
    }

    /// Waits this long. Returns whether to go on.
    fn pause(&self, pause: Duration) -> bool {
        self.wait_while(pause, |state| !state.is_cancelled);
        !self.lock().is_cancelled
    }

    /// The thread `notifier`.
    fn show_all(self: &Arc<Self>, program: &Path, sender: &Sender) {
        let mut notify_send = NotifySend::new(program, |pause| self.pause(pause));
        loop {
            let batch = {
                let none = |state: &mut State| state.pending.is_empty() && !state.is_cancelled;
                let waited = self.changed.wait_while(self.lock(), none);
                let mut state = waited.unwrap_or_else(PoisonError::into_inner);
                if state.is_cancelled {
                    return;
                }
                state.is_showing = true;
                std::mem::take(&mut state.pending)
            };
            for told in batch.notifications() {
                if !self.show_question(&told, &mut notify_send, sender) {
                    self.record(notify_send.show(&told), &told);
                }
            }
            self.change(|state| state.is_showing = false);
        }
    }

    /// Shows a question with its answers, beside other notifications. Returns `false` if it is
    /// none, or cannot be shown so.
    fn show_question(
        self: &Arc<Self>,
        told: &Notification,
        notify_send: &mut NotifySend<impl Fn(Duration) -> bool>,
        sender: &Sender,
    ) -> bool {
        let Some(question) = told.question.as_deref() else { return false };
        if self.lock().questions >= QUESTIONS_MAX || !notify_send.has_actions() {
            return false;
        }
        self.change(|state| state.questions += 1);
        let (shared, sender, question) = (Arc::clone(self), sender.clone(), question.clone());
        let (program, told) = (notify_send.program().to_owned(), told.clone());
        let started = thread::Builder::new().name("question".to_owned()).spawn(move || {
            let notify_send = NotifySend::new(&program, |pause| shared.pause(pause));
            let chosen = notify_send.ask(&told, &question);
            let answer =
                chosen.as_ref().ok().and_then(|chosen| choice(&question, chosen.as_ref()?));
            shared.change(|state| {
                state.questions -= 1;
                state.answers += usize::from(answer.is_some());
            });
            shared.record(chosen.map(drop), &told);
            if let Some(answer) = answer {
                shared.answer(&sender, &question, answer);
                shared.change(|state| state.answers -= 1);
            }
        });
        if started.is_err() {
            self.change(|state| state.questions -= 1);
        }
        started.is_ok()
    }

    fn answer(&self, sender: &Sender, question: &Message, answer: &str) {
        let mut link = Link::new(sender.dialer.clone(), sender.timeout);
        let pause = |pause| self.pause(pause);
        match answer::send(&mut link, sender.token, question, answer, pause) {
            Ok(Answered::Sent) => {}
            Ok(Answered::Closed) => note(texts::question_is_closed(question.id.0, answer)),
            Ok(Answered::NotAsked) => note(texts::question_is_for_others(question.id.0, answer)),
            Err(failure) => {
                note(texts::notify_answer_not_sent(answer, question.id.0, failure));
            }
        }
    }

    /// Remembers whether a call has succeeded, and reports the first of several failures. What was
    /// not shown goes to the terminal.
    fn record(&self, shown: Result<(), Problem>, told: &Notification) {
        let had_failed = {
            let mut state = self.lock();
            if state.is_cancelled {
                return;
            }
            std::mem::replace(&mut state.has_failed, shown.is_err())
        };
        let Err(problem) = shown else { return };
        if !had_failed {
            note(texts::notify_send_failed(problem));
        }
        if let Some(signal) = self.signal {
            let _ = io::stderr().write_all(signal.sequence(told).as_bytes());
        }
    }
}

/// The offered answer whose button has this number.
fn choice<'a>(question: &'a Message, number: &str) -> Option<&'a str> {
    let number: usize = number.parse().ok()?;
    question::choices(question).get(number).copied()
}

/// A signal that ends this process ends the processes of notify-send first.
fn end_with_processes(shared: Arc<Shared>) -> io::Result<()> {
    let ignored = ignored_signals();
    let is_taken = |signal: &&i32| ignored & (1 << (**signal - 1)) == 0;
    let mut signals = Signals::new(ENDING.iter().filter(is_taken))?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        if let Some(signal) = signals.forever().next() {
            shared.cancel();
            end_by(signal)
        }
    })?;
    Ok(())
}

/// The path of a program, as a shell finds it.
fn find_program(name: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    let is_program = |path: &PathBuf| {
        path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
    };
    env::split_paths(&folders).map(|folder| folder.join(name)).find(is_program)
}
