//! Registration and the first session on one connection.

use super::{ClientSession, ConnectError, Connector, FillError, RegistrationOutcome};
use crate::certificate::VerifiedServer;
use crate::id::ServerName;
use crate::port::Token;
use crate::registration::token::Credential;
use crate::template::{Form, Template};
use core::future::Future;
use tokio::io::{AsyncRead, AsyncWrite};

impl<T: Token + 'static> Connector<T> {
    /// Registers with `server_name` and opens the first session on the same connection: see
    /// [`driver::Connector::enrol`](crate::driver::Connector::enrol).
    ///
    /// # Errors
    /// Those of [`Connector::register`] and of [`Connector::open`].
    pub async fn enrol<S, F, A>(
        &self,
        mut stream: S,
        server_name: &ServerName,
        fill: F,
    ) -> Result<(RegistrationOutcome, Option<ClientSession<S>>), ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        F: FnOnce(VerifiedServer, Template) -> A + Send + 'static,
        A: Future<Output = Result<(Form, Credential), FillError>> + Send + 'static,
    {
        let outcome = self.register(&mut stream, server_name, fill).await?;
        let session = match &outcome {
            RegistrationOutcome::Active(registration) => Some(self.open(stream, &registration.key_id).await?),
            _ => None,
        };
        Ok((outcome, session))
    }
}
