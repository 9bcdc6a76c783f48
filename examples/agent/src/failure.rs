//! Errors with which the program ends.

use halfkey::exchange::TokenExchangeError;
use halfkey::port::TokenError;
use halfkey::registration::TokenRegistrationError;
use halfkey::software::{FileError, LoadError, UnblockError};
use halfkey::template::FormError;
use halfkey::tokio::ConnectError;
use halfkey::{ErrorReason, Fault, ServerName};
use halfkey_common::output::Unwritten;
use halfkey_common::secret::SecretError;
use halfkey_common::{Exit, ProgramError};
use std::io;
use std::path::Path;
use thiserror::Error;

/// Error with which the program ends, or a request to the agent that runs.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// The arguments, or a file named in them, are of no use.
    #[error("{0}")]
    Usage(String),
    /// A secret is not given.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The file of the token is not opened.
    #[error("{path}")]
    TokenFile {
        /// Path of the file.
        path: String,
        /// The library's error.
        source: FileError,
    },
    /// The token does not do as asked.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The token is not unblocked.
    #[error(transparent)]
    Unblock(#[from] UnblockError),
    /// A file is no token that was moved.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A file or directory does not do as asked.
    #[error("{path}")]
    File {
        /// Its path.
        path: String,
        /// The operating system's error.
        source: io::Error,
    },
    /// A gate is not reached, or does not do as asked.
    #[error("{server}")]
    Gate {
        /// Name of the gate.
        server: ServerName,
        /// The library's error.
        source: ConnectError,
    },
    /// The gate, or its operator, refuses.
    #[error("{server}: {why}")]
    Refused {
        /// Name of the gate.
        server: ServerName,
        /// The reason.
        why: String,
    },
    /// The form is not filled in.
    #[error(transparent)]
    Form(#[from] FormError),
    /// There is nothing to do it to.
    #[error("{0}")]
    NoSuch(String),
    /// No agent runs.
    #[error("no agent runs here (halfkey up)")]
    NotRunning,
    /// An agent runs, and holds the token.
    #[error("an agent runs here and holds the token; stop it first (halfkey stop)")]
    Running,
    /// The agent that runs does not answer as it should.
    #[error("the agent that runs does not answer")]
    Control(#[source] io::Error),
    /// The agent that runs says so.
    #[error("{error}")]
    Told {
        /// Its sentence.
        error: String,
        /// Its word.
        word: &'static str,
        /// Its exit code.
        exit: Exit,
    },
    /// Standard output does not take the answer.
    #[error(transparent)]
    Output(#[from] Unwritten),
}

/// Words for scripts, by which an error of the agent that runs is known again.
const WORDS: [&str; 16] = [
    "usage",
    "secret",
    "token-file",
    "token-in-use",
    "wrong-pin",
    "blocked",
    "token",
    "file",
    "unreachable",
    "not-active",
    "refused",
    "form",
    "no-such",
    "not-running",
    "running",
    "control",
];

impl Failure {
    pub(crate) fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.display().to_string(), source }
    }

    pub(crate) fn token_file(path: &Path, source: FileError) -> Self {
        match source {
            FileError::InUse => Self::Running,
            FileError::Token(error) => Self::Token(error),
            source => Self::TokenFile { path: path.display().to_string(), source },
        }
    }

    /// Tells whether an attempt that was cut short has come to nothing, because its offer has: it begins again.
    pub(crate) const fn begins_again(&self) -> bool {
        matches!(
            self,
            Self::Gate {
                source: ConnectError::Exchange(TokenExchangeError::Registration(
                    TokenRegistrationError::ErrorMessage(ErrorReason::Restart)
                )),
                ..
            }
        )
    }

    /// Makes the error that the running agent reported.
    pub(crate) fn told(error: String, word: &str, exit: u8) -> Self {
        let word = WORDS.iter().find(|known| **known == word).copied().unwrap_or("refused");
        let exit = [Exit::Usage, Exit::Unavailable].into_iter().find(|known| *known as u8 == exit);
        Self::Told { error, word, exit: exit.unwrap_or(Exit::Refused) }
    }
}

impl ProgramError for Failure {
    fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Secret(_) | Self::Form(_) | Self::Load(_) => Exit::Usage,
            Self::TokenFile { .. } | Self::File { .. } | Self::Control(_) | Self::Output(_) => {
                Exit::Unavailable
            }
            Self::Token(error) | Self::Unblock(UnblockError::Token(error)) => match error.fault() {
                Fault::Operator => Exit::Unavailable,
                _ => Exit::Refused,
            },
            Self::Gate { source, .. } => match source {
                ConnectError::Stream(_) | ConnectError::Ended => Exit::Unavailable,
                ConnectError::Form(_) => Exit::Usage,
                _ => Exit::Refused,
            },
            Self::Told { exit, .. } => *exit,
            Self::Unblock(_) | Self::Refused { .. } | Self::NoSuch(_) | Self::NotRunning | Self::Running => {
                Exit::Refused
            }
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::Secret(_) => "secret",
            Self::TokenFile { .. } | Self::Load(_) => "token-file",
            Self::Token(TokenError::WrongPin { .. }) | Self::Unblock(UnblockError::WrongCode) => "wrong-pin",
            Self::Token(TokenError::Blocked) => "blocked",
            Self::Token(_) | Self::Unblock(_) => "token",
            Self::File { .. } => "file",
            Self::Gate { source, .. } => match source {
                ConnectError::Stream(_) | ConnectError::Ended => "unreachable",
                ConnectError::NotActive(_) => "not-active",
                ConnectError::Form(_) => "form",
                ConnectError::Token(_) => "token",
                _ => "refused",
            },
            Self::Refused { .. } => "refused",
            Self::Form(_) => "form",
            Self::NoSuch(_) => "no-such",
            Self::NotRunning => "not-running",
            Self::Running => "running",
            Self::Control(_) => "control",
            Self::Told { word, .. } => word,
            Self::Output(_) => "output",
        }
    }

    fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.is_broken_pipe())
    }
}
