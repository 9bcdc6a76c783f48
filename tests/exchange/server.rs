//! A server's exchange: what the operator is told.

use crate::world::*;
use halfkey::ErrorReason;
use halfkey::Moment;
use halfkey::exchange::{ServerEvent, ServerExchange, ServerTurn};
use halfkey::port::AuthServerError;
use halfkey::registration::ServerRegistrationError;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The end of the last certificate is told before it comes, with every offer.
#[test]
fn the_end_of_what_is_offered_is_an_event() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    let reply = hands.play(world.register());
    let end = world.chain.leaf().not_after();
    for (before, told) in [(86_400, false), (28_801, false), (28_800, true), (0, true)] {
        let now = halfkey::UnixTime::from_secs(end.as_secs() - before);
        let exchange = ServerExchange::new(Arc::clone(&world.settings), b"peer");
        let mut turn = exchange.receive(&reply.send[0], Moment::at(now));
        let events = loop {
            turn = match turn {
                ServerTurn::Keys(need) => need.ask(&world.keys),
                ServerTurn::Done(reply) => break reply.events,
                _ => panic!("an offer asks the keys alone"),
            };
        };
        let ends = events.iter().any(|event| matches!(event, ServerEvent::CertificateEnds(at) if *at == end));
        assert_eq!(ends, told, "{before} s before: {events:?}");
        assert!(matches!(events.last(), Some(ServerEvent::Offered)));
    }
}

/// Sessions go on when the certificate has ended; who registers is told `busy`, and the operator why.
#[test]
fn without_a_certificate_those_who_are_registered_are_served() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    hands.register(&world);
    world.ahead.store(2 * 86_400, Ordering::Relaxed);
    assert_eq!(world.keys.offered_until(world.time()), None);
    let (mut exchange, mut peer) = hands.open(&world);
    assert_eq!(
        peer.receive(&exchange.send(b"x").unwrap().remove(0)).data.map(|data| data.to_vec()),
        Some(b"x".to_vec())
    );

    hands.user = "Bob".into();
    let hello = hands.play(world.register()).send.remove(0);
    let mut peer = world.connection();
    let events = peer.receive(&hello).events;
    assert_eq!(ErrorReason::read(&peer.pop()), Some(ErrorReason::Busy));
    let is_told = |event: &ServerEvent| {
        let ServerEvent::RegistrationFailed(error) = event else { return false };
        matches!(error, ServerRegistrationError::AuthServer(AuthServerError::NoCertificate))
    };
    assert!(events.iter().any(is_told), "{events:?}");
}
