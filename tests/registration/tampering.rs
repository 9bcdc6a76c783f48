//! Property 8 again, at random: an attacker on the link drops, doubles, changes and reorders frames, and
//! then tires of it.

use crate::applicant::{Applicant, active, answer, setting, states, user, wire};
use crate::common::client::{ClientError, RegistrationOutcome};
use crate::common::{Counting, World};
use halfkey::port::Token;
use halfkey::record::{Attempt, Lifecycle, Progress};
use halfkey::registration::ActivationCode;
use halfkey::registration::token::Credential;
use halfkey::session::token::Options;
use proptest::collection::vec;
use proptest::prelude::*;

/// Manipulation of a frame.
#[derive(Clone, Debug)]
enum Meddling {
    Pass,
    Drop,
    Double,
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    /// An earlier frame of the whole story in its place.
    Replay(prop::sample::Index),
    /// An earlier frame before it.
    Inject(prop::sample::Index),
    Refuse(u8),
}

fn meddling() -> impl Strategy<Value = Meddling> {
    prop_oneof![
        4 => Just(Meddling::Pass),
        1 => Just(Meddling::Drop),
        1 => Just(Meddling::Double),
        2 => (any::<prop::sample::Index>(), 0..8u8).prop_map(|(place, bit)| Meddling::Flip(place, bit)),
        1 => any::<prop::sample::Index>().prop_map(Meddling::Cut),
        1 => any::<prop::sample::Index>().prop_map(Meddling::Replay),
        1 => any::<prop::sample::Index>().prop_map(Meddling::Inject),
        1 => (0..4u8).prop_map(Meddling::Refuse),
    ]
}

fn meddled(seen: &mut Vec<Vec<u8>>, frame: &[u8], what: Meddling) -> Vec<Vec<u8>> {
    seen.push(frame.to_vec());
    let mut frame = frame.to_vec();
    match what {
        Meddling::Pass => vec![frame],
        Meddling::Drop => vec![],
        Meddling::Double => vec![frame.clone(), frame],
        Meddling::Flip(place, bit) => {
            let place = place.index(frame.len());
            frame[place] ^= 1 << bit;
            vec![frame]
        }
        Meddling::Cut(place) => {
            frame.truncate(place.index(frame.len()));
            vec![frame]
        }
        Meddling::Replay(place) => vec![seen[place.index(seen.len())].clone()],
        Meddling::Inject(place) => vec![seen[place.index(seen.len())].clone(), frame],
        Meddling::Refuse(reason) => vec![vec![0xA2, 0, 6, 1, reason]],
    }
}

/// One go of a client at what its token holds; over when the token has one active registration.
fn go(
    world: &World,
    applicant: &mut Applicant,
    link: &mut dyn halfkey::driver::Transport,
    code: &ActivationCode,
) -> Result<RegistrationOutcome, ClientError> {
    let half = applicant.token.attempts().unwrap().into_iter().find_map(|attempt| match attempt {
        Attempt::InFlight(half) => Some(half),
        Attempt::Waiting(_) => None,
    });
    let joined = applicant.token.registrations().unwrap().into_iter().next();
    match (joined, half) {
        (Some(joined), _) => applicant.client(world, |client| client.confirm(link, joined)),
        (None, Some(half)) => applicant.client(world, |client| client.resume(link, half)),
        (None, None) => applicant.register_over(world, link, "alice", Credential::Activation(code.clone())),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn p8_errors_change_nothing(story in vec(vec(meddling(), 0..14), 1..6)) {
        let (issuer, world) = setting();
        let code = ActivationCode::generate(&mut Counting::new(50));
        let alice = user("alice");
        world.invite(&alice, &code);
        let mut applicant = Applicant::new(&issuer, 7);
        let mut seen = Vec::new();
        for run in story {
            let mut run = run.into_iter();
            let mut link = wire(|frame: &[u8]| {
                let mut next = || run.next().unwrap_or(Meddling::Pass);
                let mut replies = Vec::new();
                for frame in meddled(&mut seen, frame, next()) {
                    replies.extend(meddled(&mut seen, &answer(&world, &frame), next()));
                }
                replies
            });
            drop(go(&world, &mut applicant, &mut link, &code));
            prop_assert!(active(&world) <= 1);
            world.pass(5);
        }
        for _ in 0..4 {
            if go(&world, &mut applicant, &mut world.link(), &code).is_err() {
                // A resumed run that the server refused to another's R2 ends with its time.
                world.pass(601);
                halfkey::registration::token::abandon_lapsed(&mut applicant.token, world.now()).unwrap();
            }
        }
        let held = applicant.token.registrations().unwrap();
        prop_assert_eq!(held.len(), 1);
        prop_assert_eq!(held[0].progress, Progress::Active);
        applicant.settled(&world);
        let others = states(&world);
        prop_assert!(others.iter().all(|state| matches!(state, Lifecycle::Active | Lifecycle::Lost)), "{others:?}");
        let session = applicant.client(&world, |client| {
            client.open(world.link(), &held[0].key_id, &Options::default()).map(drop)
        });
        prop_assert!(session.is_ok());
    }
}
