//! A session of the real steps, and everything that can be said in one.

use crate::configure;
use crate::reference_session::Way;
use crate::stage::{Record, Stage};
use crate::supply::*;
use halfkey::policy::{Mode, Modes};
use halfkey::port::Token;
use halfkey::port::question::StoreQuestion;
use halfkey::record::TokenRegistration;
use halfkey::session::park::resume_from_response;
use halfkey::session::server::{Entry, Established, receive_open};
use halfkey::session::token::{Options, Session, SessionOutcome, open};
use halfkey::session::{Content, OpenedRecord};

pub(crate) const EXPORT: (&str, &str, usize) = ("example", "context", 48);
pub(crate) const APPLICATION: &str = "mail";

/// What a session has beside the ordinary.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beside {
    Nothing,
    /// Every kind of C1.
    Configurations,
    /// Its key is named by its key id, and the challenge travels in S1 as a cookie.
    Cookie,
}

/// Opens a session, says one of everything and closes it.
pub(crate) fn session(
    stage: &mut Stage,
    registration: &TokenRegistration,
    mode: Mode,
    beside: Beside,
) -> Record {
    let mut record = stage.begin();
    let (mut token, mut server) = opened(stage, &mut record, registration, mode, beside == Beside::Cookie);
    let mut export = [[0; EXPORT.2]; 2];
    for (channel, out) in [&token.channel, &server.channel].iter().zip(&mut export) {
        channel.export(EXPORT.0.as_bytes(), EXPORT.1.as_bytes(), out).unwrap();
    }
    assert_eq!(export[0], export[1]);
    let mut registration = registration.clone();
    token.note(&mut registration);
    stage.token.update(&registration).unwrap();

    up(&mut record, &mut token, &mut server, "data up", Content::Data, b"hello, server");
    down(&mut record, &mut token, &mut server, "data down", Content::Data, b"hello, token");
    if beside == Beside::Configurations {
        configure::everything(stage, &mut record, &registration, (&mut token, &mut server));
    }
    let rekey = token.channel.rekey().unwrap();
    assert!(matches!(server.channel.open(&rekey), Ok(OpenedRecord::Rekeyed)));
    record.records.push(("rekey up", Way::Up, rekey));
    up(
        &mut record,
        &mut token,
        &mut server,
        "data up, after the rekey",
        Content::Data,
        b"under the next key",
    );
    let padded = token.channel.seal_padded(b"padded", 64).unwrap();
    assert!(matches!(server.channel.open(&padded), Ok(OpenedRecord::Data(text)) if *text == b"padded"));
    record.records.push(("data up, padded to 64", Way::Up, padded));
    let close = token.channel.close().unwrap();
    assert!(matches!(server.channel.open(&close), Ok(OpenedRecord::Closed)));
    record.records.push(("close up", Way::Up, close));
    let close = server.channel.close().unwrap();
    assert!(matches!(token.channel.open(&close), Ok(OpenedRecord::Closed)));
    record.records.push(("close down", Way::Down, close));
    record.calls = stage.recorder.calls();
    record
}

/// S0 to S3.
fn opened(
    stage: &mut Stage,
    record: &mut Record,
    registration: &TokenRegistration,
    mode: Mode,
    cookie: bool,
) -> (Session, Established) {
    let now = stage.now();
    let [mut of_token, mut of_server] = stage.parties.clone();
    let options =
        Options { suites: stage.suites, modes: Modes::only(mode), by_key_id: cookie, ..Options::default() };
    let step = open(registration, &options).unwrap();
    let s0 = step.send.into_bytes();
    let token = step.next;
    let need = receive_open(&s0, &stage.settings).unwrap();
    let (s1, server) = if cookie {
        let registered = need.wanted().ask(&stage.store, now).unwrap();
        let s1 = need.supply_with_cookie(registered, now, &stage.settings, &mut of_server).unwrap();
        stage.drew(record, 1, &["N_s", "id of the challenge, in the cookie"]);
        (s1.into_bytes(), None)
    } else {
        let step = need.supply_from(&stage.store, now, &mut of_server).unwrap();
        stage.drew(record, 1, &["N_s"]);
        (step.send.into_bytes(), Some(step.next))
    };
    let need = token.receive_challenge(&s1, &mut of_token).unwrap();
    let kem = mode == Mode::PskKem;
    stage.drew(record, 0, if kem { &["N_c", "private key of pk_e"] } else { &["N_c"] });
    let step = need.supply_from(&mut stage.token).unwrap();
    let s2 = step.send.into_bytes();
    let token = step.next;
    let server = server.unwrap_or_else(|| {
        let need = resume_from_response(&s2, &stage.settings, now).unwrap();
        need.supply_from(&stage.store, now).unwrap()
    });
    let need = server.receive_response(&s2, now, &mut of_server).unwrap();
    stage.drew(record, 1, &[if kem { "encapsulation of x" } else { "x" }, "alias"]);
    let step = need.supply_from(&stage.store, now).unwrap();
    let s3 = step.send.into_bytes();
    let Entry::Session(server) = step.next else { panic!("{:?}", step.next) };
    let need = token.receive_accept(&s3).unwrap();
    let SessionOutcome::Session(token) = need.supply_from(&mut stage.token).unwrap() else {
        panic!("barred")
    };
    record.messages.extend([("S0", s0), ("S1", s1), ("S2", s2), ("S3", s3)]);
    (token, server)
}

pub(crate) fn up(
    record: &mut Record,
    token: &mut Session,
    server: &mut Established,
    name: &'static str,
    content: Content,
    data: &[u8],
) {
    let sealed = token.channel.seal(content, data).unwrap();
    assert_eq!(text(server.channel.open(&sealed).unwrap()), data);
    record.records.push((name, Way::Up, sealed));
}

pub(crate) fn down(
    record: &mut Record,
    token: &mut Session,
    server: &mut Established,
    name: &'static str,
    content: Content,
    data: &[u8],
) {
    let sealed = server.channel.seal(content, data).unwrap();
    assert_eq!(text(token.channel.open(&sealed).unwrap()), data);
    record.records.push((name, Way::Down, sealed));
}

fn text(received: OpenedRecord) -> Vec<u8> {
    match received {
        OpenedRecord::Data(text) | OpenedRecord::Configuration(text) => text.to_vec(),
        other => panic!("{other:?}"),
    }
}
