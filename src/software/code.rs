//! The unblocking code, which unlocks a token whose PIN is forgotten or blocked.

use crate::base32;
use crate::random::{RandomSource, draw};
use core::fmt;
use core::str::FromStr;
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

const LEN: usize = 16;

/// Unblocking code: 16 characters of Crockford's base 32, which are 80 random bits. It cannot be guessed,
/// so tries are not counted. [`UnblockingCode::reveal`] shows it once, to be printed and put away.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct UnblockingCode([u8; LEN]);

/// The user's: the text is not 16 characters of the code's alphabet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an unblocking code has 16 letters and digits")]
pub struct UnblockingCodeError;

impl UnblockingCode {
    pub(super) fn generate(random: &mut dyn RandomSource) -> Self {
        let drawn: Zeroizing<[u8; LEN]> = Zeroizing::new(draw(random));
        let mut code = Self([0; LEN]);
        for (symbol, byte) in code.0.iter_mut().zip(drawn.iter()) {
            *symbol = base32::symbol(*byte);
        }
        code
    }

    /// Returns the code in groups of four: `XXXX-XXXX-XXXX-XXXX`.
    #[must_use]
    pub fn reveal(&self) -> Zeroizing<alloc::string::String> {
        let mut text = alloc::string::String::with_capacity(LEN.saturating_add(3));
        for (place, symbol) in self.0.iter().enumerate() {
            if place > 0 && place % 4 == 0 {
                text.push('-');
            }
            text.push(char::from(*symbol));
        }
        Zeroizing::new(text)
    }

    pub(super) const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for UnblockingCode {
    type Err = UnblockingCodeError;

    /// Reads a code that a person typed or pasted: either case, dashes, white space and invisible characters
    /// anywhere, O for 0, I and L for 1.
    fn from_str(typed: &str) -> Result<Self, UnblockingCodeError> {
        let mut code = Self([0; LEN]);
        let mut places = code.0.iter_mut();
        for symbol in base32::symbols(typed) {
            let symbol = symbol.ok_or(UnblockingCodeError)?;
            *places.next().ok_or(UnblockingCodeError)? = symbol;
        }
        if places.next().is_some() { Err(UnblockingCodeError) } else { Ok(code) }
    }
}

impl fmt::Debug for UnblockingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnblockingCode(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::tests::assert_even;

    #[test]
    fn what_a_person_types() {
        let mut n = 0;
        let code = UnblockingCode::generate(&mut |out: &mut [u8]| {
            out.iter_mut().for_each(|byte| {
                *byte = n;
                n += 1;
            });
        });
        assert_eq!(code.reveal().as_str(), "0123-4567-89AB-CDEF");
        for typed in [
            "0123-4567-89AB-CDEF",
            "oi23456789abcdef",
            " 0L23 4567 89ab cdef",
            "0123\u{2013}4567\u{2011}89AB\u{A0}CDEF\n",
            "\t0123\u{2212}4567\u{200B}89AB\u{3000}CDEF\r\n",
        ] {
            assert_eq!(typed.parse::<UnblockingCode>().map(|code| code.0), Ok(code.0), "{typed}");
        }
        for typed in ["", "0123-4567-89AB-CDE", "0123-4567-89AB-CDEF0", "0123-4567-89AB-CDEU", "é"] {
            assert!(typed.parse::<UnblockingCode>().is_err(), "{typed}");
        }
        assert_eq!(alloc::format!("{code:?}"), "UnblockingCode(..)");
    }
    #[test]
    fn every_symbol_is_drawn_at_every_place_as_often_as_any_other() {
        assert_even(LEN, |random| UnblockingCode::generate(random).as_bytes().to_vec());
    }
}
