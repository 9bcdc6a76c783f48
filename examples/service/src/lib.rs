//! What a gate and an agent tell each other within a session of halfkey.
//!
//! The agent opens a session for each connection of an application, and one more, the control session. The first
//! bytes that it sends in either are an [`Opening`]: the service that the connection is for, or none, and where
//! the user is and on which system. The gate answers with one byte, an [`Answer`]; what follows is the
//! application's, both ways. The agent need not wait for the answer before it sends more.
//!
//! | bytes | what |
//! | --- | --- |
//! | 2 | length of the opening, big-endian, 1 to 4096 |
//! | length | the opening, in JSON |
//!
//! Which services there are, the agent learns as the configuration of the application [`APPLICATION`], a document
//! of type [`MEDIA_TYPE`]: [`Services`]. The gate reads the same document to tell whom it lets through, so there is
//! one list, and it is the operator's. In the control session the gate sends it unasked when it has changed. The agent
//! sends another opening there when it moves.

mod listen;
mod name;
mod opening;
mod services;

pub use listen::{listen, listen_unix};
pub use name::{ServiceName, ServiceNameError};
pub use opening::{Answer, Opening, OpeningError};
pub use services::{Listen, ListenError, Service, Services, ServicesError};

/// The application whose configuration lists the services.
pub const APPLICATION: &str = "services";

/// The media type of the list.
pub const MEDIA_TYPE: &str = "application/vnd.halfkey.services+json";
