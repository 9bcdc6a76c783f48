//! Registration, and what is left of one that was interrupted.

use crate::world::*;
use halfkey::driver::{
    ConnectError, Connector, Framed, Recovered, RegisterOptions, RegistrationOutcome, Transport,
};
use halfkey::exchange::TokenExchangeError;
use halfkey::port::Token;
use halfkey::record::{Attempt, Progress};
use halfkey::registration::server::Decision;
use halfkey::registration::token::Credential;
use halfkey::registration::{ActivationCode, RejectionCode, TokenRegistrationError};
use halfkey::software::Label;
use halfkey::store::operation::{DeleteRegistration, Readmit, Revoke};
use halfkey::template::{Field, FieldKind, Template};
use halfkey::{SystemRandom, UnixTime, UserName};
use std::error::Error;
use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

#[test]
fn connectors_are_shared_between_threads() {
    const fn is_shared<T: Clone + Send + Sync + 'static>() {}
    is_shared::<Connector<halfkey::software::SoftwareToken>>();
    is_shared::<halfkey::driver::Acceptor>();
    const fn is_mobile<T: Send + 'static>() {}
    is_mobile::<halfkey::driver::ClientSession<std::net::TcpStream>>();
    is_mobile::<halfkey::driver::ServerSession<std::net::TcpStream>>();
}

#[test]
fn a_token_registers_waits_renews_and_is_refused() {
    let world = World::new();
    let connector = world.connector();
    world.decide(Decision::Wait { retry_after: 1 });
    let waiting = match connector.register(world.connect(), &world.name, fill(Credential::None)).unwrap() {
        RegistrationOutcome::Waiting(waiting) => waiting,
        other => panic!("{other:?}"),
    };
    world.decide(grant());
    let ticket = fill(Credential::Ticket(waiting));
    let registered = match connector.register(world.connect(), &world.name, ticket).unwrap() {
        RegistrationOutcome::Active(registered) => registered,
        other => panic!("{other:?}"),
    };
    assert_eq!(connector.token().attempts().unwrap().len(), 0);
    let renewal = fill(Credential::Renewal(registered.key_id));
    let renewed = match connector.register(world.connect(), &world.name, renewal).unwrap() {
        RegistrationOutcome::Active(renewed) => renewed,
        other => panic!("{other:?}"),
    };
    assert_ne!(renewed.key_id, registered.key_id);
    assert_eq!(registrations(&connector).len(), 1);

    let other = world.connector();
    world.decide(Decision::Refuse(RejectionCode::Declined));
    let refused = other.register(world.connect(), &world.name, fill(Credential::None)).unwrap();
    let RegistrationOutcome::Refused(rejection) = refused else { panic!("{refused:?}") };
    assert!(matches!(rejection.code, RejectionCode::NameTaken | RejectionCode::Declined), "{rejection:?}");
}

#[test]
fn lost_answers_are_recovered_each_by_itself() {
    let world = World::new();
    let connector = world.connector();
    // R3 is lost; then, with the R2 sent again, R5.
    let lost = Cut { stream: world.connect(), after: 2 };
    let error = connector.register(lost, &world.name, fill(Credential::None)).unwrap_err();
    assert!(matches!(error, ConnectError::Ended), "{error:?}");
    let Attempt::InFlight(attempt) = connector.token().attempts().unwrap().remove(0) else { panic!() };
    let lost = Cut { stream: world.connect(), after: 2 };
    assert!(matches!(connector.resume(lost, attempt), Err(ConnectError::Ended)));
    let joined = registrations(&connector).remove(0);
    assert!(matches!(joined.progress, Progress::Joined { .. }));

    // A server that is down stops nothing, and loses nothing.
    let down = connector.recover(|_| io::Result::<Cut>::Err(io::ErrorKind::ConnectionRefused.into()));
    let down = down.unwrap();
    assert!(matches!(down.as_slice(), [one] if matches!(one.result, Err(ConnectError::Stream(_)))));
    let ends = connector.recover(|_| Ok(world.connect())).unwrap();
    assert!(matches!(ends.as_slice(), [one] if one.server_name == world.name
        && matches!(&one.result, Ok(RegistrationOutcome::Active(one)) if one.key_id == joined.key_id)));
    assert!(connector.recover(|_| Ok(world.connect())).unwrap().is_empty());
    // And again by hand: it is active, and nothing is sent.
    let confirmed = connector.confirm(world.connect(), registrations(&connector).remove(0)).unwrap();
    assert!(matches!(confirmed, RegistrationOutcome::Active(_)));
}

/// A session was opened whose S3 never came: the server forgot what R4 proves, and refuses it. The next session
/// settles what R4 would have.
#[test]
fn where_r4_is_refused_a_session_settles_the_registration() {
    for wins in [true, false] {
        let world = World::new();
        let connector = world.connector();
        let lost = |after| Cut { stream: world.connect(), after };
        assert!(connector.register(lost(2), &world.name, fill(Credential::None)).is_err());
        if !wins {
            // Meanwhile another one takes the name.
            world.register(&world.connector());
        }
        let Attempt::InFlight(attempt) = connector.token().attempts().unwrap().remove(0) else { panic!() };
        assert!(matches!(connector.resume(lost(2), attempt), Err(ConnectError::Ended)));
        let joined = registrations(&connector).remove(0);
        assert!(connector.open(lost(2), &joined.key_id).is_err());
        assert!(matches!(registrations(&connector)[0].progress, Progress::Joined { .. }));
        let refused = connector.confirm(world.connect(), joined.clone()).unwrap_err();
        assert!(matches!(
            refused,
            ConnectError::Exchange(TokenExchangeError::Registration(TokenRegistrationError::ErrorMessage(_)))
        ));

        let ends = connector.recover(|_| Ok(world.connect())).unwrap();
        let [Recovered { server_name, result: Ok(outcome) }] = ends.as_slice() else { panic!("{ends:?}") };
        assert_eq!(*server_name, world.name);
        match outcome {
            RegistrationOutcome::Active(one) if wins => {
                assert_eq!(one.key_id, joined.key_id);
                assert_eq!(registrations(&connector)[0].progress, Progress::Active);
                connector.open(world.connect(), &one.key_id).unwrap().close().unwrap();
            }
            RegistrationOutcome::Lost if !wins => {}
            other => panic!("{other:?}"),
        }
        assert!(connector.recover(|_| Ok(world.connect())).unwrap().is_empty());
    }
}

/// The server was restored from a backup that does not have the key: nothing is known of it any more.
#[test]
fn a_key_that_is_refused_is_replaced_once_the_new_one_is_active() {
    let world = World::new();
    let connector = world.connector();
    let old = world.register(&connector);
    connector.token().rename(&old, Some(Label::new("work").unwrap())).unwrap();
    let now = UnixTime::now();
    world.store.run(&Revoke(old), now).unwrap();
    world.store.run(&DeleteRegistration(old), now).unwrap();
    assert!(connector.open(world.connect(), &old).is_err());
    let renewal = connector.register(world.connect(), &world.name, fill(Credential::Renewal(old))).unwrap();
    assert!(matches!(renewal, RegistrationOutcome::Refused(_)), "{renewal:?}");

    // The operator frees the name and issues a code, in one operation.
    let code = ActivationCode::generate(&mut SystemRandom);
    let name = UserName::normalise("Alice").unwrap();
    let secret = code.secret(&world.name, &name);
    world.store.run(&Readmit { name, secret, expires: None }, now).unwrap();
    // R5 is lost: the token holds both keys until the new one is known to be active.
    let lost = Cut { stream: world.connect(), after: 3 };
    let filled = fill(Credential::Activation(code));
    let options = RegisterOptions { replaces: Some(old), ..connector.options().clone() };
    let error = connector.register_with(lost, &world.name, options, filled).unwrap_err();
    assert!(matches!(error, ConnectError::Ended), "{error:?}");
    assert_eq!(registrations(&connector).len(), 2);
    let ends = connector.recover(|_| Ok(world.connect())).unwrap();
    let [Recovered { result: Ok(RegistrationOutcome::Active(new)), .. }] = ends.as_slice() else {
        panic!("{ends:?}")
    };
    assert_eq!(registrations(&connector).iter().map(|one| one.key_id).collect::<Vec<_>>(), [new.key_id]);
    assert_eq!(connector.token().label(&new.key_id).unwrap().unwrap().as_str(), "work");
    connector.open(world.connect(), &new.key_id).unwrap().close().unwrap();
}

#[test]
fn forged_answers_cost_nothing_and_the_right_ones_are_waited_for() {
    let world = World::new();
    let connector = world.connector();
    let forged = Forged::over(world.connect(), false);
    let outcome = connector.register(forged, &world.name, fill(Credential::None));
    assert!(matches!(outcome, Ok(RegistrationOutcome::Active(_))), "{outcome:?}");
    // What was wrong is said, where nothing else comes.
    let world = World::new();
    let other = world.connector();
    let forged = Forged::over(world.connect(), true);
    let error = other.register(forged, &world.name, fill(Credential::None)).unwrap_err();
    let ConnectError::Exchange(TokenExchangeError::Registration(error)) = error else { panic!("{error:?}") };
    assert_eq!(error, TokenRegistrationError::Proof);
    assert_eq!(other.token().attempts().unwrap().len(), 1);
}

/// Somebody in between answers every R2 with nonsense: the client does not go on for ever, and says what came.
#[test]
fn answers_that_are_none_come_to_an_end() {
    let world = World::new();
    let connector = world.connector();
    let (near, far) = UnixStream::pair().unwrap();
    let (mut near, mut server) = (near, Framed(world.connect()));
    near.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let between = std::thread::spawn(move || {
        let mut client = Framed(far);
        server.send(&client.receive().unwrap().unwrap()).unwrap();
        client.send(&server.receive().unwrap().unwrap()).unwrap();
        let mut requests = Vec::new();
        while let Ok(Some(request)) = client.receive() {
            requests.push(request);
            client.send(b"nonsense").unwrap();
        }
        requests
    });
    let error = connector.register(&mut near, &world.name, fill(Credential::None)).unwrap_err();
    let ConnectError::Exchange(TokenExchangeError::Registration(error)) = error else { panic!("{error:?}") };
    assert!(matches!(error, TokenRegistrationError::Wire(_)), "{error:?}");
    drop(near);
    let requests = between.join().unwrap();
    assert_eq!(requests.len(), 9);
    assert!(requests.iter().all(|request| *request == requests[0]), "the same bytes each time");
    assert_eq!(connector.token().attempts().unwrap().len(), 1);
    let ends = connector.recover(|_| Ok(world.connect())).unwrap();
    assert!(matches!(ends[0].result, Ok(RegistrationOutcome::Active(_))), "{ends:?}");
}

#[test]
fn a_form_that_the_template_does_not_allow_is_a_typed_error() {
    let world = World::new();
    let connector = world.connector();
    let fields =
        vec![Field::required("who", FieldKind::UserName), Field::optional("age", FieldKind::Boolean)];
    let other = Template::new(fields).unwrap().fill([("who", "Alice".into()), ("age", true.into())]).unwrap();
    let filled = connector.register(world.connect(), &world.name, |_, _| Ok((other, Credential::None)));
    let text = "the registration does not go on: the form: \"number 1\" is no field of this template";
    assert_eq!(chain(&filled.unwrap_err()), text);
    assert!(connector.token().attempts().unwrap().is_empty());
    world.register(&connector);
}

#[test]
fn a_form_that_is_not_filled_in_says_why_once() {
    let world = World::new();
    let connector = world.connector();
    let error = connector
        .register(world.connect(), &world.name, |_, _| Err(io::Error::other("the user is away").into()))
        .unwrap_err();
    assert_eq!(chain(&error), "the form is not filled in: the user is away");
    connector.token().lock();
    let error = connector.register(world.connect(), &world.name, fill(Credential::None)).unwrap_err();
    assert!(matches!(error, ConnectError::Exchange(TokenExchangeError::Token(_))));
    assert_eq!(chain(&error), "the token does not do as asked: the token is locked");
}

/// An error and its causes, as `{:#}` of the usual crates writes them.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}
