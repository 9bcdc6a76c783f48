//! Results of a turn.

use super::error::TokenExchangeError;
use super::state::TokenExchange;
use crate::configuration::token::ConfigurationRejection;
use crate::id::{ApplicationName, KeyId, Txn};
use crate::port::entitlement_store::Status;
use crate::record::{TokenRegistration, Waiting};
use crate::registration::token::Rejection;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;
use zeroize::Zeroizing;

/// Result of a turn: frames to send, news, and the exchange to go on with.
#[must_use]
#[derive(Default)]
pub struct TokenReply {
    /// Frames to send, in this order.
    pub send: Vec<Vec<u8>>,
    /// Application data that came in the session.
    pub data: Option<Zeroizing<Vec<u8>>>,
    /// Place of application data in the frame, where [`TokenExchange::receive_in_place`] has opened it there.
    pub in_place: Option<Range<usize>>,
    /// The server has closed its direction with this frame: it sends nothing more.
    pub closed: bool,
    /// News. Without any, and without data (here or in place) or a close, an answer of the server's is awaited.
    pub news: Option<News>,
    /// The exchange to go on with; `None` when it is over. Then another may begin over the same connection,
    /// unless a session was open.
    pub next: Option<TokenExchange>,
}

/// Shows no data.
impl fmt::Debug for TokenReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenReply")
            .field("send", &self.send.len())
            .field("data", &self.data.as_ref().map(|data| data.len()))
            .field("in_place", &self.in_place)
            .field("closed", &self.closed)
            .field("news", &self.news)
            .field("next", &self.next)
            .finish()
    }
}

/// News of an exchange.
#[derive(Debug)]
#[non_exhaustive]
pub enum News {
    /// Registered: both sides have proved the key, and the token has stored that.
    Registered(Box<TokenRegistration>),
    /// The operator has not decided. The token has saved the ticket with which to come back.
    Waiting(Box<Waiting>),
    /// The server rejects the registration, authentically. The token has abandoned the attempt.
    Rejected(Rejection),
    /// Another registration took the name or the code first. The token has removed the key.
    Lost {
        /// The key that does not count.
        key_id: KeyId,
        /// The attempt.
        txn: Txn,
    },
    /// A session is open, and the token has stored what it says of its registration.
    Opened(Box<TokenRegistration>),
    /// The server has proved that the key opens no session. A lost key has been removed; the other states
    /// may pass.
    NotActive(Status),
    /// A configuration has been dealt with: an answer, or one that the server sent unasked.
    Configured(ApplicationName, Configured),
    /// It does not get on. With a next exchange, nothing has been lost by it.
    Failed(TokenExchangeError),
}

/// Result of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Configured {
    /// The configuration held is the current one.
    Unchanged,
    /// A new document is in force.
    Installed,
    /// The entitlement ended, and the document is gone.
    Removed,
    /// The client system could not apply it; the last good one is in force.
    Failed,
    /// It was refused: a rollback, two contents under one serial, or no room.
    Refused(ConfigurationRejection),
    /// The server knows nothing of the application.
    Unknown,
}
