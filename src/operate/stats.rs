//! `stats`: the figures of the database and of the server.

use super::admin_client::{self, unexpected};
use super::database;
use super::failure::Failure;
use super::output::Output;
use crate::admin::answer::{AdminReply, Stats};
use crate::admin::request::Request;
use crate::catalogue::server;
use crate::protocol::standing::Database;

/// Prints the figures. Those of the server exist only while one runs.
pub(super) fn run(db: &database::Database<'_>, mut output: Output) -> Result<(), Failure> {
    let stats = match admin_client::ask(db, &Request::Stats)? {
        AdminReply::Stats(stats) => stats,
        answer => return Err(unexpected(&answer)),
    };
    if output.is_json {
        output.object(&stats)?;
    } else {
        let rows = output.words(|| rows(&stats, &output));
        output.pairs(&rows)?;
    }
    output.finish()
}

fn rows(stats: &Stats, output: &Output) -> Vec<[String; 2]> {
    let bytes = |bytes: u64| if output.is_shown { size(bytes) } else { bytes.to_string() };
    let number = |number: u64| number.to_string();
    let mut rows = vec![
        (server::users_active(), number(stats.users_active)),
        (server::users_disabled(), number(stats.users_disabled)),
        (server::users_deleted(), number(stats.users_deleted)),
        (server::sessions(), number(stats.sessions)),
        (server::messages(), number(stats.messages)),
        (server::messages_last_hour(), number(stats.messages_last_hour)),
        (server::messages_last_day(), number(stats.messages_last_day)),
        (server::last_id(), stats.last_id.0.to_string()),
        (server::title_unread(), number(stats.unread)),
        (server::file(), bytes(stats.file_bytes)),
    ];
    if stats.database.node.is_none() {
        rows.extend([
            (server::log(), bytes(stats.log_bytes)),
            (server::free(), bytes(stats.free_bytes)),
        ]);
    }
    rows.extend([
        (server::schema(), stats.schema.to_string()),
        (server::version(), stats.version.clone()),
    ]);
    rows.extend(about_database(&stats.database));
    match &stats.server {
        None => rows.push((server::server(), server::no_server().to_owned())),
        Some(known) => rows.extend([
            (server::server(), server::process(known.pid)),
            (server::started(), output.moment(Some(known.started_at))),
            (server::uptime(), number(known.uptime_seconds)),
            (server::connections(), number(known.connections)),
            (server::watchers(), number(known.watchers)),
        ]),
    }
    rows.into_iter().map(|(title, value)| [title.to_owned(), value]).collect()
}

/// The engine, what is promised, and the node.
fn about_database(database: &Database) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        (server::engine(), database.engine.to_string()),
        (server::durability(), database.durability.to_string()),
    ];
    let Some(node) = &database.node else { return rows };
    let known = |number: Option<u64>| number.map_or("-".to_owned(), |number| number.to_string());
    let found = node.durability_found.as_deref().unwrap_or("-");
    rows.extend([
        (server::durability_found(), found.to_owned()),
        (server::standbys(), known(node.standbys)),
        (server::nodes(), known(node.nodes)),
        (server::node(), node.number.to_string()),
        (server::lease_age(), node.lease_age_ms.to_string()),
        (server::lag_messages(), node.lag_messages.to_string()),
        (server::lag(), node.lag_ms.to_string()),
    ]);
    rows
}

/// `1.5 MiB`
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut tenths = bytes.saturating_mul(10) / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_the_largest_unit_that_fits() {
        for (bytes, told) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536 * 1024, "1.5 MiB"),
            (u64::from(u32::MAX) + 1, "4.0 GiB"),
            (5 << 50, "5120.0 TiB"),
        ] {
            assert_eq!(size(bytes), told);
        }
    }
}
