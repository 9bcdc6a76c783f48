//! The key schedule of a session: the tags are its chain (PROTOCOL.md, sections 9.3 and 9.4).
//!
//! ```text
//! thC, N_c, P ─ K_auth ─ tag_c ─┐
//!                            X ─┴ K_derive ─ d ─┐
//!                                         ss_e ─┴ (Extract) ─ prk ─ SES = tag_s, keys, session id, exporter
//! ```

use crate::id::Digest;
use crate::schedule::KeyUse;
use crate::secret::Secret;
use crate::suite::Suite;
use crate::transcript::{Item, label, transcript};
use zeroize::Zeroizing;

/// `thC = T("challenge"; S0, core of S1)`.
pub(super) fn challenge(suite: &dyn Suite, open: &[u8], core: &[u8]) -> Digest {
    transcript(suite, b"challenge", [Item::Message(open), Item::Message(core)])
}

/// The use that gives tag_c: over `thC ‖ N_c ‖ P`, where P is `H(pk_e)`, or zeros in mode `psk`.
pub(super) fn response(suite: &dyn Suite, th_c: &Digest, n_c: &[u8; 32], pk_e: Option<&[u8]>) -> KeyUse {
    let public = pk_e.map_or([0; 32], |pk_e| suite.hash(&[pk_e]).0);
    KeyUse::Response(joined([&th_c.0, n_c, &public]))
}

/// The use that gives d: over `tag_c ‖ X`, where X is what [`contribution`] makes of x.
pub(super) fn session(tag_c: &[u8; 32], contribution: &[u8; 32]) -> KeyUse {
    KeyUse::Session(joined([tag_c, contribution]))
}

/// The parts one after the other.
fn joined<const PARTS: usize, const LEN: usize>(parts: [&[u8; 32]; PARTS]) -> [u8; LEN] {
    const { assert!(PARTS * 32 == LEN) };
    let mut all = [0; LEN];
    for (slot, part) in all.as_chunks_mut::<32>().0.iter_mut().zip(parts) {
        *slot = *part;
    }
    all
}

/// X of a KEM's ciphertext: `H(x)`. In mode `psk` X is x itself.
pub(super) fn contribution(suite: &dyn Suite, x: &[u8]) -> [u8; 32] {
    suite.hash(&[x]).0
}

/// SES (patent step 340): everything that a session's key is cut into.
pub(super) struct SessionKeys {
    /// The server's proof.
    pub(super) tag_s: [u8; 32],
    /// Seals what the server sends.
    pub(super) s2t: Secret,
    /// Seals what the token sends.
    pub(super) t2s: Secret,
    /// The rest of SES.
    pub(super) later: Later,
}

impl SessionKeys {
    /// The first 96 bytes of `SES = Expand(prk, "session key", 160)`. prk is `Extract(d, ss_e)`, or d itself
    /// where there is no ss_e.
    pub(super) fn derive(suite: &'static dyn Suite, d: &Secret, ss_e: Option<&Secret>) -> Self {
        let prk = match ss_e {
            Some(ss_e) => suite.extract(d.expose(), &[ss_e]),
            None => d.clone(),
        };
        let [tag_s, s2t, t2s] = expand(suite, &prk);
        let [s2t, t2s] = [s2t, t2s].map(|part| Secret::new(*part));
        Self { tag_s: *tag_s, s2t, t2s, later: Later::Unmade(suite, prk) }
    }
}

/// The last 64 bytes of SES. Expand makes its output in order, so they can wait until they are asked for.
#[derive(Clone)]
pub(super) enum Later {
    /// prk. As long as the first keys of both directions are held, it gives nothing that they do not.
    Unmade(&'static dyn Suite, Secret),
    Made {
        /// The session's public name.
        session_id: [u8; 32],
        /// Makes keys for other protocols.
        exporter: Secret,
    },
}

impl Later {
    /// Session id and exporter.
    pub(super) fn made(&self) -> ([u8; 32], Secret) {
        match self {
            Self::Made { session_id, exporter } => (*session_id, exporter.clone()),
            Self::Unmade(suite, prk) => {
                let [_, _, _, session_id, exporter] = expand(*suite, prk);
                (*session_id, Secret::new(*exporter))
            }
        }
    }

    /// Makes them and forgets prk: before the first change of keys, because from then on prk would open
    /// what was sealed before it.
    pub(super) fn settle(&mut self) {
        if matches!(self, Self::Unmade(..)) {
            let (session_id, exporter) = self.made();
            *self = Self::Made { session_id, exporter };
        }
    }
}

/// The first N parts of SES.
fn expand<const N: usize>(suite: &dyn Suite, prk: &Secret) -> [Zeroizing<[u8; 32]>; N] {
    const { assert!(N <= 5) };
    let mut ses = Zeroizing::new([0; 160]);
    if let Some(wanted) = ses.get_mut(..N.saturating_mul(32)) {
        suite.expand(prk, &[label::SESSION_KEY, &[0]], wanted);
    }
    let mut parts = ses.as_chunks::<32>().0.iter();
    core::array::from_fn(|_| Zeroizing::new(parts.next().copied().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::KeySet;
    use crate::suite::X25519;

    fn hex(text: &str) -> [u8; 32] {
        core::array::from_fn(|i| u8::from_str_radix(&text[i.saturating_mul(2)..][..2], 16).unwrap())
    }

    /// Computed by a program that shares no code with this crate.
    #[test]
    fn psk_kem_known_answer() {
        let th_c = Digest(hex("f3576113a5064bfb31c657c7d2f5a5794458dc1c658717a5e456124bec74cbad"));
        let n_c = hex("a67b6cb3b5c9ac93a8bdede07d0830df3e763eda3117f20b0460a88728ada975");
        let [auth, derive] = [
            "73f747988488c80c58c2780d79d305d2418364b2fff4fc3354b2bbdcbfb1708e",
            "e16ac6259cf2d80764a27691e7560b7a92e95443c2c1b01730aed03791d3cd14",
        ]
        .map(|key| Secret::new(hex(key)));
        let keys = KeySet::from_stored(auth, derive, Secret::absent(), Secret::absent());

        let tag_c = *keys.derive(&X25519, &response(&X25519, &th_c, &n_c, Some(&[0x11; 32]))).expose();
        assert_eq!(tag_c, hex("d1b9cdf0f92ff8453fe2b410d1ab73741569b165d9e9db41ca972b63a32e2258"));
        let d = keys.derive(&X25519, &session(&tag_c, &contribution(&X25519, &[0x22; 32])));
        assert_eq!(*d.expose(), hex("37e499ac4a7e13d2ec22c107a8de30b002d3ffd3c3bc556254adbb12232735ef"));
        let ses = SessionKeys::derive(&X25519, &d, Some(&Secret::new([0x33; 32])));
        assert_eq!(ses.tag_s, hex("9f29d8afd5671c7109be7c4a1d7aa061da8246eb4cad7bbcc64eee138aa9dbc8"));
    }
}
