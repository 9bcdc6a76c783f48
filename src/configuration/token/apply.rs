//! The client system's part on the token's side: a configuration is applied whole or not at all.

use crate::configuration::error::TokenConfigurationError;
use crate::id::{ApplicationName, KeyId};
use crate::message::{Applied, ConfigurationSerial, Held};
use crate::port::entitlement_store::Document;
use crate::record::{HeldConfiguration, TokenRegistration};
use crate::step::Step;
use crate::time::UnixTime;
use crate::wire::{Frame, Message};
use alloc::boxed::Box;

/// Needs the client system to do something (patent step 390), all of it or nothing.
#[derive(Debug)]
#[must_use]
pub struct NeedApply {
    pub(super) key_id: KeyId,
    pub(super) request_id: u32,
    pub(super) instruction: Instruction,
    pub(super) held: HeldConfiguration,
    pub(super) before: Option<Held>,
    pub(super) floor: UnixTime,
}

/// Instruction to the client system for one application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// Put this document in the place of any earlier one.
    Install(Document),
    /// Take the document away, if there is one.
    Remove,
}

/// Result of an instruction, as the client system reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applying {
    /// As instructed.
    Applied,
    /// Nothing: it could not, and the last good configuration is in force.
    Failed,
}

impl NeedApply {
    /// The instruction.
    #[must_use]
    pub const fn wanted(&self) -> &Instruction {
        &self.instruction
    }

    /// The application that it is for.
    #[must_use]
    pub const fn application(&self) -> &ApplicationName {
        &self.held.application
    }

    /// The serial of the configuration.
    #[must_use]
    pub const fn serial(&self) -> ConfigurationSerial {
        self.held.serial
    }

    /// Makes C2 and the new record of what was done. `registration` is the record as it stands now.
    ///
    /// Store the record, then send C2: so the store behind the server never believes in more than the token
    /// holds.
    ///
    /// # Errors
    /// [`TokenConfigurationError::WrongRegistration`]; [`TokenConfigurationError::Overtaken`] when the record has got another
    /// configuration of the application since.
    pub fn supply(
        self,
        done: Applying,
        registration: &TokenRegistration,
    ) -> Result<Step<Applied, Box<TokenRegistration>>, TokenConfigurationError> {
        if registration.key_id != self.key_id {
            return Err(TokenConfigurationError::WrongRegistration);
        }
        let Self { request_id, held, before, floor, .. } = self;
        let mut record = with_floor(registration, floor);
        if done == Applying::Failed {
            return Ok(Step {
                send: c2(request_id, &held.application, held.serial, 3),
                next: Box::new(record),
            });
        }
        if registration.configuration(&held.application).map(version) != before {
            return Err(TokenConfigurationError::Overtaken);
        }
        let send = c2(request_id, &held.application, held.serial, 0);
        record.configurations.retain(|other| other.application != held.application);
        record.configurations.push(held);
        Ok(Step { send, next: Box::new(record) })
    }
}

/// The record with the clock's floor raised.
pub(super) fn with_floor(registration: &TokenRegistration, floor: UnixTime) -> TokenRegistration {
    let mut record = registration.clone();
    record.clock_floor = record.clock_floor.max(floor);
    record
}

/// Returns the version of a held configuration.
pub(super) const fn version(held: &HeldConfiguration) -> Held {
    Held { serial: held.serial, digest: held.digest }
}

pub(super) fn c2(
    request_id: u32,
    application: &ApplicationName,
    serial: ConfigurationSerial,
    result: u8,
) -> Frame<Applied> {
    Applied { request_id, application: application.clone(), serial, result }.encode()
}
