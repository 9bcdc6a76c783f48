//! What one stranger costs: each kind of work is asked of a limiter, and garbage is not stored.

use crate::world::*;
use halfkey::exchange::{
    News, RequestKind, ServerEvent, ServerExchange, ServerReply, ServerTurn, TokenExchange,
};
use halfkey::message::Address;
use halfkey::port::{EntitlementStore, Token};
use halfkey::record::RejectionCause;
use halfkey::session::token::Options;
use halfkey::store::operation::ListRegistrations;
use halfkey::wire::message_type;
use halfkey::{Digest, ErrorReason};
use std::sync::Arc;

/// Answers a frame, and names the kinds of work that it was; one of them may be refused.
fn limited(
    world: &World,
    exchange: ServerExchange,
    frame: &[u8],
    refuses: Option<RequestKind>,
) -> (ServerReply, Vec<RequestKind>) {
    let mut turn = exchange.receive(frame, world.moment());
    let mut kinds = Vec::new();
    loop {
        let kind = match &turn {
            ServerTurn::Store(need) => need.kind(),
            ServerTurn::Keys(need) => need.kind(),
            ServerTurn::Operator(_) | ServerTurn::Done(_) => None,
        };
        kinds.extend(kind);
        let refused = kind.is_some() && kind == refuses;
        turn = match turn {
            ServerTurn::Store(need) if refused => need.refuse(),
            ServerTurn::Keys(need) if refused => need.refuse(),
            ServerTurn::Store(need) => need.ask(&world.store),
            ServerTurn::Keys(need) => need.ask(&world.keys),
            ServerTurn::Operator(need) => need.supply(grant()),
            ServerTurn::Done(reply) => return (reply, kinds),
        };
    }
}

/// A life, and the kinds of work that each of its messages was. In the other form the message that is such a work
/// is refused once, and comes again.
fn life(stateless: bool, mut refuses: Option<RequestKind>) -> Vec<(u8, Vec<RequestKind>)> {
    let world = World::new();
    let mut hands = Hands::new(&world);
    let begin = |world: &World| match stateless {
        true => ServerExchange::stateless(Arc::clone(&world.settings)),
        false => ServerExchange::new(Arc::clone(&world.settings), b"peer"),
    };
    let (mut exchange, mut asked) = (begin(&world), Vec::new());
    let mut reply = hands.play(world.register());
    loop {
        let opened = matches!(reply.news, Some(News::Opened(_)));
        if let Some(news) = reply.news {
            let begins = match news {
                News::Opened(_) => return asked,
                News::Registered(one) => TokenExchange::open(one.key_id, Options::default(), moment()),
                news => panic!("{news:?} {opened}"),
            };
            exchange = begin(&world);
            reply = hands.play(begins);
            continue;
        }
        let frame = reply.send.remove(0);
        let (said, kinds) = limited(&world, exchange, &frame, refuses);
        let (mut said, mut next) = (said.send[0].clone(), said.next.unwrap());
        if refuses.is_some_and(|kind| kinds.contains(&kind)) {
            assert_eq!(ErrorReason::read(&said), Some(ErrorReason::Busy), "{refuses:?}");
            let kind = refuses.take().unwrap();
            if matches!(kind, RequestKind::Response) && !stateless {
                return asked; // The challenge was in that conversation, and S0 comes again.
            }
            let (again, _) = limited(&world, next, &frame, None);
            (said, next) = (again.send[0].clone(), again.next.unwrap());
        } else {
            asked.push((message_type(&frame).unwrap() as u8, kinds));
        }
        exchange = next;
        reply = hands.play(reply.next.unwrap().receive(&said, moment()));
    }
}

#[test]
fn each_message_that_costs_something_is_asked_of_the_limiter() {
    use RequestKind::{Confirm, Lookup, Offer, Request, Response, Session};
    let kinds = vec![
        (0, vec![Offer]),
        (2, vec![Lookup, Request]),
        (4, vec![Confirm]),
        (8, vec![Session]),
        (10, vec![Response]),
    ];
    for stateless in [false, true] {
        assert_eq!(life(stateless, None), kinds, "{stateless}");
        for refused in [Offer, Lookup, Request, Confirm, Session, Response] {
            life(stateless, Some(refused));
        }
    }
}

#[test]
fn a_request_that_does_not_open_is_answered_alike_and_stored_nowhere() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    let mut peer = world.connection();
    let reply = hands.play(world.register());
    peer.take(&reply.send[0]);
    let reply = hands.play(reply.next.unwrap().receive(&peer.pop(), moment()));
    let mut garbage = reply.send[0].clone();
    *garbage.last_mut().unwrap() ^= 1;
    let mut answers = Vec::new();
    for _ in 0..2 {
        let events = peer.receive(&garbage).events;
        let [ServerEvent::Rejected(rejection)] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(rejection.cause, RejectionCause::Unreadable);
        answers.push(peer.pop());
    }
    assert_eq!(answers[0], answers[1]);
    let request = Digest::new(*halfkey::suite::SUITES[0].hash(&[&garbage]).as_bytes());
    assert_eq!(world.store.outcome(&request, NOW).unwrap(), None);
    // Another one gets another, and none opens at a token.
    *garbage.last_mut().unwrap() ^= 2;
    peer.take(&garbage);
    assert_ne!(peer.pop(), answers[0]);
    let reply = hands.play(reply.next.unwrap().receive(&answers[0], moment()));
    assert!(matches!(reply.news, Some(News::Failed(_))) && reply.next.is_some());
    // The honest one is served as if nothing had been.
    hands.recover(&world);
    assert_eq!(world.store.run(&ListRegistrations::default(), NOW).unwrap().entries.len(), 1);
    let key_id = hands.token.registrations().unwrap()[0].key_id;
    assert!(world.store.registration(&Address::Key(key_id), NOW).unwrap().is_some());
}

#[test]
fn over_messages_an_offer_is_good_at_another_address_unless_it_is_bound() {
    let world = World::new();
    for (bound, wanted) in [(false, None), (true, Some(ErrorReason::Restart))] {
        let mut hands = Hands { user: format!("user{bound}"), ..Hands::new(&world) };
        let at = |peer: &[u8]| {
            let exchange = ServerExchange::stateless(Arc::clone(&world.settings));
            if bound { exchange.for_peer(peer) } else { exchange }
        };
        let reply = hands.play(world.register());
        let (r1, _) = limited(&world, at(b"192.0.2.1"), &reply.send[0], None);
        let reply = hands.play(reply.next.unwrap().receive(&r1.send[0], moment()));
        let (r3, _) = limited(&world, at(b"192.0.2.2"), &reply.send[0], None);
        assert_eq!(ErrorReason::read(&r3.send[0]), wanted);
        let (r3, _) = limited(&world, at(b"192.0.2.1"), &reply.send[0], None);
        assert_eq!(ErrorReason::read(&r3.send[0]), None);
    }
    // Over a stream it is bound.
    let mut hands = Hands { user: "user".into(), ..Hands::new(&world) };
    let reply = hands.play(world.register());
    let at = |peer: &[u8]| ServerExchange::new(Arc::clone(&world.settings), peer);
    let (r1, _) = limited(&world, at(b"192.0.2.1"), &reply.send[0], None);
    let reply = hands.play(reply.next.unwrap().receive(&r1.send[0], moment()));
    let (r3, _) = limited(&world, at(b"192.0.2.2"), &reply.send[0], None);
    assert_eq!(ErrorReason::read(&r3.send[0]), Some(ErrorReason::Restart));
}
