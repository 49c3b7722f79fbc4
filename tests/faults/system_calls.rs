//! A server is killed before each of its system calls in turn, and its system calls fail or take
//! long. Acknowledged messages are stored, no message is stored twice, and the server works
//! afterwards.
//!
//! `strace` does this to the ordinary binary, so every system call is a failpoint and none costs
//! anything. Without `strace`, or without the right to trace, the tests are skipped and say so.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::skip::skip;
use crate::support::strace;
use crate::support::strace::{Trace, Tracer, fail_at, kill_at, traced};
use crate::support::{Server, Wire, scaled, server_command};

/// The calls by which a server syncs. It uses the first one today, but SQLite chooses.
const SYNCS: [&str; 2] = ["fsync", "fdatasync"];
/// The server's pause after it could not accept a connection (`server::acceptor`).
const BACK_OFF: Duration = Duration::from_millis(200);
/// Every call by which a running server changes a file, locks one, wakes a thread or replies.
/// Between two of them only its own memory changes.
const STEPS: [&str; 8] =
    ["fcntl", "pwrite64", "fsync", "fdatasync", "ftruncate", "unlink", "write", "sendto"];
/// Sessions that run at the same time: most of the time they wait for a disk.
const AT_ONCE: usize = 4;

/// A database with two logged-in users.
struct Prepared {
    folder: TempDir,
    paff: String,
    neko: String,
}

impl Prepared {
    fn new() -> Self {
        let mut server = Server::start();
        let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
        assert_eq!(server.stop().code(), Some(0));
        let folder = TempDir::new().unwrap();
        fs::copy(server.database(), folder.path().join("chat.sqlite")).unwrap();
        Self { folder, paff, neko }
    }

    fn serve(&self) -> Server {
        let folder = TempDir::new().unwrap();
        let database = folder.path().join("chat.sqlite");
        fs::copy(self.folder.path().join("chat.sqlite"), &database).unwrap();
        quietly(&database, folder)
    }

    /// A session with much work for the disk: messages to one and to several, a cursor that moves,
    /// a logout. Returns the ids of the acknowledged messages, by their numbers.
    fn session(&self, server: &Server) -> BTreeMap<usize, i64> {
        let mut acknowledged = BTreeMap::new();
        let mut wire = server.connect();
        for number in 0..MESSAGES {
            match try_ask(&mut wire, &self.post(number)) {
                Some(reply) if reply["status"] == "OK" => {
                    acknowledged.insert(number, reply["id"].as_i64().unwrap());
                }
                Some(_) => {}
                None => return acknowledged,
            }
        }
        try_ask(&mut wire, &format!(r#"ack {} {{"cursor": "log", "upto": 1}}"#, self.neko));
        acknowledged
    }

    fn post(&self, number: usize) -> String {
        // More of them than fit on a page, so that pages split.
        let body = format!("{number} {}", "x".repeat(1_500));
        let to: &[&str] = if number.is_multiple_of(2) { &["neko"] } else { &["neko", "robo"] };
        let fields = json!({"to": to, "key": format!("k-{number}"), "body": body});
        format!("post {} {fields}", self.paff)
    }

    /// Asserts that a server started on the remains has every acknowledged message, stores the
    /// others when they are repeated, and nothing twice; and that it can be stopped.
    fn check(&self, server: &mut Server, acknowledged: &BTreeMap<usize, i64>, fault: &str) {
        server.start_again();
        assert_eq!(server.query("PRAGMA integrity_check"), ["ok"], "{fault}");
        let mut wire = server.connect();
        for number in 0..MESSAGES {
            let reply = wire.done(self.post(number));
            if let Some(id) = acknowledged.get(&number) {
                assert_eq!(reply["duplicate"], true, "{fault}: message {number} was lost");
                assert_eq!(reply["id"], *id, "{fault}");
            }
        }
        let expected: Vec<String> =
            (0..MESSAGES).map(|number| format!("k-{number}|{}", 1 + number % 2)).collect();
        let stored = "select key, count(*) from messages group by key order by key";
        assert_eq!(server.query(stored), expected, "{fault}");
        let unread = wire.done(format!(r#"fetch {} {{"unread": true}}"#, self.neko));
        assert_eq!(unread["messages"].as_array().unwrap().len(), MESSAGES, "{fault}");
        drop(wire);
        assert_eq!(server.stop().code(), Some(0), "{fault}");
    }
}

/// Messages of a session; fewer than ten, so that their keys sort in the order of sending.
const MESSAGES: usize = 4;

/// A server whose standard error is discarded: the tests expect it to end.
fn quietly(database: &Path, folder: TempDir) -> Server {
    let mut command = server_command(database);
    command.stderr(Stdio::null());
    Server::start_command(command, folder)
}

/// `None` if the server has ended.
fn try_ask(wire: &mut Wire, line: &str) -> Option<Value> {
    wire.stream().write_all(format!("{line}\r\n").as_bytes()).ok()?;
    wire.try_reply_bytes().map(|reply| serde_json::from_slice(&reply).unwrap())
}

/// Calls `attempt` with 1, 2, 3 … until it reports that there is no such step any more; several at
/// a time, and every one or one in so many.
fn sweep(every: usize, attempt: impl Fn(usize) -> bool + Sync) -> usize {
    let (next, more, done) = (AtomicUsize::new(0), AtomicBool::new(true), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while more.load(Ordering::SeqCst) {
                    let number = 1 + every * next.fetch_add(1, Ordering::SeqCst);
                    if attempt(number) {
                        done.fetch_add(1, Ordering::SeqCst);
                    } else {
                        more.store(false, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    done.into_inner()
}

#[test]
fn server_killed_before_any_system_call_loses_and_doubles_nothing() {
    if !strace::available() {
        return;
    }
    let prepared = Prepared::new();
    let steps = Mutex::new(BTreeMap::<String, usize>::new());
    // Calls are counted for each thread. Calls of the writer's thread at the end must be counted
    // from there, or a worker with as many earlier calls is killed first.
    for (call, at_the_end) in STEPS.iter().flat_map(|call| [(call, false), (call, true)]) {
        sweep(1, |number| {
            let mut server = prepared.serve();
            let before = at_the_end.then(|| prepared.session(&server));
            let Some(tracer) = Tracer::attach(server.pid(), &kill_at(call, number)) else {
                return false;
            };
            let acknowledged = before.unwrap_or_else(|| prepared.session(&server));
            // The stop checkpoints the WAL into the file. It may be killed there.
            server.try_signal(Signal::TERM);
            let killed = server.wait().code().is_none();
            let trace = tracer.wait();
            if killed {
                let step = trace.last_call().unwrap_or_else(|| panic!("{:#?}", trace.lines));
                prepared.check(&mut server, &acknowledged, &format!("{number}: {step}"));
                *steps.lock().unwrap().entry(step).or_default() += 1;
            }
            killed
        });
    }
    let steps = steps.into_inner().unwrap();
    println!("killed before {} steps:", steps.values().sum::<usize>());
    for (step, count) in &steps {
        println!("{count:>5} {step}");
    }
    let synced = |of: &str| SYNCS.iter().any(|sync| steps.contains_key(&format!("{sync} {of}")));
    for step in [
        // The lock of BEGIN, and its release after COMMIT.
        "fcntl chat.sqlite-shm",
        // COMMIT.
        "pwrite64 chat.sqlite-wal",
        // The reply.
        "write anon_inode",
        "sendto socket",
        // A checkpoint; the last one ends with removing the WAL.
        "pwrite64 chat.sqlite",
        "ftruncate chat.sqlite-wal",
        "unlink chat.sqlite-wal",
    ] {
        assert!(steps.contains_key(step), "no kill before {step}: {steps:#?}");
    }
    assert!(synced("chat.sqlite-wal") && synced("chat.sqlite"), "{steps:#?}");
}

#[test]
fn upgrade_killed_before_any_step_is_completed_by_the_next_start() {
    if !strace::available() {
        return;
    }
    let frozen = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/frozen/schema-1.sqlite");
    let rows = "select id, sender_id, recipient_id, body, key from messages order by id";
    let version = "PRAGMA user_version";
    let upgraded = Server::start_from(&frozen);
    let expected = (upgraded.query(rows), upgraded.query(version));
    assert!(expected.0.len() > 30);
    let killed = AtomicUsize::new(0);
    // Most of the steps belong to the copy that is made first.
    let every = scaled(5, 1);
    for call in STEPS {
        sweep(every, |number| {
            let folder = TempDir::new().unwrap();
            let database = folder.path().join("chat.sqlite");
            fs::copy(&frozen, &database).unwrap();
            let (begun, status, trace) = start_and_stop(&database, &kill_at(call, number));
            if begun {
                return false;
            }
            assert_eq!(status.code(), None, "it was killed");
            killed.fetch_add(1, Ordering::SeqCst);
            let step = trace.last_call();
            let mut server = quietly(&database, folder);
            assert_eq!(server.query(rows), expected.0, "{number}: {step:?}");
            assert_eq!(server.query(version), expected.1, "{number}: {step:?}");
            assert_eq!(server.query("PRAGMA integrity_check"), ["ok"], "{number}: {step:?}");
            let names = fs::read_dir(server.folder()).unwrap();
            let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let partial = names.find(|name| name.ends_with(".partial"));
            assert_eq!(partial, None, "{number}: {step:?}");
            server.connect().done("whoami 550bbffc-1777-481a-ad2b-18a67bcbf724");
            assert_eq!(server.stop().code(), Some(0));
            true
        });
    }
    let killed = killed.into_inner();
    println!("killed before {killed} steps of an upgrade");
    assert!(killed > 10);
}

/// Starts a server under this injection, and stops it if it gets as far as listening. Returns
/// whether it did, how it ended, and the trace.
fn start_and_stop(database: &Path, injection: &str) -> (bool, ExitStatus, Trace) {
    let path = database.with_extension("trace");
    let mut command = traced(&server_command(database), injection, &path);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let begun = line.contains("listening");
    if begun {
        let pid = fs::read_to_string(database.with_extension("sqlite.lock")).unwrap();
        let pid = Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        let _ = kill_process(pid, Signal::TERM);
    }
    let status = child.wait().unwrap();
    let trace = Trace::read(&path);
    fs::remove_file(path).unwrap();
    (begun, status, trace)
}

/// Including the last sync, in the checkpoint of a stop.
#[test]
fn failed_sync_ends_the_server_with_code_74_and_nothing_is_acknowledged_after_it() {
    if !strace::available() {
        return;
    }
    let prepared = Prepared::new();
    let failed = AtomicUsize::new(0);
    for sync in SYNCS {
        sweep(1, |number| {
            let mut server = prepared.serve();
            let injection = fail_at(sync, "EIO", number);
            let Some(tracer) = Tracer::attach(server.pid(), &injection) else { return false };
            let acknowledged = prepared.session(&server);
            server.try_signal(Signal::TERM);
            let code = server.wait().code();
            let trace = tracer.wait();
            let after = trace.since_fault();
            if after.is_empty() {
                assert_eq!(code, Some(0));
                return false;
            }
            if !after[0].contains("chat.sqlite") {
                // The sync of the folder after the WAL was removed, or created again: SQLite
                // ignores its failure. When the WAL is created, the server syncs the folder itself.
                return true;
            }
            failed.fetch_add(1, Ordering::SeqCst);
            assert_eq!(code, Some(74), "{number}: {}", after[0]);
            let reported = after.iter().find(|line| line.contains(r#"{\"status\": \"OK"#));
            assert_eq!(reported, None, "{number}");
            prepared.check(&mut server, &acknowledged, &format!("{sync} {number}"));
            true
        });
    }
    let failed = failed.into_inner();
    println!("{failed} syncs of a session failed, each in turn");
    assert!(failed > MESSAGES, "more than one a message: {failed}");
}

#[test]
fn failed_sync_at_the_start_refuses_it_and_the_next_start_succeeds() {
    if !strace::available() {
        return;
    }
    for sync in SYNCS {
        let failed = sweep(1, |number| {
            let folder = TempDir::new().unwrap();
            let database = folder.path().join("chat.sqlite");
            let (begun, status, trace) = start_and_stop(&database, &fail_at(sync, "EIO", number));
            if begun {
                return false;
            }
            assert_eq!(status.code(), Some(74), "{number}: {:?}", trace.since_fault().first());
            let mut server = quietly(&database, folder);
            server.log_in("paff");
            assert_eq!(server.stop().code(), Some(0));
            true
        });
        println!("{failed} starts failed in a {sync}");
    }
}

#[test]
fn write_without_room_fails_alone_and_the_server_goes_on() {
    if !strace::available() {
        return;
    }
    let prepared = Prepared::new();
    let refused = AtomicUsize::new(0);
    sweep(1, |number| {
        let mut server = prepared.serve();
        let injection = fail_at("pwrite64", "ENOSPC", number);
        let Some(tracer) = Tracer::attach(server.pid(), &injection) else { return false };
        let acknowledged = prepared.session(&server);
        server.connect().done(format!("unread {}", prepared.neko));
        server.signal(Signal::TERM);
        let code = server.wait().code();
        let trace = tracer.wait();
        // In the checkpoint at the end it is no fault: the data stays in the WAL.
        assert_eq!(code, Some(0), "{number}: {:?}", trace.since_fault().first());
        let happened = !trace.since_fault().is_empty();
        let all = acknowledged.len() == MESSAGES;
        refused.fetch_add(usize::from(!all), Ordering::SeqCst);
        // One for each thread: the writer and a worker both write.
        let faults = trace.lines.iter().filter(|line| line.contains("(INJECTED)")).count();
        assert!(MESSAGES - acknowledged.len() <= faults, "{number}: nothing else is refused");
        prepared.check(&mut server, &acknowledged, &format!("write {number}"));
        happened
    });
    assert!(refused.into_inner() > 0);
}

/// A commit that is in the WAL, but whose index could not grow, would be neither done nor undone.
/// So the start gives the index its full length.
#[test]
fn wal_index_needs_no_room_once_the_server_serves() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let path = |suffix: &str| server.folder().join(format!("chat.sqlite{suffix}"));
    let length = |suffix: &str| fs::metadata(path(suffix)).unwrap().len();
    let injection = fail_at("pwrite64,ftruncate", "ENOSPC", "1+");
    let Some(tracer) = Tracer::attach_to_file(server.pid(), &injection, &path("-shm")) else {
        return;
    };
    let (reserved, mut sent) = (length("-shm"), 0);
    // A reader keeps the WAL from being checkpointed.
    let reader = rusqlite::Connection::open(server.database()).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM messages").unwrap();
    let body = "x".repeat(30_000);
    let mut wire = server.connect();
    // Beyond the first parts of the index, of 4,062 and 4,096 pages.
    while length("-wal") < 10_000 * 4_120 {
        wire.done(format!("send {paff} neko {body}"));
        sent += 1;
    }
    assert_eq!(length("-shm"), reserved);
    assert_eq!(wire.done(format!("unread {neko}"))["unread"], sent);
    drop(reader);
    let trace = tracer.detach();
    assert_eq!(trace.since_fault(), [""; 0], "nothing was to be written there");
    assert_eq!(server.query("PRAGMA integrity_check"), ["ok"]);
}

#[test]
fn write_with_another_error_ends_the_server_or_has_no_effect() {
    if !strace::available() {
        return;
    }
    let prepared = Prepared::new();
    sweep(scaled(3, 1), |number| {
        let mut server = prepared.serve();
        let injection = fail_at("pwrite64", "EIO", number);
        let Some(tracer) = Tracer::attach(server.pid(), &injection) else { return false };
        let acknowledged = prepared.session(&server);
        server.try_signal(Signal::TERM);
        let code = server.wait().code();
        let trace = tracer.wait();
        let happened = !trace.since_fault().is_empty();
        assert_eq!(code, Some(if happened { 74 } else { 0 }), "{number}");
        prepared.check(&mut server, &acknowledged, &format!("write {number}"));
        happened
    });
}

#[test]
fn slow_disk_delays_only_senders() {
    let server = Server::start();
    let (paff, neko) = (server.log_in("paff"), server.log_in("neko"));
    let mut sender = server.connect();
    // At least as many as there are workers, so one of them shares the sender's worker.
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let mut readers: Vec<Wire> = (0..workers).map(|_| server.connect()).collect();
    let injection = format!("inject={}:delay_exit=2000000", SYNCS.join(","));
    let Some(tracer) = Tracer::attach(server.pid(), &injection) else { return };
    // The sender's worker may wait for the first commit; after that the disk is known to be slow.
    sender.done(format!("send {paff} neko first"));
    sender.send(format!("send {paff} neko hai\r\n"));
    sender.stream().set_nonblocking(true).unwrap();
    let mut meanwhile = 0;
    // Peeks at one byte of the reply.
    loop {
        match sender.stream().peek(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            peeked => break assert_eq!(peeked.unwrap(), 1),
        }
        for reader in &mut readers {
            reader.done(format!("unread {neko}"));
        }
        meanwhile += 1;
    }
    sender.stream().set_nonblocking(false).unwrap();
    assert_eq!(sender.reply()["status"], "OK");
    assert!(meanwhile > 1, "readers were answered while a sender waited for the disk");
    let trace = tracer.detach();
    assert!(trace.lines.iter().any(|line| line.contains("(DELAYED)")), "the disk was slow");
    sender.done(format!("send {paff} neko again"));
    assert_eq!(readers[0].done(format!("unread {neko}"))["unread"], 3);
}

/// Enough for a large batch, and few enough to arrive in one packet.
const SENDS_AT_ONCE: usize = 80;

/// [`SENDS_AT_ONCE`] as one packet; a few hundred of these make a long WAL.
fn many_sends(token: &str) -> String {
    format!("send {token} neko {}\r\n", "x".repeat(600)).repeat(SENDS_AT_ONCE)
}

/// The checkpointer thread syncs slowly while others write.
#[test]
fn sender_does_not_wait_while_a_long_wal_is_checkpointed() {
    const DELAY: Duration = Duration::from_secs(4);
    let server = Server::start();
    let mut sender = server.connect();
    let packet = many_sends(&sender.log_in("paff"));
    // The first sync of the file itself: of the pages that the checkpoint copies.
    let delay = DELAY.as_micros();
    let injection = format!("inject={}:delay_exit={delay}:when=1", SYNCS.join(","));
    let file = server.database();
    let Some(tracer) = Tracer::attach_to_file(server.pid(), &injection, &file) else { return };
    let is_delayed = || tracer.seen().lines.iter().any(|line| line.contains("(DELAYED)"));
    // Until the checkpoint begins, and once more: the trace shows the delay only at its end.
    let mut was_delayed = false;
    while !was_delayed {
        was_delayed = is_delayed();
        let begun = Instant::now();
        sender.send(&packet);
        for _ in 0..SENDS_AT_ONCE {
            assert_eq!(sender.reply()["status"], "OK");
        }
        assert!(begun.elapsed() < DELAY / 2, "sends waited for the checkpoint");
    }
}

/// The steps of the checkpointer thread and its connection, which no other session here uses.
#[test]
fn server_that_ends_while_a_long_wal_is_checkpointed_keeps_all_acknowledged_messages() {
    // The first sync is for the pages copied beside the writer; the second for the rest.
    let syncs = SYNCS.join(",");
    let killed =
        [("pwrite64", 1), ("pwrite64", 2_000), (&*syncs, 1), ("ftruncate", 1), (&*syncs, 2)]
            .map(|(calls, number)| kill_at(calls, number));
    let failed = [1, 2].map(|number| fail_at(&syncs, "EIO", number));
    thread::scope(|scope| {
        for injection in killed.into_iter().chain(failed) {
            scope.spawn(move || check_folding(&injection));
        }
    });
}

fn check_folding(injection: &str) {
    let mut server = Server::start();
    let mut sender = server.connect();
    let packet = many_sends(&sender.log_in("paff"));
    let file = server.database();
    let Some(tracer) = Tracer::attach_to_file(server.pid(), injection, &file) else { return };
    let mut acknowledged = 0;
    while sender.stream_mut().write_all(packet.as_bytes()).is_ok() {
        acknowledged += (0..SENDS_AT_ONCE).map_while(|_| sender.try_reply_bytes()).count();
    }
    let ended = server.wait();
    drop(tracer);
    if injection.contains("KILL") {
        assert_eq!(ended.signal(), Some(Signal::KILL.as_raw()), "{injection}");
    } else {
        assert_eq!(ended.code(), Some(74), "{injection}");
    }
    server.start_again();
    assert_eq!(server.query("PRAGMA integrity_check"), ["ok"], "{injection}");
    let stored: usize = server.query("SELECT count(*) FROM messages")[0].parse().unwrap();
    // The latest messages may be stored without an acknowledgement.
    let expected = acknowledged..=acknowledged + SENDS_AT_ONCE;
    assert!(expected.contains(&stored), "{injection}: {stored}, {acknowledged}");
}

/// Meanwhile their worker can serve its other connections instead of waiting for the disk.
#[test]
fn few_simultaneous_sends_are_committed_by_the_writer_thread() {
    const SENDS: usize = 8;
    const TIMES: usize = 10;
    let server = Server::start();
    // Each sender is new, so none was just answered.
    let mut senders: Vec<_> = (0..TIMES).map(|_| server.connect()).collect();
    let token = server.connect().log_in("paff");
    let Some(tracer) = Tracer::attach(server.pid(), "trace=fsync,fdatasync") else { return };
    for sender in &mut senders {
        sender.send(format!("send {token} neko hai\r\n").repeat(SENDS));
        for _ in 0..SENDS {
            assert_eq!(sender.reply()["status"], "OK");
        }
    }
    let trace = tracer.detach();
    let synced = trace.lines.iter().filter(|line| line.contains("-wal>"));
    let by: Vec<String> = synced.map(|line| thread_of(server.pid(), line)).collect();
    assert!(by.len() >= TIMES && by.iter().all(|name| name == "writer"), "{by:?}");
}

/// If nobody else sends requests, a hand-over to the writer gains nothing. The sender must answer
/// within 0.1 ms, which a busy machine often prevents: so the test repeats until it succeeds. A
/// tracer would delay each call of the worker by more than that.
#[test]
fn few_sends_from_just_answered_clients_are_committed_by_their_worker() {
    if thread::available_parallelism().is_ok_and(|count| count.get() == 1) {
        return skip("two processors", "use another machine");
    }
    // A worker does not know whether the clients of another worker send requests.
    let server = Server::start_with(&["--workers", "1"]);
    let mut sender = server.connect();
    let packet = format!("send {} neko hai\r\n", sender.log_in("paff")).repeat(8);
    let worker = thread_named(server.pid(), "worker-0");
    let Some(mut before) = bytes_written(server.pid(), worker) else {
        return skip("/proc/PID/task/TID/io", "use a kernel with CONFIG_TASK_IO_ACCOUNTING");
    };
    let begun = Instant::now();
    loop {
        sender.send(&packet);
        for _ in 0..8 {
            assert_eq!(sender.reply()["status"], "OK");
        }
        let now = bytes_written(server.pid(), worker).unwrap();
        // A commit writes at least one page to the WAL. Eight replies are much shorter.
        if now - before >= 4096 {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(300), "all were handed over");
        before = now;
    }
}

/// The thread of the process with this name.
fn thread_named(pid: i32, name: &str) -> i32 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let mut threads = tasks.map(|task| task.unwrap().file_name().into_string().unwrap());
    threads.find(|thread| thread_of(pid, thread) == name).unwrap().parse().unwrap()
}

/// How many bytes the thread has given to `write` and its relatives, if the kernel counts them.
fn bytes_written(pid: i32, thread: i32) -> Option<u64> {
    let counts = fs::read_to_string(format!("/proc/{pid}/task/{thread}/io")).ok()?;
    counts.lines().find_map(|line| line.strip_prefix("wchar: "))?.parse().ok()
}

/// The name of the thread that made a call.
fn thread_of(pid: i32, line: &str) -> String {
    let thread = line.split(' ').next().unwrap();
    let name = fs::read_to_string(format!("/proc/{pid}/task/{thread}/comm")).unwrap();
    name.trim_end().to_owned()
}

/// `EMFILE`, as when the process has no descriptors left.
#[test]
fn connection_that_cannot_be_accepted_waits_and_the_server_does_not_spin() {
    /// The number of failures: a pause of 200 ms each makes two seconds.
    const TIMES: usize = 10;
    let server = Server::start();
    let mut other = server.connect();
    let token = other.log_in("paff");
    let injection = fail_at("accept4", "EMFILE", format_args!("1..{TIMES}"));
    let Some(tracer) = Tracer::attach(server.pid(), &injection) else { return };
    let begun = Instant::now();
    let mut late = server.connect();
    late.send("hello\r\n");
    other.done(format!("send {token} neko meanwhile"));
    assert_eq!(late.reply()["status"], "OK");
    let trace = tracer.detach();
    let refused = trace.lines.iter().filter(|line| line.contains("EMFILE")).count();
    // The thread of the admin socket also accepts, and may fail as often.
    assert!((TIMES..=2 * TIMES).contains(&refused), "{:#?}", trace.lines);
    // A machine under load makes it longer, never shorter.
    assert!(begun.elapsed() >= BACK_OFF * (TIMES as u32 - 1), "{:?}", begun.elapsed());
    server.connect().done(format!("send {token} neko after"));
}
