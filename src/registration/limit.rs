//! Limits of a registration.

/// The longest padded form in R2, in bytes.
pub const MAX_FORM: usize = 16_384;
/// How long a token resends R2, in seconds.
pub const RESEND_SECS: u64 = 600;
