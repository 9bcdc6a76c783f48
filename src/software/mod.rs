//! A token in software: keys in memory behind a PIN, and in a file encrypted under it.
//!
//! ```text
//! PIN ────────────── Argon2id ─┐
//!                              ├─ unwraps ─ data key ─ opens ─ anchors, runs, registrations, keys
//! unblocking code ── Argon2id ─┘
//! ```
//!
//! A locked token holds no key in the clear: in memory it is then what the file is. What an
//! attacker may still do:
//! * who reads the process's memory while the token is unlocked has its keys;
//! * who has a copy of the file may try PINs on it elsewhere, as many as the hardware makes in the
//!   time: the count of tries stands in the file and binds only this code. Argon2id makes each try
//!   dear; a PIN of four digits falls all the same. Where that matters use a long PIN, or hardware;
//! * who can put back an older file undoes what came after it, the count of tries included.

mod code;
mod contents;
mod lock;

pub use code::{UnblockingCode, UnblockingCodeError};
pub use lock::PinSettings;

use crate::certificate::TrustAnchors;
use crate::id::{Digest, KeyId, Txn};
use crate::key::KemPublicKey;
use crate::policy::SuiteId;
use crate::port::token::Join;
use crate::port::{Token, TokenError};
use crate::random::RandomSource;
use crate::record::{Attempt, Registration};
use crate::schedule::{HalfUse, Question};
use crate::sealed::{self, Keep};
use crate::secret::Secret;
use crate::wire::stored::{blob, encode_secret, stored};
use crate::wire::{WireError, decode, encode};
use alloc::boxed::Box;
use alloc::vec::Vec;
use contents::{Anchors, Contents};
use core::fmt;
use lock::Lock;
use thiserror::Error;

/// The number in [`TokenError::Device`] when the PIN is right and what it guards is damaged.
pub const DAMAGED: u32 = 1;
/// The number in [`TokenError::Device`] when a PIN could not be stretched, for want of memory.
pub const STRETCHING_FAILED: u32 = 2;

/// Name and version of the form: what a file begins with, and the label of its seal.
const HEADER: &[u8] = b"halfkey/1 token, version 1\n";

/// Why a file is no software token. The file is as good, or bad, as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// It does not begin like one of this version.
    #[error("not a token file of this version")]
    NotAToken,
    /// It is damaged where it can be seen without the PIN.
    #[error("the token file is damaged: {0}")]
    Damaged(#[from] WireError),
}

/// Why a token is not unblocked. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UnblockError {
    /// It is not the unblocking code of this token.
    #[error("wrong unblocking code")]
    WrongCode,
    /// The new PIN is unfit, or the token failed.
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// A [`Token`] in software, with up to 256 registrations with any number of servers and 64 runs of
/// registration under way.
///
/// Locked, it answers every method of the trait with [`TokenError::Locked`]: even whom its user
/// registered with is nobody's business. What it changes lasts when it is saved: by
/// [`SoftwareToken::saved_by`] within each method, or by a program that calls
/// [`SoftwareToken::save`] after each, a wrong PIN included.
///
/// ```
/// # use halfkey::certificate::{IssuerName, TrustAnchor, TrustAnchors};
/// # use halfkey::key::IssuerKey;
/// use halfkey::SystemRandom;
/// use halfkey::port::{Token, TokenError};
/// use halfkey::software::{PinSettings, SoftwareToken};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let issuer = IssuerKey::generate_ed25519(&mut SystemRandom)?;
/// # let anchor = TrustAnchor::new(IssuerName::common_name("Example")?, issuer.public().clone());
/// # let anchors = TrustAnchors::from(anchor);
/// # let settings = PinSettings::for_tests();
/// let random = Box::new(SystemRandom);
/// let (mut token, code) = SoftwareToken::new(anchors, "1234", settings, random)?;
/// println!("put away: {}", code.reveal().as_str());
///
/// token.lock();
/// assert_eq!(token.registrations(), Err(TokenError::Locked));
/// assert_eq!(token.unlock("4321"), Err(TokenError::WrongPin { tries_left: 4 }));
/// token.unlock("1234")?;
///
/// let file = token.save();
/// let mut again = SoftwareToken::load(&file, Box::new(SystemRandom))?;
/// again.unlock("1234")?;
/// # Ok(())
/// # }
/// ```
pub struct SoftwareToken {
    lock: Lock,
    state: State,
    random: Box<dyn RandomSource + Send>,
    keep: Option<Keep>,
}

enum State {
    Open { data_key: Secret, contents: Contents },
    Shut { sealed: Vec<u8> },
}

/// The form of a file after its header.
struct File {
    lock: Lock,
    sealed: Vec<u8>,
}

stored! { File, "token file" { 1 => lock, 2 => sealed as blob } }

impl SoftwareToken {
    /// A blank token, unlocked, and the unblocking code, which it never shows again.
    ///
    /// # Errors
    /// [`TokenError::UnfitPin`], or [`TokenError::Device`].
    pub fn new(
        anchors: TrustAnchors,
        pin: &str,
        settings: PinSettings,
        mut random: Box<dyn RandomSource + Send>,
    ) -> Result<(Self, UnblockingCode), TokenError> {
        let anchors = Anchors::new(anchors).map_err(|_| TokenError::Device(DAMAGED))?;
        let data_key = Secret::random(random.as_mut());
        let (lock, code) = Lock::new(settings, pin, &data_key, random.as_mut())?;
        let state = State::Open { data_key, contents: Contents::blank(anchors) };
        Ok((Self { lock, state, random, keep: None }, code))
    }

    /// The token in a file that [`SoftwareToken::save`] gave, locked.
    ///
    /// What only the PIN opens is checked by [`SoftwareToken::unlock`].
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load(file: &[u8], random: Box<dyn RandomSource + Send>) -> Result<Self, LoadError> {
        let body = file.strip_prefix(HEADER).ok_or(LoadError::NotAToken)?;
        let File { lock, sealed } = decode(body, "token file", usize::MAX)?;
        lock.check()?;
        Ok(Self { lock, state: State::Shut { sealed }, random, keep: None })
    }

    /// The same token, which from now on hands its file to `keep` within every method that changes
    /// something.
    ///
    /// `keep` returns when the bytes are durable (written beside the old file, synchronised and
    /// moved over it). When it fails, with its driver's number for the failure, the change has not
    /// happened and the answer is [`TokenError::Device`] with that number.
    #[must_use]
    pub fn saved_by(mut self, keep: impl FnMut(&[u8]) -> Result<(), u32> + Send + 'static) -> Self {
        self.keep = Some(Box::new(keep));
        self
    }

    /// The token as a file: everything encrypted, the tries that are left in the clear.
    #[must_use]
    pub fn save(&mut self) -> Vec<u8> {
        let sealed = self.sealed();
        file(&self.lock, sealed)
    }

    fn sealed(&mut self) -> Vec<u8> {
        match &self.state {
            State::Open { data_key, contents } => seal(data_key, contents, self.random.as_mut()),
            State::Shut { sealed } => sealed.clone(),
        }
    }

    /// Whether the token wants its PIN.
    #[must_use]
    pub const fn is_locked(&self) -> bool {
        matches!(self.state, State::Shut { .. })
    }

    /// Locks the token: its keys are encrypted and erased from memory.
    pub fn lock(&mut self) {
        let sealed = self.sealed();
        self.state = State::Shut { sealed };
    }

    /// Unlocks the token. The try is counted, and saved, before it is made.
    ///
    /// # Errors
    /// [`TokenError::WrongPin`]; [`TokenError::Blocked`] when no tries are left, the token being
    /// locked then; [`TokenError::UnfitPin`], which costs no try; [`TokenError::Device`].
    pub fn unlock(&mut self, pin: &str) -> Result<(), TokenError> {
        let data_key = self.try_pin(pin)?;
        self.open(data_key)
    }

    /// Puts `new` in the place of the PIN `old`. A wrong `old` costs a try.
    ///
    /// # Errors
    /// As [`SoftwareToken::unlock`]; [`TokenError::UnfitPin`] for either.
    pub fn change_pin(&mut self, old: &str, new: &str) -> Result<(), TokenError> {
        lock::fit(new)?;
        let data_key = self.try_pin(old)?;
        self.replace_pin(new, &data_key)
    }

    /// Puts `new` in the place of a PIN that is forgotten or blocked, and unlocks the token.
    ///
    /// # Errors
    /// [`UnblockError`].
    pub fn unblock(&mut self, code: &UnblockingCode, new: &str) -> Result<(), UnblockError> {
        lock::fit(new)?;
        let data_key = self.lock.open_by_code(code)?.ok_or(UnblockError::WrongCode)?;
        self.replace_pin(new, &data_key)?;
        Ok(self.open(data_key)?)
    }

    fn try_pin(&mut self, pin: &str) -> Result<Secret, TokenError> {
        lock::fit(pin)?;
        let mut counted = self.lock.clone();
        counted.count()?;
        self.set_lock(counted)?;
        let mut opened = self.lock.clone();
        match opened.open(pin) {
            Ok(data_key) => {
                self.set_lock(opened)?;
                Ok(data_key)
            }
            Err(error) => {
                if error == TokenError::Blocked {
                    self.lock();
                }
                Err(error)
            }
        }
    }

    fn replace_pin(&mut self, new: &str, data_key: &Secret) -> Result<(), TokenError> {
        let mut lock = self.lock.clone();
        lock.change(new, data_key, self.random.as_mut())?;
        self.set_lock(lock)
    }

    fn set_lock(&mut self, lock: Lock) -> Result<(), TokenError> {
        let sealed = self.keep.is_some().then(|| self.sealed());
        if let Some((keep, sealed)) = self.keep.as_mut().zip(sealed) {
            keep(&file(&lock, sealed)).map_err(TokenError::Device)?;
        }
        self.lock = lock;
        Ok(())
    }

    fn open(&mut self, data_key: Secret) -> Result<(), TokenError> {
        if let State::Shut { sealed } = &self.state {
            let damaged = TokenError::Device(DAMAGED);
            let text = sealed::open(&data_key, HEADER, &[], sealed).map_err(|_| damaged)?;
            let contents = decode(&text, "token", usize::MAX).map_err(|_| damaged)?;
            self.state = State::Open { data_key, contents };
        }
        Ok(())
    }

    fn look(&self) -> Result<&Contents, TokenError> {
        match &self.state {
            State::Open { contents, .. } => Ok(contents),
            State::Shut { .. } => Err(TokenError::Locked),
        }
    }

    /// One transaction: all of it, durably, or nothing.
    fn change<T>(
        &mut self,
        change: impl FnOnce(&mut Contents, &mut dyn RandomSource) -> Result<T, TokenError>,
    ) -> Result<T, TokenError> {
        let State::Open { data_key, contents } = &mut self.state else { return Err(TokenError::Locked) };
        let mut draft = contents.clone();
        let answer = change(&mut draft, self.random.as_mut())?;
        if let Some(keep) = &mut self.keep {
            let sealed = seal(data_key, &draft, self.random.as_mut());
            keep(&file(&self.lock, sealed)).map_err(TokenError::Device)?;
        }
        *contents = draft;
        Ok(answer)
    }
}

fn seal(data_key: &Secret, contents: &Contents, random: &mut dyn RandomSource) -> Vec<u8> {
    sealed::seal(data_key, HEADER, &[], &encode_secret(contents), random)
}

fn file(lock: &Lock, sealed: Vec<u8>) -> Vec<u8> {
    [HEADER, &encode(&File { lock: lock.clone(), sealed })].concat()
}

impl Token for SoftwareToken {
    fn anchors(&self) -> Result<TrustAnchors, TokenError> {
        Ok(self.look()?.anchors.list.clone())
    }

    fn wrap(&mut self, txn: &Txn, suite: SuiteId, server_key: &KemPublicKey) -> Result<Vec<u8>, TokenError> {
        self.change(|contents, random| contents.wrap(txn, suite, server_key, random))
    }

    fn half(&mut self, txn: &Txn, wanted: HalfUse, transcript: &Digest) -> Result<Secret, TokenError> {
        self.look()?.half(txn, wanted, transcript)
    }

    fn hold(&mut self, attempt: Attempt) -> Result<(), TokenError> {
        self.change(|contents, _| contents.hold(attempt))
    }

    fn attempts(&self) -> Result<Vec<Attempt>, TokenError> {
        Ok(self.look()?.attempts())
    }

    fn give_up(&mut self, txn: &Txn) -> Result<(), TokenError> {
        self.change(|contents, _| {
            contents.give_up(txn);
            Ok(())
        })
    }

    fn join(&mut self, join: &Join<'_>) -> Result<[u8; 32], TokenError> {
        self.change(|contents, _| contents.join(join))
    }

    fn answer(&mut self, key_id: &KeyId, question: &Question<'_>) -> Result<Secret, TokenError> {
        self.look()?.answer(key_id, question)
    }

    fn registrations(&self) -> Result<Vec<Registration>, TokenError> {
        Ok(self.look()?.registrations())
    }

    fn update(&mut self, registration: &Registration) -> Result<(), TokenError> {
        self.change(|contents, _| contents.update(registration))
    }

    fn remove(&mut self, key_id: &KeyId) -> Result<(), TokenError> {
        self.change(|contents, _| contents.remove(key_id))
    }
}

impl fmt::Debug for SoftwareToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_locked() { "SoftwareToken(locked)" } else { "SoftwareToken(unlocked)" })
    }
}
