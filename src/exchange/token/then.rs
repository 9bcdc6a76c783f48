//! What a question for the token is asked for: the state that goes on with the answer, for each question.

use super::reply::{Configured, TokenReply};
use super::state::{Again, OpenSession, Opening, Registering};
use crate::configuration::token::{Applying, NeedApply};
use crate::id::{ApplicationName, KeyId, Txn};
use crate::message::{Status, UserInformation};
use crate::record::TokenRegistration;
use crate::registration::token::{
    NeedHold, NeedOpen, NeedSeal, NeedSettle, NeedWait, NeedWrap, Rejection, RenewalQuestions,
};
use crate::secret::Secret;
use crate::session::token::{NeedResponse, NeedSeed, Options, Session};
use alloc::boxed::Box;
use alloc::vec::Vec;
use zeroize::Zeroizing;

/// Purpose of reading the list of attempts.
pub enum AttemptsThen {
    /// To abandon those whose time is over, before R0.
    Lapsed(Box<Registering>),
    /// To abandon the one whose ticket has been used, before this reply.
    Ticket(Secret, Box<TokenReply>),
    /// To abandon the one that the server has refused, if this is its ticket, before the run that was told so.
    Refused(Secret, Rejection),
}

/// Step that follows when an attempt is abandoned.
pub enum AbandonThen {
    /// The others whose time is over, then R0.
    Lapsed(Vec<Txn>, Box<Registering>),
    /// This reply, also where the token fails: an attempt that stays behind does no harm, until its time is
    /// over.
    Reply(Box<TokenReply>),
    /// The run that the server has refused: its ticket goes first, as long as R3 can be had again.
    Refused(Rejection),
    /// The news that the server rejects the registration.
    Rejected(Rejection),
    /// The run that takes the attempt's place: the token needs room for one only.
    Replaced(Box<(NeedWrap, Again)>),
}

/// The registrations of the token, of which those that the server has ended for good make room for another.
pub struct DeadThen(pub(super) Box<Registering>);

/// Value derived from SSK1.
pub enum Ssk1Then {
    /// p_B, to seal R2.
    Request(Box<NeedSeal>, Again),
    /// p_G, to open R3.
    Outcome(Box<NeedOpen>, Again),
}

/// Purpose of a use of a key.
pub enum DeriveThen {
    /// The proof of a renewal.
    RenewalProof(Box<Renewing>),
    /// The binder of a renewal, after the proof.
    RenewalBinder(Box<Renewing>, Secret),
    /// The tag of R5.
    Settle(Box<NeedSettle>),
    /// tag_c of S2.
    Response(Box<NeedResponse>, Box<Opening>),
    /// d, after S3.
    Session(Box<NeedSeed>, Box<Opening>),
}

/// A renewal whose earlier key is asked, after p_B.
pub struct Renewing {
    pub(super) need: NeedSeal,
    pub(super) again: Again,
    pub(super) questions: RenewalQuestions,
    pub(super) p_b: Secret,
}

/// The attempt to save.
pub enum SaveThen {
    /// R2 is to leave.
    Request(Box<NeedHold>, Again),
    /// The server has said to wait.
    Waiting(Box<NeedWait>),
}

/// Purpose of reading a registration: always as it stands now, since another exchange may have changed it.
pub enum RegistrationThen {
    /// To open a session with it.
    Open(KeyId, Options),
    /// To write down what a session says of it.
    Opened(KeyId, Box<Session>),
    /// To write down a status that is not active; true within a session.
    NotActive(KeyId, Status, bool),
    /// To ask for a configuration.
    Configure(Box<Configuring>),
    /// To judge a configuration that has come.
    Judge(Box<Judging>),
    /// To report what was applied.
    Applied(Box<Applied>),
}

impl RegistrationThen {
    pub(super) const fn key_id(&self) -> &KeyId {
        match self {
            Self::Open(key_id, _) | Self::Opened(key_id, _) | Self::NotActive(key_id, ..) => key_id,
            Self::Configure(one) => one.open.key_id(),
            Self::Judge(one) => one.open.key_id(),
            Self::Applied(one) => one.open.key_id(),
        }
    }
}

/// A request, before its C0.
pub struct Configuring {
    pub(super) open: Box<OpenSession>,
    pub(super) application: ApplicationName,
    pub(super) information: UserInformation,
}

/// A C1 that has come.
pub struct Judging {
    pub(super) open: Box<OpenSession>,
    pub(super) message: Zeroizing<Vec<u8>>,
}

/// A configuration that the client system has dealt with.
pub struct Applied {
    pub(super) open: Box<OpenSession>,
    pub(super) need: Box<NeedApply>,
    pub(super) applying: Applying,
}

/// Why a registration is stored.
pub enum UpdateThen {
    /// It has become active by R5. Before, it was this.
    Registered(Box<TokenRegistration>),
    /// A session has said something of it.
    Opened(Box<OpenSession>),
    /// The server has proved a status that is not active; true within a session. It is told also where the token
    /// does not store it.
    NotActive(Status, bool),
    /// A configuration has been dealt with; then the report goes out, if there is one.
    Configured(Box<OpenSession>, ApplicationName, Configured, Option<Vec<u8>>),
}

/// Why a key is removed.
pub enum RemoveThen {
    /// R5 says that another registration was first. Before, the registration was this.
    Lost(Txn, Box<TokenRegistration>),
    /// A session says so.
    NotActive,
    /// The server has ended it for good, and another registration with it begins; then these others go.
    Dead(Vec<KeyId>, Box<Registering>),
}
