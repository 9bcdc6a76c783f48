//! What a token's exchange keeps while a frame of the server's is awaited.

use super::options::RegisterOptions;
use crate::certificate::TrustAnchors;
use crate::configuration::token::AwaitConfiguration;
use crate::id::{ApplicationName, KeyId, ServerName, Txn};
use crate::record::TokenRegistration;
use crate::registration::token::{AwaitDone, AwaitOffer, AwaitOutcome, Credential};
use crate::session::token::{AwaitAccept, AwaitChallenge, Options, Session};
use crate::template::{Form, Template};
use crate::time::UnixTime;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

/// The token's end of one conversation, while a frame of the server's is awaited.
///
/// The first frame of a registration:
/// ```
/// use halfkey::Moment;
/// use halfkey::exchange::{RegisterOptions, TokenExchange, TokenTurn};
/// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
///
/// # fn main() -> setting::Outcome {
/// # let setting = setting::Setting::new()?;
/// # let (mut token, server) = (setting.token()?, setting.name.clone());
/// let mut turn = TokenExchange::register(server, RegisterOptions::default(), Moment::now());
/// while let TokenTurn::Device(need) = turn {
///     turn = need.ask_all(&mut token);
/// }
/// let TokenTurn::Done(reply) = turn else { return Err("nothing else is asked before R0".into()) };
/// assert_eq!(reply.send.len(), 1); // R0; `reply.next` takes R1
/// # assert!(reply.next.is_some());
/// # Ok(()) }
/// ```
#[must_use]
pub struct TokenExchange {
    pub(super) state: State,
}

pub(super) enum State {
    AwaitOffer(Box<AwaitOffer>, TrustAnchors, Box<Registering>),
    AwaitOutcome(Box<AwaitOutcome>, Again),
    AwaitDone(Box<AwaitDone>),
    AwaitChallenge(Box<AwaitChallenge>, Box<Opening>),
    AwaitAccept(Box<AwaitAccept>, Box<Opening>),
    Open(Box<OpenSession>),
}

/// Shows the state's name alone.
impl fmt::Debug for TokenExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.state {
            State::AwaitOffer(..) => "TokenExchange(AwaitOffer)",
            State::AwaitOutcome(..) => "TokenExchange(AwaitOutcome)",
            State::AwaitDone(_) => "TokenExchange(AwaitDone)",
            State::AwaitChallenge(..) => "TokenExchange(AwaitChallenge)",
            State::AwaitAccept(..) => "TokenExchange(AwaitAccept)",
            State::Open(_) => "TokenExchange(Open)",
        })
    }
}

/// A registration before its R0.
#[derive(Debug)]
pub struct Registering {
    pub(super) server: ServerName,
    pub(super) options: RegisterOptions,
    /// The latest time that a server has stated, in any of the token's registrations.
    pub(super) clock_floor: UnixTime,
    /// A form that is filled in already.
    pub(super) filled: Option<Filled>,
}

/// A form as the user filled it in.
#[derive(Debug)]
pub(super) struct Filled {
    pub(super) template: Template,
    pub(super) form: Form,
    pub(super) credential: Credential,
    /// The attempt that this run takes the place of, once the server has made another offer.
    pub(super) replaces: Option<Txn>,
}

/// What a run begins again with after E0 `restart`; none once it has.
pub(super) type Again = Option<Box<Registering>>;

impl Registering {
    pub(super) fn new(server: ServerName, options: RegisterOptions) -> Box<Self> {
        Box::new(Self { server, options, clock_floor: UnixTime::default(), filled: None })
    }
}

/// A session that is being opened.
pub struct Opening {
    pub(super) registration: TokenRegistration,
    pub(super) options: Options,
}

/// An open session, and the requests in it.
pub struct OpenSession {
    pub(super) session: Session,
    pub(super) key_id: KeyId,
    /// Requests made in this session.
    pub(super) requests: u32,
    pub(super) awaited: Vec<AwaitConfiguration>,
}

impl OpenSession {
    pub(super) const fn new(session: Session, key_id: KeyId) -> Self {
        Self { session, key_id, requests: 0, awaited: Vec::new() }
    }

    pub(super) const fn key_id(&self) -> &KeyId {
        &self.key_id
    }

    pub(super) fn is_awaiting(&self, application: &ApplicationName) -> bool {
        self.awaited.iter().any(|awaited| awaited.application() == application)
    }
}
