//! Who sends a request: `Authorization: Bearer TOKEN`, or a name and a password. A password is
//! verified once; the session that this opens serves the same name and password from then on, until
//! it ends. So a script does not wait for the password's hash with each request.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::Gateway;
use super::call::{act, execute_counted, forget};
use super::cookie;
use super::refused::Refused;
use crate::http::Peer;
use crate::model::{Password, Token};
use crate::protocol::command::{Action, Request};
use crate::protocol::refusal::Code;
use crate::protocol::reply::Reply;
use crate::service::{Network, Service};

/// The most names and passwords that are remembered. Beyond it the session of any other one ends.
const SIGN_INS_MAX: usize = 1_000;

/// The sessions of names and passwords.
pub(super) struct SignIns {
    /// Makes the keys worthless outside this process.
    salt: Token,
    sessions: Mutex<HashMap<[u8; 32], SignIn>>,
}

/// The session of a name and a password.
#[derive(Clone, Copy)]
struct SignIn {
    token: Token,
    /// [`Service::user_changes`] before its user was last seen to have that name.
    as_of: u64,
}

/// Who sends a request, and from where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    pub(super) token: Token,
    pub(super) network: Network,
    /// It has named itself by a name and a password, or by a cookie. A browser may add these by
    /// itself.
    by_browser: bool,
}

impl Caller {
    /// Refuses what a browser adds by itself: for requests that it could be made to send.
    pub(super) fn check_token(self) -> Result<(), Refused> {
        if self.by_browser {
            let why = "give a token (Authorization: Bearer …), or send a POST";
            return Err(Refused::new(StatusCode::FORBIDDEN, Code::BadRequest, why));
        }
        Ok(())
    }
}

impl SignIns {
    pub(super) fn new() -> Self {
        Self { salt: Token::generate(), sessions: Mutex::default() }
    }

    /// Ends all sessions. Returns before the store has done it.
    pub(super) fn sign_out(&self, service: &Arc<Service>) {
        for (_, SignIn { token, .. }) in self.lock().drain() {
            end(service, token);
        }
    }

    /// What stands for a name and a password in memory.
    fn key(&self, credentials: &[u8]) -> [u8; 32] {
        let salted = Sha256::new().chain_update(self.salt.hash().0).chain_update(credentials);
        salted.finalize().into()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], SignIn>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gateway {
    /// Finds out who sends a request.
    pub(super) async fn caller(&self, headers: &HeaderMap, peer: Peer) -> Result<Caller, Refused> {
        let network = self.network(headers, peer);
        let mut fields = headers.get_all(AUTHORIZATION).iter();
        let Some(field) = fields.next() else {
            let token =
                cookie::token(headers, self.is_encrypted(headers, peer)).ok_or_else(|| {
                    let why = "give a token (Authorization: Bearer …), or a name and a password";
                    Refused::unauthorized(why)
                })?;
            return Ok(Caller { token, network, by_browser: true });
        };
        if fields.next().is_some() {
            return Err(Refused::bad("Authorization: it is given twice"));
        }
        let wrong = || Refused::unauthorized("Authorization: give Bearer or Basic");
        let (scheme, value) =
            field.to_str().ok().and_then(|field| field.split_once(' ')).ok_or_else(wrong)?;
        let value = value.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            let token = value.parse().map_err(|_| Code::NoSession)?;
            return Ok(Caller { token, network, by_browser: false });
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(wrong());
        }
        let decoded = STANDARD.decode(value).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let credentials = decoded.ok_or_else(wrong)?;
        let (name, password) = credentials.split_once(':').ok_or_else(wrong)?;
        // As ntfy's clients do it: an empty name, and a token as the password.
        if name.is_empty() {
            let token = password.parse().map_err(|_| Code::NoSession)?;
            return Ok(Caller { token, network, by_browser: true });
        }
        let token = self.session_of(name, password, network).await?;
        Ok(Caller { token, network, by_browser: true })
    }

    /// From where a request comes.
    pub(super) fn network(&self, headers: &HeaderMap, peer: Peer) -> Network {
        Network::of(self.client(headers, peer.address))
    }

    /// Whether nobody between the client and this server can read what they send: the connection
    /// uses TLS, or the client's does, as a known proxy says.
    pub(super) fn is_encrypted(&self, headers: &HeaderMap, peer: Peer) -> bool {
        let by_proxy = || {
            self.options.proxies.name(peer.address.ip())
                && headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https")
        };
        peer.is_encrypted || by_proxy()
    }

    /// The session of a name and a password.
    async fn session_of(
        &self,
        name: &str,
        password: &str,
        network: Network,
    ) -> Result<Token, Refused> {
        let key = self.sign_ins.key(format!("{name}:{password}").as_bytes());
        if let Some(token) = self.remembered(key, name, network).await? {
            return Ok(token);
        }
        let as_of = self.service.user_changes();
        let user = name.parse().map_err(|_| Code::UnknownUser)?;
        let password = Password::shown(password).map_err(|_| Code::WrongPassword)?;
        let auth = Request::Auth { user, password };
        let token = match execute_counted(self, auth, network).await {
            Reply::Authenticated(token) => token,
            Reply::Refused(refusal) => return Err(refusal.into()),
            _ => return Err(Code::Internal.into()),
        };
        // Of several first requests at a time each opens a session. The first one stays, because it
        // may have streams already.
        while !self.remember(key, SignIn { token, as_of }) {
            if let Some(first) = self.remembered(key, name, network).await.transpose() {
                end(&self.service, token);
                return first;
            }
        }
        Ok(token)
    }

    /// The remembered session, if it is live and its user still has this name. Another one is
    /// forgotten: the name may be another user's, with the same password.
    async fn remembered(
        &self,
        key: [u8; 32],
        name: &str,
        network: Network,
    ) -> Result<Option<Token>, Refused> {
        let known = self.sign_ins.lock().get(&key).copied();
        let Some(SignIn { token, as_of }) = known else { return Ok(None) };
        let now = self.service.user_changes();
        if as_of == now && self.service.is_live(&token) {
            return Ok(Some(token));
        }
        // Memory may not know it, above all beside other servers.
        match act(&self.service, token, Action::Whoami, network).await {
            Reply::Identity(identity) if identity.user.as_str() == name => {
                let mut sessions = self.sign_ins.lock();
                if let Some(known) = sessions.get_mut(&key).filter(|known| known.token == token) {
                    known.as_of = now;
                }
                Ok(Some(token))
            }
            Reply::Identity(_) => {
                self.forget_sign_in(token);
                Ok(None)
            }
            Reply::Refused(refusal) if refusal.code == Code::NoSession => {
                // Another request may have opened a new one already.
                let mut sessions = self.sign_ins.lock();
                if sessions.get(&key).is_some_and(|known| known.token == token) {
                    sessions.remove(&key);
                }
                Ok(None)
            }
            Reply::Refused(refusal) => Err(refusal.into()),
            _ => Err(Code::Internal.into()),
        }
    }

    /// Keeps a new session for later requests, unless one is kept already.
    fn remember(&self, key: [u8; 32], new: SignIn) -> bool {
        let mut sessions = self.sign_ins.lock();
        if sessions.contains_key(&key) {
            return false;
        }
        let other = sessions.keys().next().copied();
        let displaced = (sessions.len() >= SIGN_INS_MAX)
            .then(|| other.and_then(|other| sessions.remove(&other)))
            .flatten();
        sessions.insert(key, new);
        drop(sessions);
        if let Some(displaced) = displaced {
            end(&self.service, displaced.token);
        }
        true
    }

    /// Forgets the session of a name and a password that are no longer the user's, and ends it. They
    /// would open it else.
    pub(super) fn forget_sign_in(&self, token: Token) {
        let mut sessions = self.sign_ins.lock();
        let found = sessions.iter().find(|(_, known)| known.token == token).map(|(key, _)| *key);
        if found.and_then(|key| sessions.remove(&key)).is_some() {
            drop(sessions);
            end(&self.service, token);
        }
    }

    /// The address of the client: that of the connection, or what a known proxy says.
    fn client(&self, headers: &HeaderMap, peer: SocketAddr) -> IpAddr {
        let address = peer.ip();
        if !self.options.proxies.name(address) {
            return address;
        }
        let mut fields = headers.get_all("x-forwarded-for").iter();
        // The proxy itself appends to what its client may have claimed.
        let last = fields.next_back().and_then(|field| field.to_str().ok()?.rsplit(',').next());
        let client = last.and_then(|text| text.trim().parse::<IpAddr>().ok());
        // The loopback address of another machine is not this machine's.
        client.filter(|client| !client.to_canonical().is_loopback()).unwrap_or(address)
    }
}

/// Ends a session. Returns before the store has done it.
fn end(service: &Arc<Service>, token: Token) {
    forget(service, token, Action::Logout);
}
