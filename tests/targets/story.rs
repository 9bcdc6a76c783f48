//! One honest story, for its messages: every kind of them, as the real steps make it.

use super::card::Card;
use super::supply::*;
use super::world::{self, Counting, Enrolled, at};
use halfkey::certificate::Revocation;
use halfkey::configuration::server::{Principal, push, receive_request};
use halfkey::configuration::token as configuration;
use halfkey::memory::Store;
use halfkey::message::{StatusMessage, UserInformation};
use halfkey::policy::SuiteId;
use halfkey::port::entitlement_store::{ConfigurationSerial, Document, Entitlement};
use halfkey::port::question::StoreQuestion;
use halfkey::port::{AuthServer, Token};
use halfkey::record::TokenRegistration;
use halfkey::registration::server::receive_request as receive_registration;
use halfkey::registration::server::{Decision, Grant, Lookup, receive_confirm, receive_hello};
use halfkey::registration::token::{Credential, ServerDecision, hello};
use halfkey::session::server::receive_open;
use halfkey::session::token::{Options, open};
use halfkey::store::Subject;
use halfkey::store::operation::{Entitle, RevokeEntitlement};
use halfkey::suite::SUITES;
use halfkey::template::FieldValue;
use halfkey::wire::{Frame, Message};
use halfkey::{AccessPath, Alias, ApplicationName, ErrorReason, Txn};
use std::num::NonZeroU32;

type Messages = Vec<(String, Vec<u8>)>;

/// Every kind of message, under a label that begins with the protocol's.
pub fn messages() -> Messages {
    let mut all = Vec::new();
    register(&mut all, "granted", 0, grant(), &mut Card::new(4));
    register(&mut all, "told to wait", 1, Decision::Wait { retry_after: 60 }, &mut Card::new(4));
    for (number, label) in [(0, "psk"), (1, "x25519"), (4, "x-wing")] {
        session(&mut all, label, number, false);
        session(&mut all, &format!("{label}, cookie"), number, true);
    }
    configure(&mut all);
    for reason in [ErrorReason::Refused, ErrorReason::Restart, ErrorReason::Busy] {
        note(&mut all, "E0", reason, &reason.frame());
    }
    for (status, alias) in [(0, Some(Alias::new([3; 16]))), (3, None)] {
        note(&mut all, "Status", status, &StatusMessage { status, alias }.encode());
    }
    all
}

fn note<M>(all: &mut Messages, label: &str, what: impl ToString, frame: &Frame<M>) {
    all.push((
        format!("{label} {}", what.to_string()).replace(", ", "-").replace(' ', "-"),
        frame.as_bytes().to_vec(),
    ));
}

/// Registers `token`, and leaves another run of its half done.
pub fn fill(token: &mut dyn Token) {
    register(&mut Vec::new(), "", 1, grant(), token);
    register(&mut Vec::new(), "", 1, Decision::Wait { retry_after: 60 }, token);
    let key = world::fixed().kem_key.public();
    assert!(token.wrap(&Txn::new([9; 16]), SuiteId::X25519, key).is_ok());
}

fn grant() -> Decision {
    let access_path = AccessPath::new("/staff").unwrap();
    Decision::Grant(Grant { user_id: None, access_path, policy: world::policy(5) })
}

fn register(all: &mut Messages, what: &str, skip: usize, decision: Decision, card: &mut dyn Token) {
    let (settings, server, store) = (world::settings(), world::server(), Store::new());
    let (random, now) = (&mut Counting::new(5 + u8::from(matches!(decision, Decision::Wait { .. }))), at(1));

    let step = hello(world::name(), &SUITES[skip..], random).unwrap();
    note(all, "R0", what, &step.send);
    let need = receive_hello(step.send.as_bytes(), &settings).unwrap();
    let need = need.supply_from(&server, b"here", &settings, now, random).unwrap();
    let offer = need.supply_from(&server as &dyn AuthServer).unwrap();
    note(all, "R1", what, &offer);

    let anchors = card.anchors().unwrap();
    let need = step.next.receive_offer(offer.as_bytes(), &anchors, &Revocation::Ignore, now).unwrap();
    let answers = [("name", FieldValue::from("ada")), ("terms", FieldValue::from(true))];
    let form = need.wanted().fill(answers).unwrap();
    let need = need.supply(form, Credential::None).unwrap().supply_from(card, random).unwrap();
    let step = need.supply_from(card, now).unwrap().supply_from(card).unwrap();
    note(all, "R2", what, &step.send);

    let need = receive_registration(step.send.as_bytes()).unwrap();
    let Lookup::New(need) = need.supply_from(&store, b"here", &settings, now).unwrap() else { panic!() };
    let judged = need.supply_from(&server, &settings, now).unwrap();
    let judged = judged.supply_from(&store, &settings, now).unwrap();
    let need = judged.decide(|_| decision, &settings, now, random).unwrap();
    let outcome = need.supply_from(&store, now).unwrap();
    note(all, "R3", what, &outcome);

    let opened = step.next.receive_outcome(outcome.as_bytes()).unwrap().supply_from(card, now).unwrap();
    let need = match opened {
        ServerDecision::Granted(need) => need,
        ServerDecision::Wait(need) => return assert!(need.supply_from(card).is_ok()),
        ServerDecision::Refused(_) => return,
        decision @ (ServerDecision::Renewed(_) | ServerDecision::Unfit(_)) => panic!("{decision:?}"),
    };
    let step = need.supply_from(card).unwrap();
    note(all, "R4", what, &step.send);
    let need = receive_confirm(step.send.as_bytes()).unwrap().supply_from(&store, now).unwrap();
    let done = need.supply_from(&store, now).unwrap();
    note(all, "R5", what, &done);
    assert!(step.next.receive_done(done.as_bytes()).unwrap().supply_from(card).is_ok());
}

fn session(all: &mut Messages, what: &str, policy: usize, cookie: bool) {
    let (settings, store) = (world::settings(), Store::new());
    let (mut card, mut random, now) = (Card::new(4), Counting::new(6), at(1));
    let random = &mut random;
    let Enrolled { registration, keys } = world::enrol(&store, 0, world::policy(policy));
    card.keys.insert(registration.key_id, (keys, registration.clone()));

    let options = Options { by_key_id: cookie, ..Options::default() };
    let step = open(&registration, &options).unwrap();
    note(all, "S0", what, &step.send);
    let need = receive_open(step.send.as_bytes(), &settings).unwrap();
    let (challenge, state) = if cookie {
        let registered = need.wanted().ask(&store, now).unwrap();
        (need.supply_with_cookie(registered, now, &settings, random).unwrap(), None)
    } else {
        let step = need.supply_from(&store, now, random).unwrap();
        (step.send, Some(step.next))
    };
    note(all, "S1", what, &challenge);
    let step = step.next.receive_challenge(challenge.as_bytes(), random).unwrap();
    let step = step.supply_from(&mut card).unwrap();
    note(all, "S2", what, &step.send);
    let state = state.unwrap_or_else(|| {
        let again = halfkey::session::park::resume_from_response(step.send.as_bytes(), &settings, now);
        again.unwrap().supply_from(&store, now).unwrap()
    });
    let need = state.receive_response(step.send.as_bytes(), now, random).unwrap();
    note(all, "S3", what, &need.supply_from(&store, now).unwrap().send);
}

fn configure(all: &mut Messages) {
    let (store, now) = (Store::new(), at(1));
    let mut registration = world::enrol(&store, 0, world::policy(0)).registration;
    let TokenRegistration { key_id, user_id, access_path, server_name, .. } = registration.clone();
    let principal = Principal { key_id, user_id, access_path, server_name };
    let subject = || Subject::User(principal.user_id.clone());
    let mail = ApplicationName::new("mail").unwrap();
    let document = Document { media_type: "text/plain".into(), body: b"relay=here".to_vec() };

    for (id, what) in (1..).zip(["unknown", "document", "unchanged", "revoked"]) {
        match what {
            "document" => {
                let (application, document) = (mail.clone(), document.clone());
                let entitle = Entitle::new(subject(), application, document).valid_for(60);
                assert!(store.run(&entitle, now).is_ok());
            }
            "revoked" => {
                let end = RevokeEntitlement::new(subject(), mail.clone());
                assert!(store.run(&end, now).is_ok());
            }
            _ => {}
        }
        let information = UserInformation { location: Some("hall 3".into()), ..UserInformation::default() };
        let id = NonZeroU32::new(id).unwrap();
        let step = configuration::request(&registration, &mail, &information, id, now).unwrap();
        note(all, "C0", what, &step.send);
        let need = receive_request(step.send.as_bytes(), &principal).unwrap();
        let answer = need.supply_from(&store, now).unwrap().send;
        note(all, "C1", what, &answer);
        let received = step.next.receive(answer.as_bytes(), &registration, now).unwrap();
        let step = match received.verdict {
            configuration::Verdict::Apply(need) => {
                need.supply(configuration::Applying::Applied, &registration).unwrap()
            }
            configuration::Verdict::Unchanged(step) => step,
            _ => continue,
        };
        note(all, "C2", what, &step.send);
        registration = *step.next;
    }
    let serial = ConfigurationSerial { epoch: 1, number: 9 };
    let entitlement = Entitlement { serial, valid_for: None, document: Some(document), last_applied: None };
    note(all, "C1", "push", &push(&principal, &mail, &entitlement, now).unwrap().send);
}
