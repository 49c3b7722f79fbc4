//! Runs the command of `send --done` as if it had been started directly: its input is this process's,
//! its output is passed through unchanged, and so are signals.
//!
//! The command stays in this process's group. So signals from the terminal (Ctrl-C, Ctrl-Z, a
//! hang-up) reach it anyway, and only those that another process sends to this one are passed on.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::emulate_default_handler;

use super::tail::{Output, Tail};
use crate::system::{Waker, ignored_signals, since_boot};

/// The signals that are passed on. Those that were ignored at the start stay ignored, as `nohup`
/// expects.
const PASSED_ON: [i32; 6] = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2];
/// How many bytes of output are read at a time.
const READ_BYTES: usize = 64 * 1024;

/// How a command ended.
#[derive(Debug)]
pub struct Job {
    /// With which result.
    pub result: JobResult,
    /// How long it took, including the time that it was stopped and the machine slept.
    pub took: Duration,
    /// The last lines of its output.
    pub lines: Vec<String>,
}

/// The result of a command.
#[derive(Debug)]
pub enum JobResult {
    /// It ended with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// It could not be run.
    NotRun(io::Error),
}

impl JobResult {
    /// The exit code that a shell would give: 127 if there is no such command, 126 if it cannot be
    /// run, and 128 more than the number of a signal.
    pub fn exit_code(&self) -> u8 {
        let code = match self {
            Self::Code(code) => *code,
            Self::Signal(signal) => 128 + signal,
            Self::NotRun(error) if error.kind() == io::ErrorKind::NotFound => 127,
            Self::NotRun(_) => 126,
        };
        u8::try_from(code).unwrap_or(u8::MAX)
    }
}

impl From<ExitStatus> for JobResult {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, signal) => Self::Signal(signal.unwrap_or_default()),
        }
    }
}

/// Runs the command and waits for its end. Keeps the last `lines_max` lines of its output. With 0
/// the command has this process's own output, which may be a terminal.
///
/// # Errors
/// The system lacks a descriptor or a thread. The command was not run then.
pub fn run(program: &OsString, arguments: &[OsString], lines_max: usize) -> io::Result<Job> {
    let running = Arc::new(Running::default());
    pass_on_signals(Arc::clone(&running))?;
    let is_kept = lines_max > 0;
    let mut command = Command::new(program);
    command.args(arguments);
    if is_kept {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    let ended = Waker::new()?;
    let begun = since_boot();
    let mut child = match running.start(&mut command) {
        Ok(child) => child,
        Err(error) => {
            let result = JobResult::NotRun(error);
            return Ok(Job { result, took: Duration::ZERO, lines: Vec::new() });
        }
    };
    let tail = Arc::new(Mutex::new(Tail::new(lines_max)));
    let out = child.stdout.take().map(|from| (Output::Out, Box::new(from) as Box<dyn Source>));
    let error = child.stderr.take().map(|from| (Output::Error, Box::new(from) as Box<dyn Source>));
    let mut copies = Vec::new();
    for (output, from) in out.into_iter().chain(error) {
        let (tail, ended) = (Arc::clone(&tail), ended.clone());
        let copy = move || copy(from, output, &tail, &ended);
        let name = "output".to_owned();
        copies.push(thread::Builder::new().name(name).spawn(copy));
    }
    let status = running.wait(&mut child);
    let took = since_boot().saturating_sub(begun);
    ended.wake();
    // Without its thread, an output was closed, and the command may have ended by that.
    for copy in copies.into_iter().flatten() {
        let _ = copy.join();
    }
    let result = status?.into();
    let tail = std::mem::replace(&mut *lock(&tail), Tail::new(0));
    Ok(Job { result, took, lines: tail.into_lines() })
}

/// An output of the command.
trait Source: Read + AsFd + Send {}

impl<T: Read + AsFd + Send> Source for T {}

/// Passes an output on until it ends, or until the command has ended and all that it has written is
/// passed on. If this process's own output cannot be written, the command's is closed, so that it
/// learns of that as if it had written there itself.
fn copy(mut from: Box<dyn Source>, output: Output, tail: &Mutex<Tail>, ended: &Waker) {
    let mut chunk = vec![0; READ_BYTES];
    loop {
        let is_readable = {
            let mut polled = [PollFd::new(&from, PollFlags::IN), PollFd::new(ended, PollFlags::IN)];
            match poll(&mut polled, None) {
                Ok(_) => !polled[0].revents().is_empty(),
                Err(Errno::INTR) => continue,
                Err(_) => return,
            }
        };
        if !is_readable {
            return;
        }
        let count = match from.read(&mut chunk) {
            Ok(0) => return,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        lock(tail).add(output, &chunk[..count]);
        let written = match output {
            Output::Out => write(io::stdout().as_fd(), &chunk[..count]),
            Output::Error => write(io::stderr().as_fd(), &chunk[..count]),
        };
        if written.is_err() {
            return;
        }
    }
}

/// Writes everything, also if another process has made the output non-blocking.
fn write(to: BorrowedFd<'_>, mut bytes: &[u8]) -> rustix::io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::new(&to, PollFlags::OUT)], None);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The process of the command, while there is one.
#[derive(Debug, Default)]
struct Running(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    process: Option<Pid>,
    /// Signals that arrived before the command was started.
    early: Vec<i32>,
    has_ended: bool,
}

impl Running {
    /// Starts the command. A signal that arrives meanwhile waits for the lock, and then finds the
    /// process.
    fn start(&self, command: &mut Command) -> io::Result<Child> {
        let mut state = lock(&self.0);
        let started = command.spawn();
        match &started {
            Ok(child) => {
                let process = Pid::from_child(child);
                state.process = Some(process);
                state.early.drain(..).for_each(|signal| tell(process, signal));
            }
            Err(_) => state.has_ended = true,
        }
        started
    }

    /// Waits for the end. The process is reaped under the lock. Until then its id cannot be reused,
    /// so no signal reaches another process.
    fn wait(&self, child: &mut Child) -> io::Result<ExitStatus> {
        let pid = WaitId::Pid(Pid::from_child(child));
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while waitid(pid.clone(), ended).err() == Some(Errno::INTR) {}
        let mut state = lock(&self.0);
        (state.process, state.has_ended) = (None, true);
        child.wait()
    }

    /// A signal has arrived; a process has sent it, or else the kernel, to the whole group.
    fn take(&self, signal: i32, is_sent: bool) {
        let mut state = lock(&self.0);
        match state.process {
            Some(process) if is_sent => tell(process, signal),
            Some(_) => {}
            None if state.has_ended => {
                drop(state);
                // Only the message is left to send, and nobody has to wait for that.
                let _ = emulate_default_handler(signal);
            }
            None => state.early.push(signal),
        }
    }
}

fn pass_on_signals(running: Arc<Running>) -> io::Result<()> {
    let ignored = ignored_signals();
    let is_taken = |signal: &&i32| ignored & (1 << (**signal - 1)) == 0;
    let mut signals = SignalsInfo::<WithOrigin>::new(PASSED_ON.iter().filter(is_taken))?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for origin in signals.forever() {
            running.take(origin.signal, origin.process.is_some());
        }
    })?;
    Ok(())
}

fn tell(process: Pid, signal: i32) {
    if let Some(signal) = Signal::from_named_raw(signal) {
        let _ = kill_process(process, signal);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
