//! Asks a port for what a state of the server's wants, and goes on with the answer.
//!
//! The library leaves the asking to its exchanges and drivers. Tests that take single steps ask in one
//! call: `use supply::*`.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

use halfkey::configuration::ServerConfigurationError;
use halfkey::configuration::server::{AwaitApplied, NeedEntitlement, NeedReport};
use halfkey::message::{Accept, Challenge, Configuration, Done, Offer, Outcome};
use halfkey::port::entitlement_store::ReportResult;
use halfkey::port::question::{KeysQuestion, StoreQuestion};
use halfkey::port::{AuthServer, AuthServerError, EntitlementStore};
use halfkey::registration::ServerRegistrationError;
use halfkey::registration::server::{
    Judged, Lookup, NeedApplicant, NeedCommit, NeedConfirm, NeedExpected, NeedOfferMaterial, NeedOutcome,
    NeedSecrets, NeedSignature,
};
use halfkey::session::SessionError;
use halfkey::session::park::NeedRegistrationAgain;
use halfkey::session::server::{AwaitResponse, Entry, NeedAdmission, NeedRegistration};
use halfkey::wire::Frame;
use halfkey::{RandomSource, ServerSettings, Step, UnixTime};

/// A trait with the one method `supply_from` for each state, since the arguments differ.
macro_rules! supply {
    ($($name:ident for $state:ty:
        ($need:ident, $port:ident: &dyn $kind:ident $(, $argument:ident: $type:ty)*) -> $next:ty $body:block)*) => {$(
        pub trait $name: Sized {
            fn supply_from(self, $port: &dyn $kind $(, $argument: $type)*) -> $next;
        }

        impl $name for $state {
            fn supply_from(self, $port: &dyn $kind $(, $argument: $type)*) -> $next {
                let $need = self;
                $body
            }
        }
    )*};
}

supply! {
    SupplyOfferMaterial for NeedOfferMaterial:
    (
        need, keys: &dyn AuthServer, peer: &[u8], settings: &ServerSettings, now: UnixTime,
        random: &mut dyn RandomSource
    ) -> Result<NeedSignature, ServerRegistrationError> {
        let offer_material = match need.wanted().ask(keys, now) {
            Err(AuthServerError::NoSuite) => return Err(ServerRegistrationError::NothingInCommon),
            other => other?,
        };
        need.supply(&offer_material, peer, settings, now, random)
    }

    SupplySignature for NeedSignature:
    (need, keys: &dyn AuthServer) -> Result<Frame<Offer<'static>>, ServerRegistrationError> {
        let signature = need.wanted().ask(keys, UnixTime::default())?;
        Ok(need.supply(signature))
    }

    SupplyOutcome for NeedOutcome:
    (
        need, store: &dyn EntitlementStore, peer: &[u8], settings: &ServerSettings, now: UnixTime
    ) -> Result<Lookup, ServerRegistrationError> {
        let stored = need.wanted().ask(store, now)?;
        need.supply(stored, peer, settings, now)
    }

    SupplySecrets for NeedSecrets:
    (
        need, keys: &dyn AuthServer, settings: &ServerSettings, now: UnixTime
    ) -> Result<NeedApplicant, ServerRegistrationError> {
        let secrets = need.wanted().ask(keys, now);
        need.supply(secrets, settings)
    }

    SupplyApplicant for NeedApplicant:
    (
        need, store: &dyn EntitlementStore, settings: &ServerSettings, now: UnixTime
    ) -> Result<Judged, ServerRegistrationError> {
        let known = need.wanted().ask(store, now)?;
        Ok(need.supply(known, settings, now))
    }

    SupplyCommit for NeedCommit:
    (
        need, store: &dyn EntitlementStore, now: UnixTime
    ) -> Result<Frame<Outcome<'static>>, ServerRegistrationError> {
        let committed = need.wanted().ask(store, now)?;
        Ok(need.supply(committed))
    }

    SupplyExpected for NeedExpected:
    (
        need, store: &dyn EntitlementStore, now: UnixTime
    ) -> Result<NeedConfirm, ServerRegistrationError> {
        let expected = need.wanted().ask(store, now)?;
        need.supply(expected)
    }

    SupplyConfirm for NeedConfirm:
    (need, store: &dyn EntitlementStore, now: UnixTime) -> Result<Frame<Done>, ServerRegistrationError> {
        let confirmed = need.wanted().ask(store, now)?;
        Ok(need.supply(confirmed))
    }

    SupplyRegistration for NeedRegistration:
    (
        need, store: &dyn EntitlementStore, now: UnixTime, random: &mut dyn RandomSource
    ) -> Result<Step<Challenge<'static>, AwaitResponse>, SessionError> {
        let registered = need.wanted().ask(store, now)?;
        need.supply(registered, now, random)
    }

    SupplyRegistrationAgain for NeedRegistrationAgain:
    (need, store: &dyn EntitlementStore, now: UnixTime) -> Result<AwaitResponse, SessionError> {
        let registered = need.wanted().ask(store, now)?;
        need.supply(registered)
    }

    SupplyAdmission for NeedAdmission:
    (
        need, store: &dyn EntitlementStore, now: UnixTime
    ) -> Result<Step<Accept<'static>, Entry>, SessionError> {
        let admitted = need.wanted().ask(store, now)?;
        need.supply(admitted, now)
    }

    SupplyEntitlement for NeedEntitlement:
    (
        need, store: &dyn EntitlementStore, now: UnixTime
    ) -> Result<Step<Configuration<'static>, Option<AwaitApplied>>, ServerConfigurationError> {
        let answer = need.wanted().ask(store, now)?;
        let step = need.supply(answer, now)?;
        if let Some(report) = step.next.as_ref().and_then(AwaitApplied::regression) {
            store.report(report, now)?;
        }
        Ok(step)
    }

    SupplyReport for NeedReport:
    (need, store: &dyn EntitlementStore, now: UnixTime) -> Result<ReportResult, ServerConfigurationError> {
        need.wanted().ask(store, now)?;
        Ok(need.supply())
    }
}
