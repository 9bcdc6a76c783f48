//! One server, its issuer and its clock, the same in every run.

use halfkey::certificate::{CertificateRequest, Chain, IssuerName, TrustAnchors, Validity};
use halfkey::key::{IssuerKey, KemPrivateKey, OfferKey};
use halfkey::memory::{Authority, Server, Store};
use halfkey::policy::{Mode, Modes, Policy, SuiteId, SuiteList};
use halfkey::port::{CertificateAuthority, EntitlementStore};
use halfkey::record::{
    Effect, ExpectedTags, Lifecycle, NewOutcome, NewRegistration, Progress, ServerRegistration, StoredKeys,
    TokenRegistration,
};
use halfkey::schedule::KeySet;

use halfkey::template::{Field, FieldKind, Template};
use halfkey::{
    AccessPath, Alias, Digest, KeyId, Secret, ServerName, ServerSettings, Txn, UnixTime, UserId, UserName,
};
use std::sync::OnceLock;

pub use super::support::{Counting, START, TEST_KEYS, kem_key};

/// Things that are made once: RSA keys for tests alone, and certificates.
pub struct Fixed {
    pub kem_key: KemPrivateKey,
    pub offer_key: OfferKey,
    pub request: CertificateRequest,
    pub chain: Chain,
    /// Another certificate for the same server, under an RSA issuer and an intermediate one.
    pub long_chain: Chain,
    pub list: Vec<u8>,
    pub anchors: TrustAnchors,
}

pub fn name() -> ServerName {
    ServerName::new("gate.example").unwrap()
}

pub fn fixed() -> &'static Fixed {
    static FIXED: OnceLock<Fixed> = OnceLock::new();
    FIXED.get_or_init(|| {
        let random = &mut Counting::new(1);
        let issuer = |text| IssuerName::common_name(text).unwrap();
        let kem_key = kem_key(0);
        let offer_key = OfferKey::generate(random);
        let request =
            CertificateRequest::sign(&name(), kem_key.public(), &SuiteList::all(), &offer_key).unwrap();
        let validity = Validity::new(at(0), at(365 * 86_400)).unwrap();

        let mut root = Authority::root(issuer("Root"), IssuerKey::generate_ed25519(random).unwrap()).unwrap();
        let chain = root.issue(&request, validity, random).unwrap();
        let list = root.revocation_list(at(0), random).unwrap().as_der().to_vec();

        let rsa = IssuerKey::from_pkcs8_pem(TEST_KEYS[1]).unwrap();
        let mut top = Authority::root(issuer("Top"), rsa).unwrap();
        let below = IssuerKey::generate_ed25519(random).unwrap();
        let certificate =
            top.certify_authority(&issuer("Below"), below.public(), 0, validity, random).unwrap();
        let mut below =
            Authority::subordinate(below, vec![certificate], top.trust_anchor().unwrap()).unwrap();
        let long_chain = below.issue(&request, validity, random).unwrap();

        let anchors = vec![root.trust_anchor().unwrap(), top.trust_anchor().unwrap()];
        let anchors = TrustAnchors::new(anchors).unwrap();
        Fixed { kem_key, offer_key, request, chain, long_chain, list, anchors }
    })
}

pub fn at(seconds: u64) -> UnixTime {
    UnixTime::from_secs(START + seconds)
}

pub fn settings() -> ServerSettings {
    let template = Template::new(vec![
        Field::required("name", FieldKind::UserName),
        Field::optional("department", FieldKind::Text { max_len: 64 }),
        Field::required("terms", FieldKind::Boolean),
    ]);
    ServerSettings::new(name(), template.unwrap(), &Secret::new([0x5E; 32]))
}

pub fn server() -> Server {
    let Fixed { chain, kem_key, offer_key, .. } = fixed();
    Server::new(&settings(), chain, kem_key.clone(), offer_key.clone(), Counting::new(2)).unwrap()
}

/// A policy by number: modes and suites, alone and together.
pub fn policy(number: usize) -> Policy {
    let modes = [Modes::only(Mode::Psk), Modes::only(Mode::PskKem), Modes::all()][number % 3];
    let suites = [SuiteList::only(SuiteId::X25519), SuiteList::all()][number / 3 % 2];
    Policy { modes, suites, allow_key_id: (number / 6).is_multiple_of(2), ..Policy::default() }
}

/// A key and its registration, as the token holds them.
pub struct Enrolled {
    pub registration: TokenRegistration,
    pub keys: KeySet,
}

/// Puts registration number `n` into `store`, active, without the steps that would lead there.
pub fn enrol(store: &Store, n: u8, policy: Policy) -> Enrolled {
    let secret = |which| Secret::new([which + 4 * n; 32]);
    let (auth, derive, renew) = (secret(1), secret(2), secret(3));
    let (key_id, alias) = (KeyId::new([n; 16]), Alias::new([0x80 + n; 16]));
    let registered = ServerRegistration {
        key_id,
        user_id: UserId::new(&format!("user-{n}")).unwrap(),
        name: UserName::new(&format!("name-{n}")).unwrap(),
        access_path: AccessPath::new("/staff").unwrap(),
        suite: SuiteId::XWing,
        policy,
        lifecycle: Lifecycle::Pending { confirm_by: at(600) },
        expires: None,
        keys: StoredKeys { auth: auth.clone(), derive: derive.clone(), renew: renew.clone() },
    };
    let expected =
        ExpectedTags { txn: Txn::new([n; 16]), confirm: secret(4), done: secret(4), lost: secret(4) };
    let new = NewRegistration { registered: registered.clone(), alias, expected, takes: None, ticket: None };
    let (request, effect) = (Digest::new([n; 32]), Effect::Granted(Box::new(new)));
    let outcome = NewOutcome {
        request,
        response: Vec::new(),
        keep_until: at(600),
        effect,
        limits: halfkey::record::PendingLimits::default(),
    };
    store.commit(&outcome, at(0)).unwrap();
    store.confirm(&key_id, at(0)).unwrap();
    let ServerRegistration { user_id, access_path, suite, .. } = registered;
    let registration = TokenRegistration {
        key_id,
        server_name: name(),
        certificate: Digest::new([0; 32]),
        certificate_end: UnixTime::from_secs(4_000_000_000),
        anchor: Digest::new([0; 32]),
        user_id,
        access_path,
        suite,
        policy,
        alias: Some(alias),
        progress: Progress::Active,
        supersedes: None,
        configurations: Vec::new(),
        clock_floor: UnixTime::default(),
        not_active: None,
    };
    Enrolled { registration, keys: KeySet::from_stored(auth, derive, Secret::absent(), renew) }
}
