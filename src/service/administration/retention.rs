//! Lists and sets how long messages are kept.

use std::sync::Arc;

use super::super::Service;
use super::rooms::refusal;
use super::{AdminResponder, failure};
use crate::admin::answer::{AdminReply, Retained, RoomRetained};
use crate::model::{Retention, RoomName, Timestamp};
use crate::store::{ListRetention, RetentionPage, SetRetention};

/// The maximum number of rooms in one reply.
const ROWS_PER_ANSWER_MAX: usize = 200;

impl Service {
    pub(super) fn list_retention(&self, after: Option<RoomName>, responder: AdminResponder) {
        self.store.read(ListRetention { after, max: ROWS_PER_ANSWER_MAX }, move |found| {
            let reply = |page| AdminReply::Retention(Box::new(retained(page)));
            responder.answer(found.map(reply).map_err(failure));
        });
    }

    pub(super) fn set_retention(
        self: &Arc<Self>,
        room: Option<RoomName>,
        kept: Option<Retention>,
        responder: AdminResponder,
    ) {
        let (service, name) = (Arc::clone(self), room.clone());
        // The operator's clock is that of this machine.
        let now = self.by_shared_clock(Timestamp::now());
        self.store.write(SetRetention { room, kept, now }, move |set| match set {
            Ok(Ok(())) => {
                let room = name.as_ref().map_or("all conversations", RoomName::as_str);
                let kept = kept.map_or("as by default".to_owned(), |kept| kept.to_string());
                tracing::info!(room, kept, "retention set");
                responder.answer(Ok(AdminReply::Done));
                service.wake_retention();
            }
            Ok(Err(refused)) => {
                // Only a room can be refused.
                let refusal = name.map(|name| refusal(refused, &name));
                responder.answer(refusal.map_or(Ok(AdminReply::Done), Err));
            }
            Err(error) => responder.answer(Err(failure(error))),
        });
    }
}

fn retained(page: RetentionPage) -> Retained {
    let RetentionPage { default, rooms, more, done } = page;
    let rooms = rooms.into_iter().map(|(room, set)| RoomRetained {
        room,
        kept: set.kept(default),
        operator: set.operator,
        owner: set.owner,
    });
    Retained {
        default,
        rooms: rooms.collect(),
        more,
        removed: done.removed,
        looked_at: done.looked_at,
        trusted_at: done.trusted_at,
    }
}
