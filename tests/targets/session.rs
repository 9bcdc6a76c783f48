//! Sessions: an honest token and an honest server, and an attacker between them.

use super::card::Card;
use super::play::Play;
use super::supply::*;
use super::world::{self, Counting, Enrolled, at};
use halfkey::memory::Store;
use halfkey::message::Challenge;
use halfkey::port::EntitlementStore;
use halfkey::port::entitlement_store::Status;
use halfkey::port::question::StoreQuestion;
use halfkey::record::TokenRegistration;
use halfkey::session::server::{AwaitResponse, Entry, receive_open};
use halfkey::session::token::{AwaitAccept, Options, SessionOutcome, open};
use halfkey::session::{Channel, ServerSessionError, TokenSessionError, park};
use halfkey::store::operation::{Resume, Revoke, Suspend};
use halfkey::wire::Message;
use halfkey::{KeyId, ServerSettings, UnixTime};

/// Frames to the server, and what it parked, are meddled with.
pub fn server(bytes: &[u8]) {
    perform(bytes, true);
}

/// Frames to the token are meddled with.
pub fn token(bytes: &[u8]) {
    perform(bytes, false);
}

fn perform(bytes: &[u8], to_server: bool) {
    let mut play = Play(bytes);
    let mut scene = Scene::new(&mut play);
    for _ in 0..32 {
        if play.is_over() {
            break;
        }
        match play.byte() % 8 {
            0 => scene.change(&mut play),
            _ => drop(scene.session(&mut play, to_server)),
        }
    }
}

/// Two channels of one session, by the real steps: the token's end and the server's.
pub fn channels() -> (Channel, Channel) {
    let honest = &mut Play(&[]);
    Scene::new(honest).session(honest, true).unwrap().unwrap()
}

struct Scene {
    settings: ServerSettings,
    store: Store,
    card: Card,
    random: Counting,
    now: UnixTime,
    by_key_id: bool,
    /// Frames of all sessions, in both directions, and what was parked.
    seen: Vec<Vec<u8>>,
    /// Every S0 that arrived, and the core of the S1 that answered it.
    challenges: Vec<(Vec<u8>, Vec<u8>)>,
    /// Every S2 of the token's that answers such a core, for such an S0.
    proofs: Vec<Vec<u8>>,
    /// Everything the server ever parked with itself.
    parked: Vec<Vec<u8>>,
}

impl Scene {
    fn new(play: &mut Play<'_>) -> Self {
        let (store, mut card) = (Store::new(), Card::new(4));
        for n in 0..2 {
            let Enrolled { registration, keys } = world::enrol(&store, n, world::policy(play.below(12)));
            card.keys.insert(registration.key_id, (keys, registration));
        }
        let (settings, random) = (world::settings(), Counting::new(3));
        Self {
            settings,
            store,
            card,
            random,
            now: at(1),
            by_key_id: false,
            seen: Vec::new(),
            challenges: Vec::new(),
            proofs: Vec::new(),
            parked: Vec::new(),
        }
    }

    fn change(&mut self, play: &mut Play<'_>) {
        let key_id = KeyId::new([play.byte() % 2; 16]);
        match play.byte() % 5 {
            0 => drop(self.store.run(&Suspend(key_id), self.now)),
            1 => drop(self.store.run(&Resume(key_id), self.now)),
            2 => drop(self.store.run(&Revoke(key_id), self.now)),
            3 => self.by_key_id ^= true,
            _ => self.now = self.now.after(play.byte().into()),
        }
    }

    /// One session; whatever comes of it, only what both sides meant may come of it.
    fn session(
        &mut self,
        play: &mut Play<'_>,
        to_server: bool,
    ) -> Result<Option<(Channel, Channel)>, Box<dyn std::error::Error>> {
        let key_id = KeyId::new([play.byte() % 2; 16]);
        let mut registration = self.card.keys[&key_id].1.clone();
        let options = Options { by_key_id: self.by_key_id, ..Options::default() };
        let step = open(&registration, &options)?;
        let (s0, awaits) = (step.send.into_bytes(), step.next);
        let s0_heard = if to_server { self.meddle(play, &s0) } else { s0.clone() };

        let (s1, challenged) = self.challenge(play, &s0_heard)?;
        // Also one that the token never hears: it may be played to it in a later session.
        self.challenges.push((s0_heard.clone(), core(&s1).unwrap().to_vec()));
        let s1_heard = if to_server { s1.clone() } else { self.meddle(play, &s1) };

        let step = awaits.receive_challenge(&s1_heard, &mut self.random)?.supply_from(&mut self.card)?;
        let (s2, awaits) = (step.send.into_bytes(), step.next);
        let s2_heard = if to_server { self.meddle(play, &s2) } else { s2.clone() };
        // The token only hands the cookie back; everything else is under its proof. An answer to an
        // earlier challenge is as good as one to this, once, where the server keeps none in memory.
        let answered = (s0.clone(), core(&s1_heard).unwrap().to_vec());
        let this = self.challenges.last() == Some(&answered);
        if self.challenges.contains(&answered) {
            self.proofs.push(s2.clone());
        }
        let remembered = challenged.is_some();

        let (entered, parked) = self.respond(play, challenged, &s2_heard, to_server);
        if entered.is_ok() {
            assert!(self.proofs.contains(&s2_heard), "a proof that the token did not make");
            assert!(!remembered || parked || this && s2_heard == s2, "a proof for another challenge");
        }
        let (s3, entry) = match entered {
            Ok((s3, entry)) => (s3, Some(entry)),
            Err(error) => (error.refusal().frame().into_bytes(), None),
        };
        let s3_heard = if to_server { s3.clone() } else { self.meddle(play, &s3) };
        let opened = self.accept(awaits, &s3_heard);
        let meant = entry.is_some() && s3_heard == s3 && s2_heard == s2;
        assert_eq!(opened.is_ok(), meant, "an acceptance not given, or refused");
        let (Ok(opened), Some(entry)) = (opened, entry) else { return Ok(None) };
        self.settle(&mut registration, opened, entry)
    }

    fn meddle(&mut self, play: &mut Play<'_>, frame: &[u8]) -> Vec<u8> {
        let heard = play.meddle(frame, &self.seen);
        self.seen.push(frame.to_vec());
        heard
    }

    /// S1 and, unless it is all in the cookie, the server's memory of it.
    fn challenge(
        &mut self,
        play: &mut Play<'_>,
        s0: &[u8],
    ) -> Result<(Vec<u8>, Option<AwaitResponse>), ServerSessionError> {
        let Self { settings, store, random, now, .. } = self;
        let need = receive_open(s0, settings)?;
        if play.byte() % 3 == 1 {
            let registered = need.wanted().ask(store, *now)?;
            let s1 = need.supply_with_cookie(registered, *now, settings, random)?;
            return Ok((s1.into_bytes(), None));
        }
        let step = need.supply_from(store, *now, random)?;
        Ok((step.send.into_bytes(), Some(step.next)))
    }

    /// S3, from a challenge remembered, parked or brought back, and whether it was parked; one that
    /// left memory is good once.
    fn respond(
        &mut self,
        play: &mut Play<'_>,
        challenged: Option<AwaitResponse>,
        s2: &[u8],
        to_server: bool,
    ) -> (Result<(Vec<u8>, Entry), ServerSessionError>, bool) {
        let parked = match challenged {
            Some(state) if play.byte() % 2 == 1 => {
                let parked = state.park(&self.settings, &mut self.random);
                self.parked.push(parked.clone());
                Some(if to_server { self.meddle(play, &parked) } else { parked })
            }
            Some(state) => return (self.admit(state, s2), false),
            None => None,
        };
        (self.resume(parked.as_deref(), s2), parked.is_some())
    }

    fn resume(&mut self, parked: Option<&[u8]>, s2: &[u8]) -> Result<(Vec<u8>, Entry), ServerSessionError> {
        let again = |scene: &Self| match parked {
            Some(parked) => park::resume(parked, &scene.settings, scene.now),
            None => park::resume_from_response(s2, &scene.settings, scene.now),
        };
        let state = again(self)?.supply_from(&self.store, self.now)?;
        // A cookie may be taken out of S1 and put in the place of what was parked.
        let genuine = |parked: &[u8]| self.parked.iter().chain(&self.seen).any(|made| made.ends_with(parked));
        assert!(parked.is_none_or(genuine), "never parked");
        let entered = self.admit(state, s2)?;
        let state = again(self)?.supply_from(&self.store, self.now)?;
        assert!(matches!(self.admit(state, s2), Err(ServerSessionError::Spent)), "a challenge used twice");
        Ok(entered)
    }

    fn admit(&mut self, state: AwaitResponse, s2: &[u8]) -> Result<(Vec<u8>, Entry), ServerSessionError> {
        let need = state.receive_response(s2, self.now, &mut self.random)?;
        let step = need.supply_from(&self.store, self.now)?;
        Ok((step.send.into_bytes(), step.next))
    }

    fn accept(&mut self, awaits: AwaitAccept, s3: &[u8]) -> Result<SessionOutcome, TokenSessionError> {
        awaits.receive_accept(s3)?.supply_from(&mut self.card)
    }

    /// Both sides have proved themselves: they must mean the same.
    fn settle(
        &mut self,
        registration: &mut TokenRegistration,
        opened: SessionOutcome,
        entry: Entry,
    ) -> Result<Option<(Channel, Channel)>, Box<dyn std::error::Error>> {
        match (opened, entry) {
            (SessionOutcome::Session(session), Entry::Session(established)) => {
                assert_eq!(established.key_id, registration.key_id);
                assert_eq!(established.mode, session.mode);
                assert_eq!(established.channel.session_id(), session.channel.session_id());
                session.note(registration);
                self.card.keys.get_mut(&registration.key_id).unwrap().1 = registration.clone();
                self.store.confirm_alias(&established.key_id, &established.address, self.now)?;
                Ok(Some((session.channel, established.channel)))
            }
            (SessionOutcome::NotActive(told), Entry::NotActive { key_id, status }) => {
                assert!(told == status && status != Status::Active);
                assert_eq!(key_id, registration.key_id);
                Ok(None)
            }
            (opened, entry) => panic!("{opened:?} and {entry:?}"),
        }
    }
}

fn core(s1: &[u8]) -> Option<&[u8]> {
    Challenge::decode(s1).ok().map(|challenge| challenge.core.0)
}
