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
use std::collections::BTreeMap;

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
    let report = match ask(place, &Request::Status).await? {
        Some(Reply::Status(report)) => report,
        _ => off(place, dialer, pins).await?,
    };
    Ok(report.write(out)?)
}

/// Status where no agent runs: without the PIN no more than addresses.
async fn off(place: &Place, dialer: Dialer, pins: &Pins) -> Result<Report, Failure> {
    let mut gates = Vec::new();
    if pins.is_given() {
        let agent = Agent::unlocked(place, dialer, || pins.pin())?;
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
    let set: BTreeMap<_, _> = command.set.into_iter().collect();
    let request = Request::Renew { server: command.server.clone(), set: set.clone() };
    let (server, waiting) = match ask(place, &request).await? {
        Some(Reply::Done { server: Some(server), waiting }) => (server, waiting),
        _ => {
            let agent = Agent::unlocked(place, dialer, || pins.pin())?;
            let server = agent.one(command.server.as_ref())?;
            let mut answers = agent.state.known(&server).unwrap_or_default().answers;
            answers.extend(set);
            let standing = agent.gate(&server).renew(Asker::at_terminal(answers)).await?;
            let waiting = match standing {
                Standing::Active(_) => None,
                Standing::Waiting(seconds) => Some(seconds),
            };
            (server, waiting)
        }
    };
    let sentence = match waiting {
        None => format!("The key for {server} is renewed."),
        Some(_) => format!("The operator of {server} is to decide on the renewal."),
    };
    let done = if waiting.is_none() { "renewed" } else { "waiting" };
    Ok(out.done(&Done { done, server: Some(&server), retry_after: waiting }, &sentence)?)
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
        let none = || Failure::NoSuch("there is no token here yet (halfkey enrol)".into());
        let agent = Agent::open(place, dialer)?.ok_or_else(none)?;
        let code = pins.read("unblocking code")?;
        let code: UnblockingCode = code.parse().map_err(|error| Failure::Usage(format!("{error}")))?;
        agent.token().unblock(&code, &pins.new_pin()?)?;
    } else {
        let (old, new) = (pins.read("PIN")?, pins.read_new("new PIN")?);
        let request = Request::Pin { old, new };
        if ask(place, &request).await?.is_none() {
            let none = || Failure::NoSuch("there is no token here yet (halfkey enrol)".into());
            let agent = Agent::open(place, dialer)?.ok_or_else(none)?;
            let Request::Pin { old, new } = &request else { return Err(none()) };
            agent.token().change_pin(&SecretString::from(old.as_str()), &SecretString::from(new.as_str()))?;
        }
    }
    done(out, "pin", None, "The PIN is changed.")
}

/// Performs `forget`.
pub(crate) async fn forget(
    place: &Place,
    dialer: Dialer,
    pins: &Pins,
    command: Forget,
    out: &mut Output,
) -> Result<(), Failure> {
    let request = Request::Forget { server: command.server.clone() };
    let server = match ask(place, &request).await? {
        Some(Reply::Done { server: Some(server), .. }) => server,
        _ => {
            let agent = Agent::unlocked(place, dialer, || pins.pin())?;
            let server = agent.one(command.server.as_ref())?;
            agent.gate(&server).forget().await?;
            server
        }
    };
    let sentence = format!("{server} is forgotten here. Have its operator revoke the key.");
    done(out, "forgotten", Some(&server), &sentence)
}

/// Performs `stop`.
pub(crate) async fn stop(place: &Place, out: &mut Output) -> Result<(), Failure> {
    match ask(place, &Request::Stop).await? {
        Some(_) => done(out, "stopped", None, "The agent stops."),
        None => Err(Failure::NotRunning),
    }
}
