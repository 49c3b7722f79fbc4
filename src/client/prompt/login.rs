//! The session of the prompt, and its end. A login is stored as `chat-cli auth` stores it, for the
//! next prompt and for one-shot commands. The prompt ends a session that nobody could use again: one
//! that was not stored, or that another login replaced in the file. It stays while another prompt
//! uses it.

use crate::client::failure::Failure;
use crate::client::session::{self, Account, Session, SessionInUse};
use crate::client::state_folder::StateFolder;
use crate::model::Token;

/// A session in use.
#[derive(Debug)]
pub struct Login {
    session: Session,
    /// The file that it was stored in; `None` for one that is of this prompt alone.
    held: Option<SessionInUse>,
}

impl Login {
    /// The stored session, if there is one.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn resume(folder: &StateFolder, account: &Account) -> Result<Option<Self>, Failure> {
        let held = session::begin_use(folder, account)?;
        Ok(held.map(|held| Self { session: held.session.clone(), held: Some(held) }))
    }

    /// A session of this prompt alone.
    pub fn unstored(session: Session) -> Self {
        Self { session, held: None }
    }

    /// Stores the session, in place of the one that was there.
    ///
    /// # Errors
    /// It cannot be stored, and goes on as one of this prompt alone.
    pub fn store(&mut self, folder: &StateFolder, account: &Account) -> Result<(), Failure> {
        session::store_private(folder, account, &self.session)?;
        // Another process may have stored its own since: then this one has no file any more.
        self.held =
            session::begin_use(folder, account)?.filter(|held| held.session == self.session);
        Ok(())
    }

    /// Who, and the proof.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The proof alone.
    pub fn token(&self) -> Token {
        self.session.token
    }

    /// Whether it was stored, so that it outlives this prompt.
    pub fn is_stored(&self) -> bool {
        self.held.is_some()
    }

    /// This prompt does not use the session any more: whether nobody can. Where that is not
    /// certain, somebody may.
    pub fn is_of_no_more_use(&self, folder: Option<&StateFolder>, account: &Account) -> bool {
        let Some(held) = &self.held else { return true };
        let is_stored = folder.is_none_or(|folder| {
            let stored = session::load_from(folder, account);
            stored.map_or(true, |stored| stored.is_some_and(|stored| stored == self.session))
        });
        held.is_private && !is_stored && held.take_over()
    }
}
