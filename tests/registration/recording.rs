//! A private suite that is X-Wing's and notes every pair of key and nonce that seals.

use halfkey::policy::{SuiteId, SuiteList};
use halfkey::port::auth_server::{Decapsulated, Encapsulated, OfferMaterial};
use halfkey::port::{AuthServer, AuthServerError};
use halfkey::suite::{Aead, Kem, SealBroken, Suite, XWING};
use halfkey::{Digest, Secret, UnixTime};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Mutex;

pub(crate) const PRIVATE: u16 = 0xFF01;

pub(crate) struct Recording;

pub(crate) static RECORDED: &[&dyn Suite] = &[&Recording, &XWING];

/// Suites of a server that registers in the private suite and opens sessions in X-Wing.
pub(crate) static SPOKEN: &[&dyn Suite] = &[&Recording, &XWING];

type Seals = BTreeMap<([u8; 32], [u8; 12]), (Digest, usize)>;

thread_local! {
    static SEALS: RefCell<Seals> = RefCell::default();
    static REUSED: Cell<usize> = const { Cell::new(0) };
}

/// Forgets what this thread has sealed.
pub(crate) fn begin() {
    SEALS.with_borrow_mut(BTreeMap::clear);
    REUSED.set(0);
}

/// Returns the number of texts sealed since. No two used the same key and nonce.
pub(crate) fn all_under_their_own_key() -> usize {
    assert_eq!(REUSED.get(), 0, "one pair of key and nonce sealed two texts");
    SEALS.with_borrow(BTreeMap::len)
}

impl Suite for Recording {
    fn id(&self) -> SuiteId {
        SuiteId::Private(PRIVATE)
    }
    fn kem(&self) -> &'static dyn Kem {
        XWING.kem()
    }
    fn aead(&self, key: &Secret) -> Box<dyn Aead> {
        Box::new(RecordingAead { inner: XWING.aead(key), key: *key.expose() })
    }
}

struct RecordingAead {
    inner: Box<dyn Aead>,
    key: [u8; 32],
}

impl Aead for RecordingAead {
    fn seal(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8]) -> [u8; 16] {
        let digest = XWING.hash(&[aad, text]);
        SEALS.with_borrow_mut(|seals| {
            let noted = seals.entry((self.key, *nonce)).or_insert((digest, 0));
            noted.1 += 1;
            if noted.0 != digest {
                REUSED.set(REUSED.get() + 1);
            }
        });
        self.inner.seal(nonce, aad, text)
    }

    fn open(&self, nonce: &[u8; 12], aad: &[u8], text: &mut [u8], tag: &[u8; 16]) -> Result<(), SealBroken> {
        self.inner.open(nonce, aad, text, tag)
    }
}

/// An authentication server that speaks the private suite with the keys of another's X-Wing, and
/// remembers what it has decapsulated.
pub(crate) struct RecordingServer<'s> {
    pub(crate) inner: &'s dyn AuthServer,
    pub(crate) opened: Mutex<Vec<Decapsulated>>,
}

impl<'s> RecordingServer<'s> {
    pub(crate) fn new(inner: &'s dyn AuthServer) -> Self {
        Self { inner, opened: Mutex::default() }
    }
}

impl AuthServer for RecordingServer<'_> {
    fn offer_material(&self, suites: &SuiteList, now: UnixTime) -> Result<OfferMaterial, AuthServerError> {
        if !suites.contains(SuiteId::Private(PRIVATE)) {
            return self.inner.offer_material(suites, now);
        }
        let offer_material = self.inner.offer_material(&SuiteList::only(SuiteId::XWing), now)?;
        Ok(OfferMaterial { suite: SuiteId::Private(PRIVATE), ..offer_material })
    }

    fn sign_offer(&self, certificate: &Digest, transcript: &Digest) -> Result<[u8; 64], AuthServerError> {
        self.inner.sign_offer(certificate, transcript)
    }

    fn decapsulate(&self, sealed: &Encapsulated, now: UnixTime) -> Result<Decapsulated, AuthServerError> {
        let suite = if let SuiteId::Private(_) = sealed.suite { SuiteId::XWing } else { sealed.suite };
        let mut sealed = sealed.clone();
        sealed.suite = suite;
        let opened = self.inner.decapsulate(&sealed, now)?;
        self.opened.lock().unwrap().push(opened.clone());
        Ok(opened)
    }
}
