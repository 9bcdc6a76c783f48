//! The challenge with which every reading begins, and the proof with which it ends.

use super::super::{Cipher, Error, Key, Step, cipher, mode};
use crate::random::RandomSource;
use alloc::vec::Vec;
use core::fmt;
use subtle::ConstantTimeEq;

/// N1 in clear, from challenger to responder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// N1, as long as [`number_len`](super::super::number_len) says.
    pub n1: Vec<u8>,
}

/// N2 under the session key, from challenger to responder (step 340).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// `E_SES(N2)`.
    pub encrypted: Vec<u8>,
}

/// Draws N1 and sends it: the server in the description and in claims 10 and 23, either party in
/// claims 4 and 17 (before step 300).
pub fn challenge<C: Cipher>(random: &mut dyn RandomSource) -> Step<Challenge, AwaitResponse> {
    let n1 = cipher::draw_number::<C>(random);
    Step { send: Challenge { n1: n1.clone() }, next: AwaitResponse { n1 } }
}

/// State after N1 was sent: the response is awaited. Each reading has its own `receive_response`.
#[must_use]
#[derive(Debug)]
pub struct AwaitResponse {
    pub(super) n1: Vec<u8>,
}

/// Encrypts N2 with the session key (step 340).
pub(super) fn prove<C: Cipher>(session_key: Key<C>, n2: &[u8]) -> Result<Step<Proof, Key<C>>, Error> {
    Ok(Step { send: Proof { encrypted: mode::encipher(&session_key, n2)? }, next: session_key })
}

/// State after the response was sent: the proof is awaited.
#[must_use]
pub struct AwaitProof<C: Cipher> {
    pub(super) n2: Vec<u8>,
    pub(super) session_key: Key<C>,
}

impl<C: Cipher> AwaitProof<C> {
    /// Decrypts the proof with the session key. If the plaintext is N2, accepts the challenger as authentic and
    /// returns the session key (step 350; claims 4, 10, 17, 23: the second authentication).
    ///
    /// # Errors
    /// [`Error::NotTheServer`] or [`Error::NumberLength`].
    pub fn receive_proof(self, proof: &Proof) -> Result<Key<C>, Error> {
        let n2 = mode::decipher(&self.session_key, &proof.encrypted)?;
        if bool::from(n2.ct_eq(&self.n2)) { Ok(self.session_key) } else { Err(Error::NotTheServer) }
    }
}

impl<C: Cipher> fmt::Debug for AwaitProof<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwaitProof(..)")
    }
}
