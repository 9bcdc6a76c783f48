//! `halfkey move`: the token's registrations go to another machine.
//!
//! The file holds a copy of the token, sealed under a passphrase. Two machines with one key would be two of the same
//! user, so the new machine renews each key before its first session, and the gate refuses the old one from then on.
//! The old machine does not renew by itself meanwhile.

use crate::agent::Agent;
use crate::dial::Dialer;
use crate::failure::Failure;
use crate::place::Place;
use crate::secret::Pins;
use crate::state::{Gates, State};
use base64ct::{Base64, Encoding};
use halfkey::SystemRandom;
use halfkey::software::{PinSettings, SecretString, SoftwareToken};
use halfkey_common::Output;
use halfkey_common::file::write_new;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// Version of the file's format.
const VERSION: u32 = 1;
/// Longest file, in bytes: a token has 64 MiB at most.
const MOST: u64 = 100 << 20;
/// Least length of a passphrase, in bytes: who finds the file may try as many as they like.
const PASSPHRASE: usize = 12;

/// Moves the token's registrations to another machine.
///
/// The file is as good as the token: who has it and the passphrase, or the unblocking code, is this user until the new
/// machine has been connected. From then on the gate refuses the keys in it, and those on the old machine.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Move {
    /// Writes the file on the old machine, where no agent may run.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Takes it in on the new machine, which has no token yet.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Moved {
    halfkey_move: u32,
    gates: Gates,
    token: String,
}

#[derive(Serialize)]
struct Done<'a> {
    done: &'static str,
    file: &'a Path,
}

/// Performs the command.
pub(crate) fn perform(
    place: &Place,
    dialer: Dialer,
    pins: &Pins,
    command: &Move,
    out: &mut Output,
) -> Result<(), Failure> {
    match (&command.to, &command.from) {
        (Some(file), _) => give(place, dialer, pins, file, out),
        (None, Some(file)) => take(place, dialer, pins, file, out),
        (None, None) => Err(Failure::Usage("say --to or --from".into())),
    }
}

fn give(place: &Place, dialer: Dialer, pins: &Pins, file: &Path, out: &mut Output) -> Result<(), Failure> {
    let pin = pins.pin()?;
    let agent = Agent::unlocked(place, dialer, || Ok(pin.clone()))?;
    let passphrase = pins.read_new("passphrase")?;
    if passphrase.len() < PASSPHRASE {
        return Err(Failure::Usage(format!("a passphrase has {PASSPHRASE} to 64 bytes")));
    }
    let bytes = agent.token().save();
    let mut copy = SoftwareToken::load(&bytes, PinSettings::default(), Box::new(SystemRandom))?;
    copy.change_pin(&pin, &SecretString::from(passphrase.as_str()))?;
    let gates = agent.state.gates();
    let moved = Moved { halfkey_move: VERSION, gates, token: Base64::encode_string(&copy.save()) };
    let text = serde_json::to_vec(&moved).map_err(|error| Failure::file(file, error.into()))?;
    write_new(file, &text).map_err(|error| Failure::Usage(error.to_string()))?;
    agent.state.change(|gates| gates.values_mut().for_each(|known| known.given = true))?;
    let sentence = format!(
        "Take {} to the other machine, and there: halfkey move --from. The gates refuse this machine once that one has \
         been connected.",
        file.display()
    );
    Ok(out.done(&Done { done: "given", file }, &sentence)?)
}

fn take(place: &Place, dialer: Dialer, pins: &Pins, file: &Path, out: &mut Output) -> Result<(), Failure> {
    let path = place.token();
    if path.exists() {
        return Err(Failure::NoSuch("there is a token here already, which is never replaced".into()));
    }
    let failed = |error| Failure::file(file, error);
    if fs::metadata(file).map_err(failed)?.len() > MOST {
        return Err(Failure::Usage(format!("{}: it is too long", file.display())));
    }
    let unfit = |error: String| Failure::Usage(format!("{}: {error}", file.display()));
    let moved = serde_json::from_slice(&fs::read(file).map_err(failed)?);
    let moved: Moved = moved.map_err(|error| unfit(error.to_string()))?;
    if moved.halfkey_move != VERSION {
        return Err(unfit(format!("it is of version {}", moved.halfkey_move)));
    }
    let bytes = Base64::decode_vec(&moved.token).map_err(|error| unfit(error.to_string()))?;
    let mut token = SoftwareToken::load(&bytes, PinSettings::default(), Box::new(SystemRandom))?;
    let passphrase = pins.read("passphrase")?;
    token.change_pin(&SecretString::from(passphrase.as_str()), &pins.new_pin()?)?;
    place.make_data()?;
    // The token comes last: what is there before it is of no use to anybody.
    State::open(place.state())?.change(|gates| {
        *gates = moved.gates;
        gates.values_mut().for_each(|known| (known.moved, known.given) = (true, false));
    })?;
    write_new(&path, &token.save()).map_err(|error| Failure::Usage(error.to_string()))?;
    drop(token);
    drop(Agent::open(place, dialer)?);
    let sentence =
        "The registrations are here. halfkey up takes them from the old machine; then remove the file.";
    Ok(out.done(&Done { done: "taken", file }, sentence)?)
}
