//! Property 8: power fails anywhere, on either side, and messages are lost; nothing else is.

use crate::applicant::{Applicant, answer_through, decide, form, is, states, user, wire};
use crate::common::client::{ClientError, RegistrationOutcome};
use crate::common::{Counting, Issuer, PIN, World, grant, token};
use crate::recording::{self, RECORDED, RecordingServer, SPOKEN};
use crate::supply::*;
use crate::watched::{Fall, Moment, Power, WatchedStore, WatchedToken};
use halfkey::driver::Transport;
use halfkey::memory::Store;
use halfkey::message::{Outcome, Request};
use halfkey::policy::Policy;
use halfkey::port::{EntitlementStore, Token};
use halfkey::record::{Attempt, Lifecycle, Progress, TokenRegistration};
use halfkey::registration::server::{Decision, Grant, Lookup, NeedCommit, receive_request};
use halfkey::registration::token::Credential;
use halfkey::registration::{ActivationCode, RejectionCode};
use halfkey::session::token::Options;
use halfkey::software::{PinSettings, SoftwareToken};
use halfkey::{KeyId, Secret, UnixTime};
use std::sync::{Arc, Mutex};

/// Proof of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    None,
    Code,
    Renewal,
    Ticket,
}

/// Where power fails and what is lost, in the first run; later ones are left alone.
#[derive(Clone, Copy, Debug, Default)]
struct Mishap {
    token: Fall,
    store: Fall,
    frame: Option<usize>,
    /// True if the server restarts, without its ephemeral keys, before it is asked again.
    restart: bool,
}

/// A token with the file that outlives it.
struct Card {
    file: Arc<Mutex<Vec<u8>>>,
    applicant: Applicant<WatchedToken<SoftwareToken>>,
    seed: u8,
}

impl Card {
    fn new(issuer: &Issuer, seed: u8) -> Self {
        let mut blank = token(issuer.anchors(), seed);
        let file = Arc::new(Mutex::new(blank.save()));
        let mut card =
            Self { applicant: Applicant::with(Self::watched(blank, &file, None), seed), file, seed };
        card.applicant.suites = RECORDED;
        card
    }

    fn watched(token: SoftwareToken, file: &Arc<Mutex<Vec<u8>>>, fall: Fall) -> WatchedToken<SoftwareToken> {
        let file = Arc::clone(file);
        let inner = token.saved_by(move |bytes| {
            *file.lock().unwrap() = bytes.to_vec();
            Ok(())
        });
        WatchedToken { inner, power: Power::falling(fall) }
    }

    /// Everything in memory is gone; what was stored is there.
    fn reloaded(&mut self, fall: Fall) {
        self.seed = self.seed.wrapping_add(1);
        let bytes = self.file.lock().unwrap().clone();
        let mut token =
            SoftwareToken::load(&bytes, PinSettings::for_tests(), Box::new(Counting::new(self.seed)))
                .unwrap();
        token.unlock(&PIN.into()).unwrap();
        self.applicant = Applicant::with(Self::watched(token, &self.file, fall), self.seed);
        self.applicant.suites = RECORDED;
    }
}

struct Episode {
    issuer: Issuer,
    world: World,
    card: Card,
    proof: Proof,
    code: ActivationCode,
    old: Option<KeyId>,
    /// True if R2 has left in the last run.
    requested: bool,
}

impl Episode {
    fn new(proof: Proof) -> Self {
        recording::begin();
        let mut issuer = Issuer::new(1);
        let mut world = World::new(&mut issuer, "gate.example", 1);
        world.settings.suites = SPOKEN;
        world.server = issuer.server(&world.settings.name, 0, &[recording::PRIVATE, 2]);
        let code = ActivationCode::generate(&mut Counting::new(50));
        let alice = user("alice");
        if proof == Proof::Code {
            world.invite(&alice, &code);
        }
        let card = Card::new(&issuer, 7);
        let mut episode = Self { issuer, world, card, proof, code, old: None, requested: false };
        if proof == Proof::Renewal {
            let Ok(RegistrationOutcome::Active(old)) = episode.run(Mishap::default(), None, Credential::None)
            else {
                panic!()
            };
            episode.old = Some(old.key_id);
        }
        if proof == Proof::Ticket {
            decide(&episode.world, true);
            let end = episode.run(Mishap::default(), None, Credential::None).unwrap();
            assert!(matches!(end, RegistrationOutcome::Waiting(_)));
            decide(&episode.world, false);
        }
        episode
    }

    fn credential(&self) -> Credential {
        let attempts = self.card.applicant.token.inner.attempts().unwrap();
        let waiting = attempts.into_iter().find_map(|attempt| match attempt {
            Attempt::Waiting(waiting) => Some(waiting),
            Attempt::InFlight(_) => None,
        });
        match (self.proof, waiting) {
            (Proof::Code, _) => Credential::Activation(self.code.clone()),
            (Proof::Renewal, _) => Credential::Renewal(self.old.unwrap()),
            (Proof::Ticket, Some(waiting)) => Credential::Ticket(waiting),
            _ => Credential::None,
        }
    }

    /// A run, or what goes on with `attempt`, over a link and a store that may fail.
    fn run(
        &mut self,
        mishap: Mishap,
        attempt: Option<Attempt>,
        credential: Credential,
    ) -> Result<RegistrationOutcome, ClientError> {
        let Self { world, card, requested, .. } = self;
        *requested = false;
        let store = WatchedStore::new(&world.store, mishap.store);
        let server = RecordingServer::new(&world.server);
        let mut count = 0;
        let mut lost = || {
            count += 1;
            mishap.frame == Some(count - 1)
        };
        let mut link = wire(|frame| {
            *requested |= is::<Request<'_>>(frame);
            if lost() {
                return Vec::new();
            }
            let answer = answer_through(world, &server, &store, b"peer", frame);
            if lost() { Vec::new() } else { vec![answer] }
        });
        let link: &mut dyn Transport = &mut link;
        match attempt {
            Some(Attempt::InFlight(half)) => card.applicant.client(world, |client| client.resume(link, half)),
            _ => card.applicant.register_over(world, link, "alice", credential),
        }
    }

    fn confirms(&mut self, joined: TokenRegistration) -> bool {
        let Self { world, card, .. } = self;
        let key_id = joined.key_id;
        let done = card.applicant.client(world, |client| client.confirm(&mut world.link(), joined));
        // Where R4 is not answered any more, a session shows how it stands.
        done.is_ok()
            || card
                .applicant
                .client(world, |client| client.open(world.link(), &key_id, &Options::default()).is_ok())
    }

    /// One step of what a client does that has found its token as it is.
    fn recover(&mut self) {
        let token = &self.card.applicant.token.inner;
        let attempts = token.attempts().unwrap();
        let half = attempts.into_iter().find(
            |attempt| matches!(attempt, Attempt::InFlight(half) if !half.resend.is_over(self.world.now())),
        );
        let registrations = token.registrations().unwrap();
        let joined = registrations.iter().find(|row| row.progress != Progress::Active);
        if let Some(joined) = joined.cloned() {
            self.confirms(joined);
        } else if half.is_some() {
            if self.run(Mishap::default(), half, Credential::None).is_err() {
                self.world.pass(601);
            }
        } else {
            let credential = self.credential();
            drop(self.run(Mishap::default(), None, credential));
        }
    }

    fn is_over(&self) -> bool {
        let held = self.card.applicant.token.inner.registrations().unwrap();
        held.len() == 1 && held[0].progress == Progress::Active && Some(held[0].key_id) != self.old
    }

    fn restart(&mut self) {
        let key = Secret::new([5; 32]);
        let file = self.world.store.save(&key, &mut Counting::new(3));
        self.world.store = Store::load(&file, &key).unwrap();
        let mut issuer = Issuer::new(1);
        self.world.server = issuer.server(&self.world.settings.name, 0, &[recording::PRIVATE, 2]);
    }

    /// The mishap, then recovery; how many steps that took.
    fn suffers(mut self, mishap: Mishap) -> usize {
        self.card.reloaded(mishap.token);
        let credential = self.credential();
        drop(self.run(mishap, None, credential));
        self.card.reloaded(None);
        if let Some(old) = self.old {
            // Until the new key is active, the old one is: nobody is ever without.
            let rows = self.world.registrations();
            let live = rows.iter().find(|row| row.lifecycle == Lifecycle::Active).unwrap();
            let held = self.card.applicant.token.inner.registrations().unwrap();
            assert!(held.iter().any(|row| row.key_id == live.key_id), "{mishap:?} {old}");
        }
        let held = self.card.applicant.token.inner.registrations().unwrap();
        let half = |attempt: &Attempt| matches!(attempt, Attempt::InFlight(_));
        let attempts = self.card.applicant.token.inner.attempts().unwrap();
        let kept = attempts.iter().any(half) || held.iter().any(|row| Some(row.key_id) != self.old);
        assert!(kept || !self.requested, "{mishap:?}: R2 left, and the token knows nothing of it");
        if mishap.restart {
            self.restart();
        }
        let mut steps = 0;
        while !self.is_over() {
            steps += 1;
            assert!(steps < 8, "{mishap:?} {:?}: {:?}", self.proof, states(&self.world));
            self.recover();
        }
        let held = self.card.applicant.token.inner.registrations().unwrap().remove(0);
        let rows = self.world.registrations();
        let live: Vec<_> = rows.iter().filter(|row| row.lifecycle == Lifecycle::Active).collect();
        assert_eq!(live.iter().map(|row| row.key_id).collect::<Vec<_>>(), [held.key_id], "{mishap:?}");
        let superseded = rows.iter().filter(|row| row.lifecycle == Lifecycle::Superseded).count();
        assert_eq!(superseded, usize::from(self.proof == Proof::Renewal));
        let world = &self.world;
        self.card.applicant.client(world, |client| {
            let options = Options::default();
            client.open(world.link(), &held.key_id, &options).unwrap().close().map(drop).unwrap();
        });
        assert!(recording::all_under_their_own_key() >= 2);
        let _ = &self.issuer;
        steps
    }
}

fn falls(calls: usize) -> impl Iterator<Item = Fall> {
    (0..calls).flat_map(|at| [Some((at, Moment::Before)), Some((at, Moment::After))])
}

fn everywhere(proof: Proof) {
    // Number of calls in a run without failures.
    let mut quiet = Episode::new(proof);
    quiet.card.reloaded(None);
    let credential = quiet.credential();
    let end = quiet.run(Mishap::default(), None, credential).unwrap();
    assert!(matches!(end, RegistrationOutcome::Active(_)), "{end:?}");
    let calls = quiet.card.applicant.token.power.calls.lock().unwrap().len();
    assert!(calls >= 8, "{calls}");

    let mut worst = 0;
    for restart in [false, true] {
        let token = falls(calls).map(|token| Mishap { token, restart, ..Mishap::default() });
        let store = falls(5).map(|store| Mishap { store, restart, ..Mishap::default() });
        let frame = (0..6).map(|frame| Mishap { frame: Some(frame), restart, ..Mishap::default() });
        for mishap in token.chain(store).chain(frame) {
            worst = worst.max(Episode::new(proof).suffers(mishap));
        }
    }
    assert!(worst <= 4, "{worst}");
}

#[test]
fn p8_power_fails_anywhere_without_a_proof() {
    everywhere(Proof::None);
}

#[test]
fn p8_power_fails_anywhere_with_a_code() {
    everywhere(Proof::Code);
}

#[test]
fn p8_power_fails_anywhere_in_a_renewal() {
    everywhere(Proof::Renewal);
}

#[test]
fn p8_power_fails_anywhere_with_a_ticket() {
    everywhere(Proof::Ticket);
}

#[test]
fn p8_power_fails_while_messages_are_lost() {
    for token in falls(14) {
        for frame in 2..6 {
            for store in [None, Some((2, Moment::After)), Some((4, Moment::After))] {
                let mishap = Mishap { token, frame: Some(frame), store, restart: false };
                Episode::new(Proof::Renewal).suffers(mishap);
            }
        }
    }
}

/// R2 as one of several servers judges it, up to what it would store.
fn judged(world: &World, r2: &[u8], random: &mut Counting) -> NeedCommit {
    let (settings, now) = (&world.settings, world.now());
    let new = receive_request(r2).unwrap().supply(None, b"peer", settings, now).unwrap();
    let Lookup::New(need) = new else { panic!() };
    let server = RecordingServer::new(&world.server);
    let judged = need.supply_from(&server, settings, now).unwrap();
    let judged = judged.supply_from(&world.store, settings, now).unwrap();
    judged.decide(|_| world.decision.borrow().clone(), settings, now, random).unwrap()
}

#[test]
fn p8_replicas_and_changes_of_mind_never_seal_two_texts_alike() {
    let mut episode = Episode::new(Proof::None);
    let world = &episode.world;
    let applicant = &mut episode.card.applicant;
    let (_, _, need) = {
        let server = RecordingServer::new(&world.server);
        let step =
            halfkey::registration::token::hello(world.settings.name.clone(), RECORDED, &mut applicant.random)
                .unwrap();
        let r1 = answer_through(world, &server, &world.store, b"peer", step.send.as_bytes());
        let anchors = applicant.token.anchors().unwrap();
        let revocation = halfkey::certificate::Revocation::Ignore;
        let need = step.next.receive_offer(&r1, &anchors, &revocation, world.now()).unwrap();
        ((), (), need)
    };
    let form = form(need.wanted(), "alice");
    let need = need.supply(form, Credential::None).unwrap();
    let need = need.supply_from(&mut applicant.token, &mut applicant.random).unwrap();
    let step = need.supply_from(&mut applicant.token, world.now()).unwrap();
    let Attempt::InFlight(half) = step.wanted().attempt.clone() else { panic!() };
    drop(step.supply_from(&mut applicant.token).unwrap());

    // A crash after each call: the decision, and even the random bytes, are made again.
    let mut sealed = Vec::new();
    let Decision::Grant(plain) = grant() else { panic!() };
    let less = Policy { allow_key_id: false, ..plain.policy };
    let decisions = [
        Decision::Wait { retry_after: 60 },
        Decision::Wait { retry_after: 61 },
        Decision::Refuse(RejectionCode::Declined),
        Decision::Grant(Grant { policy: less, ..plain }),
        grant(),
    ];
    for decision in decisions {
        *world.decision.borrow_mut() = decision;
        for seed in [40, 41, 40] {
            sealed.push(judged(world, &half.request, &mut Counting::new(seed)));
        }
    }
    assert_eq!(recording::all_under_their_own_key(), 1 + 10, "R2, and ten different outcomes");
    // Two replicas at once: the first to store it has answered for both.
    let (one, two) = (sealed.pop().unwrap(), sealed.pop().unwrap());
    assert_ne!(one.wanted().outcome.response, two.wanted().outcome.response);
    let first = one.supply_from(&world.store, world.now()).unwrap().into_bytes();
    let second = two.supply_from(&world.store, world.now()).unwrap().into_bytes();
    assert_eq!(first, second);
    assert!(is::<Outcome<'_>>(&first));
    assert_eq!(world.registrations().len(), 1);
    let held = applicant.completes_with(world, &half, &first);
    assert_eq!(world.registrations()[0].key_id, held.key_id);
    let at: UnixTime = world.now();
    assert_eq!(
        world.store.outcome(&halfkey::suite::Suite::hash(&halfkey::suite::XWING, &[&half.request]), at),
        Ok(Some(first))
    );
}
