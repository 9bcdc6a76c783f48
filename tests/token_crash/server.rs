//! The server, in the process that is not killed: whatever a token was told, it remembers.

#[path = "../support/gateway.rs"]
mod gateway;

use gateway::{Gateway, serve};
use halfkey::certificate::{CertificateRequest, IssuerName, TrustAnchors, Validity};
use halfkey::driver::Framed;
use halfkey::key::{IssuerKey, KemPrivateKey, OfferKey};
use halfkey::memory::{Authority, Server, Store};
use halfkey::policy::SuiteList;
use halfkey::port::CertificateAuthority;
use halfkey::port::entitlement_store::Document;
use halfkey::registration::server::{Decision, EnrolmentRequest, Grant};
use halfkey::store::operation::{Entitle, ListRegistrations, RegistrationFilter};
use halfkey::store::{RegistrationState, Subject, UniqueNames};
use halfkey::template::{Field, FieldKind, Template};
use halfkey::{AccessPath, ApplicationName, Secret, ServerName, ServerSettings, SystemRandom, UnixTime};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

pub(crate) const SERVER: &str = "gate.example";
pub(crate) const APPLICATION: &str = "mail";

pub(crate) struct Gate {
    settings: ServerSettings,
    server: Server,
    store: Store,
    pub(crate) anchors: TrustAnchors,
    pub(crate) address: String,
}

impl Gate {
    /// A server that grants whatever is asked, on a port of its own.
    pub(crate) fn open() -> Arc<Self> {
        let (random, now) = (&mut SystemRandom, UnixTime::now());
        let key = IssuerKey::generate_ed25519(random).unwrap();
        let mut authority = Authority::root(IssuerName::common_name("Issuer").unwrap(), key).unwrap();
        let (name, offer_key) = (ServerName::new(SERVER).unwrap(), OfferKey::generate(random));
        let kem_key = KemPrivateKey::from_pkcs8_pem(include_str!("../data/test-key-rsa-2048-a.pem")).unwrap();
        let request =
            CertificateRequest::sign(&name, kem_key.public(), &SuiteList::all(), &offer_key).unwrap();
        let validity = Validity::new(now, now.after(86_400)).unwrap();
        let chain = authority.issue(&request, validity, random).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let template = Template::new(vec![Field::required("name", FieldKind::UserName)]).unwrap();
        let settings = ServerSettings::new(name, template, &Secret::random(random));
        let gate = Arc::new(Self {
            server: Server::new(&settings, &chain, kem_key, offer_key, SystemRandom).unwrap(),
            settings,
            // One name for all registrations: a renewal has to give the old one.
            store: Store::with_names(UniqueNames::Proven),
            anchors: authority.trust_anchor().unwrap().into(),
            address: listener.local_addr().unwrap().to_string(),
        });
        gate.entitle();
        let serving = Arc::clone(&gate);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (gate, stream) = (Arc::clone(&serving), stream.unwrap());
                std::thread::spawn(move || gate.serve(stream));
            }
        });
        gate
    }

    fn serve(&self, stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        let grant = |_: &EnrolmentRequest| {
            let access_path = AccessPath::new("/staff").unwrap();
            Decision::Grant(Grant { user_id: None, access_path, policy: self.settings.policy })
        };
        let gateway = Gateway {
            settings: &self.settings,
            server: &self.server,
            store: &self.store,
            approval: &grant,
            observer: &(),
        };
        // A peer that was killed hangs up in the middle; that is what this is about.
        let _ = serve(
            &gateway,
            &mut Framed(stream),
            b"peer",
            &UnixTime::now,
            &mut SystemRandom,
            &mut |_, data| Some(data.to_vec()),
        );
    }

    /// Registrations that were granted and that no token has finished.
    pub(crate) fn unfinished(&self) -> usize {
        let filter =
            RegistrationFilter { state: Some(RegistrationState::Pending), ..RegistrationFilter::default() };
        let list = ListRegistrations { filter, ..ListRegistrations::default() };
        self.store.run(&list, UnixTime::now()).unwrap().entries.len()
    }

    /// A new document for everybody; its serial's number.
    pub(crate) fn entitle(&self) -> u64 {
        let subject = Subject::AccessPath(AccessPath::new("/staff").unwrap());
        let document = Document { media_type: "text/plain".into(), body: b"relay = yes".to_vec() };
        let application = ApplicationName::new(APPLICATION).unwrap();
        let entitle = Entitle::new(subject, application, document);
        self.store.run(&entitle, UnixTime::now()).unwrap().number
    }
}
