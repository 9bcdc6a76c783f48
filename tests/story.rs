//! Whole stories: registration, sessions and configuration, over a link that loses and repeats.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test that panics has failed"
)]

mod common;
#[path = "store/gate.rs"]
mod gate;
#[path = "store/keeper.rs"]
mod keeper;
#[path = "store/travel.rs"]
mod travel;

use crate::common::client::{Client, ClientError, Configured, RegistrationOutcome};
use common::{Counting, Issuer, Link, Way, World, grant, name, token};
use halfkey::certificate::{Revocation, VerifiedServer};
use halfkey::message::UserInformation;
use halfkey::port::Token;
use halfkey::port::entitlement_store::Document;
use halfkey::record::{Attempt, Lifecycle, Progress, TokenRegistration};
use halfkey::registration::server::Decision;
use halfkey::registration::token::Credential;
use halfkey::registration::{ActivationCode, RejectionCode, TokenRegistrationError};
use halfkey::session::token::Options;
use halfkey::software::SoftwareToken;
use halfkey::store::Subject;
use halfkey::store::operation::{Entitle, RevokeEntitlement};
use halfkey::template::{FieldValue, Form, Template};
use halfkey::{AccessPath, ApplicationName, ErrorReason, UserName};

struct Tale {
    token: SoftwareToken,
    random: Counting,
}

fn form(template: &Template, user: &str) -> Form {
    template.fill([("name", FieldValue::from(user)), ("terms", true.into())]).unwrap()
}

impl Tale {
    fn new(issuer: &Issuer, seed: u8) -> Self {
        Self { token: token(issuer.anchors(), seed), random: Counting::new(seed.wrapping_add(100)) }
    }

    fn with<R>(&mut self, world: &World, act: impl FnOnce(&mut Client<'_>) -> R) -> R {
        let clock = || world.now();
        let mut client = Client::new(&mut self.token, &mut self.random);
        client.clock = &clock;
        act(&mut client)
    }

    fn register(
        &mut self,
        link: &mut Link<'_>,
        user: &str,
        credential: Credential,
    ) -> Result<RegistrationOutcome, ClientError> {
        let (world, mut credential) = (link.world, Some(credential));
        let mut fill =
            |_: &VerifiedServer, template: &Template| Ok((form(template, user), credential.take().unwrap()));
        self.with(world, |client| client.register(link, &world.settings.name, &Revocation::Ignore, &mut fill))
    }

    fn registered(&mut self, world: &World, user: &str) -> TokenRegistration {
        match self.register(&mut world.link(), user, Credential::None).unwrap() {
            RegistrationOutcome::Active(registration) => registration,
            other => panic!("{other:?}"),
        }
    }

    fn only(&self) -> TokenRegistration {
        let mut all = self.token.registrations().unwrap();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    fn session(&mut self, world: &World, registration: &TokenRegistration) -> Result<(), ClientError> {
        self.with(world, |client| {
            client.open(world.link(), &registration.key_id, &Options::default())?.close().map(drop)
        })
    }
}

fn states(world: &World) -> Vec<Lifecycle> {
    world.registrations().into_iter().map(|row| row.lifecycle).collect()
}

fn setting() -> (Issuer, World) {
    let mut issuer = Issuer::new(1);
    let world = World::new(&mut issuer, "gate.example", 0);
    (issuer, world)
}

#[test]
fn one_blank_token_registers_with_two_servers() {
    let mut issuer = Issuer::new(1);
    let (one, two) = (World::new(&mut issuer, "one.example", 0), World::new(&mut issuer, "two.example", 1));
    let mut tale = Tale::new(&issuer, 7);
    let (a, b) = (tale.registered(&one, "alice"), tale.registered(&two, "alice"));
    assert_ne!(a.key_id, b.key_id);
    assert_eq!((a.progress, b.progress), (Progress::Active, Progress::Active));
    for (world, registration) in [(&one, &a), (&two, &b)] {
        tale.session(world, registration).unwrap();
        assert_eq!(states(world), [Lifecycle::Active]);
    }
}

#[test]
fn configuration_follows_the_entitlement_without_registering_again() {
    let (issuer, world) = setting();
    let mut tale = Tale::new(&issuer, 7);
    let registration = tale.registered(&world, "alice");
    let mail = ApplicationName::new("mail").unwrap();
    let path = Subject::AccessPath(AccessPath::new("/staff").unwrap());
    let entitle = |body: &[u8]| {
        let document = Document { media_type: "text/plain".into(), body: body.to_vec() };
        world.run(&Entitle::new(path.clone(), mail.clone(), document));
    };
    let mut installed = Vec::new();
    let mut configure = |tale: &mut Tale| {
        tale.with(&world, |client| {
            let mut session = client.open(world.link(), &registration.key_id, &Options::default()).unwrap();
            let mut apply =
                |_: &ApplicationName, instruction: &halfkey::configuration::token::Instruction| {
                    installed.push(format!("{instruction:?}"));
                    halfkey::configuration::token::Applying::Applied
                };
            let information = UserInformation::default();
            let configured = session.configure(client, &mail, &information, &mut apply, &mut |_| {}).unwrap();
            session.close().unwrap();
            configured
        })
    };
    assert_eq!(configure(&mut tale), Configured::Unknown);
    entitle(b"one");
    assert_eq!(configure(&mut tale), Configured::Installed);
    assert_eq!(configure(&mut tale), Configured::Unchanged);
    entitle(b"two");
    assert_eq!(configure(&mut tale), Configured::Installed);
    world.run(&RevokeEntitlement::new(path.clone(), mail.clone()));
    assert_eq!(configure(&mut tale), Configured::Removed);
    assert_eq!(installed.len(), 3);
    assert_eq!(states(&world), [Lifecycle::Active]);
}

#[test]
fn a_user_travels_without_registering_again() {
    let store = halfkey::memory::Store::new();
    travel::there_and_back(&store, &|entitle, now| {
        store.run(entitle, now).unwrap();
    });
}

/// Every frame of a registration lost in turn (R0 to R5 are 0 to 5): each time the token ends up
/// with one active registration, and the server with one.
#[test]
fn any_lost_message_loses_no_registration() {
    for lost in 0..6 {
        let (issuer, world) = setting();
        let mut tale = Tale::new(&issuer, 7);
        let error = tale.register(&mut world.link().losing(lost), "alice", Credential::None).unwrap_err();
        assert!(matches!(error, ClientError::Ended), "{lost}: {error:?}");
        let attempts = tale.token.attempts().unwrap();
        match lost {
            0 | 1 => {
                assert!(attempts.is_empty());
                drop(tale.registered(&world, "alice"));
            }
            2 | 3 => {
                let Attempt::InFlight(half) = attempts.into_iter().next().unwrap() else { panic!() };
                let end = tale.with(&world, |client| client.resume(&mut world.link(), half)).unwrap();
                assert!(matches!(end, RegistrationOutcome::Active(_)), "{lost}: {end:?}");
            }
            _ => {
                assert!(attempts.is_empty());
                let joined = tale.only();
                let end = tale.with(&world, |client| client.confirm(&mut world.link(), joined)).unwrap();
                assert!(matches!(end, RegistrationOutcome::Active(_)), "{lost}: {end:?}");
            }
        }
        let registration = tale.only();
        assert_eq!(registration.progress, Progress::Active);
        tale.session(&world, &registration).unwrap();
        assert_eq!(states(&world), [Lifecycle::Active], "{lost}");
        assert!(tale.token.attempts().unwrap().is_empty());
    }
}

#[test]
fn the_first_session_settles_a_lost_confirmation() {
    for lost in [4, 5] {
        let (issuer, world) = setting();
        let mut tale = Tale::new(&issuer, 7);
        tale.register(&mut world.link().losing(lost), "alice", Credential::None).unwrap_err();
        let joined = tale.only();
        tale.session(&world, &joined).unwrap();
        assert_eq!(tale.only().progress, Progress::Active);
        assert_eq!(states(&world), [Lifecycle::Active]);
    }
}

#[test]
fn a_repeated_request_gets_the_same_outcome_byte_for_byte() {
    let (issuer, world) = setting();
    let mut tale = Tale::new(&issuer, 7);
    let mut link = world.link().tampered(|at, frames| {
        if at.0 == Way::Up && frames[0].get(1..3) == Some(&[0x00, 0x02][..]) {
            frames.push(frames[0].clone());
            frames.push(frames[0].clone());
        }
    });
    tale.register(&mut link, "alice", Credential::None).unwrap_err();
    let down: Vec<_> = link.log.iter().filter(|(way, _)| *way == Way::Down).map(|(_, frame)| frame).collect();
    assert_eq!(down.len(), 5, "R1, R3 three times, then a refusal or R5");
    assert_eq!((down[1], down[1]), (down[2], down[3]));
    assert_eq!(states(&world).len(), 1);
}

#[test]
fn an_activation_code_registers_once() {
    let (issuer, world) = setting();
    let code = ActivationCode::generate(&mut Counting::new(50));
    let user = UserName::new("alice").unwrap();
    world.invite(&user, &code);
    let credential = |code: &ActivationCode| {
        Credential::Activation(ActivationCode::parse(&code.reveal().to_lowercase()).unwrap())
    };

    let mut thief = Tale::new(&issuer, 8);
    let wrong = Credential::Activation(ActivationCode::generate(&mut Counting::new(51)));
    let refused = thief.register(&mut world.link(), "alice", wrong).unwrap();
    assert!(matches!(&refused, RegistrationOutcome::Refused(why) if why.code == RejectionCode::Unspecified));

    let mut tale = Tale::new(&issuer, 7);
    let end = tale.register(&mut world.link(), "alice", credential(&code)).unwrap();
    assert!(matches!(end, RegistrationOutcome::Active(_)), "{end:?}");

    let again = thief.register(&mut world.link(), "alice", credential(&code)).unwrap();
    assert!(matches!(&again, RegistrationOutcome::Refused(why) if why.code == RejectionCode::Unspecified));
    assert_eq!(states(&world), [Lifecycle::Active]);
}

#[test]
fn waiting_then_granted_then_registered() {
    let (issuer, world) = setting();
    let mut tale = Tale::new(&issuer, 7);
    *world.decision.borrow_mut() = Decision::Wait { retry_after: 60 };
    let waiting = match tale.register(&mut world.link(), "alice", Credential::None).unwrap() {
        RegistrationOutcome::Waiting(waiting) => waiting,
        other => panic!("{other:?}"),
    };
    let again = match tale.register(&mut world.link(), "alice", Credential::Ticket(waiting)).unwrap() {
        RegistrationOutcome::Waiting(waiting) => waiting,
        other => panic!("{other:?}"),
    };
    assert_eq!(world.waiting().len(), 1);
    *world.decision.borrow_mut() = grant();
    let end = tale.register(&mut world.link(), "alice", Credential::Ticket(again)).unwrap();
    assert!(matches!(end, RegistrationOutcome::Active(_)), "{end:?}");
    assert!(world.waiting().is_empty());
    assert_eq!(states(&world), [Lifecycle::Active]);
}

#[test]
fn renewal_keeps_the_user_and_replaces_the_key() {
    for lost in [None, Some(3), Some(4), Some(5)] {
        let (issuer, world) = setting();
        let mut tale = Tale::new(&issuer, 7);
        let old = tale.registered(&world, "alice");
        let mut link = match lost {
            Some(lost) => world.link().losing(lost),
            None => world.link(),
        };
        let end = tale.register(&mut link, "alice", Credential::Renewal(old.key_id));
        if lost.is_some() {
            end.unwrap_err();
            // The old key goes on working until the server knows that the new one is active.
            assert_eq!(tale.session(&world, &old).is_ok(), lost != Some(5));
            if let Some(Attempt::InFlight(half)) = tale.token.attempts().unwrap().into_iter().next() {
                drop(tale.with(&world, |client| client.resume(&mut world.link(), half)).unwrap());
            }
            let joined = tale.token.registrations().unwrap().into_iter().find(|row| row.key_id != old.key_id);
            tale.session(&world, &joined.unwrap()).unwrap();
        } else {
            assert!(matches!(end.unwrap(), RegistrationOutcome::Active(_)));
        }
        let new = tale.only();
        assert_ne!(new.key_id, old.key_id);
        assert_eq!((new.user_id.clone(), new.supersedes), (old.user_id, None));
        tale.session(&world, &new).unwrap();
        let mut states = states(&world);
        states.sort_by_key(|state| format!("{state:?}"));
        assert_eq!(states, [Lifecycle::Active, Lifecycle::Superseded], "{lost:?}");
    }
}

#[test]
fn of_two_tokens_under_one_name_the_first_to_confirm_wins() {
    let (issuer, world) = setting();
    let (mut one, mut two) = (Tale::new(&issuer, 7), Tale::new(&issuer, 8));
    one.register(&mut world.link().losing(4), "alice", Credential::None).unwrap_err();
    let end = two.register(&mut world.link(), "alice", Credential::None).unwrap();
    assert!(matches!(end, RegistrationOutcome::Active(_)), "{end:?}");
    let joined = one.only();
    let end = one.with(&world, |client| client.confirm(&mut world.link(), joined)).unwrap();
    assert!(matches!(end, RegistrationOutcome::Lost), "{end:?}");
    assert!(one.token.registrations().unwrap().is_empty());
    let taken = one.register(&mut world.link(), "ALICE", Credential::None).unwrap();
    assert!(matches!(&taken, RegistrationOutcome::Refused(why) if why.code == RejectionCode::NameTaken));
}

#[test]
fn a_certificate_for_another_name_or_from_another_issuer_ends_the_call() {
    let (issuer, world) = setting();
    let mut tale = Tale::new(&Issuer::new(2), 7);
    let error = tale.register(&mut world.link(), "alice", Credential::None).unwrap_err();
    assert!(matches!(error, ClientError::Registration(TokenRegistrationError::Certificate(_))), "{error:?}");
    let mut tale = Tale::new(&issuer, 7);
    let error = tale
        .with(&world, |client| {
            client.register(&mut world.link(), &name("other.example"), &Revocation::Ignore, &mut |_, _| {
                unreachable!("the user is not shown an offer that does not hold")
            })
        })
        .unwrap_err();
    let refused = ClientError::Registration(TokenRegistrationError::ErrorMessage(ErrorReason::Refused));
    assert_eq!(error.to_string(), refused.to_string());
}
