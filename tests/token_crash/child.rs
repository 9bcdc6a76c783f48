//! The process that is killed: it announces each action with its token, performs it, and acknowledges it.

#[path = "../support/client.rs"]
mod client;

use crate::server::{APPLICATION, SERVER};
use client::{Client, ClientSession, RegistrationOutcome};
use halfkey::certificate::{Revocation, TrustAnchors};
use halfkey::configuration::token::Applying;
use halfkey::driver::{Framed, Transport};
use halfkey::message::UserInformation;
use halfkey::port::{Token, TokenError};
use halfkey::record::{Progress, TokenRegistration};
use halfkey::registration::token::Credential;
use halfkey::session::token::Options;
use halfkey::software::{FileError, Label, PinSettings, SoftwareToken};
use halfkey::{ApplicationName, KeyId, ServerName, SystemRandom};
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) const PINS: [&str; 3] = ["1111", "2222", "3333"];

/// Instruction from the parent.
pub(crate) fn word(name: &str) -> String {
    std::env::var(format!("HALFKEY_CHILD_{name}")).unwrap_or_default()
}

/// A line for the parent: the operating system has it before this returns.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n@ {line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// Does `change`, announced before and acknowledged after; what it returns is added to that.
fn announced<T>(what: &str, change: impl FnOnce() -> (T, String)) -> T {
    say(&format!("will {what}"));
    let (done, more) = change();
    say(&format!("did {what} {more}"));
    done
}

/// SplitMix64: enough to choose with, and the same again from the same seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// Opens a token that no process holds any more. Its last holder may have a sibling that was
/// forked meanwhile, with all that was open, and has not become another program yet.
pub(crate) fn open_at_last(path: &Path) -> Result<SoftwareToken, FileError> {
    for _ in 0..1000 {
        match SoftwareToken::open(path, PinSettings::for_tests(), Box::new(SystemRandom)) {
            Err(FileError::InUse) => std::thread::sleep(Duration::from_millis(10)),
            opened => return opened,
        }
    }
    Err(FileError::InUse)
}

pub(crate) struct Life {
    token: SoftwareToken,
    pin: String,
    dice: Dice,
}

impl Life {
    /// Opens the token, or makes it, and says what it finds there.
    pub(crate) fn begin() -> Self {
        let path = PathBuf::from(word("FILE"));
        let dice = Dice(word("SEED").parse().unwrap());
        let mut life = match open_at_last(&path) {
            Ok(token) => Self { token, pin: String::new(), dice },
            Err(FileError::NotFound) => {
                let anchors = TrustAnchors::from_pem(&word("ANCHORS")).unwrap();
                let pin = PINS[0];
                let token = announced("create", || {
                    let (quick, random) = (PinSettings::for_tests(), Box::new(SystemRandom));
                    let made = SoftwareToken::create(&path, anchors, &pin.into(), quick, random);
                    let (token, code) = made.unwrap();
                    (token, code.reveal().to_string())
                });
                Self { token, pin: pin.into(), dice }
            }
            Err(error) => panic!("{}: {error}", path.display()),
        };
        let mut names: Vec<_> = path.parent().unwrap().read_dir().unwrap().collect();
        names.retain(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().ends_with(".new"));
        assert!(names.is_empty(), "left over: {names:?}");
        if life.token.is_locked() {
            life.unlock();
        }
        life
    }

    /// By one of the PINs that it may have.
    fn unlock(&mut self) {
        for pin in word("PINS").split(',') {
            match self.token.unlock(&pin.into()) {
                Ok(()) => {
                    self.pin = pin.into();
                    return;
                }
                Err(TokenError::WrongPin { .. }) => {}
                Err(TokenError::Blocked) => break,
                Err(error) => panic!("{error}"),
            }
        }
        // Killed within too many tries in a row: that is what the code is for.
        assert_eq!(self.token.tries_left(), 0, "none of {} is the PIN", word("PINS"));
        self.unblock();
    }

    fn unblock(&mut self) {
        let (code, pin) = (word("CODE").parse().unwrap(), PINS[0]);
        let token = &mut self.token;
        announced(&format!("unblock {pin}"), || (token.unblock(&code, &pin.into()).unwrap(), String::new()));
        self.pin = pin.into();
    }

    /// Everything on the token, for the parent to compare.
    pub(crate) fn list(&self, moment: &str) {
        say(&format!("pin {}", self.pin));
        for attempt in self.token.attempts().unwrap() {
            say(&format!("attempt {}", attempt.txn()));
        }
        for one in self.token.registrations().unwrap() {
            let progress = if one.progress == Progress::Active { "active" } else { "joined" };
            let label = self.token.label(&one.key_id).unwrap();
            let label = label.as_ref().map_or("-", Label::as_str);
            say(&format!("key {} {progress} {label} {}", one.key_id, serial(&one)));
        }
        say(&format!("listed {moment}"));
    }

    fn link() -> Box<dyn Transport> {
        let stream = TcpStream::connect(word("ADDRESS")).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Box::new(Framed(stream))
    }

    /// Goes on with what an earlier life left unfinished, then opens a session with every key: in the
    /// last life, and in some of the others, which have little time.
    pub(crate) fn recover(&mut self) {
        let mut random = SystemRandom;
        let mut client = Client::new(&mut self.token, &mut random);
        for end in client.recover(&mut |_| Ok(Self::link())).unwrap() {
            assert!(matches!(end, RegistrationOutcome::Active(_)), "{end:?}");
        }
        self.list("recovered");
        if !word("LAST").is_empty() || self.dice.below(8) == 0 {
            for one in self.token.registrations().unwrap() {
                self.session(&one.key_id);
            }
        }
    }

    fn session(&mut self, key_id: &KeyId) {
        announced(&format!("session {key_id}"), || {
            self.enter(key_id, |session, _| {
                session.send(b"it is me").unwrap();
            });
            ((), String::new())
        });
    }

    fn enter(
        &mut self,
        key_id: &KeyId,
        talk: impl FnOnce(&mut ClientSession<Box<dyn Transport>>, &mut Client<'_>),
    ) {
        let mut random = SystemRandom;
        let mut client = Client::new(&mut self.token, &mut random);
        let mut session = client.open(Self::link(), key_id, &Options::default()).unwrap();
        talk(&mut session, &mut client);
        drop(session.close().unwrap());
    }

    fn register(&mut self, renewed: Option<KeyId>) {
        let what = renewed.map_or("register".into(), |earlier| format!("renew {earlier}"));
        announced(&what, || {
            let mut random = SystemRandom;
            let server = ServerName::new(SERVER).unwrap();
            let ended = Client::new(&mut self.token, &mut random).register(
                &mut Self::link(),
                &server,
                &Revocation::Ignore,
                &mut |_, template| {
                    let form = template.fill([("name", "agent".into())])?;
                    Ok((form, renewed.map_or(Credential::None, Credential::Renewal)))
                },
            );
            match ended {
                Ok(RegistrationOutcome::Active(registration)) => ((), registration.key_id.to_string()),
                other => panic!("{what}: {other:?}"),
            }
        });
    }

    fn configure(&mut self, key_id: &KeyId) {
        announced(&format!("configure {key_id}"), || {
            self.enter(key_id, |session, client| {
                let application = ApplicationName::new(APPLICATION).unwrap();
                let information = UserInformation::default();
                let apply = &mut |_: &_, _: &_| Applying::Applied;
                session.configure(client, &application, &information, apply, &mut |_| {}).unwrap();
            });
            let all = self.token.registrations().unwrap();
            ((), serial(all.iter().find(|one| one.key_id == *key_id).unwrap()).to_string())
        });
    }

    /// One change of those that a token goes through.
    pub(crate) fn live(&mut self) {
        let keys: Vec<KeyId> = self.token.registrations().unwrap().iter().map(|one| one.key_id).collect();
        let Some(key_id) = keys.get(self.dice.below(keys.len().max(1) as u64) as usize).copied() else {
            return self.register(None);
        };
        match self.dice.below(17) {
            0..4 if keys.len() < 6 => self.register(None),
            0..4 => {
                let token = &mut self.token;
                announced(&format!("remove {key_id}"), || (token.remove(&key_id).unwrap(), String::new()));
            }
            4..6 => self.register(Some(key_id)),
            6..9 => self.configure(&key_id),
            9..11 => self.session(&key_id),
            11..13 => {
                let label = format!("label-{}", self.dice.below(1_000_000));
                let (token, new) = (&mut self.token, Label::new(&label).unwrap());
                announced(&format!("rename {key_id} {label}"), || {
                    (token.rename(&key_id, Some(new)).unwrap(), String::new())
                });
            }
            13..15 => {
                let others: Vec<_> = PINS.iter().filter(|pin| **pin != self.pin).collect();
                let new = others[self.dice.below(others.len() as u64) as usize].to_string();
                let (token, old) = (&mut self.token, self.pin.clone());
                announced(&format!("pin {new}"), || {
                    (token.change_pin(&old.into(), &new.as_str().into()).unwrap(), String::new())
                });
                self.pin = new;
            }
            15 if !word("CODE").is_empty() => {
                while self.token.unlock(&"0000".into()) != Err(TokenError::Blocked) {}
                self.unblock();
            }
            _ => {
                self.token.lock();
                assert!(matches!(self.token.unlock(&"0000".into()), Err(TokenError::WrongPin { .. })));
                let token = &mut self.token;
                let pin = self.pin.as_str().into();
                announced("unlock", || (token.unlock(&pin).unwrap(), String::new()));
            }
        }
    }
}

/// The number of the document that a registration holds.
fn serial(registration: &TokenRegistration) -> u64 {
    let held = registration.configuration(&ApplicationName::new(APPLICATION).unwrap());
    held.map_or(0, |held| held.serial.number)
}
