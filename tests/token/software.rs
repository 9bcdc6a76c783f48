//! The software token's PIN, its file and its limits.

use super::{anchors, load, pin, server_key, software};
use halfkey::certificate::{AnchorError, IssuerName, TrustAnchor, TrustAnchors};
use halfkey::key::{IssuerKey, KemPublicKey};
use halfkey::policy::{Policy, SuiteId};
use halfkey::port::token::JoinRequest;
use halfkey::port::{Token, TokenError};
use halfkey::record::{Attempt, Progress, ProofKey, TokenRegistration, Waiting};
use halfkey::schedule::{KeyContext, KeySet, KeyUse, Ssk1Use};
use halfkey::software::{PinSettings, SoftwareToken, UnblockError};
use halfkey::suite::XWING;
use halfkey::template::{Field, FieldKind, Form, Template};
use halfkey::{
    AccessPath, Digest, KeyId, RandomSource, Secret, ServerName, SystemRandom, TicketId, Txn, UnixTime,
    UserId,
};
use std::sync::{Arc, Mutex};

/// A token that is written to a file by each change and read from it before each call.
pub(crate) struct Restarting {
    file: Arc<Mutex<Vec<u8>>>,
}

impl Restarting {
    pub(crate) fn new() -> Self {
        Self { file: Arc::new(Mutex::new(software().0.save())) }
    }
    fn token(&self) -> SoftwareToken {
        let file = Arc::clone(&self.file);
        let bytes = file.lock().unwrap().clone();
        let token = load(&bytes).unwrap();
        let mut token = token.saved_by(move |bytes| {
            *file.lock().unwrap() = bytes.into();
            Ok(())
        });
        token.unlock(&pin("1234")).unwrap();
        token
    }
}

impl Token for Restarting {
    fn anchors(&self) -> Result<TrustAnchors, TokenError> {
        self.token().anchors()
    }
    fn wrap(&mut self, txn: &Txn, suite: SuiteId, server_key: &KemPublicKey) -> Result<Vec<u8>, TokenError> {
        self.token().wrap(txn, suite, server_key)
    }
    fn derive_from_ssk1(
        &mut self,
        txn: &Txn,
        wanted: Ssk1Use,
        transcript: &Digest,
    ) -> Result<Secret, TokenError> {
        self.token().derive_from_ssk1(txn, wanted, transcript)
    }
    fn save_attempt(&mut self, attempt: Attempt) -> Result<(), TokenError> {
        self.token().save_attempt(attempt)
    }
    fn attempts(&self) -> Result<Vec<Attempt>, TokenError> {
        self.token().attempts()
    }
    fn abandon(&mut self, txn: &Txn) -> Result<(), TokenError> {
        self.token().abandon(txn)
    }
    fn join(&mut self, join: &JoinRequest) -> Result<[u8; 32], TokenError> {
        self.token().join(join)
    }
    fn derive(&mut self, key_id: &KeyId, question: &KeyUse) -> Result<Secret, TokenError> {
        self.token().derive(key_id, question)
    }
    fn registrations(&self) -> Result<Vec<TokenRegistration>, TokenError> {
        self.token().registrations()
    }
    fn update(&mut self, registration: &TokenRegistration) -> Result<(), TokenError> {
        self.token().update(registration)
    }
    fn remove(&mut self, key_id: &KeyId) -> Result<(), TokenError> {
        self.token().remove(key_id)
    }
}

pub(crate) fn number(n: u16) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&n.to_be_bytes());
    bytes
}

pub(crate) fn register(token: &mut SoftwareToken, n: u16) -> Result<[u8; 32], TokenError> {
    renew(token, n, Progress::Active, None)
}

pub(crate) fn renew(
    token: &mut SoftwareToken,
    n: u16,
    progress: Progress,
    supersedes: Option<KeyId>,
) -> Result<[u8; 32], TokenError> {
    let (txn, ssk2, transcript) = (Txn::new([1; 16]), Secret::new([2; 32]), Digest::new([3; 32]));
    let ct = token.wrap(&txn, SuiteId::XWing, server_key().public())?;
    let ssk1 = server_key().decapsulate(&ct, &Secret::absent(), &mut SystemRandom);
    let registration = TokenRegistration {
        key_id: KeyId::new(number(n)),
        server_name: ServerName::new("gate.example").unwrap(),
        certificate: Digest::new([4; 32]),
        certificate_end: UnixTime::from_secs(4_000_000_000),
        anchor: Digest::new([5; 32]),
        user_id: UserId::new("u-1").unwrap(),
        access_path: AccessPath::new("/").unwrap(),
        suite: SuiteId::XWing,
        policy: Policy::default(),
        alias: None,
        progress,
        supersedes,
        configurations: Vec::new(),
        clock_floor: UnixTime::from_secs(0),
        not_active: None,
    };
    let context = KeyContext {
        certificate: &registration.certificate,
        server_name: &registration.server_name,
        user_id: &registration.user_id,
        key_id: &registration.key_id,
    };
    let absent = Secret::absent();
    let keys = KeySet::join(&XWING, &ssk1, &ssk2, &transcript, &absent, &absent, &context);
    let tag_s = *keys.derive(&XWING, &KeyUse::Grant(transcript)).expose();
    token.join(&JoinRequest::new(txn, transcript, ssk2, absent, ProofKey::None, tag_s, registration))
}

pub(crate) fn form() -> Form {
    let template = Template::new(vec![Field::required("name", FieldKind::UserName)]).unwrap();
    template.fill([("name", "ann".into())]).unwrap()
}

pub(crate) fn waiting(n: u16) -> Attempt {
    Attempt::Waiting(Waiting {
        txn: Txn::new(number(n)),
        server_name: ServerName::new("gate.example").unwrap(),
        ticket_id: TicketId::new(number(n)),
        ticket: Secret::new([0xEE; 32]),
        form: form(),
        renews: None,
        replaces: None,
        retry: halfkey::Period::new(UnixTime::from_secs(0), 1),
        hold: halfkey::Period::new(UnixTime::from_secs(0), 2),
    })
}

#[test]
fn a_locked_token_answers_nothing() {
    let (mut token, _) = software();
    register(&mut token, 1).unwrap();
    token.lock();
    assert!(token.is_locked());
    let (txn, key, digest) = (Txn::new([1; 16]), KeyId::new(number(1)), Digest::new([0; 32]));
    let locked = Some(TokenError::Locked);
    assert_eq!(token.anchors().err(), locked);
    assert_eq!(token.wrap(&txn, SuiteId::XWing, server_key().public()).err(), locked);
    assert_eq!(token.derive_from_ssk1(&txn, Ssk1Use::Request, &digest).err(), locked);
    assert_eq!(token.save_attempt(waiting(1)).err(), locked);
    assert_eq!(token.attempts().err(), locked);
    assert_eq!(token.abandon(&txn).err(), locked);
    assert_eq!(token.derive(&key, &KeyUse::Response([0; 96])).err(), locked);
    assert_eq!(token.registrations().err(), locked);
    assert_eq!(token.remove(&key).err(), locked);
    token.unlock(&pin("1234")).unwrap();
    assert_eq!(token.registrations().unwrap().len(), 1);
    assert!(token.derive(&key, &KeyUse::Response([0; 96])).is_ok());
}

#[test]
fn wrong_pins_block_and_the_unblocking_code_helps() {
    let (mut token, code) = software();
    register(&mut token, 1).unwrap();
    token.lock();
    assert_eq!(token.unlock(&pin("12")), Err(TokenError::UnfitPin));
    for tries_left in [4, 3] {
        assert_eq!(token.unlock(&pin("0000")), Err(TokenError::WrongPin { tries_left }));
    }
    token.unlock(&pin("1234")).unwrap();
    // Tries are all there again, and are lost as well by guessing at the old PIN to change it.
    for tries_left in [4, 3, 2, 1] {
        assert_eq!(token.change_pin(&pin("0000"), &pin("5678")), Err(TokenError::WrongPin { tries_left }));
    }
    assert!(!token.is_locked());
    assert_eq!(token.change_pin(&pin("0000"), &pin("5678")), Err(TokenError::Blocked));
    assert!(token.is_locked(), "a blocked token is locked");
    assert_eq!(token.unlock(&pin("1234")), Err(TokenError::Blocked));
    let mut token = load(&token.save()).unwrap();
    assert_eq!(token.unlock(&pin("1234")), Err(TokenError::Blocked), "a restart gives no tries back");

    let wrong = "0000-0000-0000-0000".parse().unwrap();
    assert_eq!(token.unblock(&wrong, &pin("5678")), Err(UnblockError::WrongCode));
    assert_eq!(token.unblock(&code, &pin("567")), Err(UnblockError::Token(TokenError::UnfitPin)));
    let typed = code.reveal().to_lowercase().replace('-', " ");
    token.unblock(&typed.parse().unwrap(), &pin("5678")).unwrap();
    assert_eq!(token.registrations().unwrap().len(), 1);
    token.lock();
    assert_eq!(token.unlock(&pin("1234")), Err(TokenError::WrongPin { tries_left: 4 }));
    token.unlock(&pin("5678")).unwrap();
    token.change_pin(&pin("5678"), &pin("a longer one")).unwrap();
    token.lock();
    token.unlock(&pin("a longer one")).unwrap();
}

#[test]
fn a_try_is_saved_before_it_is_made() {
    let file = Arc::new(Mutex::new(Vec::new()));
    let (mut token, _) = software();
    *file.lock().unwrap() = token.save();
    for _ in 0..5 {
        let bytes = file.lock().unwrap().clone();
        let into = Arc::clone(&file);
        // The power goes at the first write: the try is counted all the same.
        let mut writes = 0;
        let mut token = load(&bytes).unwrap().saved_by(move |bytes| {
            writes += 1;
            if writes == 1 {
                *into.lock().unwrap() = bytes.into();
                Ok(())
            } else {
                Err(5)
            }
        });
        assert_eq!(token.unlock(&pin("1234")), Err(TokenError::Device(5)));
    }
    let bytes = file.lock().unwrap().clone();
    let mut token = load(&bytes).unwrap();
    assert_eq!(token.unlock(&pin("1234")), Err(TokenError::Blocked));
}

#[test]
fn what_cannot_be_saved_has_not_happened() {
    let fail = Arc::new(Mutex::new(false));
    let failing = Arc::clone(&fail);
    let (token, _) = software();
    let mut token = token.saved_by(move |_| if *failing.lock().unwrap() { Err(28) } else { Ok(()) });
    register(&mut token, 1).unwrap();
    *fail.lock().unwrap() = true;
    assert_eq!(register(&mut token, 2), Err(TokenError::Device(28)));
    assert_eq!(token.save_attempt(waiting(1)), Err(TokenError::Device(28)));
    assert_eq!(token.remove(&KeyId::new(number(1))), Err(TokenError::Device(28)));
    assert_eq!(token.change_pin(&pin("1234"), &pin("5678")), Err(TokenError::Device(28)));
    *fail.lock().unwrap() = false;
    assert_eq!((token.registrations().unwrap().len(), token.attempts().unwrap().len()), (1, 0));
    token.unlock(&pin("1234")).unwrap();
}

#[test]
fn no_secret_is_in_the_clear() {
    // Every random byte of the token is 0xA5, and so are its keys.
    let random = || Box::new(|out: &mut [u8]| out.fill(0xA5)) as Box<dyn RandomSource + Send>;
    let (mut token, _) =
        SoftwareToken::new(anchors(), &pin("1234"), PinSettings::for_tests(), random()).unwrap();
    token.wrap(&Txn::new([1; 16]), SuiteId::XWing, server_key().public()).unwrap();
    token.save_attempt(waiting(2)).unwrap();
    let file = token.save();
    let runs = |byte: u8| file.split(|other| *other != byte).map(<[u8]>::len).max().unwrap();
    // Salts are random and public, of 32 bytes at most where two meet.
    assert!(runs(0xA5) <= 32 && runs(0xEE) < 8, "{} {}", runs(0xA5), runs(0xEE));
    assert_eq!(format!("{token:?}"), "SoftwareToken(unlocked)");
    token.lock();
    assert_eq!(format!("{token:?}"), "SoftwareToken(locked)");
}

#[test]
fn a_pin_is_the_same_from_any_keyboard() {
    // é in one piece and in two, Å as a letter and as a unit, a space and one that breaks no line.
    let (composed, decomposed) = ("\u{E9}\u{C5} \u{E9}", "e\u{301}\u{212B}\u{A0}e\u{301}");
    let (mut token, code) = software();
    token.change_pin(&pin("1234"), &pin(decomposed)).unwrap();
    for typed in [composed, decomposed] {
        let mut token = load(&token.save()).unwrap();
        token.unlock(&pin(typed)).unwrap();
    }
    token.unblock(&code, &pin(composed)).unwrap();
    token.change_pin(&pin(decomposed), &pin(composed)).unwrap();
    // It is not made the same by more than that: case and width are kept.
    for other in ["\u{C9}\u{C5} \u{E9}", "e\u{C5} e", "\u{E9}\u{C5}\u{E9}"] {
        assert!(matches!(token.unlock(&pin(other)), Err(TokenError::WrongPin { .. })), "{other}");
    }
    token.unlock(&pin(decomposed)).unwrap();
    assert_eq!(token.tries_left(), 5);
}

#[test]
fn a_pin_is_as_long_as_it_is_composed() {
    let (mut token, _) = software();
    let composed = "\u{E9}".repeat(32);
    token.change_pin(&pin("1234"), &pin(&"e\u{301}".repeat(32))).unwrap();
    token.unlock(&pin(&composed)).unwrap();
    for unfit in ["", "123", "e\u{301}1", &"1".repeat(65), &"e\u{301}".repeat(33), &"1".repeat(1 << 20)] {
        assert_eq!(token.unlock(&pin(unfit)), Err(TokenError::UnfitPin));
        assert_eq!(token.change_pin(&pin(&composed), &pin(unfit)), Err(TokenError::UnfitPin));
    }
    assert_eq!(token.tries_left(), 5);
}

/// An issuer changes its key, or is changed for another: the token need not be blank again.
#[test]
fn anchors_are_changed_under_the_pin() {
    let place = Restarting::new();
    let mut token = place.token();
    let old = token.anchors().unwrap();
    let first = old.as_slice()[0].clone();
    let key = IssuerKey::generate_p256(&mut SystemRandom).unwrap();
    let added = TrustAnchor::new(IssuerName::common_name("Next").unwrap(), key.public().clone());
    let both = old.clone().with(added.clone()).unwrap();
    register(&mut token, 1).unwrap();

    let wrong = token.replace_anchors(&pin("4321"), both.clone());
    assert_eq!(wrong, Err(TokenError::WrongPin { tries_left: 4 }));
    assert_eq!(token.anchors(), Ok(old.clone()));
    token.replace_anchors(&pin("1234"), both.clone()).unwrap();
    assert_eq!(place.token().anchors(), Ok(both.clone()), "durable");
    let only = both.clone().without(&first).unwrap();
    token.lock();
    token.replace_anchors(&pin("1234"), only.clone()).unwrap();
    assert_eq!(place.token().anchors(), Ok(only.clone()));
    assert_eq!(place.token().registrations().unwrap().len(), 1, "registrations stay");

    assert_eq!(only.clone().without(&added), Err(AnchorError::None));
    assert_eq!(only.clone().without(&first), Err(AnchorError::NotThere));
    // The same issuer again, under other terms, takes its own place.
    let limited = added.clone().with_permitted(vec![ServerName::new("example").unwrap()]).unwrap();
    assert_eq!(both.with(limited.clone()).unwrap().as_slice(), &[first, limited]);

    // A device that fails: nothing has changed.
    let mut failing = place.token().saved_by(|_| Err(5));
    failing.replace_anchors(&pin("1234"), old.clone()).unwrap_err();
    assert_eq!(failing.anchors(), Ok(only.clone()));
    let mut writes = 0;
    let mut late = place.token().saved_by(move |_| {
        writes += 1;
        if writes > 2 { Err(5) } else { Ok(()) }
    });
    assert_eq!(late.replace_anchors(&pin("1234"), old), Err(TokenError::Device(5)));
    assert_eq!(late.anchors(), Ok(only));
}
