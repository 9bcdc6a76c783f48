//! An operator's desk: a store, a clock, and tokens that come and go without the steps between.

use super::{Make, Run};
use halfkey::message::Address;
use halfkey::policy::{Policy, SuiteId};
use halfkey::port::EntitlementStore;
use halfkey::port::entitlement_store::{
    Admission, Admitted, Committed, ConfigurationSerial, Confirmed, Document, EntitlementQuery, Report,
    ReportResult,
};
use halfkey::record::{
    Applicant, ApplicantRecord, Effect, ExpectedTags, Lifecycle, NewOutcome, NewRegistration, ProofId,
    RejectionCause, RejectionRecord, ServerRegistration, StoredKeys, Takes, WaitingRequest,
};
use halfkey::store::operation::{
    Cursor, Entitle, InspectRegistration, IssueCode, ListCodes, ListEntitlements, ListEvents, ListMembers,
    ListRegistrations, ListReports, ListRequests, Page,
};
use halfkey::store::{AuditEvent, Operation, OperatorError, RegistrationState, Subject, UniqueNames};
use halfkey::template::{Field, FieldKind, Form, Template};
use halfkey::{
    AccessPath, Alias, ApplicationName, CodeId, Digest, Group, KeyId, Secret, TicketId, Txn, UnixTime,
    UserId, UserName,
};
use std::cell::Cell;
use std::fmt::Debug;

/// The byte that every secret here is made of.
pub const MARK: u8 = 0xA7;
/// How long a registration may be pending, and an application wait.
pub const PENDING: u64 = 100;
pub const HOLD: u64 = 1000;

pub fn name(text: &str) -> UserName {
    UserName::new(text).unwrap()
}

pub fn key(n: u8) -> KeyId {
    KeyId::new([n; 16])
}

pub fn ticket(n: u8) -> TicketId {
    TicketId::new([n; 16])
}

pub fn user(n: u8) -> UserId {
    UserId::new(&format!("user-{n}")).unwrap()
}

pub fn path(text: &str) -> AccessPath {
    AccessPath::new(text).unwrap()
}

pub fn group(text: &str) -> Group {
    Group::new(text).unwrap()
}

pub fn app(text: &str) -> ApplicationName {
    ApplicationName::new(text).unwrap()
}

pub fn document(body: &str) -> Document {
    Document { media_type: "text/plain".into(), body: body.into() }
}

pub fn form(text: &str) -> Form {
    let template = Template::new(vec![Field::required("name", FieldKind::UserName)]).unwrap();
    template.fill([("name", text.into())]).unwrap()
}

pub fn secret() -> Secret {
    Secret::new([MARK; 32])
}

/// A token that was judged fit.
#[derive(Clone)]
pub struct Grant {
    pub n: u8,
    pub name: UserName,
    pub user: UserId,
    pub takes: Option<Takes>,
    pub ticket: Option<TicketId>,
    pub path: AccessPath,
}

/// Number `n` (of its key, its user, its first alias and its request) under a name.
pub fn grant(n: u8, text: &str) -> Grant {
    Grant { n, name: name(text), user: user(n), takes: None, ticket: None, path: path("/staff") }
}

impl Grant {
    pub fn by(self, code: CodeId) -> Self {
        Self { takes: Some(Takes::Code(code)), ..self }
    }
    /// Renews the key of this number, whose user is the same.
    pub fn renews(self, earlier: u8) -> Self {
        Self { takes: Some(Takes::Place(key(earlier))), user: user(earlier), ..self }
    }
    pub fn ticket(self, n: u8) -> Self {
        Self { ticket: Some(ticket(n)), ..self }
    }
}

pub struct Desk<S> {
    pub store: S,
    now: Cell<u64>,
}

impl<S: Run> Desk<S> {
    pub fn new(make: Make<'_, S>) -> Self {
        Self::with(make, UniqueNames::Always)
    }

    pub fn with(make: Make<'_, S>, unique: UniqueNames) -> Self {
        Self { store: make(unique), now: Cell::new(1_000_000) }
    }

    pub fn now(&self) -> UnixTime {
        UnixTime::from_secs(self.now.get())
    }

    pub fn pass(&self, seconds: u64) {
        self.now.set(self.now.get() + seconds);
    }

    /// Sets the clock.
    pub fn set(&self, now: UnixTime) {
        self.now.set(now.as_secs());
    }

    pub fn port(&self) -> &dyn EntitlementStore {
        self.store.port()
    }

    /// Something that is done.
    pub fn run<O: Operation<Error: Debug>>(&self, operation: &O) -> O::Answer {
        self.store.run(operation, self.now()).unwrap()
    }

    /// Something that is not done, and changes nothing.
    pub fn fails<O>(&self, operation: &O, error: OperatorError)
    where
        O: Operation<Error = OperatorError, Answer: Debug>,
    {
        let before = self.everything();
        assert_eq!(self.store.run(operation, self.now()).unwrap_err(), error);
        assert_eq!(self.everything(), before, "something has changed");
    }

    pub fn issue(&self, text: &str, expires: Option<UnixTime>) -> CodeId {
        self.run(&IssueCode { name: name(text), secret: secret(), expires })
    }

    pub fn entitle(&self, subject: &Subject, body: &str) -> ConfigurationSerial {
        let (subject, application) = (subject.clone(), app("mail"));
        self.run(&Entitle::new(subject, application, document(body)))
    }

    pub fn commit(&self, n: u8, effect: Effect) -> Committed {
        let (request, keep_until) = (Digest::new([n; 32]), self.now().after(PENDING));
        let limits = halfkey::record::PendingLimits::default();
        let outcome = NewOutcome { request, response: vec![n; 8], keep_until, effect, limits };
        self.port().commit(&outcome, self.now()).unwrap()
    }

    pub fn pending(&self, grant: &Grant) -> KeyId {
        let Grant { n, name, user, takes, ticket, path } = grant.clone();
        let keys = StoredKeys { auth: secret(), derive: secret(), renew: secret() };
        let expected =
            ExpectedTags { txn: Txn::new([n; 16]), confirm: secret(), done: secret(), lost: secret() };
        let lifecycle = Lifecycle::Pending { confirm_by: self.now().after(PENDING) };
        let (suite, policy) = (SuiteId::XWing, Policy::default());
        let registered = ServerRegistration {
            key_id: key(n),
            user_id: user,
            name,
            access_path: path,
            suite,
            policy,
            lifecycle,
            expires: None,
            keys,
        };
        let new = NewRegistration { registered, alias: Alias::new([n; 16]), expected, takes, ticket };
        assert_eq!(self.commit(n, Effect::Granted(new.into())), Committed::Stored);
        key(n)
    }

    pub fn confirm(&self, n: u8) -> Confirmed {
        self.port().confirm(&key(n), self.now()).unwrap()
    }

    pub fn active(&self, grant: &Grant) -> KeyId {
        self.pending(grant);
        assert_eq!(self.confirm(grant.n), Confirmed::Active);
        key(grant.n)
    }

    /// An application that waits, with its ticket's number.
    pub fn waits(&self, n: u8, text: &str, takes: Option<Takes>) -> TicketId {
        let form = form(text);
        let (ticket_id, hold_until) = (ticket(n), self.now().after(HOLD));
        let application =
            WaitingRequest { ticket_id, ticket: secret(), name: name(text), form, takes, hold_until };
        let effect = Effect::Waiting { application: application.into(), instead_of: None };
        assert_eq!(self.commit(n, effect), Committed::Stored);
        ticket_id
    }

    pub fn refuses(&self, n: u8, cause: RejectionCause, name: Option<UserName>) {
        let refusal = RejectionRecord { cause, code: cause.code(), name, ticket: None };
        assert_eq!(self.commit(n, Effect::Refused(refusal)), Committed::Stored);
    }

    /// A session of key `n`, with a challenge of this number if it was parked.
    pub fn admit(&self, n: u8, alias: u8, spend: Option<u8>) -> Admitted {
        let admission = Admission::new(
            key(n),
            Address::Key(key(n)),
            Alias::new([alias; 16]),
            spend.map(|challenge| ([challenge; 16], self.now().after(60))),
        );
        self.port().admit(&admission, self.now()).unwrap()
    }

    /// A session of key `n`, opened with a challenge that was parked, and lapses then.
    pub fn spend(&self, n: u8, challenge: [u8; 16], lapses: UnixTime) -> Admitted {
        let admission =
            Admission::new(key(n), Address::Key(key(n)), Alias::new(challenge), Some((challenge, lapses)));
        self.port().admit(&admission, self.now()).unwrap()
    }

    /// A session of key `n`, opened by an alias.
    pub fn admit_by(&self, n: u8, by: u8, alias: u8) -> Admitted {
        let address = Address::Alias(Alias::new([by; 16]));
        let next_alias = Alias::new([alias; 16]);
        let admission = Admission::new(key(n), address, next_alias, None);
        self.port().admit(&admission, self.now()).unwrap()
    }

    pub fn applicant(&self, text: &str, proof: Option<ProofId>) -> ApplicantRecord {
        self.port().applicant(&Applicant { name: name(text), proof }, self.now()).unwrap()
    }

    pub fn is_taken(&self, text: &str) -> bool {
        self.applicant(text, None).name_taken
    }

    pub fn waiting(&self, n: u8) -> bool {
        self.applicant("anybody", Some(ProofId::Ticket(ticket(n)))).waiting.is_some()
    }

    pub fn report(&self, n: u8, serial: ConfigurationSerial, result: ReportResult) {
        let report = Report::new(key(n), app("mail"), serial, result);
        self.port().report(&report, self.now()).unwrap();
    }

    /// What the user of key `n` is entitled to in `mail`: serial, text, and what the key has applied.
    pub fn entitled(
        &self,
        n: u8,
        user: &UserId,
        access: &str,
    ) -> Option<(ConfigurationSerial, Option<String>, Option<ConfigurationSerial>)> {
        let query = EntitlementQuery::new(key(n), user.clone(), path(access), app("mail"));
        let text = |document: Document| String::from_utf8(document.body).unwrap();
        let found = self.port().entitlement(&query, self.now()).unwrap()?;
        Some((found.serial, found.document.map(text), found.last_applied))
    }

    pub fn state(&self, n: u8) -> Option<RegistrationState> {
        self.run(&InspectRegistration(key(n))).map(|row| state(row.lifecycle))
    }

    pub fn log(&self) -> Vec<AuditEvent> {
        every(|after| self.run(&ListEvents { after, ..ListEvents::default() }))
    }

    /// What is logged while something is done.
    pub fn logged<T>(&self, something: impl FnOnce() -> T) -> Vec<String> {
        let before = self.log();
        something();
        let after = self.log();
        assert_eq!(after[..before.len()], before, "the log has another beginning");
        let new = &after[before.len()..];
        assert!(new.iter().all(|event| event.at == self.now()));
        new.iter().map(line).collect()
    }

    /// All that the operator can see, and all that the steps can of each key.
    pub fn everything(&self) -> String {
        let rows = every(|after| self.run(&ListRegistrations { after, ..ListRegistrations::default() }));
        let mut all = format!(
            "{rows:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}\n{:#?}\n",
            every(|after| self.run(&ListRequests { after, ..ListRequests::default() })),
            every(|after| self.run(&ListCodes { after, ..ListCodes::default() })),
            every(|after| self.run(&ListEntitlements { after, ..ListEntitlements::default() })),
            every(|after| self.run(&ListMembers { after, ..ListMembers::default() })),
            every(|after| self.run(&ListReports { after, ..ListReports::default() })),
            self.log(),
        );
        for n in rows.iter().map(|row| row.key_id.as_bytes()[0]) {
            all += &format!(
                "{:?} {:?} {:?} {:?}\n",
                self.port().registration(&Address::Key(key(n)), self.now()).unwrap(),
                self.port().registration(&Address::Alias(Alias::new([n; 16])), self.now()).unwrap(),
                self.port().expected(&key(n), self.now()).unwrap(),
                self.port().outcome(&Digest::new([n; 32]), self.now()).unwrap(),
            );
        }
        all
    }
}

/// The whole of a list, page after page.
pub fn every<T>(mut read: impl FnMut(Option<Cursor>) -> Page<T>) -> Vec<T> {
    let Page { mut entries, mut next, damaged } = read(None);
    assert_eq!(damaged, []);
    while next.is_some() {
        let page = read(next);
        entries.extend(page.entries);
        next = page.next;
    }
    entries
}

pub fn state(lifecycle: Lifecycle) -> RegistrationState {
    lifecycle.into()
}

/// An event in a line: all that it says and nothing else.
pub fn line(event: &AuditEvent) -> String {
    let mut words = vec![event.kind.word().to_string()];
    words.extend(event.cause.map(|cause| format!("cause={}", cause.word())));
    words.extend(event.status.map(|status| format!("status={}", status.word())));
    words.extend(event.result.map(|result| format!("result={}", result.word())));
    words.extend(event.key_id.map(|key_id| format!("key={}", key_id.as_bytes()[0])));
    words.extend(event.user_id.as_ref().map(|user| user.to_string()));
    words.extend(event.name.as_ref().map(|name| name.to_string()));
    words.extend(event.subject.as_ref().map(|subject| subject.to_string()));
    words.extend(event.application.as_ref().map(|application| application.to_string()));
    words.extend(event.condition.as_ref().map(|condition| condition.to_string()));
    words.extend(event.serial.map(|serial| format!("{}.{}", serial.epoch, serial.number)));
    words.join(" ")
}
