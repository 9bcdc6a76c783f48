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
///
/// A whole server, for a frame that came by any way:
/// ```
/// use halfkey::Moment;
/// use halfkey::exchange::{ServerExchange, ServerTurn};
/// use halfkey::registration::server::Decision;
/// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
///
/// # fn main() -> setting::Outcome {
/// # let (setting, frame) = (setting::Setting::new()?, [0; 8]);
/// # let (settings, store, keys) = (setting.settings, setting.store, setting.keys);
/// let mut turn = ServerExchange::stateless(settings).receive(&frame, Moment::now());
/// let reply = loop {
///     turn = match turn {
///         ServerTurn::Store(need) => need.ask(&store),
///         ServerTurn::Keys(need) => need.ask(&keys),
///         ServerTurn::Operator(need) => need.supply(Decision::Wait { retry_after: 3600 }),
///         ServerTurn::Done(reply) => break reply,
///     };
/// };
/// println!("{} frames to send; for the log: {:?}", reply.send.len(), reply.events);
/// # Ok(()) }
/// ```
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
