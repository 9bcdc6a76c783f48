//! Parts shared by RSA keys of all kinds: bounds on size and exponent, PKCS#8 and SPKI.

use super::{KeyError, MAX_ENCODED, MAX_RSA_BITS, MAX_RSA_EXPONENT, MIN_RSA_BITS, MIN_RSA_EXPONENT};
use crate::random::{Lent, RandomSource};
use alloc::vec::Vec;
use der::Decode;
use der::asn1::UintRef;
use pkcs8::{
    AlgorithmIdentifierRef, EncodePrivateKey, EncodePublicKey, PrivateKeyInfoRef, SubjectPublicKeyInfoRef,
};
use rsa::pkcs1::{ALGORITHM_ID, RsaPrivateKeyRef, RsaPublicKeyRef};
use zeroize::Zeroizing;

/// Bits of a public number.
fn bits(number: &UintRef<'_>) -> usize {
    // DER has no leading zero bytes, so only the first byte is partly filled.
    let spare = number.as_bytes().first().map_or(0, |first| first.leading_zeros() as usize);
    number.as_bytes().len().saturating_mul(8).saturating_sub(spare)
}

/// Refuses sizes and exponents that are weak or costly, before any arithmetic with them.
fn check(modulus: &UintRef<'_>, exponent: &UintRef<'_>) -> Result<(), KeyError> {
    check_bits(bits(modulus))?;
    let exponent = exponent.as_bytes();
    // No more bytes than the greatest has.
    if exponent.len() > 4 {
        return Err(KeyError::Exponent);
    }
    let exponent = exponent.iter().fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    if exponent % 2 == 1 && (MIN_RSA_EXPONENT..=MAX_RSA_EXPONENT).contains(&exponent) {
        Ok(())
    } else {
        Err(KeyError::Exponent)
    }
}

/// Accepts rsaEncryption with parameters NULL (RFC 3279, section 2.3.1).
fn check_algorithm(algorithm: &AlgorithmIdentifierRef<'_>) -> Result<(), KeyError> {
    match algorithm {
        _ if *algorithm == ALGORITHM_ID => Ok(()),
        _ if is_rsa(algorithm) => Err(KeyError::Malformed),
        _ => Err(KeyError::algorithm(algorithm, "RSA")),
    }
}

fn check_bits(bits: usize) -> Result<(), KeyError> {
    match bits {
        _ if bits < MIN_RSA_BITS => Err(KeyError::TooSmall { bits }),
        _ if bits > MAX_RSA_BITS => Err(KeyError::TooLarge { bits }),
        _ => Ok(()),
    }
}

/// A checked public key from a PKCS#1 `RSAPublicKey`.
pub(crate) fn public_from_pkcs1(der: &[u8]) -> Result<rsa::PublicKey, KeyError> {
    if der.len() > MAX_ENCODED {
        return Err(KeyError::TooLong);
    }
    let parts = RsaPublicKeyRef::from_der(der).map_err(|_| KeyError::Malformed)?;
    check(&parts.modulus, &parts.public_exponent)?;
    parts.try_into().map_err(|_| KeyError::Malformed)
}

/// A checked public key from an SPKI with the algorithm rsaEncryption.
pub(super) fn public_from_spki(der: &[u8]) -> Result<rsa::PublicKey, KeyError> {
    if der.len() > MAX_ENCODED {
        return Err(KeyError::TooLong);
    }
    let spki = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| KeyError::Malformed)?;
    check_algorithm(&spki.algorithm)?;
    public_from_pkcs1(spki.subject_public_key.as_bytes().ok_or(KeyError::Malformed)?)
}

pub(super) fn public_to_spki(key: &rsa::PublicKey) -> Result<Vec<u8>, KeyError> {
    Ok(key.to_public_key_der().map_err(|_| KeyError::Malformed)?.into_vec())
}

/// A checked private key from PKCS#8.
pub(super) fn private_from_pkcs8(der: &[u8]) -> Result<rsa::PrivateKey, KeyError> {
    if der.len() > MAX_ENCODED {
        return Err(KeyError::TooLong);
    }
    let info = PrivateKeyInfoRef::from_der(der).map_err(|_| KeyError::Malformed)?;
    check_algorithm(&info.algorithm)?;
    let parts = RsaPrivateKeyRef::from_der(info.private_key.as_bytes()).map_err(|_| KeyError::Malformed)?;
    check(&parts.modulus, &parts.public_exponent)?;
    parts.try_into().map_err(|_| KeyError::Malformed)
}

pub(super) fn private_to_pkcs8(key: &rsa::PrivateKey) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    Ok(key.to_pkcs8_der().map_err(|_| KeyError::Operation)?.to_bytes())
}

/// A new key pair with exponent 65537.
pub(super) fn generate(bits: usize, random: &mut dyn RandomSource) -> Result<rsa::PrivateKey, KeyError> {
    check_bits(bits)?;
    rsa::PrivateKey::new(&mut Lent(random), bits).map_err(|_| KeyError::Operation)
}

/// Returns whether `spki` names the algorithm rsaEncryption.
pub(super) fn is_rsa(algorithm: &AlgorithmIdentifierRef<'_>) -> bool {
    algorithm.oid == ALGORITHM_ID.oid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_have_a_longest_length() {
        for (length, error) in [(MAX_ENCODED, KeyError::Malformed), (MAX_ENCODED + 1, KeyError::TooLong)] {
            assert_eq!(public_from_pkcs1(&alloc::vec![0x30; length]).map(drop), Err(error), "{length}");
        }
    }

    #[test]
    fn bounds() {
        let modulus = |bits: usize| {
            let mut bytes = alloc::vec![0xFF; bits.div_ceil(8)];
            bytes[0] >>= (8 - bits % 8) % 8;
            bytes
        };
        let test = |bits: usize, exponent: &[u8]| {
            let modulus = modulus(bits);
            check(&UintRef::new(&modulus).unwrap(), &UintRef::new(exponent).unwrap())
        };
        assert_eq!(test(2047, &[1, 0, 1]), Err(KeyError::TooSmall { bits: 2047 }));
        assert_eq!(test(2048, &[1, 0, 1]), Ok(()));
        assert_eq!(test(8192, &[1, 0, 1]), Ok(()));
        assert_eq!(test(8193, &[1, 0, 1]), Err(KeyError::TooLarge { bits: 8193 }));
        assert_eq!(test(2048, &[0xFF; 4]), Ok(()));
        for exponent in [
            &[3][..],
            &[1, 0, 0],
            &[1, 0, 2],
            &[1, 0, 0, 0, 1],
            &[0xFF; 9],
            &[0],
            &[1, 0, 0, 0, 0, 0, 0, 1, 0, 1],
        ] {
            assert_eq!(test(2048, exponent), Err(KeyError::Exponent), "{exponent:?}");
        }
    }
}
