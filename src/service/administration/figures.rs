//! Statistics, and a probe of whether the store can still write and read.

use std::sync::Arc;

use super::super::Service;
use super::{AdminResponder, failure};
use crate::admin::answer::{AdminReply, Code, Refusal, Stats};
use crate::model::Timestamp;
use crate::protocol::standing::Database;
use crate::store::{CountAll, ReadProbe, Statistics, WriteProbe};

impl Service {
    pub(super) fn count_all(&self, responder: AdminResponder) {
        let database = self.database();
        let count = CountAll { wall: Timestamp::now(), live: self.live() };
        self.store.read(count, move |counted| {
            responder.answer(match counted {
                Ok(counted) => Ok(AdminReply::Stats(Box::new(stats(&counted, database)))),
                Err(error) => Err(failure(error)),
            });
        });
    }

    /// Writes a value and checks that a reader sees it.
    pub(super) fn probe(self: &Arc<Self>, responder: AdminResponder) {
        let service = Arc::clone(self);
        let moment = Timestamp::now();
        self.store.write(WriteProbe(moment), move |written| match written {
            Err(error) => responder.answer(Err(failure(error))),
            Ok(()) => service.store.read(ReadProbe(moment), move |read| {
                responder.answer(match read {
                    Ok(true) => Ok(AdminReply::Done),
                    Ok(false) => {
                        Err(Refusal::new(Code::Internal, "what was written cannot be read"))
                    }
                    Err(error) => Err(failure(error)),
                });
            }),
        });
    }
}

/// Converts the store's statistics. The server adds its own part.
fn stats(counted: &Statistics, database: Database) -> Stats {
    Stats {
        users_active: counted.users_active,
        users_disabled: counted.users_disabled,
        users_deleted: counted.users_deleted,
        sessions: counted.sessions,
        messages: counted.messages,
        last_id: counted.newest,
        messages_last_hour: counted.messages_last_hour,
        messages_last_day: counted.messages_last_day,
        unread: counted.unread,
        file_bytes: counted.file_bytes,
        log_bytes: counted.wal_bytes,
        free_bytes: counted.free_bytes,
        schema: counted.schema,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        database,
        server: None,
    }
}
