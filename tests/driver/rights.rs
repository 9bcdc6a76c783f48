//! Rights that end while a session is open.

use crate::world::*;
use halfkey::driver::{ConnectError, ServerSession};
use halfkey::exchange::TokenExchangeError;
use halfkey::message::UserInformation;
use halfkey::port::entitlement_store::Status;
use halfkey::session::SessionEnded;
use halfkey::store::operation::{Revoke, Suspend};
use halfkey::{KeyId, ServerSettings, UnixTime};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

fn ended(error: &io::Error) -> Option<Status> {
    assert_eq!(error.kind(), ErrorKind::ConnectionAborted, "{error}");
    let SessionEnded(status) = error.get_ref()?.downcast_ref()?;
    Some(*status)
}

fn always(settings: &mut ServerSettings) {
    settings.recheck = 0;
}

/// Reads until the session ends, also where the stream's time is over.
fn read_on(session: &mut ServerSession<UnixStream>) -> io::Error {
    loop {
        match session.read(&mut [0; 64]) {
            Ok(0) => panic!("closed"),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return error,
        }
    }
}

#[test]
fn a_record_is_not_served_after_the_right_has_ended() {
    let world = World::with(always);
    let connector = world.connector();
    let key_id = world.register(&connector);
    let (stream, thread) = world.connect_with(|mut session| {
        let mut word = [0; 5];
        session.read_exact(&mut word).unwrap();
        let error = session.read(&mut word).unwrap_err();
        // And so it stays.
        (
            ended(&error),
            ended(&session.read(&mut word).unwrap_err()),
            ended(&session.write(b"x").unwrap_err()),
        )
    });
    let mut session = connector.open(stream, &key_id).unwrap();
    session.write_all(b"first").unwrap();
    session.flush().unwrap();
    std::thread::sleep(Duration::from_millis(50));
    world.store.run(&Suspend(key_id), UnixTime::now()).unwrap();
    session.write_all(b"second").unwrap();
    let error = session.read(&mut [0; 8]).unwrap_err();
    assert_eq!(ended(&error), Some(Status::Suspended));
    assert_eq!(ended(&session.read(&mut [0; 8]).unwrap_err()), Some(Status::Suspended));
    let told = Some(Status::Suspended);
    assert_eq!(thread.join().unwrap().unwrap(), (told, told, told));
    assert_eq!(registrations(&connector)[0].not_active, told);
}

#[test]
fn a_server_that_only_writes_and_one_that_waits_find_out() {
    let world = World::with(always);
    let connector = world.connector();
    let key_id = world.register(&connector);
    let (tell, told) = std::sync::mpsc::channel();
    let (stream, writing) = world.connect_with(move |mut session| {
        session.write_all(b"first").unwrap();
        told.recv().unwrap();
        ended(&session.write_all(b"second").unwrap_err())
    });
    let mut written_to = connector.open(stream, &key_id).unwrap();
    let (stream, waiting) = world.connect_with(|mut session| {
        session.stream().set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        ended(&read_on(&mut session))
    });
    let mut waited_for = connector.open(stream, &key_id).unwrap();
    let mut came = [0; 5];
    written_to.read_exact(&mut came).unwrap();
    assert_eq!(&came, b"first");
    world.store.run(&Revoke(key_id), UnixTime::now()).unwrap();
    tell.send(()).unwrap();
    let error = written_to.read(&mut came).unwrap_err();
    assert_eq!(ended(&error), Some(Status::Revoked));
    assert_eq!(ended(&waited_for.read(&mut [0; 8]).unwrap_err()), Some(Status::Revoked));
    assert_eq!(writing.join().unwrap().unwrap(), Some(Status::Revoked));
    assert_eq!(waiting.join().unwrap().unwrap(), Some(Status::Revoked));
    assert!(registrations(&connector)[0].is_dead());
}

#[test]
fn halves_find_out_and_a_configuration_says_why() {
    let world = World::with(always);
    let connector = world.connector();
    let key_id = world.register(&connector);
    let (stream, thread) = world.connect_with(|session| {
        let reader = session.stream().try_clone().unwrap();
        let (mut reading, mut writing) = session.split(reader);
        let error = reading.read(&mut [0; 8]).unwrap_err();
        (ended(&error), ended(&writing.write(b"x").unwrap_err()))
    });
    let mut session = connector.open(stream, &key_id).unwrap();
    world.store.run(&Suspend(key_id), UnixTime::now()).unwrap();
    let error = session.configure(&mail(), UserInformation::default()).unwrap_err();
    let ConnectError::Exchange(TokenExchangeError::Ended(SessionEnded(status))) = error else {
        panic!("{error:?}")
    };
    assert_eq!(status, Status::Suspended);
    let told = Some(Status::Suspended);
    assert_eq!(thread.join().unwrap().unwrap(), (told, told));
}

#[test]
fn the_operator_ends_the_sessions_of_a_key() {
    let world = World::new();
    let connector = world.connector();
    let key_id = world.register(&connector);
    let serve = |mut session: ServerSession<UnixStream>| {
        session.stream().set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        ended(&read_on(&mut session))
    };
    let (stream, thread) = world.connect_with(serve);
    let mut session = connector.open(stream, &key_id).unwrap();
    session.write_all(b"hello").unwrap();
    assert_eq!(world.acceptor.end_sessions(&KeyId::new([9; 16])), 0);
    while world.acceptor.end_sessions(&key_id) == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(ended(&session.read(&mut [0; 8]).unwrap_err()), Some(Status::Active));
    assert_eq!(thread.join().unwrap().unwrap(), Some(Status::Active));
    assert_eq!(world.acceptor.end_sessions(&key_id), 0);
    // The key is as good as before.
    assert_eq!(registrations(&connector)[0].not_active, None);
    connector.open(world.connect(), &key_id).unwrap().close().unwrap();
}
