//! An open session on the server's side.

use crate::configuration::ServerConfigurationError;
use crate::configuration::server::{AwaitApplied, NeedReport, Principal, push};
use crate::id::{ApplicationName, ServerName};
use crate::port::entitlement_store::Entitlement;
use crate::session::Content;
use crate::session::server::Established;
use crate::settings::ServerSettings;
use crate::time::UnixTime;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The most configurations sent whose C2 has not come: a peer that never reports keeps no more.
const MAX_AWAITED: usize = 64;

/// An open session.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) session: Established,
    pub(super) principal: Principal,
    awaited: Vec<AwaitApplied>,
    pub(super) times: Times,
}

impl Live {
    pub(super) fn new(session: Established, server_name: ServerName, now: UnixTime) -> Box<Self> {
        let principal = Principal {
            key_id: session.key_id,
            user_id: session.user_id.clone(),
            access_path: session.access_path.clone(),
            server_name,
        };
        Box::new(Self { session, principal, awaited: Vec::new(), times: Times { opened: now, checked: now } })
    }

    pub(super) fn push(
        &mut self,
        application: &ApplicationName,
        entitlement: &Entitlement,
        now: UnixTime,
    ) -> Result<Vec<Vec<u8>>, ServerConfigurationError> {
        let step = push(&self.principal, application, entitlement, now)?;
        let records = self.session.channel.seal_records(Content::Configuration, step.send.as_bytes())?;
        self.awaits(step.next);
        Ok(records)
    }

    pub(super) fn awaits(&mut self, awaited: AwaitApplied) {
        if self.awaited.len() >= MAX_AWAITED {
            // Its C2 will belong to no configuration.
            drop(self.awaited.remove(0));
        }
        self.awaited.push(awaited);
    }

    /// Finds the configuration that a C2 reports on.
    pub(super) fn reported(&mut self, c2: &[u8]) -> Result<NeedReport, ServerConfigurationError> {
        let place = self.awaited.iter().position(|awaited| awaited.answers(c2));
        let awaited = place.map(|place| self.awaited.remove(place));
        awaited.ok_or(ServerConfigurationError::WrongReport)?.receive_applied(c2)
    }
}

/// Times of an open session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) opened: UnixTime,
    /// When the registration's standing was last read.
    pub(super) checked: UnixTime,
}

impl Times {
    /// When the standing has to be read again, or the session is too old.
    pub(super) fn due(&self, settings: &ServerSettings) -> UnixTime {
        let recheck = self.checked.after(settings.recheck.into());
        recheck.min(self.opened.after(settings.session_age.into()))
    }

    /// Tells whether that time has come. It has, too, where the clock was set back before the last time.
    pub(super) fn is_due(&self, settings: &ServerSettings, now: UnixTime) -> bool {
        now < self.checked || self.due(settings) <= now
    }

    pub(super) fn is_too_old(&self, settings: &ServerSettings, now: UnixTime) -> bool {
        self.opened.after(settings.session_age.into()) <= now
    }
}
