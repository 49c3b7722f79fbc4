//! `chat-cli mcp`: a server of the Model Context Protocol on standard input and output, so that
//! agents use the chat server as people do. A line is a message of JSON-RPC 2.0.
//!
//! The thread `requests` reads. A call of a tool has a thread `call`, so a call that waits delays no
//! other. The main thread writes the answers.

mod calls;
mod lines;
mod page;
mod rpc;
mod session;
mod tools;

use std::io::{self, BufReader, IsTerminal, Write};
use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};
use std::thread;

use serde_json::{Map, Value, json};

use crate::catalogue::{mcp as texts, shared};
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use calls::{Call, Calls};
use lines::Line;
use rpc::{Fault, Id, Incoming};
use session::Session;

/// The versions of the protocol that begin with `initialize`, the newest first. They differ in
/// nothing that this server uses.
const VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// How many answers can wait to be written. Then no further request is read.
const ANSWERS_MAX: usize = 64;

/// Serves until the end of standard input. Calls that run then are finished, except that none waits
/// any longer.
///
/// # Errors
/// Standard output cannot be written to.
pub fn run(link: &Link, out: &mut dyn Write) -> Result<Exit, Failure> {
    if io::stdin().is_terminal() {
        let _ = writeln!(io::stderr(), "{}", shared::note(texts::by_hand()));
    }
    let server = Arc::new(Server { session: Session::new(link), calls: Calls::default() });
    let (sender, answers) = mpsc::sync_channel(ANSWERS_MAX);
    let reader = Arc::clone(&server);
    thread::Builder::new()
        .name("requests".to_owned())
        .spawn(move || reader.read(&sender))
        .map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
    let written = answers.iter().try_for_each(|answer: Value| {
        writeln!(out, "{answer}")?;
        out.flush()
    });
    server.session.end();
    written?;
    Ok(Exit::Done)
}

#[derive(Debug)]
struct Server {
    session: Session,
    calls: Calls,
}

impl Server {
    /// Reads requests until the end of the input.
    fn read(self: &Arc<Self>, answers: &SyncSender<Value>) {
        let mut input = BufReader::new(io::stdin());
        // An input that cannot be read has ended.
        while let Ok(Some(line)) = lines::next(&mut input) {
            let incoming = match line {
                Line::Whole(line) if line.trim_ascii().is_empty() => continue,
                Line::Whole(line) => Incoming::parse(&line),
                Line::TooLong => {
                    let text = texts::line_longer_than(lines::LINE_BYTES_MAX);
                    Incoming::Wrong(rpc::fault(None, Fault::Request, &text))
                }
            };
            self.take(incoming, answers);
        }
        self.calls.close();
    }

    /// Answers, or starts what will answer.
    fn take(self: &Arc<Self>, incoming: Incoming, answers: &SyncSender<Value>) {
        // If the main thread has ended, nobody reads the answers.
        let send = |answer| drop(answers.send(answer));
        match incoming {
            Incoming::Request { id, method, params } if method == "tools/call" => {
                // A notification that cancels it may be the next line.
                let call = self.calls.begin(&id);
                let run = {
                    let (id, call) = (id.clone(), call.clone());
                    move |server: &Self| server.call(&id, &call, params)
                };
                if let Some(refused) = self.start(&id, answers, run) {
                    self.calls.end(&call);
                    send(refused);
                }
            }
            Incoming::Batch(items) => {
                let first = items.iter().find_map(Incoming::id).cloned().unwrap_or_default();
                let run = |server: &Self| {
                    let answers = items.into_iter().filter_map(|item| server.answer(item));
                    let answers: Vec<Value> = answers.collect();
                    (!answers.is_empty()).then_some(Value::Array(answers))
                };
                self.start(&first, answers, run).into_iter().for_each(send);
            }
            other => self.answer(other).into_iter().for_each(send),
        }
    }

    /// Runs `work` in a thread of its own, and answers with its result. Returns the answer if too
    /// many threads run.
    fn start(
        self: &Arc<Self>,
        id: &Id,
        answers: &SyncSender<Value>,
        work: impl FnOnce(&Self) -> Option<Value> + Send + 'static,
    ) -> Option<Value> {
        let answers = answers.clone();
        let busy = Some(rpc::result(id, tools::too_many()));
        if !self.calls.begin_thread() {
            return busy;
        }
        let server = Arc::clone(self);
        let started = thread::Builder::new().name("call".to_owned()).spawn(move || {
            if let Some(answer) = work(&server) {
                drop(answers.send(answer));
            }
            server.calls.end_thread();
        });
        if started.is_err() {
            self.calls.end_thread();
            return busy;
        }
        None
    }

    /// The answer to a message; `None` if it gets none. Blocks while a tool runs.
    fn answer(&self, incoming: Incoming) -> Option<Value> {
        match incoming {
            Incoming::Request { id, method, params } if method == "tools/call" => {
                self.call(&id, &self.calls.begin(&id), params)
            }
            Incoming::Request { id, method, params } => Some(match reply(&method, &params) {
                Ok(result) => rpc::result(&id, result),
                Err((fault, text)) => rpc::fault(Some(&id), fault, &text),
            }),
            Incoming::Notification { method, params } => {
                if let ("notifications/cancelled", Some(id)) =
                    (method.as_str(), params.get("requestId"))
                {
                    self.calls.cancel(&Id::of(id));
                }
                None
            }
            Incoming::Response | Incoming::Batch(_) => None,
            Incoming::Wrong(answer) => Some(answer),
        }
    }

    /// Runs a tool. A call that was cancelled gets no answer.
    fn call(&self, id: &Id, call: &Call, mut params: Map<String, Value>) -> Option<Value> {
        let answer = match params.remove("name") {
            Some(Value::String(name)) => {
                let arguments = params.remove("arguments").unwrap_or_else(|| json!({}));
                match tools::run(&name, arguments, &self.session, call) {
                    Some(result) => rpc::result(id, result),
                    None => {
                        let text = texts::no_tool(format_args!("{name:?}"));
                        rpc::fault(Some(id), Fault::Params, &text)
                    }
                }
            }
            _ => rpc::fault(Some(id), Fault::Params, texts::no_tool_named()),
        };
        self.calls.end(call);
        (!call.is_cancelled()).then_some(answer)
    }
}

/// The result of a method that is no call of a tool.
fn reply(method: &str, params: &Map<String, Value>) -> Result<Value, (Fault, String)> {
    match method {
        "initialize" => {
            let asked = params.get("protocolVersion").and_then(Value::as_str);
            let known = VERSIONS.into_iter().find(|version| Some(*version) == asked);
            Ok(json!({
                "protocolVersion": known.unwrap_or(VERSIONS[0]),
                "capabilities": {"tools": {"listChanged": false}},
                "serverInfo": {"name": "chat-cli", "version": env!("CARGO_PKG_VERSION")},
                "instructions": tools::instructions(),
            }))
        }
        "ping" => Ok(json!({})),
        // All tools are on one page.
        "tools/list" if params.get("cursor").is_none_or(Value::is_null) => {
            Ok(json!({"tools": tools::list()}))
        }
        "tools/list" => Err((Fault::Params, texts::no_such_page().to_owned())),
        _ => Err((Fault::Method, texts::no_method(format_args!("{method:?}")))),
    }
}
