//! How other commands ask the agent that runs: one line of JSON each way, over a socket of this user's own.

use crate::failure::Failure;
use crate::place::{Place, owner};
use crate::report::Report;
use halfkey::ServerName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use zeroize::Zeroizing;

/// Longest request, in bytes.
pub(crate) const REQUEST_MAX: u64 = 65_536;
/// Longest reply, in bytes: a few hundred services of a few gates.
const REPLY_MAX: u64 = 1 << 20;
/// Time for a reply: a renewal takes that of a registration.
const PATIENCE: Duration = Duration::from_secs(120);

/// Request to the agent that runs.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    /// Report how things stand.
    Status,
    /// Renew the key of a gate, or of the only one.
    Renew {
        /// The gate.
        server: Option<ServerName>,
        /// Answers to its template that are new.
        set: BTreeMap<String, String>,
    },
    /// Change the PIN.
    Pin {
        /// The PIN as it is.
        old: Zeroizing<String>,
        /// The PIN as it will be.
        new: Zeroizing<String>,
    },
    /// Forget a gate, or the only one.
    Forget {
        /// The gate.
        server: Option<ServerName>,
    },
    /// Stop.
    Stop,
}

/// Reply of the agent that runs.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Reply {
    /// It is done.
    Done {
        /// The gate that it was done to.
        server: Option<ServerName>,
        /// The number of seconds until it is of use to ask the operator again.
        waiting: Option<u64>,
    },
    /// How things stand.
    Status(Report),
    /// It is not done.
    Failed {
        /// A sentence for people.
        error: String,
        /// A word for scripts.
        code: String,
        /// The exit code.
        exit: u8,
    },
}

/// Asks the agent that runs. `None` where none runs.
pub(crate) async fn ask(place: &Place, request: &Request) -> Result<Option<Reply>, Failure> {
    let path = place.control();
    let mut stream = match UnixStream::connect(&path).await {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => return Err(Failure::file(&path, error)),
    };
    // A PIN goes to an agent of this user, and to nobody else.
    if !is_ours(place, &stream).map_err(Failure::Control)? {
        return Err(Failure::Control(io::ErrorKind::PermissionDenied.into()));
    }
    let asked = tokio::time::timeout(PATIENCE, exchange(&mut stream, request)).await;
    let reply = asked.map_err(io::Error::from).flatten().map_err(Failure::Control)?;
    match reply {
        Reply::Failed { error, code, exit } => Err(Failure::told(error, &code, exit)),
        reply => Ok(Some(reply)),
    }
}

async fn exchange(stream: &mut UnixStream, request: &Request) -> io::Result<Reply> {
    let mut line = Zeroizing::new(Vec::with_capacity(4096));
    serde_json::to_writer(&mut *line, request)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    let reply = read_line(stream, REPLY_MAX).await?;
    Ok(serde_json::from_slice(&reply)?)
}

/// Reads one line of bounded length.
pub(crate) async fn read_line(stream: &mut UnixStream, most: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    // Room for a PIN at once: growing would leave a copy behind.
    let mut line = Zeroizing::new(Vec::with_capacity(4096));
    BufReader::new(stream.take(most)).read_until(b'\n', &mut line).await?;
    if line.last() == Some(&b'\n') { Ok(line) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// Tells whether the other end is a process of the user whose directory this is.
pub(crate) fn is_ours(place: &Place, stream: &UnixStream) -> io::Result<bool> {
    let peer = stream.peer_cred()?.uid();
    Ok(peer == owner(&place.services())?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_strictly() {
        let read = |text: &str| serde_json::from_str::<Request>(text);
        assert!(matches!(read(r#""status""#), Ok(Request::Status)));
        assert!(matches!(
            read(r#"{"forget": {"server": "gate.example"}}"#),
            Ok(Request::Forget { server: Some(_) })
        ));
        for bad in [
            r#"{"status": {}}"#,
            r#""halt""#,
            r#"{"forget": {"server": "gate.example", "all": true}}"#,
            r#"{"forget": {"server": "no name"}}"#,
            r#"{"pin": {"old": "1234"}}"#,
            r#""status" "stop""#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_line_is_bounded_and_whole() {
        for (text, whole) in [(&b"\"status\"\n"[..], true), (b"\"status\"", false), (&[b'x'; 99], false)] {
            let (mut near, mut far) = UnixStream::pair().unwrap();
            near.write_all(text).await.unwrap();
            near.shutdown().await.unwrap();
            assert_eq!(read_line(&mut far, 50).await.is_ok(), whole);
        }
    }
}
