//! A server's parts and a token, all in memory; in earnest these are files.

use halfkey::certificate::{CertificateRequest, IssuerName, TrustAnchors, Validity};
use halfkey::key::{IssuerKey, KemPrivateKey, OfferKey};
use halfkey::memory::{Authority, Server, Store};
use halfkey::policy::{Policy, SuiteList};
use halfkey::port::CertificateAuthority;
use halfkey::registration::server::{Decision, EnrolmentRequest, Grant};
use halfkey::software::{PinSettings, SoftwareToken};
use halfkey::template::{Field, FieldKind, Template};
use halfkey::tokio::{Acceptor, Connector, OffExecutor};
use halfkey::{AccessPath, Secret, ServerName, ServerSettings, SystemRandom, UnixTime};

/// The result of a program.
pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A server that grants every request, its name, and a client with a blank token.
pub fn setting() -> Outcome<(Acceptor, ServerName, Connector<SoftwareToken>)> {
    let (random, now) = (&mut SystemRandom, UnixTime::now());
    let issuer_key = IssuerKey::generate_ed25519(random)?;
    let mut authority = Authority::root(IssuerName::common_name("Example Issuer")?, issuer_key)?;
    let (name, offer_key) = (ServerName::new("gate.example")?, OfferKey::generate(random));
    let kem_key = KemPrivateKey::generate(2048, random)?;
    let request = CertificateRequest::sign(&name, kem_key.public(), &SuiteList::all(), &offer_key)?;
    let chain = authority.issue(&request, Validity::lasting(now, 86_400)?, random)?;
    let template = Template::new(vec![Field::required("name", FieldKind::UserName)])?;
    let settings = ServerSettings::new(name.clone(), template, &Secret::random(random));
    let keys = Server::new(&settings, &chain, kem_key, offer_key, SystemRandom)?;
    let access_path = AccessPath::new("/staff")?;
    let grant = Grant { user_id: None, access_path, policy: Policy::default() };
    let acceptor = Acceptor::builder(settings, keys, OffExecutor::new(Store::new()))
        .approval(move |_: &EnrolmentRequest| Decision::Grant(grant.clone()))
        .build();
    let (pin, random) = ("2468".into(), Box::new(SystemRandom));
    let anchors: TrustAnchors = authority.trust_anchor()?.into();
    let (mut token, _) = SoftwareToken::new(anchors, &pin, PinSettings::for_tests(), random)?;
    token.unlock(&pin)?;
    Ok((acceptor, name, Connector::builder(token).build()))
}
