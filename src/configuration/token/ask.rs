//! The token's side: asks, judges what comes, and has it applied.

use super::apply::version;
use super::judge::{Verdict, judge};
use crate::configuration::error::TokenConfigurationError;
use crate::id::{ApplicationName, KeyId};
use crate::message::{ConfigRequest, Configuration, UserInformation};
use crate::record::TokenRegistration;
use crate::step::{ErrorReason, Step};
use crate::time::UnixTime;
use crate::wire::Message;
use core::num::NonZeroU32;

/// Asks for the configuration of an application (patent step 370). `request_id` is one not used before in
/// this session; `now` begins the measure of how old the answer is.
///
/// # Errors
/// [`TokenConfigurationError::Information`] for text that is longer than 255 bytes or has controls in it, and for
/// more than 8 attributes.
pub fn request(
    registration: &TokenRegistration,
    application: &ApplicationName,
    information: &UserInformation,
    request_id: NonZeroU32,
    now: UnixTime,
) -> Result<Step<ConfigRequest, AwaitConfiguration>, TokenConfigurationError> {
    let c0 = ConfigRequest {
        request_id: request_id.get(),
        application: application.clone(),
        information: information.normalised()?,
        held: registration.configuration(application).map(version),
    };
    let next = AwaitConfiguration {
        key_id: registration.key_id,
        request_id: c0.request_id,
        application: c0.application.clone(),
        sent: now,
    };
    Ok(Step { send: c0.encode(), next })
}

/// Waits for C1.
#[derive(Debug)]
#[must_use]
pub struct AwaitConfiguration {
    key_id: KeyId,
    request_id: u32,
    application: ApplicationName,
    sent: UnixTime,
}

/// Message that came while an answer was awaited.
#[derive(Debug)]
#[must_use]
pub struct ConfigurationAnswer {
    /// The verdict on it.
    pub verdict: Verdict,
    /// The answer is still awaited: what came was a push that crossed C0.
    pub waiting: Option<AwaitConfiguration>,
}

impl AwaitConfiguration {
    /// The request that is to be answered.
    pub(crate) const fn request_id(&self) -> u32 {
        self.request_id
    }

    /// The application that was asked for.
    pub(crate) const fn application(&self) -> &ApplicationName {
        &self.application
    }

    /// Takes the answer, or a push that crossed the question. `registration` is the record as it stands now.
    ///
    /// # Errors
    /// [`TokenConfigurationError`]; then the session should end.
    pub fn receive(
        self,
        bytes: &[u8],
        registration: &TokenRegistration,
        now: UnixTime,
    ) -> Result<ConfigurationAnswer, TokenConfigurationError> {
        if registration.key_id != self.key_id {
            return Err(TokenConfigurationError::WrongRegistration);
        }
        let c1 = decode(bytes)?;
        if c1.request_id == 0 {
            return Ok(ConfigurationAnswer {
                verdict: judge(&c1, registration, None, now)?,
                waiting: Some(self),
            });
        }
        if c1.request_id != self.request_id {
            return Err(TokenConfigurationError::WrongRequest);
        }
        if c1.scope.application != self.application {
            return Err(TokenConfigurationError::WrongScope);
        }
        Ok(ConfigurationAnswer { verdict: judge(&c1, registration, Some(self.sent), now)?, waiting: None })
    }
}

/// Takes a C1 that the server sends unasked, while no answer is awaited.
///
/// # Errors
/// [`TokenConfigurationError`]; then the session should end.
pub fn receive_push(
    bytes: &[u8],
    registration: &TokenRegistration,
    now: UnixTime,
) -> Result<Verdict, TokenConfigurationError> {
    let c1 = decode(bytes)?;
    if c1.request_id != 0 {
        return Err(TokenConfigurationError::WrongRequest);
    }
    judge(&c1, registration, None, now)
}

fn decode(bytes: &[u8]) -> Result<Configuration<'_>, TokenConfigurationError> {
    match ErrorReason::read(bytes) {
        Some(reason) => Err(TokenConfigurationError::ErrorMessage(reason)),
        None => Ok(Configuration::decode(bytes)?),
    }
}
