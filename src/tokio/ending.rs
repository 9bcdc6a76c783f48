//! How a session is ended from outside, whatever its stream.

use core::task::{Context, Poll};
use std::io;

/// A session that can be ended. Sealed.
pub(super) trait Ending: Send + Sync {
    /// Closes this side, and waits until that is sent.
    #[doc(hidden)]
    fn poll_close(&self, context: &Context<'_>) -> Poll<io::Result<()>>;
    /// Waits until everything is sent.
    #[doc(hidden)]
    fn poll_flush(&self, context: &Context<'_>) -> Poll<io::Result<()>>;
    /// Ends a server's session, and waits until the token is told how its registration stands.
    #[doc(hidden)]
    fn poll_end(&self, context: &Context<'_>) -> Poll<()>;
    /// Ends the session at once.
    #[doc(hidden)]
    fn cut(&self, why: &'static str);
}
