//! What a server's exchange keeps: between frames, and during a turn.

use super::event::ServerEvent;
use super::live::Live;
use crate::moment::Moment;
use crate::session::server::AwaitResponse;
use crate::settings::ServerSettings;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A server's end of one conversation.
#[must_use]
#[derive(Debug)]
pub struct ServerExchange {
    pub(super) settings: Arc<ServerSettings>,
    pub(super) peer: Box<[u8]>,
    pub(super) stateless: bool,
    pub(super) state: State,
}

#[derive(Debug, Default)]
pub(super) enum State {
    #[default]
    Idle,
    Challenged(Box<AwaitResponse>),
    Open(Box<Live>),
}

/// Everything that goes along with the questions of one turn.
#[derive(Debug)]
pub struct Base {
    pub(super) exchange: ServerExchange,
    pub(super) moment: Moment,
    pub(super) events: Vec<ServerEvent>,
}
