//! Fixed points that test suites and fuzz targets share: the hour, a random source, RSA keys.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

use halfkey::key::KemPrivateKey;
use halfkey::suite::{Suite, XWING};
use halfkey::{RandomSource, Secret, UnixTime};

/// Time at which every clock starts, in POSIX seconds.
pub const START: u64 = 1_800_000_000;
/// The same time.
pub const NOW: UnixTime = UnixTime::from_secs(START);

/// RSA keys that everybody has, PKCS#8 in PEM: no test waits for one to be made.
pub const TEST_KEYS: [&str; 2] =
    [include_str!("../data/test-key-rsa-2048-a.pem"), include_str!("../data/test-key-rsa-2048-b.pem")];

/// Returns one of the two RSA keys, so that a test encrypts the same in every run.
pub fn kem_key(which: usize) -> KemPrivateKey {
    KemPrivateKey::from_pkcs8_pem(TEST_KEYS[which]).unwrap()
}

/// Deterministic random source: block i is `HMAC-SHA-256(seed, u64(i))`, and every draw begins with a new
/// block.
pub struct Counting {
    seed: Secret,
    blocks: u64,
}

impl Counting {
    /// Creates a source whose seed is 32 times this byte.
    pub fn new(seed: u8) -> Self {
        Self { seed: Secret::new([seed; 32]), blocks: 0 }
    }

    /// Creates a source of its own for every text or number.
    pub fn of(seed: impl AsRef<[u8]>) -> Self {
        Self { seed: Secret::new(XWING.mac(&Secret::new([0; 32]), &[seed.as_ref()])), blocks: 0 }
    }
}

impl RandomSource for Counting {
    fn fill(&mut self, out: &mut [u8]) {
        for part in out.chunks_mut(32) {
            let block = XWING.mac(&self.seed, &[&self.blocks.to_be_bytes()]);
            self.blocks += 1;
            part.copy_from_slice(&block[..part.len()]);
        }
    }
}
