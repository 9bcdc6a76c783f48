//! The two machines of the protocol: frames in, turns out, one conversation each.
//!
//! ```text
//!                      ┌──────────────────────┐  Store     the entitlement store (30)
//!  frame ── receive ──▶│    ServerExchange    │  Keys      the holder of P_r (20)
//!                      │    TokenExchange     │  Operator  the person who decides
//!  reply ◀── Done ─────│                      │  Device    the token (10)
//!                      └──────────────────────┘  User      the person with the token
//!                            ▲         │         Client    the client system (40)
//!                            └─ supply ┘
//! ```
//! A machine performs nothing: it has no clock, no I/O and no port. `receive` takes one frame and a
//! [`Moment`](crate::Moment) and gives a turn: a question for one of the hands above, or `Done` with the
//! frames to send. Each question is an owned value inside its turn. `wanted` lends it, `supply` takes the
//! answer or the reason why there is none, and both lead to the next turn, so a loop over one enum is a whole
//! server. Turns are `Send + 'static`: they may wait in a queue, on another thread or for another machine.
//!
//! A machine is used up by `receive` and comes back in the reply, so two frames cannot be in work at once, and
//! a task that is cancelled takes its conversation with it instead of leaving it half-way. Whatever was stored
//! before that is idempotent: the peer sends its message again.
//!
//! ```
//! # #[cfg(feature = "std")] fn main() {}
//! # #[cfg(not(feature = "std"))] fn main() {}
//! use halfkey::Moment;
//! use halfkey::exchange::{ServerExchange, ServerReply, ServerTurn};
//! use halfkey::port::{AuthServer, EntitlementStore};
//! use halfkey::registration::server::{Decision, EnrolmentRequest};
//!
//! /// Answers one frame.
//! fn answer(
//!     exchange: ServerExchange,
//!     frame: &[u8],
//!     moment: Moment,
//!     store: &dyn EntitlementStore,
//!     keys: &dyn AuthServer,
//!     decide: &dyn Fn(&EnrolmentRequest) -> Decision,
//! ) -> ServerReply {
//!     let mut turn = exchange.receive(frame, moment);
//!     loop {
//!         turn = match turn {
//!             ServerTurn::Store(need) => need.ask(store), // or need.ask_async(&store).await
//!             ServerTurn::Keys(need) => need.ask(keys),
//!             ServerTurn::Operator(need) => {
//!                 let decision = decide(need.wanted());
//!                 need.supply(decision)
//!             }
//!             ServerTurn::Done(reply) => return reply,
//!         };
//!     }
//! }
//! ```
//!
//! The typed steps that the machines drive stay public one level down, in [`registration`](crate::registration),
//! [`session`](crate::session) and [`configuration`](crate::configuration), for devices, model checks and
//! fuzzers.

mod asked;
pub mod server;
pub mod token;

pub use crate::wire::message_type;
pub use asked::Asked;
pub use server::{
    KeysTurn, OperatorTurn, RequestKind, ServerEvent, ServerExchange, ServerReply, ServerTurn, StoreTurn,
};
pub use token::{
    ClientTurn, Configured, DeviceTurn, News, RegisterOptions, TokenExchange, TokenExchangeError, TokenReply,
    TokenTurn, UserTurn,
};
