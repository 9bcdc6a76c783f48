//! `halfkey enrol`: the first registration with a gate.

use crate::agent::Agent;
use crate::answers::{self, Asker};
use crate::dial::Dialer;
use crate::failure::Failure;
use crate::gate::{Session, Standing};
use crate::place::Place;
use crate::secret::Pins;
use halfkey::certificate::{TrustAnchor, TrustAnchors};
use halfkey::port::Token;
use halfkey::port::entitlement_store::Status;
use halfkey::record::Progress;
use halfkey::registration::token::Credential;
use halfkey::registration::{ActivationCode, EnrolmentUri, Host};
use halfkey::software::{PinSettings, SecretString, SoftwareToken, UnblockingCode};
use halfkey::{ServerName, SystemRandom};
use halfkey_common::Output;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use tokio::io::AsyncWriteExt;
use zeroize::Zeroizing;

/// The most attempts beside each other that may get through yet.
const ATTEMPTS: usize = 4;

/// Registers with a gate.
///
/// Without a URI it goes on with registrations that wait for the operator.
#[derive(clap::Args)]
pub(crate) struct Enrol {
    /// The enrolment URI (halfkey://…) that the operator has sent; `-` for the next line of standard input, which keeps
    /// its code out of the list of processes.
    uri: Option<String>,
    /// A file with the gate's trust anchors, where the URI names none.
    #[arg(long, value_name = "FILE")]
    anchor: Option<PathBuf>,
    /// Draws the PIN of a new token, and keeps it in a file beside the token, for a machine where nobody can be asked.
    ///
    /// Whoever can read this user's files then has the token.
    #[arg(long, conflicts_with_all = ["pin", "pin_fd"])]
    unattended: bool,
    /// An answer to the gate's template, instead of asking for it.
    #[arg(long, value_name = "FIELD=VALUE", value_parser = answers::answer)]
    set: Vec<(String, String)>,
}

#[derive(Serialize)]
struct Made<'a> {
    token: String,
    unblocking_code: &'a str,
}

#[derive(Serialize)]
struct Enrolled<'a> {
    server: &'a ServerName,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

/// Performs the command.
pub(crate) async fn enrol(
    place: &Place,
    dialer: Dialer,
    pins: &Pins,
    command: Enrol,
    out: &mut Output,
) -> Result<(), Failure> {
    let Some(uri) = &command.uri else {
        let agent = Agent::unlocked(place, dialer, || pins.pin())?;
        return go_on(&agent, out).await;
    };
    let uri = read(uri)?;
    let kept = command.unattended.then(|| pins.clone().keep(place)).transpose()?;
    let pins = kept.as_ref().unwrap_or(pins);
    let anchors = command.anchor.as_deref().map(anchors).transpose()?;
    let pin = |wanted| match wanted {
        Wanted::Known => pins.pin(),
        Wanted::New => pins.new_pin(),
    };
    let (agent, code) = token(place, dialer, &uri, anchors, pin)?;
    if let Some(code) = code {
        let (path, code) = (place.token(), code.reveal());
        let made = Made { token: path.display().to_string(), unblocking_code: &code };
        out.done(&made, &format!("A new token. Its unblocking code, to be put away: {}", code.as_str()))?;
        // It is shown once, and what follows may fail.
        out.flush()?;
    }
    let asker = Asker::at_terminal(command.set.into_iter().collect::<BTreeMap<_, _>>());
    let standing = register(&agent, &uri, asker).await?;
    tell(uri.server(), &standing, out)
}

/// Reads a file with trust anchors.
pub(crate) fn anchors(path: &Path) -> Result<TrustAnchors, Failure> {
    let text = fs::read_to_string(path).map_err(|error| Failure::file(path, error))?;
    let bad = |error| Failure::Usage(format!("{}: {error}", path.display()));
    TrustAnchors::from_pem(&text).map_err(bad)
}

/// Registers with the gate of a URI, or goes on with a registration that is unfinished there.
pub(crate) async fn register(agent: &Agent, uri: &EnrolmentUri, asker: Asker) -> Result<Standing, Failure> {
    let server = uri.server().clone();
    let gate = agent.gate(&server);
    let standing = gate.registration().await.map_err(|error| gate.failed(error))?;
    let good = standing.filter(|one| {
        one.progress == Progress::Active && matches!(one.not_active, None | Some(Status::Suspended))
    });
    if good.is_some() {
        let why = "the token is registered already; there are halfkey renew, and halfkey forget".into();
        return Err(Failure::Refused { server, why });
    }
    agent.state.note(&server, |known| known.address = address(uri))?;
    match gate.go_on().await {
        Ok(Some(standing)) => return Ok(standing),
        // They may get through yet: another beside them would be one of very many in the end.
        Err(failure) if !failure.begins_again() => {
            let unfinished = gate.unfinished().await.map_err(|error| gate.failed(error))?;
            if unfinished >= ATTEMPTS {
                return Err(failure);
            }
        }
        _ => {}
    }
    let asker = Asker { name: uri.name().map(|name| name.as_str().to_owned()), ..asker };
    let credential =
        uri.code().map_or(Credential::None, |code: &ActivationCode| Credential::Activation(code.clone()));
    let (standing, session) = gate.enrol(credential, asker).await?;
    if let Some(session) = session {
        close(session).await;
    }
    Ok(standing)
}

/// Ends the first session, which has proved the key.
async fn close(mut session: Session) {
    let _ = session.shutdown().await;
}

fn tell(server: &ServerName, standing: &Standing, out: &mut Output) -> Result<(), Failure> {
    let (object, sentence) = match standing {
        Standing::Active(one) => {
            let (user_id, access_path) = (one.user_id.as_str(), one.access_path.as_str());
            let object = Enrolled {
                server,
                state: "active",
                user_id: Some(user_id),
                access_path: Some(access_path),
                retry_after: None,
            };
            (object, format!("Registered with {server} as {user_id}. Now: halfkey up"))
        }
        Standing::Waiting(seconds) => {
            let object = Enrolled {
                server,
                state: "waiting",
                user_id: None,
                access_path: None,
                retry_after: Some(*seconds),
            };
            let sentence = format!(
                "The operator of {server} is to decide. halfkey up, or halfkey enrol in {seconds} s, goes on with it."
            );
            (object, sentence)
        }
    };
    Ok(out.done(&object, &sentence)?)
}

/// Goes on with what is unfinished.
async fn go_on(agent: &Agent, out: &mut Output) -> Result<(), Failure> {
    let mut any = false;
    for server in agent.servers()? {
        if let Some(standing) = agent.gate(&server).go_on().await? {
            any = true;
            tell(&server, &standing, out)?;
        }
    }
    if any {
        Ok(())
    } else {
        Err(Failure::NoSuch("no registration is unfinished; say an enrolment URI".into()))
    }
}

/// The PIN that is wanted to open a token or to make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The token's.
    Known,
    /// One for a new token.
    New,
}

/// Opens the token, or makes one and says its unblocking code; either has the anchor of the URI then.
pub(crate) fn token(
    place: &Place,
    dialer: Dialer,
    uri: &EnrolmentUri,
    given: Option<TrustAnchors>,
    pin: impl FnOnce(Wanted) -> Result<SecretString, Failure>,
) -> Result<(Agent, Option<UnblockingCode>), Failure> {
    place.make_data()?;
    let unfit = |error| Failure::Usage(format!("the trust anchor: {error}"));
    let anchor = uri.anchor().map(|anchor| narrowed(anchor, uri.server())).transpose().map_err(unfit)?;
    if let Some(agent) = Agent::open(place, dialer.clone())? {
        let pin = pin(Wanted::Known)?;
        agent.token().unlock(&pin)?;
        let held = agent.token().anchors()?;
        let named = given.iter().flat_map(|anchors| anchors.as_slice().iter().cloned());
        let wanted = named.chain(anchor).try_fold(held.clone(), joined).map_err(unfit)?;
        if wanted != held {
            agent.token().replace_anchors(&pin, wanted)?;
        }
        return Ok((agent, None));
    }
    let none = || Failure::Usage("the URI names no trust anchor: say --anchor FILE".into());
    let anchors = match (given, anchor) {
        (None, anchor) => anchor.map(TrustAnchors::from).ok_or_else(none)?,
        (Some(given), None) => given,
        (Some(given), Some(anchor)) => joined(given, anchor).map_err(unfit)?,
    };
    let (path, pin) = (place.token(), pin(Wanted::New)?);
    let made = SoftwareToken::create(&path, anchors, &pin, PinSettings::default(), Box::new(SystemRandom));
    let (token, code) = made.map_err(|error| Failure::token_file(&path, error))?;
    Ok((Agent::with(place, token, dialer)?, Some(code)))
}

/// The anchor as it is trusted: whoever sends an invitation to one gate does not vouch for others.
fn narrowed(
    anchor: &TrustAnchor,
    server: &ServerName,
) -> Result<TrustAnchor, halfkey::certificate::AnchorError> {
    if anchor.permitted().is_empty() {
        anchor.clone().with_permitted(vec![server.clone()])
    } else {
        Ok(anchor.clone())
    }
}

/// These anchors and one more; what was trusted before stays so, and no weaker suite is.
fn joined(
    held: TrustAnchors,
    anchor: TrustAnchor,
) -> Result<TrustAnchors, halfkey::certificate::AnchorError> {
    let same = |one: &&TrustAnchor| one.name() == anchor.name() && one.key() == anchor.key();
    let Some(earlier) = held.as_slice().iter().find(same).cloned() else { return held.with(anchor) };
    let minimum = earlier.minimum_suite().max(anchor.minimum_suite());
    let mut permitted = earlier.permitted().to_vec();
    if !permitted.is_empty() {
        permitted
            .extend(anchor.permitted().iter().filter(|name| !earlier.permitted().contains(name)).cloned());
    }
    let both = if permitted.is_empty() { earlier } else { earlier.with_permitted(permitted)? };
    held.with(both.with_minimum_suite(minimum))
}

/// The address in a URI: a host and a port.
pub(crate) fn address(uri: &EnrolmentUri) -> String {
    match uri.host() {
        Host::Address(IpAddr::V6(address)) => format!("[{address}]:{}", uri.port()),
        host => format!("{host}:{}", uri.port()),
    }
}

/// Reads the URI from the command line or from standard input.
fn read(text: &str) -> Result<EnrolmentUri, Failure> {
    let unfit = |error| Failure::Usage(format!("{error}"));
    if text != "-" {
        return text.parse().map_err(unfit);
    }
    // Room for all of it at once: growing would leave a copy of the code behind.
    let room = EnrolmentUri::MAX.saturating_add(2);
    let mut line = Zeroizing::new(String::with_capacity(room));
    let limit = u64::try_from(room).unwrap_or(u64::MAX);
    let read = io::stdin().lock().take(limit).read_line(&mut line);
    read.map_err(|error| Failure::Usage(format!("standard input: {error}")))?;
    line.parse().map_err(unfit)
}
