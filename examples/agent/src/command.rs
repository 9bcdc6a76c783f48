//! The commands that ask the agent that runs, or open the token themselves where none does.

use crate::agent::Agent;
use crate::answers::{self, Asker};
use crate::attend::report;
use crate::control::{Reply, Request, ask};
use crate::dial::Dialer;
use crate::failure::Failure;
use crate::gate::Standing;
use crate::place::Place;
use crate::report::{GateReport, Link, Report};
use crate::secret::Pins;
use crate::state;
use halfkey::ServerName;
use halfkey::software::{SecretString, UnblockingCode};
use halfkey_common::Output;
use serde::Serialize;
use zeroize::Zeroizing;

/// Renews the key of a gate.
#[derive(clap::Args)]
pub(crate) struct Renew {
    /// The gate; it need not be said where there is only one.
    server: Option<ServerName>,
    /// An answer to the gate's template that is new.
    #[arg(long, value_name = "FIELD=VALUE", value_parser = answers::answer)]
    set: Vec<(String, String)>,
}

/// Changes the PIN.
#[derive(clap::Args)]
pub(crate) struct Pin {
    /// The unblocking code instead of the old PIN, which is forgotten or blocked.
    #[arg(long)]
    unblock: bool,
}

/// Forgets a gate: its keys, its address and its services.
///
/// The gate still knows the key: have its operator revoke it.
#[derive(clap::Args)]
pub(crate) struct Forget {
    /// The gate; it need not be said where there is only one.
    server: Option<ServerName>,
}

#[derive(Serialize)]
struct Done<'a> {
    done: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<&'a ServerName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

fn done(
    out: &mut Output,
    done: &'static str,
    server: Option<&ServerName>,
    sentence: &str,
) -> Result<(), Failure> {
    Ok(out.done(&Done { done, server, retry_after: None }, sentence)?)
}

/// Performs `status`.
pub(crate) async fn status(
    place: &Place,
    dialer: Dialer,
    pins: &Pins,
    out: &mut Output,
) -> Result<(), Failure> {
    let pin = pins.is_given().then_some(|| pins.pin());
    Ok(standing(place, dialer, pin).await?.write(out)?)
}

/// Opens the token and unlocks it.
fn opened(
    place: &Place,
    dialer: Dialer,
    pin: impl FnOnce() -> Result<SecretString, Failure>,
) -> Result<Agent, Failure> {
    tokio::task::block_in_place(|| Agent::unlocked(place, dialer, pin))
}

/// Says how things stand: where no agent runs and no PIN is given, no more than addresses.
pub(crate) async fn standing(
    place: &Place,
    dialer: Dialer,
    pin: Option<impl FnOnce() -> Result<SecretString, Failure>>,
) -> Result<Report, Failure> {
    if let Some(Reply::Status(report)) = ask(place, &Request::Status).await? {
        return Ok(report);
    }
    let mut gates = Vec::new();
    if let Some(pin) = pin {
        let agent = opened(place, dialer, pin)?;
        for server in agent.servers()? {
            gates.push(report(&agent.gate(&server)).await?);
        }
    } else {
        gates.extend(state::read(&place.state())?.into_iter().map(|(server, known)| GateReport {
            server,
            address: known.address,
            link: Link::Off,
            reason: None,
            user_id: None,
            access_path: None,
            key_id: None,
            expires: None,
            valid_for: None,
            services: Vec::new(),
        }));
    }
    Ok(Report { running: false, tries_left: Agent::tries_left(place)?, gates })
}

/// Performs `renew`.
pub(crate) async fn renew(
    place: &Place,
    dialer: Dialer,
    pins: &Pins,
    command: Renew,
    out: &mut Output,
) -> Result<(), Failure> {
    let asker = Asker::at_terminal(command.set.into_iter().collect());
    let renewed = renewed(place, dialer, command.server.as_ref(), asker, || pins.pin());
    let (server, waiting) = renewed.await?;
    let sentence = match waiting {
        None => format!("The key for {server} is renewed."),
        Some(_) => format!("The operator of {server} is to decide on the renewal."),
    };
    let done = if waiting.is_none() { "renewed" } else { "waiting" };
    Ok(out.done(&Done { done, server: Some(&server), retry_after: waiting }, &sentence)?)
}

/// Renews the key of a gate. Returns its name and, where the operator is to decide, the number of seconds until it is of
/// use to ask. What `asker` does not know is answered as before.
pub(crate) async fn renewed(
    place: &Place,
    dialer: Dialer,
    server: Option<&ServerName>,
    asker: Asker,
    pin: impl FnOnce() -> Result<SecretString, Failure>,
) -> Result<(ServerName, Option<u64>), Failure> {
    let request = Request::Renew { server: server.cloned(), set: asker.answers.clone() };
    if let Some(Reply::Done { server: Some(server), waiting }) = ask(place, &request).await? {
        return Ok((server, waiting));
    }
    let agent = opened(place, dialer, pin)?;
    let server = agent.one(server)?;
    let waiting = match agent.gate(&server).renew(asker).await? {
        Standing::Active(_) => None,
        Standing::Waiting(seconds) => Some(seconds),
    };
    Ok((server, waiting))
}

/// Performs `pin`.
pub(crate) async fn pin(
    place: &Place,
    dialer: Dialer,
    pins: &Pins,
    command: Pin,
    out: &mut Output,
) -> Result<(), Failure> {
    if command.unblock {
        unblocked(place, dialer, &pins.read("unblocking code")?, || pins.new_pin())?;
    } else {
        let (old, new) = (pins.read("PIN")?, pins.read_new("new PIN")?);
        changed(place, dialer, old, new).await?;
    }
    done(out, "pin", None, "The PIN is changed.")
}

fn token(place: &Place, dialer: Dialer) -> Result<Agent, Failure> {
    let none = || Failure::NoSuch("there is no token here yet (halfkey enrol)".into());
    Agent::open(place, dialer)?.ok_or_else(none)
}

/// Unblocks the token by its unblocking code.
pub(crate) fn unblocked(
    place: &Place,
    dialer: Dialer,
    code: &str,
    new: impl FnOnce() -> Result<SecretString, Failure>,
) -> Result<(), Failure> {
    let agent = token(place, dialer)?;
    let code: UnblockingCode = code.parse().map_err(|error| Failure::Usage(format!("{error}")))?;
    Ok(agent.token().unblock(&code, &new()?)?)
}

/// Changes the PIN.
pub(crate) async fn changed(
    place: &Place,
    dialer: Dialer,
    old: Zeroizing<String>,
    new: Zeroizing<String>,
) -> Result<(), Failure> {
    let request = Request::Pin { old, new };
    if ask(place, &request).await?.is_none()
        && let Request::Pin { old, new } = &request
    {
        let (old, new) = (SecretString::from(old.as_str()), SecretString::from(new.as_str()));
        let agent = token(place, dialer)?;
        tokio::task::block_in_place(|| agent.token().change_pin(&old, &new))?;
    }
    Ok(())
}

/// Performs `forget`.
pub(crate) async fn forget(
    place: &Place,
    dialer: Dialer,
    pins: &Pins,
    command: Forget,
    out: &mut Output,
) -> Result<(), Failure> {
    let server = forgotten(place, dialer, command.server.as_ref(), || pins.pin()).await?;
    let sentence = format!("{server} is forgotten here. Have its operator revoke the key.");
    done(out, "forgotten", Some(&server), &sentence)
}

/// Forgets a gate, and returns its name.
pub(crate) async fn forgotten(
    place: &Place,
    dialer: Dialer,
    server: Option<&ServerName>,
    pin: impl FnOnce() -> Result<SecretString, Failure>,
) -> Result<ServerName, Failure> {
    let request = Request::Forget { server: server.cloned() };
    if let Some(Reply::Done { server: Some(server), .. }) = ask(place, &request).await? {
        return Ok(server);
    }
    let agent = opened(place, dialer, pin)?;
    let server = agent.one(server)?;
    agent.gate(&server).forget().await?;
    Ok(server)
}

/// Performs `stop`.
pub(crate) async fn stop(place: &Place, out: &mut Output) -> Result<(), Failure> {
    match ask(place, &Request::Stop).await? {
        Some(_) => done(out, "stopped", None, "The agent stops."),
        None => Err(Failure::NotRunning),
    }
}
