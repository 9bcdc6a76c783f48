//! Reading of the description (Figure 4): the session key goes over the wire.
//!
//! "Combining the encrypted server number with the client-generated number … using the exclusive-OR
//! function" makes the message of step 320, and the same words make the session key of step 330. The two
//! are one value: an eavesdropper that records the message has the key.

use super::super::{Cipher, Error, Key, Step, cipher, mode};
use super::proof::{AwaitProof, AwaitResponse, Challenge, Proof, prove};
use crate::random::RandomSource;
use alloc::vec::Vec;

/// `E_K(N1) ⊕ N2`, from client to server (step 320).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Combined number, which is also SES.
    pub package: Vec<u8>,
}

/// Encrypts N1 (step 300), draws N2 (step 310) and combines them by exclusive-or (step 320).
///
/// # Errors
/// [`Error::NumberLength`]; [`Error::WeakKey`] when the combination is a weak DES key.
pub fn respond<C: Cipher>(
    key: &Key<C>,
    challenge: &Challenge,
    random: &mut dyn RandomSource,
) -> Result<Step<Response, AwaitProof<C>>, Error> {
    let encrypted = mode::encipher(key, &challenge.n1)?;
    let n2 = cipher::draw_number::<C>(random);
    let package = cipher::xor(&encrypted, &n2);
    let session_key = Key::of_number(&package)?;
    Ok(Step { send: Response { package }, next: AwaitProof { n2, session_key } })
}

/// Performs step 330 as it is written: "retrieve the server-generated number by decrypting the package".
///
/// The result is not N1, because the package is `E_K(N1) ⊕ N2` and the server does not know N2. No server
/// can compare it with anything, and [`receive_response`] does not use it.
///
/// # Errors
/// [`Error::NumberLength`].
pub fn decrypt_package<C: Cipher>(key: &Key<C>, response: &Response) -> Result<Vec<u8>, Error> {
    mode::decipher(key, &response.package)
}

/// Performs step 330 as far as it can be executed, then step 340. The server encrypts N1 itself and so finds
/// an N2 in the package, whatever the package is. SES is the combination of both.
///
/// # Errors
/// [`Error::NumberLength`]; [`Error::WeakKey`]. There is no error for a client that is not authentic.
pub fn receive_response<C: Cipher>(
    state: AwaitResponse,
    key: &Key<C>,
    response: &Response,
) -> Result<Step<Proof, Key<C>>, Error> {
    let encrypted = mode::encipher(key, &state.n1)?;
    if response.package.len() != encrypted.len() {
        return Err(Error::NumberLength);
    }
    let n2 = cipher::xor(&response.package, &encrypted);
    prove(Key::of_number(&cipher::xor(&encrypted, &n2))?, &n2)
}
