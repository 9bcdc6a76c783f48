//! A token's whole life with two servers on one database: each message goes to the other one, and
//! nothing but the database is between them. The steps are asked one by one, in asynchronous code.

use super::common::{self, Issuer, START};
use super::server;
use super::world::{create, open, runtime, there};
use crate::common::client::{Client, Configured, RegistrationOutcome};
use halfkey::certificate::Revocation;
use halfkey::configuration::server::{self as configuration, AwaitApplied, Principal};
use halfkey::configuration::token::Applying;
use halfkey::driver::Transport;
use halfkey::memory::Server;
use halfkey::message::{ConfigRequest, Confirm, Hello, Open, Request, Response, UserInformation};
use halfkey::policy::Policy;
use halfkey::port::Token;
use halfkey::port::entitlement_store::Document;
use halfkey::port::question::{AsyncEntitlementStore, KeysQuestion, StoreQuestion};
use halfkey::postgres::Store;
use halfkey::record::Attempt;
use halfkey::registration::ActivationCode;
use halfkey::registration::server::{
    Decision, Grant, Judged, Lookup, receive_confirm, receive_hello, receive_request,
};
use halfkey::registration::token::Credential;
use halfkey::session::park::resume_from_response;
use halfkey::session::server::{Entry, Established, receive_open};
use halfkey::session::token::Options;
use halfkey::session::{Content, OpenedRecord};
use halfkey::store::operation::{
    Entitle, EventFilter, InspectRegistration, IssueCode, ListEvents, ListReports,
};
use halfkey::store::{AuditEventKind, Subject};
use halfkey::template::Template;
use halfkey::wire::{Message, message_type};
use halfkey::{AccessPath, ApplicationName, ServerSettings, SystemRandom, UnixTime, UserName};
use std::collections::VecDeque;
use std::io;

const CLOCK: UnixTime = UnixTime::from_secs(START + 60);
const PEER: &[u8] = b"peer";

/// One of the servers: equal settings and keys, and a pool of its own.
struct Machine<'w> {
    settings: &'w ServerSettings,
    server: &'w Server,
    store: Store,
}

impl Machine<'_> {
    async fn post(&self, body: &[u8]) -> (Vec<u8>, Option<Established>) {
        let (settings, random) = (self.settings, &mut SystemRandom);
        let answer = match message_type(body).unwrap() {
            Hello::TYPE => {
                let need = receive_hello(body, settings).unwrap();
                let offer_material = need.wanted().ask(self.server, CLOCK).unwrap();
                let need = need.supply(&offer_material, PEER, settings, CLOCK, random).unwrap();
                let signature = need.wanted().ask(self.server, CLOCK).unwrap();
                need.supply(signature).into_bytes()
            }
            Request::TYPE => self.outcome(body).await,
            Confirm::TYPE => {
                let need = receive_confirm(body).unwrap();
                let expected = need.wanted().ask_async(&self.store, CLOCK).await.unwrap();
                let need = need.supply(expected).unwrap();
                let confirmed = need.wanted().ask_async(&self.store, CLOCK).await.unwrap();
                need.supply(confirmed).into_bytes()
            }
            Open::TYPE => {
                let need = receive_open(body, settings).unwrap();
                let registered = need.wanted().ask_async(&self.store, CLOCK).await.unwrap();
                need.supply_with_cookie(registered, CLOCK, settings, random).unwrap().into_bytes()
            }
            Response::TYPE => return self.accept(body).await,
            other => panic!("{other}"),
        };
        (answer, None)
    }

    async fn outcome(&self, body: &[u8]) -> Vec<u8> {
        let (settings, random) = (self.settings, &mut SystemRandom);
        let need = receive_request(body).unwrap();
        let stored = need.wanted().ask_async(&self.store, CLOCK).await.unwrap();
        let need = match need.supply(stored, PEER, settings, CLOCK).unwrap() {
            Lookup::Before(outcome) => return outcome.into_bytes(),
            Lookup::New(need) => need,
        };
        let secrets = need.wanted().ask(self.server, CLOCK);
        let need = need.supply(secrets, settings).unwrap();
        let known = need.wanted().ask_async(&self.store, CLOCK).await.unwrap();
        let Judged::Ask(need) = need.supply(known, settings, CLOCK) else { panic!("refused") };
        let access_path = AccessPath::new("/staff").unwrap();
        let grant = Grant { user_id: None, access_path, policy: Policy::default() };
        let need = need.supply(Decision::Grant(grant), settings, CLOCK, random).unwrap();
        let committed = need.wanted().ask_async(&self.store, CLOCK).await.unwrap();
        need.supply(committed).into_bytes()
    }

    async fn accept(&self, body: &[u8]) -> (Vec<u8>, Option<Established>) {
        let need = resume_from_response(body, self.settings, CLOCK).unwrap();
        let registered = need.wanted().ask_async(&self.store, CLOCK).await.unwrap();
        let state = need.supply(registered).unwrap();
        let need = state.receive_response(body, CLOCK, &mut SystemRandom).unwrap();
        let admitted = need.wanted().ask_async(&self.store, CLOCK).await.unwrap();
        let Ok(step) = need.supply(admitted, CLOCK) else { return (Vec::new(), None) };
        let Entry::Session(session) = step.next else { panic!("barred") };
        (step.send.into_bytes(), Some(session))
    }

    /// A record of an open session: configuration is answered, and data is nobody's.
    async fn record(
        &self,
        session: &mut Established,
        awaited: &mut Option<AwaitApplied>,
        record: &[u8],
    ) -> Vec<Vec<u8>> {
        let received = session.channel.open(record).unwrap();
        if let Some((key_id, address)) = session.heard() {
            self.store.confirm_alias(&key_id, &address, CLOCK).await.unwrap();
        }
        let message = match received {
            OpenedRecord::Configuration(message) => message,
            OpenedRecord::Closed => return vec![session.channel.close().unwrap()],
            _ => return Vec::new(),
        };
        if message_type(&message) == Ok(ConfigRequest::TYPE) {
            let principal = Principal {
                key_id: session.key_id,
                user_id: session.user_id.clone(),
                access_path: session.access_path.clone(),
                server_name: self.settings.name.clone(),
            };
            let need = configuration::receive_request(&message, &principal).unwrap();
            let entitlement = need.wanted().ask_async(&self.store, CLOCK).await.unwrap();
            let step = need.supply(entitlement, CLOCK).unwrap();
            *awaited = step.next;
            return vec![session.channel.seal(Content::Configuration, step.send.as_bytes()).unwrap()];
        }
        let need = awaited.take().unwrap().receive_applied(&message).unwrap();
        need.wanted().ask_async(&self.store, CLOCK).await.unwrap();
        let _ = need.supply();
        Vec::new()
    }
}

/// The token's way to the machines: each message, and each record, to the next one.
struct Post<'w> {
    machines: &'w [Machine<'w>; 2],
    sent: usize,
    session: Option<(Established, Option<AwaitApplied>)>,
    replies: VecDeque<Vec<u8>>,
    /// S2 as it was sent, to be sent again by somebody else.
    responses: Vec<Vec<u8>>,
    /// Whether the answer to the next R2 or R4 is lost.
    losing: bool,
}

impl<'w> Post<'w> {
    fn new(machines: &'w [Machine<'w>; 2]) -> Self {
        let (replies, responses) = (VecDeque::new(), Vec::new());
        Self { machines, sent: 0, session: None, replies, responses, losing: false }
    }
}

impl Transport for Post<'_> {
    fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        let machine = &self.machines[self.sent % 2];
        self.sent += 1;
        if let Some((session, awaited)) = &mut self.session {
            self.replies.extend(runtime().block_on(machine.record(session, awaited, frame)));
            return Ok(());
        }
        if message_type(frame) == Ok(Response::TYPE) {
            self.responses.push(frame.to_vec());
        }
        let (answer, session) = runtime().block_on(machine.post(frame));
        self.session = session.map(|session| (session, None));
        if !(self.losing && message_type(frame) == Ok(Request::TYPE)) {
            self.replies.push_back(answer);
        }
        Ok(())
    }

    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.replies.pop_front())
    }
}

#[test]
fn a_token_goes_from_server_to_server() {
    let Some(database) = server::database() else { return };
    let settings = common::settings("gate.example");
    let mut issuer = Issuer::new(1);
    let server = issuer.server(&settings.name, 0, &[2, 1]);
    let machine = |store| Machine { settings: &settings, server: &server, store };
    let (one, other) = (database.clone(), database.clone());
    let machines = [there(async move { create(&one).await }), there(async move { open(&other).await })];
    let machines = machines.map(machine);
    let operator = |which: usize| &machines[which].store;

    // The operator invites at one server.
    let (name, code) = (UserName::new("alice").unwrap(), ActivationCode::generate(&mut SystemRandom));
    let secret = code.secret(&settings.name, &name);
    let issue = IssueCode { name, secret, expires: None };
    runtime().block_on(operator(0).run(&issue, CLOCK)).unwrap();

    let mut token = common::token(issuer.anchors(), 3);
    let mut random = SystemRandom;
    let clock = || CLOCK;
    let mut client = Client { clock: &clock, ..Client::new(&mut token, &mut random) };
    let mut fill = |_: &_, form: &Template| {
        let form = form.fill([("name", "alice".into()), ("terms", true.into())])?;
        Ok((form, Credential::Activation(code.clone())))
    };
    // R3 is lost; R2 is sent again, to the other server, which sends the same R3.
    let mut post = Post { losing: true, ..Post::new(&machines) };
    client.register(&mut post, &settings.name, &Revocation::Ignore, &mut fill).map(|_| ()).unwrap_err();
    let mut post = Post { sent: post.sent + 1, ..Post::new(&machines) };
    let Attempt::InFlight(half) = token.attempts().unwrap().remove(0) else { panic!("no run under way") };
    let mut client = Client { clock: &clock, ..Client::new(&mut token, &mut random) };
    let ended = client.resume(&mut post, half).unwrap();
    let RegistrationOutcome::Active(alice) = ended else { panic!("{ended:?}") };
    let entry =
        runtime().block_on(operator(1).run(&InspectRegistration(alice.key_id), CLOCK)).unwrap().unwrap();
    assert_eq!(entry.user_id, alice.user_id);

    // Entitled at the one server, configured by the other.
    let application = ApplicationName::new("ledger").unwrap();
    let document = |body: &str| Document { media_type: "text/plain".into(), body: body.into() };
    for (round, body) in ["first", "second"].into_iter().enumerate() {
        let subject = Subject::User(alice.user_id.clone());
        let (application, document) = (application.clone(), document(body));
        let entitle = Entitle::new(subject, application.clone(), document);
        let serial = runtime().block_on(operator(round).run(&entitle, CLOCK)).unwrap();

        // S0 to the one, S2 to the other.
        let post = Post { sent: round, ..Post::new(&machines) };
        let mut session = client.open(post, &alice.key_id, &Options::default()).unwrap();
        let mut applied = |_: &_, _: &_| Applying::Applied;
        let information = UserInformation::default();
        let configured =
            session.configure(&mut client, &application, &information, &mut applied, &mut |_| ());
        assert_eq!(configured.unwrap(), Configured::Installed);
        let post = session.close().unwrap();
        let reports = runtime().block_on(operator(round).run(&ListReports::default(), CLOCK)).unwrap();
        assert_eq!(reports.entries[0].applied, Some(serial));
        // Whoever has seen S2 may send it to any server: the challenge is spent everywhere.
        for machine in &machines {
            let (answer, session) = runtime().block_on(machine.accept(&post.responses[0]));
            assert!(answer.is_empty() && session.is_none());
        }
    }
    let filter = EventFilter { kind: Some(AuditEventKind::ChallengeReplayed), ..EventFilter::default() };
    let replays = ListEvents { filter, ..ListEvents::default() };
    assert_eq!(runtime().block_on(operator(0).run(&replays, CLOCK)).unwrap().entries.len(), 4);
    server::block_on(super::audit::check(&database));
}
