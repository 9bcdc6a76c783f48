//! The token (patent's 10): what holds the user's half and, later, the shared key.

use crate::cause::{Cause, Numbered};
use crate::certificate::TrustAnchors;
use crate::id::{Digest, KeyId, Txn};
use crate::key::KemPublicKey;
use crate::policy::SuiteId;
use crate::record::{Attempt, Progress, ProofKey, TokenRegistration};
use crate::schedule::{KeyContext, KeySet, KeyUse, Ssk1Use, binder};
use crate::secret::Secret;
use crate::step::Fault;
use crate::suite::Suite;
use alloc::vec::Vec;
use subtle::ConstantTimeEq;
use thiserror::Error;

/// Why a token does not do as asked. Nothing has changed when it says so.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The user's: the token wants its PIN first.
    #[error("the token is locked")]
    Locked,
    /// The user's: the PIN is wrong.
    #[error("wrong PIN; {tries_left} tries left")]
    WrongPin {
        /// Tries left before the token blocks itself.
        tries_left: u8,
    },
    /// The user's: too many wrong PINs; the unblocking code is needed.
    #[error("the token is blocked after too many wrong PINs")]
    Blocked,
    /// The user's: a PIN of fewer than 4 or more than 64 bytes.
    #[error("a PIN has 4 to 64 bytes")]
    UnfitPin,
    /// The caller's: no half of that run.
    #[error("no half of that run is on the token")]
    NoSuchAttempt,
    /// The caller's: no such key.
    #[error("no such key is on the token")]
    NoSuchKey,
    /// The server's: it names a key that the token already has.
    #[error("the token already has a key of that name")]
    KeyExists,
    /// The server's: its proof of the joined key is wrong.
    #[error("the server's proof of the joined key is wrong")]
    WrongProof,
    /// The server's: its certified key cannot be encapsulated to.
    #[error("the server's key cannot be used")]
    UnfitServerKey,
    /// The caller's: the token does not know the suite.
    #[error("the token does not know the suite")]
    UnknownSuite,
    /// The device's: no room.
    #[error("the token is full")]
    Full,
    /// The device's: it failed, or was taken away; its driver's number for it.
    #[error("the token's device failed: {}", Numbered(*.0))]
    Device(u32),
    /// The device's or the operator's: it failed, with the cause that its driver gives.
    #[error("the token failed")]
    Failed(#[source] Cause),
}

impl TokenError {
    /// Returns whose fault it is, and so who can mend it.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Locked | Self::WrongPin { .. } | Self::Blocked | Self::UnfitPin => Fault::User,
            Self::NoSuchAttempt | Self::NoSuchKey | Self::UnknownSuite => Fault::Caller,
            Self::KeyExists | Self::WrongProof | Self::UnfitServerKey => Fault::Peer,
            Self::Full | Self::Device(_) | Self::Failed(_) => Fault::Operator,
        }
    }
}

/// A token: trust anchors and, one by one, shared keys that never leave it.
///
/// A *blank* one has anchors alone (patent step 60). No method gives out a key: what comes out is
/// ciphertext, labelled MACs and derived values, so that a smartcard, a PKCS#11 token or a file
/// under a PIN can stand behind this trait. What a token protects its keys with (a PIN, a
/// fingerprint) is its own affair; a locked one answers [`TokenError::Locked`].
///
/// Every method that changes something is one transaction: durable when it returns `Ok`, as though
/// never called when it returns `Err`.
///
/// A program shows its user what is on a token:
/// ```
/// use halfkey::port::{Token, TokenError};
/// use halfkey::record::{Attempt, Progress};
///
/// fn show(token: &dyn Token) -> Result<(), TokenError> {
///     for registration in token.registrations()? {
///         let active = registration.progress == Progress::Active;
///         println!("{} {}{}", registration.server_name, registration.user_id, if active { "" } else { " ..." });
///     }
///     for attempt in token.attempts()? {
///         match attempt {
///             Attempt::InFlight(attempt) => println!("{} has not answered", attempt.server_name),
///             Attempt::Waiting(waiting) => println!("{} has not decided", waiting.server_name),
///         }
///     }
///     Ok(())
/// }
/// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
/// # fn main() -> setting::Outcome {
/// # Ok(show(&setting::Setting::new()?.token()?)?)
/// # }
/// ```
/// `examples/hsm_token.rs` implements the trait over a device that keeps the keys.
pub trait Token: Send {
    /// P_i: whom the token trusts to certify servers (patent step 60).
    ///
    /// # Errors
    /// [`TokenError`].
    fn anchors(&self) -> Result<TrustAnchors, TokenError>;

    /// Makes SSK1, keeps it under `txn`, and encapsulates it to P_u (patent steps 110 and 120).
    /// A second call with the same `txn` replaces the half.
    ///
    /// # Errors
    /// [`TokenError`].
    fn wrap(&mut self, txn: &Txn, suite: SuiteId, server_key: &KemPublicKey) -> Result<Vec<u8>, TokenError>;

    /// p_B or p_G: [`crate::schedule::derive_from_ssk1`] of the SSK1 kept under `txn`.
    ///
    /// # Errors
    /// [`TokenError::NoSuchAttempt`], or another.
    fn derive_from_ssk1(
        &mut self,
        txn: &Txn,
        wanted: Ssk1Use,
        transcript: &Digest,
    ) -> Result<Secret, TokenError>;

    /// Keeps, or replaces, what is needed to go on with a run after a crash. A
    /// [`Attempt::Waiting`] erases the SSK1 of that run.
    ///
    /// # Errors
    /// [`TokenError`].
    fn save_attempt(&mut self, attempt: Attempt) -> Result<(), TokenError>;

    /// Every attempt held.
    ///
    /// # Errors
    /// [`TokenError`].
    fn attempts(&self) -> Result<Vec<Attempt>, TokenError>;

    /// Gives a run up: erases its SSK1 and its attempt. No error when there is none.
    ///
    /// # Errors
    /// [`TokenError`].
    fn abandon(&mut self, txn: &Txn) -> Result<(), TokenError>;

    /// The join (patent step 200): makes the sub-keys ([`JoinRequest::with`] does it all in memory),
    /// checks `tag_s` ([`KeyUse::Grant`]) in constant time, and answers with the tag of R4
    /// ([`KeyUse::Confirm`]). In the same transaction it stores keys and registration, whose
    /// standing becomes `Joined` with that tag, and erases SSK1 and the attempt.
    ///
    /// # Errors
    /// [`TokenError::WrongProof`] when `tag_s` is wrong; the half is kept: a forged R3 must not
    /// cost a registration. [`TokenError::KeyExists`], or another.
    fn join(&mut self, join: &JoinRequest) -> Result<[u8; 32], TokenError>;

    /// Answers what a key may be asked: [`crate::schedule::KeySet::derive`].
    ///
    /// # Errors
    /// [`TokenError::NoSuchKey`], or another.
    fn derive(&mut self, key_id: &KeyId, question: &KeyUse) -> Result<Secret, TokenError>;

    /// Every registration on the token.
    ///
    /// # Errors
    /// [`TokenError`].
    fn registrations(&self) -> Result<Vec<TokenRegistration>, TokenError>;

    /// Replaces the registration with the same key id: a new alias, a new configuration, or a
    /// standing that became `Active`. When it is `Active` and supersedes an older key, that key is
    /// erased in the same transaction, the new registration takes over its configurations
    /// ([`TokenRegistration::inherit_from`]), and `supersedes` is cleared.
    ///
    /// # Errors
    /// [`TokenError::NoSuchKey`], or another.
    fn update(&mut self, registration: &TokenRegistration) -> Result<(), TokenError>;

    /// Erases a key and its registration.
    ///
    /// # Errors
    /// [`TokenError::NoSuchKey`], or another.
    fn remove(&mut self, key_id: &KeyId) -> Result<(), TokenError>;
}

/// Everything that goes into a join besides SSK1: a question that [`Token::join`] answers with the tag of R4.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JoinRequest {
    /// The attempt whose SSK1 it is.
    pub txn: Txn,
    /// The suite.
    pub suite: SuiteId,
    /// SSK2, the server's contribution.
    pub ssk2: Secret,
    /// thJ.
    pub transcript: Digest,
    /// The ephemeral secret.
    pub ss_e: Secret,
    /// The key whose proof R2 carried: the token makes its binder over thJ.
    pub proof_key: ProofKey,
    /// The server's proof of the joined key.
    pub tag_s: [u8; 32],
    /// The registration to store.
    pub registration: TokenRegistration,
}

/// Result of a join, for a token to store.
#[derive(Debug)]
pub struct Joined {
    /// The sub-keys.
    pub keys: KeySet,
    /// The registration, standing `Joined` with the tag of R4.
    pub registration: TokenRegistration,
    /// The tag of R4.
    pub tag_c: [u8; 32],
}

impl JoinRequest {
    /// Makes a join under the registration's suite.
    #[must_use]
    pub const fn new(
        txn: Txn,
        transcript: Digest,
        ssk2: Secret,
        ss_e: Secret,
        proof_key: ProofKey,
        tag_s: [u8; 32],
        registration: TokenRegistration,
    ) -> Self {
        let suite = registration.suite;
        Self { txn, suite, ssk2, transcript, ss_e, proof_key, tag_s, registration }
    }

    /// The whole join for a token that has SSK1 at hand: makes the sub-keys, checks the server's
    /// proof in constant time, and writes the registration. `earlier` answers for the key that a
    /// renewal names.
    ///
    /// # Errors
    /// [`TokenError::WrongProof`], or what `earlier` says.
    pub fn with(
        &self,
        suite: &dyn Suite,
        ssk1: &Secret,
        earlier: impl FnOnce(&KeyId, &KeyUse) -> Result<Secret, TokenError>,
    ) -> Result<Joined, TokenError> {
        let mix = self.binder(suite, earlier)?;
        let keys = KeySet::join(suite, ssk1, &self.ssk2, &self.transcript, &self.ss_e, &mix, &self.context());
        let tag_s = keys.derive(suite, &KeyUse::Grant(self.transcript));
        if !bool::from(tag_s.expose().ct_eq(&self.tag_s)) {
            return Err(TokenError::WrongProof);
        }
        let tag_c = *keys.derive(suite, &KeyUse::Confirm(self.transcript, self.tag_s)).expose();
        Ok(Joined { keys, registration: self.joined(tag_c), tag_c })
    }

    /// The bytes to authenticate under SSK1, in a device that guards it: `label ‖ 0x00 ‖ H(SSK2 ‖ thJ) ‖ 0x01`, with
    /// the suite's hash. The answer is `j`, for [`KeySet::from_j`]. Nothing in it is secret.
    #[must_use]
    pub fn input(&self, suite: &dyn Suite) -> Vec<u8> {
        crate::schedule::join_input(suite, &self.ssk2, &self.transcript)
    }

    /// The mix of the key whose proof R2 carried; `earlier` answers for the key that a renewal names.
    ///
    /// # Errors
    /// Those of `earlier`.
    pub fn binder(
        &self,
        suite: &dyn Suite,
        earlier: impl FnOnce(&KeyId, &KeyUse) -> Result<Secret, TokenError>,
    ) -> Result<Secret, TokenError> {
        match &self.proof_key {
            ProofKey::None => Ok(Secret::absent()),
            ProofKey::Secret(secret) => Ok(binder(suite, secret, &self.transcript)),
            ProofKey::Renewal(key_id) => earlier(key_id, &KeyUse::Binder(self.transcript)),
        }
    }

    /// Returns the context that the sub-keys are bound to.
    #[must_use]
    pub const fn context(&self) -> KeyContext<'_> {
        KeyContext {
            certificate: &self.registration.certificate,
            server_name: &self.registration.server_name,
            user_id: &self.registration.user_id,
            key_id: &self.registration.key_id,
        }
    }

    /// The registration as it is stored, with the tag of R4.
    #[must_use]
    pub fn joined(&self, tag: [u8; 32]) -> TokenRegistration {
        let mut registration = self.registration.clone();
        if let Progress::Joined { tag_c, .. } = &mut registration.progress {
            *tag_c = tag;
        }
        registration
    }
}
