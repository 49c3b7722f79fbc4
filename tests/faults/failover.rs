//! Several servers on PostgreSQL: a server, or the primary with all its processes, is killed under
//! load. Acknowledged is durable, exactly once, and each watcher gets each message once.
//!
//! Two controls show that the harness sees losses: an asynchronous standby that is promoted, and a
//! standby that lags behind.

use std::path::Path;

use crate::crowd::{Crowd, Run};
use crate::support::replicas::{ANY_STANDBY, Replicas};
use crate::support::{Random, Server, databases, scaled};

/// What a failover happens after.
pub const ACKNOWLEDGED_BETWEEN: usize = 1_500;
/// What a promotion that loses is to lose at least.
const UNREPLICATED: usize = 500;

/// Two servers. None is refused for a full inbox.
pub fn nodes(database: &str, durability: &str) -> [Server; 2] {
    let options = ["--inbox-unread-max", "100000000", "--log", "error"];
    let options = [&options[..], &["--db-durability", durability]].concat();
    [(); 2].map(|()| Server::start_on_with(Path::new(database), &options))
}

/// Each message of a database: its id, mailbox and text. Checks the keys.
pub fn stored(sql: impl Fn(&str) -> String) -> Vec<(i64, String, String)> {
    assert_eq!(sql(KEYS_ASTRAY), "0", "the table of keys differs from the message log");
    let rows = sql("SELECT m.id, u.name, convert_from(m.body, 'UTF8')
                      FROM messages m JOIN users u ON u.id = m.mailbox_id ORDER BY m.id");
    let row = |row: &str| {
        let mut columns = row.splitn(3, '|').map(str::to_owned);
        let mut column = || columns.next().unwrap();
        (column().parse().unwrap(), column(), column())
    };
    rows.lines().map(row).collect()
}

#[test]
fn failovers_under_load_lose_double_and_repeat_nothing() {
    let Some(mut replicas) = Replicas::start(ANY_STANDBY) else { return };
    let (failovers, enough) = (scaled(2, 20), scaled(0, 1_000_000));
    let between = (enough / (failovers + 1)).max(ACKNOWLEDGED_BETWEEN);
    let mut random = Random::new();
    let nodes = nodes(&replicas.url(), "standby");
    let (mut crowd, run) = (Crowd::log_in(&nodes[0], true), Run::of(&nodes));
    crowd.load(&run, || {
        for failover in 0..failovers {
            run.wait_for(failover * between + random.below(between));
            replicas.fail_over();
        }
        run.wait_for((failovers + 1) * between);
    });
    let lost = crowd.judge(stored(|sql| replicas.sql(sql)));
    let (acknowledged, watched) = (crowd.acknowledged(), crowd.watched());
    assert_eq!(lost, 0, "lost by failovers");
    println!(
        "{failovers} failovers, {acknowledged} acknowledged, 0 lost, 0 doubled; \
         {watched} pushed, 0 of them lost"
    );
}

/// The primary does not wait for its standbys: what they have not received is lost.
#[test]
fn asynchronous_standby_that_is_promoted_loses_messages() {
    let Some(mut replicas) = Replicas::start("") else { return };
    let lost = lost_by_promotion(&mut replicas, "local", &[1, 2]);
    println!("the promotion of an asynchronous standby lost {lost}");
}

/// The primary waits for any standby, and the other one is promoted.
#[test]
fn lagging_standby_that_is_promoted_loses_messages() {
    let Some(mut replicas) = Replicas::start(ANY_STANDBY) else { return };
    let lost = lost_by_promotion(&mut replicas, "standby", &[1]);
    println!("the promotion of a lagging standby lost {lost}");
}

/// Standbys are cut off under load. The first of them is promoted later. Returns what is lost.
fn lost_by_promotion(replicas: &mut Replicas, durability: &str, behind: &[usize]) -> usize {
    let mut nodes = nodes(&replicas.url(), durability);
    let (mut crowd, run) = (Crowd::log_in(&nodes[0], false), Run::of(&nodes));
    crowd.load(&run, || {
        run.wait_for(ACKNOWLEDGED_BETWEEN);
        behind.iter().for_each(|standby| replicas.cut_off(*standby));
        run.wait_for(run.acknowledged() + UNREPLICATED);
        replicas.kill_primary();
        // They would wait for another primary.
        nodes.iter_mut().for_each(Server::kill);
        run.give_up();
    });
    replicas.promote(behind[0]);
    let lost = crowd.judge(stored(|sql| replicas.sql(sql)));
    assert!(lost >= UNREPLICATED, "the harness sees that messages are lost, and saw {lost}");
    lost
}

#[test]
fn killed_nodes_under_load_lose_double_and_repeat_nothing() {
    let Some(database) = databases::new_database() else { return };
    let mut nodes = nodes(&database, "storage");
    let mut random = Random::new();
    let kills = scaled(8, 300);
    let (mut crowd, run) = (Crowd::log_in(&nodes[0], true), Run::of(&nodes));
    crowd.load(&run, || {
        for kill in 0..kills {
            run.wait_for(run.acknowledged() + random.below(ACKNOWLEDGED_BETWEEN / 2));
            let killed = kill % 2;
            nodes[killed].kill();
            nodes[killed].start_again();
            run.moved(killed, nodes[killed].address());
        }
        run.wait_for(run.acknowledged() + ACKNOWLEDGED_BETWEEN);
    });
    let lost = crowd.judge(stored(|sql| databases::query(&database, sql).join("\n")));
    let (acknowledged, watched) = (crowd.acknowledged(), crowd.watched());
    assert_eq!(lost, 0, "lost by kills");
    println!("{kills} kills, {acknowledged} acknowledged, 0 lost, 0 doubled; {watched} pushed");
}

/// The number of keys without their message, and of messages without their key.
const KEYS_ASTRAY: &str = "
    SELECT (SELECT count(*) FROM keys k
             WHERE NOT EXISTS (SELECT FROM messages m WHERE m.id = k.first_id AND m.key = k.key))
         + (SELECT count(*) FROM messages m
             WHERE m.key IS NOT NULL
               AND NOT EXISTS (SELECT FROM keys k
                                WHERE k.key = m.key AND k.sender_id = m.sender_id
                                  AND k.first_id = m.id))";
