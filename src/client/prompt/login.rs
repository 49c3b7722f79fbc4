//! The session of the prompt. A login is stored as `chat-cli auth` stores it, for the next prompt
//! and for one-shot commands. The prompt ends a session that nobody can use again: one that was not
//! stored, or whose file holds another login now. It does not end a session that another prompt
//! uses.

use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::local_login;
use crate::client::session::{self, Account, Session, SessionInUse};
use crate::client::state_folder::StateFolder;
use crate::model::Token;

/// A session in use.
#[derive(Debug)]
pub struct Login {
    session: Session,
    /// The file of the session; `None` if only this prompt has it.
    held: Option<SessionInUse>,
    /// The next prompt logs in as this user without being asked.
    is_by_kernel: bool,
}

impl Login {
    /// The stored session, if there is one.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn resume(folder: &StateFolder, account: &Account) -> Result<Option<Self>, Failure> {
        let held = session::begin_use(folder, account)?;
        Ok(held.map(|held| Self {
            session: held.session.clone(),
            held: Some(held),
            is_by_kernel: false,
        }))
    }

    /// A session that only this prompt has.
    pub fn unstored(session: Session) -> Self {
        Self { session, held: None, is_by_kernel: false }
    }

    /// A session that only this prompt has, of the user whom the kernel names to the server. `None`
    /// if the server does not log in so.
    ///
    /// # Errors
    /// Those of [`local_login::by_kernel`].
    pub fn by_kernel(link: &mut Link) -> Result<Option<Self>, Failure> {
        let session = local_login::by_kernel(link)?;
        Ok(session.map(|session| Self { session, held: None, is_by_kernel: true }))
    }

    /// Stores the session, replacing the previous one.
    ///
    /// # Errors
    /// It cannot be stored. Then only this prompt has it.
    pub fn store(&mut self, folder: &StateFolder, account: &Account) -> Result<(), Failure> {
        session::store_private(folder, account, &self.session)?;
        // If another process has stored its session since, this one has no file.
        self.held =
            session::begin_use(folder, account)?.filter(|held| held.session == self.session);
        Ok(())
    }

    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The token of the session.
    pub fn token(&self) -> Token {
        self.session.token
    }

    /// Whether the next prompt is logged in too.
    pub fn is_kept(&self) -> bool {
        self.held.is_some() || self.is_by_kernel
    }

    /// Whether nobody can use the session once this prompt is done with it. In doubt, somebody can.
    pub fn is_of_no_more_use(&self, folder: Option<&StateFolder>, account: &Account) -> bool {
        let Some(held) = &self.held else { return true };
        let is_stored = folder.is_none_or(|folder| {
            let stored = session::load_from(folder, account);
            stored.map_or(true, |stored| stored.is_some_and(|stored| stored == self.session))
        });
        held.is_private && !is_stored && held.take_over()
    }
}
