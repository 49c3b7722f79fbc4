//! A service under Patroni with the settings of docs/scale-out.md: the primary is killed with all its
//! processes under load, and Patroni promotes a standby. Acknowledged is durable, exactly once, and
//! each watcher gets each message once.

use std::fs;

use crate::crowd::{Crowd, Run};
use crate::failover::{ACKNOWLEDGED_BETWEEN, nodes, stored};
use crate::support::patroni::Managed;
use crate::support::scaled;

#[test]
fn failovers_of_patroni_under_load_lose_double_and_repeat_nothing() {
    let Some(mut managed) = Managed::start(&settings()) else { return };
    let failovers = scaled(1, 5);
    let nodes = nodes(&managed.url(), "standby");
    let (mut crowd, run) = (Crowd::log_in(&nodes[0], true), Run::of(&nodes));
    crowd.load(&run, || {
        run.wait_for(ACKNOWLEDGED_BETWEEN);
        for _ in 0..failovers {
            let killed = managed.kill_primary();
            run.wait_for(run.acknowledged() + ACKNOWLEDGED_BETWEEN);
            managed.restart(killed);
            managed.wait_for_standbys(2);
        }
    });
    let lost = crowd.judge(stored(|sql| managed.sql(sql)));
    let (acknowledged, watched) = (crowd.acknowledged(), crowd.watched());
    assert_eq!(lost, 0, "lost by failovers");
    println!(
        "{failovers} failovers, {acknowledged} acknowledged, 0 lost, 0 doubled; \
         {watched} pushed, 0 of them lost"
    );
}

/// The section `dcs` that docs/scale-out.md gives.
fn settings() -> String {
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scale-out.md");
    let document = fs::read_to_string(document).unwrap();
    let (_, settings) = document.split_once("\n     dcs:\n").unwrap();
    let settings = settings.lines().map_while(|line| line.strip_prefix("       "));
    settings.map(|line| format!("    {line}\n")).collect()
}
