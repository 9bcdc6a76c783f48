//! Offers that lapse, forms that are refused: the form is kept, and the user is asked once.

use crate::world::*;
use halfkey::exchange::{News, ServerExchange, TokenExchangeError, TokenTurn, UserTurn};
use halfkey::port::Token;
use halfkey::record::{Attempt, Waiting};
use halfkey::registration::TokenRegistrationError;
use halfkey::registration::token::Credential;
use halfkey::template::{Field, FieldError, FieldKind, Form, FormError, Template};
use halfkey::{ErrorReason, Moment, Period, Secret, TicketId, Txn};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A token whose user is to fill the form in.
fn offered<'w>(world: &'w World, hands: &mut Hands) -> (UserTurn, Peer<'w>) {
    let mut peer = world.connection();
    let reply = hands.play(world.register());
    peer.take(&reply.send[0]);
    let TokenTurn::User(need) = reply.next.unwrap().receive(&peer.pop(), moment()) else { panic!() };
    (need, peer)
}

fn form(need: &UserTurn, name: &str) -> Form {
    need.wanted().1.fill([("name", name.into())]).unwrap()
}

fn asked_once(hands: &Hands) {
    assert!(hands.log.iter().filter(|turn| *turn == "user").count() <= 1, "{:?}", hands.log);
}

#[test]
fn a_log_shows_where_an_exchange_stands_and_nothing_of_it() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    let shown = format!("{:?}", world.register());
    assert!(shown.starts_with("Device(") && shown.ends_with("(Asked(..)))"), "{shown}");
    let next = hands.play(world.register()).next.unwrap();
    assert_eq!(format!("{next:?}"), "TokenExchange(AwaitOffer)");
    assert_eq!(format!("{:?}", offered(&world, &mut hands).0), "UserTurn(..)");
}

#[test]
fn a_form_that_takes_longer_than_the_offer_gets_another_offer() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    let (need, mut peer) = offered(&world, &mut hands);
    let late = NOW.after(660);
    assert!(need.wanted().2 < late);
    world.ahead.store(660, Ordering::Relaxed);
    let form = form(&need, "Alice");
    let turn = need.supply_at(form, Credential::None, Moment::at(late)).unwrap();
    let (news, _) = hands.talk(turn, &mut peer);
    assert!(matches!(news, News::Registered(_)), "{news:?}");
    assert!(!hands.log.contains(&"user".to_owned()) && !hands.log.contains(&"Abandon".to_owned()));
}

#[test]
fn an_offer_that_the_server_does_not_know_is_replaced_once() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    // Room for one attempt alone: the second run takes the place of the first.
    for n in 0..63 {
        hands.token.save_attempt(Attempt::Waiting(waiting(n))).unwrap();
    }
    let mut peer = world.connection();
    let reply = hands.play(world.register());
    peer.take(&reply.send[0]);
    let reply = hands.play(reply.next.unwrap().receive(&peer.pop(), moment()));
    world.ahead.store(660, Ordering::Relaxed);
    peer.take(&reply.send[0]);
    let restart = peer.pop();
    assert_eq!(ErrorReason::read(&restart), Some(ErrorReason::Restart));
    let (news, _) = hands.talk(reply.next.unwrap().receive(&restart, moment()), &mut peer);
    assert!(matches!(news, News::Registered(_)), "{news:?}");
    asked_once(&hands);
    assert_eq!(hands.token.attempts().unwrap().len(), 63);
}

/// A form of another server's.
fn other_form() -> Form {
    let fields =
        vec![Field::required("name", FieldKind::UserName), Field::required("age", FieldKind::Boolean)];
    Template::new(fields).unwrap().fill([("name", "Alice".into()), ("age", true.into())]).unwrap()
}

fn waiting(n: u8) -> Waiting {
    Waiting {
        txn: Txn::new([n; 16]),
        server_name: halfkey::ServerName::new("gate.example").unwrap(),
        ticket_id: TicketId::new([n; 16]),
        ticket: Secret::new([n; 32]),
        form: other_form(),
        renews: None,
        replaces: None,
        retry: Period::new(NOW, 0),
        hold: Period::new(NOW, 86_400),
    }
}

#[test]
fn a_second_restart_is_the_answer_and_costs_nothing() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    let restart = ErrorReason::Restart.frame().into_bytes();
    let mut peer = world.connection();
    let reply = hands.play(world.register());
    peer.take(&reply.send[0]);
    let reply = hands.play(reply.next.unwrap().receive(&peer.pop(), moment()));
    // Nobody vouches for it: the attempt stays until the server has made another offer.
    let reply = hands.play(reply.next.unwrap().receive(&restart, moment()));
    assert!(reply.news.is_none() && hands.token.attempts().unwrap().len() == 1);
    peer.take(&reply.send[0]);
    let reply = hands.play(reply.next.unwrap().receive(&peer.pop(), moment()));
    assert_eq!(hands.token.attempts().unwrap().len(), 1);
    let reply = hands.play(reply.next.unwrap().receive(&restart, moment()));
    let Some(News::Failed(TokenExchangeError::Registration(error))) = reply.news else { panic!() };
    assert_eq!(error, TokenRegistrationError::ErrorMessage(ErrorReason::Restart));
    assert!(reply.next.is_some() && reply.send.is_empty());
    asked_once(&hands);
    hands.recover(&world);
}

#[test]
fn a_restart_keeps_the_proof() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    let earlier = hands.register(&world);
    hands.credential = Some(Credential::Renewal(earlier.key_id));
    let mut peer = world.connection();
    let reply = hands.play(world.register());
    peer.take(&reply.send[0]);
    let reply = hands.play(reply.next.unwrap().receive(&peer.pop(), moment()));
    let restart = ErrorReason::Restart.frame();
    let (news, _) =
        hands.talk(reply.next.unwrap().receive(restart.as_bytes(), moment()), &mut world.connection());
    let News::Registered(renewed) = news else { panic!("{news:?}") };
    assert_eq!(renewed.supersedes, Some(earlier.key_id));
}

#[test]
fn a_form_that_is_refused_says_why_and_may_be_tried_again() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    let (need, mut peer) = offered(&world, &mut hands);
    let other = other_form();
    let kept = need.supply(other.clone(), Credential::None).unwrap_err();
    let fault = FormError(vec![("number 1".into(), FieldError::Unknown)]);
    assert_eq!(kept.error.to_string(), "the form: \"number 1\" is no field of this template");
    assert_eq!(kept.error, TokenRegistrationError::Form(fault));
    // Late as well: before another offer is fetched.
    let late = Moment::at(NOW.after(660));
    let kept = kept.state.supply_at(other, Credential::None, late).unwrap_err();
    assert!(matches!(kept.error, TokenRegistrationError::Form(_)));
    let form = form(&kept.state, "Alice");
    let kept = kept.state.supply(form.clone(), Credential::Ticket(waiting(1))).unwrap_err();
    assert_eq!(kept.error, TokenRegistrationError::TicketForm);
    let (news, _) = hands.talk(kept.state.supply(form, Credential::None).unwrap(), &mut peer);
    assert!(matches!(news, News::Registered(_)), "{news:?}");
}

#[test]
fn a_template_that_has_changed_is_filled_in_by_the_user() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    let mut settings = (*world.settings).clone();
    settings.template.fields.push(Field::optional("branch", FieldKind::Boolean));
    let mut changed = world.connection();
    changed.exchange = Some(ServerExchange::new(Arc::new(settings), b"peer"));
    let mut peer = world.connection();
    let reply = hands.play(world.register());
    peer.take(&reply.send[0]);
    let reply = hands.play(reply.next.unwrap().receive(&peer.pop(), moment()));
    let restart = ErrorReason::Restart.frame();
    let reply = hands.play(reply.next.unwrap().receive(restart.as_bytes(), moment()));
    changed.take(&reply.send[0]);
    let turn = reply.next.unwrap().receive(&changed.pop(), moment());
    assert!(matches!(&turn, TokenTurn::User(need) if need.wanted().1.fields.len() == 2));
    let (news, _) = hands.talk(turn, &mut changed);
    assert!(matches!(news, News::Registered(_)), "{news:?}");
}
