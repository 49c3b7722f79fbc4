//! Who is connected, and what users have set for themselves.

use super::sessions::LiveSession;
use super::{Responder, Service, failure};
use crate::model::Timestamp;
use crate::protocol::people::{self, Connected, ConnectedUser, SettingsInfo, Who};
use crate::protocol::refusal::Code;
use crate::protocol::reply::Reply;
use crate::store::{ChangeSettings, FindSettings, ListVisible, Settings, StoreError, Visible};

impl Service {
    /// `who`: changes nothing. It knows the connections of this server.
    pub(super) fn list_connected(&self, session: &LiveSession, who: Who, responder: Responder) {
        if self.options.users_hidden.get() {
            return responder.answer(Code::UsersHidden);
        }
        let mut connected = self.sessions.connected(self.now());
        // The connection of this request may be new, or that of another user until now.
        connected.entry(session.user).or_insert_with(Timestamp::now);
        let Who { after, limit } = who;
        let users = connected.keys().copied().collect();
        let read = ListVisible { asker: session.user, users, after, max: limit };
        self.store.read(read, move |found| match found {
            Ok((visible, more)) => {
                let user = |of: Visible| {
                    let Visible { user, name, status, is_invisible } = of;
                    let since = *connected.get(&user)?;
                    let (status_text, invisible) = (status, is_invisible);
                    Some(ConnectedUser { user: name, since, status_text, invisible })
                };
                let users = visible.into_iter().filter_map(user).collect();
                responder.answer(Reply::Connected(Connected { users, more }));
            }
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// `settings`: answers when the change is durable, if there is one.
    pub(super) fn change_settings(
        &self,
        session: &LiveSession,
        change: people::ChangeSettings,
        responder: Responder,
    ) {
        let (user, is_change) = (session.user, change != people::ChangeSettings::default());
        let done = move |settings: Result<Option<Settings>, StoreError>| match settings {
            Ok(Some(Settings { receipts, status, is_invisible })) => {
                let (status_text, invisible) = (status, is_invisible);
                let info = SettingsInfo { receipts, status_text, invisible };
                responder.answer(Reply::Settings(info));
            }
            Ok(None) => responder.answer(Code::NoSession),
            Err(error) => responder.answer(failure(error)),
        };
        if !is_change {
            return self.store.read(FindSettings(user), done);
        }
        let people::ChangeSettings { receipts, status_text, invisible } = change;
        let change =
            ChangeSettings { user, receipts, status: status_text, is_invisible: invisible };
        self.store.write(change, done);
    }
}
