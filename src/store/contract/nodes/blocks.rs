//! Blocks on several nodes.

use super::rooms::{BUILD, create, follow, join, post};
use super::*;
use crate::store::{BlockSet, SetBlock};

const ROBO: UserId = UserId(3);

fn set(node: &Engine, user: UserId, other: &str, is_blocked: bool) {
    let set = SetBlock { user, other: other.parse().unwrap(), is_blocked };
    assert_eq!(node.write(set), Ok(BlockSet::Done(true)));
}

/// Each node has the sender and the recipient in memory.
#[test]
fn block_of_one_node_refuses_at_the_other_once_it_is_answered() {
    let Some([first, second]) = nodes() else { return };
    let send = |node: &Engine| node.append(message(PAFF, &["neko"], "hai", None));
    let refused = || Appended::NotAllowed(vec!["neko".parse().unwrap()]);
    for round in 0..5 {
        for node in [&first, &second] {
            assert!(matches!(send(node), Appended::Stored { .. }), "{round}");
        }
        set(&first, NEKO, "paff", true);
        assert_eq!((send(&second), send(&first)), (refused(), refused()), "{round}");
        set(&second, NEKO, "paff", false);
    }
}

/// The stream of a user at one node, who blocks at the other.
#[test]
fn block_of_one_node_hides_in_the_streams_of_the_other() {
    let Some([first, second]) = nodes() else { return };
    create(&first);
    join(&first, NEKO);
    join(&first, ROBO);
    let events = listen(&second);
    let inbox = second.store().watch(NEKO);
    follow(&second, &inbox, NEKO);
    set(&first, NEKO, "paff", true);
    let hidden = ids(&post(&first, PAFF, "hidden"))[0];
    let shown = ids(&post(&first, ROBO, "shown"))[0];
    // As a stream does it: it reads the blocks again when what it follows is out of date.
    let found = loop {
        wait_for(&events, |event| event == Event::Messages(BUILD));
        let read = page(NEKO, PageStart::After(MessageId(hidden - 1)));
        match live(&inbox, hidden - 1) {
            Some(found) if found.is_empty() => {}
            Some(found) => break found,
            None => {
                let as_of = inbox.memberships();
                let page = second.read(read).unwrap();
                inbox.follow(&page.rooms, as_of);
                if let Some(message) = page.messages.first() {
                    break vec![message.id.0];
                }
            }
        }
    };
    assert_eq!(found, [shown]);
    // What this node stores is in its memory when it is answered.
    let hidden = ids(&post(&second, PAFF, "hidden, too"))[0];
    let shown = ids(&post(&second, ROBO, "shown, too"))[0];
    let found = loop {
        if let Some(found) = live(&inbox, hidden - 1) {
            break found;
        }
        // The node has heard of a change after the stream looked.
        follow(&second, &inbox, NEKO);
    };
    assert_eq!(found, [shown]);
}
