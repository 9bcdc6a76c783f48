//! Configuration: both sides in one session, with a peer that sends anything under its own key.

use super::play::Play;
use super::supply::*;
use super::world::{self, at};
use halfkey::configuration::server::{Principal, push, receive_request};
use halfkey::configuration::token::{Applying, AwaitConfiguration, Verdict, receive_push, request};
use halfkey::memory::Store;
use halfkey::message::{Applied, ConfigRequest, Configuration, UserInformation};
use halfkey::port::EntitlementStore;
use halfkey::port::entitlement_store::{ConfigurationSerial, Document, EntitlementQuery, ReportResult};
use halfkey::record::TokenRegistration;
use halfkey::store::Subject;
use halfkey::store::operation::{Entitle, RaiseEpoch, RevokeEntitlement};
use halfkey::wire::Message;
use halfkey::{ApplicationName, UnixTime};
use std::num::NonZeroU32;

/// A token that says what it likes.
pub fn server(bytes: &[u8]) {
    let mut play = Play(bytes);
    let mut scene = Scene::new();
    for id in 1..48 {
        if play.is_over() {
            break;
        }
        match play.byte() % 4 {
            0 => scene.entitle(&mut play),
            _ => scene.serve(&mut play, id),
        }
    }
}

/// A server that says what it likes.
pub fn token(bytes: &[u8]) {
    let mut play = Play(bytes);
    let mut scene = Scene::new();
    for id in 1..48 {
        if play.is_over() {
            break;
        }
        match play.byte() % 4 {
            0 => scene.entitle(&mut play),
            _ => scene.ask(&mut play, id),
        }
    }
}

struct Scene {
    store: Store,
    principal: Principal,
    registration: TokenRegistration,
    now: UnixTime,
    seen: Vec<Vec<u8>>,
}

impl Scene {
    fn new() -> Self {
        let store = Store::new();
        let registration = world::enrol(&store, 0, world::policy(0)).registration;
        let TokenRegistration { key_id, user_id, access_path, server_name, .. } = registration.clone();
        let principal = Principal { key_id, user_id, access_path, server_name };
        Self { store, principal, registration, now: at(1), seen: Vec::new() }
    }

    fn entitle(&mut self, play: &mut Play<'_>) {
        let subject = match play.byte() % 2 {
            0 => Subject::User(self.principal.user_id.clone()),
            _ => Subject::AccessPath(self.principal.access_path.clone()),
        };
        let application = application(play);
        match play.byte() % 5 {
            0 => assert!(self.store.run(&RevokeEntitlement::new(subject, application), self.now).is_ok()),
            1 => assert!(self.store.run(&RaiseEpoch, self.now).is_ok()),
            2 => self.now = self.now.after(play.byte().into()),
            _ => {
                let length = play.below(64);
                let document = Document { media_type: "text/plain".into(), body: play.bytes(length).into() };
                let entitle = Entitle::new(subject, application, document).valid_for(60);
                assert!(self.store.run(&entitle, self.now).is_ok());
            }
        }
    }

    fn question(&self, play: &mut Play<'_>, id: u32) -> (Vec<u8>, AwaitConfiguration) {
        let information = UserInformation { location: Some("hall 3".into()), ..UserInformation::default() };
        let id = NonZeroU32::new(id).unwrap();
        let step = request(&self.registration, &application(play), &information, id, self.now).unwrap();
        (step.send.into_bytes(), step.next)
    }

    fn meddle(&mut self, play: &mut Play<'_>, frame: &[u8]) -> Vec<u8> {
        let heard = play.meddle(frame, &self.seen);
        self.seen.push(frame.to_vec());
        heard
    }

    /// Whatever the token asks and reports, the server tells it of its own user alone.
    fn serve(&mut self, play: &mut Play<'_>, id: u32) {
        let (c0, awaits) = self.question(play, id);
        let c0 = self.meddle(play, &c0);
        let Ok(need) = receive_request(&c0, &self.principal) else { return };
        let asked = ConfigRequest::decode(&c0).unwrap();
        let EntitlementQuery { user_id, key_id, application, .. } = need.wanted().query.clone();
        assert!(user_id == self.principal.user_id && key_id == self.principal.key_id);
        let step = need.supply_from(&self.store, self.now).unwrap();
        let c1 = step.send.into_bytes();
        let said = Configuration::decode(&c1).unwrap();
        assert!(said.scope.user_id == self.principal.user_id && said.scope.application == application);
        assert_eq!(said.request_id, asked.request_id);
        let Some(reported) = step.next else { return };

        let c2 = match awaits.receive(&c1, &self.registration, self.now) {
            Ok(received) => self.obey(play, received.verdict),
            Err(_) => None,
        };
        let c2 = self.meddle(play, &c2.unwrap_or_default());
        let Ok(need) = reported.receive_applied(&c2) else { return };
        assert_eq!(Some(need.wanted().report.serial), said.serial);
        assert!(need.wanted().report.application == application);
        let result = need.supply_from(&self.store, self.now).unwrap();
        assert_eq!(result == ReportResult::Applied, Applied::decode(&c2).unwrap().result == 0);
    }

    /// Whatever the server says, what the token holds only ever goes forward.
    fn ask(&mut self, play: &mut Play<'_>, id: u32) {
        let (c0, awaits) = self.question(play, id);
        let application = application(play);
        let query = EntitlementQuery::new(
            self.principal.key_id,
            self.principal.user_id.clone(),
            self.principal.access_path.clone(),
            application.clone(),
        );
        let pushed = self.store.entitlement(&query, self.now).unwrap();
        let c1 = match pushed.filter(|_| play.byte() % 3 == 1) {
            Some(entitlement) => push(&self.principal, &application, &entitlement, self.now).unwrap().send,
            None => {
                let need = receive_request(&c0, &self.principal).unwrap();
                need.supply_from(&self.store, self.now).unwrap().send
            }
        };
        let heard = self.meddle(play, c1.as_bytes());
        let before = self.registration.clone();
        let verdict = if play.byte() % 4 == 1 {
            receive_push(&heard, &self.registration, self.now)
        } else {
            awaits.receive(&heard, &self.registration, self.now).map(|received| received.verdict)
        };
        let Ok(verdict) = verdict else {
            assert!(self.registration == before);
            return;
        };
        let refused = matches!(verdict, Verdict::Refused(_));
        let c2 = self.obey(play, verdict);
        if let Some(c2) = &c2 {
            let said = Configuration::decode(&heard).unwrap();
            let c2 = Applied::decode(c2).unwrap();
            assert_eq!((c2.request_id, Some(c2.serial)), (said.request_id, said.serial));
        }
        assert!(!refused || self.registration == before);
        self.forward(&before);
    }

    fn forward(&self, before: &TokenRegistration) {
        let after = &self.registration;
        assert!(after.clock_floor >= before.clock_floor);
        assert!(after.configurations.len() <= halfkey::configuration::MAX_HELD);
        for held in &before.configurations {
            let now = after.configuration(&held.application).unwrap();
            let serial: ConfigurationSerial = now.serial;
            assert!(serial >= held.serial, "rolled back");
            assert!(serial != held.serial || now.digest == held.digest, "two under one serial");
            assert!(serial != held.serial || now.revoked == held.revoked);
        }
        let mut rest = after.clone();
        rest.configurations.clone_from(&before.configurations);
        rest.clock_floor = before.clock_floor;
        assert!(rest == *before, "something else of the registration changed");
    }

    /// Does as the verdict says; C2, if there is one.
    fn obey(&mut self, play: &mut Play<'_>, verdict: Verdict) -> Option<Vec<u8>> {
        match verdict {
            Verdict::Unchanged(step) => {
                self.registration = *step.next;
                Some(step.send.into_bytes())
            }
            Verdict::Apply(need) => {
                let done = if play.byte() % 4 == 1 { Applying::Failed } else { Applying::Applied };
                let step = need.supply(done, &self.registration).unwrap();
                self.registration = *step.next;
                Some(step.send.into_bytes())
            }
            Verdict::Refused(step) => Some(step.send.into_bytes()),
            Verdict::Unknown(registration) => {
                self.registration = *registration;
                None
            }
        }
    }
}

fn application(play: &mut Play<'_>) -> ApplicationName {
    ApplicationName::new(play.pick(&["mail", "files"])).unwrap()
}
