//! The inventors' earlier application (US 5,602,918, Ser. No. 08/593,240), to which the patent
//! refers for its sessions, in one reading: the session key is encrypted once more.
//!
//! `SES = E_K(E_K(N1) ⊕ N2)`: the later text dropped the outer encryption. Nobody can compute SES from the
//! wire without K. Two attacks are left: the search for a key of 56 bits, and a token that encrypts any
//! challenge. An attacker sends it `E_K(N1) ⊕ N2` of a recorded session as a challenge, and the answer
//! contains that session's key.

use super::super::{Cipher, Error, Key, Step, cipher, mode};
use super::claims::Response;
use super::proof::{AwaitProof, AwaitResponse, Challenge, Proof, prove};
use crate::random::RandomSource;
use subtle::ConstantTimeEq;

/// Computes the key `E_K(E_K(N1) ⊕ N2)`.
fn session_key<C: Cipher>(key: &Key<C>, encrypted: &[u8], n2: &[u8]) -> Result<Key<C>, Error> {
    Key::of_number(&mode::encipher(key, &cipher::xor(encrypted, n2))?)
}

/// Encrypts N1 (step 300), draws N2 (step 310), sends both, and makes the session key under the
/// shared key.
///
/// # Errors
/// [`Error::NumberLength`]; [`Error::WeakKey`] when the session key is a weak DES key.
pub fn respond<C: Cipher>(
    key: &Key<C>,
    challenge: &Challenge,
    random: &mut dyn RandomSource,
) -> Result<Step<Response, AwaitProof<C>>, Error> {
    let encrypted = mode::encipher(key, &challenge.n1)?;
    let n2 = cipher::draw_number::<C>(random);
    let session_key = session_key(key, &encrypted, &n2)?;
    Ok(Step { send: Response { encrypted, n2: n2.clone() }, next: AwaitProof { n2, session_key } })
}

/// Decrypts the first number and compares it with N1; makes the session key under the shared key and
/// encrypts N2 with it (steps 330 and 340).
///
/// # Errors
/// [`Error::NotTheClient`], [`Error::NumberLength`] or [`Error::WeakKey`].
pub fn receive_response<C: Cipher>(
    state: AwaitResponse,
    key: &Key<C>,
    response: &Response,
) -> Result<Step<Proof, Key<C>>, Error> {
    let n1 = mode::decipher(key, &response.encrypted)?;
    if !bool::from(n1.ct_eq(&state.n1)) {
        return Err(Error::NotTheClient);
    }
    prove(session_key(key, &response.encrypted, &response.n2)?, &response.n2)
}
