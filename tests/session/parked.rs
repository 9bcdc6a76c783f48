//! Challenges that leave the server's memory: in a cookie, or kept elsewhere.

use crate::world::*;
use halfkey::message::Response;
use halfkey::policy::{Mode, Modes, SuiteId};
use halfkey::port::entitlement_store::{Admission, Admitted, Status};
use halfkey::session::server::{self, AwaitResponse};
use halfkey::session::{ServerSessionError, park};
use halfkey::wire::{Bytes, Message};
use halfkey::{ErrorReason, UnixTime};
use std::collections::BTreeSet;

/// The store's test-and-set.
#[derive(Default)]
struct Spending(BTreeSet<[u8; 16]>);

impl Spending {
    fn admit(&mut self, admission: &Admission) -> Admitted {
        match admission.spend {
            Some((id, _)) if !self.0.insert(id) => Admitted::Spent,
            _ => Admitted::As(Status::Active),
        }
    }

    fn accept(
        &mut self,
        world: &mut World,
        state: AwaitResponse,
        s2: &[u8],
    ) -> Result<(Vec<u8>, server::Entry), ServerSessionError> {
        let need = state.receive_response(s2, NOW, &mut world.dice)?;
        let answer = self.admit(&need.wanted().admission);
        need.supply(answer, NOW).map(|step| (step.send.into_bytes(), step.next))
    }
}

fn lapses() -> UnixTime {
    NOW.after(server::CHALLENGE_SECS)
}

#[test]
fn a_cookie_carries_the_challenge_once() {
    for mut world in worlds() {
        let mut spending = Spending::default();
        let (s2, token) = world.cookie_run();
        let cookie_len = Response::decode(&s2).unwrap().cookie.unwrap().len();
        assert!(cookie_len <= 256, "{cookie_len}");

        let resume = |world: &World| {
            world.again(park::resume_from_response(&s2, &world.settings, lapses()).unwrap()).unwrap()
        };
        // Two replicas, the same S2.
        let (first, second) = (resume(&world), resume(&world));
        let (s3, entry) = spending.accept(&mut world, first, &s2).unwrap();
        assert_eq!(spending.accept(&mut world, second, &s2).unwrap_err(), ServerSessionError::Spent);
        let opened = world.finish(token, &s3).unwrap();
        let (token, server) = Run { server: Ok(entry), token: Some(Ok(opened)) }.session();
        assert_eq!(token.channel.session_id(), server.channel.session_id());
    }
}

#[test]
fn a_challenge_kept_elsewhere_is_good_once() {
    for mut world in worlds() {
        let mut spending = Spending::default();
        let (s0, token) = world.open();
        let (s1, state) = world.challenge(&s0).unwrap();
        let settings = world.settings.clone();
        let parked = state.park(&settings, &mut world.dice);
        let (s2, token) = world.respond(token, &s1).unwrap();

        let resume = || park::resume(&parked, &settings, lapses()).unwrap();
        let (first, second) = (world.again(resume()).unwrap(), world.again(resume()).unwrap());
        // Parked again it is still the same challenge.
        let third = park::resume(&second.park(&settings, &mut world.dice), &settings, NOW).unwrap();
        let third = world.again(third).unwrap();
        let need = first.receive_response(&s2, NOW, &mut world.dice).unwrap();
        assert_eq!(need.wanted().admission.spend.map(|(_, until)| until), Some(lapses()));
        let answer = spending.admit(&need.wanted().admission);
        let (s3, entry) = need.supply(answer, NOW).map(|s| (s.send.into_bytes(), s.next)).unwrap();
        assert_eq!(spending.accept(&mut world, third, &s2).unwrap_err(), ServerSessionError::Spent);
        let opened = world.finish(token, &s3).unwrap();
        let _ = Run { server: Ok(entry), token: Some(Ok(opened)) }.session();
    }
}

#[test]
fn a_challenge_never_parked_needs_no_spending() {
    let mut world = World::new(SuiteId::X25519, Mode::Psk);
    let (s0, token) = world.open();
    let (s1, state) = world.challenge(&s0).unwrap();
    let (s2, _) = world.respond(token, &s1).unwrap();
    assert_eq!(state.receive_response(&s2, NOW, &mut world.dice).unwrap().wanted().admission.spend, None);
}

/// The store failed, and let the same challenge in twice: one key is never used twice.
#[test]
fn even_spent_twice_no_key_is_used_twice() {
    for mut world in worlds() {
        let (s2, _) = world.cookie_run();
        let mut ids = BTreeSet::new();
        for _ in 0..3 {
            let state = park::resume_from_response(&s2, &world.settings, NOW).unwrap();
            let state = world.again(state).unwrap();
            let server::Entry::Session(server) = world.accept(state, &s2).unwrap().1 else {
                panic!("barred")
            };
            assert!(ids.insert(server.channel.session_id()));
        }
    }
}

#[test]
fn nothing_forged_is_taken_up() {
    let mut world = World::new(SuiteId::X25519, Mode::Psk);
    let (s0, _) = world.open();
    let settings = world.settings.clone();
    let parked = world.challenge(&s0).unwrap().1.park(&settings, &mut world.dice);
    let refused = |bytes: &[u8], settings: &halfkey::ServerSettings| {
        let error = park::resume(bytes, settings, NOW).unwrap_err();
        assert_eq!((error.clone(), error.refusal()), (ServerSessionError::NotParked, ErrorReason::Restart));
    };
    for bit in 0..parked.len() * 8 {
        let mut copy = parked.clone();
        copy[bit / 8] ^= 1 << (bit % 8);
        refused(&copy, &settings);
    }
    (0..parked.len()).for_each(|end| refused(&parked[..end], &settings));
    refused(&[&parked[..], &[0]].concat(), &settings);
    refused(&parked, &settings_named("gate.example", 8));
    refused(&parked, &settings_named("other.example", 7));

    for key in keys().stored() {
        assert!(!parked.windows(8).any(|window| key.expose().starts_with(window)));
    }
}

#[test]
fn a_cookie_stripped_or_swapped_does_not_help() {
    let mut world = World::new(SuiteId::X25519, Mode::Psk);
    let (s2, _) = world.cookie_run();
    let (other, _) = world.cookie_run();
    let (theirs, ours) = (Response::decode(&other).unwrap(), Response::decode(&s2).unwrap());
    let stripped = Response { cookie: None, ..ours.clone() }.encode();
    let error = park::resume_from_response(stripped.as_bytes(), &world.settings, NOW).unwrap_err();
    assert_eq!(error, ServerSessionError::NotParked);

    let swapped = Response { cookie: theirs.cookie, ..ours.clone() }.encode();
    let state = park::resume_from_response(swapped.as_bytes(), &world.settings, NOW).unwrap();
    let state = world.again(state).unwrap();
    assert_eq!(world.accept(state, swapped.as_bytes()).unwrap_err(), ServerSessionError::WrongProof);

    let made_up = Response { cookie: Some(Bytes(&[0xA7; 256])), ..ours }.encode();
    let error = park::resume_from_response(made_up.as_bytes(), &world.settings, NOW).unwrap_err();
    assert_eq!(error, ServerSessionError::NotParked);
}

#[test]
fn a_challenge_lapses_after_a_minute() {
    let late = lapses().after(1);
    let mut world = World::new(SuiteId::X25519, Mode::Psk);
    let (s2, _) = world.cookie_run();
    assert_eq!(
        park::resume_from_response(&s2, &world.settings, late).unwrap_err(),
        ServerSessionError::Lapsed
    );
    let state = park::resume_from_response(&s2, &world.settings, lapses()).unwrap();
    let state = world.again(state).unwrap();
    let error = state.receive_response(&s2, late, &mut world.dice).unwrap_err();
    assert_eq!((error.clone(), error.refusal()), (ServerSessionError::Lapsed, ErrorReason::Restart));

    let (s0, token) = world.open();
    let (s1, state) = world.challenge(&s0).unwrap();
    let (s2, _) = world.respond(token, &s1).unwrap();
    assert_eq!(state.receive_response(&s2, late, &mut world.dice).unwrap_err(), ServerSessionError::Lapsed);
}

/// Between S1 and S2 the operator tightened the policy, or removed the registration.
#[test]
fn a_parked_challenge_meets_the_registration_as_it_is_now() {
    let mut world = World::new(SuiteId::X25519, Mode::Psk);
    let (s2, _) = world.cookie_run();
    let resume = |world: &World| park::resume_from_response(&s2, &world.settings, NOW).unwrap();

    let state = resume(&world).supply(None).unwrap();
    assert_eq!(world.accept(state, &s2).unwrap_err(), ServerSessionError::UnknownKey);
    world.registered.policy.modes = Modes::only(Mode::PskKem);
    assert_eq!(world.again(resume(&world)).unwrap_err(), ServerSessionError::Mode);
    world.registered.policy = halfkey::policy::Policy {
        suites: halfkey::policy::SuiteList::only(SuiteId::XWing),
        modes: Modes::only(Mode::Psk),
        ..world.registered.policy
    };
    assert_eq!(world.again(resume(&world)).unwrap_err(), ServerSessionError::Suite(SuiteId::X25519.code()));
}
