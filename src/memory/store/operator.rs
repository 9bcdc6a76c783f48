//! What the operator does with the store, and what it tells the operator.

use super::Store;
use super::state::{Code, State};
use crate::id::{AccessPath, Application, KeyId, TicketId, UserId, UserName};
use crate::port::StoreError;
use crate::port::entitlement_store::{Document, Entitlement, Report, ReportResult, Serial};
use crate::record::{Lifecycle, Registered, WaitingApplication};
use crate::secret::Secret;
use crate::time::UnixTime;
use alloc::vec::Vec;
use thiserror::Error;

/// Most events kept.
const EVENTS: usize = 1024;

/// Whom an entitlement is for. One for the user comes before one for the user's access path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// One user.
    User(UserId),
    /// Everyone whose entitlements begin here.
    AccessPath(AccessPath),
}

/// Something the operator should look at: a report other than that a configuration was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: UnixTime,
    /// What; for [`ReportResult::Regressed`], with the serial it had applied before.
    pub report: Report,
}

#[derive(Clone)]
pub(super) struct LastReport {
    pub(super) report: Report,
    pub(super) applied: Option<Serial>,
}

/// Why the store does not do what its operator asks. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// No registration has this key id.
    #[error("no registration has this key id")]
    NoSuchKey,
    /// No application waits with this ticket.
    #[error("no application waits with this ticket")]
    NoSuchTicket,
    /// The registration is not in a state from which that can be done.
    #[error("the registration is in another state")]
    OtherState,
    /// The name is taken; free it first.
    #[error("the name is taken")]
    NameTaken,
    /// The name is not taken.
    #[error("the name is not taken")]
    NameFree,
    /// A media type over 127 bytes or a body over 57 344 bytes.
    #[error("the document is longer than the protocol carries")]
    DocumentTooLong,
    /// The state could not be saved.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Lets whoever has this activation code register once under `name`, and nobody without proof. A code that was there for
    /// the name is withdrawn: pending registrations proven by it lose, and applications that wait
    /// with it are forgotten.
    ///
    /// # Errors
    /// [`OperatorError::NameTaken`], or [`OperatorError::Store`].
    pub fn add_activation_code(&self, name: &UserName, secret: Secret) -> Result<(), OperatorError> {
        self.change(|state| {
            if state.names.contains_key(name) {
                return Err(OperatorError::NameTaken);
            }
            state.drop_code(name);
            state.last_code = state.last_code.saturating_add(1);
            state.codes.insert(name.clone(), Code { secret, number: state.last_code });
            Ok(())
        })
    }

    /// Withdraws the activation code for `name`, if there is one.
    ///
    /// # Errors
    /// [`OperatorError::Store`].
    pub fn withdraw_activation_code(&self, name: &UserName) -> Result<(), OperatorError> {
        self.change(|state| {
            state.drop_code(name);
            Ok(())
        })
    }

    /// Puts an active registration on hold.
    ///
    /// # Errors
    /// [`OperatorError`].
    pub fn suspend(&self, key_id: &KeyId) -> Result<(), OperatorError> {
        self.change(|state| state.pass(key_id, Lifecycle::Active, Lifecycle::Suspended))
    }

    /// Makes a suspended registration active again.
    ///
    /// # Errors
    /// [`OperatorError`].
    pub fn resume(&self, key_id: &KeyId) -> Result<(), OperatorError> {
        self.change(|state| state.pass(key_id, Lifecycle::Suspended, Lifecycle::Active))
    }

    /// Ends a registration for good, whatever its state. Its name stays taken.
    ///
    /// # Errors
    /// [`OperatorError`].
    pub fn revoke(&self, key_id: &KeyId) -> Result<(), OperatorError> {
        self.change(|state| {
            state.row(key_id)?;
            state.settle(key_id, Lifecycle::Revoked);
            Ok(())
        })
    }

    /// Erases a registration that is revoked, superseded or lost. Its token is then a stranger and
    /// learns nothing any more; its name stays taken.
    ///
    /// # Errors
    /// [`OperatorError`].
    pub fn forget(&self, key_id: &KeyId) -> Result<(), OperatorError> {
        self.change(|state| match state.row(key_id)?.lifecycle {
            Lifecycle::Revoked | Lifecycle::Superseded | Lifecycle::Lost => {
                state.forget(key_id);
                Ok(())
            }
            _ => Err(OperatorError::OtherState),
        })
    }

    /// Lets others register under a name. Whoever held it keeps the registration; revoke it too
    /// where that is not meant.
    ///
    /// # Errors
    /// [`OperatorError::NameFree`], or [`OperatorError::Store`].
    pub fn free_name(&self, name: &UserName) -> Result<(), OperatorError> {
        self.change(|state| state.names.remove(name).map(drop).ok_or(OperatorError::NameFree))
    }

    /// Forgets an application that waits. Its ticket is then refused like an unknown one.
    ///
    /// # Errors
    /// [`OperatorError::NoSuchTicket`], or [`OperatorError::Store`].
    pub fn dismiss(&self, ticket_id: &TicketId) -> Result<(), OperatorError> {
        self.change(|state| {
            if !state.waiting.contains_key(ticket_id) {
                return Err(OperatorError::NoSuchTicket);
            }
            state.remove_waiting(ticket_id);
            Ok(())
        })
    }

    /// Entitles `subject` to `document`, to be used for `valid_for` seconds after each delivery
    /// (`None`: without end), under the next serial.
    ///
    /// # Errors
    /// [`OperatorError::DocumentTooLong`], or [`OperatorError::Store`].
    pub fn set_entitlement(
        &self,
        subject: Subject,
        application: Application,
        document: Document,
        valid_for: Option<u32>,
    ) -> Result<Serial, OperatorError> {
        if document.media_type.len() > 127 || document.body.len() > 57_344 {
            return Err(OperatorError::DocumentTooLong);
        }
        self.change(|state| Ok(state.entitle(subject, application, Some(document), valid_for)))
    }

    /// Entitles `subject` to nothing any more in `application`, under the next serial. For a user,
    /// it holds against what the user's access path is entitled to.
    ///
    /// # Errors
    /// [`OperatorError::Store`].
    pub fn revoke_entitlement(
        &self,
        subject: Subject,
        application: Application,
    ) -> Result<Serial, OperatorError> {
        self.change(|state| Ok(state.entitle(subject, application, None, None)))
    }

    /// Begins a new epoch of serials, with all entitlements in it: to be done after restoring a
    /// backup, lest tokens refuse as rolled back what is older than what they hold.
    ///
    /// # Errors
    /// [`OperatorError::Store`].
    pub fn raise_epoch(&self) -> Result<u32, OperatorError> {
        self.change(|state| {
            let epoch = state.epoch.saturating_add(1);
            state.epoch = epoch;
            state.entitlements.values_mut().for_each(|entitlement| entitlement.serial.epoch = epoch);
            Ok(epoch)
        })
    }

    /// Every registration, by key id.
    #[must_use]
    pub fn registrations(&self) -> Vec<Registered> {
        self.look(|state| state.rows.values().map(|row| row.registered.clone()).collect())
    }

    /// Every application that waits, by ticket id.
    #[must_use]
    pub fn waiting(&self) -> Vec<WaitingApplication> {
        self.look(|state| state.waiting.values().cloned().collect())
    }

    /// The last report of each key on each application.
    #[must_use]
    pub fn reports(&self) -> Vec<Report> {
        let last = |state: &State| {
            state.reports.values().flat_map(|of| of.values()).map(|last| last.report.clone()).collect()
        };
        self.look(last)
    }

    /// What the operator should look at, oldest first.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        self.look(|state| state.events.iter().cloned().collect())
    }
}

impl State {
    fn row(&self, key_id: &KeyId) -> Result<&Registered, OperatorError> {
        self.rows.get(key_id).map(|row| &row.registered).ok_or(OperatorError::NoSuchKey)
    }

    fn pass(&mut self, key_id: &KeyId, from: Lifecycle, to: Lifecycle) -> Result<(), OperatorError> {
        if self.row(key_id)?.lifecycle != from {
            return Err(OperatorError::OtherState);
        }
        self.settle(key_id, to);
        Ok(())
    }

    /// Serials rise over all subjects: a user's own entitlement is newer than the access path's that
    /// it replaces.
    fn entitle(
        &mut self,
        subject: Subject,
        application: Application,
        document: Option<Document>,
        valid_for: Option<u32>,
    ) -> Serial {
        self.number = self.number.saturating_add(1);
        let serial = Serial { epoch: self.epoch, number: self.number };
        self.entitlements
            .insert((subject, application), Entitlement { serial, valid_for, document, last_applied: None });
        serial
    }

    pub(super) fn entitlement(
        &self,
        user: &UserId,
        path: &AccessPath,
        application: &Application,
    ) -> Option<&Entitlement> {
        let own = self.entitlements.get(&(Subject::User(user.clone()), application.clone()));
        own.or_else(|| self.entitlements.get(&(Subject::AccessPath(path.clone()), application.clone())))
    }

    /// The serial that the key is known to have applied.
    pub(super) fn last_applied(&self, key_id: &KeyId, application: &Application) -> Option<Serial> {
        self.reports.get(key_id)?.get(application)?.applied
    }

    pub(super) fn report(&mut self, report: &Report, now: UnixTime) {
        let Ok(owner) = self.row(&report.key_id) else { return };
        // A token may name any application; only those that it is entitled in are remembered.
        if self.entitlement(&owner.user_id, &owner.access_path, &report.application).is_none() {
            return;
        }
        if report.result != ReportResult::Applied {
            self.log(report, now);
        }
        let of_key = self.reports.entry(report.key_id).or_default();
        let applied = match report.result {
            ReportResult::Applied => {
                of_key.get(&report.application).and_then(|last| last.applied).max(Some(report.serial))
            }
            _ => of_key.get(&report.application).and_then(|last| last.applied),
        };
        of_key.insert(report.application.clone(), LastReport { report: report.clone(), applied });
    }

    fn log(&mut self, report: &Report, at: UnixTime) {
        if self.events.len() >= EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(Event { at, report: report.clone() });
    }
}
