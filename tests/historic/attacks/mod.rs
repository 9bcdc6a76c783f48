//! The attacks: each one succeeds against the letter of 1996, and the same attempt fails against the
//! real protocol.

mod configuration;
mod fake;
mod forced_key;
mod grant;
mod middle;
mod oracle;
mod passive;
mod reflection;
mod relay;
mod search;
