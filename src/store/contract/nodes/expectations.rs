//! Two nodes tell of the same expectations.

use super::*;
use crate::store::{Report, SettleTold, Untold};

/// Both nodes find what is to be told, and then both store it and record that.
fn tell_at_both(nodes: &[Engine; 2], now: i64) -> usize {
    let found: Vec<Vec<Untold>> = nodes.iter().map(|node| node.untold(now).untold).collect();
    let tell = |node: &Engine, found: &[Untold]| {
        let stored = found.iter().filter(|untold| node.post(untold)).count();
        found.iter().for_each(|untold| drop(node.write(SettleTold(untold.clone()))));
        stored
    };
    let stored = thread::scope(|scope| {
        let at_first = scope.spawn(|| tell(&nodes[0], &found[0]));
        tell(&nodes[1], &found[1]) + at_first.join().unwrap()
    });
    assert_eq!(nodes[0].untold(now).untold, []);
    stored
}

/// One node stores that a report came again, and the other gets a failure before that is recorded.
#[test]
fn failure_at_one_node_while_the_other_tells_of_a_return_is_told_once() {
    const ROUNDS: i64 = 20;
    let Some(nodes) = nodes() else { return };
    nodes[0].expect(PAFF, "backup", 1, 0);
    nodes[0].report("backup", Report::Ended(1), 0);
    assert_eq!(tell_at_both(&nodes, 0), 1);
    for round in 1..=ROUNDS {
        // All of a round happens in one millisecond.
        nodes[0].report("backup", Report::Ended(0), round);
        let back = nodes[0].untold(round).untold;
        assert!(nodes[0].post(&back[0]));
        nodes[1].report("backup", Report::Ended(2), round);
        assert_eq!(nodes[0].write(SettleTold(back[0].clone())), Ok(false));
        assert_eq!(tell_at_both(&nodes, round), 1, "round {round}");
    }
    nodes[1].report("backup", Report::Ended(0), ROUNDS + 1);
    assert_eq!(tell_at_both(&nodes, ROUNDS + 1), 1);
    let told = nodes[0].inbox(NEKO);
    let states = ["late", "back"].into_iter().cycle().take(told.len());
    assert!(told.iter().map(|message| message.body.as_str()).eq(states));
    assert_eq!(told.len(), 2 * ROUNDS as usize + 2);
}
