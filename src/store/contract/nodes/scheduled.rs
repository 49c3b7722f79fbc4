//! Two nodes send the same scheduled messages.

use super::*;
use crate::store::{BeginSending, Due, SettleScheduled};

/// Both nodes find what is due, and then both append it and record that, at once.
#[test]
fn message_that_is_due_at_two_nodes_is_appended_once() {
    const COUNT: usize = 15;
    let Some(nodes) = nodes() else { return };
    for number in 0..COUNT {
        let key = (number % 2 == 0).then(|| format!("k-{number}"));
        let text = message(PAFF, &["neko"], &number.to_string(), key.as_deref());
        nodes[number % 2].schedule(text, 100);
    }
    let found: Vec<Vec<Due>> = nodes.iter().map(|node| node.due(100).due).collect();
    assert_eq!((found[0].len(), &found[0]), (COUNT, &found[1]));
    let send = |node: &Engine, found: &[Due]| {
        let ids = found.iter().map(|due| due.id).collect();
        node.write(BeginSending(ids)).unwrap();
        // One of them is late.
        let new = found.iter().filter(|due| node.append_due(due, std::ptr::eq(node, &nodes[1])));
        let new = new.count();
        found.iter().for_each(|due| drop(node.write(SettleScheduled(due.id))));
        new
    };
    let new = thread::scope(|scope| {
        let at_first = scope.spawn(|| send(&nodes[0], &found[0]));
        send(&nodes[1], &found[1]) + at_first.join().unwrap()
    });
    assert_eq!((new, nodes[0].inbox(NEKO).len()), (COUNT, COUNT));
    assert_eq!(nodes[0].due(100).due, []);
}
