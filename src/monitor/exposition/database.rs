//! The metrics of the database: what is promised, and how the node is.

use super::Page;
use crate::store::{NodeStanding, Standing, Store};

/// The strongest durability that the settings of a database can hold.
const FOUND: [&str; 3] = ["standby", "local", "none"];

/// Adds the metrics. Those of a node are there only if the engine has several servers.
pub(super) fn about_database(page: &mut Page, store: &Store) {
    let Standing { engine, durability, node } = store.standing();
    page.gauge(
        "chat_database_info",
        "Always 1; the labels name the engine, and where a message is when it is acknowledged.",
    );
    page.sample(&[("engine", engine), ("durability", durability)], 1_u64);
    if let Some(node) = node {
        about_promise(page, &node);
        about_node(page, &node);
    }
}

fn about_promise(page: &mut Page, node: &NodeStanding) {
    page.gauge(
        "chat_durability_held",
        "Whether the database holds the durability that was chosen; if not, writes are refused.",
    );
    page.sample(&[], u64::from(node.is_promised));
    page.gauge(
        "chat_durability_found",
        "1 for the strongest durability that the settings of the database hold.",
    );
    if let Some(found) = node.found {
        for durability in FOUND {
            page.sample(&[("durability", durability)], u64::from(durability == found));
        }
    }
    page.gauge("chat_standbys", "Synchronous standbys that are connected to the database.");
    page.sample_if_any(node.standbys);
}

fn about_node(page: &mut Page, node: &NodeStanding) {
    page.gauge("chat_node_number", "The number of this node.");
    page.sample(&[], node.number);
    page.gauge("chat_nodes", "Nodes that have a lease.");
    page.sample_if_any(node.nodes);
    page.gauge(
        "chat_lease_age_seconds",
        "Since when the database has not heard of this node; requests are refused after 3 s.",
    );
    page.sample(&[], node.lease_age.as_secs_f64());
    page.gauge(
        "chat_tailer_lag_messages",
        "Messages that the node knows of and has not passed on to streams.",
    );
    page.sample(&[], node.lag_messages);
    page.gauge(
        "chat_tailer_lag_seconds",
        "Since when the node has not passed on everything; at rest below one second.",
    );
    page.sample(&[], node.lag.as_secs_f64());
}
