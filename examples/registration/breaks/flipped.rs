//! A bit flipped anywhere from R0 to S3: one side notices each time, and nothing is lost.

use super::{Meddler, Narrator, Result, Setting, Voice, lock, meddler, message_name, reason, recorder};
use halfkey::driver::RegistrationOutcome;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

/// Not the library's failure: no message has that bit.
#[derive(Debug)]
pub struct NoSuchBit {
    bit: usize,
    total: usize,
}

impl fmt::Display for NoSuchBit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there are {} bits from R0 to S3, and no bit {}", self.total, self.bit)
    }
}

impl std::error::Error for NoSuchBit {}

/// Number of bits tried in each message.
const TRIED: usize = 12;

pub fn run(setting: &mut Setting, number: Option<usize>) -> Result<()> {
    let aloud = std::mem::replace(&mut setting.narrator, Narrator::new(Voice::Silent));
    let lengths = lengths(setting)?;
    let total: usize = lengths.iter().map(|(_, bits)| bits).sum();
    if let Some(bit) = number {
        if bit >= total {
            return Err(NoSuchBit { bit, total }.into());
        }
        setting.narrator = aloud;
        let noticed = flip(setting, bit)?;
        setting.narrator.remark(&format!("bit {bit} was noticed: {noticed}"));
        return Ok(());
    }
    let mut start = 0;
    for (name, bits) in lengths {
        let mut noticed: BTreeMap<String, usize> = BTreeMap::new();
        for place in 0..TRIED {
            // The first bit, the last, and others in between.
            let bit = start + place * (bits - 1) / (TRIED - 1);
            *noticed.entry(flip(setting, bit)?).or_default() += 1;
        }
        start += bits;
        aloud.remark(&format!("{name}, {TRIED} of {bits} bits:"));
        for (what, times) in noticed {
            aloud.remark(&format!("  {times} x {what}"));
        }
    }
    Ok(())
}

/// Each message from R0 to S3 and its length in bits.
fn lengths(setting: &mut Setting) -> Result<Vec<(&'static str, usize)>> {
    let (recorder, record) = recorder();
    run_through(setting, &recorder)?;
    let record = lock(&record);
    Ok(record.iter().filter_map(|(_, frame)| Some((message_name(frame)?, frame.len() * 8))).collect())
}

/// A registration and a session, until something is noticed: what and by whom, if anything was.
fn run_through(setting: &mut Setting, meddler: &Meddler) -> Result<Option<String>> {
    setting.begin_anew()?;
    let line = setting.line_through(meddler)?;
    let registration = match setting.register(line)? {
        Ok(RegistrationOutcome::Active(registration)) => registration,
        Ok(RegistrationOutcome::Refused(refused)) => {
            return Ok(Some(format!("refused inside R3: {}", refused.code)));
        }
        Ok(other) => return Err(format!("the registration ended as {other:?}").into()),
        Err(error) => return Ok(Some(reason(&error))),
    };
    let line = setting.line_through(meddler)?;
    match setting.alice.open(line, &registration) {
        Ok(_) => Ok(None),
        Err(error) => Ok(Some(reason(&error))),
    }
}

/// Flips one bit, sees it noticed, and sees everything end well all the same.
fn flip(setting: &mut Setting, bit: usize) -> Result<String> {
    let mut passed = 0;
    let sent = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&sent);
    let flipping = meddler(move |_, frame| {
        lock(&noted).extend(message_name(frame));
        let mut frame = frame.to_vec();
        let at = bit.checked_sub(passed);
        passed += frame.len() * 8;
        if let Some((at, byte)) = at.and_then(|at| Some((at, frame.get_mut(at / 8)?))) {
            *byte ^= 1 << (at % 8);
        }
        vec![frame]
    });
    let noticed = run_through(setting, &flipping)?.or_else(|| {
        let sent = lock(&sent);
        let twice = |name: &str| sent.iter().filter(|sent| **sent == name).count() > 1;
        let seen = [
            ("R0 Hello", "the server does not know the offer; the token asks for another"),
            ("R2 Request", "the answer does not open; the token sends the same again"),
            ("R4 Confirm", "the server's proof is wrong; the token sends the same again"),
            ("S0 Open", "the server refuses; the token goes by its key id"),
        ];
        seen.into_iter().find(|(name, _)| twice(name)).map(|(_, seen)| seen.into())
    });
    let noticed = noticed.ok_or_else(|| format!("bit {bit} was flipped, and nobody noticed"))?;
    setting.recovers().map_err(|error| format!("bit {bit} ({noticed}): {error}"))?;
    Ok(noticed)
}
