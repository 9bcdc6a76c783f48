//! A token in software: keys in memory behind a PIN, and in a file encrypted under it.
//!
//! ```text
//! PIN ────────────── Argon2id ─┐
//!                              ├─ unwraps ─ data key ─ opens ─ anchors, runs, registrations, keys
//! unblocking code ── Argon2id ─┘
//! ```
//!
//! A locked token holds no key of a registration in the clear: what it keeps in memory then is what the file holds. The
//! keys of sessions that were opened before live on in these sessions, which locking does not end. Everything in the
//! file is authenticated, settings and wrapped keys together with the contents, except the count of tries.
//! An attacker can still do the following:
//! * An attacker that reads the memory of the process while the token is unlocked has its keys.
//! * An attacker that has a copy of the file can try PINs on it elsewhere, limited only by hardware: the
//!   count of tries stands in the file, in the clear, and binds only this code. A copy is protected by the
//!   cost of a guess with Argon2id, and by nothing else. With the default settings a guess took 0.15 s on
//!   one core of a small virtual machine (x86-64), so that all PINs of a kind are tried in:
//!
//!   | PIN | by one core | by a thousand |
//!   | --- | --- | --- |
//!   | 4 digits | 25 minutes | 2 seconds |
//!   | 6 digits | 2 days | 3 minutes |
//!   | 8 digits | 6 months | 4 hours |
//!   | 10 random characters (a–z, 0–9) | 17 million years | 17 000 years |
//!
//!   Use a long PIN, or hardware, if the file may be copied.
//! * An attacker that can put back an older file undoes every later change, the count of tries included. An
//!   attacker that can write the file can set that count, or damage the file: damage to a wrapped key looks
//!   like a wrong PIN, other damage is reported as such.

mod code;
mod contents;
mod error;
mod file;
mod format;
mod label;
mod lock;
mod pin;
mod port;
mod trust;

pub use code::{UnblockingCode, UnblockingCodeError};
pub use error::LoadError;
pub use file::{FileAccess, FileError};
pub use label::Label;
pub use pin::PinSettings;
/// PIN, erased from memory when dropped and never printed: `SecretString::from("2468")`.
pub use secrecy::SecretString;

use crate::certificate::TrustAnchors;
use crate::id::KeyId;
use crate::port::TokenError;
use crate::random::RandomSource;
use crate::sealed::Keep;
use crate::secret::Secret;
use alloc::boxed::Box;
use alloc::vec::Vec;
use contents::Contents;
use core::fmt;
use format::Sealed;
use lock::Lock;
use pin::{Memory, Pin};
use thiserror::Error;

/// Number in [`TokenError::Device`] when the PIN is right and the contents are damaged. No operating system
/// uses this number or the next one.
pub const DAMAGED: u32 = 0x8000_0001;
/// Number in [`TokenError::Device`] when there is too little memory to stretch a PIN. No try is spent.
pub const STRETCHING_FAILED: u32 = 0x8000_0002;

/// Greatest length of a file, in bytes: 64 MiB. A full token takes a tenth of that, or a fifth during
/// renewals.
const MAX_FILE: usize = 0x0400_0000;

/// Error of unblocking. The token is unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UnblockError {
    /// The user's: the code is not the unblocking code of this token.
    #[error("wrong unblocking code")]
    WrongCode,
    /// The user's or the device's: the new PIN is unfit, or the token failed.
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// [`Token`](crate::port::Token) in software, with up to 256 registrations at any number of servers and up
/// to 64 attempts.
///
/// A run needs a place for its registration before its R2 leaves ([`TokenError::Full`] from `save_attempt`),
/// so that no server stores a registration that the token cannot store. A renewal takes the place of the
/// active registration that it renews, although both exist for a while: a full token can renew.
///
/// A locked token answers every method of the trait with [`TokenError::Locked`]: the list of servers is
/// private too. A change is durable when the token is saved: in a file, by [`SoftwareToken::create`] and
/// [`SoftwareToken::open`]; elsewhere by [`SoftwareToken::saved_by`] within each method, or by a program that
/// calls [`SoftwareToken::save`] after each method, also after a wrong PIN.
///
/// ```
/// # use halfkey::certificate::{IssuerName, TrustAnchor, TrustAnchors};
/// # use halfkey::key::IssuerKey;
/// use halfkey::SystemRandom;
/// use halfkey::port::{Token, TokenError};
/// use halfkey::software::{PinSettings, SecretString, SoftwareToken};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let issuer = IssuerKey::generate_ed25519(&mut SystemRandom)?;
/// # let anchor = TrustAnchor::new(IssuerName::common_name("Example")?, issuer.public().clone());
/// # let anchors = TrustAnchors::from(anchor);
/// # let settings = PinSettings::for_tests();
/// let (random, pin) = (Box::new(SystemRandom), SecretString::from("1234"));
/// let (mut token, code) = SoftwareToken::new(anchors, &pin, settings, random)?;
/// println!("put away: {}", code.reveal().as_str());
///
/// token.lock();
/// assert_eq!(token.registrations(), Err(TokenError::Locked));
/// assert_eq!(token.unlock(&"4321".into()), Err(TokenError::WrongPin { tries_left: 4 }));
/// token.unlock(&pin)?;
///
/// let file = token.save();
/// let mut again = SoftwareToken::load(&file, settings, Box::new(SystemRandom))?;
/// again.unlock(&pin)?;
/// # Ok(())
/// # }
/// ```
pub struct SoftwareToken {
    lock: Lock,
    wanted: PinSettings,
    state: State,
    random: Box<dyn RandomSource + Send>,
    keep: Option<Keep>,
}

enum State {
    Open { data_key: Secret, contents: Contents },
    Shut(Sealed),
}

impl SoftwareToken {
    /// Creates a blank, unlocked token, and the unblocking code, which is shown only here.
    ///
    /// # Errors
    /// [`TokenError::UnfitPin`], or [`TokenError::Device`].
    pub fn new(
        anchors: TrustAnchors,
        pin: &SecretString,
        settings: PinSettings,
        mut random: Box<dyn RandomSource + Send>,
    ) -> Result<(Self, UnblockingCode), TokenError> {
        let pin = Pin::new(pin)?;
        let data_key = Secret::random(random.as_mut());
        let (lock, code) = Lock::new(settings, &pin, &data_key, random.as_mut())?;
        let state = State::Open { data_key, contents: Contents::blank(anchors) };
        Ok((Self { lock, wanted: settings, state, random, keep: None }, code))
    }

    /// Loads a token, locked, from bytes that [`SoftwareToken::save`] of this or an earlier version returned.
    ///
    /// The sealed contents are checked by [`SoftwareToken::unlock`], which also raises the cost of a guess at
    /// the PIN to `settings` if the file has less.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load(
        file: &[u8],
        settings: PinSettings,
        random: Box<dyn RandomSource + Send>,
    ) -> Result<Self, LoadError> {
        let (lock, sealed) = format::read(file, settings)?;
        Ok(Self { lock, wanted: settings, state: State::Shut(sealed), random, keep: None })
    }

    /// Makes the token hand its bytes to `keep` within every method that changes something.
    ///
    /// `keep` returns when the bytes are durable (written beside the old ones, synchronised and moved over
    /// them). If `keep` fails, with its driver's number for the failure, the change has not happened and the
    /// method returns [`TokenError::Device`] with that number.
    #[must_use]
    pub fn saved_by(mut self, keep: impl FnMut(&[u8]) -> Result<(), u32> + Send + 'static) -> Self {
        self.keep = Some(Box::new(keep));
        self
    }

    /// Returns the token as bytes. Everything is encrypted except the number of tries left.
    #[must_use]
    pub fn save(&mut self) -> Vec<u8> {
        let sealed = self.sealed();
        format::write(&self.lock, &sealed)
    }

    fn sealed(&mut self) -> Sealed {
        match &self.state {
            State::Open { data_key, contents } => {
                Sealed::new(data_key, &self.lock.header, contents, self.random.as_mut())
            }
            State::Shut(sealed) => sealed.clone(),
        }
    }

    /// Returns true if the token needs its PIN.
    #[must_use]
    pub const fn is_locked(&self) -> bool {
        matches!(self.state, State::Shut(_))
    }

    /// Returns the number of tries left; 0 for a blocked token.
    #[must_use]
    pub const fn tries_left(&self) -> u8 {
        self.lock.tries_left
    }

    /// Raises the settings: from the next correct PIN on, a guess costs no less than with these settings.
    pub const fn harden(&mut self, settings: PinSettings) {
        self.wanted = settings;
    }

    /// Locks the token: its keys are encrypted and erased from memory.
    pub fn lock(&mut self) {
        let sealed = self.sealed();
        self.state = State::Shut(sealed);
    }

    /// Unlocks the token. The try is counted, and saved, before it is made.
    ///
    /// The keyboard makes no difference: accented letters as one character or two (Unicode normal forms), and
    /// spaces of any kind, are the same PIN.
    ///
    /// # Errors
    /// [`TokenError::WrongPin`]; [`TokenError::Blocked`] when no tries are left, and then the token is locked;
    /// [`TokenError::UnfitPin`], which costs no try; [`TokenError::Device`], which costs a try only if the
    /// device fails after the try has been saved ([`SoftwareToken::tries_left`] tells).
    pub fn unlock(&mut self, pin: &SecretString) -> Result<(), TokenError> {
        let pin = Pin::new(pin)?;
        let (data_key, mut memory) = self.try_pin(&pin)?;
        let random = self.random.as_mut();
        let lock = self.lock.raised(self.wanted, &pin, &data_key, random, &mut memory)?;
        self.settle(lock, data_key, true)
    }

    /// Replaces the PIN `old` by `new`. A wrong `old` costs a try.
    ///
    /// # Errors
    /// As [`SoftwareToken::unlock`]; [`TokenError::UnfitPin`] for either.
    pub fn change_pin(&mut self, old: &SecretString, new: &SecretString) -> Result<(), TokenError> {
        let (old, new) = (Pin::new(old)?, Pin::new(new)?);
        let (data_key, mut memory) = self.try_pin(&old)?;
        let random = self.random.as_mut();
        let lock = self.lock.with_pin(self.wanted, &new, &data_key, random, &mut memory)?;
        let open = !self.is_locked();
        self.settle(lock, data_key, open)
    }

    /// Replaces a forgotten or blocked PIN by `new`, and unlocks the token.
    ///
    /// ```
    /// # use halfkey::software::SoftwareToken;
    /// # use halfkey::software::PinSettings;
    /// use halfkey::software::{UnblockError, UnblockingCode};
    /// # use halfkey::SystemRandom;
    /// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
    ///
    /// # fn main() -> setting::Outcome {
    /// # let (anchors, pin) = (setting::Setting::new()?.anchors, "1234".into());
    /// # let new = SoftwareToken::new(anchors, &pin, PinSettings::for_tests(), Box::new(SystemRandom))?;
    /// # let (mut token, code) = new;
    /// # let typed = code.reveal().to_lowercase();
    /// let code: UnblockingCode = typed.parse()?;
    /// match token.unblock(&code, &"a new PIN".into()) {
    ///     Ok(()) => assert!(!token.is_locked()),
    ///     Err(UnblockError::WrongCode) => println!("that is the code of another token"),
    ///     Err(error) => return Err(error.into()),
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`UnblockError`].
    pub fn unblock(&mut self, code: &UnblockingCode, new: &SecretString) -> Result<(), UnblockError> {
        let new = Pin::new(new)?;
        let mut memory = self.lock.memory(self.wanted)?;
        let data_key = self.lock.open_by_code(code, &mut memory)?.ok_or(UnblockError::WrongCode)?;
        let random = self.random.as_mut();
        let lock = self.lock.with_pin(self.wanted, &new, &data_key, random, &mut memory)?;
        Ok(self.settle(lock, data_key, true)?)
    }

    /// Returns the label of a registration.
    ///
    /// # Errors
    /// [`TokenError::NoSuchKey`], or [`TokenError::Locked`].
    pub fn label(&self, key_id: &KeyId) -> Result<Option<Label>, TokenError> {
        self.look()?.label(key_id)
    }

    /// Sets or removes the label of a registration. A renewal keeps the label.
    ///
    /// # Errors
    /// [`TokenError::NoSuchKey`], [`TokenError::Locked`], or [`TokenError::Device`].
    pub fn rename(&mut self, key_id: &KeyId, label: Option<Label>) -> Result<(), TokenError> {
        self.change(|contents, _| contents.rename(key_id, label))
    }

    /// Returns the data key, and the memory that was allocated before the try was counted.
    fn try_pin(&mut self, pin: &Pin) -> Result<(Secret, Memory), TokenError> {
        let mut counted = self.lock.clone();
        counted.count()?;
        let mut memory = self.lock.memory(self.wanted)?;
        let sealed = self.sealed();
        self.keep(&counted, &sealed)?;
        self.lock = counted;
        let opened = self.lock.open(pin, &mut memory);
        if matches!(opened, Err(TokenError::Blocked)) {
            self.lock();
        }
        Ok((opened?, memory))
    }

    /// Replaces the lock, and seals the contents under the new one.
    fn settle(&mut self, lock: Lock, data_key: Secret, open: bool) -> Result<(), TokenError> {
        let contents = match &self.state {
            State::Open { contents, .. } => contents.clone(),
            State::Shut(sealed) => match sealed.open(&data_key, &self.lock.header) {
                Ok(contents) => contents,
                Err(damaged) => {
                    // The PIN was right: damage must not block it.
                    let (lock, sealed) = (self.lock.restored(), sealed.clone());
                    self.keep(&lock, &sealed)?;
                    self.lock = lock;
                    return Err(damaged);
                }
            },
        };
        let sealed = Sealed::new(&data_key, &lock.header, &contents, self.random.as_mut());
        self.keep(&lock, &sealed)?;
        self.lock = lock;
        self.state = if open { State::Open { data_key, contents } } else { State::Shut(sealed) };
        Ok(())
    }

    fn keep(&mut self, lock: &Lock, sealed: &Sealed) -> Result<(), TokenError> {
        let Some(keep) = &mut self.keep else { return Ok(()) };
        let file = format::write(lock, sealed);
        if file.len() > MAX_FILE {
            return Err(TokenError::Full);
        }
        keep(&file).map_err(TokenError::Device)
    }

    fn look(&self) -> Result<&Contents, TokenError> {
        match &self.state {
            State::Open { contents, .. } => Ok(contents),
            State::Shut(_) => Err(TokenError::Locked),
        }
    }

    /// Runs one transaction: all of the change is durable, or nothing of it happened.
    fn change<T>(
        &mut self,
        change: impl FnOnce(&mut Contents, &mut dyn RandomSource) -> Result<T, TokenError>,
    ) -> Result<T, TokenError> {
        let State::Open { data_key, contents } = &self.state else { return Err(TokenError::Locked) };
        let (data_key, mut draft) = (data_key.clone(), contents.clone());
        let answer = change(&mut draft, self.random.as_mut())?;
        if self.keep.is_some() {
            let lock = self.lock.clone();
            let sealed = Sealed::new(&data_key, &lock.header, &draft, self.random.as_mut());
            self.keep(&lock, &sealed)?;
        }
        self.state = State::Open { data_key, contents: draft };
        Ok(answer)
    }
}

impl fmt::Debug for SoftwareToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_locked() { "SoftwareToken(locked)" } else { "SoftwareToken(unlocked)" })
    }
}
