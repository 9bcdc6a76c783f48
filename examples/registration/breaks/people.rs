//! Acts of users and thieves: PINs, names, activation codes.

use super::{PIN, Result, Setting, User, active, ensure};
use halfkey::driver::RegistrationOutcome;
use halfkey::port::{Token, TokenError};
use halfkey::registration::token::Credential;
use halfkey::registration::{ActivationCode, RejectionCode};
use halfkey::store::operation::IssueCode;
use halfkey::{SystemRandom, UserName};

pub fn wrong_pin(setting: &mut Setting, _: Option<usize>) -> Result<()> {
    setting.registered()?;
    let mut token = setting.alice.token();
    token.lock();
    ensure(token.registrations() == Err(TokenError::Locked), "a locked token tells whose it is")?;
    for tries_left in [4, 3, 2, 1] {
        let error = token.unlock(&"0000".into()).err();
        ensure(error == Some(TokenError::WrongPin { tries_left }), &format!("a wrong PIN gives {error:?}"))?;
        setting.narrator.remark(&format!("PIN 0000: wrong, {tries_left} left"));
    }
    ensure(token.unlock(&"0000".into()) == Err(TokenError::Blocked), "the token is not blocked")?;
    ensure(token.unlock(&PIN.into()) == Err(TokenError::Blocked), "a blocked token takes the right PIN")?;
    setting.narrator.remark("PIN 0000: blocked; now the right PIN is of no use either");
    token.unblock(&setting.code, &"13579".into())?;
    setting.narrator.remark("the unblocking code and a new PIN open it");
    ensure(
        token.unlock(&PIN.into()).is_err() && token.unlock(&"13579".into()).is_ok(),
        "the old PIN still opens it",
    )?;
    drop(token);
    setting.is_well()
}

/// Registers, and is refused for this reason; nothing is left of it.
fn refused(
    setting: &Setting,
    who: &str,
    user: &User,
    credential: Credential,
    code: RejectionCode,
) -> Result<()> {
    setting.narrator.remark(&format!("{who}:"));
    let line = setting.line()?;
    let ended = user.register(line, setting.gate()?.name(), credential)?;
    let as_expected = matches!(&ended, RegistrationOutcome::Refused(refused) if refused.code == code);
    ensure(as_expected, &format!("{who}: {ended:?}"))?;
    ensure(
        user.token().registrations()?.is_empty() && user.in_flight()?.is_none(),
        "something is left of it",
    )?;
    setting.narrator.remark(&format!("refused, inside R3: {code}"));
    Ok(())
}

pub fn taken_name(setting: &mut Setting, _: Option<usize>) -> Result<()> {
    setting.registered()?;
    for name in ["alice", "ALICE"] {
        let mallory = setting.another(name)?;
        refused(
            setting,
            &format!("another token, as {name}"),
            &mallory,
            Credential::None,
            RejectionCode::NameTaken,
        )?;
    }
    setting.is_well()
}

pub fn wrong_code(setting: &mut Setting, _: Option<usize>) -> Result<()> {
    let mut files = setting.files.backup();
    files.open_registration = false;
    setting.restart_from(files)?;
    let code = ActivationCode::generate(&mut SystemRandom);
    let (gate, user) = (setting.gate()?, UserName::new("alice")?);
    let secret = code.secret(gate.name(), &user);
    gate.run(&IssueCode { name: user, secret, expires: None })?;
    setting.narrator.remark("the operator expects alice, and sends her a code by letter");

    let mallory = setting.another("alice")?;
    refused(
        setting,
        "a stranger as alice, without a code",
        &mallory,
        Credential::None,
        RejectionCode::ProofNeeded,
    )?;
    let guess = ActivationCode::generate(&mut SystemRandom);
    let guess = Credential::Activation(guess);
    refused(setting, "the stranger guesses", &mallory, guess, RejectionCode::Unspecified)?;
    let bob = setting.another("bob")?;
    let stolen = Credential::Activation(code.clone());
    refused(setting, "bob, with the code that is alice's", &bob, stolen, RejectionCode::Unspecified)?;

    setting.narrator.remark("alice types hers in lower case:");
    let (line, name) = (setting.line()?, setting.gate()?.name().clone());
    let typed = ActivationCode::parse(&code.reveal().to_lowercase())?;
    active(setting.alice.register(line, &name, Credential::Activation(typed)))?;
    let used = Credential::Activation(code);
    refused(
        setting,
        "the stranger has found the letter, too late",
        &mallory,
        used,
        RejectionCode::Unspecified,
    )?;
    setting.is_well()
}
