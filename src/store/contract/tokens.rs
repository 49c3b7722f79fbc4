//! Access tokens: found by their hashes while they are valid, and bound to mailboxes instead of
//! names.

use std::time::Duration;

use super::{Engine, NEKO, Open, PAFF, ids, message};
use crate::model::{AccessTokenId, MailboxName, Rights, Timestamp, TokenHash, UserId};
use crate::store::{
    Actor, Append, Appended, Change, ChangeUser, CreateRoom, CreateToken, CreatedToken,
    FindSession, ListTokens, ListedToken, Live, RevokeTokens, RoomSettings, StoredSession,
    SweepSessions, TOKENS_MAX, TokenUse,
};

/// Far from the end of every token of these tests.
const LIFE: Duration = Duration::from_secs(3_600);

fn token(name: &str, hash: u8) -> CreateToken {
    CreateToken {
        user: PAFF,
        name: name.parse().unwrap(),
        hash: TokenHash([hash; 32]),
        rights: Rights::Send,
        to: None,
        now: Timestamp::now(),
        lifetime: None,
    }
}

fn names(names: &[&str]) -> Vec<MailboxName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

impl Engine {
    fn create(&self, create: CreateToken) -> CreatedToken {
        self.write(create).unwrap()
    }

    fn token(&self, hash: u8) -> Option<StoredSession> {
        self.read(FindSession(TokenHash([hash; 32])))
    }

    fn tokens(&self, user: Option<UserId>) -> Vec<ListedToken> {
        let list = ListTokens { user, after: AccessTokenId(0), max: 1_000 };
        let (tokens, more) = self.read(list);
        assert!(!more);
        tokens
    }

    fn room(&self, owner: UserId, name: &str) {
        let actor = Actor::User(owner);
        let settings = RoomSettings { is_private: true, ..RoomSettings::default() };
        let create = CreateRoom { actor, name: name.parse().unwrap(), settings };
        assert!(self.write(create).unwrap().is_ok());
    }

    fn change_user(&self, name: &str, change: Change) {
        self.write(ChangeUser { name: name.parse().unwrap(), change }).unwrap();
    }
}

pub fn token_is_found_until_it_is_revoked_or_its_user_is_gone(open: Open) {
    let Some(mut engine) = Engine::new(open) else { return };
    assert_eq!(engine.create(token("ci", 1)), CreatedToken::Yes { expires_at: None });
    let read = CreateToken { rights: Rights::Read, ..token("reader", 2) };
    assert!(matches!(engine.create(read), CreatedToken::Yes { .. }));
    assert_eq!(engine.create(token("ci", 3)), CreatedToken::NameTaken);
    let neko = CreateToken { user: NEKO, ..token("ci", 3) };
    assert!(matches!(engine.create(neko), CreatedToken::Yes { .. }), "each user has names");
    engine.reopen();
    let found = engine.token(1).unwrap();
    assert_eq!((found.user, found.disabled, found.expires_at.0), (PAFF, false, i64::MAX));
    let access = found.access.unwrap();
    assert_eq!((access.name.as_str(), access.rights), ("ci", Rights::Send));
    assert_eq!(access.targets, None);
    assert!(engine.token(4).is_none());
    let all = engine.tokens(None);
    let shown = |token: &ListedToken| format!("{} {}", token.user, token.name);
    assert_eq!(all.iter().map(shown).collect::<Vec<_>>(), ["paff ci", "paff reader", "neko ci"]);
    assert_eq!(engine.tokens(Some(PAFF)).len(), 2);
    // A disabled user's token is found with that, so that it works again later.
    engine.change_user("paff", Change::Disable);
    assert!(engine.token(1).unwrap().disabled);
    engine.change_user("paff", Change::Enable);
    assert!(!engine.token(1).unwrap().disabled);
    let revoke = RevokeTokens { user: PAFF, name: Some("ci".parse().unwrap()) };
    assert_eq!(engine.write(revoke.clone()), Ok(vec![TokenHash([1; 32])]));
    assert_eq!(engine.write(revoke), Ok(vec![]));
    assert!(engine.token(1).is_none() && engine.token(2).is_some() && engine.token(3).is_some());
    engine.change_user("paff", Change::Delete);
    assert!(engine.token(2).is_none());
    assert_eq!(engine.write(RevokeTokens { user: NEKO, name: None }).unwrap().len(), 1);
    engine.reopen();
    assert_eq!(engine.tokens(None), []);
}

pub fn token_sends_to_its_targets_alone_whatever_they_are_called(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    engine.room(PAFF, "#ours");
    engine.room(NEKO, "#theirs");
    let unknown = CreateToken { to: Some(names(&["neko", "#theirs", "nobody"])), ..token("x", 9) };
    let expected = CreatedToken::UnknownTargets(names(&["#theirs", "nobody"]));
    assert_eq!(engine.create(unknown), expected);
    let create = CreateToken { to: Some(names(&["#ours", "neko"])), ..token("ci", 1) };
    assert!(matches!(engine.create(create), CreatedToken::Yes { .. }));
    let only = engine.token(1).unwrap().access.unwrap().targets;
    assert_eq!(only.as_ref().map(|targets| targets.len()), Some(2));
    let send = |to: &[&str], key: Option<&str>| {
        engine.append(Append { only: only.clone(), ..message(PAFF, to, "hai", key) })
    };
    let refused = |to: &[&str]| Appended::UnknownRecipients(names(to));
    for target in ["neko", "#ours"] {
        assert_eq!(ids(&send(&[target], None)).len(), 1);
    }
    // A key of its user does not tell who exists.
    engine.append(message(PAFF, &["robo"], "hai", Some("k")));
    for other in ["robo", "nobody", "#theirs", "#none", "paff"] {
        assert_eq!(send(&[other], None), refused(&[other]));
        assert_eq!(send(&[other], Some("k")), refused(&[other]));
        assert_eq!(send(&["neko", other], None), refused(&[other]));
    }
    assert_eq!(send(&["neko"], Some("k")), Appended::KeyConflict);
    // The target is the user, not the name.
    engine.change_user("neko", Change::Rename("cat".parse().unwrap()));
    engine.change_user("robo", Change::Rename("neko".parse().unwrap()));
    assert_eq!(ids(&send(&["cat"], None)).len(), 1);
    assert_eq!(send(&["neko"], None), refused(&["neko"]));
    assert_eq!(engine.tokens(Some(PAFF))[0].to, Some(names(&["cat", "#ours"])));
    engine.change_user("cat", Change::Delete);
    assert_eq!(send(&["cat"], None), refused(&["cat"]));
    assert_eq!(engine.tokens(Some(PAFF))[0].to, Some(names(&["#ours"])));
    assert_eq!(ids(&send(&["#ours"], None)).len(), 1);
}

pub fn tokens_are_limited_and_expire(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    let short = CreateToken { lifetime: Some(Duration::from_millis(1)), ..token("short", 1) };
    let CreatedToken::Yes { expires_at: Some(short_end) } = engine.create(short) else {
        panic!("it expires");
    };
    let long = CreateToken { lifetime: Some(LIFE), ..token("long", 2) };
    let CreatedToken::Yes { expires_at: Some(end) } = engine.create(long) else {
        panic!("it expires");
    };
    assert_eq!(engine.token(2).unwrap().expires_at, end);
    assert!(short_end < end);
    for number in 0..TOKENS_MAX - 1 {
        let hash = u8::try_from(number + 3).unwrap();
        // The clock of the database may be another: it has passed the end by now on both.
        let now = short_end.max(Timestamp::now());
        let create = CreateToken { now, ..token(&format!("t{number}"), hash) };
        assert!(matches!(engine.create(create), CreatedToken::Yes { .. }), "{number}");
    }
    assert!(engine.token(1).is_none(), "a new token removes what has expired");
    assert_eq!(engine.create(token("surplus", 200)), CreatedToken::TooMany);
    let list = ListTokens { user: Some(PAFF), after: AccessTokenId(0), max: 10 };
    let (first, more) = engine.read(list);
    assert!(more && first.len() == 10);
    let list = ListTokens { user: Some(PAFF), after: first[9].id, max: TOKENS_MAX };
    let (rest, more) = engine.read(list);
    assert!(!more && rest.len() == TOKENS_MAX - 10 && rest[0].id > first[9].id);
}

pub fn use_of_a_token_is_recorded_with_its_place(open: Open) {
    let Some(engine) = Engine::new(open) else { return };
    engine.create(token("ci", 1));
    let listed = engine.tokens(Some(PAFF)).remove(0);
    assert_eq!(listed.last_use, None);
    let now = Timestamp::now();
    let live = Live { now, seen_after: Timestamp(0) };
    let used = TokenUse { id: listed.id, at: now, from: "192.0.2.7".to_owned() };
    engine.write(SweepSessions { seen: vec![], used: vec![used], live }).unwrap();
    let (at, from) = engine.tokens(Some(PAFF)).remove(0).last_use.unwrap();
    // An engine takes its own clock.
    assert!((at.0 - now.0).abs() < 60_000, "{at:?}");
    assert_eq!(from, "192.0.2.7");
    assert_eq!(engine.token(1).unwrap().last_seen_at, at);
}
