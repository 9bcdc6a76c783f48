//! Errors of loading a software token.

use crate::wire::WireError;
use thiserror::Error;

/// Error of loading a software token. The file is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The caller's: the bytes do not begin like a software token.
    #[error("not a token file")]
    NotAToken,
    /// The operator's: a newer release wrote the file, in this version of the format.
    #[error("the token file is of version {0}, which a newer release made")]
    Newer(u32),
    /// The operator's: the file is of an earlier version of the format, which no release wrote.
    #[error("the token file is of version {0}, which no release made; register a new token")]
    Older(u32),
    /// The operator's: the file is damaged in a part that needs no PIN.
    #[error(transparent)]
    Damaged(#[from] WireError),
    /// The operator's: a guess at the file's PIN costs less than [`PinSettings`](super::PinSettings) allow.
    #[error("the token file's PIN is guessed too easily: its settings are below what is allowed")]
    TooWeak,
}
