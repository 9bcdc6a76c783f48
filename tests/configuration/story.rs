//! Both sides and a store, the whole way.

use super::*;
use crate::supply::*;
use halfkey::configuration::server::{AwaitApplied, push, receive_request};
use halfkey::configuration::token::{Instruction, receive_push};
use halfkey::message::Address;
use halfkey::port::entitlement_store::{
    Admission, Admitted, Committed, Confirmed, EntitlementQuery, EntitlementStore, Report, ReportResult,
    StoreError,
};
use halfkey::record::{Applicant, ApplicantRecord, ExpectedTags, NewOutcome, ServerRegistration};
use std::sync::Mutex;

/// A store that knows one user and one application.
#[derive(Default)]
struct Store {
    down: Option<StoreError>,
    entitlement: Mutex<Option<Entitlement>>,
    queries: Mutex<Vec<EntitlementQuery>>,
    reports: Mutex<Vec<(ConfigurationSerial, ReportResult)>>,
}

impl EntitlementStore for Store {
    fn entitlement(&self, query: &EntitlementQuery, _: UnixTime) -> Result<Option<Entitlement>, StoreError> {
        self.queries.lock().unwrap().push(query.clone());
        self.down.clone().map_or_else(|| Ok(self.entitlement.lock().unwrap().clone()), Err)
    }
    fn report(&self, report: &Report, _: UnixTime) -> Result<(), StoreError> {
        assert_eq!((report.key_id, &report.application), (principal().key_id, &mail()));
        self.reports.lock().unwrap().push((report.serial, report.result));
        if let (ReportResult::Applied, Some(entitlement)) =
            (report.result, &mut *self.entitlement.lock().unwrap())
        {
            entitlement.last_applied = entitlement.last_applied.max(Some(report.serial));
        }
        Ok(())
    }
    fn outcome(&self, _: &Digest, _: UnixTime) -> Result<Option<Vec<u8>>, StoreError> {
        unreachable!()
    }
    fn applicant(&self, _: &Applicant, _: UnixTime) -> Result<ApplicantRecord, StoreError> {
        unreachable!()
    }
    fn commit(&self, _: &NewOutcome, _: UnixTime) -> Result<Committed, StoreError> {
        unreachable!()
    }
    fn expected(&self, _: &KeyId, _: UnixTime) -> Result<Option<ExpectedTags>, StoreError> {
        unreachable!()
    }
    fn confirm(&self, _: &KeyId, _: UnixTime) -> Result<Confirmed, StoreError> {
        unreachable!()
    }
    fn registration(&self, _: &Address, _: UnixTime) -> Result<Option<ServerRegistration>, StoreError> {
        unreachable!()
    }
    fn admit(&self, _: &Admission, _: UnixTime) -> Result<Admitted, StoreError> {
        unreachable!()
    }
    fn confirm_alias(&self, _: &KeyId, _: &Address, _: UnixTime) -> Result<(), StoreError> {
        unreachable!()
    }
}

impl Store {
    fn entitle(&self, entitlement: Entitlement) {
        let last = self.entitlement.lock().unwrap().as_ref().and_then(|old| old.last_applied);
        *self.entitlement.lock().unwrap() = Some(Entitlement { last_applied: last, ..entitlement });
    }

    fn serve(&self, c0: &[u8]) -> Step<Configuration<'static>, Option<AwaitApplied>> {
        receive_request(c0, &principal()).unwrap().supply_from(self, at(SERVER)).unwrap()
    }

    fn hear(&self, waiting: AwaitApplied, c2: &[u8]) -> ReportResult {
        assert!(waiting.answers(c2));
        waiting.receive_applied(c2).unwrap().supply_from(self, at(SERVER)).unwrap()
    }

    /// One question, its answer, and C2: the registration afterwards and what was applied.
    fn round(
        &self,
        mut record: TokenRegistration,
        id: u32,
        done: Applying,
    ) -> (TokenRegistration, Option<Instruction>) {
        let (c0, asked) = ask(&record, id, T);
        let Step { send: c1, next: waiting } = self.serve(&c0);
        let received = asked.receive(c1.as_bytes(), &record, at(T + 1)).unwrap();
        let (c2, instruction) = match received.verdict {
            Verdict::Unchanged(Step { send, next }) => {
                record = *next;
                (send, None)
            }
            Verdict::Apply(need) => {
                let mut instruction = None;
                let client = |wanted: &Instruction| {
                    instruction = Some(wanted.clone());
                    done
                };
                let Step { send, next } = need.supply_from(client, &record).unwrap();
                record = *next;
                (send, instruction)
            }
            other => panic!("{other:?}"),
        };
        self.hear(waiting.unwrap(), c2.as_bytes());
        (record, instruction)
    }
}

#[test]
fn an_entitlement_comes_down_changes_and_goes() {
    let store = Store::default();
    store.entitle(entitled(1, "first"));
    let (record, done) = store.round(registration(), 1, Applying::Applied);
    assert_eq!(done, Some(Instruction::Install(document("first"))));
    let (record, done) = store.round(record, 2, Applying::Applied);
    assert_eq!(done, None, "unchanged is not applied again");

    store.entitle(entitled(2, "second"));
    let (record, done) = store.round(record, 3, Applying::Failed);
    assert_eq!(done, Some(Instruction::Install(document("second"))));
    assert_eq!(record.configuration(&mail()).unwrap().serial, serial(1), "the last good one stays");
    let (record, done) = store.round(record, 4, Applying::Applied);
    assert_eq!(done, Some(Instruction::Install(document("second"))), "and it is offered again");

    store.entitle(Entitlement { document: None, ..entitled(3, "") });
    let (record, done) = store.round(record, 5, Applying::Applied);
    assert_eq!(done, Some(Instruction::Remove));
    let held = record.configuration(&mail()).unwrap();
    assert_eq!((held.serial, held.revoked, held.valid), (serial(3), true, None));
    assert!(!held.in_force(at(T), record.clock_floor));
    let (record, done) = store.round(record, 6, Applying::Applied);
    assert_eq!(done, None, "a revocation is not applied twice either");
    assert_eq!(record.configuration(&mail()).unwrap().valid, None);

    use ReportResult::{Applied, Failed};
    let expected = [(1, Applied), (1, Applied), (2, Failed), (2, Applied), (3, Applied), (3, Applied)];
    assert_eq!(*store.reports.lock().unwrap(), expected.map(|(number, result)| (serial(number), result)));
}

#[test]
fn the_store_is_asked_with_the_key_s_identity_and_the_token_s_information() {
    let store = Store::default();
    let record = holding(registration(), serial(4), &document("held"));
    let information = UserInformation {
        location: Some("Zu\u{308}rich".into()),
        system: Some("kiosk 7".into()),
        attributes: [("role".parse().unwrap(), "Ka\u{308}ufer".into())].into(),
    };
    let id = NonZeroU32::new(9).unwrap();
    let step = token::request(&record, &mail(), &information, id, at(T)).unwrap();
    let answer = store.serve(step.send.as_bytes());
    let query = &store.queries.lock().unwrap()[0];
    let Principal { key_id, user_id, access_path, .. } = principal();
    assert_eq!((query.key_id, &query.user_id, &query.access_path), (key_id, &user_id, &access_path));
    assert_eq!((&query.application, query.held), (&mail(), Some(serial(4))));
    assert_eq!(query.information.location.as_deref(), Some("Zürich"), "composed");
    assert_eq!(query.information.system.as_deref(), Some("kiosk 7"));
    assert_eq!(query.information.attributes, [("role".parse().unwrap(), "Käufer".into())].into());

    // The store knows nothing of it: what is held stays, and there is no C2 to wait for.
    assert!(answer.next.is_none());
    let received = step.next.receive(answer.send.as_bytes(), &record, at(T + 2)).unwrap();
    let Verdict::Unknown(after) = received.verdict else { panic!() };
    assert_eq!(*after, TokenRegistration { clock_floor: at(SERVER), ..record });
}

#[test]
fn a_token_set_back_is_an_event() {
    let store = Store::default();
    store.entitle(entitled(1, "first"));
    let (backup, _) = store.round(registration(), 1, Applying::Applied);
    store.entitle(entitled(2, "second"));
    let (_, _) = store.round(backup.clone(), 2, Applying::Applied);
    assert!(store.reports.lock().unwrap().iter().all(|(_, result)| *result != ReportResult::Regressed));

    for restored in [backup, registration()] {
        store.reports.lock().unwrap().clear();
        let (c0, _) = ask(&restored, 3, T);
        let step = store.serve(&c0);
        assert_eq!(*store.reports.lock().unwrap(), [(serial(2), ReportResult::Regressed)]);
        // It is served all the same.
        assert_eq!(Configuration::decode(step.send.as_bytes()).unwrap().kind, 2);
        assert_eq!(step.next.unwrap().regression().unwrap().serial, serial(2));
    }
}

#[test]
fn a_push_may_cross_a_question() {
    let store = Store::default();
    store.entitle(entitled(1, "first"));
    let (record, _) = store.round(registration(), 1, Applying::Applied);

    // The server pushes serial 2; the question that it crosses is answered with serial 2 as well.
    let (c0, asked) = ask(&record, 2, T);
    store.entitle(entitled(2, "second"));
    let pushed = push(&principal(), &mail(), &entitled(2, "second"), at(SERVER)).unwrap();
    let answered = store.serve(&c0);

    let received = asked.receive(pushed.send.as_bytes(), &record, at(T + 1)).unwrap();
    let applied = to_apply(received.verdict).supply(Applying::Applied, &record).unwrap();
    let record = applied.next;
    let received = received.waiting.unwrap().receive(answered.send.as_bytes(), &record, at(T + 1)).unwrap();
    assert!(received.waiting.is_none());
    let Verdict::Unchanged(second) = received.verdict else { panic!("applied twice") };

    // Both C2 arrive; each fits one question alone.
    let waiting = answered.next.unwrap();
    assert!(!pushed.next.answers(second.send.as_bytes()) && !waiting.answers(applied.send.as_bytes()));
    assert_eq!(store.hear(pushed.next, applied.send.as_bytes()), ReportResult::Applied);
    assert_eq!(store.hear(waiting, second.send.as_bytes()), ReportResult::Applied);
}

#[test]
fn an_answer_overtaken_by_a_push_does_not_roll_back() {
    let store = Store::default();
    store.entitle(entitled(1, "first"));
    let (record, _) = store.round(registration(), 1, Applying::Applied);
    let (c0, asked) = ask(&record, 2, T);
    let late = store.serve(&c0);
    let pushed = push(&principal(), &mail(), &entitled(2, "second"), at(SERVER)).unwrap();
    let received = asked.receive(pushed.send.as_bytes(), &record, at(T)).unwrap();
    let record = to_apply(received.verdict).supply(Applying::Applied, &record).unwrap().next;
    let received = received.waiting.unwrap().receive(late.send.as_bytes(), &record, at(T)).unwrap();
    let Verdict::Refused(step) = received.verdict else { panic!() };
    assert_eq!(store.hear(late.next.unwrap(), step.send.as_bytes()), ReportResult::RolledBack);
}

#[test]
fn a_push_needs_no_question() {
    let record = registration();
    let pushed = push(&principal(), &mail(), &entitled(1, "first"), at(SERVER)).unwrap();
    let need = to_apply(receive_push(pushed.send.as_bytes(), &record, at(T)).unwrap());
    assert_eq!(need.wanted(), &Instruction::Install(document("first")));
    assert_eq!((need.application(), need.serial()), (&mail(), serial(1)));
    let record = need.supply(Applying::Applied, &record).unwrap().next;
    let gone = Entitlement { document: None, ..entitled(2, "") };
    let pushed = push(&principal(), &mail(), &gone, at(SERVER)).unwrap();
    let need = to_apply(receive_push(pushed.send.as_bytes(), &record, at(T)).unwrap());
    assert_eq!(need.wanted(), &Instruction::Remove);
}

#[test]
fn the_store_s_trouble_is_the_operator_s() {
    use halfkey::{ErrorReason, Fault, configuration::ServerConfigurationError};
    let store = Store { down: Some(StoreError::Unavailable(7)), ..Store::default() };
    let (c0, _) = ask(&registration(), 1, T);
    let error = receive_request(&c0, &principal()).unwrap().supply_from(&store, at(SERVER)).unwrap_err();
    assert_eq!(error, ServerConfigurationError::Store(StoreError::Unavailable(7)));
    assert_eq!((error.fault(), error.refusal()), (Fault::Operator, ErrorReason::Busy));

    // The token is told one word, inside the session.
    let (_, asked) = ask(&registration(), 1, T);
    let told = error.refusal().frame();
    let error = asked.receive(told.as_bytes(), &registration(), at(T)).unwrap_err();
    assert_eq!(error, TokenConfigurationError::ErrorMessage(ErrorReason::Busy));
    assert_eq!(error.fault(), Fault::Nobody);
}
