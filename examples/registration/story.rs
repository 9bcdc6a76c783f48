//! The main flow, top to bottom, without any failure.

use super::cast::{Issuer, Keys, PIN, Result, Session, User};
use super::gate::{CUSTOMERS, Gate};
use super::narrator::{Narrator, grouped};
use super::wire::Tap;
use halfkey::ApplicationName;
use halfkey::driver::{Configured, RegistrationOutcome};
use halfkey::record::{Lifecycle, TokenRegistration};
use halfkey::registration::token::Credential;
use halfkey::software::PinSettings;
use halfkey::store::operation::ListRegistrations;
use std::io;

pub const BANK: &str = "bank.example";
pub const CLINIC: &str = "clinic.example";

/// Tells the story.
pub fn tell(narrator: &Narrator, keys: &Keys) -> Result<()> {
    narrator.legend("step", "numbers are the steps of the patent's figures; \"new\" is what it lacks");
    narrator.chapter("1. An issuer, a blank token, and two servers");
    let mut issuer = Issuer::new(keys.issuer.clone())?;
    let alice = hand_out_token(narrator, &issuer)?;
    let bank = certify(narrator, &mut issuer, keys, 0)?;
    let clinic = certify(narrator, &mut issuer, keys, 1)?;

    narrator.chapter("2. The token registers with bank.example");
    alice.token().unlock(&PIN.into())?;
    narrator.act("80", "user", "plugs the token in, types the PIN, and has it call bank.example");
    let with_bank = register(narrator, &alice, &bank)?;

    narrator.chapter("3. A session with bank.example");
    let mut session = open(narrator, &alice, &bank)?;

    narrator.chapter("4. Configuration, in that session");
    let trading = ApplicationName::new("trading")?;
    bank.entitle(&trading, "limit = 10000")?;
    narrator.records(&["C0 Request", "C1 Config", "C2 Applied"]);
    let configured = alice.configure(&mut session, &trading)?;
    told(narrator, &alice, &bank, (configured, Configured::Installed))?;

    narrator.chapter("5. The entitlement changes, and is pushed: no new registration");
    bank.entitle(&trading, "limit = 25000")?;
    narrator.act("new", BANK, "the operator changes the entitlement");
    narrator.records(&["C1 Push", "C2 Applied"]);
    bank.push(&trading)?;
    let (_, configured) = session.next_configuration()?;
    told(narrator, &alice, &bank, (configured, Configured::Installed))?;
    hang_up(narrator, session)?;

    narrator
        .brief_chapter("6. The same token registers with clinic.example, which learns nothing of the bank");
    let with_clinic = register(narrator, &alice, &clinic)?;
    narrator.knows("token", &format!("two keys that have nothing in common: {with_bank}, {with_clinic}"));

    narrator.chapter("7. bank.example loses power and starts again from its files");
    drop(clinic);
    let bank = bank.restart()?;
    narrator.act("new", BANK, "reads its PEM files and its store: no registration is lost");
    narrator.brief_chapter("8. The next session is like the first");
    let mut session = open(narrator, &alice, &bank)?;
    narrator.records(&["C0 Request", "C1 Config", "C2 Applied"]);
    let configured = alice.configure(&mut session, &trading)?;
    told(narrator, &alice, &bank, (configured, Configured::Unchanged))?;
    hang_up(narrator, session)
}

/// Step 70: the server makes its keys, the issuer certifies them.
fn certify(narrator: &Narrator, issuer: &mut Issuer, keys: &Keys, which: usize) -> Result<Gate> {
    let (name, kem_key) = if which == 0 { (BANK, &keys.servers[0]) } else { (CLINIC, &keys.servers[1]) };
    let gate = Gate::start(issuer.certify(name, kem_key)?)?;
    narrator.act("70", "issuer", &format!("certifies {name}: its public key P_u, its name, a year"));
    let chain = halfkey::certificate::Chain::from_pem(&gate.files.chain)?;
    let bytes = grouped(chain.leaf().as_der().len());
    narrator.knows(name, &format!("P_r and a certificate of {bytes} bytes; listens on {}", gate.address));
    Ok(gate)
}

/// Step 60: a token with the issuer's public key in it, and nothing else.
fn hand_out_token(narrator: &Narrator, issuer: &Issuer) -> Result<User> {
    let (token, code) = issuer.blank_token(PinSettings::default())?;
    narrator.act("60", "issuer", "hands out a blank token: P_i is in it, and no key of anybody's");
    narrator.knows("token", "whom to trust (P_i); locked under a PIN");
    narrator.knows("user", &format!("the PIN {PIN}, and the unblocking code {}", code.reveal().as_str()));
    Ok(User::new("alice", token, narrator))
}

/// Steps 80 to 200; gives the name of the new key.
fn register(narrator: &Narrator, user: &User, gate: &Gate) -> Result<String> {
    let line = Tap::connect(gate.address, gate.name().as_str(), narrator)?;
    match user.register(line, gate.name(), Credential::None)? {
        RegistrationOutcome::Active(registration) => {
            narrator.act("new", "token", "checks that proof: both sides know that both have the key");
            registered(narrator, gate, &registration)?;
            Ok(short(&registration))
        }
        other => Err(format!("registration ended as {other:?}").into()),
    }
}

/// Shows the knowledge of each side, read from its files.
fn registered(narrator: &Narrator, gate: &Gate, registration: &TokenRegistration) -> Result<()> {
    let server = gate.name().as_str();
    let rows = gate.run(&ListRegistrations::default())?.entries;
    let row =
        rows.iter().find(|row| row.key_id == registration.key_id).ok_or("the server has no such key")?;
    if row.lifecycle != Lifecycle::Active || row.access_path.as_str() != CUSTOMERS {
        return Err("the server's row is not what was granted".into());
    }
    let key = short(registration);
    narrator.knows("token", &format!("key {key} for {server}, as user {}", registration.user_id));
    narrator
        .knows(server, &format!("key {key} is {}'s, whose rights begin at {}", row.name, row.access_path));
    narrator.knows("eavesdropper", "who talked to whom, when, and how many bytes");
    Ok(())
}

/// Steps 300 to 350.
fn open(narrator: &Narrator, user: &User, gate: &Gate) -> Result<Session> {
    let registration = user.registration(gate.name())?;
    let line = Tap::connect(gate.address, gate.name().as_str(), narrator)?;
    let session = user.open(line, &registration)?;
    narrator.act("350", "token", "makes SES too and checks that proof: it is the server");
    let mode = session.established().ok_or("the session is over")?.mode;
    narrator.knows("both", &format!("SES, in mode {mode:?}: forward secret, new in every session"));
    Ok(session)
}

/// Steps 370 to 390 are done: this is what came of them.
fn told(
    narrator: &Narrator,
    user: &User,
    gate: &Gate,
    (got, wanted): (Configured, Configured),
) -> Result<()> {
    if got != wanted {
        return Err(format!("the configuration was {got:?}, not {wanted:?}").into());
    }
    let held = user.registration(gate.name())?.configurations;
    let serial = held.first().ok_or("the token holds no configuration")?.serial;
    let (epoch, number) = (serial.epoch, serial.number);
    let applied = user.applied();
    narrator.knows("token", &format!("trading: {applied} (serial {epoch}.{number}, {got:?})"));
    Ok(())
}

/// Closes a session so that both sides know that nothing was cut off.
fn hang_up(narrator: &Narrator, session: Session) -> Result<()> {
    narrator.records(&["close", "close"]);
    hung_up(session.close()?)
}

/// Waits until the server hangs up: it has dealt with everything then.
pub fn hung_up(mut line: Tap) -> Result<()> {
    io::copy(&mut line, &mut io::sink())?;
    Ok(())
}

fn short(registration: &TokenRegistration) -> String {
    registration.key_id.to_string().chars().take(8).collect()
}
