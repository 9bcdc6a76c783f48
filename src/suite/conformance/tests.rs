//! The suites of this crate conform, and each way to do wrong is found out.

use super::super::{Kem, KemError, SUITES, Suite, X25519};
use super::{SuiteFault, check};
use crate::aead::{Aead, SealBroken};
use crate::hash;
use crate::id::Digest;
use crate::policy::SuiteId;
use crate::random::{RandomSource, SystemRandom};
use crate::secret::Secret;
use alloc::boxed::Box;
use alloc::vec::Vec;

#[test]
fn every_suite_conforms() {
    for suite in SUITES {
        assert_eq!(check(*suite, &mut SystemRandom), Ok(()), "{:?}", suite.id());
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Flaw {
    None,
    HashSeesTheCut,
    HashIsConstant,
    MacSeesTheCut,
    MacIgnoresItsKey,
    MacIgnoresItsText,
    ExtractIsRandom,
    ExtractIgnoresItsSalt,
    ExtractIgnoresTheFirst,
    ExtractIgnoresTheLast,
    ExpandIgnoresItsKey,
    ExpandIgnoresItsLabel,
    ExpandSeesTheCut,
    ExpandDependsOnTheLength,
    ExpandIsNotTheMac,
    SealHidesNothing,
    SealIgnoresItsKey,
    SealIgnoresItsNonce,
    SealIgnoresItsAad,
    OpenIgnoresTheTag,
    OpenNeverOpens,
    KemSidesDiffer,
    KemKeyOfAnotherLength,
    KemCiphertextOfAnotherLength,
    KemDrawsNoKey,
    KemDrawsNoSecret,
    KemOpensForEverybody,
    KemTakesShortKeys,
    KemTakesLongKeys,
    KemTakesNoKey,
    KemTakesShortCiphertexts,
    KemTakesLongCiphertexts,
}

use Flaw::*;

#[test]
fn each_flaw_is_found() {
    use SuiteFault::{Digest, Expand, Kem, KemLength, Seal};
    assert_eq!(check(&Flawed(None), &mut SystemRandom), Ok(()));
    for (fault, flaws) in [
        (Digest, &[HashSeesTheCut, HashIsConstant, MacSeesTheCut, MacIgnoresItsKey, MacIgnoresItsText][..]),
        (Digest, &[ExtractIsRandom, ExtractIgnoresItsSalt, ExtractIgnoresTheFirst, ExtractIgnoresTheLast]),
        (Expand, &[ExpandIgnoresItsKey, ExpandIgnoresItsLabel, ExpandSeesTheCut]),
        (Expand, &[ExpandDependsOnTheLength, ExpandIsNotTheMac]),
        (Seal, &[SealHidesNothing, SealIgnoresItsKey, SealIgnoresItsNonce, SealIgnoresItsAad]),
        (Seal, &[OpenIgnoresTheTag, OpenNeverOpens]),
        (Kem, &[KemSidesDiffer, KemKeyOfAnotherLength, KemCiphertextOfAnotherLength]),
        (Kem, &[KemDrawsNoKey, KemDrawsNoSecret, KemOpensForEverybody]),
        (KemLength, &[KemTakesShortKeys, KemTakesLongKeys, KemTakesNoKey]),
        (KemLength, &[KemTakesShortCiphertexts, KemTakesLongCiphertexts]),
    ] {
        for flaw in flaws {
            assert_eq!(check(&Flawed(*flaw), &mut SystemRandom), Err(fault), "{flaw:?}");
        }
    }
}

/// Suite 1 with one flaw.
struct Flawed(Flaw);

/// The parts with each one's length before it, so that the cut shows.
fn cut(parts: &[&[u8]]) -> Vec<u8> {
    parts.iter().flat_map(|part| [&[part.len() as u8], *part].concat()).collect()
}

impl Suite for Flawed {
    fn id(&self) -> SuiteId {
        SuiteId::Private(0xFF00)
    }

    fn kem(&self) -> &'static dyn Kem {
        Box::leak(Box::new(FlawedKem(self.0)))
    }

    fn hash(&self, parts: &[&[u8]]) -> Digest {
        match self.0 {
            HashSeesTheCut => hash::sha256(&[&cut(parts)]),
            HashIsConstant => hash::sha256(&[]),
            _ => hash::sha256(parts),
        }
    }

    fn mac(&self, key: &Secret, parts: &[&[u8]]) -> [u8; 32] {
        match self.0 {
            MacSeesTheCut => hash::hmac(key, &[&cut(parts)]),
            MacIgnoresItsKey => hash::hmac(&Secret::absent(), parts),
            MacIgnoresItsText => hash::hmac(key, &[]),
            _ => hash::hmac(key, parts),
        }
    }

    fn extract(&self, salt: &[u8; 32], material: &[&Secret]) -> Secret {
        match (self.0, material) {
            (ExtractIsRandom, _) => Secret::new(crate::random::draw(&mut SystemRandom)),
            (ExtractIgnoresItsSalt, _) => hash::extract(&[0; 32], material),
            (ExtractIgnoresTheFirst, [_, rest @ ..]) | (ExtractIgnoresTheLast, [rest @ .., _]) => {
                hash::extract(salt, rest)
            }
            _ => hash::extract(salt, material),
        }
    }

    fn expand(&self, key: &Secret, info: &[&[u8]], out: &mut [u8]) {
        match self.0 {
            ExpandIgnoresItsKey => hash::expand(&Secret::absent(), info, out),
            ExpandIgnoresItsLabel => hash::expand(key, &[], out),
            ExpandSeesTheCut => hash::expand(key, &[&cut(info)], out),
            ExpandDependsOnTheLength => hash::expand(key, &[&[out.len() as u8], &info.concat()], out),
            ExpandIsNotTheMac => hash::expand(key, &[b"x", &info.concat()], out),
            _ => hash::expand(key, info, out),
        }
    }

    fn aead(&self, key: &Secret) -> Box<dyn Aead> {
        let absent = Secret::absent();
        let key = if self.0 == SealIgnoresItsKey { &absent } else { key };
        Box::new(FlawedAead(self.0, X25519.aead(key)))
    }
}

struct FlawedAead(Flaw, Box<dyn Aead>);

impl FlawedAead {
    fn seen<'a>(&self, nonce: &'a [u8; 12], aad: &'a [u8]) -> (&'a [u8; 12], &'a [u8]) {
        match self.0 {
            SealIgnoresItsNonce => (&[0; 12], aad),
            SealIgnoresItsAad => (nonce, &[]),
            _ => (nonce, aad),
        }
    }
}

impl Aead for FlawedAead {
    fn seal(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8]) -> [u8; 16] {
        let (nonce, aad) = self.seen(nonce, aad);
        let plain = text.to_vec();
        let tag = self.1.seal(nonce, aad, text);
        if self.0 == SealHidesNothing {
            text.copy_from_slice(&plain);
        }
        tag
    }

    fn open(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8], tag: &[u8; 16]) -> Result<(), SealBroken> {
        let (nonce, aad) = self.seen(nonce, aad);
        match self.0 {
            OpenNeverOpens => Err(SealBroken),
            SealHidesNothing => {
                let mut again = text.to_vec();
                if self.1.seal(nonce, aad, &mut again) == *tag { Ok(()) } else { Err(SealBroken) }
            }
            OpenIgnoresTheTag => {
                let _ = self.1.seal(nonce, aad, text); // counter mode: sealing twice opens
                Ok(())
            }
            _ => self.1.open(nonce, aad, text, tag),
        }
    }
}

struct FlawedKem(Flaw);

/// `bytes` cut or filled up to `length`.
fn fitted(bytes: &[u8], length: usize) -> Vec<u8> {
    let mut fitted = bytes.to_vec();
    fitted.resize(length, 0);
    fitted
}

impl FlawedKem {
    /// What the KEM below is given, where this one takes what it should refuse.
    fn taken(&self, bytes: &[u8], short: Flaw, long: Flaw) -> Vec<u8> {
        let takes = match bytes.len() {
            0 => self.0 == KemTakesNoKey && short == KemTakesShortKeys,
            1..32 => self.0 == short,
            32 => false,
            _ => self.0 == long,
        };
        if takes { fitted(if bytes.is_empty() { &[9] } else { bytes }, 32) } else { bytes.to_vec() }
    }
}

impl Kem for FlawedKem {
    fn public_key_len(&self) -> usize {
        if self.0 == KemKeyOfAnotherLength { 33 } else { 32 }
    }

    fn ciphertext_len(&self) -> usize {
        if self.0 == KemCiphertextOfAnotherLength { 33 } else { 32 }
    }

    fn generate(&self, random: &mut dyn RandomSource) -> (Secret, Vec<u8>) {
        let mut constant = |out: &mut [u8]| out.fill(7);
        X25519.kem().generate(if self.0 == KemDrawsNoKey { &mut constant } else { random })
    }

    fn encapsulate(
        &self,
        public: &[u8],
        random: &mut dyn RandomSource,
    ) -> Result<(Vec<u8>, Secret), KemError> {
        let mut constant = |out: &mut [u8]| out.fill(7);
        let random: &mut dyn RandomSource = if self.0 == KemDrawsNoSecret { &mut constant } else { random };
        let public = self.taken(public, KemTakesShortKeys, KemTakesLongKeys);
        let (ciphertext, secret) = X25519.kem().encapsulate(&public, random)?;
        match self.0 {
            KemSidesDiffer => Ok((ciphertext, Secret::new([1; 32]))),
            KemOpensForEverybody => {
                let secret = Secret::new(*hash::sha256(&[&ciphertext]).as_bytes());
                Ok((ciphertext, secret))
            }
            _ => Ok((ciphertext, secret)),
        }
    }

    fn decapsulate(&self, private: &Secret, ciphertext: &[u8]) -> Result<Secret, KemError> {
        let ciphertext = self.taken(ciphertext, KemTakesShortCiphertexts, KemTakesLongCiphertexts);
        let secret = X25519.kem().decapsulate(private, &ciphertext)?;
        if self.0 == KemOpensForEverybody {
            return Ok(Secret::new(*hash::sha256(&[&ciphertext]).as_bytes()));
        }
        Ok(secret)
    }
}
