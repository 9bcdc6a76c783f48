//! Registration: honest tokens and an honest server, and an attacker between them.

use super::card::Card;
use super::play::Play;
use super::supply::*;
use super::world::{self, Counting, at};
use halfkey::certificate::Revocation;
use halfkey::memory::{Server, Store};
use halfkey::message::{Offer, Outcome};
use halfkey::port::Token;
use halfkey::registration::server::{self as steps, Decision, EnrolmentRequest, Grant, Lookup};
use halfkey::registration::token::{
    AwaitDone, AwaitOffer, AwaitOutcome, Credential, NeedForm, ServerDecision, Settled, hello, resume,
};
use halfkey::registration::{
    ActivationCode, Recoverable, RejectionCode, ServerRegistrationError, TokenRegistrationError,
};
use halfkey::store::operation::{IssueCode, Resume, Suspend};
use halfkey::suite::SUITES;
use halfkey::template::FieldValue;
use halfkey::wire::{Message, message_type};
use halfkey::{AccessPath, KeyId, ServerSettings, UnixTime, UserName};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Debug;

const NAMES: [&str; 3] = ["ada", "bob", "\u{e9}va"];
const CODE: &str = "0123456789ABCDEF";
const PEERS: [&[u8]; 2] = [b"here", b"there"];

/// Frames to the server are meddled with; what comes back arrives.
pub fn server(bytes: &[u8]) {
    let mut scene = Scene::new();
    let mut play = Play(bytes);
    while !play.is_over() && scene.acts < 48 {
        match play.byte() % 8 {
            0 => scene.begin(&mut play),
            1 => scene.change(&mut play),
            2..=4 => {
                let Some(run) = scene.pick(&mut play) else { continue };
                if let Ok(answer) = scene.ask(run, PEERS[0]) {
                    scene.runs[run].hear(&mut play, &mut scene.card, &answer, true, scene.now);
                    scene.said.extend(scene.runs[run].says.clone());
                }
            }
            _ => {
                let Some(run) = scene.pick(&mut play) else { continue };
                let frame = play.meddle(&scene.runs[run].says.clone().unwrap_or_default(), &scene.said);
                let peer = play.pick(&PEERS);
                drop(scene.answer(&frame, peer));
            }
        }
        scene.acts += 1;
    }
}

/// Frames to the tokens are meddled with; what they say arrives.
pub fn token(bytes: &[u8]) {
    let mut scene = Scene::new();
    let mut play = Play(bytes);
    while !play.is_over() && scene.acts < 48 {
        match play.byte() % 8 {
            0 => scene.begin(&mut play),
            1 => scene.change(&mut play),
            _ => {
                let Some(run) = scene.pick(&mut play) else { continue };
                let answer =
                    scene.ask(run, PEERS[0]).unwrap_or_else(|error| error.refusal().frame().into_bytes());
                let heard = play.meddle(&answer, &scene.heard);
                scene.heard.push(answer.clone());
                let honest = heard == answer;
                // A refusal changes nothing: what was said before may be heard later, and is as true.
                if message_type(&answer) != Ok(6) {
                    scene.runs[run].truth = answer;
                }
                scene.runs[run].hear(&mut play, &mut scene.card, &heard, honest, scene.now);
                scene.said.extend(scene.runs[run].says.clone());
            }
        }
        scene.acts += 1;
    }
}

struct Scene {
    settings: ServerSettings,
    server: Server,
    store: Store,
    random: Counting,
    now: UnixTime,
    card: Card,
    runs: Vec<Run>,
    decision: Decision,
    /// Every frame that a token sent, and that the server did.
    said: Vec<Vec<u8>>,
    heard: Vec<Vec<u8>>,
    /// R2 and the R3 that it got.
    outcomes: BTreeMap<Vec<u8>, Vec<u8>>,
    acts: usize,
}

impl Scene {
    fn new() -> Self {
        let (settings, store) = (world::settings(), Store::new());
        let ada = UserName::new(NAMES[0]).unwrap();
        let code = ActivationCode::parse(CODE).unwrap();
        let secret = code.secret(&settings.name, &ada);
        store.run(&IssueCode { name: ada, secret, expires: None }, at(1)).unwrap();
        Self {
            settings,
            server: world::server(),
            store,
            random: Counting::new(3),
            now: at(1),
            card: Card::new(4),
            runs: Vec::new(),
            decision: grant(),
            said: Vec::new(),
            heard: Vec::new(),
            outcomes: BTreeMap::new(),
            acts: 0,
        }
    }

    fn begin(&mut self, play: &mut Play<'_>) {
        if self.runs.len() < 3 {
            let credential = play.below(4);
            let renew = self.card.keys.keys().next().copied();
            let run = Run::begin(play.pick(&NAMES), credential, renew, &mut self.random);
            self.said.extend(run.says.clone());
            self.runs.push(run);
        }
    }

    fn change(&mut self, play: &mut Play<'_>) {
        match play.byte() % 8 {
            0 => self.decision = grant(),
            1 => self.decision = Decision::Refuse(RejectionCode::Declined),
            2 => self.decision = Decision::Wait { retry_after: 60 },
            3 => self.settings.open_registration ^= true,
            4 => drop(self.card.keys.keys().next().map(|key_id| self.store.run(&Suspend(*key_id), self.now))),
            5 => drop(self.card.keys.keys().next().map(|key_id| self.store.run(&Resume(*key_id), self.now))),
            6 => self.now = self.now.after(play.byte().into()),
            _ => self.now = self.now.after(u64::from(play.byte()) * 300),
        }
    }

    fn pick(&self, play: &mut Play<'_>) -> Option<usize> {
        (!self.runs.is_empty()).then(|| play.below(self.runs.len()))
    }

    /// Answers a message of the run as the server.
    fn ask(&mut self, run: usize, peer: &[u8]) -> Result<Vec<u8>, ServerRegistrationError> {
        let frame = self.runs[run].says.clone().unwrap_or_default();
        self.answer(&frame, peer)
    }

    fn answer(&mut self, frame: &[u8], peer: &[u8]) -> Result<Vec<u8>, ServerRegistrationError> {
        let honest = self.said.iter().any(|said| said == frame);
        match message_type(frame) {
            Ok(2) => self.request(frame, peer, honest),
            Ok(4) => {
                let need = steps::receive_confirm(frame)?.supply_from(&self.store, self.now)?;
                assert!(honest, "a proof that no token made");
                Ok(need.supply_from(&self.store, self.now)?.into_bytes())
            }
            _ => {
                let need = steps::receive_hello(frame, &self.settings)?;
                let need =
                    need.supply_from(&self.server, peer, &self.settings, self.now, &mut self.random)?;
                Ok(need.supply_from(&self.server)?.into_bytes())
            }
        }
    }

    fn request(
        &mut self,
        frame: &[u8],
        peer: &[u8],
        honest: bool,
    ) -> Result<Vec<u8>, ServerRegistrationError> {
        let Self { settings, server, store, random, now, .. } = self;
        let (settings, now) = (&*settings, *now);
        let asked = Cell::new(false);
        let outcome = match steps::receive_request(frame)?.supply_from(store, peer, settings, now)? {
            Lookup::Before(frame) => frame,
            Lookup::New(need) => {
                let need = need.supply_from(server, settings, now)?;
                let decide = |_: &EnrolmentRequest| {
                    asked.set(true);
                    self.decision.clone()
                };
                let judged = need.supply_from(store, settings, now)?;
                judged.decide(decide, settings, now, random)?.supply_from(store, now)?
            }
        };
        assert!(honest || !asked.get(), "an application that no token made");
        let outcome = outcome.into_bytes();
        let before = self.outcomes.entry(frame.to_vec()).or_insert_with(|| outcome.clone());
        assert!(*before == outcome, "two answers to one request");
        assert!(self.outcomes.values().all(|other| other.len() == outcome.len()), "lengths tell");
        Ok(outcome)
    }
}

fn grant() -> Decision {
    let access_path = AccessPath::new("/staff").unwrap();
    Decision::Grant(Grant { user_id: None, access_path, policy: world::policy(1) })
}

enum State {
    Offer(AwaitOffer),
    Outcome(AwaitOutcome),
    Done(AwaitDone),
    Over,
}

/// A token's side of one run.
struct Run {
    state: State,
    user: &'static str,
    credential: usize,
    renew: Option<KeyId>,
    /// Last message, which is sent again.
    says: Option<Vec<u8>>,
    /// Last answer of the server, possibly changed on the way.
    truth: Vec<u8>,
    random: Counting,
}

impl Run {
    fn begin(user: &'static str, credential: usize, renew: Option<KeyId>, random: &mut Counting) -> Self {
        let step = hello(world::name(), SUITES, random).unwrap();
        let (says, state) = (Some(step.send.into_bytes()), State::Offer(step.next));
        let random = Counting::new(user.as_bytes()[0]);
        Self { state, user, credential, renew, says, truth: Vec::new(), random }
    }

    /// Takes a frame that the server sent, or did not.
    fn hear(&mut self, play: &mut Play<'_>, card: &mut Card, frame: &[u8], honest: bool, now: UnixTime) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Offer(state) => {
                let anchors = card.anchors().unwrap();
                let offer = state.receive_offer(frame, &anchors, &Revocation::Ignore, now);
                if let Ok(need) = offer {
                    self.check_offer(frame, honest);
                    self.fill(need, card, now);
                } else {
                    assert!(!honest || message_type(frame) == Ok(6), "an honest offer refused");
                    self.says = None;
                }
            }
            State::Outcome(state) => self.outcome(state, play, card, frame, honest, now),
            State::Done(state) => {
                let before = look(&state);
                match state.receive_done(frame).and_then(|need| need.supply_from(card)) {
                    Ok(settled) => {
                        assert!(honest, "an R5 that the server did not send");
                        assert!(matches!(settled, Settled::Done(_) | Settled::Lost { .. }));
                        self.says = None;
                    }
                    Err(Recoverable { state, error }) => {
                        assert!(!honest || message_type(frame) == Ok(6), "an honest R5 refused: {error}");
                        assert_eq!(look(&state), before);
                        self.state = State::Done(state);
                    }
                }
            }
            State::Over => {}
        }
    }

    /// The signature covers everything but the cookie.
    fn check_offer(&self, frame: &[u8], honest: bool) {
        if !honest {
            let (heard, truth) = (Offer::decode(frame).unwrap(), Offer::decode(&self.truth).unwrap());
            assert!(heard.core == truth.core && heard.sig == truth.sig, "an offer that nobody signed");
        }
    }

    fn fill(&mut self, need: NeedForm, card: &mut Card, now: UnixTime) {
        let answers = [("name", FieldValue::from(self.user)), ("terms", FieldValue::from(true))];
        let form = need.wanted().fill(answers).unwrap();
        let waiting = card.attempts().unwrap().into_iter().find_map(|attempt| match attempt {
            halfkey::record::Attempt::Waiting(waiting) if waiting.form == form => Some(waiting),
            _ => None,
        });
        let credential = match (self.credential, self.renew, waiting) {
            (1, _, _) => Credential::Activation(ActivationCode::parse(CODE).unwrap()),
            (2, Some(key_id), _) => Credential::Renewal(key_id),
            (3, _, Some(waiting)) => Credential::Ticket(waiting),
            _ => Credential::None,
        };
        let step = need
            .supply(form, credential)
            .and_then(|need| need.supply_from(card, &mut self.random))
            .and_then(|need| need.supply_from(card, now))
            .and_then(|need| need.supply_from(card));
        match step {
            Ok(step) => {
                self.says = Some(step.send.into_bytes());
                self.state = State::Outcome(step.next);
            }
            Err(error) => {
                assert!(matches!(error, TokenRegistrationError::Token(_)), "{error}");
                self.says = None;
            }
        }
    }

    fn outcome(
        &mut self,
        state: AwaitOutcome,
        play: &mut Play<'_>,
        card: &mut Card,
        frame: &[u8],
        honest: bool,
        now: UnixTime,
    ) {
        let before = (look(&state), state.request().into_bytes());
        // True if the server has said so, possibly some time ago.
        let sealed = honest || frame == self.truth;
        let opened = state.receive_outcome(frame).and_then(|need| need.supply_from(card, now));
        if opened.is_ok() && !sealed {
            // Only a grant has a tag that says something.
            let (heard, truth) = (Outcome::decode(frame).unwrap(), Outcome::decode(&self.truth).unwrap());
            assert!(heard.core == truth.core, "an outcome that the server did not seal");
        }
        let joined = match opened {
            Ok(ServerDecision::Granted(need)) => need.supply_from(card),
            Ok(ServerDecision::Wait(need)) => {
                drop(need.supply_from(card).unwrap());
                self.says = None;
                return;
            }
            Ok(decision @ (ServerDecision::Renewed(_) | ServerDecision::Unfit(_))) => panic!("{decision:?}"),
            Ok(ServerDecision::Refused(refused)) => {
                card.abandon(&refused.txn).unwrap();
                self.says = None;
                return;
            }
            Err(kept) => Err(kept),
        };
        match joined {
            Ok(step) => {
                assert!(sealed, "a grant that the server did not make");
                self.says = Some(step.send.into_bytes());
                self.state = State::Done(step.next);
            }
            Err(Recoverable { state, error }) => {
                assert!(!honest || message_type(frame) == Ok(6), "an honest R3 refused: {error}");
                assert_eq!((look(&state), state.request().into_bytes()), before);
                self.state = State::Outcome(state);
                if play.byte() % 16 == 1 {
                    self.restart(card);
                }
            }
        }
    }

    /// The token loses power, and goes on with what it held.
    fn restart(&mut self, card: &Card) {
        let State::Outcome(state) = &self.state else { return };
        let txn = *state.txn();
        let held = card.attempts().unwrap().into_iter().find_map(|attempt| match attempt {
            halfkey::record::Attempt::InFlight(half) if half.txn == txn => Some(half),
            _ => None,
        });
        let step = resume(held.unwrap(), SUITES).unwrap();
        assert_eq!(Some(step.send.into_bytes()), self.says);
        self.state = State::Outcome(step.next);
    }
}

fn look(state: &impl Debug) -> String {
    format!("{state:?}")
}
