//! Whom users block.

use std::sync::Arc;

use super::sessions::LiveSession;
use super::{Responder, Service, failure};
use crate::protocol::people::{BlockList, BlockState, BlockedUser, OtherUser};
use crate::protocol::refusal::{Code, Refusal};
use crate::protocol::reply::Reply;
use crate::store::{BLOCKS_MAX, BlockSet, Blocked, ListBlocks, SetBlock};

impl Service {
    /// `block` and `unblock`: answers when it is durable, and has the streams of the user look again.
    pub(super) fn set_block(
        self: &Arc<Self>,
        session: &LiveSession,
        other: OtherUser,
        is_blocked: bool,
        responder: Responder,
    ) {
        let (user, OtherUser { user: other }) = (session.user, other);
        let (name, service) = (other.clone(), Arc::clone(self));
        self.store.write(SetBlock { user, other, is_blocked }, move |set| match set {
            Ok(BlockSet::Done(changed)) => {
                let state = BlockState { user: name, blocked: is_blocked, changed };
                responder.answer(Reply::Block(state));
                if changed {
                    service.hub.publish(user);
                }
            }
            Ok(BlockSet::UnknownUser) => {
                responder.answer(Refusal::from(Code::UnknownRecipient).about([name.to_string()]));
            }
            Ok(BlockSet::Oneself) => {
                let problem = "user: you cannot block yourself";
                responder.answer(Refusal::new(Code::BadArgument, problem));
            }
            Ok(BlockSet::TooMany) => {
                let problem = format!("you block {BLOCKS_MAX} users: unblock one first");
                responder.answer(Refusal::new(Code::BadArgument, problem));
            }
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// `blocks`: changes nothing.
    pub(super) fn list_blocks(&self, session: &LiveSession, responder: Responder) {
        self.store.read(ListBlocks { user: session.user }, move |found| match found {
            Ok(blocked) => {
                let user = |Blocked { user, at }: Blocked| BlockedUser { user, since: at };
                let blocked = blocked.into_iter().map(user).collect();
                responder.answer(Reply::Blocks(BlockList { blocked }));
            }
            Err(error) => responder.answer(failure(error)),
        });
    }
}
