//! Imports records of another database, and rebuilds data that derives from the message log.

use std::sync::Arc;

use super::{AdminResponder, Service, failure};
use crate::admin::answer::{AdminReply, Code, Refusal};
use crate::model::MessageId;
use crate::service::hashers::NOBODY;
use crate::store::{Import, Imported, Rebuild};
use crate::transfer::Step;

/// The maximum number of steps of one request. It bounds how long a sender may wait for them.
const STEPS_MAX: usize = 256;

impl Service {
    /// Executes some steps of an import, and sends hints to the watchers of the imported messages.
    pub(super) fn import(self: &Arc<Self>, mut steps: Vec<Step>, responder: AdminResponder) {
        if steps.len() > STEPS_MAX {
            let message = format!("at most {STEPS_MAX} steps at a time");
            return responder.answer(Err(Refusal::new(Code::BadRequest, message)));
        }
        let is_published = |step: &Step| match step {
            Step::User(user) => user.password.as_ref().is_some_and(|hash| hash.is_published),
            _ => false,
        };
        if !self.options.published_passwords_allowed && steps.iter().any(is_published) {
            let message = "the server can be reached from other machines, and the password of an \
                           imported user is public";
            return responder.answer(Err(Refusal::new(Code::Unsafe, message)));
        }
        for step in &mut steps {
            // A message without an id is sent now, by the clock of this machine.
            if let Step::Message(message) = step
                && message.id == MessageId::ZERO
            {
                message.at = self.by_shared_clock(message.at);
            }
        }
        let hub = Arc::clone(&self.hub);
        self.store.write(Import { steps, locked: NOBODY }, move |imported| match imported {
            Ok(Imported { taken, refused, recipients }) => {
                responder.answer(Ok(AdminReply::Imported { taken, refused }));
                recipients.into_iter().for_each(|recipient| hub.publish(recipient));
            }
            Err(error) => responder.answer(Err(failure(error))),
        });
    }

    /// Rebuilds one part of the derived data. The reply names the part, or says that there is no
    /// such part.
    pub(super) fn rebuild(self: &Arc<Self>, part: usize, responder: AdminResponder) {
        self.store.write(Rebuild { part }, move |rebuilt| {
            let answer = |what| AdminReply::Rebuilt { what };
            responder.answer(rebuilt.map(answer).map_err(failure));
        });
    }
}
