//! Registration and the first session on one connection.

use super::{ClientSession, ConnectError, Connector, FillError, RegistrationOutcome};
use crate::certificate::VerifiedServer;
use crate::id::ServerName;
use crate::port::Token;
use crate::registration::token::Credential;
use crate::template::{Form, Template};
use std::io::{Read, Write};

impl<T: Token + 'static> Connector<T> {
    /// Registers with `server_name` and opens the first session on the same connection (patent steps 80 to 350),
    /// so that the configuration can follow at once: [`Connector::register`], then [`Connector::open`]. There is a
    /// session exactly where the outcome is [`RegistrationOutcome::Active`].
    ///
    /// # Errors
    /// Those of both. Where the session does not come about, the registration is on the token all the same.
    pub fn enrol<S, F>(
        &self,
        mut stream: S,
        server_name: &ServerName,
        fill: F,
    ) -> Result<(RegistrationOutcome, Option<ClientSession<S>>), ConnectError>
    where
        S: Read + Write,
        F: FnOnce(&VerifiedServer, &Template) -> Result<(Form, Credential), FillError>,
    {
        let outcome = self.register(&mut stream, server_name, fill)?;
        let session = match &outcome {
            RegistrationOutcome::Active(registration) => Some(self.open(stream, &registration.key_id)?),
            _ => None,
        };
        Ok((outcome, session))
    }
}
