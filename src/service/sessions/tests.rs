//! Tests of the sessions in memory.

use super::*;
use crate::model::{AccessTokenId, Rights, Token};

const IDLE: Duration = Duration::from_secs(100);

fn stored() -> StoredSession {
    StoredSession {
        id: SessionId(1),
        user: UserId(1),
        last_seen_at: Timestamp(0),
        expires_at: Timestamp(1_000_000),
        disabled: false,
        access: None,
    }
}

fn sessions() -> (Sessions, TokenHash) {
    let (sessions, token) = (Sessions::new(IDLE.into()), Token::generate().hash());
    sessions.insert(token, stored(), sessions.ask());
    (sessions, token)
}

fn lives(sessions: &Sessions, token: TokenHash, now: i64) -> bool {
    matches!(sessions.find(&token, Timestamp(now)), Lookup::Live(_))
}

#[test]
fn use_keeps_a_session_until_its_lifetime_is_over() {
    let (sessions, token) = sessions();
    for now in (0..1_000_000).step_by(99_000) {
        assert!(lives(&sessions, token, now), "at {now}");
    }
    assert!(matches!(sessions.find(&token, Timestamp(1_000_000)), Lookup::Expired(_)));
}

#[test]
fn unused_session_expires_and_a_clock_set_back_does_not_revive_it() {
    let (sessions, token) = sessions();
    assert!(matches!(sessions.find(&token, Timestamp(100_000)), Lookup::Expired(SessionId(1))));
    assert!(matches!(sessions.find(&token, Timestamp(0)), Lookup::Ended(EndReason::Any)));
}

#[test]
fn ended_session_is_not_inserted_again_by_an_earlier_read() {
    let (sessions, token) = sessions();
    sessions.end(token);
    sessions.insert(token, stored(), sessions.ask());
    sessions.take_seen(Timestamp(1));
    sessions.insert(token, stored(), sessions.ask());
    assert!(!lives(&sessions, token, 1));
}

#[test]
fn session_of_a_disabled_user_is_not_live() {
    let (sessions, token) = (Sessions::new(IDLE.into()), Token::generate().hash());
    sessions.insert(token, StoredSession { disabled: true, ..stored() }, sessions.ask());
    assert!(!lives(&sessions, token, 1));
}

#[test]
fn least_recently_used_sessions_without_a_stream_are_displaced() {
    let (sessions, held): (Sessions, Vec<Endable>) = {
        let sessions = Sessions::new(IDLE.into());
        let held = (1..=4).map(|id| {
            let (id, token) = (SessionId(id), Token::generate().hash());
            sessions.insert(token, StoredSession { id, ..stored() }, sessions.ask());
            Endable { id, token, last_seen_at: Timestamp(0) }
        });
        let held = held.collect();
        (sessions, held)
    };
    let chosen = |count| {
        let chosen = sessions.choose_to_end(held.clone(), count)?;
        Some(chosen.into_iter().map(|session| session.id.0).collect::<Vec<_>>())
    };
    assert_eq!(chosen(2), Some(vec![1, 2]), "unused sessions go by age");
    assert!(lives(&sessions, held[0].token, 10));
    assert!(lives(&sessions, held[1].token, 20));
    let Lookup::Live(third) = sessions.find(&held[2].token, Timestamp(5)) else { panic!() };
    assert_eq!(chosen(3), Some(vec![4, 3, 1]));
    let streams = [OpenStream::of(&third), OpenStream::of(&third)];
    assert_eq!(chosen(3), Some(vec![4, 1, 2]));
    assert_eq!(chosen(4), None, "one session has a stream");
    drop(streams);
    assert_eq!(chosen(4), Some(vec![4, 3, 1, 2]));
}

#[test]
fn displaced_session_is_reported_as_such_for_a_day() {
    let (sessions, token) = sessions();
    let is_told = |now| matches!(sessions.find(&token, now), Lookup::Ended(EndReason::Displaced));
    let begin = Timestamp(1);
    sessions.displace(token, begin);
    sessions.end(token);
    for hours in [1, 2, 23] {
        let now = begin.plus(Duration::from_secs(hours * 3_600));
        sessions.take_seen(now);
        assert!(is_told(now), "after {hours} h");
    }
    let now = begin.plus(DISPLACED_TOLD_FOR);
    sessions.take_seen(now);
    assert!(matches!(sessions.find(&token, now), Lookup::Unknown));
}

#[test]
fn session_in_doubt_is_live_again_once_the_store_has_confirmed_it_and_keeps_its_streams() {
    let (sessions, token) = sessions();
    let Lookup::Live(session) = sessions.find(&token, Timestamp(1)) else { panic!() };
    let stream = OpenStream::of(&session);
    let earlier = sessions.ask();
    sessions.doubt_all();
    assert!(matches!(sessions.find(&token, Timestamp(2)), Lookup::Unknown));
    assert!(!sessions.insert(token, stored(), earlier), "the store was asked too early");
    assert!(matches!(sessions.find(&token, Timestamp(2)), Lookup::Unknown));
    sessions.take_seen(Timestamp(2));
    assert!(sessions.insert(token, stored(), sessions.ask()));
    let Lookup::Live(again) = sessions.find(&token, Timestamp(3)) else { panic!() };
    assert!(Arc::ptr_eq(&session, &again), "the count of its streams is lost");
    drop(stream);
    sessions.doubt_all();
    sessions.take_seen(Timestamp(4));
    assert!(sessions.read().is_empty(), "nobody asks for it again");
}

#[test]
fn last_use_is_returned_once() {
    let (sessions, token) = sessions();
    assert!(sessions.take_seen(Timestamp(1)).sessions.is_empty());
    assert!(lives(&sessions, token, 5));
    assert_eq!(sessions.take_seen(Timestamp(6)).sessions, [(SessionId(1), Timestamp(5))]);
    assert!(sessions.take_seen(Timestamp(7)).sessions.is_empty());
}

fn access_token(sessions: &Sessions, expires_at: i64) -> TokenHash {
    let access = Access {
        id: AccessTokenId(7),
        name: "ci".parse().unwrap(),
        rights: Rights::Send,
        targets: None,
    };
    let token = Token::generate_access().hash();
    let expires_at = Timestamp(expires_at);
    let stored = StoredSession { id: SessionId(0), expires_at, access: Some(access), ..stored() };
    assert!(sessions.insert(token, stored, sessions.ask()));
    token
}

#[test]
fn access_token_waits_for_its_use_and_ends_at_its_time() {
    let sessions = Sessions::new(IDLE.into());
    let token = access_token(&sessions, 900_000);
    assert!(lives(&sessions, token, 899_999), "it does not end by idling");
    assert!(matches!(sessions.find(&token, Timestamp(900_000)), Lookup::TokenExpired));
    // A clock set back does not revive it.
    assert!(!lives(&sessions, token, 1));
}

#[test]
fn use_of_an_access_token_is_taken_with_its_place() {
    let sessions = Sessions::new(IDLE.into());
    let token = access_token(&sessions, i64::MAX);
    let Lookup::Live(session) = sessions.find(&token, Timestamp(5)) else { panic!("it lives") };
    session.note_use_from(Network::ThisMachine);
    let used = sessions.take_seen(Timestamp(6));
    assert!(used.sessions.is_empty() && used.tokens.len() == 1);
    let TokenUse { id, at, from } = &used.tokens[0];
    assert_eq!((*id, *at, from.as_str()), (AccessTokenId(7), Timestamp(5), "loopback"));
    assert!(sessions.take_seen(Timestamp(7)).tokens.is_empty());
}

#[test]
fn token_of_a_changed_user_is_asked_for_again_and_his_session_is_not() {
    let (sessions, session) = sessions();
    let token = access_token(&sessions, i64::MAX);
    let asked = sessions.ask();
    sessions.doubt_tokens(UserId(1));
    assert!(lives(&sessions, session, 1));
    assert!(matches!(sessions.find(&token, Timestamp(1)), Lookup::Unknown));
    // What was read before the change is worth nothing.
    assert!(!sessions.insert(token, stored(), asked));
    let disabled = StoredSession { disabled: true, ..stored() };
    assert!(sessions.insert(token, disabled, sessions.ask()));
    assert!(matches!(sessions.find(&token, Timestamp(1)), Lookup::Unknown));
    assert!(sessions.insert(token, stored(), sessions.ask()));
    assert!(lives(&sessions, token, 1), "the user is enabled again");
}
