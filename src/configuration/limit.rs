//! Limits of a configuration on its way.

/// The most seconds between C0 and C1 for the server's time to count.
pub const FRESH_SECS: u64 = 60;

/// The most applications for which one registration holds a configuration, revoked ones among them.
pub const MAX_HELD: usize = 64;
