//! Rows made of the protocol's records, and records of rows.

use super::rows::{CodeRow, EntitlementRow, RegistrationRow, RegistrationState, RequestContent, RequestRow};
use crate::id::{CodeId, Digest, KeyId};
use crate::policy::Policy;
use crate::port::entitlement_store::Document;
use crate::record::{Lifecycle, NewRegistration, ServerRegistration, Takes, WaitingRequest};
use crate::time::UnixTime;

impl From<Lifecycle> for RegistrationState {
    fn from(lifecycle: Lifecycle) -> Self {
        match lifecycle {
            Lifecycle::Pending { .. } => Self::Pending,
            Lifecycle::Active => Self::Active,
            Lifecycle::Lost => Self::Lost,
            Lifecycle::Superseded => Self::Superseded,
            Lifecycle::Suspended => Self::Suspended,
            Lifecycle::Revoked => Self::Revoked,
        }
    }
}

impl RegistrationRow {
    pub(super) fn granted(new: &NewRegistration, request: Digest, now: UnixTime) -> Self {
        let ServerRegistration {
            key_id,
            user_id,
            name,
            access_path,
            suite,
            policy,
            lifecycle,
            expires,
            keys,
        } = new.registered.clone();
        let Policy { modes, suites, lifetime, allow_key_id } = policy;
        let confirm_by = match lifecycle {
            Lifecycle::Pending { confirm_by } => Some(confirm_by),
            _ => None,
        };
        let (code, renews) = parts(new.takes);
        Self {
            key_id,
            user_id,
            name,
            access_path,
            suite,
            modes,
            suites,
            lifetime,
            allow_key_id,
            state: lifecycle.into(),
            confirm_by,
            expires,
            keys,
            tags: Some(new.expected.clone()),
            request: Some(request),
            code,
            renews,
            ticket: new.ticket,
            forget_at: None,
            granted_at: Some(now),
            confirmed_at: None,
            last_seen: None,
            crowd: None,
        }
    }

    pub(super) const fn policy(&self) -> Policy {
        Policy {
            modes: self.modes,
            suites: self.suites,
            lifetime: self.lifetime,
            allow_key_id: self.allow_key_id,
        }
    }

    pub(super) fn lifecycle(&self) -> Lifecycle {
        match self.state {
            RegistrationState::Pending => {
                Lifecycle::Pending { confirm_by: self.confirm_by.unwrap_or_default() }
            }
            RegistrationState::Active => Lifecycle::Active,
            RegistrationState::Lost => Lifecycle::Lost,
            RegistrationState::Superseded => Lifecycle::Superseded,
            RegistrationState::Suspended => Lifecycle::Suspended,
            RegistrationState::Revoked => Lifecycle::Revoked,
        }
    }

    pub(super) fn registered(self) -> ServerRegistration {
        ServerRegistration {
            policy: self.policy(),
            lifecycle: self.lifecycle(),
            key_id: self.key_id,
            user_id: self.user_id,
            name: self.name,
            access_path: self.access_path,
            suite: self.suite,
            expires: self.expires,
            keys: self.keys,
        }
    }

    /// Tells whether the registration may renew an earlier one: an active one, with the same name.
    /// After a renaming, a renewal under the old name is none.
    pub(super) fn may_renew(&self, earlier: &Self) -> bool {
        earlier.state == RegistrationState::Active && earlier.name == self.name
    }

    /// Tells whether a session has ended what R2 and R4 may repeat, and when it was is known.
    pub(super) const fn is_settled(&self) -> bool {
        self.tags.is_none() && self.request.is_none() && self.last_seen.is_some()
    }

    /// Tells whether the registration has no proof, not even through a ticket.
    pub(super) const fn is_open(&self) -> bool {
        self.code.is_none() && self.renews.is_none() && self.ticket.is_none()
    }
}

impl RequestRow {
    pub(super) fn new(application: &WaitingRequest, since: UnixTime) -> Self {
        let WaitingRequest { ticket_id, ticket, name, form, takes, hold_until } = application.clone();
        let (code, renews) = parts(takes);
        let content = RequestContent { ticket, form };
        Self {
            ticket_id,
            name,
            code,
            renews,
            since,
            hold_until,
            content,
            crowd: None,
            first: None,
            answer: None,
        }
    }

    /// Goes on where another application waited that this one takes the place of.
    pub(super) fn go_on(&mut self, before: Self) {
        self.first = Some(before.first.unwrap_or(before.ticket_id));
        (self.since, self.answer) = (before.since, before.answer);
    }

    pub(super) fn application(self) -> WaitingRequest {
        WaitingRequest {
            takes: self.takes(),
            ticket_id: self.ticket_id,
            ticket: self.content.ticket,
            name: self.name,
            form: self.content.form,
            hold_until: self.hold_until,
        }
    }

    pub(super) fn takes(&self) -> Option<Takes> {
        self.code.map(Takes::Code).or(self.renews.map(Takes::Place))
    }
}

const fn parts(takes: Option<Takes>) -> (Option<CodeId>, Option<KeyId>) {
    match takes {
        None => (None, None),
        Some(Takes::Code(code)) => (Some(code), None),
        Some(Takes::Place(key_id)) => (None, Some(key_id)),
    }
}

impl CodeRow {
    /// Tells whether the code has expired.
    pub(super) fn is_over(&self, now: UnixTime) -> bool {
        self.expires.is_some_and(|end| end < now)
    }
}

impl EntitlementRow {
    pub(super) fn document(self) -> Option<Document> {
        self.media_type.zip(self.body).map(|(media_type, body)| Document { media_type, body })
    }
}
