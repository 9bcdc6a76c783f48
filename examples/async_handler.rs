//! The steps in asynchronous handlers: no async trait in the crate, and no runtime here but twenty
//! lines of this file.
//!
//! `cargo run --example async_handler` registers a token and opens a session, each message the body
//! of an HTTP request that either of two machines may get. Every state of a step says what it needs
//! (`wanted`), the handler awaits that from whatever has it, and hands it back (`supply`).
//!
//! What is kept between two requests:
//! * in registration, nothing: R1 carries a cookie, everything else is in the database;
//! * between S1 and S2, nothing: S1 carries the challenge as a cookie, good for one session, ever
//!   ([`halfkey::session::park`] can keep it elsewhere instead);
//! * after S3, the session's channel: [`Established`], for as long as the session lives. It belongs
//!   to one machine, as a WebSocket does.

mod setting;

use halfkey::certificate::Revocation;
use halfkey::configuration::token::Applying;
use halfkey::driver::{Client, Incoming, RegistrationOutcome, Transport};
use halfkey::memory::{Server, Store};
use halfkey::message::{Address, Confirm, Hello, Open, Request, Response};
use halfkey::policy::{Policy, SuiteList};
use halfkey::port::auth_server::{Decapsulated, Encapsulated, OfferMaterial};
use halfkey::port::entitlement_store::{Admission, Admitted, Committed, Confirmed};
use halfkey::port::question::SignOffer;
use halfkey::port::{AuthServer, AuthServerError, EntitlementStore, StoreError};
use halfkey::record::{Applicant, ApplicantRecord, ExpectedTags, NewOutcome, ServerRegistration};
use halfkey::registration::ServerRegistrationError;
use halfkey::registration::server::{
    Decision, EnrolmentRequest, Grant, Judged, Lookup, receive_confirm, receive_hello, receive_request,
};
use halfkey::registration::token::Credential;
use halfkey::session::park::resume_from_response;
use halfkey::session::server::{Entry, Established, receive_open};
use halfkey::session::token::Options;
use halfkey::session::{Content, OpenedRecord, SessionError};
use halfkey::software::{PinSettings, SoftwareToken};
use halfkey::template::Template;
use halfkey::wire::{Message, message_type};
use halfkey::{AccessPath, Digest, ErrorReason, KeyId, ServerSettings, SystemRandom, UnixTime};
use setting::{Outcome, Setting, say};
use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

// ------------------------------------------------------------------------ what the steps ask for

/// The database, as a pool of connections to another machine would look: every method takes a while.
struct Database(Store);

impl Database {
    async fn outcome(&self, request: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        later().await;
        self.0.outcome(request, UnixTime::now())
    }
    async fn applicant(&self, applicant: &Applicant) -> Result<ApplicantRecord, StoreError> {
        later().await;
        self.0.applicant(applicant, UnixTime::now())
    }
    /// Durable when it returns.
    async fn commit(&self, outcome: &NewOutcome) -> Result<Committed, StoreError> {
        later().await;
        self.0.commit(outcome, UnixTime::now())
    }
    async fn expected(&self, key_id: &KeyId) -> Result<Option<ExpectedTags>, StoreError> {
        later().await;
        self.0.expected(key_id, UnixTime::now())
    }
    async fn confirm(&self, key_id: &KeyId) -> Result<Confirmed, StoreError> {
        later().await;
        self.0.confirm(key_id, UnixTime::now())
    }
    async fn registration(&self, address: &Address) -> Result<Option<ServerRegistration>, StoreError> {
        later().await;
        self.0.registration(address, UnixTime::now())
    }
    async fn admit(&self, admission: &Admission) -> Result<Admitted, StoreError> {
        later().await;
        self.0.admit(admission, UnixTime::now())
    }
}

/// The server's keys, in a service of their own.
struct KeyService(Server);

impl KeyService {
    async fn offer_material(&self, suites: &SuiteList) -> Result<OfferMaterial, AuthServerError> {
        later().await;
        self.0.offer_material(suites, UnixTime::now())
    }
    async fn sign_offer(
        &self,
        certificate: &Digest,
        transcript: &Digest,
    ) -> Result<[u8; 64], AuthServerError> {
        later().await;
        self.0.sign_offer(certificate, transcript)
    }
    async fn decapsulate(&self, sealed: &Encapsulated) -> Result<Decapsulated, AuthServerError> {
        later().await;
        self.0.decapsulate(sealed, UnixTime::now())
    }
}

async fn approve(_: &EnrolmentRequest) -> Decision {
    later().await;
    match AccessPath::new("/staff") {
        Ok(access_path) => Decision::Grant(Grant { user_id: None, access_path, policy: Policy::default() }),
        Err(_) => Decision::Wait { retry_after: 60 },
    }
}

// ------------------------------------------------------------------------------- the handlers

/// A machine that answers requests; all of them have equal settings, and share database and keys.
struct Machine<'w> {
    settings: &'w ServerSettings,
    keys: &'w KeyService,
    database: &'w Database,
}

/// The body of a response, and the session that lives on after it, if it opened one.
type Answer = (Vec<u8>, Option<Established>);

impl Machine<'_> {
    /// One request: `peer` is the sender's address.
    async fn post(&self, peer: &str, body: &[u8]) -> Answer {
        let answered = match message_type(body) {
            Ok(Hello::TYPE) => self.offer(peer.as_bytes(), body).await.map_err(|error| error.refusal()),
            Ok(Request::TYPE) => self.outcome(peer.as_bytes(), body).await.map_err(|error| error.refusal()),
            Ok(Confirm::TYPE) => self.confirm(body).await.map_err(|error| error.refusal()),
            Ok(Open::TYPE) => self.challenge(body).await.map_err(|error| error.refusal()),
            Ok(Response::TYPE) => match self.accept(body).await {
                Ok(answer) => return answer,
                Err(error) => Err(error.refusal()),
            },
            _ => Err(ErrorReason::Refused),
        };
        (answered.unwrap_or_else(|reason| reason.frame().into_bytes()), None)
    }

    /// R0 → R1.
    async fn offer(&self, peer: &[u8], body: &[u8]) -> Result<Vec<u8>, ServerRegistrationError> {
        let need = receive_hello(body, self.settings)?;
        let offer_material = self.keys.offer_material(&need.wanted().suites).await?;
        let need = need.supply(&offer_material, peer, self.settings, UnixTime::now(), &mut SystemRandom)?;
        let SignOffer { certificate, transcript } = need.wanted();
        let signature = self.keys.sign_offer(certificate, transcript).await?;
        Ok(need.supply(signature).into_bytes())
    }

    /// R2 → R3.
    async fn outcome(&self, peer: &[u8], body: &[u8]) -> Result<Vec<u8>, ServerRegistrationError> {
        let (settings, now, random) = (self.settings, UnixTime::now(), &mut SystemRandom);
        let need = receive_request(body)?;
        let stored = self.database.outcome(&need.wanted().request).await?;
        let need = match need.supply(stored, peer, settings, now)? {
            Lookup::Before(outcome) => return Ok(outcome.into_bytes()),
            Lookup::New(need) => need,
        };
        let secrets = self.keys.decapsulate(need.wanted()).await;
        let need = need.supply(secrets, settings)?;
        let known = self.database.applicant(&need.wanted().applicant).await?;
        let need = match need.supply(known, settings, now) {
            Judged::Ask(need) => {
                let decision = approve(need.wanted()).await;
                need.supply(decision, settings, now, random)?
            }
            Judged::Refuse(need) => need.supply(settings, now, random)?,
        };
        let committed = self.database.commit(&need.wanted().outcome).await?;
        Ok(need.supply(committed).into_bytes())
    }

    /// R4 → R5.
    async fn confirm(&self, body: &[u8]) -> Result<Vec<u8>, ServerRegistrationError> {
        let need = receive_confirm(body)?;
        let expected = self.database.expected(&need.wanted().key_id).await?;
        let need = need.supply(expected)?;
        let confirmed = self.database.confirm(&need.wanted().key_id).await?;
        Ok(need.supply(confirmed).into_bytes())
    }

    /// S0 → S1, with the challenge in it.
    async fn challenge(&self, body: &[u8]) -> Result<Vec<u8>, SessionError> {
        let need = receive_open(body, self.settings)?;
        let registered = self.database.registration(&need.wanted().address).await?;
        let challenge =
            need.supply_with_cookie(registered, UnixTime::now(), self.settings, &mut SystemRandom)?;
        Ok(challenge.into_bytes())
    }

    /// S2 → S3, on whichever machine it arrives.
    async fn accept(&self, body: &[u8]) -> Result<Answer, SessionError> {
        let need = resume_from_response(body, self.settings, UnixTime::now())?;
        let registered = self.database.registration(&need.wanted().address).await?;
        let state = need.supply(registered)?;
        let need = state.receive_response(body, UnixTime::now(), &mut SystemRandom)?;
        let admitted = self.database.admit(&need.wanted().admission).await?;
        let step = need.supply(admitted, UnixTime::now())?;
        Ok((
            step.send.into_bytes(),
            match step.next {
                Entry::Session(session) => Some(session),
                Entry::NotActive { .. } => None,
            },
        ))
    }

    /// A record of an open session: data is sent back. A configuration's C0 would be answered as in
    /// `accept`: `configuration::server::receive_request`, the database, `supply`, and
    /// `session.channel.seal`.
    async fn record(&self, session: &mut Established, record: &[u8]) -> Result<Vec<Vec<u8>>, SessionError> {
        let received = session.channel.open(record)?;
        // `session.heard` may tell the database to drop older aliases; the next session does it anyhow.
        later().await;
        Ok(match received {
            OpenedRecord::Data(data) => vec![session.channel.seal(Content::Data, &data)?],
            OpenedRecord::Closed => vec![session.channel.close()?],
            _ => Vec::new(),
        })
    }
}

// ------------------------------------------------------------------- what stands in for a runtime

/// Ready the second time it is asked: whatever awaits it is suspended once.
async fn later() {
    let mut asked = false;
    let ask = |context: &mut Context<'_>| {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut asked, true) { Poll::Ready(()) } else { Poll::Pending }
    };
    std::future::poll_fn(ask).await;
}

/// Polls until it is done; a runtime would do other things meanwhile, on other threads: `Send`.
fn block_on<T>(future: impl Future<Output = T> + Send) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
    }
}

/// The token's way to the machines: each message to the next one. The session goes along; in earnest
/// its records would go to where it is.
struct Post<'w> {
    machines: [Machine<'w>; 2],
    session: Option<Established>,
    replies: VecDeque<Vec<u8>>,
}

impl Transport for Post<'_> {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        self.machines.reverse();
        let [machine, _] = &self.machines;
        if let Some(session) = &mut self.session {
            let answer = block_on(machine.record(session, frame)).map_err(io::Error::other)?;
            self.replies.extend(answer);
        } else {
            let (body, session) = block_on(machine.post("192.0.2.7", frame));
            say(format_args!("{:5} bytes up, {:5} bytes down", frame.len(), body.len()));
            self.session = session;
            self.replies.push_back(body);
        }
        Ok(())
    }
    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.replies.pop_front())
    }
}

fn main() -> Outcome {
    let Setting { settings, server, anchors } = Setting::new()?;
    let (keys, database) = (KeyService(server), Database(Store::new()));
    let machine = || Machine { settings: &settings, keys: &keys, database: &database };
    let post = || Post { machines: [machine(), machine()], session: None, replies: VecDeque::new() };

    let (mut token, _) =
        SoftwareToken::new(anchors, &"2468".into(), PinSettings::for_tests(), Box::new(SystemRandom))?;
    let mut random = SystemRandom;
    let mut client = Client::new(&mut token, &mut random);
    let mut fill = |_: &_, form: &Template| Ok((form.fill([("name", "alice".into())])?, Credential::None));
    let ended = client.register(&mut post(), &settings.name, &Revocation::Ignore, &mut fill)?;
    let RegistrationOutcome::Active(alice) = ended else { return Err(format!("{ended:?}").into()) };
    say(format_args!("alice is registered as {}", alice.user_id));

    let mut session = client.open(post(), &alice.key_id, &Options::default())?;
    session.send(b"it is me")?;
    let received = session.receive(&mut client, &mut |_, _| Applying::Failed)?;
    let Incoming::Data(data) = received else { return Err(format!("{received:?}").into()) };
    let data = String::from_utf8_lossy(&data);
    say(format_args!("a session, challenged by one machine and opened by the other: {data}"));
    session.close()?;
    Ok(())
}
