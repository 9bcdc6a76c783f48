//! One server, one user, and every random byte fixed, so that a run can be set up again and again.

use crate::recorder::Party;
use halfkey::certificate::{CertificateRequest, IssuerName, TrustAnchors, Validity};
use halfkey::key::{IssuerKey, KemPrivateKey, OfferKey};
use halfkey::memory::{Authority, Server};
use halfkey::policy::{Mode, Modes, Policy, SuiteId, SuiteList};
use halfkey::port::CertificateAuthority;
use halfkey::port::question::Derive;
use halfkey::record::{Lifecycle, Progress, ServerRegistration, StoredKeys, TokenRegistration};
use halfkey::schedule::KeySet;
use halfkey::suite::{self, Suite};
use halfkey::template::{Field, FieldKind, Template};
use halfkey::{
    AccessPath, Alias, Digest, KeyId, Secret, ServerName, ServerSettings, SystemRandom, UnixTime, UserId,
    UserName,
};
use std::sync::OnceLock;

pub(crate) const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);
pub(crate) const PEER: &[u8] = b"192.0.2.7:49152";

/// The size that the README's numbers are for.
pub(crate) fn kem_key() -> &'static KemPrivateKey {
    static KEY: OnceLock<KemPrivateKey> = OnceLock::new();
    KEY.get_or_init(|| KemPrivateKey::generate(3072, &mut SystemRandom).unwrap())
}

pub(crate) fn only(id: SuiteId) -> &'static [&'static dyn Suite] {
    static ALONE: [&[&dyn Suite]; 2] = [&[&suite::X25519], &[&suite::XWING]];
    ALONE[usize::from(id != SuiteId::X25519)]
}

pub(crate) const fn suite_name(id: SuiteId) -> &'static str {
    match id {
        SuiteId::X25519 => "X25519",
        _ => "X-Wing",
    }
}

pub(crate) fn settings() -> ServerSettings {
    let template = Template::new(vec![
        Field::required("name", FieldKind::UserName),
        Field::optional("department", FieldKind::Text { max_len: 64 }),
        Field::required("terms", FieldKind::Boolean),
    ]);
    let name = ServerName::new("gate.example").unwrap();
    ServerSettings::new(name, template.unwrap(), &Secret::new([0x5E; 32]))
}

/// An authentication server certified by an Ed25519 issuer, and the token's anchors.
pub(crate) fn certified(settings: &ServerSettings) -> (Server, TrustAnchors) {
    let random = &mut Party::new(1);
    let issuer = IssuerKey::generate_ed25519(random).unwrap();
    let mut authority = Authority::root(IssuerName::common_name("Issuer").unwrap(), issuer).unwrap();
    let offer_key = OfferKey::generate(random);
    let request =
        CertificateRequest::sign(&settings.name, kem_key().public(), &SuiteList::all(), &offer_key).unwrap();
    let validity = Validity::new(NOW, NOW.after(86_400)).unwrap();
    let chain = authority.issue(&request, validity, random).unwrap();
    let anchors = authority.trust_anchor().unwrap().into();
    let server = Server::new(settings, &chain, kem_key().clone(), offer_key, Party::new(2));
    (server.unwrap(), anchors)
}

/// A registration as both sides keep it.
pub(crate) struct Pair {
    pub(crate) settings: ServerSettings,
    pub(crate) registration: TokenRegistration,
    pub(crate) registered: ServerRegistration,
    keys: KeySet,
}

impl Pair {
    pub(crate) fn new(suite: SuiteId, mode: Mode) -> Self {
        let policy = Policy {
            modes: Modes::only(mode),
            suites: SuiteList::only(suite),
            lifetime: None,
            allow_key_id: true,
        };
        let key = |byte| Secret::new([byte; 32]);
        let keys = KeySet::from_stored(key(0xA1), key(0xA2), key(0xA3), key(0xA4));
        let (key_id, user_id) =
            (KeyId::new([0x1D; 16]), UserId::new("0123456789abcdef0123456789abcdef").unwrap());
        let access_path = AccessPath::new("/branch/7").unwrap();
        let mut settings = settings();
        settings.policy = policy;
        Self {
            registration: TokenRegistration {
                key_id,
                server_name: settings.name.clone(),
                certificate: Digest::new([1; 32]),
                certificate_end: UnixTime::from_secs(4_000_000_000),
                anchor: Digest::new([2; 32]),
                user_id: user_id.clone(),
                access_path: access_path.clone(),
                suite,
                policy,
                alias: Some(Alias::new([0x5A; 16])),
                progress: Progress::Active,
                supersedes: None,
                configurations: Vec::new(),
                clock_floor: NOW,
                not_active: None,
            },
            registered: ServerRegistration {
                key_id,
                user_id,
                name: UserName::new("alice").unwrap(),
                access_path,
                suite,
                policy,
                lifecycle: Lifecycle::Active,
                expires: None,
                keys: StoredKeys { auth: key(0xA1), derive: key(0xA2), renew: key(0xA4) },
            },
            keys,
            settings,
        }
    }

    /// Computes a token's answer without any storage.
    pub(crate) fn ask(&self, question: &Derive) -> Secret {
        self.keys.derive(&suite::XWING, &question.key_use)
    }
}
