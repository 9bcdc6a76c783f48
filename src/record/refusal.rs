//! Reasons for refusing a request: the one that its sender is told, and the one for the operator.

use crate::id::{TicketId, UserName};
use crate::wire::code_points;
use thiserror::Error;

/// A reason for refusing a registration, inside R3: only the applicant that sealed R2 can read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RejectionCode {
    /// 0: no reason given: the request did not open, or its proof is wrong.
    #[error("no reason given")]
    Unspecified,
    /// 1: the form is wrong, field by field.
    #[error("the form is wrong")]
    Form,
    /// 2: the name is taken.
    #[error("the name is taken")]
    NameTaken,
    /// 3: the operator declines.
    #[error("the operator declines")]
    Declined,
    /// 4: this server registers nobody without an activation code.
    #[error("an activation code is needed")]
    ProofNeeded,
    /// 5: too many registrations are pending; try later. Reserved: this library makes the oldest give way instead,
    /// and no longer sends it.
    #[error("too many registrations are pending")]
    TooMany,
    /// 6: the earlier key may not be renewed.
    #[error("the earlier key may not be renewed")]
    NotRenewable,
}

code_points! { RejectionCode: u16 else Unspecified {
    0 => Unspecified, 1 => Form, 2 => NameTaken, 3 => Declined, 4 => ProofNeeded, 5 => TooMany, 6 => NotRenewable,
} }

/// A reason for refusing a request, for the operator. The applicant is told a [`RejectionCode`], which may
/// say less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum RejectionCause {
    /// R2 did not open under the certified key.
    #[error("the request did not open")]
    Unreadable,
    /// The proof names an earlier key or ticket that is not known, or there is no code for the name.
    #[error("no such activation code, earlier key or ticket")]
    UnknownProof,
    /// The proof does not hold.
    #[error("the proof is wrong")]
    WrongProof,
    /// The activation code is the right one, and its time is over.
    #[error("the activation code has expired")]
    ExpiredCode,
    /// The ticket's time is over, or the form is another than the one that waited.
    #[error("the ticket's time is over, or the form is another")]
    StaleTicket,
    /// The form is wrong.
    #[error("the form is wrong")]
    Form,
    /// The name is taken.
    #[error("the name is taken")]
    NameTaken,
    /// There is no proof, and registration is not open.
    #[error("an activation code is needed")]
    ProofNeeded,
    /// Too many registrations are pending.
    #[error("too many registrations are pending")]
    TooMany,
    /// The earlier key may not be renewed.
    #[error("the earlier key may not be renewed")]
    NotRenewable,
    /// The operator declined.
    #[error("the operator declined")]
    Declined,
    /// The policy granted allows no suite that the token offers and the certificate lists.
    #[error("the policy allows no suite that the token offers and the certificate lists")]
    NoSuite,
}

impl RejectionCause {
    /// Returns the code that the applicant is told.
    #[must_use]
    pub const fn code(self) -> RejectionCode {
        match self {
            Self::Unreadable
            | Self::UnknownProof
            | Self::WrongProof
            | Self::ExpiredCode
            | Self::StaleTicket => RejectionCode::Unspecified,
            Self::Form => RejectionCode::Form,
            Self::NameTaken => RejectionCode::NameTaken,
            Self::ProofNeeded => RejectionCode::ProofNeeded,
            Self::TooMany => RejectionCode::TooMany,
            Self::NotRenewable => RejectionCode::NotRenewable,
            Self::Declined | Self::NoSuite => RejectionCode::Declined,
        }
    }
}

impl RejectionCause {
    const NUMBERED: [Self; 12] = [
        Self::Unreadable,
        Self::UnknownProof,
        Self::WrongProof,
        Self::StaleTicket,
        Self::Form,
        Self::NameTaken,
        Self::ProofNeeded,
        Self::TooMany,
        Self::NotRenewable,
        Self::Declined,
        Self::NoSuite,
        Self::ExpiredCode,
    ];

    /// Returns the number that stands for the cause in a stored record: its place in the list.
    pub(super) fn number(self) -> u8 {
        let place = Self::NUMBERED.iter().position(|cause| *cause == self);
        place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX)
    }

    /// Returns the cause under a stored number.
    pub(super) fn of_number(number: u8) -> Option<Self> {
        Self::NUMBERED.get(usize::from(number)).copied()
    }
}

/// A refusal, for the operator's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectionRecord {
    /// Reason.
    pub cause: RejectionCause,
    /// Code that the applicant was told.
    pub code: RejectionCode,
    /// The name applied for, where the request opened and its form was in order.
    pub name: Option<UserName>,
    /// Ticket that is used up: the operator has refused the application that waited with it.
    pub ticket: Option<TicketId>,
}
