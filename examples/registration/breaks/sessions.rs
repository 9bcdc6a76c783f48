//! Sessions that must not come about. The pure steps are at work here, without the library's loops.

use super::{Result, Setting, ensure, secret_bytes};
use halfkey::driver::{ConnectError, Framed, Transport};
use halfkey::port::entitlement_store::Status;
use halfkey::port::question::{StoreQuestion, TokenQuestion};
use halfkey::record::TokenRegistration;
use halfkey::session::server::{Entry, receive_open};
use halfkey::session::token::{Options, open};
use halfkey::session::{ServerSessionError, park};
use halfkey::store::operation::Revoke;
use halfkey::{ErrorReason, KeyId, RandomSource, Secret, SystemRandom};

fn random_key_id() -> KeyId {
    let mut id = [0; KeyId::LEN];
    SystemRandom.fill(&mut id);
    KeyId::new(id)
}

/// Opens a session as somebody who does not know the key would, and gives what the server sends.
fn without_key(setting: &Setting, registration: &TokenRegistration) -> Result<(Vec<u8>, Vec<u8>)> {
    let mut line = Framed(setting.line()?);
    let step = open(registration, &Options::default())?;
    line.send(step.send.as_bytes())?;
    let challenge = line.receive()?.ok_or("no challenge")?;
    let need = step.next.receive_challenge(&challenge, &mut SystemRandom)?;
    let guess = Secret::new(secret_bytes());
    line.send(need.supply(&guess).send.as_bytes())?;
    Ok((challenge, line.receive()?.ok_or("no answer")?))
}

pub fn unknown_id(setting: &mut Setting, _: Option<usize>) -> Result<()> {
    let known = TokenRegistration { alias: None, ..setting.registered()? };
    let unknown = TokenRegistration { key_id: random_key_id(), ..known.clone() };
    setting.narrator.remark("a key id that exists, and a guess at the proof:");
    let wrong = without_key(setting, &known)?;
    setting.narrator.remark("a key id that does not exist, and a guess:");
    let nobody = without_key(setting, &unknown)?;
    ensure(wrong.0.len() == nobody.0.len(), "the challenges differ in length")?;
    ensure(wrong.1 == nobody.1, "the answers differ")?;
    ensure(ErrorReason::read(&nobody.1) == Some(ErrorReason::Refused), "it is no refusal")?;
    setting.narrator.remark("byte for byte the same refusal: nobody learns who is registered");
    setting.is_well()
}

pub fn copied_challenge(setting: &mut Setting, _: Option<usize>) -> Result<()> {
    let registration = setting.registered()?;
    let (gate, random) = (setting.gate.as_ref().ok_or("the server is down")?, &mut SystemRandom);
    let (settings, store, now) = (&*gate.inside.settings, gate.store(), gate.inside.clock.now());

    // A server that keeps nothing puts the challenge into S1, sealed, and gets it back in S2.
    let s0 = open(&registration, &Options::default())?;
    let need = receive_open(s0.send.as_bytes(), settings)?;
    let registered = need.wanted().ask(store, now)?;
    let s1 = need.supply_with_cookie(registered, now, settings, random)?;
    let need = s0.next.receive_challenge(s1.as_bytes(), random)?;
    let tag_c = need.wanted().ask(&mut *setting.alice.token())?;
    let s2 = need.supply(&tag_c).send;

    let mut use_it = || {
        let need = park::resume_from_response(s2.as_bytes(), settings, now)?;
        let registered = need.wanted().ask(store, now)?;
        let need = need.supply(registered)?.receive_response(s2.as_bytes(), now, random)?;
        let admitted = need.wanted().ask(store, now)?;
        need.supply(admitted, now)
    };
    let first = use_it();
    ensure(matches!(&first, Ok(step) if matches!(step.next, Entry::Session(_))), "S2 was not let in")?;
    setting.narrator.remark("S2 with the challenge in it: a session");
    let second = use_it();
    ensure(matches!(second, Err(ServerSessionError::Spent)), "a copy of S2 was let in too")?;
    setting.narrator.remark("a copy of S2, on another machine: the store says it is spent");
    setting.is_well()
}

pub fn revoked_key(setting: &mut Setting, _: Option<usize>) -> Result<()> {
    let registration = setting.registered()?;
    setting.gate()?.run(&Revoke(registration.key_id))?;
    let line = setting.line()?;
    let barred = setting.alice.open(line, &registration).err();
    let told = matches!(barred, Some(ConnectError::NotActive(Status::Revoked)));
    ensure(told, &format!("the session ended as {barred:?}"))?;
    setting.narrator.remark("the server proves that it is the server, and says: revoked. No session");
    Ok(())
}
