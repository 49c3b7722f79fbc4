//! Editing and deleting messages.

use std::sync::Arc;

use super::hub::News;
use super::messages::no_such_message;
use super::sessions::LiveSession;
use super::stream::StreamPage;
use super::{Outcome, Responder, Service, failure};
use crate::model::{MailboxName, MessageId, UserId};
use crate::protocol::arguments::{Delete, Edit};
use crate::protocol::refusal::{Code, ONLY_ITS_AUTHOR_EDITS, ONLY_THOSE_DELETE, Refusal};
use crate::protocol::reply::{Changed, Reply};
use crate::store::{Actor, Alteration, ChangeMessage, EDITS_MAX, MessageChanged, StoreError};

impl Service {
    /// `edit`: answers when the new text is durable.
    pub(super) fn edit(self: &Arc<Self>, session: &LiveSession, edit: Edit, responder: Responder) {
        let Edit { id, body, key } = edit;
        let (actor, alteration) = (Actor::User(session.user), Alteration::Edit { body, key });
        let change = ChangeMessage { actor, id, alteration, only: session.targets() };
        self.change(change, move |changed| match changed {
            Ok(changed) => responder.answer(Reply::Changed(changed)),
            Err(refused) => responder.answer(refuse(refused, true)),
        });
    }

    /// `delete`: answers when the deletion is durable.
    pub(super) fn delete(
        self: &Arc<Self>,
        session: &LiveSession,
        Delete { id }: Delete,
        responder: Responder,
    ) {
        let (actor, alteration) = (Actor::User(session.user), Alteration::Delete);
        let change = ChangeMessage { actor, id, alteration, only: session.targets() };
        self.change(change, move |changed| match changed {
            Ok(changed) => responder.answer(Reply::Changed(changed)),
            Err(refused) => responder.answer(refuse(refused, false)),
        });
    }

    /// Changes a message, and hints at it to the streams of its mailbox.
    pub(super) fn change(
        self: &Arc<Self>,
        change: ChangeMessage,
        done: impl FnOnce(Result<Changed, NotChanged>) + Send + 'static,
    ) {
        let (id, service) = (change.id, Arc::clone(self));
        self.store.write(change, move |changed| match changed {
            Ok(MessageChanged::Stored { change, at, mailbox, duplicate, author }) => {
                done(Ok(Changed { id, change, at, duplicate }));
                if let Some((author, to)) = author {
                    service.hub.publish(mailbox);
                    service.push_changed(author, id, &to);
                }
            }
            Ok(refused) => done(Err(NotChanged::Message(refused))),
            Err(error) => done(Err(NotChanged::Store(error))),
        });
    }
}

impl Service {
    /// Tells the author's own streams, if they asked for that: a message that they have sent does not
    /// come to them.
    fn push_changed(&self, author: UserId, id: MessageId, to: &MailboxName) {
        if self.hub.is_wanted(News::Changed) {
            self.hub.push(author, News::Changed, |stream| {
                let page = StreamPage::Changed { id, to: to.clone() };
                stream.deliver(Outcome::Page(page));
            });
        }
    }
}

/// Why a message was not changed.
pub(super) enum NotChanged {
    /// Because of the message, or of who asks.
    Message(MessageChanged),
    /// The store has failed.
    Store(StoreError),
}

/// The reply for a change that was not made.
fn refuse(refused: NotChanged, is_edit: bool) -> Reply {
    let refused = match refused {
        NotChanged::Message(refused) => refused,
        NotChanged::Store(error) => return failure(error),
    };
    match refused {
        MessageChanged::UnknownMessage => no_such_message("id").into(),
        MessageChanged::NotAllowed => {
            let who = match is_edit {
                true => ONLY_ITS_AUTHOR_EDITS,
                false => ONLY_THOSE_DELETE,
            };
            Refusal::new(Code::NotAllowed, who).into()
        }
        MessageChanged::RoomArchived => Code::RoomArchived.into(),
        MessageChanged::TooManyEdits => {
            let message = format!("id: a message is edited {EDITS_MAX} times at most");
            Refusal::new(Code::BadArgument, message).into()
        }
        MessageChanged::KeyConflict => {
            Refusal::new(Code::KeyConflict, "the key was used before for another edit").into()
        }
        MessageChanged::Stored { .. } => Code::Internal.into(),
    }
}
