//! The status page and what it shows: `/` is one document with everything in it, which asks for
//! `/status.json` every two seconds.

use std::time::SystemTime;

use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use uuid::Uuid;

use super::Sources;
use super::history::{History, INTERVAL, Series, milliseconds_since_1970, send_times};
use crate::metrics::Distribution;
use crate::protocol::refusal::Code;
use crate::protocol::standing;
use crate::protocol::verb::Verb;
use crate::server::{CloseReason, ConnectionState};
use crate::store::Totals;
use crate::system::{Process, open_files};

const PAGE: &str = include_str!("status/page.html");
const STYLE: &str = include_str!("status/page.css");
const SCRIPT: &str = include_str!("status/page.js");

/// The page. Its script and its style are allowed by a word that is another one each time; nothing
/// else is, and nothing from anywhere else.
pub(super) fn page() -> Response {
    let nonce = Uuid::new_v4().simple().to_string();
    let body = PAGE
        .replace("{style}", STYLE)
        .replace("{script}", SCRIPT)
        .replace("{nonce}", &nonce)
        .replace("{version}", env!("CARGO_PKG_VERSION"));
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    let head = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, &policy),
        (REFERRER_POLICY, "no-referrer"),
    ];
    (head, body).into_response()
}

/// The figures, as `docs/monitoring.md` describes them.
pub(super) fn figures(
    sources: &Sources,
    census: Totals,
    began: SystemTime,
    stopping: bool,
    history: &History,
) -> Response {
    let status = Status::look(sources, census, began, stopping, history);
    axum::Json(status).into_response()
}

#[derive(Serialize)]
struct Status {
    version: &'static str,
    sqlite: Option<String>,
    database: Database,
    now: u64,
    started_at: u64,
    stopping: bool,
    users: i64,
    sessions: i64,
    watchers: usize,
    newest_message_id: i64,
    connections: Vec<Named<i64>>,
    connections_opened: u64,
    connections_refused: u64,
    connections_closed: Vec<Named<u64>>,
    messages_stored: u64,
    send_p99_seconds: Option<f64>,
    commit_p99_seconds: Option<f64>,
    logins_failed: u64,
    slow_requests: u64,
    requests: Vec<Requests>,
    queues: Vec<Queue>,
    storage: Storage,
    process: Option<ProcessStatus>,
    open_files: Option<u64>,
    open_files_max: Option<u64>,
    interval_seconds: u64,
    history: Series,
}

#[derive(Serialize)]
struct Database {
    version: String,
    #[serde(flatten)]
    known: standing::Database,
}

#[derive(Serialize)]
struct Named<T> {
    name: &'static str,
    count: T,
}

/// Since the start, by verb.
#[derive(Serialize)]
struct Requests {
    verb: &'static str,
    ok: u64,
    refused: u64,
    p50_seconds: Option<f64>,
    p99_seconds: Option<f64>,
}

#[derive(Serialize)]
struct Queue {
    name: &'static str,
    length: usize,
    capacity: usize,
}

#[derive(Serialize)]
struct Storage {
    database_bytes: Option<u64>,
    wal_bytes: Option<u64>,
    available_bytes: Option<u64>,
}

#[derive(Serialize)]
struct ProcessStatus {
    threads: u64,
    resident_bytes: u64,
}

impl Status {
    fn look(
        sources: &Sources,
        census: Totals,
        began: SystemTime,
        stopping: bool,
        history: &History,
    ) -> Self {
        let (server, service) = (&sources.server, &sources.service);
        let store = service.store();
        let disk = store.files().and_then(|files| files.disk_usage().ok());
        let (open_files, open_files_max) = open_files();
        let states = ConnectionState::ALL.iter();
        let reasons = CloseReason::ALL.iter();
        let queue = |name, (length, capacity)| Queue { name, length, capacity };
        let p99 = |times: &Distribution| times.quantile(0.99).map(|nanoseconds| nanoseconds / 1e9);
        let failed = [Code::UnknownUser, Code::WrongPassword];
        Self {
            version: env!("CARGO_PKG_VERSION"),
            sqlite: store.files().is_some().then(|| store.engine_version().to_owned()),
            database: Database {
                version: store.engine_version().to_owned(),
                known: service.database(),
            },
            now: milliseconds_since_1970(SystemTime::now()),
            started_at: milliseconds_since_1970(began),
            stopping,
            users: census.users,
            sessions: census.sessions,
            watchers: service.watchers(),
            newest_message_id: census.newest.0,
            connections: states
                .map(|&state| Named { name: state.as_str(), count: server.connections(state) })
                .collect(),
            connections_opened: server.opened(),
            connections_refused: server.refused.get(),
            connections_closed: reasons
                .map(|&reason| Named { name: reason.as_str(), count: server.closed(reason) })
                .collect(),
            messages_stored: service.metrics().messages.get(),
            send_p99_seconds: p99(&send_times(sources)),
            commit_p99_seconds: p99(&store.metrics().commit.read()),
            logins_failed: failed.map(|code| server.requests(Verb::Auth, Some(code))).iter().sum(),
            slow_requests: server.slow_requests(),
            requests: Verb::ALL.iter().map(|&verb| Requests::of(sources, verb)).collect(),
            queues: vec![
                queue("writer", store.write_queue()),
                queue("readers", store.read_queue()),
                queue("hashers", service.hash_queue()),
                queue("log", sources.log.waiting()),
            ],
            storage: Storage {
                database_bytes: disk.map(|disk| disk.database),
                wal_bytes: disk.map(|disk| disk.wal),
                available_bytes: disk.map(|disk| disk.available),
            },
            process: Process::look().map(|process| ProcessStatus {
                threads: process.threads,
                resident_bytes: process.resident_bytes,
            }),
            open_files,
            open_files_max,
            interval_seconds: INTERVAL.as_secs(),
            history: history.series(),
        }
    }
}

impl Requests {
    fn of(sources: &Sources, verb: Verb) -> Self {
        let server = &sources.server;
        let times = server.request_times(verb);
        let seconds = |part| times.quantile(part).map(|nanoseconds| nanoseconds / 1e9);
        Self {
            verb: verb.as_str(),
            ok: server.requests(verb, None),
            refused: Code::ALL.iter().map(|&code| server.requests(verb, Some(code))).sum(),
            p50_seconds: seconds(0.5),
            p99_seconds: seconds(0.99),
        }
    }
}
