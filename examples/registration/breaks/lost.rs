//! Lost messages and lost power: the token goes on where it was.

use super::{Result, Setting, ensure, failed, meddler, message_name};
use halfkey::ErrorReason;
use halfkey::record::Lifecycle;
use halfkey::registration::TokenRegistrationError;
use halfkey::store::operation::{ListRegistrations, RegistrationEntry};

pub fn offer(setting: &mut Setting, _: Option<usize>) -> Result<()> {
    lose(setting, "R1 Offer")
}

pub fn request(setting: &mut Setting, _: Option<usize>) -> Result<()> {
    lose(setting, "R2 Request")
}

pub fn grant(setting: &mut Setting, _: Option<usize>) -> Result<()> {
    lose(setting, "R3 Outcome")
}

pub fn confirm(setting: &mut Setting, _: Option<usize>) -> Result<()> {
    lose(setting, "R4 Confirm")
}

pub fn done(setting: &mut Setting, _: Option<usize>) -> Result<()> {
    lose(setting, "R5 Done")
}

fn lose(setting: &mut Setting, name: &'static str) -> Result<()> {
    break_off(setting, name)?;
    setting.recovers()
}

fn break_off(setting: &mut Setting, name: &'static str) -> Result<()> {
    let line = setting.line_through(&setting.losing(name))?;
    let ended = setting.register(line)?;
    ensure(ended.is_err(), "the registration ended although a message was lost")
}

pub fn server_restart(setting: &mut Setting, _: Option<usize>) -> Result<()> {
    break_off(setting, "R4 Confirm")?;
    setting.narrator.remark("the server starts again from its files");
    let files = setting.files.clone();
    setting.restart_from(files)?;
    let rows = setting.gate()?.run(&ListRegistrations::default())?.entries;
    let pending = |row: &RegistrationEntry| matches!(row.lifecycle, Lifecycle::Pending { .. });
    ensure(rows.len() == 1 && rows.iter().all(pending), "the server has not kept the pending key")?;
    setting.recovers()
}

pub fn stale_offer(setting: &mut Setting, _: Option<usize>) -> Result<()> {
    let (clock, narrator) = (setting.gate()?.inside.clock.clone(), setting.narrator.clone());
    let late = i64::from(setting.gate()?.inside.settings.offer_ttl) + 61;
    let holding = meddler(move |_, frame| {
        if message_name(frame) == Some("R2 Request") {
            clock.put(late);
            narrator.remark(&format!("  !!  R2 Request is held back for {late} seconds"));
        }
        vec![frame.to_vec()]
    });
    let line = setting.line_through(&holding)?;
    let ended = setting.register(line)?;
    let told = failed(&ended) == Some(&TokenRegistrationError::ErrorMessage(ErrorReason::Restart));
    ensure(told, &format!("the run ended as {ended:?}"))?;
    let half = setting.alice.in_flight()?.ok_or("a message that anybody can forge has ended the run")?;
    setting.abandon(&half.txn)?;
    setting.recovers()
}
