//! Failures and attacks, one break at a time.

mod certificates;
mod configuration;
mod flipped;
mod lost;
mod people;
mod sessions;
mod tampered;

pub use flipped::NoSuchBit;

use super::cast::{Issuer, Keys, PIN, Result, User, secret_bytes};
use super::figures::message_name;
use super::gate::{Files, Gate, lock};
use super::narrator::{Narrator, Voice, Way};
use super::story::hung_up;
use super::wire::{Meddler, Tap, meddler, relay};
use halfkey::driver::{ConnectError, RegistrationOutcome};
use halfkey::exchange::TokenExchangeError;
use halfkey::port::Token;
use halfkey::record::{Lifecycle, Progress, TokenRegistration};
use halfkey::registration::TokenRegistrationError;
use halfkey::registration::token::Credential;
use halfkey::software::{PinSettings, UnblockingCode};
use halfkey::store::operation::ListRegistrations;
use halfkey::{ErrorReason, Txn};
use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

/// Something to break.
pub struct Break {
    pub name: &'static str,
    /// What is broken, and the outcome that must follow.
    what: &'static str,
    run: fn(&mut Setting, Option<usize>) -> Result<()>,
}

macro_rules! breaks {
    ($($name:literal, $what:literal, $run:path;)*) => {
        /// All breaks.
        pub const ALL: &[Break] = &[$(Break { name: $name, what: $what, run: $run }),*];
    };
}

breaks! {
    "wrong-issuer", "The token comes from another issuer than the server's certificate.", certificates::wrong_issuer;
    "expired-certificate", "Two years have passed, and the server still shows its old certificate.", certificates::expired;
    "early-certificate", "The certificate is not valid yet.", certificates::early;
    "wrong-name", "clinic.example, certified as such, plays bank.example.", certificates::wrong_name;
    "revoked-certificate", "The issuer has revoked the certificate; the token has the list.", certificates::revoked;
    "flipped-bit", "One bit is flipped on the way; many are tried in each message from R0 to S3.", flipped::run;
    "replayed-request", "R2 is sent again by whoever recorded it.", tampered::replayed_request;
    "replayed-session", "S0 and S2 are sent again by whoever recorded them.", tampered::replayed_session;
    "forged-outcome", "Somebody in the middle answers R2 in the server's place.", tampered::forged_outcome;
    "swapped-runs", "Two users register at once, and one is given the other's outcome.", tampered::swapped_runs;
    "lost-offer", "R1 is lost.", lost::offer;
    "lost-request", "R2 is lost.", lost::request;
    "lost-grant", "R3 is lost: the server has granted a key, and the token does not know.", lost::grant;
    "lost-confirm", "R4 is lost: the token has the key, and the server does not know.", lost::confirm;
    "lost-done", "R5 is lost: the key is active, and the token does not know.", lost::done;
    "server-restart", "The server loses power after R3.", lost::server_restart;
    "stale-offer", "R2 is held back until the offer has lapsed.", lost::stale_offer;
    "wrong-pin", "A thief tries PINs on the token.", people::wrong_pin;
    "taken-name", "A second user wants the first one's name.", people::taken_name;
    "wrong-activation-code", "The server registers only whom it expects; a stranger guesses.", people::wrong_code;
    "unknown-id", "A session is wanted under a key id that nobody has.", sessions::unknown_id;
    "copied-challenge", "A parked challenge is copied and used twice.", sessions::copied_challenge;
    "revoked-key", "The operator has revoked the key.", sessions::revoked_key;
    "configuration-rollback", "The server is restored from a backup and offers an older configuration.", configuration::rollback;
}

impl Break {
    /// Performs the break. Fails if the library has not refused or recovered.
    ///
    /// # Errors
    /// The event that should not have happened.
    pub fn run(&self, narrator: &Narrator, keys: &Keys, number: Option<usize>) -> Result<()> {
        narrator.remark(&format!("{}: {}", self.name, self.what));
        narrator.remark("");
        (self.run)(&mut Setting::new(narrator, keys)?, number)?;
        narrator.remark("");
        narrator.remark("held: nothing was lost, and nobody got in");
        Ok(())
    }
}

/// One server and one user, and an attacker between them.
struct Setting {
    narrator: Narrator,
    issuer: Issuer,
    /// The server's disk, and a copy from before its first registration.
    files: Files,
    fresh: Files,
    gate: Option<Gate>,
    alice: User,
    code: UnblockingCode,
}

type ServerRegistration = std::result::Result<RegistrationOutcome, ConnectError>;

impl Setting {
    fn new(narrator: &Narrator, keys: &Keys) -> Result<Self> {
        let mut issuer = Issuer::new(keys.issuer.clone())?;
        let files = issuer.certify("bank.example", &keys.servers[0])?;
        let (token, code) = issuer.blank_token(PinSettings::for_tests())?;
        let alice = User::new("alice", token, narrator);
        alice.token().unlock(&PIN.into())?;
        let gate = Some(Gate::start(files.clone())?);
        Ok(Self { narrator: narrator.clone(), issuer, fresh: files.backup(), files, gate, alice, code })
    }

    fn gate(&self) -> Result<&Gate> {
        Ok(self.gate.as_ref().ok_or("the server is down")?)
    }

    /// Restarts the server from other files, or from its own.
    fn restart_from(&mut self, files: Files) -> Result<()> {
        self.gate = None;
        self.files = files.clone();
        self.gate = Some(Gate::start(files)?);
        Ok(())
    }

    /// As at the beginning: a server without registrations, a blank token.
    fn begin_anew(&mut self) -> Result<()> {
        self.alice = self.another("alice")?;
        self.restart_from(self.fresh.backup())
    }

    /// Another user with a token of the same issuer.
    fn another(&self, name: &'static str) -> Result<User> {
        let (token, _) = self.issuer.blank_token(PinSettings::for_tests())?;
        let user = User::new(name, token, &self.narrator);
        user.token().unlock(&PIN.into())?;
        Ok(user)
    }

    fn line(&self) -> Result<Tap> {
        line(&self.narrator, self.gate()?.address)
    }

    fn line_through(&self, meddler: &Meddler) -> Result<Tap> {
        line(&self.narrator, relay(self.gate()?.address, meddler)?)
    }

    fn register(&self, line: Tap) -> Result<ServerRegistration> {
        let name = self.gate()?.name().clone();
        Ok(self.alice.register(line, &name, Credential::None))
    }

    /// Registers Alice without a failure.
    fn registered(&self) -> Result<TokenRegistration> {
        let line = self.line()?;
        active(self.register(line)?)
    }

    /// Loses the first message of this name, and the connection with it.
    fn losing(&self, name: &'static str) -> Meddler {
        let narrator = self.narrator.clone();
        let mut lost = false;
        meddler(move |_, frame| {
            if message_name(frame) != Some(name) || lost {
                return vec![frame.to_vec()];
            }
            lost = true;
            narrator.remark(&format!("  !!  {name} is lost, and the connection with it"));
            Vec::new()
        })
    }

    /// Checks the end after any break: the token resumes where it was, one registration is active on both
    /// sides, and it opens a session.
    fn recovers(&self) -> Result<()> {
        let half = self.alice.in_flight()?;
        let joined = self.alice.registration(&self.gate()?.name().clone()).ok();
        let line = self.line()?;
        let ended = match (half, joined) {
            (Some(half), _) => {
                self.narrator.remark("the token still has its half, and sends the same R2 again");
                let txn = half.txn;
                let ended = self.alice.resume(line, half);
                if failed(&ended) == Some(&TokenRegistrationError::ErrorMessage(ErrorReason::Restart)) {
                    self.abandon(&txn)?;
                    let line = self.line()?;
                    self.register(line)?
                } else {
                    ended
                }
            }
            (None, Some(joined)) if joined.progress == Progress::Active => return self.is_well(),
            (None, Some(joined)) => {
                self.narrator.remark("the token has the key, and sends R4 again");
                self.alice.confirm(line, joined)
            }
            (None, None) => {
                self.narrator.remark("the token is blank as before, and begins anew");
                self.register(line)?
            }
        };
        active(ended)?;
        self.is_well()
    }

    /// The server no longer knows the offer. Its answer is not authenticated, so the token keeps its
    /// run, and the user abandons it.
    fn abandon(&self, txn: &Txn) -> Result<()> {
        self.narrator.remark("E0 ends nothing, for anybody can forge it; the user gives the run up");
        Ok(self.alice.token().abandon(txn)?)
    }

    /// Checks that one registration is active on both sides, and that it opens a session.
    fn is_well(&self) -> Result<()> {
        let gate = self.gate()?;
        let rows = gate.run(&ListRegistrations::default())?.entries;
        let states: Vec<Lifecycle> = rows.iter().map(|row| row.lifecycle).collect();
        ensure(states == [Lifecycle::Active], &format!("the server has registrations {states:?}"))?;
        let registration = self.alice.registration(gate.name())?;
        ensure(self.alice.token().registrations()?.len() == 1, "the token has more than one registration")?;
        let line = self.line()?;
        let session = self.alice.open(line, &registration)?;
        self.narrator.records(&["close", "close"]);
        session.close()?;
        self.narrator.remark("one registration, active on both sides, and it opens a session");
        Ok(())
    }
}

fn line(narrator: &Narrator, address: SocketAddr) -> Result<Tap> {
    Ok(Tap::connect(address, "bank.example", narrator)?)
}

fn active(ended: ServerRegistration) -> Result<TokenRegistration> {
    match ended? {
        RegistrationOutcome::Active(registration) => Ok(registration),
        other => Err(format!("the registration ended as {other:?}").into()),
    }
}

/// Why a registration does not go on.
const fn failed(ended: &ServerRegistration) -> Option<&TokenRegistrationError> {
    match ended {
        Err(ConnectError::Exchange(TokenExchangeError::Registration(error))) => Some(error),
        _ => None,
    }
}

/// An error and all its causes.
fn reason(error: &dyn Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

/// The library keeps a promise, or the break has found that it does not.
fn ensure(holds: bool, otherwise: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}

/// Frames of a recorder.
type Record = Arc<Mutex<Vec<(Way, Vec<u8>)>>>;

/// Records every frame that passes, unchanged.
fn recorder() -> (Meddler, Record) {
    let record = Record::default();
    let kept = record.clone();
    let meddler = meddler(move |way, frame| {
        lock(&kept).push((way, frame.to_vec()));
        vec![frame.to_vec()]
    });
    (meddler, record)
}
