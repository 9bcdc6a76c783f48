//! The token's side: asks, judges what comes, and has it applied.

mod apply;
mod ask;
mod judge;

pub use apply::{Applying, Instruction, NeedApply};
pub use ask::{AwaitConfiguration, ConfigurationAnswer, receive_push, request};
pub use judge::{ConfigurationRejection, Verdict};
