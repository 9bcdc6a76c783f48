//! Rows of a store, table by table: the schema of every database behind it.

use super::cell::{sealed, words};
use super::condition::EntitlementCondition;
use super::entity::{Entity, entity};
use super::event::AuditEventKind;
use super::subject::Subject;
use super::tables::{Table, VERSION};
use super::unique_names::UniqueNames;
use crate::id::{
    AccessPath, Alias, ApplicationName, ChallengeId, CodeId, Digest, EventId, Group, KeyId, ServerName,
    TicketId, UserId, UserName,
};
use crate::policy::{Modes, SuiteId, SuiteList};
use crate::port::entitlement_store::{ReportResult, Status};
use crate::record::{ExpectedTags, RejectionCause, RejectionCode, RequestAnswer, StoredKeys};
use crate::secret::Secret;
use crate::template::Form;
use crate::time::UnixTime;
use crate::wire::stored::stored;
use alloc::string::String;
use alloc::vec::Vec;

/// State of a registration: a [`Lifecycle`](crate::record::Lifecycle) without its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RegistrationState {
    /// [`Lifecycle::Pending`](crate::record::Lifecycle::Pending).
    Pending,
    /// [`Lifecycle::Active`](crate::record::Lifecycle::Active).
    Active,
    /// [`Lifecycle::Lost`](crate::record::Lifecycle::Lost).
    Lost,
    /// [`Lifecycle::Superseded`](crate::record::Lifecycle::Superseded).
    Superseded,
    /// [`Lifecycle::Suspended`](crate::record::Lifecycle::Suspended).
    Suspended,
    /// [`Lifecycle::Revoked`](crate::record::Lifecycle::Revoked).
    Revoked,
}

words! { RegistrationState {
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
    Unreadable = "unreadable", UnknownProof = "unknown proof", WrongProof = "wrong proof", ExpiredCode = "expired code",
    StaleTicket = "stale ticket", Form = "form", NameTaken = "name taken", ProofNeeded = "proof needed",
    TooMany = "too many", NotRenewable = "not renewable", Declined = "declined", NoSuite = "no suite",
} }

words! { RejectionCode {
    Unspecified = "unspecified", Form = "form", NameTaken = "name taken", Declined = "declined",
    ProofNeeded = "proof needed", TooMany = "too many", NotRenewable = "not renewable",
} }

entity! {
    /// A registration.
    RegistrationRow, "registration", by [key_id: KeyId] {
        user_id: UserId, indexed;
        name: UserName, indexed;
        access_path: AccessPath, indexed;
        suite: SuiteId;
        modes: Modes;
        suites: SuiteList;
        lifetime: Option<u32>;
        allow_key_id as "fall_back": bool;
        state: RegistrationState, indexed;
        /// Time until which a pending registration must be confirmed; null for others.
        confirm_by: Option<UnixTime>, indexed;
        expires: Option<UnixTime>, indexed;
        keys: StoredKeys;
        tags: Option<ExpectedTags>;
        /// Request whose outcome granted it, as long as the outcome is stored.
        request: Option<Digest>;
        /// Activation code that proves it.
        code: Option<CodeId>, indexed;
        /// Key ID of the registration that it renews.
        renews: Option<KeyId>, indexed;
        /// Ticket that it uses up.
        ticket: Option<TicketId>, indexed;
        /// Time after which a lost registration is removed; null for others.
        forget_at: Option<UnixTime>, indexed;
        granted_at: Option<UnixTime>;
        confirmed_at: Option<UnixTime>;
        last_seen: Option<UnixTime>;
        /// Crowd of a pending registration without proof, which share a limit; null for others.
        crowd: Option<String>, indexed;
    }
}

entity! {
    /// An alias that may open a session.
    AliasRow, "alias", by [alias: Alias] {
        key_id: KeyId, indexed;
        /// Place among the aliases of the key.
        number: u64;
        /// `key`, or the alias that opened the session in which this one was issued; null for the
        /// first.
        issued_by: Option<String>;
        used: bool;
        /// Null for an alias that an earlier version issued.
        issued_at: Option<UnixTime>;
    }
}

entity! {
    /// R3 as it was sent.
    OutcomeRow, "outcome", by [request: Digest] {
        response: Vec<u8>;
        keep_until: UnixTime, indexed;
    }
}

entity! {
    /// A request that waits for the operator.
    RequestRow, "application", by [ticket_id: TicketId] {
        name: UserName, indexed;
        code: Option<CodeId>;
        renews: Option<KeyId>;
        since: UnixTime;
        hold_until: UnixTime, indexed;
        content: RequestContent;
        /// Crowd of a request without proof and without an answer, which share a limit; null for others.
        crowd: Option<String>, indexed;
        /// Ticket with which it began to wait; null where it still has that one.
        first: Option<TicketId>, indexed;
        answer: Option<RequestAnswer>;
    }
}

/// Confidential part of a request.
#[derive(Clone)]
pub(crate) struct RequestContent {
    pub(crate) ticket: Secret,
    pub(crate) form: Form,
}

stored! { RequestContent, "stored application" { 1 => ticket, 2 => form } }
sealed!(RequestContent);

entity! {
    /// An activation code that has not been used.
    CodeRow, "activation_code", by [name: UserName] {
        id: CodeId;
        secret: Secret;
        issued_at: UnixTime;
        expires: Option<UnixTime>, indexed;
    }
}

entity! {
    /// A name that is taken, and its holder.
    NameRow, "name", by [name: UserName] {
        user_id: UserId;
    }
}

entity! {
    /// A parked challenge that has been used.
    ChallengeRow, "challenge", by [id: ChallengeId] {
        lapses: UnixTime, indexed;
    }
}

entity! {
    /// Entitlement of a subject in an application under a condition: a document, or its revocation.
    EntitlementRow, "entitlement", by [
        subject: Subject, indexed;
        application: ApplicationName, indexed;
        condition: EntitlementCondition
    ] {
        number: u64;
        valid_for: Option<u32>;
        media_type: Option<String>;
        body: Option<Vec<u8>>;
        set_at: UnixTime;
    }
}

entity! {
    /// A member of a group.
    MembershipRow, "membership", by [group_name: Group, indexed; user_id: UserId, indexed] {
        since: UnixTime;
    }
}

entity! {
    /// Last change of a user's groups or access path, as the number of a serial.
    MembershipChangeRow, "membership_change", by [user_id: UserId] {
        number: u64;
    }
}

entity! {
    /// Entitlement that a key was last given in an application, once conditions had a part in it.
    DeliveryRow, "delivery", by [key_id: KeyId, indexed; application: ApplicationName] {
        /// Condition of the entitlement, and the number under which it was set; null where the user was
        /// entitled to nothing.
        condition: Option<EntitlementCondition>;
        entitled: Option<u64>;
        /// Number of the serial that it was given.
        number: u64;
    }
}

entity! {
    /// The last report of a key on an application, and what it has applied.
    ReportRow, "report", by [key_id: KeyId, indexed; application: ApplicationName, indexed] {
        epoch: u32;
        number: u64;
        result: ReportResult;
        applied_epoch: Option<u32>;
        applied_number: Option<u64>;
        at: UnixTime;
    }
}

entity! {
    /// Parts of the last serial that was given.
    CounterRow, "counter", by [name: String] {
        epoch: u32;
        number: u64;
    }
}

entity! {
    /// Entry of the log.
    EventRow, "event", by [id: EventId] {
        at: UnixTime, indexed;
        kind: AuditEventKind, indexed;
        cause: Option<RejectionCause>;
        status as "standing": Option<Status>;
        result: Option<ReportResult>;
        key_id: Option<KeyId>, indexed;
        user_id: Option<UserId>;
        name: Option<UserName>, indexed;
        subject: Option<Subject>, indexed;
        application: Option<ApplicationName>;
        condition: Option<EntitlementCondition>;
        epoch: Option<u32>;
        number: Option<u64>;
    }
}

entity! {
    /// The one row of the schema table: version and settings of the store. Its seal shows whether the
    /// storage key is right.
    SchemaRow, "schema", by [id: String] {
        migration: u64;
        unique_names: UniqueNames;
        /// ID of the storage key that seals rows.
        sealing: Option<String>;
        /// ID of a storage key that is to seal rows later, and since when every server is to hold it.
        announced: Option<String>;
        announced_at: Option<UnixTime>;
        server_name: Option<ServerName>;
    }
}

impl SchemaRow {
    /// Key of the one row of the schema table.
    pub(crate) const ID: &str = "halfkey";

    pub(crate) fn new(unique_names: UniqueNames, sealing: Option<String>) -> Self {
        Self {
            id: Self::ID.into(),
            migration: VERSION,
            unique_names,
            sealing,
            announced: None,
            announced_at: None,
            server_name: None,
        }
    }
}

/// Calls a macro with every row type.
macro_rules! every_table {
    ($do:ident $(, $with:ident)*) => {
        $do!($($with),*: RegistrationRow, AliasRow, OutcomeRow, RequestRow, CodeRow, NameRow, ChallengeRow, EntitlementRow, MembershipRow, MembershipChangeRow, DeliveryRow, ReportRow, CounterRow, EventRow, SchemaRow)
    };
}
pub(crate) use every_table;

macro_rules! tables {
    (: $($entity:ident),*) => { &[$( <$entity as Entity>::TABLE ),*] };
}

impl Table {
    /// Returns all tables, for back ends that have to create them.
    #[must_use]
    pub const fn all() -> &'static [&'static Self] {
        every_table!(tables)
    }
}
