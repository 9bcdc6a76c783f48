//! Codes, names and renewals: the winner, the loser, and the limits of a stranger's influence.

use crate::applicant::{Applicant, active, answer, setting, states, user};
use crate::common::client::RegistrationOutcome;
use crate::common::{Counting, World, grant};
use crate::supply::*;
use halfkey::policy::{Mode, Modes, Policy, SuiteId, SuiteList};
use halfkey::port::Token;
use halfkey::record::{Attempt, Lifecycle, RejectionCause};
use halfkey::registration::server::{Decision, Grant};
use halfkey::registration::token::Credential;
use halfkey::registration::{ActivationCode, OfferFault, RejectionCode, ServerRegistrationError};
use halfkey::store::operation::{DeleteRegistration, ReleaseName, Revoke, SetCodeExpiry, Suspend};

fn invite(world: &World, name: &str, seed: u8) -> ActivationCode {
    let code = ActivationCode::generate(&mut Counting::new(seed));
    let name = user(name);
    world.invite(&name, &code);
    code
}

fn with(code: &ActivationCode) -> Credential {
    Credential::Activation(code.clone())
}

fn refused(end: RegistrationOutcome) -> RejectionCode {
    match end {
        RegistrationOutcome::Refused(refused) => refused.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_number_of_failures_ends_a_code() {
    let (issuer, world) = setting();
    let code = invite(&world, "alice", 50);
    let mut stranger = Applicant::new(&issuer, 8);
    let wrong = ActivationCode::generate(&mut Counting::new(51));
    for _ in 0..40 {
        assert_eq!(refused(stranger.register(&world, "alice", with(&wrong))), RejectionCode::Unspecified);
    }
    let mut alice = Applicant::new(&issuer, 7);
    assert!(matches!(alice.register(&world, "Alice", with(&code)), RegistrationOutcome::Active(_)));
    alice.settled(&world);
    assert_eq!(refused(stranger.register(&world, "alice", with(&code))), RejectionCode::Unspecified);
}

/// The room that strangers fill is not the room of who has a code or a key.
#[test]
fn strangers_cannot_fill_the_place_of_the_invited() {
    let (issuer, mut world) = setting();
    let mut old = Applicant::new(&issuer, 9);
    let held = old.registered(&world, "olga");
    world.settings.pending_total = 3;
    let code = invite(&world, "alice", 50);
    let mut stranger = Applicant::new(&issuer, 8);
    for n in 0..30 {
        let applied = stranger.applied(&world, &format!("stranger{n}"), Credential::None);
        answer(&world, &applied.r2);
    }
    let pending = |world: &World| {
        states(world).iter().filter(|state| matches!(state, Lifecycle::Pending { .. })).count()
    };
    assert_eq!(pending(&world), 3);
    // Nor is the place of one who has neither shut: the oldest makes way.
    let mut late = Applicant::new(&issuer, 5);
    assert!(matches!(late.register(&world, "late", Credential::None), RegistrationOutcome::Active(_)));
    let mut alice = Applicant::new(&issuer, 7);
    assert!(matches!(alice.register(&world, "alice", with(&code)), RegistrationOutcome::Active(_)));
    let end = old.register(&world, "olga", Credential::Renewal(held.key_id));
    assert!(matches!(end, RegistrationOutcome::Active(_)));
}

#[test]
fn a_name_with_a_code_is_not_for_strangers() {
    let (issuer, world) = setting();
    let (mut early, mut stranger) = (Applicant::new(&issuer, 6), Applicant::new(&issuer, 8));
    early.register_over(&world, &mut world.link().losing(4), "alice", Credential::None).unwrap_err();
    let code = invite(&world, "alice", 50);
    assert_eq!(refused(stranger.register(&world, "alice", Credential::None)), RejectionCode::NameTaken);
    let joined = early.token.registrations().unwrap().remove(0);
    let end = early.client(&world, |client| client.confirm(&mut world.link(), joined)).unwrap();
    assert!(matches!(end, RegistrationOutcome::Lost), "{end:?}");
    let mut alice = Applicant::new(&issuer, 7);
    assert!(matches!(alice.register(&world, "alice", with(&code)), RegistrationOutcome::Active(_)));
    assert_eq!(active(&world), 1);
}

#[test]
fn of_two_tokens_with_one_code_the_first_to_confirm_wins() {
    let (issuer, world) = setting();
    let code = invite(&world, "alice", 50);
    let (mut one, mut two) = (Applicant::new(&issuer, 7), Applicant::new(&issuer, 8));
    for applicant in [&mut one, &mut two] {
        applicant.register_over(&world, &mut world.link().losing(4), "alice", with(&code)).unwrap_err();
    }
    let ends = [&mut two, &mut one].map(|applicant| {
        let joined = applicant.token.registrations().unwrap().remove(0);
        let end = applicant.client(&world, |client| client.confirm(&mut world.link(), joined)).unwrap();
        assert_eq!(states(&world), [Lifecycle::Active, Lifecycle::Lost], "the first settles it for both");
        end
    });
    assert!(matches!(ends, [RegistrationOutcome::Active(_), RegistrationOutcome::Lost]));
    two.settled(&world);
    assert!(one.token.registrations().unwrap().is_empty());
}

#[test]
fn a_token_that_died_after_r2_does_not_lock_its_owner_out() {
    let (issuer, world) = setting();
    let code = invite(&world, "alice", 50);
    let mut dead = Applicant::new(&issuer, 7);
    dead.register_over(&world, &mut world.link().losing(3), "alice", with(&code)).unwrap_err();
    let mut alice = Applicant::new(&issuer, 8);
    assert!(matches!(alice.register(&world, "alice", with(&code)), RegistrationOutcome::Active(_)));
    alice.settled(&world);
    // It lives after all: what it was granted is lost, authentically.
    let Attempt::InFlight(half) = dead.token.attempts().unwrap().remove(0) else { panic!() };
    let end = dead.client(&world, |client| client.resume(&mut world.link(), half)).unwrap();
    assert!(matches!(end, RegistrationOutcome::Lost), "{end:?}");
    alice.settled(&world);
}

#[test]
fn a_code_has_room_for_so_many_tries_of_which_the_oldest_make_way() {
    let (issuer, world) = setting();
    let code = invite(&world, "alice", 50);
    // Systems that die before R4, one after the other.
    let mut first = Applicant::new(&issuer, 9);
    first.register_over(&world, &mut world.link().losing(4), "alice", with(&code)).unwrap_err();
    for seed in 10..20 {
        world.pass(1);
        let applied = Applicant::new(&issuer, seed).applied(&world, "alice", with(&code));
        answer(&world, &applied.r2);
    }
    let pending = states(&world).iter().filter(|state| matches!(state, Lifecycle::Pending { .. })).count();
    assert_eq!(pending, usize::try_from(world.settings.pending_same).unwrap());
    // One of them lives after all, and is told.
    let joined = first.token.registrations().unwrap().remove(0);
    let end = first.client(&world, |client| client.confirm(&mut world.link(), joined)).unwrap();
    assert!(matches!(end, RegistrationOutcome::Lost), "{end:?}");
    let mut alice = Applicant::new(&issuer, 7);
    assert!(matches!(alice.register(&world, "alice", with(&code)), RegistrationOutcome::Active(_)));
    alice.settled(&world);
}

/// However many come for a name without a proof, who comes next gets it.
#[test]
fn strangers_do_not_shut_a_name() {
    let (issuer, world) = setting();
    for seed in 10..30 {
        let applied = Applicant::new(&issuer, seed).applied(&world, "alice", Credential::None);
        answer(&world, &applied.r2);
    }
    assert_eq!(states(&world).len(), usize::try_from(world.settings.pending_same).unwrap());
    let mut alice = Applicant::new(&issuer, 7);
    assert!(matches!(alice.register(&world, "alice", Credential::None), RegistrationOutcome::Active(_)));
}

#[test]
fn a_code_withdrawn_or_replaced_serves_nobody_it_had_proved() {
    let (issuer, world) = setting();
    let code = invite(&world, "alice", 50);
    let (mut one, mut two) = (Applicant::new(&issuer, 7), Applicant::new(&issuer, 8));
    one.register_over(&world, &mut world.link().losing(4), "alice", with(&code)).unwrap_err();
    let next = invite(&world, "alice", 51);
    let joined = one.token.registrations().unwrap().remove(0);
    let end = one.client(&world, |client| client.confirm(&mut world.link(), joined)).unwrap();
    assert!(matches!(end, RegistrationOutcome::Lost), "{end:?}");
    assert!(matches!(two.register(&world, "alice", with(&next)), RegistrationOutcome::Active(_)));
    two.settled(&world);
}

#[test]
fn names_differ_by_more_than_case_and_width_and_stay_taken() {
    let (issuer, world) = setting();
    let mut alice = Applicant::new(&issuer, 7);
    let held = alice.registered(&world, "ÅLICE");
    let mut other = Applicant::new(&issuer, 8);
    for name in ["ålice", "Ålice", "A\u{030A}lice", "ａ\u{030A}lice"] {
        assert_eq!(
            refused(other.register(&world, name, Credential::None)),
            RejectionCode::NameTaken,
            "{name}"
        );
    }
    world.run(&Revoke(held.key_id));
    assert_eq!(refused(other.register(&world, "ålice", Credential::None)), RejectionCode::NameTaken);
    world.run(&DeleteRegistration(held.key_id));
    assert_eq!(refused(other.register(&world, "ålice", Credential::None)), RejectionCode::NameTaken);
    world.run(&ReleaseName { name: user("ålice"), held_by: held.user_id });
    other.registered(&world, "ålice");
    other.settled(&world);
}

/// The name and the code are taken by R4, not by R3, and not after `confirm_by`.
#[test]
fn what_is_confirmed_too_late_is_lost() {
    for (late, end) in [(0, Lifecycle::Active), (1, Lifecycle::Lost)] {
        let (issuer, world) = setting();
        let mut alice = Applicant::new(&issuer, 7);
        alice.register_over(&world, &mut world.link().losing(4), "alice", Credential::None).unwrap_err();
        world.pass(u64::from(world.settings.confirm_within) + late);
        let joined = alice.token.registrations().unwrap().remove(0);
        alice.client(&world, |client| client.confirm(&mut world.link(), joined)).unwrap();
        assert_eq!(states(&world), [end]);
        assert_eq!(alice.token.registrations().unwrap().len(), usize::from(late == 0));
    }
}

fn granting(policy: Policy) -> Decision {
    let Decision::Grant(plain) = grant() else { panic!() };
    Decision::Grant(Grant { policy, ..plain })
}

#[test]
fn a_renewal_keeps_name_and_policy() {
    let (issuer, world) = setting();
    let mut alice = Applicant::new(&issuer, 7);
    let strong = Policy { suites: SuiteList::only(SuiteId::XWing), ..Policy::default() };
    *world.decision.borrow_mut() = granting(strong);
    let old = alice.registered(&world, "alice");
    let weak = Policy { modes: Modes::only(Mode::Psk), suites: SuiteList::all(), ..strong };
    *world.decision.borrow_mut() = granting(weak);
    let renew = || Credential::Renewal(old.key_id);
    assert_eq!(refused(alice.register(&world, "bob", renew())), RejectionCode::NotRenewable);
    let RegistrationOutcome::Active(new) = alice.register(&world, "alice", renew()) else { panic!() };
    assert_eq!((new.policy.modes, new.policy.suites), (strong.modes, strong.suites));
    assert_eq!(new.user_id, old.user_id);
    alice.settled(&world);
}

#[test]
fn a_key_is_renewed_while_active_or_in_grace_and_never_otherwise() {
    let life = 1000;
    for (wait, renewable) in
        [(0, true), (life + 1, true), (life + 30 * 86_400, true), (life + 30 * 86_400 + 1, false)]
    {
        let (issuer, world) = setting();
        let mut alice = Applicant::new(&issuer, 7);
        let lifetime = u32::try_from(life).ok();
        *world.decision.borrow_mut() = granting(Policy { lifetime, ..Policy::default() });
        let old = alice.registered(&world, "alice");
        world.pass(wait);
        let end = alice.register(&world, "alice", Credential::Renewal(old.key_id));
        assert_eq!(matches!(end, RegistrationOutcome::Active(_)), renewable, "{wait}: {end:?}");
        alice.settled(&world);
    }
    type Act = fn(&World, &halfkey::KeyId);
    let acts: [Act; 2] = [|world, key| world.run(&Suspend(*key)), |world, key| world.run(&Revoke(*key))];
    for act in acts {
        // Before R2, and between R3 and R4.
        for late in [false, true] {
            let (issuer, world) = setting();
            let mut alice = Applicant::new(&issuer, 7);
            let old = alice.registered(&world, "alice");
            if !late {
                act(&world, &old.key_id);
                let end = alice.register(&world, "alice", Credential::Renewal(old.key_id));
                assert_eq!(refused(end), RejectionCode::NotRenewable);
            } else {
                let applied = alice.applied(&world, "alice", Credential::Renewal(old.key_id));
                let r3 = answer(&world, &applied.r2);
                act(&world, &old.key_id);
                let halfkey::registration::token::ServerDecision::Granted(need) =
                    alice.opens(&world, &applied.half, &r3).unwrap()
                else {
                    panic!()
                };
                let step = need.supply_from(&mut alice.token).unwrap();
                let r5 = answer(&world, step.send.as_bytes());
                drop(step.next.receive_done(&r5).unwrap().supply_from(&mut alice.token).unwrap());
            }
            assert_eq!(active(&world), 0);
            let held = alice.token.registrations().unwrap();
            assert_eq!(
                held.iter().map(|row| row.key_id).collect::<Vec<_>>(),
                [old.key_id],
                "the old one stays"
            );
        }
    }
}

/// The operator is told why, the applicant is not.
#[test]
fn an_expired_code_is_told_from_a_wrong_one_in_the_log_alone() {
    let (issuer, world) = setting();
    let code = invite(&world, "alice", 50);
    world.run(&SetCodeExpiry { name: user("alice"), expires: Some(world.now()) });
    world.pass(1);
    let wrong = ActivationCode::generate(&mut Counting::new(99));
    let cause = |name: &str, code: &ActivationCode| {
        world.events.borrow_mut().clear();
        let end = Applicant::new(&issuer, 7).register(&world, name, with(code));
        assert_eq!(refused(end), RejectionCode::Unspecified);
        let events = world.events.borrow();
        let rejected = events.iter().find_map(|event| match event {
            halfkey::exchange::ServerEvent::Rejected(record) => Some(record.cause),
            _ => None,
        });
        rejected.unwrap()
    };
    assert_eq!(cause("alice", &code), RejectionCause::ExpiredCode);
    assert_eq!(cause("alice", &wrong), RejectionCause::WrongProof);
    assert_eq!(cause("bob", &code), RejectionCause::UnknownProof);
}

/// Whatever is wrong with an offer, the peer is told to start again; the operator is told what.
#[test]
fn the_causes_of_no_such_offer_are_told_apart() {
    let (issuer, mut world) = setting();
    let mut alice = Applicant::new(&issuer, 7);
    let r2 = alice.applied(&world, "alice", Credential::None).r2;
    let fault = |world: &World, peer: &[u8], late: u64| {
        let need = halfkey::registration::server::receive_request(&r2).unwrap();
        let lookup = need.supply(None, peer, &world.settings, world.now().after(late));
        match lookup.map(drop) {
            Ok(()) => None,
            Err(ServerRegistrationError::NoSuchOffer(fault)) => Some(fault),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(fault(&world, b"peer", 0), None);
    assert_eq!(fault(&world, b"rival", 0), Some(OfferFault::Cookie));
    assert_eq!(fault(&world, b"peer", 601), Some(OfferFault::Lapsed));
    let spoken = std::mem::replace(&mut world.settings.suites, crate::applicant::SMALL);
    assert_eq!(fault(&world, b"peer", 0), Some(OfferFault::Suite));
    world.settings.suites = spoken;
    world.settings.template = halfkey::template::Template::new(vec![halfkey::template::Field::required(
        "name",
        halfkey::template::FieldKind::UserName,
    )])
    .unwrap();
    assert_eq!(fault(&world, b"peer", 0), Some(OfferFault::Template));
    let told: std::collections::BTreeSet<_> = [
        OfferFault::Cookie,
        OfferFault::Lapsed,
        OfferFault::OtherRun,
        OfferFault::Template,
        OfferFault::Keys,
    ]
    .map(|fault| ServerRegistrationError::NoSuchOffer(fault).to_string())
    .into();
    assert_eq!(told.len(), 5);
}

/// A locked token says so once, however many wrap its error.
#[test]
fn each_cause_of_an_error_is_told_once() {
    let (issuer, world) = setting();
    let mut alice = Applicant::new(&issuer, 7);
    let applied = alice.applied(&world, "alice", Credential::None);
    let r3 = answer(&world, &applied.r2);
    alice.token.lock();
    let kept = alice.opens(&world, &applied.half, &r3).unwrap_err();
    let mut texts = vec![kept.to_string()];
    let mut cause = std::error::Error::source(&kept);
    while let Some(error) = cause {
        texts.push(error.to_string());
        cause = error.source();
    }
    assert_eq!(texts, ["the token is locked"]);
}
