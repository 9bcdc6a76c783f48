//! The contract of [`Token`](crate::port::Token).
pub fn token() {}
