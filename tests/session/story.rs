//! Successful sessions, after which both sides agree.

use crate::world::*;
use halfkey::message::{Accept, Address, Challenge, Response};
use halfkey::policy::{Mode, Modes, Policy, SuiteId, SuiteList};
use halfkey::record;
use halfkey::session::token::Options;
use halfkey::session::{Channel, Content, OpenedRecord};
use halfkey::suite::Suite;
use halfkey::wire::Message;
use halfkey::{Alias, KeyId, Secret, suite};
use proptest::prelude::*;

fn says(from: &mut Channel, to: &mut Channel, text: &[u8]) {
    let record = from.seal(Content::Data, text).unwrap();
    assert!(matches!(to.open(&record), Ok(OpenedRecord::Data(got)) if *got == text));
}

#[test]
fn both_sides_agree_in_every_suite_and_mode() {
    for mut world in worlds() {
        let (mut token, mut server) = world.session();
        assert_eq!(token.mode, server.mode);
        assert_eq!(Modes::only(server.mode), world.registered.policy.modes);
        assert_eq!(token.channel.session_id(), server.channel.session_id());
        let who = (server.key_id, server.user_id.clone(), server.access_path.clone());
        let registration = &world.registration;
        assert_eq!(
            who,
            (registration.key_id, registration.user_id.clone(), registration.access_path.clone())
        );
        assert_eq!(server.address, Address::Alias(ALIAS));

        let (mut ours, mut theirs) = ([0; 32], [0; 32]);
        token.channel.export(b"label", b"context", &mut ours).unwrap();
        server.channel.export(b"label", b"context", &mut theirs).unwrap();
        assert_eq!(ours, theirs);

        says(&mut server.channel, &mut token.channel, b"the server may send with S3");
        assert_eq!(server.heard(), None);
        says(&mut token.channel, &mut server.channel, b"hello");
        assert_eq!(server.heard(), Some((server.key_id, server.address)));
        assert_eq!(server.heard(), None);

        let again = world.session().0;
        assert_ne!(again.channel.session_id(), token.channel.session_id());
    }
}

#[test]
fn the_best_suite_and_mode_in_common_are_taken() {
    let all = Policy { modes: Modes::all(), suites: SuiteList::all(), ..Policy::default() };
    let (_, server) = World::with_policy(all).session();
    assert_eq!(server.mode, Mode::PskKem);

    // The registration allows more than the token is willing to do.
    let mut world = World::with_policy(all);
    world.options.modes = Modes::only(Mode::Psk);
    assert_eq!(world.session().1.mode, Mode::Psk);

    // X-Wing's keys are 1216 bytes, those of X25519 are 32.
    let pk_len = |world: &mut World| Response::decode(&world.recording()[2]).unwrap().pk_e.unwrap().len();
    assert_eq!(pk_len(&mut World::with_policy(all)), 1216);
    let mut world = World::with_policy(all);
    world.options.suites = ONLY_X25519;
    assert_eq!(pk_len(&mut world), 32);
}

#[test]
fn a_session_hands_out_the_alias_of_the_next() {
    let mut world = World::new(SuiteId::X25519, Mode::Psk);
    let (s0, token) = world.open();
    let (s1, server) = world.challenge(&s0).unwrap();
    let (s2, token) = world.respond(token, &s1).unwrap();
    let need = server.receive_response(&s2, NOW, &mut world.dice).unwrap();
    let alias = need.wanted().admission.next_alias;
    assert_eq!(need.wanted().admission.address, Address::Alias(ALIAS));
    let answer = world.admit(&need.wanted().admission);
    let s3 = need.supply(answer, NOW).unwrap().send;
    let halfkey::session::token::SessionOutcome::Session(session) =
        world.finish(token, s3.as_bytes()).unwrap()
    else {
        panic!("barred")
    };
    session.note(&mut world.registration);
    assert_eq!(world.registration.alias, Some(alias));
    assert_eq!(world.registration.progress, record::Progress::Active);
    assert_ne!(alias, ALIAS);
    assert_ne!(alias, Alias::new([0; 16]));
}

#[test]
fn a_token_goes_by_its_key_id_without_an_alias_or_when_it_falls_back() {
    let mut world = World::new(SuiteId::X25519, Mode::Psk);
    let by_key = Address::Key(KeyId::new([0x1D; 16]));
    world.options = Options { by_key_id: true, ..Options::default() };
    assert_eq!(world.session().1.address, by_key);

    let mut world = World::new(SuiteId::X25519, Mode::Psk);
    world.registration.alias = None;
    world.registration.policy.allow_key_id = false;
    assert_eq!(world.session().1.address, by_key);
}

/// The schedule, written down a second time from PROTOCOL.md.
#[test]
fn the_schedule_is_that_of_the_protocol() {
    let s: &dyn Suite = &suite::X25519;
    for mode in Mode::ALL {
        let mut world = World::new(SuiteId::X25519, mode);
        let (s0, token) = world.open();
        let (s1, server) = world.challenge(&s0).unwrap();
        // The token draws N_c, then the seed of its KEM key.
        let mut seed = [0; 64];
        halfkey::RandomSource::fill(&mut Dice(world.dice.0), &mut seed);
        let sk_e = Secret::new(seed[32..].try_into().unwrap());
        let (s2, token) = world.respond(token, &s1).unwrap();
        let (s3, entry) = world.accept(server, &s2).unwrap();
        let opened = world.finish(token, &s3).unwrap();
        let id = Run { server: Ok(entry), token: Some(Ok(opened)) }.session().0.channel.session_id();

        let challenge = Challenge::decode(&s1).unwrap();
        let response = Response::decode(&s2).unwrap();
        let accept = Accept::decode(&s3).unwrap();
        assert_eq!(response.n_c, seed[..32]);
        let th_c = by_hand("challenge", &[(1, &s0), (1, &challenge.core)]);
        let public = response.pk_e.map_or([0; 32], |pk_e| *s.hash(&[pk_e.0]).as_bytes());
        let mac = |key: &Secret, label: &[u8], text: &[u8]| s.mac(key, &[label, &[0], text]);
        let [auth, derive, ..] = [0xA1, 0xA2].map(|byte| Secret::new([byte; 32]));
        let over = [&th_c.as_bytes()[..], &response.n_c, &public].concat();
        assert_eq!(response.tag_c, mac(&auth, b"halfkey/1 response", &over));
        let x = match mode {
            Mode::PskKem => s.hash(&[&accept.x]).as_bytes().to_vec(),
            _ => accept.x.to_vec(),
        };
        let d = mac(&derive, b"halfkey/1 session", &[&response.tag_c, &x[..], &[1]].concat());
        let prk = match mode {
            Mode::PskKem => {
                let ss_e = s.kem().decapsulate(&sk_e, &accept.x).unwrap();
                Secret::new(s.mac(&Secret::new(d), &[ss_e.expose()]))
            }
            _ => Secret::new(d),
        };
        let mut ses = [0; 160];
        s.expand(&prk, &[b"halfkey/1 session key\0"], &mut ses);
        assert_eq!(accept.tag_s, ses[..32]);
        assert_eq!(id, ses[96..128]);
        let mut record = accept.record.to_vec();
        let k_s2t = Secret::new(ses[32..64].try_into().unwrap());
        let (record, tag) = record.split_last_chunk_mut().unwrap();
        s.aead(&k_s2t).open(&[0; 12], &[], record, tag).unwrap();
        assert_eq!((record.len(), record[0]), (256, 2));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_draw_gives_a_session_that_both_agree_on(seed: u64, which in 0..4usize, text: Vec<u8>) {
        let mut world = worlds().nth(which).unwrap();
        world.dice = Dice(seed);
        let (mut token, mut server) = world.session();
        prop_assert_eq!(token.channel.session_id(), server.channel.session_id());
        says(&mut token.channel, &mut server.channel, &text);
        says(&mut server.channel, &mut token.channel, &text);
    }
}
