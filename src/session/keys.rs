//! The key schedule of a session: its transcripts, and SES out of the shared key and both numbers.
//!
//! ```text
//! thC ─ N_c, pk_e ─ thR ─ tag_c, x ─ thA      d = K_derive over thA ─┐
//!                                                             ss_e ─┴ Extract thA ─ SES
//! ```

use crate::id::Digest;
use crate::secret::Secret;
use crate::suite::Suite;
use crate::transcript::{Item, label, transcript};
use zeroize::Zeroizing;

/// `thC = T("challenge"; S0, core of S1)`.
pub(super) fn challenge(suite: &dyn Suite, open: &[u8], core: &[u8]) -> Digest {
    transcript(suite, b"challenge", [Item::Message(open), Item::Message(core)])
}

/// `thR = T("response"; thC, N_c, pk_e)`; pk_e is empty in mode `psk`.
pub(super) fn response(suite: &dyn Suite, th_c: &Digest, n_c: &[u8; 32], pk_e: &[u8]) -> Digest {
    transcript(suite, b"response", [Item::Transcript(th_c), Item::Fresh(n_c), Item::Kem(pk_e)])
}

/// `thA = T("accept"; thR, tag_c, x)`.
pub(super) fn accept(suite: &dyn Suite, th_r: &Digest, tag_c: &[u8; 32], x: &[u8]) -> Digest {
    transcript(suite, b"accept", [Item::Transcript(th_r), Item::Tag(tag_c), Item::Kem(x)])
}

/// SES (patent step 340): everything that a session's key is cut into.
pub(super) struct SessionKeys {
    accept: Secret,
    /// Seals what the token sends.
    pub(super) t2s: Secret,
    /// Seals what the server sends.
    pub(super) s2t: Secret,
    /// Makes keys for other protocols.
    pub(super) exporter: Secret,
    /// The session's public name.
    pub(super) session_id: [u8; 32],
}

impl SessionKeys {
    /// `SES = Expand(Extract(thA, d ‖ ss_e), "session key", 160)`, cut into five.
    pub(super) fn derive(suite: &dyn Suite, th_a: &Digest, d: &Secret, ss_e: &Secret) -> Self {
        let prk = suite.extract(th_a, &[d, ss_e]);
        let mut ses = Zeroizing::new([0; 160]);
        suite.expand(&prk, &[label::SESSION_KEY, &[0]], ses.as_mut());
        let (parts, _) = ses.as_chunks::<32>();
        let mut parts = parts.iter().copied();
        // 160 bytes are five parts, so no part is ever made up.
        let mut next = || parts.next().unwrap_or_default();
        Self {
            accept: Secret::new(next()),
            t2s: Secret::new(next()),
            s2t: Secret::new(next()),
            exporter: Secret::new(next()),
            session_id: next(),
        }
    }

    /// `tag_s = HMAC(k_accept, "accept" ‖ thA)`: the server's proof, under the session key.
    pub(super) fn tag_s(&self, suite: &dyn Suite, th_a: &Digest) -> [u8; 32] {
        suite.mac(&self.accept, &[label::ACCEPT, &[0], th_a.as_bytes()])
    }
}
