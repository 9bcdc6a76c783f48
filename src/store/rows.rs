//! The rows that a store keeps, table by table: the schema of every database behind it.

use super::entity::entity;
use super::event::EventKind;
use super::value::{sealed, words};
use super::{Subject, UniqueNames};
use crate::id::{
    AccessPath, Alias, ApplicationName, ChallengeId, CodeId, Digest, EventId, Group, KeyId, TicketId, UserId,
    UserName,
};
use crate::policy::{Modes, Policy, SuiteId, SuiteList};
use crate::port::entitlement_store::{Document, ReportResult, Status};
use crate::record::{
    ExpectedTags, Lifecycle, NewRegistration, RejectionCause, ServerRegistration, StoredKeys, Takes,
    WaitingRequest,
};
use crate::secret::Secret;
use crate::template::Form;
use crate::time::UnixTime;
use crate::wire::stored::stored;
use alloc::string::String;
use alloc::vec::Vec;

/// A [`Lifecycle`] without its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// [`Lifecycle::Pending`].
    Pending,
    /// [`Lifecycle::Active`].
    Active,
    /// [`Lifecycle::Lost`].
    Lost,
    /// [`Lifecycle::Superseded`].
    Superseded,
    /// [`Lifecycle::Suspended`].
    Suspended,
    /// [`Lifecycle::Revoked`].
    Revoked,
}

words! { State {
    Pending = "pending", Active = "active", Lost = "lost", Superseded = "superseded",
    Suspended = "suspended", Revoked = "revoked",
} }

words! { ReportResult {
    Applied = "applied", RolledBack = "rolled back", Equivocation = "equivocation", Failed = "failed",
    NoRoom = "no room", Regressed = "regressed",
} }

words! { Status {
    Active = "active", Lost = "lost", Suspended = "suspended", Revoked = "revoked", Expired = "expired",
} }

words! { RejectionCause {
    Unreadable = "unreadable", UnknownProof = "unknown proof", WrongProof = "wrong proof",
    StaleTicket = "stale ticket", Form = "form", NameTaken = "name taken", ProofNeeded = "proof needed",
    TooMany = "too many", NotRenewable = "not renewable", Declined = "declined",
} }

entity! {
    /// A registration.
    Row, "registration", by [key_id: KeyId] {
        user_id: UserId, indexed;
        name: UserName, indexed;
        access_path: AccessPath, indexed;
        suite: SuiteId;
        modes: Modes;
        suites: SuiteList;
        lifetime: Option<u32>;
        allow_key_id: bool;
        state: State, indexed;
        /// Until when it must be confirmed; of pending ones alone.
        confirm_by: Option<UnixTime>, indexed;
        expires: Option<UnixTime>, indexed;
        keys: StoredKeys;
        tags: Option<ExpectedTags>;
        /// The request whose outcome it is, as long as that is stored.
        request: Option<Digest>;
        /// The activation code that proves it.
        code: Option<CodeId>, indexed;
        /// The key whose place it takes.
        renews: Option<KeyId>, indexed;
        /// The ticket that it uses up.
        ticket: Option<TicketId>, indexed;
        /// When it is forgotten; of lost ones alone.
        forget_at: Option<UnixTime>, indexed;
        granted_at: Option<UnixTime>;
        confirmed_at: Option<UnixTime>;
        last_seen: Option<UnixTime>;
    }
}

entity! {
    /// An alias that may open a session.
    Handed, "alias", by [alias: Alias] {
        key_id: KeyId, indexed;
        /// Its place among those of the key.
        number: u64;
        /// `key` or the alias that opened the session it was issued in; nothing for the first.
        issued_by: Option<String>;
        used: bool;
    }
}

entity! {
    /// R3 as it was sent.
    Answer, "outcome", by [request: Digest] {
        response: Vec<u8>;
        keep_until: UnixTime, indexed;
    }
}

entity! {
    /// An application that waits for the operator.
    Waiter, "application", by [ticket_id: TicketId] {
        name: UserName, indexed;
        code: Option<CodeId>;
        renews: Option<KeyId>;
        since: UnixTime;
        hold_until: UnixTime, indexed;
        content: Content;
    }
}

/// The part of an application that is nobody's business.
#[derive(Clone)]
pub(crate) struct Content {
    pub(crate) ticket: Secret,
    pub(crate) form: Form,
}

stored! { Content, "stored application" { 1 => ticket, 2 => form } }
sealed!(Content);

entity! {
    /// An activation code that has not been used.
    Code, "activation_code", by [name: UserName] {
        id: CodeId;
        secret: Secret;
        issued_at: UnixTime;
        expires: Option<UnixTime>, indexed;
    }
}

entity! {
    /// A name that is taken, and by whom.
    Taken, "name", by [name: UserName] {
        user_id: UserId;
    }
}

entity! {
    /// A parked challenge that has been used.
    Spent, "challenge", by [id: ChallengeId] {
        lapses: UnixTime, indexed;
    }
}

entity! {
    /// What a subject is entitled to in an application: a document, or nothing any more.
    Entitled, "entitlement", by [subject: Subject, indexed; application: ApplicationName, indexed] {
        number: u64;
        valid_for: Option<u32>;
        media_type: Option<String>;
        body: Option<Vec<u8>>;
        set_at: UnixTime;
    }
}

entity! {
    /// A member of a group.
    Member, "membership", by [group_name: Group, indexed; user_id: UserId, indexed] {
        since: UnixTime;
    }
}

entity! {
    /// When a user last came into a group, left one, or was given another access path, as the number of a
    /// serial.
    Moved, "membership_change", by [user_id: UserId] {
        number: u64;
    }
}

entity! {
    /// The last report of a key on an application, and what it has applied.
    Reported, "report", by [key_id: KeyId, indexed; application: ApplicationName, indexed] {
        epoch: u32;
        number: u64;
        result: ReportResult;
        applied_epoch: Option<u32>;
        applied_number: Option<u64>;
        at: UnixTime;
    }
}

entity! {
    /// The parts of the last serial that was given.
    Counter, "counter", by [name: String] {
        epoch: u32;
        number: u64;
    }
}

entity! {
    /// Something that has happened.
    Happened, "event", by [id: EventId] {
        at: UnixTime, indexed;
        kind: EventKind, indexed;
        cause: Option<RejectionCause>;
        status: Option<Status>;
        result: Option<ReportResult>;
        key_id: Option<KeyId>, indexed;
        user_id: Option<UserId>;
        name: Option<UserName>, indexed;
        subject: Option<Subject>;
        application: Option<ApplicationName>;
        epoch: Option<u32>;
        number: Option<u64>;
    }
}

entity! {
    /// Of a store in a database, the one row that tells what store it is. Its seal shows whether the
    /// storage key is right.
    Schema, "schema", by [id: String] {
        migration: u64;
        unique_names: UniqueNames;
    }
}

/// Calls a macro with every table there is.
macro_rules! every_table {
    ($do:ident $(, $with:ident)*) => {
        $do!($($with),*: Row, Handed, Answer, Waiter, Code, Taken, Spent, Entitled, Member, Moved, Reported, Counter, Happened, Schema)
    };
}
pub(crate) use every_table;

impl Row {
    pub(super) fn granted(new: &NewRegistration, request: Digest, now: UnixTime) -> Self {
        let ServerRegistration {
            key_id,
            user_id,
            name,
            access_path,
            suite,
            policy,
            lifecycle,
            expires,
            keys,
        } = new.registered.clone();
        let Policy { modes, suites, lifetime, allow_key_id } = policy;
        let (state, confirm_by) = match lifecycle {
            Lifecycle::Pending { confirm_by } => (State::Pending, Some(confirm_by)),
            Lifecycle::Active => (State::Active, None),
            Lifecycle::Lost => (State::Lost, None),
            Lifecycle::Superseded => (State::Superseded, None),
            Lifecycle::Suspended => (State::Suspended, None),
            Lifecycle::Revoked => (State::Revoked, None),
        };
        let (code, renews) = parts(new.takes);
        Self {
            key_id,
            user_id,
            name,
            access_path,
            suite,
            modes,
            suites,
            lifetime,
            allow_key_id,
            state,
            confirm_by,
            expires,
            keys,
            tags: Some(new.expected.clone()),
            request: Some(request),
            code,
            renews,
            ticket: new.ticket,
            forget_at: None,
            granted_at: Some(now),
            confirmed_at: None,
            last_seen: None,
        }
    }

    pub(super) const fn policy(&self) -> Policy {
        Policy {
            modes: self.modes,
            suites: self.suites,
            lifetime: self.lifetime,
            allow_key_id: self.allow_key_id,
        }
    }

    pub(super) fn lifecycle(&self) -> Lifecycle {
        match self.state {
            State::Pending => Lifecycle::Pending { confirm_by: self.confirm_by.unwrap_or_default() },
            State::Active => Lifecycle::Active,
            State::Lost => Lifecycle::Lost,
            State::Superseded => Lifecycle::Superseded,
            State::Suspended => Lifecycle::Suspended,
            State::Revoked => Lifecycle::Revoked,
        }
    }

    pub(super) fn registered(self) -> ServerRegistration {
        ServerRegistration {
            policy: self.policy(),
            lifecycle: self.lifecycle(),
            key_id: self.key_id,
            user_id: self.user_id,
            name: self.name,
            access_path: self.access_path,
            suite: self.suite,
            expires: self.expires,
            keys: self.keys,
        }
    }

    /// Whether it may take the place of an earlier one: of an active one, and under its name. One that
    /// was renamed meanwhile is renewed under its new name alone.
    pub(super) fn may_renew(&self, earlier: &Self) -> bool {
        earlier.state == State::Active && earlier.name == self.name
    }

    /// Whether it carries no proof, not even by way of a ticket.
    pub(super) const fn is_open(&self) -> bool {
        self.code.is_none() && self.renews.is_none() && self.ticket.is_none()
    }
}

impl Waiter {
    pub(super) fn new(application: &WaitingRequest, since: UnixTime) -> Self {
        let WaitingRequest { ticket_id, ticket, name, form, takes, hold_until } = application.clone();
        let (code, renews) = parts(takes);
        Self { ticket_id, name, code, renews, since, hold_until, content: Content { ticket, form } }
    }

    pub(super) fn application(self) -> WaitingRequest {
        WaitingRequest {
            takes: self.takes(),
            ticket_id: self.ticket_id,
            ticket: self.content.ticket,
            name: self.name,
            form: self.content.form,
            hold_until: self.hold_until,
        }
    }

    pub(super) fn takes(&self) -> Option<Takes> {
        self.code.map(Takes::Code).or(self.renews.map(Takes::Place))
    }
}

const fn parts(takes: Option<Takes>) -> (Option<CodeId>, Option<KeyId>) {
    match takes {
        None => (None, None),
        Some(Takes::Code(code)) => (Some(code), None),
        Some(Takes::Place(key_id)) => (None, Some(key_id)),
    }
}

impl Code {
    /// Whether its time is over.
    pub(super) fn is_over(&self, now: UnixTime) -> bool {
        self.expires.is_some_and(|end| end < now)
    }
}

impl Entitled {
    pub(super) fn document(self) -> Option<Document> {
        self.media_type.zip(self.body).map(|(media_type, body)| Document { media_type, body })
    }
}
