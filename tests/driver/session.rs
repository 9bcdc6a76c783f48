//! Sessions as byte streams, and configurations beside them.

use crate::world::*;
use halfkey::Alias;
use halfkey::configuration::token::Applying;
use halfkey::driver::{Configured, ConnectError, Connector};
use halfkey::message::{ConfigurationSerial, UserInformation};
use halfkey::port::Token;
use halfkey::port::entitlement_store::{Document, Entitlement, Status};
use halfkey::session::token::Options;
use halfkey::store::Subject;
use halfkey::store::operation::{Entitle, Suspend};
use std::io::{ErrorKind, Read, Write};
use std::sync::mpsc;

#[test]
fn a_session_is_a_stream_with_two_ends() {
    let world = World::new();
    let connector = world.connector();
    let key_id = world.register(&connector);
    let (stream, thread) = world.connect_with(|mut session| {
        let mut data = Vec::new();
        // The token closes its side first; this one still writes.
        session.read_to_end(&mut data).unwrap();
        let id = session.session_id();
        session.write_all(&data).unwrap();
        let mut exported = [0; 16];
        session.export(b"cookie", b"", &mut exported).unwrap();
        session.shutdown().unwrap();
        (id, exported)
    });
    let mut session = connector.open(stream, &key_id).unwrap();
    assert_eq!(session.registration().key_id, key_id);
    let id = session.session_id().unwrap();
    let mut exported = [0; 16];
    session.export(b"cookie", b"", &mut exported).unwrap();
    let sent: Vec<u8> = (0..200_000_u32).flat_map(u32::to_be_bytes).collect();
    session.write_all(&sent).unwrap();
    session.shutdown().unwrap();
    session.shutdown().unwrap();
    assert_eq!(session.write(b"more").unwrap_err().kind(), ErrorKind::BrokenPipe);
    let mut came = Vec::new();
    session.read_to_end(&mut came).unwrap();
    assert!(came == sent);
    assert_eq!(session.read(&mut [0; 8]).unwrap(), 0);
    assert_eq!(thread.join().unwrap().unwrap(), (Some(id), exported));
}

#[test]
fn keys_are_renewed_within_the_stream() {
    let world = World::with(|settings| settings.rekey_after = 3);
    let connector = world.connector();
    let key_id = world.register(&connector);
    let options = Options { rekey_after: 2, ..Options::default() };
    let mut session = connector.open_with(world.connect(), &key_id, options).unwrap();
    let sent: Vec<u8> = (0..250_000_u32).flat_map(u32::to_be_bytes).collect();
    session.write_all(&sent).unwrap();
    session.shutdown().unwrap();
    let mut came = Vec::new();
    session.read_to_end(&mut came).unwrap();
    assert!(came == sent);
}

#[test]
fn a_cut_stream_is_no_end() {
    let world = World::new();
    let connector = world.connector();
    let key_id = world.register(&connector);
    let (stream, thread) = world.connect_with(|mut session| {
        session.write_all(b"half").unwrap();
        drop(session);
    });
    let mut session = connector.open(stream, &key_id).unwrap();
    let mut data = Vec::new();
    assert_eq!(session.read_to_end(&mut data).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    assert_eq!(data, b"half");
    thread.join().unwrap();

    // And the other way.
    let (stream, thread) = world.connect_with(|mut session| {
        let mut data = Vec::new();
        session.read_to_end(&mut data).unwrap_err().kind()
    });
    drop(connector.open(stream, &key_id).unwrap());
    assert_eq!(thread.join().unwrap(), Some(ErrorKind::UnexpectedEof));
}

#[test]
fn halves_flood_each_other_and_both_arrive() {
    const SIZE: usize = 3_000_000;
    let world = World::new();
    let connector = world.connector();
    let key_id = world.register(&connector);
    let (stream, thread) = world.connect_with(|session| {
        let reader = session.stream().try_clone().unwrap();
        let (mut reading, mut writing) = session.split(reader);
        let writer = std::thread::spawn(move || {
            writing.write_all(&vec![1; SIZE]).unwrap();
            writing.shutdown().unwrap();
        });
        let mut data = Vec::new();
        reading.read_to_end(&mut data).unwrap();
        writer.join().unwrap();
        data.len()
    });
    let session = connector.open(stream, &key_id).unwrap();
    let reader = session.stream().try_clone().unwrap();
    let (mut reading, mut writing) = session.split(reader);
    let writer = std::thread::spawn(move || {
        writing.write_all(&vec![2; SIZE]).unwrap();
        writing.shutdown().unwrap();
    });
    let mut data = Vec::new();
    reading.read_to_end(&mut data).unwrap();
    writer.join().unwrap();
    assert_eq!((data.len(), thread.join().unwrap()), (SIZE, Some(SIZE)));
}

#[test]
fn a_refused_alias_is_followed_by_the_key_id_and_a_suspended_key_says_so() {
    let world = World::new();
    let connector = world.connector();
    let key_id = world.register(&connector);
    let mut registration = registrations(&connector).remove(0);
    registration.alias = Some(Alias::new([9; 16]));
    connector.token().update(&registration).unwrap();
    let session = connector.open(world.connect(), &key_id).unwrap();
    session.close().unwrap();
    assert_ne!(registrations(&connector)[0].alias, registration.alias);
    world.store.run(&Suspend(key_id), halfkey::UnixTime::now()).unwrap();
    let error = connector.open(world.connect(), &key_id).unwrap_err();
    assert!(matches!(error, ConnectError::NotActive(Status::Suspended)), "{error:?}");
}

fn entitlement(text: &str, number: u64) -> Entitlement {
    Entitlement {
        serial: ConfigurationSerial { epoch: 0, number },
        valid_for: None,
        document: Some(Document { media_type: "text/plain".into(), body: text.into() }),
        last_applied: None,
    }
}

#[test]
fn configurations_come_beside_the_data() {
    let world = World::new();
    let (tell, told) = mpsc::channel();
    let tell = std::sync::Mutex::new(tell);
    let connector = Connector::builder(world.token())
        .on_configuration(|_, _| Applying::Applied)
        .on_configured(move |application, configured| {
            tell.lock().unwrap().send((application.clone(), *configured)).unwrap();
        })
        .build();
    let key_id = world.register(&connector);
    let user = registrations(&connector)[0].user_id.clone();
    let (stream, thread) = world.connect_with(|mut session| {
        // Data and a push cross the request; a second push comes later.
        session.write_all(b"first ").unwrap();
        session.push(&mail(), &entitlement("pushed", 100)).unwrap();
        session.write_all(b"second").unwrap();
        let mut word = [0; 4];
        session.read_exact(&mut word).unwrap();
        session.push(&mail(), &entitlement("pushed again", 101)).unwrap();
        session.shutdown().unwrap();
        session.read_to_end(&mut Vec::new()).unwrap();
        word
    });
    let document = Document { media_type: "text/plain".into(), body: b"asked for".to_vec() };
    let entitle = Entitle::new(Subject::User(user), mail(), document);
    world.store.run(&entitle, halfkey::UnixTime::now()).unwrap();

    let mut session = connector.open(stream, &key_id).unwrap();
    let configured = session.configure(&mail(), UserInformation::default()).unwrap();
    // What is asked for has a lower serial than what was pushed before it.
    assert!(matches!(configured, Configured::Refused(_)), "{configured:?}");
    assert_eq!(told.try_recv().unwrap(), (mail(), Configured::Installed));
    session.write_all(b"next").unwrap();
    let mut data = Vec::new();
    session.read_to_end(&mut data).unwrap();
    assert_eq!(data, b"first second");
    assert_eq!(told.try_recv().unwrap(), (mail(), Configured::Installed));
    session.shutdown().unwrap();
    assert_eq!(thread.join().unwrap().unwrap(), *b"next");
    assert_eq!(registrations(&connector)[0].configurations[0].serial.number, 101);
}
