//! What one stranger costs a server.

use crate::world::*;
use halfkey::driver::{Framed, Transport};
use halfkey::exchange::{RegisterOptions, TokenExchange, TokenTurn};
use halfkey::port::Token;
use halfkey::registration::token::Credential;
use halfkey::{ErrorReason, Moment};

#[test]
fn an_offer_is_good_for_so_many_requests() {
    let world = World::new();
    let mut token = world.token();
    let mut link = Framed(world.connect());
    let mut turn = TokenExchange::register(world.name.clone(), RegisterOptions::default(), Moment::now());
    let mut offered = false;
    let request = loop {
        turn = match turn {
            TokenTurn::Device(need) => need.ask_all(&mut token as &mut dyn Token),
            TokenTurn::User(need) => {
                offered = true;
                let form = need.wanted().1.fill([("name", "Alice".into())]).unwrap();
                need.supply(form, Credential::None).unwrap()
            }
            TokenTurn::Client(_) => panic!(),
            TokenTurn::Done(mut reply) if offered => break reply.send.remove(0),
            TokenTurn::Done(reply) => {
                link.send(&reply.send[0]).unwrap();
                reply.next.unwrap().receive(&link.receive().unwrap().unwrap(), Moment::now())
            }
        };
    };
    let mut answer = |request: &[u8]| {
        link.send(request).unwrap();
        ErrorReason::read(&link.receive().unwrap().unwrap())
    };
    // The honest one first; sent again, it is answered from the store and counts for nothing.
    for _ in 0..20 {
        assert_eq!(answer(&request), None);
    }
    let garbage = |n: u8| {
        let mut garbage = request.clone();
        *garbage.last_mut().unwrap() ^= n;
        garbage
    };
    let answers: Vec<_> = (1..=9).map(|n| answer(&garbage(n))).collect();
    assert_eq!(answers.iter().position(Option::is_some), Some(7), "{answers:?}");
    assert!(answers[7..].iter().all(|answer| *answer == Some(ErrorReason::Busy)), "{answers:?}");
    assert_eq!(answer(&request), None);
}

#[test]
fn ephemeral_keys_are_erased_when_they_are_due() {
    let world = World::new();
    world.register(&world.connector());
    let due = world.acceptor.forget().unwrap();
    let now = halfkey::UnixTime::now();
    assert!((600..=661).contains(&due.since(now)), "{due:?}");
    world.ahead.store(700, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(world.acceptor.forget(), None);
}
