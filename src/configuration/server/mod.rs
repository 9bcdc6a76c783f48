//! The server's side: asks the store what the user is entitled to, sends it, and hears what became of it.

mod entitle;
mod report;

pub use entitle::{NeedEntitlement, Principal, push, receive_request};
pub use report::{AwaitApplied, NeedReport};
