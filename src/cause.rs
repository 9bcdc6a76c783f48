//! The error underneath a port's error, for the operator.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::error::Error;
use core::fmt;

/// The error underneath a port's error: of a database, a device or a network, as its own driver tells it.
///
/// It is for the operator's log and never told to a peer. It must hold no secret. A clone is the same
/// cause, and only the same cause is equal.
#[derive(Clone)]
pub struct Cause(Arc<dyn Error + Send + Sync>);

impl Cause {
    /// Keeps an error, or a text, as the cause of another.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(Arc::from(error.into()))
    }

    /// The error itself.
    #[must_use]
    pub fn get(&self) -> &(dyn Error + Send + Sync + 'static) {
        &*self.0
    }
}

impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Cause {}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::{AuthServerError, StoreError, TokenError};
    use crate::registration::{ServerRegistrationError, TokenRegistrationError};
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    /// Every text of the chain, as `{:#}` of `anyhow` prints it.
    fn chain(error: &(dyn Error + 'static)) -> Vec<String> {
        let mut next: Option<&(dyn Error + 'static)> = Some(error);
        core::iter::from_fn(|| {
            let error = next?;
            next = error.source();
            Some(error.to_string())
        })
        .collect()
    }

    #[test]
    fn a_ports_cause_reaches_the_operator_once() {
        let store = StoreError::Failed(Cause::new("the disk is on fire"));
        let errors: [Box<dyn Error + 'static>; 3] = [
            Box::new(ServerRegistrationError::from(store.clone())),
            Box::new(crate::session::SessionError::from(store.clone())),
            Box::new(crate::configuration::ServerConfigurationError::from(store)),
        ];
        for error in errors {
            assert_eq!(chain(&*error), ["the store failed", "the disk is on fire"]);
        }
        let token = TokenError::Failed(Cause::new("no card in the reader"));
        let error = TokenRegistrationError::from(token);
        assert_eq!(chain(&error), ["the token failed", "no card in the reader"]);
        let keys = AuthServerError::Failed(Cause::new("slot 3 is empty"));
        let error = ServerRegistrationError::from(keys);
        assert_eq!(chain(&error), ["the holder of the server's keys failed", "slot 3 is empty"]);
    }

    #[test]
    fn a_cause_equals_itself_alone() {
        let cause = Cause::new("x");
        assert_eq!(cause, cause.clone());
        assert_ne!(cause, Cause::new("x"));
    }
}
