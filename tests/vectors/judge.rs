//! The real decoders and the steps of registration before messages that must be refused: each in the state in
//! which the published run receives the message that was changed.

use crate::cases::{invited, psk};
use crate::cbor::Item;
use crate::negative::*;
use crate::negative_registration::{offers, rejection, requests};
use crate::recorder::Party;
use crate::stage::{PEER, Stage};
use crate::supply::*;
use halfkey::exchange::{ServerExchange, ServerTurn};
use halfkey::message::*;
use halfkey::port::Token;
use halfkey::record::Attempt;
use halfkey::registration::TokenRegistrationError;
use halfkey::registration::server::Decision;
use halfkey::registration::token::{Credential, confirm_again, hello, resume};
use halfkey::suite::X25519;
use halfkey::wire::Message;
use halfkey::{ErrorReason, Moment};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// Whether the decoder of a message, and of its core, takes the bytes.
fn decodes(name: &str, bytes: &[u8]) -> bool {
    match name {
        "R0" => Hello::decode(bytes).is_ok(),
        "R1" => Offer::decode(bytes).is_ok_and(|r1| r1.read_core().is_ok()),
        "R2" => Request::decode(bytes).is_ok_and(|r2| r2.read_core().is_ok()),
        "R3" => Outcome::decode(bytes).is_ok_and(|r3| r3.read_core().is_ok()),
        "R4" => Confirm::decode(bytes).is_ok(),
        "R5" => Done::decode(bytes).is_ok(),
        "E0" => ErrorMessage::decode(bytes).is_ok(),
        "S0" => Open::decode(bytes).is_ok(),
        "S1" => Challenge::decode(bytes).is_ok_and(|s1| s1.read_core().is_ok()),
        "S2" => Response::decode(bytes).is_ok(),
        "S3" => Accept::decode(bytes).is_ok(),
        "C0" => ConfigRequest::decode(bytes).is_ok(),
        "C1" => Configuration::decode(bytes).is_ok(),
        "C2" => Applied::decode(bytes).is_ok(),
        "Status" => StatusMessage::decode(bytes).is_ok(),
        other => panic!("{other}"),
    }
}

/// No decoder takes these, and a server answers those that are for it as they say.
pub(crate) fn encodings(all: &[(Refused, &'static str)]) {
    let stage = Stage::new(&X25519);
    for (refused, name) in all {
        assert!(!decodes(name, &refused.bytes), "{name}: {}", refused.why);
        if refused.then == E0_REFUSED {
            assert_eq!(said(&answer(&stage, PEER, 0, &refused.bytes)), E0_REFUSED, "{name}: {}", refused.why);
        }
    }
}

/// A server's answer outside a session, some seconds later.
pub(crate) fn answer(stage: &Stage, peer: &[u8], later: u64, frame: &[u8]) -> Vec<u8> {
    let exchange = ServerExchange::new(Arc::new(stage.settings.clone()), peer);
    let moment = Moment::new(stage.now().after(later), &mut Party::new(0x77));
    perform(stage, exchange.receive(frame, moment))
}

pub(crate) fn perform(stage: &Stage, mut turn: ServerTurn) -> Vec<u8> {
    loop {
        turn = match turn {
            ServerTurn::Store(need) => need.ask(&stage.store),
            ServerTurn::Keys(need) => need.ask(&stage.server),
            ServerTurn::Operator(need) => need.supply(Decision::Wait { retry_after: 1 }),
            ServerTurn::Done(reply) => return reply.send.concat(),
        };
    }
}

pub(crate) fn said(answer: &[u8]) -> String {
    ErrorReason::read(answer).map_or_else(|| "another message".into(), |reason| format!("E0 {reason}"))
}

/// R1 to R5 of a run with an activation code.
pub(crate) fn registration(run: Run<'_>) -> Vec<Refused> {
    let given: Vec<Vec<u8>> = ["R0", "R1", "R2", "R3", "R4", "R5"].map(|name| run.message(name)).into();
    let (offers, requests) = (offers(run), requests(run));
    let core = Item::read(&given[3]).at(1).bytes().to_vec();
    let recored = |core: Vec<u8>| with(&given[3], 1, Item::Bytes(core));
    let outcomes = [
        ("tag_s is changed", flipped(&given[3], 2)),
        ("the sealed part is changed", recored(flipped(&core, 3))),
        ("salt_g is changed", recored(flipped(&core, 2))),
        ("another txn", recored(flipped(&core, 1))),
        ("another length than outcome_size", recored(with(&core, 3, Item::Bytes(vec![7; 528])))),
    ];
    let outcomes = outcomes.map(|(why, bytes)| refused("R3", why, bytes, IGNORED));
    let confirms =
        [("tag_c is changed", flipped(&given[4], 2)), ("an unknown key_id", flipped(&given[4], 1))];
    let confirms = confirms.map(|(why, bytes)| refused("R4", why, bytes, E0_REFUSED));
    let lost = with(&given[5], 2, Item::Bool(true));
    let dones = [
        ("the tag is changed", flipped(&given[5], 3)),
        ("lost, with the tag of done", lost),
        ("another txn", flipped(&given[5], 1)),
    ];
    let dones = dones.map(|(why, bytes)| refused("R5", why, bytes, IGNORED));
    let all: Vec<Refused> =
        offers.into_iter().chain(requests).chain(outcomes).chain(confirms).chain(dones).collect();

    let all = Rc::new(all);
    let tried = Rc::new(RefCell::new(0));
    let (mut stage, code) = invited(&X25519);
    let (list, count, r2) = (Rc::clone(&all), Rc::clone(&tried), given[2].clone());
    let values: Vec<(String, Vec<u8>)> =
        ["thB", "SSK1", "ss_e"].map(|name| (name.to_owned(), run.value(name))).into();
    stage.probe = Some(Box::new(move |stage, message| {
        if message == "R2" {
            assert_eq!(said(&answer(stage, b"192.0.2.8", 0, &r2)), E0_RESTART, "another peer");
            assert_eq!(said(&answer(stage, PEER, 601, &r2)), E0_RESTART, "too late");
        }
        for refused in list.iter().filter(|refused| refused.message == message) {
            judge(stage, &values, refused);
            *count.borrow_mut() += 1;
        }
    }));
    let (record, _) = stage.register(Credential::Activation(code), &psk());
    assert_eq!(record.messages["R5"], given[5], "nothing that was refused has changed the run");
    assert_eq!(*tried.borrow(), all.len());
    drop(stage);
    Rc::try_unwrap(all).unwrap_or_else(|_| panic!("still probed"))
}

fn judge(stage: &mut Stage, values: &[(String, Vec<u8>)], refused: &Refused) {
    let (bytes, why, now) = (&refused.bytes, &refused.why, stage.now());
    let seed = 0x11;
    match refused.message {
        "R1" => {
            let name = stage.settings.name.clone();
            let step = hello(name, stage.suites, &mut Party::new(seed)).unwrap();
            let anchors = stage.token.anchors().unwrap();
            let revocation = halfkey::certificate::Revocation::Ignore;
            let error = step.next.receive_offer(bytes, &anchors, &revocation, now).unwrap_err();
            // Those that are signed anew are refused for what they say.
            let unsigned = matches!(error, TokenRegistrationError::Signature(_));
            assert_eq!(unsigned, why.contains("the signature is"), "{why}: {error:?}");
        }
        "R2" => {
            let answered = answer(stage, PEER, 0, bytes);
            let then = match ErrorReason::read(&answered) {
                Some(_) => said(&answered),
                None => rejection(values, bytes, &answered).unwrap_or_else(|| OPENS_NOT.into()),
            };
            assert_eq!(then, refused.then, "{why}");
        }
        "R3" => {
            let attempts = stage.token.attempts().unwrap();
            let Some(Attempt::InFlight(half)) = attempts.into_iter().next() else { panic!("no attempt") };
            let state = resume(half, stage.suites).unwrap().next;
            let opened =
                state.receive_outcome(bytes).and_then(|need| need.supply_from(&mut stage.token, now));
            let taken = match opened {
                Ok(halfkey::registration::token::ServerDecision::Granted(need)) => {
                    need.supply_from(&mut stage.token).is_ok()
                }
                other => other.is_ok(),
            };
            assert!(!taken, "{why}");
        }
        "R4" => assert_eq!(said(&answer(stage, PEER, 0, bytes)), refused.then, "{why}"),
        "R5" => {
            let joined = stage.token.registrations().unwrap().pop().unwrap();
            let state = confirm_again(joined).unwrap().next;
            let settled = state.receive_done(bytes).and_then(|need| need.supply_from(&mut stage.token));
            assert!(settled.is_err(), "{why}");
        }
        other => panic!("{other}"),
    }
}
