//! The error underneath a port's error, for the operator.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::error::Error;
use core::fmt;

/// The error underneath a port's error: of a database, a device or a network, as its own driver tells it.
///
/// It is for the operator's log and never told to a peer. It must hold no secret. A clone is the same
/// cause, and only the same cause is equal.
///
/// A store of one's own says why it does not answer:
/// ```
/// use halfkey::Cause;
/// use halfkey::port::StoreError;
/// use std::error::Error;
///
/// fn read(path: &str) -> Result<Vec<u8>, StoreError> {
///     std::fs::read(path).map_err(|error| StoreError::Failed(Cause::new(error)))
/// }
///
/// let Err(error) = read("/no/such/file") else { return };
/// println!("{error}: {}", error.source().map(ToString::to_string).unwrap_or_default());
/// ```
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

/// Shows the number of a driver's error, and what it means where that is known: an SQLSTATE is a number in base 36
/// (`57P03` is above 46 655), and small numbers are those of the operating system.
pub(crate) struct Numbered(pub(crate) u32);

/// The least number of an SQLSTATE: those below, of class 00, are no errors.
const SQLSTATE: u32 = 36 * 36 * 36;

impl fmt::Display for Numbered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            // Those of the software token (`software::DAMAGED`, `software::STRETCHING_FAILED`).
            0x8000_0001 => return f.write_str("its contents are damaged"),
            0x8000_0002 => return f.write_str("there is too little memory to stretch a PIN"),
            // Those of the store in PostgreSQL (`postgres::error`).
            0x8000_0011 => {
                return f.write_str("the connection was lost during the commit, which may have been done");
            }
            0x8000_0012 => {
                return f.write_str("the database did not answer in time; a change may have been done");
            }
            _ => {}
        }
        if self.0 >= SQLSTATE {
            return sql_state(self.0, f);
        }
        #[cfg(feature = "std")]
        if let Some(number) = i32::try_from(self.0).ok().filter(|number| (1..4096).contains(number)) {
            return std::io::Error::from_raw_os_error(number).fmt(f);
        }
        write!(f, "error {}", self.0)
    }
}

fn sql_state(mut number: u32, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut state = ['0'; 5];
    for place in state.iter_mut().rev() {
        *place = char::from_digit(number % 36, 36).unwrap_or('0').to_ascii_uppercase();
        number /= 36;
    }
    if number > 0 {
        return write!(f, "error of a kind that its driver knows");
    }
    let means = match state {
        ['0', '8', ..] => ": the connection failed",
        ['2', '8', ..] => ": the user is not let in",
        ['3', 'D', ..] => ": there is no such database",
        ['4', '2', '5', '0', '1'] => ": the user lacks a privilege",
        ['5', '3', '3', '0', '0'] => ": it has too many connections",
        ['5', '3', ..] => ": it lacks memory, disk or another resource",
        ['5', '7', '0', '1', '4'] => ": the statement took too long, or was cancelled",
        ['5', '7', 'P', '0', '3'] => ": it is starting up or shutting down",
        ['5', '7', 'P', ..] => ": it is shutting down",
        ['5', '8', ..] => ": its system failed",
        _ => "",
    };
    f.write_str("SQLSTATE ")?;
    state.iter().try_for_each(|digit| fmt::Write::write_char(f, *digit))?;
    f.write_str(means)
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
    fn numbers_of_drivers_are_shown_as_what_they_mean() {
        let state = |code: &str| Numbered(u32::from_str_radix(code, 36).unwrap()).to_string();
        assert_eq!(state("57P03"), "SQLSTATE 57P03: it is starting up or shutting down");
        assert_eq!(state("08006"), "SQLSTATE 08006: the connection failed");
        assert_eq!(state("22021"), "SQLSTATE 22021");
        assert_eq!(state("ZZZZZ"), "SQLSTATE ZZZZZ");
        assert!(Numbered(0x8000_0011).to_string().contains("may have been done"));
        assert!(Numbered(28).to_string().starts_with("No space left on device"));
        let starting = StoreError::Unavailable(8_757_075);
        assert_eq!(
            starting.to_string(),
            "the store is not available: SQLSTATE 57P03: it is starting up or shutting down"
        );
        assert!(TokenError::Device(22).to_string().contains("Invalid argument"));
        assert_eq!(StoreError::Unavailable(0).to_string(), "the store is not available");
    }

    #[test]
    fn a_ports_cause_reaches_the_operator_once() {
        let store = StoreError::Failed(Cause::new("the disk is on fire"));
        let errors: [Box<dyn Error + 'static>; 3] = [
            Box::new(ServerRegistrationError::from(store.clone())),
            Box::new(crate::session::ServerSessionError::from(store.clone())),
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
