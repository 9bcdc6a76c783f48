//! Registration, first session and configuration on one connection.

use crate::world::*;
use halfkey::configuration::UserInformation;
use halfkey::configuration::token::Applying;
use halfkey::driver::{Configured, RegistrationOutcome};
use halfkey::port::entitlement_store::Document;
use halfkey::registration::token::Credential;
use halfkey::store::Subject;
use halfkey::store::operation::Entitle;
use halfkey::template::Template;
use halfkey::{AccessPath, ApplicationName, UnixTime};

#[tokio::test]
async fn a_blank_token_is_configured_on_its_first_connection() {
    let world = World::new();
    let (staff, mail) =
        (Subject::AccessPath(AccessPath::new("/staff").unwrap()), ApplicationName::new("mail").unwrap());
    let document = Document { media_type: "text/plain".into(), body: b"mail.example".to_vec() };
    world.store.run(&Entitle::new(staff, mail.clone(), document), UnixTime::now()).unwrap();
    let connector = world.builder().on_configuration(|_, _| Applying::Applied).build();
    let (stream, served) = world.connect();
    let fill = |_, template: Template| async move {
        Ok((template.fill([("name", "Alice".into())])?, Credential::None))
    };
    let (outcome, session) = connector.enrol(stream, &world.name, fill).await.unwrap();
    assert!(matches!(outcome, RegistrationOutcome::Active(_)), "{outcome:?}");
    let session = session.unwrap();
    let mut served = served.await.unwrap().unwrap().unwrap();
    let reading = tokio::spawn(async move {
        let mut rest = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut served, &mut rest).await
    });
    let configured = session.handle().configure(&mail, UserInformation::default()).await.unwrap();
    assert!(matches!(configured, Configured::Installed));
    drop(session);
    assert!(reading.await.unwrap().is_err(), "it was cut, not closed");
}
