//! All metrics in Prometheus's text format, version 0.0.4. `docs/monitoring.md` has the same list;
//! a test compares the two.

mod database;

use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::TextEncoder;
use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType,
};

use super::Sources;
use crate::metrics::Distribution;
use crate::protocol::refusal::Code;
use crate::protocol::verb::Verb;
use crate::server::{CloseReason, ConnectionState};
use crate::store::{CheckpointMode, Rollback, Totals};
use crate::system::{Process, open_files};

/// The content type of the format.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

const NANOSECONDS_PER_SECOND: f64 = 1e9;

/// Renders all metrics.
pub(super) fn render(sources: &Sources, totals: Totals, started_at: SystemTime) -> String {
    let mut page = Page::default();
    about_connections(&mut page, sources);
    about_requests(&mut page, sources);
    about_http(&mut page, sources);
    about_users(&mut page, sources, totals);
    about_queues(&mut page, sources);
    about_writing(&mut page, sources);
    about_reading(&mut page, sources);
    about_storage(&mut page, sources, totals);
    database::about_database(&mut page, sources.service.store());
    about_process(&mut page, sources, started_at);
    page.render()
}

fn about_connections(page: &mut Page, sources: &Sources) {
    let server = &sources.server;
    page.gauge("chat_connections", "Open connections, by what they are doing.");
    for &state in ConnectionState::ALL {
        page.sample(&[("state", state.as_str())], server.connections(state));
    }
    page.counter("chat_connections_opened_total", "Connections that were accepted.");
    page.sample(&[], server.opened());
    page.counter("chat_connections_refused_total", "Connections refused: there were too many.");
    page.sample(&[], server.refused.get());
    page.counter("chat_connections_closed_total", "Closed connections, by reason.");
    for &reason in CloseReason::ALL {
        page.sample(&[("reason", reason.as_str())], server.closed(reason));
    }
    page.counter("chat_received_bytes_total", "Bytes read from connections.");
    page.sample(&[], server.received_bytes());
    page.counter("chat_sent_bytes_total", "Bytes written to connections.");
    page.sample(&[], server.sent_bytes());
}

fn about_requests(page: &mut Page, sources: &Sources) {
    let server = &sources.server;
    page.counter(
        "chat_requests_total",
        "Requests answered, by verb, and by ok or the code of the refusal.",
    );
    for &verb in Verb::ALL {
        if verb != Verb::Invalid {
            page.sample(&[("verb", verb.as_str()), ("result", "ok")], server.requests(verb, None));
        }
        // Most codes are impossible for a verb. Only codes that occurred are listed.
        for &code in Code::ALL {
            let count = server.requests(verb, Some(code));
            if count > 0 {
                page.sample(&[("verb", verb.as_str()), ("result", code.as_str())], count);
            }
        }
    }
    page.histogram(
        "chat_request_duration_seconds",
        "From when a request could begin until its reply was queued for sending, by verb.",
    );
    for &verb in Verb::ALL {
        let times = server.request_times(verb);
        if times.count() > 0 || verb == Verb::Send {
            page.times(&[("verb", verb.as_str())], &times);
        }
    }
    page.counter(
        "chat_slow_requests_total",
        "Requests that took at least as long as --slow-request.",
    );
    page.sample(&[], server.slow_requests());
    page.counter("chat_logins_failed_total", "Logins with a wrong name or password, by code.");
    for code in [Code::UnknownUser, Code::WrongPassword] {
        page.sample(&[("reason", code.as_str())], server.requests(Verb::Auth, Some(code)));
    }
    page.counter(
        "chat_logins_held_total",
        "Passwords that were not checked, because too many before them were wrong; by verb.",
    );
    for verb in [Verb::Auth, Verb::Passwd, Verb::Accept] {
        let held = server.requests(verb, Some(Code::RateLimited));
        page.sample(&[("verb", verb.as_str())], held);
    }
    page.counter(
        "chat_sessions_displaced_total",
        "Sessions that were ended because their user logged in once more than there may be.",
    );
    page.sample(&[], sources.service.metrics().sessions_displaced.get());
    page.counter("chat_messages_stored_total", "Messages stored: one for each recipient.");
    page.sample(&[], sources.service.metrics().messages.get());
}

fn about_http(page: &mut Page, sources: &Sources) {
    page.counter(
        "chat_http_requests_total",
        "Requests over HTTP, by kind and by the class of the status. A stream counts at its begin.",
    );
    for (kind, class, count) in sources.http.counts() {
        // Most classes are impossible for a kind.
        if class == "2xx" || count > 0 {
            page.sample(&[("kind", kind), ("status", class)], count);
        }
    }
}

fn about_users(page: &mut Page, sources: &Sources, totals: Totals) {
    page.gauge("chat_watchers", "Streams: connections that receive messages as they arrive.");
    page.sample(&[], sources.service.watchers());
    page.gauge("chat_users", "Users who can log in; counted every ten seconds.");
    page.sample(&[], totals.users);
    page.gauge("chat_sessions", "Sessions that have not ended; counted every ten seconds.");
    page.sample(&[], totals.sessions);
}

fn about_queues(page: &mut Page, sources: &Sources) {
    let (service, store) = (&sources.service, sources.service.store());
    let queues = [
        ("writer", store.write_queue()),
        ("readers", store.read_queue()),
        ("hashers", service.hash_queue()),
        ("log", sources.log.waiting()),
    ];
    page.gauge("chat_queue_length", "Items in a queue.");
    for (queue, (waiting, _)) in queues {
        page.sample(&[("queue", queue)], waiting);
    }
    page.gauge(
        "chat_queue_capacity",
        "The most items in a queue; further ones are refused as busy.",
    );
    for (queue, (_, capacity)) in queues {
        page.sample(&[("queue", queue)], capacity);
    }
    page.counter(
        "chat_log_lines_dropped_total",
        "Lines of the server log that nobody read in time.",
    );
    page.sample(&[], sources.log.dropped());
}

fn about_writing(page: &mut Page, sources: &Sources) {
    let store = sources.service.store().metrics();
    page.histogram("chat_write_queue_duration_seconds", "How long writes waited for the writer.");
    page.times(&[], &store.write_queue.read());
    page.histogram("chat_batch_operations", "Writes that were committed together.");
    page.distribution(&[], &store.batch.read(), 1.0);
    page.histogram(
        "chat_batch_execute_duration_seconds",
        "The statements of a batch, without its commit.",
    );
    page.times(&[], &store.execute.read());
    page.histogram(
        "chat_commit_duration_seconds",
        "The commit of a batch: writing the WAL, and waiting until the disk has it (fsync).",
    );
    page.times(&[], &store.commit.read());
    page.counter("chat_rollbacks_total", "Batches that were rolled back as a whole, by reason.");
    for &reason in Rollback::ALL {
        page.sample(&[("reason", reason.as_str())], store.rollbacks[reason as usize].get());
    }
    if sources.service.store().files().is_none() {
        return;
    }
    page.histogram(
        "chat_checkpoint_duration_seconds",
        "Checkpoints: copying the WAL into the database file, by mode.",
    );
    for &mode in CheckpointMode::ALL {
        page.times(&[("mode", mode.as_str())], &store.checkpoint[mode as usize].read());
    }
    page.counter(
        "chat_checkpoints_incomplete_total",
        "Checkpoints that left part of the WAL, because a reader still needs it.",
    );
    page.sample(&[], store.checkpoints_incomplete.get());
}

fn about_reading(page: &mut Page, sources: &Sources) {
    let (store, service) = (sources.service.store().metrics(), sources.service.metrics());
    page.histogram("chat_read_queue_duration_seconds", "How long reads waited for a reader.");
    page.times(&[], &store.read_queue.read());
    page.histogram("chat_read_duration_seconds", "Reads of the database.");
    page.times(&[], &store.read.read());
    page.histogram(
        "chat_password_queue_duration_seconds",
        "How long passwords waited to be hashed.",
    );
    page.times(&[], &service.hash_queue.read());
    page.histogram("chat_password_hash_duration_seconds", "Password hashing; slow by design.");
    page.times(&[], &service.hash.read());
}

fn about_storage(page: &mut Page, sources: &Sources, totals: Totals) {
    let store = sources.service.store();
    page.gauge("chat_newest_message_id", "The id of the newest message; ids rise by one.");
    page.sample(&[], totals.newest.0);
    let pages = store.files().map(|_| store.metrics().wal_pages.get());
    page.gauge("chat_wal_uncheckpointed_pages", "Pages of the WAL that are not in the file yet.");
    page.sample_if_any(pages);
    // If the system does not report a size, the sample is omitted: no number is better than a wrong
    // one.
    let disk = store.files().and_then(|files| files.disk_usage().ok());
    page.gauge("chat_database_bytes", "The size of the database file.");
    page.sample_if_any(disk.map(|disk| disk.database));
    page.gauge(
        "chat_wal_bytes",
        "The size of the write-ahead log; a checkpoint does not shrink it.",
    );
    page.sample_if_any(disk.map(|disk| disk.wal));
    page.gauge("chat_disk_available_bytes", "Free space in the file system of the database.");
    page.sample_if_any(disk.map(|disk| disk.available));
}

fn about_process(page: &mut Page, sources: &Sources, started_at: SystemTime) {
    page.gauge("chat_build_info", "Always 1; the labels name the versions.");
    let store = sources.service.store();
    let engine = if store.files().is_some() { "sqlite" } else { "postgres" };
    let versions = [("version", env!("CARGO_PKG_VERSION")), (engine, store.engine_version())];
    page.sample(&versions, 1_u64);
    let started_at = started_at.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    page.gauge("process_start_time_seconds", "When the server started, in seconds since 1970.");
    page.sample(&[], started_at);
    let process = Process::look();
    page.counter("process_cpu_seconds_total", "CPU time that the process used.");
    page.sample_if_any(process.map(|process| process.cpu_seconds));
    page.gauge("process_threads", "Threads of the process.");
    page.sample_if_any(process.map(|process| process.threads));
    page.gauge("process_virtual_memory_bytes", "Virtual memory of the process.");
    page.sample_if_any(process.map(|process| process.virtual_bytes));
    page.gauge("process_resident_memory_bytes", "Memory of the process that is in RAM.");
    page.sample_if_any(process.map(|process| process.resident_bytes));
    let (open, open_max) = open_files();
    page.gauge("process_open_fds", "Open file descriptors; a connection is one.");
    page.sample_if_any(open);
    page.gauge("process_max_fds", "The most file descriptors that may be open.");
    page.sample_if_any(open_max);
}

/// The metrics under construction. The library writes their text.
#[derive(Default)]
struct Page {
    families: Vec<MetricFamily>,
}

impl Page {
    fn counter(&mut self, name: &str, help: &str) {
        self.family(name, MetricType::COUNTER, help);
    }

    fn gauge(&mut self, name: &str, help: &str) {
        self.family(name, MetricType::GAUGE, help);
    }

    fn histogram(&mut self, name: &str, help: &str) {
        self.family(name, MetricType::HISTOGRAM, help);
    }

    /// Begins a family of metrics. The following samples belong to it.
    fn family(&mut self, name: &str, kind: MetricType, help: &str) {
        let mut family = MetricFamily::default();
        family.set_name(name.to_owned());
        family.set_help(help.to_owned());
        family.set_field_type(kind);
        self.families.push(family);
    }

    fn sample(&mut self, labels: &[(&str, &str)], value: impl Number) {
        self.metric(labels, |metric, kind| {
            if kind == MetricType::COUNTER {
                let mut counter = Counter::default();
                counter.set_value(value.number());
                metric.set_counter(counter);
            } else {
                let mut gauge = Gauge::default();
                gauge.set_value(value.number());
                metric.set_gauge(gauge);
            }
        });
    }

    fn sample_if_any(&mut self, value: Option<impl Number>) {
        if let Some(value) = value {
            self.sample(&[], value);
        }
    }

    fn times(&mut self, labels: &[(&str, &str)], times: &Distribution) {
        self.distribution(labels, times, NANOSECONDS_PER_SECOND);
    }

    /// Adds cumulative buckets, the sum and the count. Values are divided by `unit`.
    fn distribution(&mut self, labels: &[(&str, &str)], values: &Distribution, unit: f64) {
        let mut upto = 0;
        let buckets = values.bounds.iter().zip(&values.counts).map(|(&bound, count)| {
            upto += count;
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bound as f64 / unit);
            bucket.set_cumulative_count(upto);
            bucket
        });
        let mut histogram = Histogram::default();
        histogram.set_bucket(buckets.collect());
        histogram.set_sample_sum(values.sum as f64 / unit);
        histogram.set_sample_count(values.count());
        self.metric(labels, |metric, _| metric.set_histogram(histogram));
    }

    /// Adds a metric to the family that was begun last.
    fn metric(&mut self, labels: &[(&str, &str)], fill: impl FnOnce(&mut Metric, MetricType)) {
        let labels = labels.iter().map(|(name, value)| {
            let mut label = LabelPair::default();
            label.set_name((*name).to_owned());
            label.set_value((*value).to_owned());
            label
        });
        let mut metric = Metric::from_label(labels.collect());
        if let Some(family) = self.families.last_mut() {
            fill(&mut metric, family.get_field_type());
            family.mut_metric().push(metric);
        }
    }

    /// The text. The library refuses a family without metrics, so it is left out.
    fn render(mut self) -> String {
        self.families.retain(|family| !family.get_metric().is_empty());
        let mut text = String::new();
        // Writing to memory cannot fail.
        let _ = TextEncoder::new().encode_utf8(&self.families, &mut text);
        text
    }
}

/// A value of a sample. The format knows floating-point numbers only.
trait Number {
    fn number(self) -> f64;
}

macro_rules! numbers {
    ($($kind:ty),*) => {
        $(impl Number for $kind {
            fn number(self) -> f64 {
                self as f64
            }
        })*
    };
}

numbers!(f64, i64, u64, usize);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Histogram;
    use std::time::Duration;

    #[test]
    fn histogram_has_cumulative_buckets_up_to_infinity() {
        let histogram = Histogram::of_times();
        histogram.observe_time(Duration::from_micros(15));
        histogram.observe_time(Duration::from_secs(20));
        let mut page = Page::default();
        page.histogram("chat_x_seconds", "X.");
        page.times(&[("verb", "send")], &histogram.read());
        let text = page.render();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "# HELP chat_x_seconds X.");
        assert_eq!(lines[1], "# TYPE chat_x_seconds histogram");
        assert_eq!(lines[2], r#"chat_x_seconds_bucket{verb="send",le="0.00002"} 1"#);
        assert_eq!(lines[36], r#"chat_x_seconds_bucket{verb="send",le="10"} 1"#);
        assert_eq!(lines[37], r#"chat_x_seconds_bucket{verb="send",le="+Inf"} 2"#);
        assert_eq!(lines[38], r#"chat_x_seconds_sum{verb="send"} 20.000015"#);
        assert_eq!(lines[39], r#"chat_x_seconds_count{verb="send"} 2"#);
        assert_eq!(lines.len(), 40);
    }

    #[test]
    fn values_are_written_without_exponents_and_families_without_values_are_left_out() {
        let mut page = Page::default();
        page.counter("chat_x_total", "X.");
        page.sample(&[("a", "b"), ("c", "d")], 12_345_678_901_u64);
        page.gauge("chat_y", "Y.");
        page.sample_if_any(None::<u64>);
        page.gauge("chat_z", "Z.");
        page.sample(&[], -0.000_001);
        let expected = "# HELP chat_x_total X.\n\
                        # TYPE chat_x_total counter\n\
                        chat_x_total{a=\"b\",c=\"d\"} 12345678901\n\
                        # HELP chat_z Z.\n\
                        # TYPE chat_z gauge\n\
                        chat_z -0.000001\n";
        assert_eq!(page.render(), expected);
    }
}
