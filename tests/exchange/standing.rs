//! Rights that end while a session is open: nothing more is served, and the token learns why.

use crate::world::*;
use halfkey::exchange::{News, ServerEvent, TokenExchange, TokenExchangeError};
use halfkey::message::UserInformation;
use halfkey::port::Token;
use halfkey::port::entitlement_store::Status;
use halfkey::record::TokenRegistration;
use halfkey::registration::token::Credential;
use halfkey::session::SessionEnded;
use halfkey::session::token::Options;
use halfkey::store::operation::{Resume, Revoke, SetExpiry, Suspend};
use halfkey::{KeyId, ServerSettings};
use std::sync::Arc;
use std::sync::atomic::Ordering;

fn world(change: impl FnOnce(&mut ServerSettings)) -> World {
    let mut world = World::new();
    change(Arc::get_mut(&mut world.settings).unwrap());
    world
}

fn held(hands: &mut Hands) -> TokenRegistration {
    hands.token.registrations().unwrap().remove(0)
}

/// Sends this to the server, which serves it or not.
fn says(exchange: &mut TokenExchange, peer: &mut Peer<'_>) -> (Option<Vec<u8>>, Vec<ServerEvent>) {
    let record = exchange.send(b"hello").unwrap().remove(0);
    let reply = peer.receive(&record);
    (reply.data.map(|data| data.to_vec()), reply.events)
}

fn ended(events: &[ServerEvent], key_id: KeyId) -> Option<Status> {
    match events {
        [.., ServerEvent::Ended(of, status)] if *of == key_id => Some(*status),
        _ => None,
    }
}

/// The token hears the end of the session.
fn hears(hands: &mut Hands, exchange: TokenExchange, peer: &mut Peer<'_>) -> Status {
    let reply = hands.play(exchange.receive(&peer.pop(), moment()));
    assert!(reply.next.is_none() && reply.send.is_empty() && peer.exchange.is_none());
    match reply.news {
        Some(News::Failed(TokenExchangeError::Ended(SessionEnded(status)))) => status,
        news => panic!("{news:?}"),
    }
}

#[test]
fn nothing_is_served_for_longer_than_the_setting_says() {
    for status in [Status::Suspended, Status::Revoked, Status::Expired] {
        let world = World::new();
        let mut hands = Hands::new(&world);
        let key_id = hands.register(&world).key_id;
        let (mut exchange, mut peer) = hands.open(&world);
        match status {
            Status::Suspended => world.store.run(&Suspend(key_id), NOW).unwrap(),
            Status::Revoked => world.store.run(&Revoke(key_id), NOW).unwrap(),
            _ => world.store.run(&SetExpiry { key_id, expires: Some(NOW.after(1)) }, NOW).unwrap(),
        }
        world.ahead.store(29, Ordering::Relaxed);
        let (data, events) = says(&mut exchange, &mut peer);
        assert!(data.is_some() && events.is_empty(), "{status}");
        world.ahead.store(30, Ordering::Relaxed);
        let (data, events) = says(&mut exchange, &mut peer);
        assert_eq!((data, ended(&events, key_id)), (None, Some(status)));
        assert_eq!(hears(&mut hands, exchange, &mut peer), status);
        assert_eq!(held(&mut hands).not_active, Some(status));
    }
}

#[test]
fn a_registration_that_stands_well_is_read_again_and_served() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    hands.register(&world);
    let (mut exchange, mut peer) = hands.open(&world);
    for ahead in (0..300).step_by(7) {
        world.ahead.store(ahead, Ordering::Relaxed);
        let due = peer.exchange.as_ref().unwrap().is_due(NOW.after(ahead));
        let (data, events) = says(&mut exchange, &mut peer);
        assert!(data.is_some() && events.is_empty());
        assert_eq!(due, ahead > 0 && ahead % 35 == 0, "{ahead}");
    }
    // A clock that was set back makes no standing good for longer.
    world.ahead.store(10, Ordering::Relaxed);
    assert!(peer.exchange.as_ref().unwrap().is_due(NOW.after(10)));
}

#[test]
fn every_message_is_checked_where_the_setting_is_0() {
    let world = world(|settings| settings.recheck = 0);
    let mut hands = Hands::new(&world);
    let key_id = hands.register(&world).key_id;
    let (mut exchange, mut peer) = hands.open(&world);
    assert!(says(&mut exchange, &mut peer).0.is_some());
    world.store.run(&Suspend(key_id), NOW).unwrap();
    // C0 gets no C1.
    let turn = exchange.configure(application(), UserInformation::default(), moment());
    let reply = hands.play(turn);
    let events = peer.receive(&reply.send[0]).events;
    assert_eq!(ended(&events, key_id), Some(Status::Suspended));
    assert_eq!(hears(&mut hands, reply.next.unwrap(), &mut peer), Status::Suspended);
}

#[test]
fn a_suspended_key_is_remembered_until_a_session_opens() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    let key_id = hands.register(&world).key_id;
    world.store.run(&Suspend(key_id), NOW).unwrap();
    let turn = TokenExchange::open(key_id, Options::default(), moment());
    let (news, _) = hands.talk(turn, &mut world.connection());
    assert!(matches!(news, News::NotActive(Status::Suspended)));
    assert_eq!(held(&mut hands).not_active, Some(Status::Suspended));
    assert!(!held(&mut hands).is_dead());
    world.store.run(&Resume(key_id), NOW).unwrap();
    let _ = hands.open(&world);
    assert_eq!(held(&mut hands).not_active, None);
}

#[test]
fn a_superseded_key_says_that_it_is_over() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    let earlier = hands.register(&world);
    let (mut exchange, mut peer) = hands.open(&world);
    hands.credential = Some(Credential::Renewal(earlier.key_id));
    hands.register(&world);
    world.ahead.store(30, Ordering::Relaxed);
    let (data, events) = says(&mut exchange, &mut peer);
    assert_eq!((data, ended(&events, earlier.key_id)), (None, Some(Status::Expired)));
    // The token holds that key no more, and is told all the same.
    assert_eq!(hears(&mut hands, exchange, &mut peer), Status::Expired);
    assert_eq!(held(&mut hands).not_active, None);
}

#[test]
fn a_dead_key_makes_room_for_another_registration() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    let key_id = hands.register(&world).key_id;
    let (mut exchange, mut peer) = hands.open(&world);
    world.store.run(&Revoke(key_id), NOW).unwrap();
    drop(peer.check());
    assert_eq!(exchange.send(b"too late").unwrap().len(), 1);
    assert_eq!(hears(&mut hands, exchange, &mut peer), Status::Revoked);
    assert!(held(&mut hands).is_dead());
    hands.log.clear();
    hands.user = "Bob".into();
    let other = hands.register(&world);
    assert_eq!(hands.log[..4], ["Attempts", "DeadKeys", "Remove", "Anchors"]);
    assert_eq!(hands.token.registrations().unwrap(), [other]);
}

#[test]
fn a_session_has_a_greatest_age_and_another_may_follow() {
    let world = world(|settings| settings.session_age = 100);
    let mut hands = Hands::new(&world);
    let key_id = hands.register(&world).key_id;
    let (mut exchange, mut peer) = hands.open(&world);
    world.ahead.store(99, Ordering::Relaxed);
    assert!(says(&mut exchange, &mut peer).0.is_some());
    assert_eq!(peer.exchange.as_ref().unwrap().due(), Some(NOW.after(100)));
    world.ahead.store(100, Ordering::Relaxed);
    let (data, events) = says(&mut exchange, &mut peer);
    assert_eq!((data, ended(&events, key_id)), (None, Some(Status::Active)));
    assert_eq!(hears(&mut hands, exchange, &mut peer), Status::Active);
    assert_eq!(held(&mut hands).not_active, None);
    let _ = hands.open(&world);
}

#[test]
fn the_operator_may_end_a_session_of_an_active_key() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    let key_id = hands.register(&world).key_id;
    let (exchange, mut peer) = hands.open(&world);
    assert_eq!(ended(&peer.end().events, key_id), Some(Status::Active));
    assert_eq!(hears(&mut hands, exchange, &mut peer), Status::Active);
    // Outside of a session there is nothing to end.
    let mut peer = world.connection();
    assert!(peer.end().events.is_empty() && peer.exchange.is_some());
    assert!(peer.check().events.is_empty() && peer.exchange.as_ref().unwrap().due().is_none());
}

#[test]
fn a_store_that_does_not_answer_serves_nobody_and_ends_no_registration() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    let key_id = hands.register(&world).key_id;
    let (mut exchange, mut peer) = hands.open(&world);
    world.ahead.store(30, Ordering::Relaxed);
    world.down.store(true, Ordering::Relaxed);
    let (data, events) = says(&mut exchange, &mut peer);
    assert_eq!((data, ended(&events, key_id)), (None, Some(Status::Active)));
    assert!(matches!(events[0], ServerEvent::SessionFailed(_)));
    assert_eq!(hears(&mut hands, exchange, &mut peer), Status::Active);
    world.down.store(false, Ordering::Relaxed);
    let _ = hands.open(&world);
}

#[test]
fn a_server_that_has_closed_its_side_still_stops_serving() {
    let world = world(|settings| settings.recheck = 0);
    let mut hands = Hands::new(&world);
    let key_id = hands.register(&world).key_id;
    let (mut exchange, mut peer) = hands.open(&world);
    peer.close();
    let reply = hands.play(exchange.receive(&peer.pop(), moment()));
    exchange = reply.next.unwrap();
    world.store.run(&Revoke(key_id), NOW).unwrap();
    let (data, events) = says(&mut exchange, &mut peer);
    assert_eq!((data, ended(&events, key_id)), (None, Some(Status::Revoked)));
    assert!(peer.frames.is_empty() && peer.exchange.is_none());
}

#[test]
fn a_token_that_cannot_store_the_end_hears_of_it() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    let key_id = hands.register(&world).key_id;
    for failing in 0..2 {
        let (exchange, mut peer) = hands.open(&world);
        world.store.run(&Suspend(key_id), NOW).unwrap();
        drop(peer.check());
        hands.failing = Some(failing);
        assert_eq!(hears(&mut hands, exchange, &mut peer), Status::Suspended);
        assert_eq!(held(&mut hands).not_active, None);
        world.store.run(&Resume(key_id), NOW).unwrap();
    }
}

#[test]
fn sessions_in_quick_succession_go_by_one_alias_where_the_setting_says_so() {
    let world = world(|settings| settings.alias_age = 60);
    let mut hands = Hands::new(&world);
    hands.register(&world);
    let alias = |hands: &mut Hands| held(hands).alias;
    let first = alias(&mut hands);
    // The first session ends what R2 and R4 may repeat, and hands an alias out.
    let (mut exchange, mut peer) = hands.open(&world);
    assert!(says(&mut exchange, &mut peer).0.is_some());
    let kept = alias(&mut hands);
    assert_ne!(kept, first);
    for ahead in [0, 30, 59] {
        world.ahead.store(ahead, Ordering::Relaxed);
        hands.log.clear();
        let (mut exchange, mut peer) = hands.open(&world);
        assert!(says(&mut exchange, &mut peer).0.is_some());
        assert_eq!(alias(&mut hands), kept, "{ahead}");
        assert!(!hands.log.iter().any(|question| question.contains("Update")), "{:?}", hands.log);
    }
    world.ahead.store(60, Ordering::Relaxed);
    let _ = hands.open(&world);
    assert_ne!(alias(&mut hands), kept);
    assert!(hands.log.iter().any(|question| question.contains("Update")), "{:?}", hands.log);
}

#[test]
fn data_is_opened_in_its_frame_unless_the_store_is_asked_before() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    let key_id = hands.register(&world).key_id;
    let (mut token, mut peer) = hands.open(&world);
    let give = |peer: &mut Peer<'_>, token: &mut TokenExchange, data: &[u8]| {
        let mut frame = token.send(data).unwrap().remove(0);
        let exchange = peer.exchange.take().unwrap();
        let reply = peer.play(exchange.receive_in_place(&mut frame, world.moment()));
        let place = reply.in_place.clone();
        (place.map(|place| frame[place].to_vec()), reply)
    };
    // The first record confirms the alias; what waits for that is copied.
    let (in_place, reply) = give(&mut peer, &mut token, b"first");
    assert_eq!((in_place, reply.data.unwrap().as_slice()), (None, &b"first"[..]));
    for data in [&b"second"[..], b"", &[7; 60_000]] {
        let (in_place, reply) = give(&mut peer, &mut token, data);
        assert!(reply.data.is_none() && reply.events.is_empty());
        assert_eq!(in_place.as_deref(), Some(data));
    }
    world.ahead.store(30, Ordering::Relaxed);
    let (in_place, reply) = give(&mut peer, &mut token, b"due");
    assert_eq!((in_place, reply.data.unwrap().as_slice()), (None, &b"due"[..]));

    // The token's side, with everything else that a server sends.
    let server = peer.exchange.as_mut().unwrap();
    let mut frame = server.send(b"answer").unwrap().remove(0);
    let reply = hands.play(token.receive_in_place(&mut frame, moment()));
    assert_eq!(&frame[reply.in_place.unwrap()], b"answer");
    let mut close = server.close().unwrap().remove(0);
    let reply = hands.play(reply.next.unwrap().receive_in_place(&mut close, moment()));
    assert!(reply.closed && reply.in_place.is_none() && reply.data.is_none());

    world.store.run(&Revoke(key_id), world.time()).unwrap();
    world.ahead.store(60, Ordering::Relaxed);
    let (in_place, reply) = give(&mut peer, &mut reply.next.unwrap(), b"too late");
    assert_eq!((in_place, reply.data.is_none()), (None, true));
    assert_eq!(ended(&reply.events, key_id), Some(Status::Revoked));
}
