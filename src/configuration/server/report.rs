//! The end of a configuration's way on the server's side: what became of it on the token.

use crate::configuration::error::ServerConfigurationError;
use crate::id::{ApplicationName, KeyId};
use crate::message::{Applied, ConfigurationSerial};
use crate::port::entitlement_store::{Report, ReportResult};
use crate::port::question::TakeReport;
use crate::wire::{Message, Problem, WireError};

/// Waits for C2, which says what became of one configuration.
#[derive(Debug)]
#[must_use]
pub struct AwaitApplied {
    pub(super) request_id: u32,
    pub(super) key_id: KeyId,
    pub(super) application: ApplicationName,
    pub(super) serial: ConfigurationSerial,
    pub(super) regression: Option<Report>,
}

impl AwaitApplied {
    /// An event for [`EntitlementStore::report`](crate::port::EntitlementStore::report), at once: the token asked with a serial below the last one
    /// it applied. It was restored from a backup, or cloned. It is served all the same.
    #[must_use]
    pub const fn regression(&self) -> Option<&Report> {
        self.regression.as_ref()
    }

    /// Tells whether `bytes` are the C2 that is awaited here, for a server with several open in one session.
    #[must_use]
    pub fn answers(&self, bytes: &[u8]) -> bool {
        Applied::decode(bytes).is_ok_and(|c2| self.is_about(&c2))
    }

    fn is_about(&self, c2: &Applied) -> bool {
        c2.request_id == self.request_id && c2.application == self.application && c2.serial == self.serial
    }

    /// Takes C2.
    ///
    /// # Errors
    /// [`ServerConfigurationError::Wire`]; [`ServerConfigurationError::WrongReport`] when it is about another configuration.
    pub fn receive_applied(self, bytes: &[u8]) -> Result<NeedReport, ServerConfigurationError> {
        let c2 = Applied::decode(bytes)?;
        if !self.is_about(&c2) {
            return Err(ServerConfigurationError::WrongReport);
        }
        let result = match c2.result {
            0 => ReportResult::Applied,
            1 => ReportResult::RolledBack,
            2 => ReportResult::Equivocation,
            3 => ReportResult::Failed,
            4 => ReportResult::NoRoom,
            _ => {
                let message = <Applied as Message<'_>>::NAME;
                return Err(WireError { message, field: "result", problem: Problem::OutOfRange }.into());
            }
        };
        let (key_id, application, serial) = (self.key_id, self.application, self.serial);
        Ok(NeedReport { question: TakeReport { report: Report { key_id, application, serial, result } } })
    }
}

/// Needs the store to keep what became of a configuration.
#[derive(Debug)]
#[must_use]
pub struct NeedReport {
    question: TakeReport,
}

impl NeedReport {
    /// The question: a report to keep ([`EntitlementStore::report`](crate::port::EntitlementStore::report)).
    #[must_use]
    pub const fn wanted(&self) -> &TakeReport {
        &self.question
    }

    /// It is kept: that is the end of this configuration's way.
    #[must_use]
    pub fn supply(self) -> ReportResult {
        self.question.report.result
    }
}
