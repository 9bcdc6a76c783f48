//! A man in the middle records, repeats, forges and swaps messages.

use super::{Result, Setting, Way, active, ensure, failed, lock, meddler, message_name, recorder};
use halfkey::driver::{Framed, Transport};
use halfkey::message::Outcome;
use halfkey::registration::TokenRegistrationError;
use halfkey::registration::token::Credential;
use halfkey::wire::{Bytes, Message};
use halfkey::{ErrorReason, RandomSource, SystemRandom};
use std::net::TcpStream;

/// Sends a recorded frame on a connection of its own.
fn replay(setting: &Setting, frames: &[Vec<u8>]) -> Result<Vec<Vec<u8>>> {
    let mut line = Framed(TcpStream::connect(setting.gate()?.address)?);
    let mut answers = Vec::new();
    for frame in frames {
        line.send(frame)?;
        answers.push(line.receive()?.ok_or("the server hung up")?);
    }
    Ok(answers)
}

fn named(record: &[(Way, Vec<u8>)], name: &str) -> Result<Vec<u8>> {
    let found = record.iter().find(|(_, frame)| message_name(frame) == Some(name));
    Ok(found.ok_or("the message was not recorded")?.1.clone())
}

pub fn replayed_request(setting: &mut Setting, _: Option<usize>) -> Result<()> {
    let (recorder, record) = recorder();
    let line = setting.line_through(&recorder)?;
    active(setting.register(line)?)?;
    let (request, outcome) = {
        let record = lock(&record);
        (named(&record, "R2 Request")?, named(&record, "R3 Outcome")?)
    };
    let answers = replay(setting, &[request.clone(), request.clone()])?;
    ensure(answers == [outcome.clone(), outcome.clone()], "R2 again got another R3")?;
    setting.narrator.remark("R2 sent twice more: the same R3 each time, byte for byte, and no new key");
    setting.is_well()?;
    let answer = replay(setting, &[request])?.concat();
    let sealed = message_name(&answer) == Some("R3 Outcome") && answer.len() == outcome.len();
    ensure(sealed && answer != outcome, "R2 after the first session got something else than a refusal")?;
    setting.narrator.remark("R2 once more, after the first session: a sealed refusal, for the name is taken");
    setting.is_well()
}

pub fn replayed_session(setting: &mut Setting, _: Option<usize>) -> Result<()> {
    let registration = setting.registered()?;
    let (recorder, record) = recorder();
    let line = setting.line_through(&recorder)?;
    setting.narrator.records(&["close", "close"]);
    setting.alice.open(line, &registration)?.close()?;
    let recorded = lock(&record).clone();
    let frames = [named(&recorded, "S0 Open")?, named(&recorded, "S2 Response")?];
    let answers = replay(setting, &frames)?;
    let refused = answers.last().and_then(|answer| ErrorReason::read(answer));
    ensure(refused == Some(ErrorReason::Refused), "a recorded session was let in again")?;
    ensure(answers.first() != Some(&named(&recorded, "S1 Challenge")?), "the server repeats its number")?;
    setting.narrator.remark("replayed S0 got a new number, and the old answer to it: refused");
    setting.is_well()
}

pub fn forged_outcome(setting: &mut Setting, _: Option<usize>) -> Result<()> {
    let narrator = setting.narrator.clone();
    let forging = meddler(move |_, frame| {
        let forged = if message_name(frame) == Some("R3 Outcome") { forge(frame) } else { None };
        forged.map_or_else(
            || vec![frame.to_vec()],
            |forged| {
                narrator.remark("  !!  R3 is replaced: same run, same length, the forger's secrets");
                vec![forged]
            },
        )
    });
    let line = setting.line_through(&forging)?;
    let ended = setting.register(line)?;
    let ignored = failed(&ended) == Some(&TokenRegistrationError::Sealed);
    ensure(ignored, &format!("a forged outcome ended the run as {ended:?}"))?;
    setting.narrator.remark("it does not open under SSK1, so the token ignores it");
    setting.recovers()
}

/// An R3 that fits in every way but that its maker does not know SSK1.
fn forge(frame: &[u8]) -> Option<Vec<u8>> {
    /// Length of the sealed part by the settings, with the tag of AES-GCM. It is the last item of the core.
    const SEALED: usize = 1024 + 16;
    let outcome = Outcome::decode(frame).ok()?;
    let mut core = outcome.core.0.to_vec();
    let start = core.len().checked_sub(SEALED)?;
    SystemRandom.fill(core.get_mut(start..)?);
    Some(Outcome { core: Bytes(&core), tag_s: outcome.tag_s }.encode().into_bytes())
}

pub fn swapped_runs(setting: &mut Setting, _: Option<usize>) -> Result<()> {
    let bob = setting.another("bob")?;
    let name = setting.gate()?.name().clone();
    let (recorder, record) = recorder();
    let losing = setting.losing("R4 Confirm");
    let both = meddler(move |way, frame| {
        lock(&recorder)(way, frame);
        lock(&losing)(way, frame)
    });
    setting.narrator.remark("bob registers, and his R3 is recorded");
    let line = setting.line_through(&both)?;
    ensure(bob.register(line, &name, Credential::None).is_err(), "bob's line was not cut")?;
    let outcome = named(&lock(&record), "R3 Outcome")?;

    setting.narrator.remark("alice registers");
    let narrator = setting.narrator.clone();
    let swapping = meddler(move |_, frame| {
        if message_name(frame) != Some("R3 Outcome") {
            return vec![frame.to_vec()];
        }
        narrator.remark("  !!  alice is given bob's R3 in the place of hers");
        vec![outcome.clone()]
    });
    let line = setting.line_through(&swapping)?;
    let ended = setting.register(line)?;
    let ignored = failed(&ended) == Some(&TokenRegistrationError::WrongRun);
    ensure(ignored, &format!("another's outcome ended the run as {ended:?}"))?;
    setting.narrator.remark("it is no answer to her run; she asks again, and bob confirms his");
    let half = setting.alice.in_flight()?.ok_or("another's outcome has ended the run")?;
    let line = setting.line()?;
    let hers = active(setting.alice.resume(line, half))?;
    let line = setting.line()?;
    let his = active(bob.confirm(line, bob.registration(&name)?))?;
    ensure(hers.key_id != his.key_id && hers.user_id != his.user_id, "they share a key")?;
    setting.narrator.remark("both have keys of their own, and open sessions");
    for (user, registration) in [(&setting.alice, &hers), (&bob, &his)] {
        let line = setting.line()?;
        setting.narrator.records(&["close", "close"]);
        user.open(line, registration)?.close()?;
    }
    Ok(())
}
