//! Keys of a block cipher: DES parity, weak keys, and how two halves become one.

use super::{Cipher, Error};
use crate::random::RandomSource;
use alloc::vec::Vec;
use core::any::TypeId;
use core::fmt;
use des::{Des, TdesEde2, TdesEde3, TdesEee2, TdesEee3, weak_key_test};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// How often to draw before giving a random source up for broken: a fair one gives a weak DES key
/// once in 2^50 draws.
const DRAWS: usize = 8;

/// A key of the cipher `C`: a half, the shared key, or a session key SES.
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

    /// Takes a key that was stored or typed in: wrong parity is an error, as it was meant to be.
    ///
    /// # Errors
    /// [`Error::KeyParity`], or as [`Self::new`].
    pub fn import(stored: &[u8]) -> Result<Self, Error> {
        let key = Self::new(stored)?;
        if key.expose() == stored { Ok(key) } else { Err(Error::KeyParity) }
    }

    /// Draws a key: the first half SSK1 (step 110; claims 1b, 8b, 14c, 21c).
    ///
    /// # Errors
    /// [`Error::WeakKey`] when the random source gives nothing else.
    pub fn generate(random: &mut dyn RandomSource) -> Result<Self, Error> {
        let mut material = Zeroizing::new(alloc::vec![0; C::key_size()]);
        let mut draw = || {
            random.fill(&mut material);
            Self::new(&material)
        };
        (1..DRAWS).map(|_| draw()).find(Result::is_ok).unwrap_or(Err(Error::WeakKey))
    }

    /// The key that is the beginning of a number: SES.
    pub(super) fn of_number(number: &[u8]) -> Result<Self, Error> {
        Self::new(number.get(..C::key_size()).ok_or(Error::NumberLength)?)
    }

    pub(super) fn cipher(&self) -> C {
        C::new(&self.0)
    }

    /// The key's bytes.
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

/// Whether the rules of DES keys hold for `C`. Other ciphers have no such rules.
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

/// The lowest bit of each byte of a DES key makes the number of ones odd (FIPS 46-3).
const fn odd_parity(byte: u8) -> u8 {
    let upper = byte & 0xFE;
    upper | (upper.count_ones() as u8 & 1 ^ 1)
}

/// The "predetermined manner" in which the halves are combined (steps 170 and 200; claims 8g, 8j).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Combiner {
    /// Exclusive-or: both halves are as long as the key. Whoever comes second chooses the key.
    Xor,
    /// SSK1 first, SSK2 after it, and the key is of a cipher with longer keys: two DES halves make
    /// a two-key triple DES key.
    Concatenation,
}

impl Combiner {
    /// Length of SSK2 in bytes, where SSK1 is a key of `H` and the outcome one of `C`.
    ///
    /// # Errors
    /// [`Error::Combination`] when no length will do.
    pub fn second_len<H: Cipher, C: Cipher>(self) -> Result<usize, Error> {
        let (half, whole) = (H::key_size(), C::key_size());
        match self {
            Self::Xor if half == whole => Ok(whole),
            Self::Concatenation if half < whole => Ok(whole.saturating_sub(half)),
            _ => Err(Error::Combination),
        }
    }

    /// The shared key out of both halves (steps 170 and 200; claims 1f, 2, 8g, 8j, 14g, 15, 21h,
    /// 21k).
    ///
    /// # Errors
    /// [`Error::Combination`], or [`Error::WeakKey`] when the halves make one.
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

    /// Draws a second half SSK2 that makes a sound key with `ssk1`, and combines them (steps 150
    /// and 170; claims 8e, 21f).
    ///
    /// # Errors
    /// As [`Self::combine`]; [`Error::WeakKey`] when the random source gives nothing else.
    pub(super) fn second_half<H: Cipher, C: Cipher>(
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
