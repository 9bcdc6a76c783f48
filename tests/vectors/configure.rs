//! Every kind of C1 in a session: a document, unchanged, a push, a revocation, and an application unknown.

use crate::stage::{Record, Stage};
use crate::supply::*;
use crate::talk::{APPLICATION, down, up};
use halfkey::configuration::server::{AwaitApplied, Principal};
use halfkey::configuration::token::{Applying, Verdict};
use halfkey::configuration::{server as serving, token as asking};
use halfkey::message::UserInformation;
use halfkey::port::EntitlementStore;
use halfkey::port::entitlement_store::{Document, EntitlementQuery};
use halfkey::record::TokenRegistration;
use halfkey::session::Content;
use halfkey::session::server::Established;
use halfkey::session::token::Session;
use halfkey::store::Subject;
use halfkey::store::operation::{Entitle, RevokeEntitlement};
use halfkey::{AccessPath, ApplicationName};
use std::num::NonZeroU32;

pub(crate) fn subject() -> Subject {
    Subject::AccessPath(AccessPath::new("/staff/security").unwrap())
}

/// Entitles everybody to a text.
pub(crate) fn entitle(stage: &Stage, text: &str) {
    let document = Document { media_type: "text/plain".into(), body: text.into() };
    let application = ApplicationName::new(APPLICATION).unwrap();
    let entitle = Entitle::new(subject(), application, document).valid_for(86_400);
    stage.store.run(&entitle, stage.now()).unwrap();
}

/// Both sides of a session in which configurations travel.
struct Talk<'t> {
    stage: &'t Stage,
    record: &'t mut Record,
    registration: TokenRegistration,
    token: &'t mut Session,
    server: &'t mut Established,
}

impl Talk<'_> {
    fn information() -> UserInformation {
        UserInformation {
            location: Some("Hamburg".into()),
            system: Some("example-os 7".into()),
            ..UserInformation::default()
        }
    }

    fn principal(&self) -> Principal {
        Principal {
            key_id: self.server.key_id,
            user_id: self.server.user_id.clone(),
            access_path: self.server.access_path.clone(),
            server_name: self.stage.settings.name.clone(),
        }
    }

    fn up(&mut self, name: &'static str, message: &[u8]) {
        let place: &'static str = format!("{name} up").leak();
        up(self.record, self.token, self.server, place, Content::Configuration, message);
        assert!(self.record.messages.insert(name, message.to_vec()).is_none(), "{name}");
    }

    fn down(&mut self, name: &'static str, message: &[u8]) {
        let place: &'static str = format!("{name} down").leak();
        down(self.record, self.token, self.server, place, Content::Configuration, message);
        assert!(self.record.messages.insert(name, message.to_vec()).is_none(), "{name}");
    }

    /// C0, C1, and C2 where there is one.
    fn ask(&mut self, application: &str, id: u32, [c0, c1, c2]: [&'static str; 3]) {
        let now = self.stage.now();
        let application = ApplicationName::new(application).unwrap();
        let id = NonZeroU32::new(id).unwrap();
        let step = asking::request(&self.registration, &application, &Self::information(), id, now).unwrap();
        let question = step.send.into_bytes();
        self.up(c0, &question);
        let need = serving::receive_request(&question, &self.principal()).unwrap();
        let answer = need.supply_from(&self.stage.store, now).unwrap();
        self.down(c1, answer.send.as_bytes());
        let received = step.next.receive(answer.send.as_bytes(), &self.registration, now).unwrap();
        self.apply(received.verdict, answer.next, c2);
    }

    fn apply(&mut self, verdict: Verdict, awaited: Option<AwaitApplied>, c2: &'static str) {
        let applied = match verdict {
            Verdict::Apply(need) => need.supply(Applying::Applied, &self.registration).unwrap(),
            Verdict::Unchanged(step) => step,
            Verdict::Unknown(next) => {
                self.registration = *next;
                return;
            }
            Verdict::Refused(step) => panic!("{step:?}"),
        };
        self.registration = *applied.next;
        let report = applied.send.into_bytes();
        self.up(c2, &report);
        let need = awaited.unwrap().receive_applied(&report).unwrap();
        need.supply_from(&self.stage.store, self.stage.now()).unwrap();
    }

    fn push(&mut self, c1: &'static str, c2: &'static str) {
        let now = self.stage.now();
        let principal = self.principal();
        let application = ApplicationName::new(APPLICATION).unwrap();
        let mut query = EntitlementQuery::new(
            principal.key_id,
            principal.user_id.clone(),
            principal.access_path.clone(),
            application.clone(),
        );
        query.information = Self::information();
        let entitlement = self.stage.store.entitlement(&query, now).unwrap().unwrap();
        let step = serving::push(&principal, &application, &entitlement, now).unwrap();
        self.down(c1, step.send.as_bytes());
        let verdict = asking::receive_push(step.send.as_bytes(), &self.registration, now).unwrap();
        self.apply(verdict, Some(step.next), c2);
    }
}

pub(crate) fn everything(
    stage: &Stage,
    record: &mut Record,
    registration: &TokenRegistration,
    (token, server): (&mut Session, &mut Established),
) {
    let mut talk = Talk { stage, record, registration: registration.clone(), token, server };
    talk.ask(APPLICATION, 1, ["C0", "C1", "C2"]);
    talk.ask(APPLICATION, 2, ["C0 with what is held", "C1 unchanged", "C2 of unchanged"]);
    entitle(stage, "mail.example, port 465");
    talk.push("C1 push", "C2 of the push");
    let application = ApplicationName::new(APPLICATION).unwrap();
    stage.store.run(&RevokeEntitlement::new(subject(), application), stage.now()).unwrap();
    talk.ask(APPLICATION, 3, ["C0 before the revocation", "C1 revoked", "C2 of the revocation"]);
    talk.ask("print", 4, ["C0 of an unknown application", "C1 unknown", "no C2"]);
}
