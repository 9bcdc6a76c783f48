//! Turns of a server's exchange: who is to do something next.

use super::event::{RequestKind, ServerEvent};
use super::question::{EntitlementAsked, Heard, Parked, RegressionAsked, ReportAsked, StandingAsked};
use super::state::{Base, ServerExchange};
use crate::exchange::asked::{Asked, Resume};
use crate::id::OfferId;
use crate::moment::Moment;
use crate::port::question::{AsyncEntitlementStore, KeysQuestion, StoreQuestion};
use crate::port::{AuthServer, EntitlementStore, StoreError};
use crate::registration::ServerRegistrationError;
use crate::registration::server::{
    Decision, EnrolmentRequest, NeedApplicant, NeedCommit, NeedConfirm, NeedDecision, NeedExpected,
    NeedOfferMaterial, NeedOutcome, NeedSecrets, NeedSignature,
};
use crate::session::ServerSessionError;
use crate::session::server::{NeedAdmission, NeedRegistration};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;
use zeroize::Zeroizing;

/// The next thing to do, by the hand that does it.
#[must_use]
#[derive(Debug)]
pub enum ServerTurn {
    /// A question for the entitlement store.
    Store(StoreTurn),
    /// A question for the holder of the server's keys.
    Keys(KeysTurn),
    /// A decision for the operator.
    Operator(OperatorTurn),
    /// The frame has been dealt with.
    Done(ServerReply),
}

/// The result of a frame.
#[must_use]
#[derive(Debug, Default)]
pub struct ServerReply {
    /// Frames to send, in order, before anything else.
    pub send: Vec<Vec<u8>>,
    /// Application data that came in the session.
    pub data: Option<Zeroizing<Vec<u8>>>,
    /// Place of application data in the frame, where [`ServerExchange::receive_in_place`] has opened it there.
    pub in_place: Option<Range<usize>>,
    /// True when this frame closed the peer's direction of the session.
    pub closed: bool,
    /// Events, for the operator's log.
    pub events: Vec<ServerEvent>,
    /// The exchange, for the next frame; `None` when the conversation is over: send and hang up.
    pub next: Option<ServerExchange>,
}

/// Declares the questions of one hand: the only matches over questions.
macro_rules! hand {
    ($(#[$doc:meta])* $turn:ident, $wrap:ident: $($(#[$vdoc:meta])* $name:ident($need:ty)),* $(,)?) => {
        $(#[$doc])*
        #[must_use]
        #[derive(Debug)]
        #[non_exhaustive]
        pub enum $turn { $($(#[$vdoc])* $name(Asked<$need>)),* }

        $(impl From<Asked<$need>> for ServerTurn {
            fn from(asked: Asked<$need>) -> Self { Self::$wrap($turn::$name(asked)) }
        })*
    };
}

hand! {
    /// A question for the entitlement store.
    StoreTurn, Store:
    /// An earlier answer to this R2, if there is one.
    Outcome(Box<NeedOutcome>),
    /// Facts about an applicant.
    Applicant(NeedApplicant),
    /// An outcome to store before R3 leaves.
    Commit(NeedCommit),
    /// The tags of R4 and R5.
    Expected(NeedExpected),
    /// A registration to make active.
    Confirm(NeedConfirm),
    /// The registration that S0 names.
    Registration(Box<NeedRegistration>),
    /// The registration of a challenge that came back in S2.
    ParkedRegistration(Box<Parked>),
    /// A session to admit.
    Admit(Box<NeedAdmission>),
    /// How the registration of an open session stands.
    Standing(StandingAsked),
    /// An alias that has arrived.
    ConfirmAlias(Heard),
    /// Entitlements of a user.
    Entitlement(EntitlementAsked),
    /// A token that was set back to an earlier state.
    Regression(RegressionAsked),
    /// A token's report on a configuration.
    Report(ReportAsked),
}

hand! {
    /// A question for the holder of the server's keys.
    KeysTurn, Keys:
    /// Certificate and ephemeral key for an offer.
    OfferMaterial(NeedOfferMaterial),
    /// A signature on an offer.
    Sign(NeedSignature),
    /// SSK1 and ss_e: the costly one.
    Decapsulate(Box<NeedSecrets>),
}

/// Does the same for the question of every variant.
macro_rules! every {
    ($turn:ident, $self:ident, $asked:ident => $body:expr; $($name:ident)*) => {
        match $self { $($turn::$name($asked) => $body),* }
    };
}

impl StoreTurn {
    /// Asks a store that blocks.
    pub fn ask(self, store: &dyn EntitlementStore) -> ServerTurn {
        every!(Self, self, asked => {
            let answer = asked.wanted().ask(store, asked.base.moment.time());
            asked.supply(answer)
        }; Outcome Applicant Commit Expected Confirm Registration ParkedRegistration Admit Standing ConfirmAlias
           Entitlement Regression Report)
    }

    /// Asks a store that waits without blocking.
    pub async fn ask_async<S: AsyncEntitlementStore + ?Sized>(self, store: &S) -> ServerTurn {
        every!(Self, self, asked => {
            let answer = asked.wanted().ask_async(store, asked.base.moment.time()).await;
            asked.supply(answer)
        }; Outcome Applicant Commit Expected Confirm Registration ParkedRegistration Admit Standing ConfirmAlias
           Entitlement Regression Report)
    }

    /// The kind of work that begins with this question, for a limiter; `None` for work under way.
    #[must_use]
    pub fn kind(&self) -> Option<RequestKind> {
        match self {
            Self::Outcome(_) => Some(RequestKind::Lookup),
            Self::Expected(_) => Some(RequestKind::Confirm),
            Self::Registration(_) => Some(RequestKind::Session),
            Self::ParkedRegistration(_) => Some(RequestKind::Response),
            // A challenge that was parked has been asked for before.
            Self::Admit(asked) if asked.wanted().admission.spend.is_none() => Some(RequestKind::Response),
            _ => None,
        }
    }

    /// Does not do it: the peer is told `busy`.
    pub fn refuse(self) -> ServerTurn {
        let in_registration = ServerRegistrationError::RateLimited;
        match self {
            Self::Outcome(asked) => asked.base.registration_failed(in_registration),
            Self::Expected(asked) => asked.base.registration_failed(in_registration),
            Self::Registration(asked) => asked.base.session_failed(ServerSessionError::RateLimited),
            Self::ParkedRegistration(asked) => asked.base.session_failed(ServerSessionError::RateLimited),
            Self::Admit(asked) => asked.base.session_failed(ServerSessionError::RateLimited),
            other => every!(Self, other, asked => asked.supply(Err(StoreError::Contended));
                Outcome Applicant Commit Expected Confirm Registration ParkedRegistration Admit Standing ConfirmAlias
                Entitlement Regression Report),
        }
    }
}

impl KeysTurn {
    /// Asks a holder of keys that blocks.
    pub fn ask(self, keys: &dyn AuthServer) -> ServerTurn {
        every!(Self, self, asked => {
            let answer = asked.wanted().ask(keys, asked.base.moment.time());
            asked.supply(answer)
        }; OfferMaterial Sign Decapsulate)
    }

    /// The kind of work that begins with this question, for a limiter; `None` for work under way.
    #[must_use]
    pub const fn kind(&self) -> Option<RequestKind> {
        match self {
            Self::OfferMaterial(_) => Some(RequestKind::Offer),
            Self::Decapsulate(_) => Some(RequestKind::Request),
            Self::Sign(_) => None,
        }
    }

    /// The offer that a costly request was made for: a driver bounds how many each offer is good for.
    #[must_use]
    pub const fn offer(&self) -> Option<&OfferId> {
        match self {
            Self::Decapsulate(asked) => Some(asked.need.offer()),
            Self::OfferMaterial(_) | Self::Sign(_) => None,
        }
    }

    /// Does not do it: the peer is told `busy`.
    pub fn refuse(self) -> ServerTurn {
        let base = every!(Self, self, asked => asked.base; OfferMaterial Sign Decapsulate);
        base.registration_failed(ServerRegistrationError::RateLimited)
    }
}

/// A decision for the operator.
#[must_use]
#[derive(Debug)]
pub struct OperatorTurn {
    pub(super) need: NeedDecision,
    pub(super) base: Box<Base>,
}

impl OperatorTurn {
    /// The request to decide on. Its proof, if it has one, has been verified.
    #[must_use]
    pub const fn wanted(&self) -> &EnrolmentRequest {
        self.need.wanted()
    }

    /// Goes on with the decision. Its times count from when R2 came.
    pub fn supply(self, decision: Decision) -> ServerTurn {
        let Self { need, mut base } = self;
        let now = base.moment.time();
        let need = need.supply(decision, &base.exchange.settings, now, &mut base.moment);
        base.commit(need)
    }

    /// Goes on with a decision that took its time, which counts from `moment`.
    pub fn supply_at(mut self, decision: Decision, moment: Moment) -> ServerTurn {
        self.base.moment = moment;
        self.supply(decision)
    }

    /// Goes on without a decision: the peer is told `busy` and may send the same R2 again.
    pub fn busy(self) -> ServerTurn {
        self.base.registration_failed(ServerRegistrationError::RateLimited)
    }
}

impl Base {
    /// Asks, and keeps everything else meanwhile.
    pub(super) fn ask<N: Resume<Base = Self, Turn = ServerTurn>>(self: Box<Self>, need: N) -> ServerTurn
    where
        ServerTurn: From<Asked<N>>,
    {
        Asked { need, base: self }.into()
    }
}
