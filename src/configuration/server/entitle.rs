//! The server's side: asks the store what the user is entitled to, and sends it.

use super::report::AwaitApplied;
use crate::configuration::document::{DOCUMENT, REVOKED, UNCHANGED, UNKNOWN, check, digest};
use crate::configuration::error::ServerConfigurationError;
use crate::id::{AccessPath, ApplicationName, KeyId, ServerName, UserId};
use crate::message::{ConfigRequest, Configuration, Held, Scope, UserInformation};
use crate::name::normalise_text;
use crate::port::entitlement_store::{Entitlement, EntitlementQuery, Report, ReportResult};
use crate::port::question::FindEntitlement;
use crate::step::Step;
use crate::time::UnixTime;
use crate::wire::{Bytes, Frame, Message, Problem, Text, WireError};

/// Who is at the other end of a session, and with whom: all of it from the session's key and this server's
/// settings, none of it from what the token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The key.
    pub key_id: KeyId,
    /// Its user.
    pub user_id: UserId,
    /// Where that user's entitlements begin.
    pub access_path: AccessPath,
    /// This server.
    pub server_name: ServerName,
}

/// Takes C0 (patent step 370) out of a session with `principal`.
///
/// Take a session's messages in the order in which they came: a C0 overtaken by a C2 looks like a token that
/// was set back.
///
/// # Errors
/// [`ServerConfigurationError::Wire`].
pub fn receive_request(
    bytes: &[u8],
    principal: &Principal,
) -> Result<NeedEntitlement, ServerConfigurationError> {
    let c0 = ConfigRequest::decode(bytes)?;
    if c0.request_id == 0 {
        return Err(at("request_id", Problem::OutOfRange).into());
    }
    check_information(&c0.information)?;
    let query = EntitlementQuery {
        key_id: principal.key_id,
        user_id: principal.user_id.clone(),
        access_path: principal.access_path.clone(),
        application: c0.application,
        information: c0.information,
        held: c0.held.map(|held| held.serial),
    };
    let server_name = principal.server_name.clone();
    Ok(NeedEntitlement {
        request_id: c0.request_id,
        server_name,
        held: c0.held,
        question: FindEntitlement { query },
    })
}

fn check_information(information: &UserInformation) -> Result<(), WireError> {
    let lines = [("location", &information.location), ("system", &information.system)];
    let lines = lines.into_iter().filter_map(|(field, line)| Some((field, line.as_ref()?)));
    let values = information.attributes.values().map(|value| ("attributes", value));
    lines.chain(values).try_for_each(|(field, line)| match normalise_text(line, 255) {
        Ok(same) if same == *line => Ok(()),
        Ok(_) => Err(at(field, Problem::Name(crate::name::NameError::NotNormalised))),
        Err(error) => Err(at(field, Problem::Name(error))),
    })
}

const fn at(field: &'static str, problem: Problem) -> WireError {
    WireError { message: <ConfigRequest as Message<'_>>::NAME, field, problem }
}

/// Needs to know what the user is entitled to.
#[derive(Debug)]
#[must_use]
pub struct NeedEntitlement {
    request_id: u32,
    server_name: ServerName,
    held: Option<Held>,
    question: FindEntitlement,
}

impl NeedEntitlement {
    /// The question, for [`EntitlementStore::entitlement`](crate::port::EntitlementStore::entitlement).
    #[must_use]
    pub const fn wanted(&self) -> &FindEntitlement {
        &self.question
    }

    /// Makes C1 of the answer (patent step 390); `None` where nothing is known of the application, and then
    /// no C2 comes.
    ///
    /// # Errors
    /// [`ServerConfigurationError::MediaType`] or [`ServerConfigurationError::BodyTooLong`] for a document that does not fit.
    pub fn supply(
        self,
        answer: Option<Entitlement>,
        now: UnixTime,
    ) -> Result<Step<Configuration<'static>, Option<AwaitApplied>>, ServerConfigurationError> {
        let EntitlementQuery { key_id, user_id, application, held, .. } = self.question.query;
        let scope = Scope { user_id, server_name: self.server_name, application };
        let Some(entitlement) = answer else {
            return Ok(Step { send: knows_nothing(self.request_id, scope, now).encode(), next: None });
        };
        let regression = entitlement.last_applied.filter(|last| held < Some(*last)).map(|last| Report {
            key_id,
            application: scope.application.clone(),
            serial: last,
            result: ReportResult::Regressed,
        });
        let step = answer_with(self.request_id, key_id, scope, &entitlement, self.held, now)?;
        Ok(Step { send: step.send, next: Some(AwaitApplied { regression, ..step.next }) })
    }
}

/// Sends a configuration unasked, in a live session with `principal`.
///
/// # Errors
/// [`ServerConfigurationError::MediaType`] or [`ServerConfigurationError::BodyTooLong`] for a document that does not fit.
pub fn push(
    principal: &Principal,
    application: &ApplicationName,
    entitlement: &Entitlement,
    now: UnixTime,
) -> Result<Step<Configuration<'static>, AwaitApplied>, ServerConfigurationError> {
    let scope = Scope {
        user_id: principal.user_id.clone(),
        server_name: principal.server_name.clone(),
        application: application.clone(),
    };
    answer_with(0, principal.key_id, scope, entitlement, None, now)
}

/// C1 about an entitlement, to a token that says it holds `held`.
fn answer_with(
    request_id: u32,
    key_id: KeyId,
    scope: Scope,
    entitlement: &Entitlement,
    held: Option<Held>,
    now: UnixTime,
) -> Result<Step<Configuration<'static>, AwaitApplied>, ServerConfigurationError> {
    let Entitlement { serial, valid_for, document, .. } = entitlement;
    document.as_ref().map_or(Ok(()), check)?;
    let digest = digest(document.as_ref());
    let next = AwaitApplied {
        request_id,
        key_id,
        application: scope.application.clone(),
        serial: *serial,
        regression: None,
    };
    let unchanged = held == Some(Held { serial: *serial, digest });
    let fresh = document.as_ref().filter(|_| !unchanged);
    let c1 = Configuration {
        serial: Some(*serial),
        digest: Some(digest),
        // A revocation has no end.
        valid_for: document.as_ref().and(*valid_for),
        kind: if unchanged {
            UNCHANGED
        } else if fresh.is_some() {
            DOCUMENT
        } else {
            REVOKED
        },
        media_type: fresh.map(|document| Text(&document.media_type)),
        body: fresh.map(|document| Bytes(&document.body)),
        ..knows_nothing(request_id, scope, now)
    };
    // The frame owns its bytes, so it outlives the document that it was made from.
    Ok(Step { send: Frame::stored(c1.encode().into_bytes()), next })
}

/// C1 `unknown`.
const fn knows_nothing<'b>(request_id: u32, scope: Scope, now: UnixTime) -> Configuration<'b> {
    Configuration {
        request_id,
        scope,
        serial: None,
        digest: None,
        valid_for: None,
        server_time: now.as_secs(),
        kind: UNKNOWN,
        media_type: None,
        body: None,
    }
}
