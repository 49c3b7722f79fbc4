//! System calls of a server that fail, take long, or are its last: `strace` traces the server, so
//! the tests run the ordinary binary.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::skip::{is_here, skip};

/// The traced calls: all that change a file, take a lock, or send something.
const TRACED: &str = "trace=accept4,fcntl,fdatasync,fsync,ftruncate,pwrite64,rename,renameat2,\
    sendto,unlink,write,writev";

/// Whether processes can be traced here; if not, the test is skipped and says why.
#[track_caller]
pub fn available() -> bool {
    if !is_here("strace") {
        return false;
    }
    let tried = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output();
    let available = tried.is_ok_and(|output| output.status.success());
    if !available {
        skip("a system that lets strace trace", "run as root");
    }
    available
}

/// The injections of `strace`: `signal(KILL, "pwrite64", 3)` and its like. Calls are counted for
/// each thread and each name.
pub fn kill_at(calls: &str, number: usize) -> String {
    format!("inject={calls}:signal=KILL:when={number}")
}

/// See [`kill_at`].
pub fn fail_at(calls: &str, error: &str, when: impl std::fmt::Display) -> String {
    format!("inject={calls}:error={error}:when={when}")
}

/// The command under a `strace` that injects this into its threads, writes a trace, and ends as the
/// command does.
pub fn traced(command: &Command, injection: &str, trace: &Path) -> Command {
    let mut traced = Command::new("strace");
    traced.args(["-qq", "-f", "-y", "-e", TRACED, "-e", injection, "-o"]).arg(trace);
    traced.arg(command.get_program()).args(command.get_args()).env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            traced.env(name, value);
        }
    }
    traced.env("PATH", std::env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
    traced
}

/// A tracer attached to all threads of a process.
pub struct Tracer {
    child: Child,
    _said: BufReader<ChildStderr>,
    folder: TempDir,
}

impl Tracer {
    /// Attaches to a process, and injects this from then on. `None` if the system does not allow
    /// it; the test then says why.
    pub fn attach(pid: i32, injection: &str) -> Option<Self> {
        Self::attach_with(pid, injection, &[])
    }

    /// [`Self::attach`], limited to calls on this file.
    pub fn attach_to_file(pid: i32, injection: &str, file: &Path) -> Option<Self> {
        Self::attach_with(pid, injection, &[OsStr::new("-P"), file.as_os_str()])
    }

    fn attach_with(pid: i32, injection: &str, more: &[&OsStr]) -> Option<Self> {
        let folder = TempDir::new().expect("a temporary folder");
        let mut command = Command::new("strace");
        command.args(more);
        command.args(["-f", "-y", "-e", TRACED, "-e", injection, "-o"]).arg(trace(&folder));
        command.args(["-p", &pid.to_string()]).stdin(Stdio::null()).stderr(Stdio::piped());
        if !is_here("strace") {
            return None;
        }
        let mut child = command.spawn().expect("strace starts");
        let mut said = BufReader::new(child.stderr.take().expect("its standard error"));
        let mut line = String::new();
        said.read_line(&mut line).expect("a line of strace");
        if !line.contains(" attached") {
            said.read_to_string(&mut line).expect("all of it");
            let _ = child.wait();
            skip(&format!("a system that lets strace trace: {}", line.trim()), "run as root");
            return None;
        }
        Some(Self { child, _said: said, folder })
    }

    /// The trace so far, one line for each event.
    pub fn seen(&self) -> Trace {
        Trace::read(&trace(&self.folder))
    }

    /// Waits for the end of the process, and returns the trace.
    pub fn wait(mut self) -> Trace {
        self.child.wait().expect("strace ends with the process");
        self.seen()
    }

    /// Detaches from the process, which runs on undisturbed, and returns the trace.
    pub fn detach(mut self) -> Trace {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::INT).expect("strace can be interrupted");
        self.child.wait().expect("strace has ended");
        self.seen()
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // Not SIGKILL, which could leave the process suspended.
        let _ = kill_process(Pid::from_child(&self.child), Signal::INT);
        let _ = self.child.wait();
    }
}

fn trace(folder: &TempDir) -> PathBuf {
    folder.path().join("trace")
}

/// The lines that `strace` wrote.
pub struct Trace {
    pub lines: Vec<String>,
}

impl Trace {
    /// Reads the trace of a finished or running tracer.
    pub fn read(path: &Path) -> Self {
        let text = fs::read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        Self { lines: text.lines().map(str::to_owned).collect() }
    }

    /// The call before which the process was killed: its name and its object, which is the end of
    /// the path of its file (`-wal`, `.sqlite`) or the kind of its descriptor.
    pub fn last_call(&self) -> Option<String> {
        // For a thread that was about to make a call when another was killed, the call is unknown.
        let is_end = |line: &&String| line.trim_end().ends_with("= ?") && !line.contains("???");
        let dead = self.lines.iter().rfind(is_end)?;
        let thread = dead.split(' ').next()?;
        // A call interrupted by another thread's line has two lines.
        let begun = self.lines.iter().rfind(|line| {
            line.starts_with(thread) && line.contains('(') && !line.contains("resumed>")
        })?;
        let call = begun[thread.len()..].trim_start();
        let (name, rest) = call.split_once('(')?;
        // A descriptor with its path, or a path alone.
        let of = match rest.split_once('<') {
            Some((number, path)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                path.split(">").next()?
            }
            _ => rest.split('"').nth(1)?,
        };
        let of = of.rsplit('/').next()?;
        let of = of.split(":[").next()?;
        Some(format!("{name} {of}"))
    }

    /// The lines from the first injected fault on; none if there was none.
    pub fn since_fault(&self) -> &[String] {
        let first = self.lines.iter().position(|line| line.contains("(INJECTED)"));
        first.map_or(&[], |first| &self.lines[first..])
    }

    /// The number of calls of this name.
    pub fn count(&self, call: &str) -> usize {
        let begun = format!(" {call}(");
        self.lines.iter().filter(|line| line.contains(&begun)).count()
    }
}
