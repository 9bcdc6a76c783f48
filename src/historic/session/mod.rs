//! A session as in 1996 (steps 300 to 350, claims 3, 4, 9, 10, 16, 17, 22 and 23), in three readings.
//!
//! ```text
//!  client                                                   server
//!    ◀──────────────────────────────────────── N1            challenge
//!  300 E_K(N1)   310 draw N2
//!    320 response ──────────────────────────▶ 330 receive_response: SES
//!    350 receive_proof ◀──────── E_SES(N2)    340
//! ```
//!
//! | reading | on the wire | SES |
//! | --- | --- | --- |
//! | [`description`], Figure 4 | `E_K(N1) ⊕ N2` | `E_K(N1) ⊕ N2`: the very bytes on the wire |
//! | [`claims`] 4, 10, 17, 23 | `E_K(N1)`, `N2` | `f(E_K(N1), N2)`: computed from the wire |
//! | [`earlier`], US 5,602,918 | `E_K(N1)`, `N2` | `E_K(E_K(N1) ⊕ N2)`: needs K |
//!
//! Every reading begins with [`challenge`] and ends with [`AwaitProof::receive_proof`]. The session
//! key then encrypts "subsequent communications" ([`super::configuration`]).

pub mod claims;
pub mod description;
pub mod earlier;

use super::{Cipher, Error, Key, Step, cipher};
use crate::RandomSource;
use alloc::vec::Vec;
use core::fmt;
use subtle::ConstantTimeEq;

/// Challenger to responder: N1, in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// N1.
    pub n1: Vec<u8>,
}

/// Challenger to responder: N2 under the session key (step 340).
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

/// N1 is sent; the response is awaited. Each reading has its own `receive_response`.
#[must_use]
#[derive(Debug)]
pub struct AwaitResponse {
    n1: Vec<u8>,
}

/// Encrypts N2 with the session key (step 340).
fn prove<C: Cipher>(session_key: Key<C>, n2: &[u8]) -> Result<Step<Proof, Key<C>>, Error> {
    Ok(Step { send: Proof { encrypted: cipher::encipher(&session_key, n2)? }, next: session_key })
}

/// The response is sent; the proof is awaited.
#[must_use]
pub struct AwaitProof<C: Cipher> {
    n2: Vec<u8>,
    session_key: Key<C>,
}

impl<C: Cipher> AwaitProof<C> {
    /// Decrypts the proof with the session key; if N2 comes out, takes the other for authentic and
    /// gives the session key (step 350; claims 4, 10, 17, 23: the second authentication).
    ///
    /// # Errors
    /// [`Error::NotTheServer`] or [`Error::NumberLength`].
    pub fn receive_proof(self, proof: &Proof) -> Result<Key<C>, Error> {
        let n2 = cipher::decipher(&self.session_key, &proof.encrypted)?;
        if bool::from(n2.ct_eq(&self.n2)) { Ok(self.session_key) } else { Err(Error::NotTheServer) }
    }
}

impl<C: Cipher> fmt::Debug for AwaitProof<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwaitProof(..)")
    }
}
