//! Habits that halfkey's programs share.
//!
//! * [`Program`]: its name, how it is to answer, and how it ends: an [`Exit`] code and one sentence on standard error.
//! * [`output`]: tables and sentences for people, JSON for scripts.
//! * [`time`]: points in time and spans as people write them.
//! * [`mod@file`] and [`key_file`]: files with secrets, which only their owner may use.
//! * `page`, with the feature of that name: pages for a browser on the same machine.
//! * [`reason`]: why an operator refuses an application.
//! * `store`, with the feature of that name: the store in a file or a database, named by one text.
//! * [`secret`]: a secret from a descriptor, a file, standard input or a person at a terminal.

mod colour;
pub mod file;
pub mod key_file;
pub mod output;
#[cfg(feature = "page")]
pub mod page;
mod program;
pub mod reason;
pub mod secret;
#[cfg(feature = "store")]
pub mod store;
pub mod time;
pub mod words;

pub use output::Output;
pub use program::{About, Exit, Program, ProgramError, parse, sentence};
