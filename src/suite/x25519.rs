//! DHKEM(X25519, HKDF-SHA256) of RFC 9180, section 4.1, as an ephemeral KEM.

use super::{Kem, KemError};
use crate::hash;
use crate::random::{Purpose, RandomSource};
use crate::secret::Secret;
use alloc::vec::Vec;
use x25519_dalek::{PublicKey, StaticSecret};

/// DHKEM(X25519, HKDF-SHA256). A private key is the 32 bytes that X25519 clamps; an all-zero
/// shared point is refused on both sides (RFC 9180, section 7.1.4).
pub(super) struct DhKem;

/// `"HPKE-v1" ‖ "KEM" ‖ 0x0020`, in front of every label.
const SUITE: &[u8] = b"HPKE-v1KEM\x00\x20";

impl Kem for DhKem {
    fn public_key_len(&self) -> usize {
        32
    }

    fn ciphertext_len(&self) -> usize {
        32
    }

    fn generate(&self, random: &mut dyn RandomSource) -> (Secret, Vec<u8>) {
        let private = Secret::random_for(random, Purpose::Kem);
        let public = PublicKey::from(&StaticSecret::from(*private.expose()));
        (private, public.as_bytes().to_vec())
    }

    fn encapsulate(
        &self,
        public: &[u8],
        random: &mut dyn RandomSource,
    ) -> Result<(Vec<u8>, Secret), KemError> {
        let (ephemeral, enc) = self.generate(random);
        let shared = shared(&ephemeral, public, &enc, public)?;
        Ok((enc, shared))
    }

    fn decapsulate(&self, private: &Secret, ciphertext: &[u8]) -> Result<Secret, KemError> {
        let public = PublicKey::from(&StaticSecret::from(*private.expose()));
        shared(private, ciphertext, ciphertext, public.as_bytes())
    }
}

/// `ExtractAndExpand(DH(ours, theirs), enc ‖ pkR)`.
fn shared(ours: &Secret, theirs: &[u8], enc: &[u8], receiver: &[u8]) -> Result<Secret, KemError> {
    let theirs: [u8; 32] = theirs.try_into().map_err(|_| KemError)?;
    let dh = StaticSecret::from(*ours.expose()).diffie_hellman(&PublicKey::from(theirs));
    if !dh.was_contributory() {
        return Err(KemError);
    }
    // LabeledExtract with an empty salt is HMAC under a zero key.
    let prk = Secret::new(hash::hmac(&Secret::absent(), &[SUITE, b"eae_prk", dh.as_bytes()]));
    let mut out = [0; 32];
    hash::expand(&prk, &[&[0, 32], SUITE, b"shared_secret", enc, receiver], &mut out);
    Ok(Secret::new(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> [u8; 32] {
        core::array::from_fn(|i| u8::from_str_radix(&text[i.saturating_mul(2)..][..2], 16).unwrap())
    }

    /// RFC 9180, A.1.1.
    #[test]
    fn known_answer() {
        let enc = hex("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431");
        let receiver = Secret::new(hex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8"));
        let expected = hex("fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc");
        assert_eq!(DhKem.decapsulate(&receiver, &enc).unwrap().expose(), &expected);

        let ephemeral = hex("52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736");
        let public = hex("3948cfe0ad1ddb695d780e59077195da6c56506b027329794ab02bca80815c4d");
        let mut source = |out: &mut [u8]| out.copy_from_slice(&ephemeral);
        let (ciphertext, shared) = DhKem.encapsulate(&public, &mut source).unwrap();
        assert_eq!((ciphertext.as_slice(), shared.expose()), (enc.as_slice(), &expected));
    }
}
