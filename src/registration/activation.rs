//! Activation codes: how an operator says whom to expect, out of band.

use crate::base32::{symbol, symbols};
use crate::hash;
use crate::id::{ServerName, UserName};
use crate::random::RandomSource;
use crate::secret::Secret;
use crate::transcript::{label, lengthed};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// An activation code: 16 characters of Crockford base 32 (80 bits) for people to type, or 26 (130
/// bits) for a QR code or a file.
///
/// The library makes the codes, so a slow hash is not needed: nobody guesses 80 random bits.
/// Shorter codes that people choose are refused by this type; they would need a PAKE.
///
/// ```
/// use halfkey::registration::{ActivationCode, token::Credential};
/// use halfkey::SystemRandom;
///
/// let code = ActivationCode::generate(&mut SystemRandom);
/// println!("{}", code.reveal()); // such as RCP1-7ZCG-GZFR-CQ3B, for a letter
///
/// let typed = code.reveal().to_lowercase().replace('-', " ");
/// let credential = Credential::Activation(ActivationCode::parse(&typed)?); // goes with the form
/// # Ok::<(), halfkey::registration::ActivationCodeError>(())
/// ```
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ActivationCode(String);

/// Why a text is no activation code. It does not say where, and never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ActivationCodeError {
    /// Neither 16 nor 26 characters, dashes and white space aside.
    #[error("an activation code has 16 or 26 characters")]
    Length,
    /// A character that is not in Crockford's base 32.
    #[error("an activation code is made of digits and the letters other than U")]
    Character,
}

impl ActivationCode {
    /// Draws a code of 16 characters, 80 bits.
    #[must_use]
    pub fn generate(random: &mut dyn RandomSource) -> Self {
        Self::draw::<16>(random)
    }

    /// Draws a code of 26 characters, 130 bits, for machines to carry.
    #[must_use]
    pub fn generate_long(random: &mut dyn RandomSource) -> Self {
        Self::draw::<26>(random)
    }

    fn draw<const N: usize>(random: &mut dyn RandomSource) -> Self {
        let mut bytes: [u8; N] = crate::random::draw(random);
        let code = bytes.iter().map(|byte| char::from(symbol(*byte))).collect();
        bytes.zeroize();
        Self(code)
    }

    /// Reads what a person typed or pasted: case, white space, dashes and invisible characters do not matter, O is 0,
    /// I and L are 1.
    ///
    /// # Errors
    /// [`ActivationCodeError`].
    pub fn parse(typed: &str) -> Result<Self, ActivationCodeError> {
        let mut code = Self(String::with_capacity(26));
        for symbol in symbols(typed) {
            let symbol = symbol.ok_or(ActivationCodeError::Character)?;
            if code.0.len() >= 26 {
                return Err(ActivationCodeError::Length);
            }
            code.0.push(char::from(symbol));
        }
        if matches!(code.0.len(), 16 | 26) { Ok(code) } else { Err(ActivationCodeError::Length) }
    }

    /// The code in groups of four, to hand out.
    #[must_use]
    pub fn reveal(&self) -> String {
        let groups: Vec<String> =
            self.0.as_bytes().chunks(4).map(|g| g.iter().map(|b| char::from(*b)).collect()).collect();
        groups.join("-")
    }

    /// The code without groups.
    pub(super) fn symbols(&self) -> &str {
        &self.0
    }

    /// A, all that a server keeps of the code:
    /// `prf(Extract("", code), "halfkey/1 activation" ‖ length(4) ‖ server ‖ length(4) ‖ name)`.
    #[must_use]
    pub fn secret(&self, server: &ServerName, name: &UserName) -> Secret {
        let extracted = Secret::new(hash::hmac(&Secret::absent(), &[self.0.as_bytes()]));
        let info = lengthed([server.as_str().as_bytes(), name.as_str().as_bytes()]);
        hash::prf(&extracted, label::ACTIVATION, &info)
    }
}

impl fmt::Debug for ActivationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ActivationCode(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::tests::assert_even;

    #[test]
    fn what_people_type() {
        let code = ActivationCode::parse("0123-4567-89AB-CDEF").unwrap();
        for typed in [
            "o123456789abcdef",
            "OL23 4567 89AB CDEF",
            " 0i23-4567-89ab-cdef-",
            // As word processors, mail programs and terminals change it.
            "0123\u{2013}4567\u{2014}89AB\u{2212}CDEF",
            "0123\u{2011}4567\u{2010}89AB\u{AD}CDEF\n",
            "\u{FEFF}0123\u{A0}4567\u{202F}89AB\u{3000}CDEF\r\n",
            "\t0123\t4567\u{200B}89AB\u{FF0D}CDEF",
        ] {
            assert_eq!(ActivationCode::parse(typed).unwrap().0, code.0, "{typed}");
        }
        assert_eq!(ActivationCode::parse("0123").unwrap_err(), ActivationCodeError::Length);
        assert_eq!(ActivationCode::parse(&"0".repeat(27)).unwrap_err(), ActivationCodeError::Length);
        assert_eq!(ActivationCode::parse("U123456789abcdef").unwrap_err(), ActivationCodeError::Character);
        assert_eq!(ActivationCode::parse("é123456789abcdef").unwrap_err(), ActivationCodeError::Character);
        assert_eq!(code.reveal(), "0123-4567-89AB-CDEF");
    }

    #[test]
    fn drawn_codes_parse_and_differ() {
        let mut byte = 0u8;
        let mut source = |out: &mut [u8]| {
            for slot in out {
                byte = byte.wrapping_mul(5).wrapping_add(77);
                *slot = byte;
            }
        };
        let (one, two) = (ActivationCode::generate(&mut source), ActivationCode::generate_long(&mut source));
        assert_eq!(ActivationCode::parse(&one.reveal()).unwrap().0, one.0);
        assert_eq!(ActivationCode::parse(&two.reveal()).unwrap().0, two.0);
        let (server, other) = (ServerName::new("a").unwrap(), ServerName::new("b").unwrap());
        let name = UserName::new("alice").unwrap();
        assert_ne!(one.secret(&server, &name).expose(), one.secret(&other, &name).expose());
        assert_ne!(one.secret(&server, &name).expose(), two.secret(&server, &name).expose());
    }
    #[test]
    fn every_symbol_is_drawn_at_every_place_as_often_as_any_other() {
        assert_even(16, |random| ActivationCode::generate(random).0.as_bytes().to_vec());
        assert_even(26, |random| ActivationCode::generate_long(random).0.as_bytes().to_vec());
    }
}
