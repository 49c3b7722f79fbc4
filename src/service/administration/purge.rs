//! Deletes messages for their readers, and purges them for good, one step per request.

use std::sync::Arc;

use super::super::changes::NotChanged;
use super::{AdminResponder, Service, failure};
use crate::admin::answer::{AdminReply, Code, Refusal};
use crate::admin::purge::{Compact, Purge, PurgePart};
use crate::model::MessageId;
use crate::store::{
    self, Actor, Alteration, ChangeMessage, DatabaseBytes, FindToPurge, PurgeCandidates,
    PurgeFilter, PurgeSide, StoreError,
};

/// Up to this file size, a purge compacts the file without a request to: it takes a moment.
const COMPACT_UNASKED_BYTES_MAX: u64 = 16 * 1024 * 1024;

impl Service {
    /// Deletes a message for its readers. Its bytes stay until a purge.
    pub(super) fn delete_message(self: &Arc<Self>, id: MessageId, responder: AdminResponder) {
        let (actor, alteration) = (Actor::Operator, Alteration::Delete);
        let change = ChangeMessage { actor, id, alteration, only: None };
        self.change(change, move |changed| match changed {
            Ok(_) => {
                tracing::info!(message = id.0, "message deleted");
                responder.answer(Ok(AdminReply::Done));
            }
            Err(NotChanged::Message(_)) => {
                let message = format!("there is no message {}", id.0);
                responder.answer(Err(Refusal::new(Code::UnknownMessage, message)));
            }
            Err(NotChanged::Store(error)) => responder.answer(Err(failure(error))),
        });
    }

    /// Executes one step of a purge. The next request continues after the reply's `upto`.
    pub(super) fn purge_messages(
        self: &Arc<Self>,
        mut purge: Purge,
        after: MessageId,
        dry_run: bool,
        responder: AdminResponder,
    ) {
        // An operator's command says it by the clock of its machine, which is this one.
        purge.before = purge.before.map(|before| self.by_shared_clock(before));
        let (service, unread_too) = (Arc::clone(self), purge.unread_too);
        let user = purge.user.as_ref().map(|user| user.name.clone());
        let find = FindToPurge { filter: filter(purge), after };
        self.store.read(find, move |found| {
            let PurgeCandidates { ids, unread, upto, more } = match found {
                Ok(Some(found)) => found,
                Ok(None) => {
                    let name = user.map(|name| name.to_string()).unwrap_or_default();
                    let message = format!("there is no user {name}");
                    return responder.answer(Err(Refusal::new(Code::UnknownUser, message)));
                }
                Err(error) => return responder.answer(Err(failure(error))),
            };
            let purged = move |messages| AdminReply::Purged { messages, unread, upto, more };
            if dry_run || ids.is_empty() {
                return responder.answer(Ok(purged(ids.len())));
            }
            service.purge_parts(vec![ids], unread_too, 0, move |deleted| {
                responder.answer(deleted.map(purged).map_err(failure));
            });
        });
    }

    /// Deletes these messages, one part after another, and calls `done` with how many they were and
    /// `deleted` more. On a full disk a transaction has only the room that the WAL has: a part for
    /// which that is too little is halved.
    fn purge_parts(
        self: &Arc<Self>,
        mut parts: Vec<Vec<MessageId>>,
        unread_too: bool,
        deleted: usize,
        done: impl FnOnce(Result<usize, StoreError>) + Send + 'static,
    ) {
        let Some(ids) = parts.pop() else { return done(Ok(deleted)) };
        let (service, purge) = (Arc::clone(self), store::Purge { ids: ids.clone(), unread_too });
        let done: Box<dyn FnOnce(Result<usize, StoreError>) + Send> = Box::new(done);
        self.store.write(purge, move |outcome| match outcome {
            Ok(more) => service.purge_parts(parts, unread_too, deleted + more, done),
            Err(StoreError::Full) if ids.len() > 1 => {
                parts.extend(ids.chunks(ids.len().div_ceil(2)).map(<[_]>::to_vec));
                service.purge_parts(parts, unread_too, deleted, done);
            }
            Err(error) => done(Err(error)),
        });
    }

    /// Compacts the file if it is small or if the request says so. Otherwise only empties the WAL.
    pub(super) fn purge_remains(self: &Arc<Self>, compact: Compact, responder: AdminResponder) {
        let service = Arc::clone(self);
        self.store.read(DatabaseBytes, move |bytes| {
            let bytes = match bytes {
                Ok(bytes) => bytes,
                Err(error) => return responder.answer(Err(failure(error))),
            };
            let compacted = match compact {
                Compact::Yes => true,
                Compact::IfShort => bytes <= COMPACT_UNASKED_BYTES_MAX,
                Compact::No => false,
            };
            let done = move |compacted, emptied: Result<bool, StoreError>| {
                let remains =
                    |log_emptied| AdminReply::RemainsPurged { log_emptied, compacted, bytes };
                responder.answer(emptied.map(remains).map_err(failure));
            };
            let Some(files) = service.store.files() else { return done(false, Ok(true)) };
            if !compacted {
                return files.empty_wal(move |emptied| done(false, emptied));
            }
            let again = Arc::clone(&service);
            files.vacuum(move |emptied| match (emptied, again.store.files()) {
                // There is no space, or another process is writing. The purge itself is done
                // nevertheless.
                (Err(StoreError::Full | StoreError::Busy), Some(files)) => {
                    files.empty_wal(move |emptied| done(false, emptied));
                }
                (emptied, _) => done(true, emptied),
            });
        });
    }
}

fn filter(purge: Purge) -> PurgeFilter {
    let part = |part| match part {
        PurgePart::Sent => PurgeSide::Sent,
        PurgePart::Received => PurgeSide::Received,
        PurgePart::Both => PurgeSide::Both,
    };
    PurgeFilter {
        before: purge.before,
        before_id: purge.before_id,
        user: purge.user.map(|user| (user.name, part(user.part))),
        unread_too: purge.unread_too,
        deleted_only: purge.deleted_only,
    }
}
