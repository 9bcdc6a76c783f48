//! Lengths, padding, names and versions outside the protocol's limits.

use crate::applicant::{Applicant, SMALL, answer, is, refusal, setting};
use crate::common::{World, name};
use crate::distort::{bstr, content, map, with};
use crate::forge::Sealing;
use crate::messages::{REFUSED, asking, receives};
use halfkey::message::Outcome;
use halfkey::policy::Policy;
use halfkey::port::Token;
use halfkey::record::InFlight;
use halfkey::registration::server::Grant;
use halfkey::registration::token::{Credential, NeedForm, ServerDecision, abandon_lapsed, resume};
use halfkey::registration::{RejectionCode, TokenRegistrationError};
use halfkey::template::{Field, FieldKind, FieldValue, Template};
use halfkey::wire::MAX_MESSAGE;
use halfkey::{AccessPath, ErrorReason};

#[test]
fn limits_are_checked_before_anything_else() {
    let (issuer, world) = setting();
    let mut applicant = Applicant::new(&issuer, 7);
    let applied = applicant.applied(&world, "alice", Credential::None);
    let r3 = answer(&world, &applied.r2);
    for (frame, most) in [(&applied.r0, 32_768), (&applied.r2, 18_860)] {
        for length in [most, most + 1, MAX_MESSAGE, MAX_MESSAGE + 1, 1 << 20] {
            let mut long = frame.clone();
            long.resize(length, 0);
            assert_eq!(refusal(&answer(&world, &long)), REFUSED, "{length}");
        }
    }
    let too_long = |error: &TokenRegistrationError| error.to_string().contains("longer than allowed");
    for (most, bytes) in [(4212, &r3), (65_536, &applied.r1)] {
        let mut long = bytes.clone();
        long.resize(most + 1, 0);
        let error = if most == 4212 {
            applicant.refuses(&world, &applied.half, &long)
        } else {
            receives(&world, &applicant, &long).unwrap_err()
        };
        assert!(too_long(&error), "{error}");
    }
    // A form at its very longest goes through; nothing longer is sent.
    let core = content(&applied.r2, 1);
    for length in [271, 272, 16_400, 16_401] {
        let bytes = map(&[(0, vec![2]), (1, bstr(&core)), (2, bstr(&vec![7; length]))]);
        let fits = (272..=16_400).contains(&length);
        assert_eq!(is::<Outcome<'_>>(&answer(&world, &bytes)), fits, "{length}");
    }
}

/// Only what the protocol has the client send: with no padding but the least there can be.
#[test]
fn r2_is_padded_as_the_protocol_has_it() {
    let (issuer, world) = setting();
    let mut applicant = Applicant::new(&issuer, 7);
    let applied = applicant.applied(&world, "alice", Credential::None);
    let sealing = Sealing::of(&mut applicant, &applied.half);
    let padded = sealing.open(&applied.r2);
    assert_eq!(sealing.seal(&applied.r2, padded.clone()), applied.r2);
    for more in [256, 512, 4096] {
        let mut padded = padded.clone();
        padded.resize(padded.len() + more, 0);
        let request = sealing.seal(&applied.r2, padded);
        let r3 = answer(&world, &request);
        let half = InFlight { request, ..applied.half.clone() };
        let ServerDecision::Refused(refused) = applicant.opens(&world, &half, &r3).unwrap() else { panic!() };
        assert_eq!(refused.code, RejectionCode::Unspecified);
    }
}

#[test]
fn another_server_or_version_is_refused() {
    let (issuer, world) = setting();
    let applicant = Applicant::new(&issuer, 7);
    let (r0, _) = asking(&name("other.example"), &applicant);
    assert_eq!(refusal(&answer(&world, &r0)), REFUSED);
    let (r0, _) = asking(&world.settings.name, &applicant);
    for (key, value) in [(1, vec![0x81, 2]), (1, vec![0x80]), (2, vec![0x81, 3]), (2, vec![0x82, 2, 2])] {
        assert_eq!(refusal(&answer(&world, &with(&r0, key, value))), REFUSED, "{key}");
    }
    let half = {
        let (issuer, world) = setting();
        let mut applicant = Applicant::new(&issuer, 7);
        applicant.applied(&world, "alice", Credential::None).half
    };
    assert!(resume(half, SMALL).is_err(), "a run goes on in its own suite or not at all");
}

/// Each field is within its bounds, and all of them are more than R2 carries.
#[test]
fn a_form_that_fits_its_template_and_not_r2_is_refused_by_the_token() {
    let (issuer, mut world) = setting();
    let texts = (0..5).map(|n| Field::required(&format!("text-{n}"), FieldKind::Text { max_len: 4096 }));
    let name = Field::required("name", FieldKind::UserName);
    world.settings.template = Template::new([name].into_iter().chain(texts).collect()).unwrap();
    let mut applicant = Applicant::new(&issuer, 7);
    let filled = |length: usize, need: &NeedForm| {
        let text = "x".repeat(length);
        let texts = (0..4).map(|n| (format!("text-{n}"), text.as_str().into()));
        let last = [("name".to_string(), "alice".into()), ("text-4".to_string(), "x".into())];
        let answers: Vec<(String, FieldValue)> = texts.chain(last).collect();
        need.wanted().fill(answers.iter().map(|(name, value)| (name.as_str(), value.clone()))).unwrap()
    };
    let (_, _, need) = applicant.offered(&world);
    let form = filled(4096, &need);
    assert_eq!(need.supply(form, Credential::None).unwrap_err(), TokenRegistrationError::FormTooLong);
    assert!(applicant.token.attempts().unwrap().is_empty());
    let (_, _, need) = applicant.offered(&world);
    let form = filled(4000, &need);
    assert!(need.supply(form, Credential::None).is_ok());
}

/// No token would take it, so none is sent.
#[test]
fn an_offer_that_does_not_fit_is_no_offer() {
    let (issuer, mut world) = setting();
    let applicant = Applicant::new(&issuer, 7);
    let choices: Vec<String> = (0..16).map(|n| format!("{n:0>255}")).collect();
    for (label, fits) in [("", true), (&*"l".repeat(255), false)] {
        let long = (1..16).map(|place| {
            Field::required(&format!("field-{place}"), FieldKind::Choice(choices.clone())).labelled(label)
        });
        let fields = [Field::required("name", FieldKind::UserName)].into_iter().chain(long).collect();
        world.settings.template = Template::new(fields).unwrap();
        let (r0, _) = asking(&world.settings.name, &applicant);
        assert_eq!(
            refusal(&answer(&world, &r0)),
            (!fits).then_some(ErrorReason::Busy),
            "label of {}",
            label.len()
        );
    }
}

/// It is the operator's fault, and the token may try again later.
#[test]
fn an_outcome_that_does_not_fit_is_no_outcome() {
    let (issuer, mut world) = setting();
    world.settings.outcome_size = 256;
    *world.decision.borrow_mut() = halfkey::registration::server::Decision::Grant(Grant {
        user_id: None,
        access_path: AccessPath::new(&"x".repeat(255)).unwrap(),
        policy: Policy::default(),
    });
    let mut applicant = Applicant::new(&issuer, 7);
    let applied = applicant.applied(&world, "alice", Credential::None);
    assert_eq!(refusal(&answer(&world, &applied.r2)), Some(ErrorReason::Busy));
    assert!(world.registrations().is_empty());
    *world.decision.borrow_mut() = crate::common::grant();
    world.settings.outcome_size = 1024;
    assert_eq!(applicant.registered(&world, "alice").server_name, world.settings.name);
}

/// Whoever keeps answers from a token does not fill it.
#[test]
fn runs_whose_time_is_over_are_given_up() {
    let (issuer, world) = setting();
    let mut applicant = Applicant::new(&issuer, 7);
    let applied = applicant.applied(&world, "ada", Credential::None);
    let held = |applicant: &mut Applicant, world: &World| {
        abandon_lapsed(&mut applicant.token, world.now()).unwrap();
        applicant.token.attempts().unwrap().iter().map(|attempt| *attempt.txn()).collect::<Vec<_>>()
    };
    assert_eq!(held(&mut applicant, &world), [applied.half.txn]);
    world.pass(601);
    assert_eq!(held(&mut applicant, &world), []);
}
