//! A server's loop over one connection.

use super::{Connection, Gateway, Transport};
use crate::random::RandomSource;
use crate::time::UnixTime;
use std::io;

/// What an application answers to data out of a session.
pub type Answer<'a> = dyn FnMut(&Connection, &[u8]) -> Option<Vec<u8>> + 'a;

/// Serves one connection until it ends: registrations, then perhaps a session, whose data goes to
/// `answer`, and what that returns back.
///
/// # Errors
/// The transport's. The protocol's own errors go to the gateway's observer.
pub fn serve(
    gateway: &Gateway<'_>,
    transport: &mut dyn Transport,
    peer: &[u8],
    clock: &dyn Fn() -> UnixTime,
    random: &mut dyn RandomSource,
    answer: &mut Answer<'_>,
) -> io::Result<()> {
    let mut connection = Connection::new(peer);
    while let Some(frame) = transport.receive()? {
        let handled = connection.handle(gateway, &frame, clock(), random);
        handled.send.iter().try_for_each(|frame| transport.send(frame))?;
        if handled.over {
            break;
        }
        if let Some(reply) = handled.data.and_then(|data| answer(&connection, &data)) {
            connection.send(gateway, &reply).send.iter().try_for_each(|frame| transport.send(frame))?;
        }
    }
    Ok(())
}
