//! A world for the small examples, all in memory: an issuer, a certified server, and a wire to it.
#![allow(dead_code, reason = "each example uses its own part")]

use halfkey::certificate::{CertificateRequest, IssuerName, Revocation, TrustAnchors, Validity};
use halfkey::driver::{Client, Connection, Gateway, RegistrationOutcome, Transport};
use halfkey::key::{IssuerKey, KemPrivateKey, OfferKey};
use halfkey::memory::{Authority, Server};
use halfkey::policy::{Policy, SuiteList};
use halfkey::port::{CertificateAuthority, EntitlementStore, Token};
use halfkey::record::TokenRegistration;
use halfkey::registration::server::{Decision, EnrolmentRequest, Grant};
use halfkey::registration::token::Credential;
use halfkey::session::token::Options;
use halfkey::template::{Field, FieldKind, Template};
use halfkey::{AccessPath, Secret, ServerName, ServerSettings, SystemRandom, UnixTime};
use std::collections::VecDeque;
use std::error::Error;
use std::io::{self, Write};

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

pub(crate) struct Setting {
    pub(crate) settings: ServerSettings,
    pub(crate) server: Server,
    pub(crate) anchors: TrustAnchors,
}

impl Setting {
    pub(crate) fn new() -> Outcome<Self> {
        let (random, now) = (&mut SystemRandom, UnixTime::now());
        let issuer_key = IssuerKey::generate_ed25519(random)?;
        let mut authority = Authority::root(IssuerName::common_name("Example Issuer")?, issuer_key)?;
        let (name, offer_key) = (ServerName::new("gate.example")?, OfferKey::generate(random));
        let kem_key = KemPrivateKey::generate(2048, random)?;
        let request = CertificateRequest::sign(&name, kem_key.public(), &SuiteList::all(), &offer_key)?;
        let chain = authority.issue(&request, Validity::new(now, now.after(86_400))?, random)?;
        let template = Template::new(vec![Field::required("name", FieldKind::UserName)])?;
        // Every replica of a server has the same master secret; here there is but one.
        let settings = ServerSettings::new(name, template, &Secret::new([0x5E; Secret::LEN]));
        let server = Server::new(&settings, &chain, kem_key, offer_key, SystemRandom)?;
        Ok(Self { settings, server, anchors: authority.trust_anchor()?.into() })
    }

    /// Registers `name`, opens a session, and closes it.
    pub(crate) fn tell(
        &self,
        token: &mut dyn Token,
        store: &dyn EntitlementStore,
        name: &str,
    ) -> Outcome<TokenRegistration> {
        let grant =
            Grant { user_id: None, access_path: AccessPath::new("/staff")?, policy: Policy::default() };
        let approval = |_: &EnrolmentRequest| Decision::Grant(grant.clone());
        let (settings, server) = (&self.settings, &self.server);
        let gateway = Gateway { settings, server, store, approval: &approval, observer: &() };
        let mut random = SystemRandom;
        let mut client = Client::new(token, &mut random);
        let mut fill =
            |_: &_, template: &Template| Ok((template.fill([("name", name.into())])?, Credential::None));
        let mut wire = Wire::new(gateway);
        let ended = client.register(&mut wire, &self.settings.name, &Revocation::Ignore, &mut fill)?;
        let RegistrationOutcome::Active(registration) = ended else {
            return Err(format!("{ended:?}").into());
        };
        drop(client.open(wire, &registration.key_id, &Options::default())?.close()?);
        Ok(registration)
    }
}

/// A connection without a network.
pub(crate) struct Wire<'g> {
    gateway: Gateway<'g>,
    connection: Connection,
    replies: VecDeque<Vec<u8>>,
}

impl<'g> Wire<'g> {
    pub(crate) fn new(gateway: Gateway<'g>) -> Self {
        Self { gateway, connection: Connection::new(b"example"), replies: VecDeque::new() }
    }
}

impl Transport for Wire<'_> {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        let handled = self.connection.handle(&self.gateway, frame, UnixTime::now(), &mut SystemRandom);
        self.replies.extend(handled.send);
        Ok(())
    }
    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.replies.pop_front())
    }
}

pub(crate) fn say(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout(), "{line}");
}
