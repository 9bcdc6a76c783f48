//! Conformance tests that the author of a suite runs.

use super::{KemError, Suite};
use crate::aead;
use crate::random::RandomSource;
use crate::secret::Secret;
use alloc::vec::Vec;
use subtle::ConstantTimeEq;
use thiserror::Error;

/// The clause of the contract that a suite breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SuiteFault {
    /// Hash, MAC or extract depends on how its input is cut, or ignores some of it.
    #[error("a digest depends on how its input is cut, or ignores part of it")]
    Digest,
    /// A longer expansion does not begin with the shorter, keys or labels do not separate, or the cut matters; or
    /// an expansion to 32 bytes is not the MAC of the label and a byte 1 (RFC 5869, section 2.3).
    #[error("expansion does not separate keys and labels, or is not made of the MAC")]
    Expand,
    /// A sealed text does not open, or opens after a change.
    #[error("a seal does not hold")]
    Seal,
    /// The KEM's two sides do not agree, a third agrees with them, nothing new is drawn, or its lengths are not
    /// those stated.
    #[error("the KEM's two sides do not agree, or others do")]
    Kem,
    /// The KEM accepts keys or ciphertexts of a wrong length.
    #[error("the KEM takes what it should refuse")]
    KemLength,
}

/// Runs the contract.
///
/// # Errors
/// The first [`SuiteFault`] found.
pub fn check(suite: &dyn Suite, random: &mut dyn RandomSource) -> Result<(), SuiteFault> {
    let ensure = |holds: bool, fault: SuiteFault| if holds { Ok(()) } else { Err(fault) };
    let (key, other_key) = (Secret::new([7; 32]), Secret::new([8; 32]));

    ensure(suite.hash(&[b"ab", b"c"]) == suite.hash(&[b"a", b"bc"]), SuiteFault::Digest)?;
    ensure(suite.hash(&[b"abc"]) != suite.hash(&[b"abd"]), SuiteFault::Digest)?;
    ensure(suite.mac(&key, &[b"ab", b"c"]) == suite.mac(&key, &[b"abc"]), SuiteFault::Digest)?;
    ensure(suite.mac(&key, &[b"abc"]) != suite.mac(&key, &[b"abd"]), SuiteFault::Digest)?;
    ensure(suite.mac(&key, &[b"abc"]) != suite.mac(&other_key, &[b"abc"]), SuiteFault::Digest)?;
    let extracted = |salt: u8, first: u8, last: u8| {
        suite.extract(&[salt; 32], &[&Secret::new([first; 32]), &Secret::new([last; 32])])
    };
    ensure(bool::from(extracted(1, 1, 1).ct_eq(&extracted(1, 1, 1))), SuiteFault::Digest)?;
    ensure(!bool::from(extracted(1, 1, 1).ct_eq(&extracted(2, 1, 1))), SuiteFault::Digest)?;
    ensure(!bool::from(extracted(1, 1, 1).ct_eq(&extracted(1, 2, 1))), SuiteFault::Digest)?;
    ensure(!bool::from(extracted(1, 1, 1).ct_eq(&extracted(1, 1, 2))), SuiteFault::Digest)?;

    let expanded = |key: &Secret, info: &[&[u8]]| {
        let mut out = [0; 32];
        suite.expand(key, info, &mut out);
        out
    };
    let (short, mut long) = (expanded(&key, &[b"a\0b"]), [0; 160]);
    suite.expand(&key, &[b"a\0b"], &mut long);
    let separate = short != expanded(&key, &[b"a\0c"]) && short != expanded(&other_key, &[b"a\0b"]);
    ensure(long.starts_with(&short) && separate, SuiteFault::Expand)?;
    ensure(expanded(&key, &[b"a", b"\0b"]) == short, SuiteFault::Expand)?;
    ensure(super::prf(suite, &key, b"a", b"b").expose() == &short, SuiteFault::Expand)?;

    seals(suite, &key, &other_key)?;
    encapsulates(suite, random)
}

fn seals(suite: &dyn Suite, key: &Secret, other_key: &Secret) -> Result<(), SuiteFault> {
    let mut sealed = Vec::from(*b"text");
    let aead = suite.aead(key);
    aead::seal(&*aead, &[0; 12], b"aad", &mut sealed);
    if sealed.len() != 20 || sealed.starts_with(b"text") {
        return Err(SuiteFault::Seal);
    }
    let opens = |nonce: &[u8; 12], aad: &[u8], mut text: Vec<u8>| {
        aead::open(&*aead, nonce, aad, &mut text).is_ok() && text == b"text"
    };
    let flipped = |at: usize| {
        let mut copy = sealed.clone();
        if let Some(byte) = copy.get_mut(at) {
            *byte ^= 1;
        }
        copy
    };
    let others = suite.aead(other_key);
    let holds = opens(&[0; 12], b"aad", sealed.clone())
        && aead::open(&*others, &[0; 12], b"aad", &mut sealed.clone()).is_err()
        && !opens(&[1; 12], b"aad", sealed.clone())
        && !opens(&[0; 12], b"dad", sealed.clone())
        && (0..sealed.len()).all(|at| !opens(&[0; 12], b"aad", flipped(at)))
        && !opens(&[0; 12], b"aad", Vec::new());
    if holds { Ok(()) } else { Err(SuiteFault::Seal) }
}

fn encapsulates(suite: &dyn Suite, random: &mut dyn RandomSource) -> Result<(), SuiteFault> {
    let kem = suite.kem();
    let (private, public) = kem.generate(random);
    let (ciphertext, ours) = kem.encapsulate(&public, random).map_err(|KemError| SuiteFault::Kem)?;
    let theirs = kem.decapsulate(&private, &ciphertext).map_err(|KemError| SuiteFault::Kem)?;
    let lengths = public.len() == kem.public_key_len() && ciphertext.len() == kem.ciphertext_len();
    if !lengths || !bool::from(ours.ct_eq(&theirs)) {
        return Err(SuiteFault::Kem);
    }
    let (_, again) = kem.encapsulate(&public, random).map_err(|KemError| SuiteFault::Kem)?;
    let (other_private, other_public) = kem.generate(random);
    let strangers = kem.decapsulate(&other_private, &ciphertext);
    let secret =
        !bool::from(ours.ct_eq(&again)) && strangers.is_ok_and(|other| !bool::from(ours.ct_eq(&other)));
    if !secret || other_public == public {
        return Err(SuiteFault::Kem);
    }
    let cut = |bytes: &[u8]| bytes.split_last().map_or(Vec::new(), |(_, rest)| rest.to_vec());
    let longer = |bytes: &[u8]| [bytes, &[0]].concat();
    let refuses = [cut(&public), longer(&public), Vec::new()]
        .iter()
        .all(|public| kem.encapsulate(public, random).is_err())
        && [cut(&ciphertext), longer(&ciphertext), Vec::new()]
            .iter()
            .all(|ciphertext| kem.decapsulate(&private, ciphertext).is_err());
    if refuses { Ok(()) } else { Err(SuiteFault::KemLength) }
}

#[cfg(all(test, feature = "std"))]
mod tests;
