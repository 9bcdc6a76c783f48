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
    /// Hash, MAC, extract or expand depends on how its input is cut, or ignores some of it.
    #[error("a digest depends on how its input is cut, or ignores part of it")]
    Digest,
    /// A longer expansion does not begin with the shorter, or labels do not separate.
    #[error("expansion does not separate labels")]
    Expand,
    /// A sealed text does not open, or opens after a change.
    #[error("a seal does not hold")]
    Seal,
    /// The KEM's two sides do not agree, or its lengths are not those stated.
    #[error("the KEM's two sides do not agree")]
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
    let key = Secret::new([7; 32]);

    ensure(suite.hash(&[b"ab", b"c"]) == suite.hash(&[b"a", b"bc"]), SuiteFault::Digest)?;
    ensure(suite.hash(&[b"abc"]) != suite.hash(&[b"abd"]), SuiteFault::Digest)?;
    ensure(suite.mac(&key, &[b"ab", b"c"]) == suite.mac(&key, &[b"abc"]), SuiteFault::Digest)?;
    ensure(suite.mac(&key, &[b"abc"]) != suite.mac(&Secret::new([8; 32]), &[b"abc"]), SuiteFault::Digest)?;
    let extracted = |salt: u8, last: u8| suite.extract(&[salt; 32], &[&key, &Secret::new([last; 32])]);
    ensure(bool::from(extracted(1, 1).ct_eq(&extracted(1, 1))), SuiteFault::Digest)?;
    ensure(!bool::from(extracted(1, 1).ct_eq(&extracted(2, 1))), SuiteFault::Digest)?;
    ensure(!bool::from(extracted(1, 1).ct_eq(&extracted(1, 2))), SuiteFault::Digest)?;

    let (mut short, mut long, mut other) = ([0; 32], [0; 160], [0; 32]);
    suite.expand(&key, &[b"a"], &mut short);
    suite.expand(&key, &[b"a"], &mut long);
    suite.expand(&key, &[b"b"], &mut other);
    ensure(long.starts_with(&short) && short != other, SuiteFault::Expand)?;
    ensure(
        super::prf(suite, &key, b"a", b"b").expose() == &suite.mac(&key, &[b"a\0b\x01"]),
        SuiteFault::Expand,
    )?;

    seals(suite, &key)?;
    encapsulates(suite, random)
}

fn seals(suite: &dyn Suite, key: &Secret) -> Result<(), SuiteFault> {
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
    let holds = opens(&[0; 12], b"aad", sealed.clone())
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
    let cut = |bytes: &[u8]| bytes.split_last().map_or(Vec::new(), |(_, rest)| rest.to_vec());
    let (_, again) = kem.encapsulate(&public, random).map_err(|KemError| SuiteFault::Kem)?;
    if bool::from(ours.ct_eq(&again)) {
        return Err(SuiteFault::Kem);
    }
    let refuses = kem.encapsulate(&cut(&public), random).is_err()
        && kem.decapsulate(&private, &cut(&ciphertext)).is_err()
        && kem.encapsulate(&[], random).is_err();
    if refuses { Ok(()) } else { Err(SuiteFault::KemLength) }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    #[test]
    fn every_suite_conforms() {
        for suite in super::super::SUITES {
            assert_eq!(super::check(*suite, &mut crate::random::SystemRandom), Ok(()), "{:?}", suite.id());
        }
    }
}
