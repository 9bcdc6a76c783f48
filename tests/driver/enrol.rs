//! Registration, first session and configuration on one connection.

use crate::world::*;
use halfkey::certificate::VerifiedServer;
use halfkey::configuration::UserInformation;
use halfkey::driver::{Configured, RegistrationOutcome};
use halfkey::port::entitlement_store::Document;
use halfkey::registration::server::Decision;
use halfkey::registration::token::Credential;
use halfkey::store::Subject;
use halfkey::store::operation::Entitle;
use halfkey::template::Template;
use halfkey::{AccessPath, UnixTime};

/// Registration, first session and configuration: one connection, one call and a question.
#[test]
fn a_blank_token_is_configured_on_its_first_connection() {
    let world = World::new();
    let staff = Subject::AccessPath(AccessPath::new("/staff").unwrap());
    let document = Document { media_type: "text/plain".into(), body: b"mail.example".to_vec() };
    world.store.run(&Entitle::new(staff, mail(), document), UnixTime::now()).unwrap();
    let connector = world.connector();
    let (outcome, session) = connector.enrol(world.connect(), &world.name, fill(Credential::None)).unwrap();
    let RegistrationOutcome::Active(registration) = outcome else { panic!("{outcome:?}") };
    let mut session = session.unwrap();
    let configured = session.configure(&mail(), UserInformation::default()).unwrap();
    assert!(matches!(configured, Configured::Installed));
    session.close().unwrap();
    assert_eq!(registrations(&connector)[0].key_id, registration.key_id);

    // Who has to wait has no session.
    world.decide(Decision::Wait { retry_after: 60 });
    let bob = |_: &VerifiedServer, template: &Template| {
        Ok((template.fill([("name", "Bob".into())])?, Credential::None))
    };
    let (outcome, session) = connector.enrol(world.connect(), &world.name, bob).unwrap();
    assert!(matches!(outcome, RegistrationOutcome::Waiting(_)) && session.is_none());
}
