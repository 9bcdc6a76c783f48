//! One connection of an application, over a session of its own.

use crate::gate::Gate;
use halfkey::configuration::UserInformation;
use halfkey::tokio::{ConnectError, forward};
use halfkey_service::{Answer, Opening, OpeningError, ServiceName};
use std::io;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

/// Time for the gate to answer an opening: it connects to the application server meanwhile.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Error of a connection that does not come about, or is cut off.
#[derive(Debug, Error)]
pub(crate) enum CarryError {
    /// The gate is not reached.
    #[error("the gate is not reached")]
    Dial(#[source] io::Error),
    /// No session is opened.
    #[error(transparent)]
    Open(#[from] ConnectError),
    /// The opening does not come through.
    #[error(transparent)]
    Opening(#[from] OpeningError),
    /// The gate does not answer in time.
    #[error("the gate does not answer")]
    Late(#[from] tokio::time::error::Elapsed),
    /// The gate does not open the service.
    #[error("the gate answers: {0}")]
    Answer(&'static str),
    /// Either side was cut off.
    #[error("the connection")]
    Stream(#[from] io::Error),
}

impl CarryError {
    /// Tells whether the way to the gate may be at fault.
    pub(crate) const fn is_gates(&self) -> bool {
        matches!(self, Self::Dial(_) | Self::Open(_) | Self::Opening(_) | Self::Late(_))
    }
}

/// Returns the meaning of an answer.
pub(crate) const fn said(answer: Answer) -> &'static str {
    match answer {
        Answer::Open => "open",
        Answer::Refused => "not for this user",
        Answer::Unreachable => "the service does not answer",
        Answer::Busy => "busy, try again later",
    }
}

/// Carries a connection to its end. Returns the numbers of bytes sent and received.
pub(crate) async fn carry(
    gate: &Gate,
    service: &ServiceName,
    information: &UserInformation,
    local: &mut (impl AsyncRead + AsyncWrite + Unpin),
) -> Result<(u64, u64), CarryError> {
    // In a box, so that a connection that goes on does not keep room for how it began.
    let mut session = Box::pin(async {
        let stream = gate.dial().await.map_err(CarryError::Dial)?;
        let mut session = gate.open(stream).await?;
        Opening::new(Some(service.clone()), information).write(&mut session).await?;
        session.flush().await?;
        match tokio::time::timeout(PATIENCE, Answer::read(&mut session)).await?? {
            Answer::Open => Ok(session),
            answer => Err(CarryError::Answer(said(answer))),
        }
    })
    .await?;
    Ok(forward(local, &mut session).await?)
}
