//! The judgement of logins, which the one server of a file makes from its memory.

use crate::store::sqlite::operation::{Query, ReadContext};
use crate::store::types::logins::{JudgeLogin, Judgement};

impl Query for JudgeLogin {
    fn query(self, _: &ReadContext<'_>) -> rusqlite::Result<Judgement> {
        Ok(Judgement { is_refused: false, reached: None })
    }
}
