//! Reading of the claims (4, 10, 17, 23): both inputs of the session key go over the wire.
//!
//! "Generating a second number for transmission … together with the encrypted first number": so the
//! server can decrypt N1 and authenticate the client. But the session key is made "by combining the
//! encrypted first number with the second number using a one-way function", and no key enters that
//! function. An eavesdropper evaluates it on the recorded message, however one-way it is.
//!
//! In claims 10 and 23 the server challenges and the client responds. In claims 4 and 17 "one party"
//! challenges "the other", by the same functions. An attacker can then answer a party that does both under
//! one key with that party's own answers.

use super::super::{Cipher, Error, Key, Step, cipher, mode};
use super::proof::{AwaitProof, AwaitResponse, Challenge, Proof, prove};
use crate::random::RandomSource;
use alloc::vec::Vec;
use sha2::{Digest, Sha512};
use subtle::ConstantTimeEq;

/// `E_K(N1)` and N2 side by side, from responder to challenger (claims 4, 10, 17, 23).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// `E_K(N1)`.
    pub encrypted: Vec<u8>,
    /// N2, in clear.
    pub n2: Vec<u8>,
}

/// "One-way function" that makes the session key. Both sides use the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OneWay {
    /// Exclusive-or, the patent's example. It is not one-way.
    Xor,
    /// SHA-512, which is one-way. It does not help, because its inputs are public.
    Sha512,
}

impl OneWay {
    /// Computes the session key SES from `E_K(N1)` and N2 (step 330; claims 4, 10, 17, 23). No argument is
    /// secret: anybody can call it.
    ///
    /// # Errors
    /// [`Error::NumberLength`] or [`Error::WeakKey`].
    pub fn session_key<C: Cipher>(self, encrypted: &[u8], n2: &[u8]) -> Result<Key<C>, Error> {
        match self {
            Self::Xor => Key::of_number(&cipher::xor(encrypted, n2)),
            Self::Sha512 => {
                Key::of_number(&Sha512::new().chain_update(encrypted).chain_update(n2).finalize())
            }
        }
    }
}

/// Encrypts N1 under the shared key (step 300), draws N2 (step 310) and sends both (claims 4, 10, 17,
/// 23).
///
/// # Errors
/// [`Error::NumberLength`]; [`Error::WeakKey`] when the session key is a weak DES key.
pub fn respond<C: Cipher>(
    key: &Key<C>,
    challenge: &Challenge,
    one_way: OneWay,
    random: &mut dyn RandomSource,
) -> Result<Step<Response, AwaitProof<C>>, Error> {
    let encrypted = mode::encipher(key, &challenge.n1)?;
    let n2 = cipher::draw_number::<C>(random);
    let session_key = one_way.session_key(&encrypted, &n2)?;
    Ok(Step { send: Response { encrypted, n2: n2.clone() }, next: AwaitProof { n2, session_key } })
}

/// Decrypts the first number and compares it with N1, which is the first authentication. Then makes the
/// session key and encrypts N2 with it (steps 330 and 340; claims 4, 10, 17, 23).
///
/// # Errors
/// [`Error::NotTheClient`], [`Error::NumberLength`] or [`Error::WeakKey`].
pub fn receive_response<C: Cipher>(
    state: AwaitResponse,
    key: &Key<C>,
    response: &Response,
    one_way: OneWay,
) -> Result<Step<Proof, Key<C>>, Error> {
    let n1 = mode::decipher(key, &response.encrypted)?;
    if !bool::from(n1.ct_eq(&state.n1)) {
        return Err(Error::NotTheClient);
    }
    prove(one_way.session_key(&response.encrypted, &response.n2)?, &response.n2)
}
