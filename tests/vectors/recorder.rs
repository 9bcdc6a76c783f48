//! A random source that is fixed and written down, and suites that write down every call.

use halfkey::policy::SuiteId;
use halfkey::suite::{Aead, Kem, SealBroken, Suite};
use halfkey::{Digest, RandomSource, Secret};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

/// Block i of a party's stream is `HMAC-SHA-256(seed, u64(i))`; every draw begins with a new block
/// and leaves the rest of its last block unused.
#[derive(Clone)]
pub(crate) struct Party(Arc<Mutex<Stream>>);

#[derive(Clone)]
pub(crate) struct Stream {
    seed: [u8; 32],
    blocks: u64,
    drawn: Vec<Vec<u8>>,
}

impl Party {
    pub(crate) fn new(seed: u8) -> Self {
        Self(Arc::new(Mutex::new(Stream { seed: [seed; 32], blocks: 0, drawn: Vec::new() })))
    }

    /// Begins the stream of another seed.
    pub(crate) fn restart(&self, seed: u8) {
        *self.0.lock().unwrap() = Stream { seed: [seed; 32], blocks: 0, drawn: Vec::new() };
    }

    pub(crate) fn seed(&self) -> [u8; 32] {
        self.0.lock().unwrap().seed
    }

    /// The stream as it stands, for [`Self::restore`].
    pub(crate) fn save(&self) -> Stream {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn restore(&self, saved: Stream) {
        *self.0.lock().unwrap() = saved;
    }

    /// Takes the draws since the last call.
    pub(crate) fn drawn(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.0.lock().unwrap().drawn)
    }
}

impl RandomSource for Party {
    fn fill(&mut self, out: &mut [u8]) {
        let mut stream = self.0.lock().unwrap();
        for part in out.chunks_mut(32) {
            let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&stream.seed).unwrap();
            mac.update(&stream.blocks.to_be_bytes());
            part.copy_from_slice(&mac.finalize().into_bytes()[..part.len()]);
            stream.blocks += 1;
        }
        stream.drawn.push(out.to_vec());
    }
}

/// One call of a primitive, with everything that went in and came out.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Call {
    Hash { input: Vec<u8>, out: Vec<u8> },
    Mac { key: Vec<u8>, input: Vec<u8>, out: Vec<u8> },
    Extract { salt: Vec<u8>, material: Vec<u8>, out: Vec<u8> },
    Expand { key: Vec<u8>, info: Vec<u8>, out: Vec<u8> },
    Seal { key: Vec<u8>, nonce: Vec<u8>, aad: Vec<u8>, text: Vec<u8>, sealed: Vec<u8> },
}

/// The label or transcript name that the call is made for.
impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, input) = match self {
            Self::Hash { input, .. } => ("hash", input),
            Self::Mac { input, .. } => ("mac", input),
            Self::Extract { salt, .. } => ("extract", salt),
            Self::Expand { info, .. } => ("expand", info),
            Self::Seal { aad, .. } => ("seal", aad),
        };
        let label = input.split(|byte| *byte == 0).next().unwrap_or_default();
        write!(f, "{kind} {:?} {}", String::from_utf8_lossy(label), hex(input))
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A suite of the crate's that writes down every call, whichever side makes it.
pub(crate) struct Recorder {
    inner: &'static dyn Suite,
    calls: Arc<Mutex<BTreeSet<Call>>>,
}

impl Recorder {
    /// Steps want suites that live as long as the program.
    pub(crate) fn leak(inner: &'static dyn Suite) -> &'static Self {
        Box::leak(Box::new(Self { inner, calls: Arc::default() }))
    }

    /// Takes the calls since the last call of this method.
    pub(crate) fn calls(&self) -> BTreeSet<Call> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    fn note(&self, call: Call) {
        self.calls.lock().unwrap().insert(call);
    }
}

impl Suite for Recorder {
    fn id(&self) -> SuiteId {
        self.inner.id()
    }

    fn kem(&self) -> &'static dyn Kem {
        self.inner.kem()
    }

    fn hash(&self, parts: &[&[u8]]) -> Digest {
        let out = self.inner.hash(parts);
        self.note(Call::Hash { input: parts.concat(), out: out.as_bytes().to_vec() });
        out
    }

    fn mac(&self, key: &Secret, parts: &[&[u8]]) -> [u8; 32] {
        let out = self.inner.mac(key, parts);
        self.note(Call::Mac { key: key.expose().to_vec(), input: parts.concat(), out: out.to_vec() });
        out
    }

    fn extract(&self, salt: &[u8; 32], material: &[&Secret]) -> Secret {
        let out = self.inner.extract(salt, material);
        let material = material.iter().flat_map(|secret| *secret.expose()).collect();
        let (salt, made) = (salt.to_vec(), out.expose().to_vec());
        self.note(Call::Extract { salt, material, out: made });
        out
    }

    fn expand(&self, key: &Secret, info: &[&[u8]], out: &mut [u8]) {
        self.inner.expand(key, info, out);
        let key = key.expose().to_vec();
        self.note(Call::Expand { key, info: info.concat(), out: out.to_vec() });
    }

    fn aead(&self, key: &Secret) -> Box<dyn Aead> {
        let inner = self.inner.aead(key);
        Box::new(RecordedAead { inner, key: key.expose().to_vec(), calls: Arc::clone(&self.calls) })
    }
}

struct RecordedAead {
    inner: Box<dyn Aead>,
    key: Vec<u8>,
    calls: Arc<Mutex<BTreeSet<Call>>>,
}

impl RecordedAead {
    fn note(&self, nonce: &[u8; 12], aad: &[u8], text: &[u8], sealed: [&[u8]; 2]) {
        self.calls.lock().unwrap().insert(Call::Seal {
            key: self.key.clone(),
            nonce: nonce.to_vec(),
            aad: aad.to_vec(),
            text: text.to_vec(),
            sealed: sealed.concat(),
        });
    }
}

impl Aead for RecordedAead {
    fn seal(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8]) -> [u8; 16] {
        let plain = text.to_vec();
        let tag = self.inner.seal(nonce, aad, text);
        self.note(nonce, aad, &plain, [text, &tag]);
        tag
    }

    fn open(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8], tag: &[u8; 16]) -> Result<(), SealBroken> {
        let sealed = text.to_vec();
        self.inner.open(nonce, aad, text, tag)?;
        self.note(nonce, aad, text, [&sealed, tag]);
        Ok(())
    }
}
