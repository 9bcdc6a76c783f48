//! The first bytes in a session, and their answer.

use crate::ServiceName;
use halfkey::configuration::UserInformation;
use serde::{Deserialize, Serialize};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What a session is for.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// The service that is to be reached; none in a control session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceName>,
    /// Where the user is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The system that the user is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
}

/// An opening that is none, or did not come.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpeningError {
    /// The stream's.
    #[error("the stream failed")]
    Stream(#[from] io::Error),
    /// A length that no opening has.
    #[error("an opening of {0} bytes; it has 1 to {max}", max = Opening::MAX)]
    Length(usize),
    /// It is no opening.
    #[error("not an opening")]
    Syntax(#[from] serde_json::Error),
    /// A byte that is no answer.
    #[error("{0} is no answer to an opening")]
    Answer(u8),
}

impl Opening {
    /// The longest opening, in bytes.
    pub const MAX: usize = 4096;

    /// Opens the control session, or a connection to a service.
    #[must_use]
    pub fn new(service: Option<ServiceName>, information: &UserInformation) -> Self {
        Self { service, location: information.location.clone(), system: information.system.clone() }
    }

    /// Where the user is and on what, as a store is asked by it.
    #[must_use]
    pub fn information(&self) -> UserInformation {
        UserInformation {
            location: self.location.clone(),
            system: self.system.clone(),
            ..UserInformation::default()
        }
    }

    /// The opening as it goes over the wire.
    ///
    /// # Errors
    /// [`OpeningError::Length`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, OpeningError> {
        let text = serde_json::to_vec(self)?;
        let length = u16::try_from(text.len()).ok().filter(|_| text.len() <= Self::MAX);
        let length = length.ok_or(OpeningError::Length(text.len()))?;
        Ok([&length.to_be_bytes(), text.as_slice()].concat())
    }

    /// Writes the opening.
    ///
    /// # Errors
    /// [`OpeningError`].
    pub async fn write(&self, stream: &mut (impl AsyncWrite + Unpin)) -> Result<(), OpeningError> {
        Ok(stream.write_all(&self.to_bytes()?).await?)
    }

    /// Reads an opening, and no byte after it. `None` when the stream ends before it.
    ///
    /// # Errors
    /// [`OpeningError`].
    pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<Self>, OpeningError> {
        let mut length = [0; 2];
        if stream.read(&mut length[..1]).await? == 0 {
            return Ok(None);
        }
        stream.read_exact(&mut length[1..]).await?;
        let length = usize::from(u16::from_be_bytes(length));
        if !(1..=Self::MAX).contains(&length) {
            return Err(OpeningError::Length(length));
        }
        let mut text = vec![0; length];
        stream.read_exact(&mut text).await?;
        Ok(Some(serde_json::from_slice(&text)?))
    }
}

/// The gate's answer to an opening. After any but [`Answer::Open`] it ends the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Answer {
    /// The connection stands.
    Open,
    /// The user may not reach the service, or there is none of this name: the two look alike.
    Refused,
    /// The service does not answer.
    Unreachable,
    /// The gate is busy, or its store is: try again later.
    Busy,
}

impl Answer {
    const ALL: [Self; 4] = [Self::Open, Self::Refused, Self::Unreachable, Self::Busy];

    /// The answer as a byte.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Open => 0,
            Self::Refused => 1,
            Self::Unreachable => 2,
            Self::Busy => 3,
        }
    }

    /// Writes the answer.
    ///
    /// # Errors
    /// The stream's.
    pub async fn write(self, stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        stream.write_all(&[self.byte()]).await
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// [`OpeningError`].
    pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Self, OpeningError> {
        let byte = stream.read_u8().await?;
        Self::ALL.into_iter().find(|answer| answer.byte() == byte).ok_or(OpeningError::Answer(byte))
    }
}
