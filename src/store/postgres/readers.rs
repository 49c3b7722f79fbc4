//! Reads, each on the connection of its reader thread.

use std::sync::Arc;

use crate::store::error::StoreError;
use crate::store::postgres::link::Link;
use crate::store::postgres::operation::Query;
use crate::store::postgres::shared::Shared;

/// What a reader thread reads with.
pub(in crate::store) struct Reader {
    pub(in crate::store) link: Link,
    pub(in crate::store) shared: Arc<Shared>,
}

impl Reader {
    /// Executes a read, and once more on a new connection if the old one broke.
    pub(in crate::store) fn execute<R: Query>(
        &mut self,
        read: &R,
    ) -> Result<R::Answer, StoreError> {
        let link = &mut self.link;
        let mut found = link.session().and_then(|session| read.query(session));
        if let Err(error) = &found
            && error.is_lost()
        {
            link.drop_session(error);
            found = link.session().and_then(|session| read.query(session));
        }
        let answer = found.map_err(|error| StoreError::from(&error))?;
        // A node without a lease may have read what it must no longer tell.
        if self.shared.has_lease() { Ok(answer) } else { Err(StoreError::Busy) }
    }
}
