//! A token's exchange: registration, sessions, configurations, and what goes wrong on the way.

use crate::world::*;
use halfkey::certificate::{CertificateError, IssuerName, Revocation, RevocationDepth};
use halfkey::configuration::TokenConfigurationError;
use halfkey::configuration::token::Applying;
use halfkey::exchange::{Configured, News, RegisterOptions, TokenExchange, TokenExchangeError, TokenTurn};
use halfkey::key::IssuerKey;
use halfkey::memory::Authority;
use halfkey::message::{Address, UserInformation};
use halfkey::policy::{GrantError, Mode, Modes, Policy, SuiteId, SuiteList};
use halfkey::port::entitlement_store::{Document, Status};
use halfkey::port::{CertificateAuthority, EntitlementStore, Token, TokenError};
use halfkey::record::{Attempt, Progress, RejectionCause, TokenRegistration};
use halfkey::registration::RejectionCode;
use halfkey::registration::TokenRegistrationError;
use halfkey::registration::server::{Decision, Grant};
use halfkey::registration::token::Credential;
use halfkey::session::token::Options;
use halfkey::session::{ChannelError, TokenSessionError};
use halfkey::store::Subject;
use halfkey::store::operation::{Entitle, ListEvents, Suspend};
use halfkey::suite::{Suite, X25519};
use halfkey::{Alias, Moment, SystemRandom, UnixTime, UserId};

#[test]
fn turns_and_exchanges_go_to_other_threads() {
    const fn is_mobile<T: Send + 'static>() {}
    is_mobile::<TokenTurn>();
    is_mobile::<TokenExchange>();
}

#[test]
fn a_registration_and_a_session_ask_each_hand_in_turn() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    let registration = hands.register(&world);
    assert_eq!(registration.progress, Progress::Active);
    assert_eq!(hands.token.registrations().unwrap(), [registration]);
    assert_eq!(hands.token.attempts().unwrap().len(), 0);
    let expected = "Attempts DeadKeys Anchors user Encapsulate DeriveFromSsk1 SaveAttempt DeriveFromSsk1 Join Derive Update";
    assert_eq!(hands.log.join(" "), expected);

    hands.log.clear();
    let (mut exchange, mut peer) = hands.open(&world);
    assert_eq!(hands.log.join(" "), "Registrations Derive Derive Registrations Update");
    for record in exchange.send(b"hello").unwrap() {
        peer.take(&record);
    }
    peer.send(b"welcome");
    let reply = hands.play(exchange.receive(&peer.pop(), moment()));
    assert_eq!(reply.data.unwrap().as_slice(), b"welcome");
    assert!(reply.news.is_none() && reply.send.is_empty() && !reply.closed);

    let mut exchange = reply.next.unwrap();
    assert_eq!(exchange.finish(), Err(ChannelError::Truncated));
    for record in exchange.close().unwrap() {
        peer.take(&record);
    }
    peer.send(b"the rest");
    peer.close();
    assert_eq!(exchange.send(b"more"), Err(ChannelError::Closed));
    let reply = hands.play(exchange.receive(&peer.pop(), moment()));
    assert_eq!(reply.data.unwrap().as_slice(), b"the rest");
    let reply = hands.play(reply.next.unwrap().receive(&peer.pop(), moment()));
    assert!(reply.closed && reply.next.is_none());
}

#[test]
fn a_renewal_asks_the_earlier_key_twice_and_replaces_it() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    let earlier = hands.register(&world);
    hands.log.clear();
    hands.credential = Some(Credential::Renewal(earlier.key_id));
    let renewed = hands.register(&world);
    assert_eq!(hands.token.registrations().unwrap().len(), 1);
    assert_eq!((renewed.user_id, renewed.supersedes), (earlier.user_id, Some(earlier.key_id)));
    let expected = "Attempts DeadKeys Anchors user Encapsulate DeriveFromSsk1 Derive Derive SaveAttempt DeriveFromSsk1 Earlier Join Derive Update";
    assert_eq!(hands.log.join(" "), expected);
}

/// Whoever sets the client's clock back does not bring a certificate that has expired to life again, where a
/// server has told the token a later time.
#[test]
fn certificates_are_judged_no_earlier_than_the_latest_time_that_is_known() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    let mut registration = hands.register(&world);
    let not_after = UnixTime::from_secs(NOW.as_secs() - 60 + 86_400);
    for (floor, valid) in [(NOW, true), (not_after, true), (not_after.after(1), false)] {
        registration.clock_floor = floor;
        hands.token.update(&registration).unwrap();
        let (news, _) = hands.talk(world.register(), &mut world.connection());
        match news {
            // The certificate was good; the name is taken, by the registration itself.
            News::Rejected(why) => assert!(valid && why.code == RejectionCode::NameTaken, "{floor}"),
            News::Failed(TokenExchangeError::Registration(TokenRegistrationError::Certificate(why))) => {
                assert!(!valid && matches!(why, CertificateError::Expired { .. }), "{floor}: {why}");
            }
            other => panic!("{other:?}"),
        }
    }
}

/// The list that the server staples counts where the user's client demands lists, and nowhere else.
#[test]
fn a_stapled_list_counts_where_lists_are_demanded() {
    let world = World::new();
    let list = || world.authority.lock().unwrap().revocation_list(NOW, &mut SystemRandom).unwrap();
    let kept = |lists: usize| vec![list().as_der().to_vec(); lists];
    let why = |lists: Option<Vec<Vec<u8>>>| {
        let revocation =
            lists.map_or(Revocation::Ignore, |lists| Revocation::lists(lists, RevocationDepth::Leaf));
        let options = RegisterOptions { revocation, ..RegisterOptions::default() };
        let turn = TokenExchange::register(world.name(), options, moment());
        match Hands::new(&world).talk(turn, &mut world.connection()).0 {
            // The certificate was good; from the second time on, the name is taken.
            News::Registered(_) | News::Rejected(_) => None,
            News::Failed(TokenExchangeError::Registration(TokenRegistrationError::Certificate(why))) => {
                Some(why)
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(why(None), None);
    assert_eq!(why(Some(vec![])), Some(CertificateError::RevocationUnknown));
    let key = IssuerKey::generate_ed25519(&mut SystemRandom).unwrap();
    let mut other = Authority::root(IssuerName::common_name("Other").unwrap(), key).unwrap();
    world.keys.staple(other.revocation_list(NOW, &mut SystemRandom).unwrap());
    assert_eq!(why(None), None);
    assert_eq!(why(Some(vec![])), Some(CertificateError::RevocationUnknown));
    assert_eq!(why(Some(kept(1))), None);
    let good = list();
    world.keys.staple(good.clone());
    assert_eq!(why(Some(vec![])), None);
    assert_eq!(why(Some(kept(4))), None, "beside as many as a client may have");
    assert_eq!(why(Some(kept(5))), Some(CertificateError::TooManyCrls));
    world.authority.lock().unwrap().revoke(world.chain.leaf().serial(), NOW).unwrap();
    assert_eq!(why(Some(vec![])), None, "until there is a new list");
    world.keys.staple(list());
    assert_eq!(why(None), None);
    assert_eq!(why(Some(vec![])), Some(CertificateError::Revoked));
    assert_eq!(why(Some(vec![good.as_der().to_vec()])), Some(CertificateError::Revoked));
}

#[test]
fn a_renewal_for_another_user_or_with_a_weaker_policy_is_not_taken() {
    type Change = fn(&mut TokenRegistration);
    let changes: [(Change, GrantError); 3] = [
        (|earlier| earlier.user_id = UserId::new("another").unwrap(), GrantError::OtherUser),
        (|earlier| earlier.policy.suites = SuiteList::only(SuiteId::XWing), GrantError::Weaker),
        (|earlier| earlier.policy.modes = Modes::only(Mode::PskKem), GrantError::Weaker),
    ];
    for (change, expected) in changes {
        for by_ticket in [false, true] {
            let world = World::new();
            let mut hands = Hands::new(&world);
            world.decide(granting(Policy { modes: Modes::all(), ..Policy::default() }));
            let mut earlier = hands.register(&world);
            hands.credential = Some(Credential::Renewal(earlier.key_id));
            if by_ticket {
                world.decide(Decision::Wait { retry_after: 60 });
                let News::Waiting(waiting) = hands.talk(world.register(), &mut world.connection()).0 else {
                    panic!("the operator has not decided")
                };
                hands.credential = Some(Credential::Ticket(*waiting));
            }
            world.decide(granting(Policy { modes: Modes::all(), ..Policy::default() }));
            // As if the server had forgotten what it granted before.
            change(&mut earlier);
            hands.token.update(&earlier).unwrap();
            let (news, next) = hands.talk(world.register(), &mut world.connection());
            assert!(next.is_none() && is_unfit(&news, expected), "{news:?}");
            let runs = hands.token.attempts().unwrap();
            assert!(!runs.iter().any(|run| matches!(run, Attempt::InFlight(_))), "{runs:?}");
            assert_eq!(hands.token.registrations().unwrap(), [earlier]);
        }
    }
}

#[test]
fn p3_a_policy_stays_within_what_was_offered_and_what_the_anchor_accepts() {
    let world = World::new();
    let strict = world.anchors.as_slice()[0].clone().with_minimum_suite(2);
    let mut hands = Hands { token: world.token_with(strict.into()), ..Hands::new(&world) };
    // The server may grant suite 1, and the anchor does not accept it.
    let held = hands.register(&world);
    assert_eq!(held.policy.suites, SuiteList::only(SuiteId::XWing));
    let weak = Policy { suites: SuiteList::only(SuiteId::X25519), ..Policy::default() };
    world.decide(granting(weak));
    hands.user = "Bob".into();
    let (news, next) = hands.talk(world.register(), &mut world.connection());
    assert!(next.is_none() && is_unfit(&news, GrantError::Suites), "{news:?}");
    assert!(hands.token.attempts().unwrap().is_empty());
    assert_eq!(hands.token.registrations().unwrap(), [held]);
}

static SMALL: &[&dyn Suite] = &[&X25519];

#[test]
fn p3_a_server_grants_no_suite_that_was_not_offered() {
    let world = World::new();
    let (mut hands, small) = (Hands::new(&world), SuiteList::only(SuiteId::X25519));
    let register = || {
        let options = RegisterOptions { suites: SMALL, ..RegisterOptions::default() };
        TokenExchange::register(world.name(), options, moment())
    };
    let (news, _) = hands.talk(register(), &mut world.connection());
    let News::Registered(held) = news else { panic!("{news:?}") };
    let address = Address::Key(held.key_id);
    let row = world.store.registration(&address, NOW).unwrap().unwrap();
    assert_eq!((row.policy.suites, held.policy.suites), (small, small));
    // A policy of other suites alone cannot be granted; the operator sees why.
    world.decide(granting(Policy { suites: SuiteList::only(SuiteId::XWing), ..Policy::default() }));
    hands.user = "Bob".into();
    let (news, _) = hands.talk(register(), &mut world.connection());
    assert!(matches!(&news, News::Rejected(one) if one.code == RejectionCode::Declined), "{news:?}");
    let log = world.store.run(&ListEvents::default(), NOW).unwrap();
    assert!(log.entries.iter().any(|event| event.cause == Some(RejectionCause::NoSuite)), "{log:?}");
}

fn granting(policy: Policy) -> Decision {
    let Decision::Grant(plain) = grant() else { panic!() };
    Decision::Grant(Grant { policy, ..plain })
}

fn is_unfit(news: &News, expected: GrantError) -> bool {
    matches!(news, News::Failed(TokenExchangeError::Registration(TokenRegistrationError::Grant(error)))
        if *error == expected)
}

#[test]
fn a_ticket_is_saved_used_and_forgotten() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    world.decide(Decision::Wait { retry_after: 60 });
    for round in 0..2 {
        let News::Waiting(waiting) = hands.talk(world.register(), &mut world.connection()).0 else {
            panic!("the operator has not decided")
        };
        let attempts = hands.token.attempts().unwrap();
        assert!(
            matches!(attempts.as_slice(), [Attempt::Waiting(one)] if one.txn == waiting.txn),
            "round {round}: {attempts:?}"
        );
        hands.credential = Some(Credential::Ticket(*waiting));
    }
    world.decide(grant());
    hands.log.clear();
    hands.register(&world);
    assert_eq!(hands.token.attempts().unwrap().len(), 0);
    let expected = "Attempts DeadKeys Anchors user Encapsulate DeriveFromSsk1 SaveAttempt DeriveFromSsk1 Join Attempts Abandon Derive Update";
    assert_eq!(hands.log.join(" "), expected);
}

#[test]
fn a_used_ticket_leaves_other_attempts_as_they_are() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    world.decide(Decision::Wait { retry_after: 60 });
    let mut waits = |user: &str| {
        hands.user = user.into();
        let News::Waiting(waiting) = hands.talk(world.register(), &mut world.connection()).0 else {
            panic!("the operator has not decided")
        };
        *waiting
    };
    let (alice, bob) = (waits("Alice"), waits("Bob"));
    world.decide(grant());
    hands.credential = Some(Credential::Ticket(bob));
    hands.register(&world);
    let attempts = hands.token.attempts().unwrap();
    assert!(matches!(attempts.as_slice(), [Attempt::Waiting(one)] if one.txn == alice.txn), "{attempts:?}");
}

#[test]
fn a_rejection_ends_the_attempt() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    world.decide(Decision::Refuse(RejectionCode::Declined));
    let (news, next) = hands.talk(world.register(), &mut world.connection());
    assert!(matches!(news, News::Rejected(one) if one.code == RejectionCode::Declined) && next.is_none());
    assert_eq!(hands.token.attempts().unwrap().len(), 0);
    assert_eq!(hands.log.last().unwrap(), "Abandon");
}

#[test]
fn attempts_whose_time_is_over_are_abandoned_first() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    world.decide(Decision::Wait { retry_after: 60 });
    hands.talk(world.register(), &mut world.connection());
    world.decide(grant());
    hands.log.clear();
    let late = Moment::at(UnixTime::from_secs(NOW.as_secs() + 40 * 86_400));
    let turn = TokenExchange::register(world.name(), Default::default(), late);
    let reply = hands.play(turn);
    assert_eq!(hands.log, ["Attempts", "Abandon", "DeadKeys", "Anchors"]);
    assert!(reply.next.is_some() && reply.send.len() == 1);
    assert_eq!(hands.token.attempts().unwrap().len(), 0);
}

#[test]
fn a_user_may_decline() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    let mut peer = world.connection();
    let reply = hands.play(world.register());
    peer.take(&reply.send[0]);
    let TokenTurn::User(need) = reply.next.unwrap().receive(&peer.pop(), moment()) else { panic!() };
    let reply = hands.play(need.cancel());
    assert!(matches!(reply.news, Some(News::Failed(TokenExchangeError::Declined))) && reply.next.is_none());
    assert_eq!(hands.token.attempts().unwrap().len(), 0);
}

#[test]
fn a_lost_r3_and_a_lost_r5_cost_nothing() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    let mut peer = world.connection();
    let reply = hands.play(world.register());
    peer.take(&reply.send[0]);
    let reply = hands.play(reply.next.unwrap().receive(&peer.pop(), moment()));
    peer.take(&reply.send[0]);
    peer.pop(); // R3 is lost, and the token's power with it.
    drop(reply);
    let Attempt::InFlight(attempt) = hands.token.attempts().unwrap().remove(0) else { panic!() };
    let mut peer = world.connection();
    let reply = hands.play(TokenExchange::resume(attempt, halfkey::suite::SUITES, moment()));
    peer.take(&reply.send[0]);
    let reply = hands.play(reply.next.unwrap().receive(&peer.pop(), moment()));
    peer.take(&reply.send[0]);
    peer.pop(); // R5 is lost.
    let registration = hands.token.registrations().unwrap().remove(0);
    assert!(matches!(registration.progress, Progress::Joined { .. }));
    let (news, _) = hands.talk(TokenExchange::confirm(registration, moment()), &mut world.connection());
    let News::Registered(registration) = news else { panic!("{news:?}") };
    assert_eq!(registration.progress, Progress::Active);
    // Once more, and nothing is sent.
    let reply = hands.play(TokenExchange::confirm(*registration, moment()));
    assert!(matches!(reply.news, Some(News::Registered(_))) && reply.send.is_empty());
}

#[test]
fn a_session_settles_a_registration_and_removes_a_lost_one() {
    let world = World::new();
    let mut winner = Hands::new(&world);
    let mut loser = Hands::new(&world);
    for hands in [&mut winner, &mut loser] {
        // R5 is lost.
        let mut peer = world.connection();
        let mut reply = hands.play(world.register());
        for _ in 0..2 {
            peer.take(&reply.send[0]);
            reply = hands.play(reply.next.unwrap().receive(&peer.pop(), moment()));
        }
    }
    let (exchange, _) = winner.open(&world);
    assert!(exchange.session().is_some());
    assert_eq!(winner.token.registrations().unwrap()[0].progress, Progress::Active);

    let key_id = loser.token.registrations().unwrap()[0].key_id;
    loser.log.clear();
    let turn = TokenExchange::open(key_id, Options::default(), moment());
    let (news, next) = loser.talk(turn, &mut world.connection());
    assert!(matches!(news, News::NotActive(Status::Lost)) && next.is_none(), "{news:?}");
    assert_eq!(loser.log.join(" "), "Registrations Derive Derive Remove");
    assert_eq!(loser.token.registrations().unwrap().len(), 0);
}

#[test]
fn r5_may_say_that_another_was_first() {
    let world = World::new();
    let mut loser = Hands::new(&world);
    let mut peer = world.connection();
    let mut reply = loser.play(world.register());
    for _ in 0..2 {
        peer.take(&reply.send[0]);
        reply = loser.play(reply.next.unwrap().receive(&peer.pop(), moment()));
    }
    Hands::new(&world).register(&world);
    peer.take(&reply.send[0]);
    let reply = loser.play(reply.next.unwrap().receive(&peer.pop(), moment()));
    assert!(matches!(reply.news, Some(News::Lost { .. })) && reply.next.is_none());
    assert_eq!(loser.token.registrations().unwrap().len(), 0);
}

#[test]
fn a_suspended_key_stays_on_the_token() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    let key_id = hands.register(&world).key_id;
    world.store.run(&Suspend(key_id), NOW).unwrap();
    let turn = TokenExchange::open(key_id, Options::default(), moment());
    let (news, _) = hands.talk(turn, &mut world.connection());
    assert!(matches!(news, News::NotActive(Status::Suspended)));
    assert_eq!(hands.token.registrations().unwrap().len(), 1);
}

#[test]
fn a_refused_alias_is_followed_by_the_key_id_where_the_policy_allows_it() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    hands.register(&world);
    for allow_key_id in [true, false] {
        let mut registration = hands.token.registrations().unwrap().remove(0);
        registration.alias = Some(Alias::new([9; 16]));
        registration.policy.allow_key_id = allow_key_id;
        hands.token.update(&registration).unwrap();
        let turn = TokenExchange::open(registration.key_id, Options::default(), moment());
        let (news, _) = hands.talk(turn, &mut world.connection());
        if allow_key_id {
            assert!(
                matches!(news, News::Opened(ref one) if one.alias != Some(Alias::new([9; 16]))),
                "{news:?}"
            );
        } else {
            let News::Failed(TokenExchangeError::Session(TokenSessionError::Refused(_))) = news else {
                panic!("{news:?}")
            };
        }
    }
}

fn entitle(world: &World, hands: &mut Hands, text: &str) {
    let user = hands.token.registrations().unwrap()[0].user_id.clone();
    let document = Document { media_type: "text/plain".into(), body: text.into() };
    let subject = Subject::User(user);
    world.store.run(&Entitle::new(subject, application(), document), NOW).unwrap();
}

#[test]
fn configurations_are_asked_for_pushed_and_reported() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    hands.register(&world);
    let (exchange, mut peer) = hands.open(&world);

    let configure = |hands: &mut Hands, exchange: TokenExchange, peer: &mut Peer<'_>| {
        let turn = exchange.configure(application(), UserInformation::default(), moment());
        let (news, next) = hands.talk(turn, peer);
        let News::Configured(_, configured) = news else { panic!("{news:?}") };
        (configured, next.unwrap())
    };
    let (configured, exchange) = configure(&mut hands, exchange, &mut peer);
    assert_eq!(configured, Configured::Unknown);
    entitle(&world, &mut hands, "one");
    hands.applying = Applying::Failed;
    let (configured, exchange) = configure(&mut hands, exchange, &mut peer);
    assert_eq!(configured, Configured::Failed);
    hands.applying = Applying::Applied;
    hands.log.clear();
    let (configured, exchange) = configure(&mut hands, exchange, &mut peer);
    assert_eq!(configured, Configured::Installed);
    assert_eq!(hands.log.join(" "), "Registrations Registrations client Registrations Update");
    let (configured, exchange) = configure(&mut hands, exchange, &mut peer);
    assert_eq!(configured, Configured::Unchanged);

    // A push crosses a request: first the one, then the other, whatever the order of sending.
    let reply = hands.play(exchange.configure(application(), UserInformation::default(), moment()));
    peer.push("two", 7);
    for record in &reply.send {
        peer.take(record);
    }
    let mut exchange = reply.next.unwrap();
    let mut came = Vec::new();
    for _ in 0..2 {
        let reply = hands.play(exchange.receive(&peer.pop(), moment()));
        let Some(News::Configured(_, configured)) = reply.news else { panic!("{:?}", reply.news) };
        came.push(configured);
        for record in &reply.send {
            peer.take(record);
        }
        exchange = reply.next.unwrap();
    }
    assert_eq!(came[0], Configured::Installed);
    assert!(matches!(came[1], Configured::Refused(_)), "{came:?}");

    // Two requests at a time, to each its answer.
    let first = hands.play(exchange.configure(application(), UserInformation::default(), moment()));
    let other = halfkey::ApplicationName::new("calendar").unwrap();
    let second =
        hands.play(first.next.unwrap().configure(other.clone(), UserInformation::default(), moment()));
    for record in first.send.iter().chain(&second.send).rev().collect::<Vec<_>>().iter().rev() {
        peer.take(record);
    }
    let reply = hands.play(second.next.unwrap().receive(&peer.pop(), moment()));
    assert!(
        matches!(reply.news, Some(News::Configured(one, Configured::Refused(_))) if one == application())
    );
    let reply = hands.play(reply.next.unwrap().receive(&peer.pop(), moment()));
    assert!(matches!(reply.news, Some(News::Configured(one, Configured::Unknown)) if one == other));
}

#[test]
fn what_the_caller_gets_wrong_leaves_the_session_open() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    hands.register(&world);
    let (exchange, mut peer) = hands.open(&world);
    let information = UserInformation { location: Some("\u{7}".into()), ..UserInformation::default() };
    let reply = hands.play(exchange.configure(application(), information, moment()));
    let Some(News::Failed(TokenExchangeError::Configuration(TokenConfigurationError::Information(_)))) =
        reply.news
    else {
        panic!("{:?}", reply.news)
    };
    let mut exchange = reply.next.unwrap();
    assert_eq!(exchange.send(&[0; halfkey::session::MAX_DATA + 1]).unwrap().len(), 2);
    peer.send(b"still here");
    assert!(hands.play(exchange.receive(&peer.pop(), moment())).data.is_some());

    let reply = hands.play(world.register());
    let mut exchange = reply.next.unwrap();
    assert_eq!(exchange.send(b"too early"), Err(ChannelError::Closed));
    assert_eq!(exchange.close(), Err(ChannelError::Closed));
    let reply = hands.play(exchange.configure(application(), UserInformation::default(), moment()));
    assert!(matches!(reply.news, Some(News::Failed(TokenExchangeError::Channel(ChannelError::Closed)))));
    assert!(reply.next.is_some());
}

/// Whichever question the token fails to answer, in a registration and in a session with a configuration,
/// and whether the exchange goes on or a new one begins: in the end there is one active registration.
#[test]
fn a_token_that_fails_at_any_question_loses_nothing() {
    for failing in 0.. {
        let world = World::new();
        let mut hands = Hands::new(&world);
        hands.failing = Some(failing);
        let (news, next) = hands.talk(world.register(), &mut world.connection());
        if let News::Registered(_) = news {
            assert_eq!(failing, 10, "{:?}", hands.log);
            break;
        }
        let News::Failed(error) = &news else { panic!("{failing}: {news:?}") };
        let device = TokenError::Device(1);
        let known = [TokenExchangeError::Token(device.clone()), TokenRegistrationError::Token(device).into()];
        assert!(known.contains(error), "{failing}: {error:?}");
        // From R2 on, it waits for the same message again.
        assert_eq!(next.is_some(), failing >= 6, "{failing}");
        hands.recover(&world);
        if hands.token.registrations().unwrap().is_empty() {
            assert!(failing < 6, "{failing}");
            hands.register(&world);
        }
        assert_eq!(hands.token.registrations().unwrap()[0].progress, Progress::Active, "{failing}");
        assert_eq!(hands.token.attempts().unwrap().len(), 0, "{failing}");
    }
}

#[test]
fn a_token_that_fails_in_a_session_loses_nothing() {
    for failing in 0..9 {
        let world = World::new();
        let mut hands = Hands::new(&world);
        let key_id = hands.register(&world).key_id;
        entitle(&world, &mut hands, "one");
        let mut peer = world.connection();
        hands.failing = Some(failing);
        let turn = TokenExchange::open(key_id, Options::default(), moment());
        let (news, next) = hands.talk(turn, &mut peer);
        match (failing, news) {
            (0..5, News::Failed(_)) => assert!(next.is_none()),
            (5.., News::Opened(_)) => {
                let turn = next.unwrap().configure(application(), UserInformation::default(), moment());
                let (news, next) = hands.talk(turn, &mut peer);
                assert!(matches!(news, News::Failed(TokenExchangeError::Token(_))), "{failing}: {news:?}");
                let turn = next.unwrap().configure(application(), UserInformation::default(), moment());
                let (news, _) = hands.talk(turn, &mut peer);
                assert!(matches!(news, News::Configured(_, Configured::Installed)), "{failing}: {news:?}");
            }
            (_, news) => panic!("{failing}: {news:?}"),
        }
        let _ = hands.open(&world);
    }
}

/// As the drivers seal: behind what is there already, each record after its length.
#[test]
fn data_is_sealed_into_what_is_there() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    hands.register(&world);
    let (mut exchange, mut peer) = hands.open(&world);
    let record = |out: &[u8]| {
        let (length, record) = out.strip_prefix(b"before").unwrap().split_at(4);
        assert_eq!(length, u32::try_from(record.len()).unwrap().to_be_bytes());
        record.to_vec()
    };
    let mut out = b"before".to_vec();
    exchange.seal_into(b"hello", &mut out).unwrap();
    assert_eq!(peer.receive(&record(&out)).data.unwrap().as_slice(), b"hello");
    let mut out = b"before".to_vec();
    peer.exchange.as_mut().unwrap().seal_into(b"welcome", &mut out).unwrap();
    let reply = hands.play(exchange.receive(&record(&out), moment()));
    assert_eq!(reply.data.unwrap().as_slice(), b"welcome");
}

/// Whichever side closes first, the server's exchange is over when both have.
#[test]
fn a_server_goes_on_until_both_sides_have_closed() {
    for server_first in [false, true] {
        let world = World::new();
        let mut hands = Hands::new(&world);
        hands.register(&world);
        let (mut exchange, mut peer) = hands.open(&world);
        if server_first {
            peer.close();
        }
        let said = peer.receive(&exchange.close().unwrap().remove(0));
        assert!(said.closed);
        assert_eq!(peer.exchange.is_none(), server_first);
    }
}

#[test]
fn a_key_that_is_replaced_goes_when_the_new_one_is_active() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    let earlier = hands.register(&world);
    hands.user = "Bob".into();
    let options = RegisterOptions { replaces: Some(earlier.key_id), ..RegisterOptions::default() };
    let turn = TokenExchange::register(world.name(), options, moment());
    let news = hands.talk(turn, &mut world.connection()).0;
    let News::Registered(new) = news else { panic!("{news:?}") };
    let kept: Vec<_> = hands.token.registrations().unwrap().iter().map(|one| one.key_id).collect();
    assert_eq!(kept, [new.key_id]);
}

#[test]
fn what_is_shown_of_choices_and_turns() {
    assert_eq!(format!("{:?}", RegisterOptions::default()), "[XWing, X25519, Ignore]");
    let shown = format!("{:?}", Options::default());
    assert!(shown.starts_with("[XWing, X25519, ") && !shown.contains("0x"), "{shown}");
    let world = World::new();
    let mut hands = Hands::new(&world);
    hands.register(&world);
    let (exchange, mut peer) = hands.open(&world);
    peer.push("a document of the user's", 7);
    let turn = match exchange.receive(&peer.pop(), moment()) {
        TokenTurn::Device(need) => need.ask_all(&mut hands.token),
        turn => turn,
    };
    let TokenTurn::Client(need) = turn else { panic!("a configuration is to be put in force") };
    assert_eq!(format!("{need:?}"), "ClientTurn(..)");
}

/// Who goes from an error to its cause finds that of the token's own.
#[test]
fn an_error_that_keeps_its_state_keeps_its_cause() {
    let error = TokenError::Failed(halfkey::Cause::new("the reader is gone")).into();
    let error = halfkey::registration::Recoverable { state: (), error };
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(
        (error.to_string(), source.to_string()),
        ("the token failed".into(), "the reader is gone".into())
    );
}
