//! An attacker on the wire: no altered, replayed, swapped, reflected or weakened message is accepted.

use crate::world::*;
use halfkey::ErrorReason;
use halfkey::message::{Challenge, Open};
use halfkey::policy::{Mode, Modes, Policy, SuiteId, SuiteList};
use halfkey::session::{ServerSessionError, TokenSessionError};
use halfkey::wire::{Codes, Message, Problem, WireError};

fn assert_nobody_is_in(world: &mut World, at: usize, change: impl Fn(&mut Vec<u8>)) {
    let run = world.run(|now, bytes| {
        if now == at {
            change(bytes);
        }
    });
    assert!(!run.token_is_in(), "S{at}: the token");
    // The server cannot know the fate of S3: its session stays silent.
    assert!(at == 3 || !run.server_is_in(), "S{at}: the server");
}

#[test]
fn no_flipped_bit_gets_in() {
    for mut world in worlds() {
        let lengths = world.recording().map(|message| message.len());
        for (at, length) in lengths.into_iter().enumerate() {
            for byte in 0..length {
                assert_nobody_is_in(&mut world, at, |bytes| bytes[byte] ^= 1 << (byte % 8));
                if length < 200 {
                    assert_nobody_is_in(&mut world, at, |bytes| bytes[byte] ^= 0x80 >> (byte % 8));
                    assert_nobody_is_in(&mut world, at, |bytes| bytes[byte] = !bytes[byte]);
                }
            }
        }
    }
}

#[test]
fn nothing_cut_or_extended_gets_in() {
    for mut world in worlds() {
        let lengths = world.recording().map(|message| message.len());
        for (at, length) in lengths.into_iter().enumerate() {
            for end in 0..length {
                assert_nobody_is_in(&mut world, at, |bytes| bytes.truncate(end));
            }
            assert_nobody_is_in(&mut world, at, |bytes| bytes.push(0));
            assert_nobody_is_in(&mut world, at, |bytes| bytes.resize(70_000, 0));
        }
    }
}

#[test]
fn nothing_replayed_or_swapped_between_sessions_gets_in() {
    for mut world in worlds() {
        let old = world.recording();
        for (at, message) in old.iter().enumerate().skip(1) {
            assert_nobody_is_in(&mut world, at, |bytes| bytes.clone_from(message));
        }
        // S0 says nothing fresh: replayed, it is as good as new, and the challenge makes it so.
        assert!(
            world
                .run(|at, bytes| if at == 0 {
                    bytes.clone_from(&old[0])
                })
                .token_is_in()
        );

        // A peer that has nothing but all that one side of an old session said.
        let token = world.open().1;
        let token = world.respond(token, &old[1]).unwrap().1;
        assert_eq!(world.finish(token, &old[3]).unwrap_err(), TokenSessionError::WrongProof);
        let server = world.challenge(&old[0]).unwrap().1;
        assert_eq!(world.accept(server, &old[2]).unwrap_err(), ServerSessionError::WrongProof);

        // Two sessions at once, each side of one with the other side of the other.
        let (s0, one) = world.open();
        let (_, two) = world.open();
        let (s1_a, server_a) = world.challenge(&s0).unwrap();
        let (s1_b, server_b) = world.challenge(&s0).unwrap();
        let (s2_one, one) = world.respond(one, &s1_a).unwrap();
        let (s2_two, two) = world.respond(two, &s1_b).unwrap();
        assert_eq!(world.accept(server_a, &s2_two).unwrap_err(), ServerSessionError::WrongProof);
        let (s3_two, _) = world.accept(server_b, &s2_two).unwrap();
        assert!(world.finish(one, &s3_two).is_err());
        assert!(world.finish(two, &s3_two).is_ok());
        let _ = s2_one;
    }
}

#[test]
fn nothing_reflected_gets_in() {
    for mut world in worlds() {
        let seen = world.recording();
        for at in 0..4 {
            for other in (0..4).filter(|other| *other != at) {
                assert_nobody_is_in(&mut world, at, |bytes| bytes.clone_from(&seen[other]));
            }
        }
        let (s0, token) = world.open();
        let to_server =
            |error| matches!(error, ServerSessionError::Wire(e) if e.problem == Problem::WrongType);
        let to_token = |error| matches!(error, TokenSessionError::Wire(e) if e.problem == Problem::WrongType);
        assert!(to_token(world.respond(token, &s0).unwrap_err()));
        let (s0, token) = world.open();
        let (s1, server) = world.challenge(&s0).unwrap();
        let (s2, token) = world.respond(token, &s1).unwrap();
        assert!(to_token(world.finish(token, &s2).unwrap_err()));
        assert!(to_server(world.accept(server, &s1).unwrap_err()));
    }
}

/// Both would do psk and psk-kem; somebody takes psk-kem out of S0.
#[test]
fn a_mode_cannot_be_talked_down() {
    let all = Policy { modes: Modes::all(), suites: SuiteList::all(), ..Policy::default() };
    let mut world = World::with_policy(all);
    let run = world.run(|at, bytes| {
        if at == 0 {
            let open = Open::decode(bytes).unwrap();
            *bytes = Open { modes: Codes::one(Mode::Psk.code()), ..open }.encode().into_bytes();
        }
    });
    assert_eq!(run.server.unwrap_err(), ServerSessionError::WrongProof);

    // Nor a suite.
    let run = world.run(|at, bytes| {
        if at == 0 {
            let open = Open::decode(bytes).unwrap();
            *bytes = Open { suite: SuiteId::X25519.code(), ..open }.encode().into_bytes();
        }
    });
    assert!(!run.server_is_in());

    // And in S1 only what was offered.
    assert_eq!(edited_challenge(3, 2, 1), TokenSessionError::Mode);
    assert_eq!(edited_challenge(3, 2, 3), TokenSessionError::Mode);
}

#[test]
fn another_version_in_s1_is_refused() {
    assert_eq!(edited_challenge(1, 1, 2), TokenSessionError::Version(2));
}

/// Gives the token an S1 whose core, `{1: version, 2: mode, …}`, has another number in it.
fn edited_challenge(place: usize, from: u8, to: u8) -> TokenSessionError {
    let mut world = World::new(SuiteId::XWing, Mode::PskKem);
    let run = world.run(|at, bytes| {
        if at == 1 {
            let mut core = Challenge::decode(bytes).unwrap().core.to_vec();
            assert_eq!(core[place + 1], from);
            core[place + 1] = to;
            *bytes = Challenge { core: halfkey::wire::Bytes(&core), cookie: None }.encode().into_bytes();
        }
    });
    run.token.unwrap().unwrap_err()
}

#[test]
fn a_policy_of_psk_kem_alone_holds_on_both_sides() {
    let mut world = World::new(SuiteId::X25519, Mode::PskKem);
    world.options.modes = Modes::only(Mode::Psk);
    let error = halfkey::session::token::open(&world.registration, &world.options).unwrap_err();
    assert_eq!(error, TokenSessionError::NothingToOffer);

    // A token whose own policy was weakened.
    world.registration.policy.modes = Modes::all();
    let (s0, _) = world.open();
    assert_eq!(world.challenge(&s0).unwrap_err(), ServerSessionError::Mode);

    let mut world = World::new(SuiteId::XWing, Mode::PskKem);
    world.registration.policy.suites = SuiteList::only(SuiteId::X25519);
    let (s0, _) = world.open();
    assert_eq!(world.challenge(&s0).unwrap_err(), ServerSessionError::Suite(SuiteId::X25519.code()));
}

#[test]
fn a_refusal_is_heard_wherever_an_answer_is_awaited() {
    for reason in [ErrorReason::Refused, ErrorReason::Restart, ErrorReason::Busy] {
        let mut world = World::new(SuiteId::X25519, Mode::Psk);
        let e0 = reason.frame();
        let (s0, token) = world.open();
        assert_eq!(world.respond(token, e0.as_bytes()).unwrap_err(), TokenSessionError::Refused(reason));
        let (_, token) = world.open();
        let (s1, server) = world.challenge(&s0).unwrap();
        let (_, token) = world.respond(token, &s1).unwrap();
        assert_eq!(world.finish(token, e0.as_bytes()).unwrap_err(), TokenSessionError::Refused(reason));
        // A server awaits no answer: to it, E0 is a message of a wrong type.
        let wrong_type =
            |error| matches!(error, ServerSessionError::Wire(e) if e.problem == Problem::WrongType);
        assert!(wrong_type(world.accept(server, e0.as_bytes()).unwrap_err()));
        assert!(wrong_type(world.challenge(e0.as_bytes()).unwrap_err()));
    }
}

#[test]
fn what_s2_must_and_must_not_carry() {
    let kem = World::new(SuiteId::X25519, Mode::PskKem).recording();
    let psk = World::new(SuiteId::X25519, Mode::Psk).recording();
    let with = |mode, s2: &[u8]| {
        let mut world = World::new(SuiteId::X25519, mode);
        let (s0, _) = world.open();
        let (_, server) = world.challenge(&s0).unwrap();
        world.accept(server, s2).unwrap_err()
    };
    let at = |field, problem| ServerSessionError::Wire(WireError { message: "S2 Response", field, problem });
    assert_eq!(with(Mode::PskKem, &psk[2]), at("pk_e", Problem::Missing));
    assert_eq!(with(Mode::Psk, &kem[2]), at("pk_e", Problem::UnexpectedKey));
    let (s2, _) = World::new(SuiteId::X25519, Mode::Psk).cookie_run();
    assert_eq!(with(Mode::Psk, &s2), at("cookie", Problem::UnexpectedKey));
}

/// A proven S2 may still carry a KEM key that is none: the all-zero point of X25519.
#[test]
fn a_kem_key_that_does_not_contribute_is_refused() {
    let mut world = World::new(SuiteId::X25519, Mode::PskKem);
    let (s0, _) = world.open();
    let (s1, server) = world.challenge(&s0).unwrap();
    let n_c = [9; 32];
    let core = Challenge::decode(&s1).unwrap().core;
    let th_c = by_hand("challenge", &[(1, &s0), (1, &core)]);
    let suite: &dyn halfkey::suite::Suite = &halfkey::suite::X25519;
    let over = [&th_c.as_bytes()[..], &n_c, suite.hash(&[&[0; 32]]).as_bytes()].concat();
    let tag_c = keys().derive(suite, &halfkey::schedule::KeyUse::Response(over.try_into().unwrap()));
    let s2 = halfkey::message::Response {
        n_c,
        pk_e: Some(halfkey::wire::Bytes(&[0; 32])),
        tag_c: *tag_c.expose(),
        cookie: None,
    };
    let error = world.accept(server, s2.encode().as_bytes()).unwrap_err();
    assert!(matches!(error, ServerSessionError::Kem(_)));
}
