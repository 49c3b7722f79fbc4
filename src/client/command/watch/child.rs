//! The process of `watch --exec`, and the signals that would end this process. A signal is passed
//! on to the command. This process then waits for the command, records its result, and ends.
//!
//! The thread `signals` receives the signals. While no message is being handled, it ends this
//! process at once. Otherwise it passes the signal on, and the main thread ends this process.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process_group, test_kill_process_group, waitid,
};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::system::ignored_signals;

/// How long a process may run after the signal; then it is killed.
const END_MAX: Duration = Duration::from_secs(10);

/// How long the acknowledgement of its result may take after that.
const RECORD_MAX: Duration = Duration::from_secs(2);

/// How often to check whether the process group has ended.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// The signals that end this process. Signals that were ignored at the start stay ignored, as
/// `nohup` and background jobs of the shell expect.
pub(super) const ENDING: [i32; 4] = [SIGTERM, SIGINT, SIGHUP, SIGQUIT];

/// Handles signals while a command handles a message.
#[derive(Debug)]
pub struct Guard {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Whether a message is being handled, or its result is being recorded.
    is_busy: bool,
    /// The running process, which leads a process group with its number.
    running: Option<Pid>,
    /// The signal that ends this process, and when it arrived.
    ending: Option<(i32, Instant)>,
    /// The process group that received the signal.
    signalled: Option<Pid>,
    /// Whether the main thread is ending this process.
    is_leaving: bool,
}

impl Guard {
    /// Begins to handle signals.
    ///
    /// # Errors
    /// The system lacks a descriptor or a thread.
    pub fn start() -> io::Result<Self> {
        let ignored = ignored_signals();
        let is_taken = |signal: &i32| ignored & (1 << (signal - 1)) == 0;
        let stopping = [SIGTSTP, SIGCONT];
        let mut signals = Signals::new(ENDING.iter().chain(&stopping).filter(|it| is_taken(it)))?;
        let shared = Arc::new(Shared::default());
        let taker = Arc::clone(&shared);
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                taker.take(signal);
            }
        })?;
        Ok(Self { shared })
    }

    /// From now on, a signal waits until [`rest`](Self::rest).
    pub fn begin(&self) {
        self.shared.lock().is_busy = true;
    }

    /// The result has been recorded. Ends this process if a signal has arrived meanwhile.
    pub fn rest(&self) {
        let mut state = self.shared.lock();
        state.is_busy = false;
        if state.ending.is_some() {
            drop(state);
            self.leave();
        }
    }

    /// Runs a command in its own process group, with `input` on its standard input, and passes its
    /// process id to `started`. Returns `None` if a signal arrived before the start. A later signal
    /// reaches the command. Blocks until it has ended.
    ///
    /// # Errors
    /// The command cannot be run.
    pub fn run(
        &self,
        command: &mut Command,
        input: &str,
        started: impl FnOnce(u32),
    ) -> io::Result<Option<ExitStatus>> {
        let mut child = {
            // A signal that arrives now waits for the lock, and then finds the process.
            let mut state = self.shared.lock();
            if state.ending.is_some() {
                return Ok(None);
            }
            let child = command.process_group(0).stdin(Stdio::piped()).spawn()?;
            state.running = Some(Pid::from_child(&child));
            child
        };
        started(child.id());
        if let Some(mut stdin) = child.stdin.take() {
            // The command need not read its input.
            let _ = stdin.write_all(input.as_bytes());
        }
        // The process is reaped under the lock. Until then its id cannot be reused, so no signal
        // reaches another process.
        let pid = WaitId::Pid(Pid::from_child(&child));
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while waitid(pid.clone(), ended).err() == Some(Errno::INTR) {}
        let mut state = self.shared.lock();
        let status = child.wait();
        state.running = None;
        self.shared.changed.notify_all();
        status.map(Some)
    }

    /// Pauses. Returns whether a signal has interrupted the pause.
    pub fn pause(&self, pause: Duration) -> bool {
        let state = self.shared.lock();
        let waits = |state: &mut State| state.ending.is_none();
        let waited = self.shared.changed.wait_timeout_while(state, pause, waits);
        waited.unwrap_or_else(PoisonError::into_inner).0.ending.is_some()
    }

    /// Whether a signal has arrived.
    pub fn is_ending(&self) -> bool {
        self.shared.lock().ending.is_some()
    }

    /// Ends this process by the signal that has arrived, after the process group has ended or was
    /// killed.
    pub fn leave(&self) -> ! {
        let (ending, signalled) = {
            let mut state = self.shared.lock();
            state.is_leaving = true;
            (state.ending, state.signalled)
        };
        let (signal, since) = ending.unwrap_or((SIGTERM, Instant::now()));
        if let Some(group) = signalled {
            while test_kill_process_group(group).is_ok() {
                if since.elapsed() >= END_MAX || self.shared.lock().signalled.is_none() {
                    let _ = kill_process_group(group, Signal::KILL);
                    break;
                }
                thread::sleep(LOOK_INTERVAL);
            }
        }
        end_by(signal)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(self: &Arc<Self>, signal: i32) {
        let mut state = self.lock();
        match signal {
            SIGTSTP => {
                signal_group(state.running, Signal::TSTP);
                drop(state);
                let _ = emulate_default_handler(SIGTSTP);
            }
            SIGCONT => signal_group(state.running, Signal::CONT),
            _ if !state.is_busy => end_by(signal),
            _ if state.ending.is_some() => {
                // The second signal kills the command at once.
                signal_group(state.running.or(state.signalled.take()), Signal::KILL);
                if state.running.is_none() && !state.is_leaving {
                    end_by(signal);
                }
            }
            _ => {
                state.ending = Some((signal, Instant::now()));
                state.signalled = state.running;
                if let Some(signal) = Signal::from_named_raw(signal) {
                    signal_group(state.running, signal);
                    // A stopped process must continue before it can end.
                    signal_group(state.running, Signal::CONT);
                }
                self.changed.notify_all();
                drop(state);
                let shared = Arc::clone(self);
                // Without this thread there is no time limit, which is the lesser harm.
                let limit = thread::Builder::new().name("limit".to_owned());
                let _ = limit.spawn(move || shared.limit(signal));
            }
        }
    }

    /// Makes sure that this process ends in time, whatever the main thread waits for.
    fn limit(&self, signal: i32) {
        let state = self.lock();
        let runs = |state: &mut State| state.running.is_some();
        let waited = self.changed.wait_timeout_while(state, END_MAX, runs);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        signal_group(state.running, Signal::KILL);
        let waited = self.changed.wait_timeout_while(state, RECORD_MAX, runs);
        drop(waited);
        thread::sleep(RECORD_MAX);
        if !self.lock().is_leaving {
            end_by(signal);
        }
    }
}

/// Sends a signal to a process group, which may have just ended.
fn signal_group(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        let _ = kill_process_group(group, signal);
    }
}

/// Ends this process by a signal, as its default action would.
pub(super) fn end_by(signal: i32) -> ! {
    let _ = emulate_default_handler(signal);
    std::process::exit(128 + signal)
}
