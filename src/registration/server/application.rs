//! An application as it goes from step to step: what R2 carried, whose expectation it meets, and what
//! the operator is shown and answers.

use super::cookie::Cookie;
use crate::id::{AccessPath, Digest, TicketId, UserId, UserName};
use crate::message::RequestBody;
use crate::policy::Policy;
use crate::port::auth_server::Decapsulated;
use crate::record::{Activation, ServerRegistration, Takes, WaitingRequest};
use crate::registration::RejectionCode;
use crate::schedule::{Envelope, KeyUse, binder};
use crate::secret::Secret;
use crate::suite::Suite;
use crate::template::{FieldError, Form};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// An R2 whose cookie held, and what it carried.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) suite: &'static dyn Suite,
    pub(super) cookie: Cookie,
    pub(super) request: Vec<u8>,
    pub(super) digest: Digest,
    pub(super) secrets: Decapsulated,
    pub(super) th_b: Digest,
    pub(super) envelope: Envelope,
}

/// An R2 that opened, and the name in its form or what is wrong with it.
pub(super) type OpenedRequest = (RequestBody, Result<UserName, Vec<(u8, FieldError)>>);

/// An application that is in order, for the operator.
///
/// ```
/// use halfkey::registration::server::{EnrolmentProof, EnrolmentRequest};
///
/// /// One line for the operator.
/// fn line(request: &EnrolmentRequest) -> String {
///     let proof = match &request.proof {
///         EnrolmentProof::None => "nobody has proved that".into(),
///         EnrolmentProof::Activation => "with the activation code".into(),
///         EnrolmentProof::Renewal(earlier) => format!("renews {}", earlier.key_id),
///         _ => "with a proof of another kind".into(),
///     };
///     format!("{} ({proof}); {:?}", request.name, request.form)
/// }
/// # let _ = line;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EnrolmentRequest {
    /// The name applied for.
    pub name: UserName,
    /// The form, checked.
    pub form: Form,
    /// Why the applicant should be expected; it has been verified.
    pub proof: EnrolmentProof,
    /// The ticket of the waiting application that this one follows up; it has been verified too. Who is told to
    /// wait again gets another ticket.
    pub ticket: Option<TicketId>,
    /// True where the operator has approved the waiting application
    /// ([`DecideRequest`](crate::store::operation::DecideRequest)). One that was refused is refused before anybody is
    /// asked.
    ///
    /// It is for the holder of the ticket: anybody may come without one and apply for the same name.
    pub approved: bool,
}

impl EnrolmentRequest {
    /// Makes a request that follows up no other, as an operator's tests need one.
    #[must_use]
    pub const fn new(name: UserName, form: Form, proof: EnrolmentProof) -> Self {
        Self { name, form, proof, ticket: None, approved: false }
    }
}

/// Why an applicant should be expected.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EnrolmentProof {
    /// No reason: trust on first use.
    None,
    /// The applicant has the activation code for the name.
    Activation,
    /// The applicant holds this earlier key.
    Renewal(Box<ServerRegistration>),
}

/// Decision of the operator.
///
/// ```
/// use halfkey::policy::Policy;
/// use halfkey::registration::server::{Decision, Grant};
/// use halfkey::{AccessPath, UserId};
///
/// # fn main() -> Result<(), halfkey::NameError> {
/// let user_id = Some(UserId::new("employee-4711")?); // None: one is drawn
/// let (access_path, policy) = (AccessPath::new("/staff/tellers")?, Policy::default());
/// let granted = Decision::Grant(Grant { user_id, access_path, policy });
/// let later = Decision::Wait { retry_after: 3600 }; // the token comes back with a ticket
/// # drop((granted, later));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Decision {
    /// Register.
    Grant(Grant),
    /// Do not.
    Refuse(RejectionCode),
    /// Not yet: ask again after so many seconds.
    Wait {
        /// Seconds.
        retry_after: u32,
    },
}

/// Grant of a registration.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The user identification code (patent step 160); `None` has one drawn. A renewal keeps its
    /// own.
    pub user_id: Option<UserId>,
    /// The access control path (patent step 180).
    pub access_path: AccessPath,
    /// Policy of the key. A renewal is never weaker than before.
    pub policy: Policy,
}

/// Expectation that the request meets, and the key that proves it.
#[derive(Debug)]
pub(super) enum Claim {
    /// Nobody's.
    Open,
    /// The operator's who sent the code.
    Activation(Activation),
    /// Its own earlier one.
    Renewal(Box<ServerRegistration>),
    /// The operator's who was asked before; with the earlier registration if it is to be renewed.
    Ticket(Box<WaitingRequest>, Option<Box<ServerRegistration>>),
}

impl Claim {
    /// The key whose mix goes into the join, over `transcript`.
    pub(super) fn binder(&self, suite: &dyn Suite, transcript: &Digest) -> Secret {
        match self {
            Self::Open => Secret::absent(),
            Self::Activation(activation) => binder(suite, &activation.secret, transcript),
            Self::Renewal(earlier) => earlier.keys.key_set().derive(suite, &KeyUse::Binder(*transcript)),
            Self::Ticket(waiting, _) => binder(suite, &waiting.ticket, transcript),
        }
    }

    /// Returns the name, code or place that the registration takes when it becomes active.
    pub(super) fn takes(&self) -> Option<Takes> {
        match self {
            Self::Open => None,
            Self::Activation(activation) => Some(Takes::Code(activation.id)),
            Self::Renewal(earlier) => Some(Takes::Place(earlier.key_id)),
            Self::Ticket(waiting, _) => waiting.takes,
        }
    }

    /// The registration that the new one replaces.
    pub(super) fn renews(&self) -> Option<&ServerRegistration> {
        match self {
            Self::Renewal(earlier) | Self::Ticket(_, Some(earlier)) => Some(earlier),
            Self::Open | Self::Activation(_) | Self::Ticket(_, None) => None,
        }
    }

    /// The ticket that is used up.
    pub(super) fn ticket(&self) -> Option<TicketId> {
        match self {
            Self::Ticket(waiting, _) => Some(waiting.ticket_id),
            Self::Open | Self::Activation(_) | Self::Renewal(_) => None,
        }
    }

    pub(super) fn proof(&self) -> EnrolmentProof {
        match self {
            Self::Open => EnrolmentProof::None,
            Self::Activation(_) => EnrolmentProof::Activation,
            Self::Renewal(earlier) | Self::Ticket(_, Some(earlier)) => {
                EnrolmentProof::Renewal(earlier.clone())
            }
            Self::Ticket(waiting, None) => match waiting.takes {
                Some(Takes::Code(_)) => EnrolmentProof::Activation,
                _ => EnrolmentProof::None,
            },
        }
    }
}
