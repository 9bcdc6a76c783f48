//! The hash of this crate outside any suite: SHA-256, with HMAC (RFC 2104) and HKDF (RFC 5869) over it.
//!
//! A run of the protocol hashes with its suite. Everything else, such as the name of a stored request, a
//! cookie or the key of a file, is hashed here and does not depend on which suite a run has chosen.

use crate::id::Digest;
use crate::secret::Secret;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac as _};
use sha2::{Digest as _, Sha256};

/// Returns `SHA-256(parts)`, where `parts` are plainly concatenated: the caller sees to it that the
/// concatenation is unambiguous.
pub(crate) fn sha256(parts: &[&[u8]]) -> Digest {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    Digest(hasher.finalize().into())
}

/// Returns `HMAC-SHA-256(key, parts)`; `parts` as in [`sha256`].
pub(crate) fn hmac(key: &Secret, parts: &[&[u8]]) -> [u8; 32] {
    keyed(key.expose(), parts.iter().copied())
}

fn keyed<'a>(key: &[u8; 32], parts: impl Iterator<Item = &'a [u8]>) -> [u8; 32] {
    let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(key) else {
        unreachable!("HMAC takes a key of any length");
    };
    parts.for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// Returns `prf(key, label, info) = HMAC(key, label ‖ 0x00 ‖ info ‖ 0x01)`, which is HKDF-Expand to 32
/// bytes.
pub(crate) fn prf(key: &Secret, label: &[u8], info: &[u8]) -> Secret {
    Secret::new(hmac(key, &[label, &[0], info, &[1]]))
}

/// Returns `HKDF-Extract(salt, material)`, a pseudorandom key: `HMAC(salt, material)`, without the key
/// schedule that the `hkdf` crate makes of its result at once.
pub(crate) fn extract(salt: &[u8; 32], material: &[&Secret]) -> Secret {
    Secret::new(keyed(salt, material.iter().map(|secret| &secret.expose()[..])))
}

/// Fills `out`, at most 8160 bytes, with `HKDF-Expand(key, info)`.
pub(crate) fn expand(key: &Secret, info: &[&[u8]], out: &mut [u8]) {
    let expanded = Hkdf::<Sha256>::from_prk(key.expose()).map(|hkdf| hkdf.expand_multi_info(info, out));
    // Both steps fail for lengths alone, and the key has the right one. A caller that asks for more than
    // 8160 bytes must not go on with bytes that were never written.
    assert!(matches!(expanded, Ok(Ok(()))), "HKDF-Expand gives at most 8160 bytes");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        core::array::from_fn(|i| u8::from_str_radix(&text[i.saturating_mul(2)..][..2], 16).unwrap())
    }

    /// FIPS 180-2, B.1.
    #[test]
    fn sha256_known_answer() {
        let expected = hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(sha256(&[b"a", b"bc"]), Digest(expected));
    }

    /// RFC 4231, test case 1 (a key of 20 bytes 0x0b is the same as one zero-padded to 32).
    #[test]
    fn hmac_known_answer() {
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let expected = hex("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        assert_eq!(hmac(&Secret::new(key), &[b"Hi ", b"There"]), expected);
    }

    /// RFC 5869, A.1: Expand.
    #[test]
    fn hkdf_known_answer() {
        let prk = Secret::new(hex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"));
        let mut okm = [0; 42];
        expand(&prk, &[&hex::<5>("f0f1f2f3f4"), &hex::<5>("f5f6f7f8f9")], &mut okm);
        let expected: [u8; 42] =
            hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
        assert_eq!(okm, expected);
    }

    /// One byte more than RFC 5869 allows is a mistake of the caller, not thirty-two zeros.
    #[test]
    #[should_panic(expected = "at most 8160 bytes")]
    fn too_long_an_expansion_stops() {
        expand(&Secret::new([1; 32]), &[], &mut [0; 8161]);
    }
}
