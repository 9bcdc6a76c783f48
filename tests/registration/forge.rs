//! R2 as the holder of SSK1 can seal it, with any text.

use crate::applicant::Applicant;
use crate::distort::{bstr, content, with};
use halfkey::port::Token;
use halfkey::record::InFlight;
use halfkey::schedule::Ssk1Use;
use halfkey::suite::{Suite, XWING};
use halfkey::{Digest, Secret};

/// A key and nonce of the schedule, made here from PROTOCOL.md alone.
pub(crate) struct Sealing {
    key: Secret,
    nonce: [u8; 12],
    transcript: Digest,
}

impl Sealing {
    /// k2 of a run that the token holds.
    pub(crate) fn of<T: Token>(applicant: &mut Applicant<T>, half: &InFlight) -> Self {
        let p_b = applicant.token.derive_from_ssk1(&half.txn, Ssk1Use::Request, &half.transcript).unwrap();
        Self::request(&half.transcript, &p_b, &half.ss_e)
    }

    pub(crate) fn request(transcript: &Digest, p_b: &Secret, ss_e: &Secret) -> Self {
        Self::new("request", transcript, p_b, ss_e)
    }

    /// k3.
    pub(crate) fn outcome(transcript: &Digest, p_g: &Secret, ss_e: &Secret) -> Self {
        Self::new("outcome", transcript, p_g, ss_e)
    }

    fn new(which: &str, transcript: &Digest, p: &Secret, ss_e: &Secret) -> Self {
        let prk = XWING.extract(transcript.as_bytes(), &[p, ss_e]);
        let (mut key, mut nonce) = ([0; 32], [0; 12]);
        XWING.expand(&prk, &[format!("halfkey/1 {which} key\0").as_bytes()], &mut key);
        XWING.expand(&prk, &[format!("halfkey/1 {which} nonce\0").as_bytes()], &mut nonce);
        Self { key: Secret::new(key), nonce, transcript: *transcript }
    }

    /// The padded text of an R2.
    pub(crate) fn open(&self, r2: &[u8]) -> Vec<u8> {
        self.try_open(r2).unwrap()
    }

    pub(crate) fn try_open(&self, r2: &[u8]) -> Option<Vec<u8>> {
        opened(&self.key, &self.nonce, self.transcript.as_bytes(), &content(r2, 2))
    }

    /// The same R2 with another padded text.
    pub(crate) fn seal(&self, r2: &[u8], padded: Vec<u8>) -> Vec<u8> {
        with(r2, 2, bstr(&self.sealed(padded)))
    }

    pub(crate) fn sealed(&self, mut padded: Vec<u8>) -> Vec<u8> {
        let tag = XWING.aead(&self.key).seal(&self.nonce, self.transcript.as_bytes(), &mut padded);
        padded.extend_from_slice(&tag);
        padded
    }

    /// The same R2 with another text, padded as it should be.
    pub(crate) fn seal_text(&self, r2: &[u8], text: &[u8]) -> Vec<u8> {
        let mut padded = u32::try_from(text.len()).unwrap().to_be_bytes().to_vec();
        padded.extend_from_slice(text);
        padded.resize(padded.len().next_multiple_of(256), 0);
        self.seal(r2, padded)
    }
}

/// Opens a sealed text with its tag at the end.
pub(crate) fn opened(key: &Secret, nonce: &[u8; 12], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (text, tag) = sealed.split_last_chunk()?;
    let mut text = text.to_vec();
    XWING.aead(key).open(nonce, aad, &mut text, tag).ok()?;
    Some(text)
}

/// The text in a padded one.
pub(crate) fn text(padded: &[u8]) -> &[u8] {
    let length = u32::from_be_bytes(*padded.first_chunk().unwrap()) as usize;
    &padded[4..4 + length]
}
