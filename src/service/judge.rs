//! Logins are judged by all servers of a database together. A server that is alone judges them from
//! memory: see `throttle`.

use std::sync::{Arc, mpsc};

use super::Service;
use super::throttle::{Login, LoginLimits};
use crate::store::{JudgeLogin, Judgement, LoginOutcome, StoreError};

/// Judges a login. It blocks until the database has answered, so only a hasher may call it.
pub(super) type Judge = Box<dyn Fn(&Login, LoginOutcome) -> Result<Judgement, StoreError> + Send>;

impl Service {
    /// The judge of logins; `None` if this server is alone.
    pub(super) fn judge(self: &Arc<Self>) -> Option<Judge> {
        if !self.store.has_other_servers() {
            return None;
        }
        let service = Arc::clone(self);
        Some(Box::new(move |login, outcome| {
            let (sender, receiver) = mpsc::channel();
            let limits = &service.options.login_limits;
            service.store.read(judge_login(login, outcome, limits), move |judged| {
                let _ = sender.send(judged);
            });
            // A reader that panics drops the sender.
            receiver.recv().unwrap_or(Err(StoreError::Busy))
        }))
    }
}

fn judge_login(login: &Login, outcome: LoginOutcome, limits: &LoginLimits) -> JudgeLogin {
    JudgeLogin {
        account: login.account.digest(),
        network: login.network.to_string(),
        is_local: login.network.is_local(),
        outcome,
        per_network_max: limits.per_address.get(),
        per_account_max: limits.per_account.get(),
    }
}
