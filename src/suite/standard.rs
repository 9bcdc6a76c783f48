//! The suites that this crate ships: one hash and AEAD, two KEMs.

use super::x_wing::XWingKem;
use super::x25519::DhKem;
use super::{Kem, Suite};
use crate::policy::SuiteId;

/// Suite 2: X-Wing.
pub struct XWing;
/// Suite 1: X25519.
pub struct X25519Suite;

/// Suite 2, the default: X-Wing as the ephemeral KEM.
pub static XWING: XWing = XWing;
/// Suite 1: X25519 as the ephemeral KEM.
pub static X25519: X25519Suite = X25519Suite;

impl Suite for XWing {
    fn id(&self) -> SuiteId {
        SuiteId::XWing
    }
    fn kem(&self) -> &'static dyn Kem {
        &XWingKem
    }
}

impl Suite for X25519Suite {
    fn id(&self) -> SuiteId {
        SuiteId::X25519
    }
    fn kem(&self) -> &'static dyn Kem {
        &DhKem
    }
}
