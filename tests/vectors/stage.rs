//! Runs of the real steps on both sides, with everything fixed, and a record of them.

use crate::recorder::{Call, Party, Recorder};
use crate::reference_registration::Messages;
use crate::reference_session::Way;
use crate::supply::*;
use halfkey::certificate::{CertificateRequest, IssuerName, Revocation, Validity};
use halfkey::key::{IssuerKey, KemPrivateKey, OfferKey};
use halfkey::memory::{Authority, Server, Store};
use halfkey::policy::Policy;
use halfkey::policy::SuiteList;
use halfkey::port::{CertificateAuthority, Token};
use halfkey::record::{TokenRegistration, Waiting};
use halfkey::registration::server::{
    Decision, Grant, Lookup, receive_confirm, receive_hello, receive_request,
};
use halfkey::registration::token::{Credential, ServerDecision, Settled, hello};
use halfkey::software::{PinSettings, SoftwareToken};
use halfkey::suite::Suite;
use halfkey::template::{Field, FieldKind, FieldValue, Template};
use halfkey::{AccessPath, Secret, ServerName, ServerSettings, UnixTime};
use std::collections::BTreeSet;

pub(crate) const SERVER: &str = "gate.example";
pub(crate) const PEER: &[u8] = b"192.0.2.7:49152";
pub(crate) const USER: &str = "alice";
pub(crate) const MASTER: [u8; 32] = [0x5E; 32];
pub(crate) const ISSUER_SEED: u8 = 0x01;
pub(crate) const OFFER_SEED: u8 = 0x02;
pub(crate) const CERTIFICATE_SEED: u8 = 0x03;
pub(crate) const START: u64 = 1_800_000_000;
pub(crate) const KEM_KEY: &str = include_str!("server-key.pem");

/// A draw: what for, and the bytes.
pub(crate) type Draws = Vec<(&'static str, Vec<u8>)>;

/// Result of a run.
pub(crate) struct Record {
    pub(crate) at: u64,
    pub(crate) suite: u16,
    pub(crate) seeds: [[u8; 32]; 2],
    /// The token's, and the server's.
    pub(crate) draws: [Draws; 2],
    pub(crate) messages: Messages,
    pub(crate) records: Vec<(&'static str, Way, Vec<u8>)>,
    pub(crate) calls: BTreeSet<Call>,
}

impl Record {
    pub(crate) fn drawn(&self, name: &str) -> &[u8] {
        let found = self.draws.iter().flatten().find(|(what, _)| *what == name);
        &found.unwrap_or_else(|| panic!("{name} was not drawn")).1
    }
}

/// Outcome of a registration.
#[allow(clippy::large_enum_variant, reason = "it is moved once")]
pub(crate) enum End {
    Active(TokenRegistration),
    Waiting(Waiting),
    Refused,
    Lost,
}

/// A token and a server, and all that they stand on.
pub(crate) struct Stage {
    pub(crate) token: SoftwareToken,
    pub(crate) settings: ServerSettings,
    pub(crate) store: Store,
    pub(crate) recorder: &'static Recorder,
    pub(crate) suites: &'static [&'static dyn Suite],
    pub(crate) certificate: Vec<u8>,
    pub(crate) anchor_name: Vec<u8>,
    pub(crate) anchor_key: Vec<u8>,
    pub(crate) offer_key: [u8; 32],
    pub(crate) parties: [Party; 2],
    pub(crate) server: Server,
    /// Tries other messages in place of one, just before that one is received.
    pub(crate) probe: Option<Probe>,
    clock: u64,
    run: u8,
}

/// Gets the label of the message that comes next.
pub(crate) type Probe = Box<dyn FnMut(&mut Stage, &'static str)>;

impl Stage {
    pub(crate) fn new(suite: &'static dyn Suite) -> Self {
        let recorder = Recorder::leak(suite);
        let suites: &'static [&'static dyn Suite] = Box::leak(Box::new([recorder as &dyn Suite]));
        let issuer = IssuerKey::generate_ed25519(&mut Party::new(ISSUER_SEED)).unwrap();
        let mut authority =
            Authority::root(IssuerName::common_name("Example issuer").unwrap(), issuer).unwrap();
        let name = ServerName::new(SERVER).unwrap();
        let kem_key = KemPrivateKey::from_pkcs8_pem(KEM_KEY).unwrap();
        let offer_key = OfferKey::generate(&mut Party::new(OFFER_SEED));
        let request =
            CertificateRequest::sign(&name, kem_key.public(), &SuiteList::all(), &offer_key).unwrap();
        let from = UnixTime::from_secs(START - 86_400);
        let validity = Validity::new(from, from.after(3650 * 86_400)).unwrap();
        let chain = authority.issue(&request, validity, &mut Party::new(CERTIFICATE_SEED)).unwrap();
        let anchor = authority.trust_anchor().unwrap();

        let template = Template::new(vec![
            Field::required("name", FieldKind::UserName).labelled("User name"),
            Field::optional("department", FieldKind::Text { max_len: 64 }).labelled("Department"),
            Field::required("terms", FieldKind::Boolean).labelled("I accept the terms"),
        ]);
        let mut settings = ServerSettings::new(name.clone(), template.unwrap(), &Secret::new(MASTER));
        settings.suites = suites;
        settings.outcome_size = 256;
        let offer_public = *request.offer_key().as_bytes();
        let parties = [Party::new(0), Party::new(0)];
        let [of_token, of_server] = parties.clone();
        let server = Server::new(&settings, &chain, kem_key, offer_key, of_server).unwrap();
        let (anchor_name, anchor_key) =
            (anchor.name().as_der().to_vec(), anchor.key().as_spki_der().to_vec());
        let (pin, quick) = ("2468".into(), PinSettings::for_tests());
        let (token, _) = SoftwareToken::new(anchor.into(), &pin, quick, Box::new(of_token)).unwrap();
        let certificate = chain.leaf().as_der().to_vec();
        Self {
            token,
            settings,
            store: Store::new(),
            recorder,
            suites,
            certificate,
            anchor_name,
            anchor_key,
            offer_key: offer_public,
            parties,
            server,
            probe: None,
            clock: START,
            run: 0,
        }
    }

    /// A run begins, long after the last: new random streams, a new ephemeral key.
    pub(crate) fn begin(&mut self) -> Record {
        (self.clock, self.run) = (self.clock + 1000, self.run + 1);
        let seeds = [0x10 + self.run, 0x20 + self.run];
        for (party, seed) in self.parties.iter().zip(seeds) {
            party.restart(seed);
        }
        self.recorder.calls();
        Record {
            at: self.clock,
            suite: self.suites[0].id().code(),
            seeds: [self.parties[0].seed(), self.parties[1].seed()],
            draws: Default::default(),
            messages: Messages::new(),
            records: Vec::new(),
            calls: BTreeSet::new(),
        }
    }

    pub(crate) fn now(&self) -> UnixTime {
        UnixTime::from_secs(self.clock)
    }

    fn before(&mut self, message: &'static str) {
        if let Some(mut probe) = self.probe.take() {
            // What is tried draws nothing from the run.
            let saved = self.parties.each_ref().map(Party::save);
            probe(self, message);
            for (party, saved) in self.parties.iter().zip(saved) {
                party.restore(saved);
            }
            self.probe = Some(probe);
        }
    }

    /// Says what a party has drawn for since it was last said.
    pub(crate) fn drew(&self, record: &mut Record, party: usize, what: &[&'static str]) {
        let drawn = self.parties[party].drawn();
        assert_eq!(drawn.len(), what.len(), "party {party} drew for something other than {what:?}");
        record.draws[party].extend(what.iter().copied().zip(drawn));
    }

    /// R0 to R5, or to R3.
    pub(crate) fn register(&mut self, credential: Credential, decision: &Decision) -> (Record, End) {
        let mut record = self.begin();
        let now = self.now();
        let [mut of_token, mut of_server] = self.parties.clone();
        let renewal = matches!(credential, Credential::Renewal(_));

        let step = hello(self.settings.name.clone(), self.suites, &mut of_token).unwrap();
        let r0 = step.send.into_bytes();
        self.drew(&mut record, 0, &["txn", "nonce_t"]);

        let need = receive_hello(&r0, &self.settings).unwrap();
        let need = need.supply_from(&self.server, PEER, &self.settings, now, &mut of_server).unwrap();
        let r1 = need.supply_from(&self.server).unwrap().into_bytes();
        self.drew(
            &mut record,
            1,
            &["private key of pk_e", "name of pk_e, in the cookie", "offer_id", "nonce_s"],
        );

        self.before("R1");
        let anchors = self.token.anchors().unwrap();
        let need = step.next.receive_offer(&r1, &anchors, &Revocation::Ignore, now).unwrap();
        let form = need
            .wanted()
            .fill([
                ("name", FieldValue::from(USER)),
                ("department", "Überwachung".into()),
                ("terms", true.into()),
            ])
            .unwrap();
        let need = need.supply(form, credential).unwrap();
        let need = need.supply_from(&mut self.token, &mut of_token).unwrap();
        let need = need.supply_from(&mut self.token, now).unwrap();
        let step = need.supply_from(&mut self.token).unwrap();
        let r2 = step.send.into_bytes();
        self.drew(&mut record, 0, &["SSK1", "OAEP seed of ct", "encapsulation of ct_e"]);

        self.before("R2");
        let need = receive_request(&r2).unwrap();
        let need = match need.supply_from(&self.store, PEER, &self.settings, now).unwrap() {
            Lookup::New(need) => need,
            Lookup::Before(_) => panic!("answered before"),
        };
        let need = need.supply_from(&self.server, &self.settings, now).unwrap();
        let judged = need.supply_from(&self.store, &self.settings, now).unwrap();
        assert_eq!(judged.refused(), None);
        let need = judged.decide(|_| decision.clone(), &self.settings, now, &mut of_server).unwrap();
        let r3 = need.supply_from(&self.store, now).unwrap().into_bytes();
        let blinding = "blinding, which shows nowhere";
        let what: &[_] = match decision {
            Decision::Grant(_) if renewal => &[blinding, "SSK2", "key_id", "alias", "r"],
            Decision::Grant(_) => &[blinding, "user_id, in hexadecimal", "SSK2", "key_id", "alias", "r"],
            _ => &[blinding, "r", "tag_s"],
        };
        self.drew(&mut record, 1, what);

        self.before("R3");
        let opened = step.next.receive_outcome(&r3).unwrap().supply_from(&mut self.token, now).unwrap();
        record.messages.extend([("R0", r0), ("R1", r1), ("R2", r2), ("R3", r3)]);
        let end = match opened {
            ServerDecision::Wait(need) => End::Waiting(need.supply_from(&mut self.token).unwrap()),
            ServerDecision::Renewed(_) | ServerDecision::Unfit(_) => panic!("{opened:?}"),
            ServerDecision::Refused(refused) => {
                self.token.abandon(&refused.txn).unwrap();
                End::Refused
            }
            ServerDecision::Granted(need) => {
                let step = need.supply_from(&mut self.token).unwrap();
                let r4 = step.send.into_bytes();
                self.before("R4");
                let need = receive_confirm(&r4).unwrap().supply_from(&self.store, now).unwrap();
                let r5 = need.supply_from(&self.store, now).unwrap().into_bytes();
                self.before("R5");
                let settled = step.next.receive_done(&r5).unwrap().supply_from(&mut self.token).unwrap();
                record.messages.extend([("R4", r4), ("R5", r5)]);
                match settled {
                    Settled::Done(registration) => End::Active(registration),
                    Settled::Lost { .. } => End::Lost,
                }
            }
        };
        for party in [0, 1] {
            self.drew(&mut record, party, &[]);
        }
        record.calls = self.recorder.calls();
        (record, end)
    }
}

/// Decision of the operator: granted.
pub(crate) fn grant(policy: Policy) -> Decision {
    Decision::Grant(Grant { user_id: None, access_path: AccessPath::new("/staff/security").unwrap(), policy })
}
