//! Every state of a server's exchange, times every message: a typed outcome, and an honest token is served
//! after it where the conversation goes on.

use crate::token_table::messages;
use crate::world::*;
use halfkey::exchange::{News, ServerExchange, ServerReply, ServerTurn, TokenExchange};
use halfkey::message::{Open, Request};
use halfkey::session::token::Options;
use halfkey::store::operation::Suspend;
use halfkey::wire::{Message, message_type};
use halfkey::{ErrorReason, KeyId};
use std::sync::atomic::Ordering;

/// The states. "due" is an open session whose registration is suspended and looked at again with the next record;
/// the last has closed its own direction of an open session.
const STATES: [&str; 5] = ["idle", "challenged", "open", "due", "closing"];

/// A server in that state, and the key of a token that it knows.
fn reach<'w>(state: &str, world: &'w World, hands: &mut Hands, key_id: KeyId) -> Peer<'w> {
    let mut peer = world.connection();
    if state == "idle" {
        return peer;
    }
    let mut reply = hands.play(TokenExchange::open(key_id, Options::default(), moment()));
    peer.take(&reply.send[0]);
    if state == "challenged" {
        return peer;
    }
    reply = hands.play(reply.next.unwrap().receive(&peer.pop(), moment()));
    peer.take(&reply.send[0]);
    drop(hands.play(reply.next.unwrap().receive(&peer.pop(), moment())));
    if state == "closing" {
        peer.close();
    }
    if state == "due" {
        world.store.run(&Suspend(key_id), NOW).unwrap();
    }
    peer.frames.clear();
    peer
}

fn perform(world: &World, exchange: ServerExchange, frame: &[u8]) -> ServerReply {
    let mut turn = exchange.receive(frame, world.moment());
    loop {
        turn = match turn {
            ServerTurn::Store(need) => need.ask(&world.store),
            ServerTurn::Keys(need) => need.ask(&world.keys),
            ServerTurn::Operator(need) => need.supply(world.decision.lock().unwrap().clone()),
            ServerTurn::Done(reply) => return reply,
        };
    }
}

/// The events' names, the answer's kind, and a plus where the exchange goes on.
fn cell(reply: &ServerReply) -> String {
    let events: Vec<_> =
        reply.events.iter().map(|event| format!("{event:?}").split('(').next().unwrap().to_owned()).collect();
    let sent: Vec<_> = reply
        .send
        .iter()
        .map(|frame| {
            ErrorReason::read(frame).map_or_else(|| "answer".to_owned(), |reason| reason.to_string())
        })
        .collect();
    format!("{}/{}{}", events.join(","), sent.join(","), if reply.next.is_some() { "+" } else { "" })
}

/// The whole table. Messages of the server's own, of another session, and no messages at all are refused.
fn expected(state: &str, message: &str) -> &'static str {
    match (state, message) {
        ("idle", "R0") => "Offered/answer+",
        // A session has been opened with that key: its R3 and its tags are forgotten, its name is taken.
        ("idle", "R2") => "Rejected/answer+",
        ("idle", "R4") => "RegistrationFailed/refused+",
        ("idle", "S0") => "/answer+",
        ("idle", _) => "RegistrationFailed/refused+",
        ("challenged", _) => "SessionFailed/refused+",
        _ => "ChannelFailed/",
    }
}

#[test]
fn every_message_has_its_outcome_in_every_state() {
    let world = World::new();
    let frames = messages(&world);
    for state in STATES {
        for (name, frame) in &frames {
            let mut hands = Hands { user: format!("{state} {name}").replace(' ', ""), ..Hands::new(&world) };
            let key_id = hands.register(&world).key_id;
            let mut peer = reach(state, &world, &mut hands, key_id);
            world.ahead.store(if state == "due" { 31 } else { 0 }, Ordering::Relaxed);
            let reply = perform(&world, peer.exchange.take().unwrap(), frame);
            world.ahead.store(0, Ordering::Relaxed);
            assert_eq!(cell(&reply), expected(state, name), "{name} where the server is {state}");
            let Some(next) = reply.next else { continue };
            assert!(next.session().is_none(), "{name} opened a session");
            // An S0 was answered: what it wanted is not what comes, and costs that challenge alone.
            peer.exchange = Some(next);
            peer.frames.clear();
            if message_type(frame) == Ok(Open::TYPE) {
                peer.take(&[]);
                peer.frames.clear();
            }
            let turn = TokenExchange::open(key_id, Options::default(), moment());
            let (news, _) = hands.talk(turn, &mut peer);
            assert!(matches!(news, News::Opened(_)), "after {name} where the server was {state}: {news:?}");
        }
    }
    assert_eq!(frames.iter().filter(|(_, frame)| message_type(frame) == Ok(Request::TYPE)).count(), 1);
}
