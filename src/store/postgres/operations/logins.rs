//! Judging logins by the failures that all nodes have counted.

use std::time::Duration;

use crate::store::postgres::append::LANE;
use crate::store::postgres::error::Result;
use crate::store::postgres::operation::Query;
use crate::store::postgres::session::Session;
use crate::store::types::logins::{JudgeLogin, Judgement, LoginLimit, LoginOutcome};

impl Query for JudgeLogin {
    fn query(&self, session: &mut Session) -> Result<Judgement> {
        let outcome = match self.outcome {
            LoginOutcome::Asked => "asked",
            LoginOutcome::Right => "right",
            LoginOutcome::Wrong => "wrong",
        };
        let limit = |max: usize| i32::try_from(max).unwrap_or(i32::MAX);
        let row = session.query_one(
            "SELECT is_refused, held_ms, reached
               FROM chat.judge_login($1, $2, $3, $4, $5, $6, $7)",
            &[
                &LANE,
                &&self.account[..],
                &self.network,
                &self.is_local,
                &outcome,
                &limit(self.per_network_max),
                &limit(self.per_account_max),
            ],
        )?;
        let limit = row.get::<_, Option<&str>>(2).map(|limit| match limit {
            "account" => LoginLimit::Account,
            _ => LoginLimit::Network,
        });
        let held = row.get::<_, Option<i64>>(1).map(i64::unsigned_abs).map(Duration::from_millis);
        Ok(Judgement { is_refused: row.get(0), reached: limit.zip(held) })
    }
}
