//! Keys of a block cipher: DES parity, weak keys, and the combination of SSK1 and SSK2.

use super::{Cipher, Error};
use crate::random::RandomSource;
use alloc::vec::Vec;
use core::any::TypeId;
use core::fmt;
use des::{Des, TdesEde2, TdesEde3, TdesEee2, TdesEee3, weak_key_test};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Number of draws before a random source counts as broken. A fair source gives a weak DES key once in 2^50
/// draws.
const DRAWS: usize = 8;

/// Key of the cipher `C`: SSK1, the shared key, or a session key SES.
///
/// DES and triple DES keys have odd parity in every byte and are none of the 64 weak, semi-weak and
/// possibly weak keys; the parts of a triple key all differ. Erased from memory when dropped.
pub struct Key<C: Cipher>(cipher::Key<C>);

impl<C: Cipher> Key<C> {
    /// Takes key material of exactly the cipher's key length; sets the parity of DES keys.
    ///
    /// # Errors
    /// [`Error::KeyLength`] or [`Error::WeakKey`].
    pub fn new(material: &[u8]) -> Result<Self, Error> {
        let mut key = Self(cipher::Key::<C>::try_from(material).map_err(|_| Error::KeyLength)?);
        if is_des::<C>() {
            key.0.iter_mut().for_each(|byte| *byte = odd_parity(*byte));
            weak_key_test(&key.0).map_err(|_| Error::WeakKey)?;
        }
        Ok(key)
    }

    /// Takes a key that was stored or typed in. Unlike [`Self::new`] it refuses wrong parity, which shows a
    /// damaged key.
    ///
    /// # Errors
    /// [`Error::KeyParity`], or as [`Self::new`].
    pub fn import(stored: &[u8]) -> Result<Self, Error> {
        let key = Self::new(stored)?;
        if key.expose() == stored { Ok(key) } else { Err(Error::KeyParity) }
    }

    /// Draws a key: SSK1 (step 110; claims 1b, 8b, 14c, 21c).
    ///
    /// # Errors
    /// [`Error::WeakKey`] when the random source gives nothing but weak keys.
    pub fn generate(random: &mut dyn RandomSource) -> Result<Self, Error> {
        let mut material = Zeroizing::new(alloc::vec![0; C::key_size()]);
        let mut draw = || {
            random.fill(&mut material);
            Self::new(&material)
        };
        (1..DRAWS).map(|_| draw()).find(Result::is_ok).unwrap_or(Err(Error::WeakKey))
    }

    /// Takes the beginning of a number as a key: SES.
    pub(super) fn of_number(number: &[u8]) -> Result<Self, Error> {
        Self::new(number.get(..C::key_size()).ok_or(Error::NumberLength)?)
    }

    pub(super) fn cipher(&self) -> C {
        C::new(&self.0)
    }

    /// Returns the bytes of the key.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl<C: Cipher> Clone for Key<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C: Cipher> Drop for Key<C> {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

impl<C: Cipher> ZeroizeOnDrop for Key<C> {}

impl<C: Cipher> ConstantTimeEq for Key<C> {
    fn ct_eq(&self, other: &Self) -> subtle::Choice {
        self.expose().ct_eq(other.expose())
    }
}

impl<C: Cipher> fmt::Debug for Key<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Returns true if the rules of DES keys hold for `C`. Other ciphers have no such rules.
fn is_des<C: 'static>() -> bool {
    let family = [
        TypeId::of::<Des>(),
        TypeId::of::<TdesEde2>(),
        TypeId::of::<TdesEde3>(),
        TypeId::of::<TdesEee2>(),
        TypeId::of::<TdesEee3>(),
    ];
    family.contains(&TypeId::of::<C>())
}

/// Sets the lowest bit of a byte of a DES key so that the number of ones is odd (FIPS 46-3).
const fn odd_parity(byte: u8) -> u8 {
    let upper = byte & 0xFE;
    upper | (upper.count_ones() as u8 & 1 ^ 1)
}

/// "Predetermined manner" in which SSK1 and SSK2 are combined (steps 170 and 200; claims 8g, 8j).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Combiner {
    /// Exclusive-or: both contributions are as long as the key. The party that contributes second chooses the
    /// key.
    Xor,
    /// SSK1 followed by SSK2, as a key of a cipher with longer keys: two DES keys make a two-key triple DES
    /// key.
    Concatenation,
}

impl Combiner {
    /// Returns the length of SSK2 in bytes, where SSK1 is a key of `H` and the outcome is a key of `C`.
    ///
    /// # Errors
    /// [`Error::Combination`] when no length fits.
    pub fn second_len<H: Cipher, C: Cipher>(self) -> Result<usize, Error> {
        let (half, whole) = (H::key_size(), C::key_size());
        match self {
            Self::Xor if half == whole => Ok(whole),
            Self::Concatenation if half < whole => Ok(whole.saturating_sub(half)),
            _ => Err(Error::Combination),
        }
    }

    /// Combines SSK1 and SSK2 to the shared key (steps 170 and 200; claims 1f, 2, 8g, 8j, 14g, 15, 21h,
    /// 21k).
    ///
    /// # Errors
    /// [`Error::Combination`], or [`Error::WeakKey`] when the combination is a weak key.
    pub fn combine<H: Cipher, C: Cipher>(self, ssk1: &Key<H>, ssk2: &[u8]) -> Result<Key<C>, Error> {
        if ssk2.len() != self.second_len::<H, C>()? {
            return Err(Error::Combination);
        }
        let material = Zeroizing::new(match self {
            Self::Xor => super::cipher::xor(ssk1.expose(), ssk2),
            Self::Concatenation => [ssk1.expose(), ssk2].concat(),
        });
        Key::new(&material)
    }

    /// Draws an SSK2 that makes a sound key with `ssk1`, and combines both (steps 150 and 170; claims 8e, 21f).
    ///
    /// # Errors
    /// As [`Self::combine`]; [`Error::WeakKey`] when the random source gives nothing but weak keys.
    pub(super) fn draw_second<H: Cipher, C: Cipher>(
        self,
        ssk1: &Key<H>,
        random: &mut dyn RandomSource,
    ) -> Result<(Zeroizing<Vec<u8>>, Key<C>), Error> {
        let mut ssk2 = Zeroizing::new(alloc::vec![0; self.second_len::<H, C>()?]);
        for _ in 0..DRAWS {
            random.fill(&mut ssk2);
            match self.combine(ssk1, &ssk2) {
                Ok(key) => return Ok((ssk2, key)),
                Err(Error::WeakKey) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::WeakKey)
    }
}
