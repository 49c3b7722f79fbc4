//! Who has read a message.

use std::sync::Arc;

use super::awaited::{Registered, Waiting};
use super::messages::no_such_message;
use super::responder::ReplyAddress;
use super::sessions::LiveSession;
use super::stream::StreamPage;
use super::{Outcome, Responder, Service, failure};
use crate::model::{MessageId, UserId};
use crate::protocol::people::{self, ReceiptList};
use crate::protocol::refusal::{Code, Refusal};
use crate::protocol::reply::Reply;
use crate::store::{AWAITED_READERS_MAX, FindRead, ListReceipts, Receipts, ReceiptsRefused};

/// A stream that waits for others to read messages.
pub(super) type Waiter = Registered<ReplyAddress>;

impl Service {
    /// `receipts`: changes nothing.
    pub(super) fn list_receipts(
        &self,
        session: &LiveSession,
        list: people::ListReceipts,
        responder: Responder,
    ) {
        let people::ListReceipts { id, after, limit } = list;
        let read = ListReceipts { asker: session.user, of: id, after, max: limit };
        self.store.read(read, move |found| match found {
            Ok(Ok(Receipts { readers, more, recipients })) => {
                responder.answer(Reply::Receipts(ReceiptList { id, readers, recipients, more }));
            }
            Ok(Err(refused)) => responder.answer(refusal(refused, "id")),
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// Registers a stream that waits for these messages to be read, and calls `then` once it is
    /// known that it may.
    pub(super) fn await_receipts(
        self: &Arc<Self>,
        session: &LiveSession,
        mut messages: Vec<MessageId>,
        responder: Responder,
        then: impl FnOnce(Waiter, Responder) + Send + 'static,
    ) {
        messages.sort_unstable();
        messages.dedup();
        let (asker, address) = (session.user, responder.reply_address());
        // First, so that nothing is missed that is read after the store has looked.
        let waiter = self.awaited.register(asker, messages.clone(), address);
        let service = Arc::clone(self);
        self.store.read(FindRead { asker, messages }, move |found| match found {
            Ok(found) => match found.refused {
                Some(refused) => responder.answer(refusal(refused, "receipts")),
                None => {
                    let readers = found.awaited.iter();
                    let followed = readers.map(|&user| service.store.follow_reading(user));
                    waiter.waiting().await_only(&found.awaited, followed.collect());
                    then(waiter, responder);
                }
            },
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// Somebody has read something, perhaps anybody: the streams that wait for it look.
    pub(super) fn note_reading(self: &Arc<Self>, reader: Option<UserId>) {
        for waiting in self.awaited.of(reader) {
            self.look_for_receipts(&waiting);
        }
    }

    /// Looks which of the messages of a stream were read, and tells it.
    pub(super) fn look_for_receipts(self: &Arc<Self>, waiting: &Arc<Waiting<ReplyAddress>>) {
        let Some(messages) = waiting.begin_look() else { return };
        let (service, waiting) = (Arc::clone(self), Arc::clone(waiting));
        self.store.read(FindRead { asker: waiting.asker, messages }, move |found| {
            // The heartbeat of the stream repeats a look that failed.
            let read = found.map(|found| found.read).unwrap_or_default();
            for &id in &read {
                waiting.address.deliver(Outcome::Page(StreamPage::Receipt(id)));
            }
            if waiting.end_look(&read) {
                service.look_for_receipts(&waiting);
            }
        });
    }
}

/// The refusal of a message in a field. The words do not tell a missing message from one that the
/// user may not read.
fn refusal(refused: ReceiptsRefused, field: &str) -> Refusal {
    match refused {
        ReceiptsRefused::Off => Code::ReceiptsOff.into(),
        ReceiptsRefused::OfAnother => Code::NotYours.into(),
        ReceiptsRefused::Unknown => no_such_message(field),
        ReceiptsRefused::TooMany => {
            let message = format!("{field}: more than {AWAITED_READERS_MAX} users got them");
            Refusal::new(Code::BadArgument, message)
        }
    }
}
