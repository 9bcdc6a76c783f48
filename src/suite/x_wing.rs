//! X-Wing (draft-connolly-cfrg-xwing-kem-10): X25519 and ML-KEM-768, as an ephemeral KEM.

use super::{Kem, KemError};
use crate::random::{Purpose, RandomSource};
use crate::secret::Secret;
use alloc::vec::Vec;
use x_wing::{
    Ciphertext, DecapsulationKey, DecapsulationKeyRejectNonContrib, Decapsulator, ENCAPSULATION_KEY_SIZE,
    Encapsulate, EncapsulationKey, KeyExport, TryDecapsulate,
};

/// X-Wing. A private key is its 32-byte seed; an X25519 part that does not contribute is refused.
pub(super) struct XWingKem;

impl Kem for XWingKem {
    fn public_key_len(&self) -> usize {
        ENCAPSULATION_KEY_SIZE
    }

    fn ciphertext_len(&self) -> usize {
        x_wing::CIPHERTEXT_SIZE
    }

    fn generate(&self, random: &mut dyn RandomSource) -> (Secret, Vec<u8>) {
        let seed = Secret::random_for(random, Purpose::Kem);
        let public = DecapsulationKey::from(*seed.expose()).encapsulation_key().to_bytes().to_vec();
        (seed, public)
    }

    fn encapsulate(
        &self,
        public: &[u8],
        random: &mut dyn RandomSource,
    ) -> Result<(Vec<u8>, Secret), KemError> {
        let public = EncapsulationKey::try_from(public).map_err(|_| KemError)?;
        let (ciphertext, shared) = public.encapsulate_with_rng(&mut crate::random::Lent(random));
        Ok((ciphertext.to_vec(), Secret::new(shared.into())))
    }

    fn decapsulate(&self, private: &Secret, ciphertext: &[u8]) -> Result<Secret, KemError> {
        let ciphertext = Ciphertext::try_from(ciphertext).map_err(|_| KemError)?;
        let private = DecapsulationKeyRejectNonContrib::from(*private.expose());
        private.try_decapsulate(&ciphertext).map(|shared| Secret::new(shared.into())).map_err(|_| KemError)
    }
}
