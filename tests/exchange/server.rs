//! A server's exchange: what the operator is told.

use crate::world::*;
use halfkey::Moment;
use halfkey::exchange::{ServerEvent, ServerExchange, ServerTurn};
use std::sync::Arc;

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
