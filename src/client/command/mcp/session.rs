//! The session that all calls share, and their connections. The token is found again at each call
//! that the server refuses, so a login or a restart needs no restart of the agent.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::client::dial::Dialer;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::local_login;
use crate::model::Token;

/// How many connections are kept while no call uses them.
const IDLE_MAX: usize = 2;

/// A session, and connections.
#[derive(Debug)]
pub struct Session {
    login: Mutex<Login>,
    idle: Mutex<Vec<Link>>,
}

#[derive(Debug)]
struct Login {
    link: Link,
    token: Option<Token>,
}

impl Session {
    /// The session of the account that `link` uses. Connects to nothing.
    pub fn new(link: &Link) -> Self {
        let login = Login { link: copy(link), token: None };
        Self { login: Mutex::new(login), idle: Mutex::default() }
    }

    /// Does something with a connection, in the session. If the session has ended, does it once more
    /// in the present one.
    pub fn run<T>(
        &self,
        work: impl Fn(&mut Link, Token) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let token = self.token()?;
        let idle = lock(&self.idle).pop();
        let mut link = idle.unwrap_or_else(|| copy(&lock(&self.login).link));
        let mut done = work(&mut link, token);
        if done.as_ref().is_err_and(Failure::ends_session) {
            let present = self.token_after(token)?;
            if present != token {
                done = work(&mut link, present);
            }
        }
        let mut idle = lock(&self.idle);
        if idle.len() < IDLE_MAX {
            idle.push(link);
        }
        done
    }

    /// What a stream needs: a dialer and a token.
    pub fn for_stream(&self) -> Result<(Dialer, Token), Failure> {
        let token = self.token()?;
        Ok((lock(&self.login).link.dialer().clone(), token))
    }

    /// Ends a session that was for this process only.
    pub fn end(&self) {
        local_login::end(&mut lock(&self.login).link);
    }

    fn token(&self) -> Result<Token, Failure> {
        lock(&self.login).token()
    }

    /// The token, after this one was refused.
    fn token_after(&self, refused: Token) -> Result<Token, Failure> {
        let mut login = lock(&self.login);
        login.token = login.token.filter(|token| *token != refused);
        login.token()
    }
}

impl Login {
    fn token(&mut self) -> Result<Token, Failure> {
        if let Some(token) = self.token {
            return Ok(token);
        }
        let token = match local_login::current(&mut self.link) {
            // If no server is there, logging in would not help.
            Err(Failure::NotLoggedIn) => {
                let deadline = Instant::now() + self.link.timeout();
                let missing = self.link.dialer().dial(deadline).err();
                return Err(missing.unwrap_or(Failure::NotLoggedIn));
            }
            found => found?.0,
        };
        self.token = Some(token);
        Ok(token)
    }
}

fn copy(link: &Link) -> Link {
    let user = link.account().user.clone();
    Link::new(link.dialer().clone(), link.timeout()).acting_as(user)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
