//! Asks a port for what a typed state wants, and goes on with the answer.
//!
//! The library leaves the asking to its exchanges and drivers. Tests that take single steps ask in one
//! call: `use supply::*`.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

use halfkey::configuration::server::{AwaitApplied, NeedEntitlement, NeedReport};
use halfkey::configuration::token::{Applying, Instruction, NeedApply};
use halfkey::configuration::{ServerConfigurationError, TokenConfigurationError};
use halfkey::message::{
    Accept, Applied, Challenge, Configuration, Confirm, Done, Offer, Outcome, Request, Response,
};
use halfkey::port::entitlement_store::ReportResult;
use halfkey::port::question::{KeysQuestion, StoreQuestion, TokenQuestion};
use halfkey::port::{AuthServer, AuthServerError, EntitlementStore, Token};
use halfkey::record::{Attempt, ProofKey, TokenRegistration, Waiting};
use halfkey::registration::server::{
    Judged, Lookup, NeedApplicant, NeedCommit, NeedConfirm, NeedExpected, NeedOfferMaterial, NeedOutcome,
    NeedSecrets, NeedSignature,
};
use halfkey::registration::token::{
    AwaitDone, AwaitOutcome, NeedHold, NeedJoin, NeedOpen, NeedSeal, NeedSettle, NeedWait, NeedWrap,
    RenewalQuestions, RenewalTags, ServerDecision, Settled, confirm_again,
};
use halfkey::registration::{Recoverable, ServerRegistrationError, TokenRegistrationError};
use halfkey::session::park::NeedRegistrationAgain;
use halfkey::session::server::{AwaitResponse, Entry, NeedAdmission, NeedRegistration};
use halfkey::session::token::{AwaitAccept, NeedResponse, NeedSeed, SessionOutcome};
use halfkey::session::{ServerSessionError, TokenSessionError};
use halfkey::wire::Frame;
use halfkey::{KeyId, RandomSource, ServerSettings, Step, UnixTime};

/// A trait with the one method `supply_from` for each state, since the arguments differ.
macro_rules! supply {
    ($($name:ident for $state:ty:
        ($need:ident, $port:ident: $kind:ty $(, $argument:ident: $type:ty)*) -> $next:ty $body:block)*) => {$(
        pub trait $name: Sized {
            fn supply_from(self, $port: $kind $(, $argument: $type)*) -> $next;
        }

        impl $name for $state {
            fn supply_from(self, $port: $kind $(, $argument: $type)*) -> $next {
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
    ) -> Result<Step<Challenge<'static>, AwaitResponse>, ServerSessionError> {
        let registered = need.wanted().ask(store, now)?;
        need.supply(registered, now, random)
    }

    SupplyRegistrationAgain for NeedRegistrationAgain:
    (need, store: &dyn EntitlementStore, now: UnixTime) -> Result<AwaitResponse, ServerSessionError> {
        let registered = need.wanted().ask(store, now)?;
        need.supply(registered)
    }

    SupplyAdmission for NeedAdmission:
    (
        need, store: &dyn EntitlementStore, now: UnixTime
    ) -> Result<Step<Accept<'static>, Entry>, ServerSessionError> {
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

    SupplyWrap for NeedWrap:
    (
        need, token: &mut dyn Token, random: &mut dyn RandomSource
    ) -> Result<NeedSeal, TokenRegistrationError> {
        let ct = need.wanted().ask(token)?;
        need.supply(&ct, random)
    }

    SupplySeal for NeedSeal:
    (need, token: &mut dyn Token, now: UnixTime) -> Result<NeedHold, TokenRegistrationError> {
        let p_b = need.wanted().ask(token)?;
        let renewal = match need.wanted_for_renewal() {
            None => None,
            Some(RenewalQuestions { proof, binder }) => {
                Some(RenewalTags { proof: proof.ask(token)?, mix: binder.ask(token)? })
            }
        };
        need.supply(&p_b, renewal.as_ref(), now)
    }

    SupplyHold for NeedHold:
    (
        need, token: &mut dyn Token
    ) -> Result<Step<Request<'static>, AwaitOutcome>, TokenRegistrationError> {
        need.wanted().ask(token)?;
        Ok(need.supply())
    }

    SupplyOpen for NeedOpen:
    (need, token: &mut dyn Token, now: UnixTime) -> Result<ServerDecision, Recoverable<AwaitOutcome>> {
        match need.wanted().ask(token) {
            Ok(p_g) => Ok(match need.supply(&p_g, now)? {
                ServerDecision::Renewed(need) => {
                    let registrations = need.wanted().ask(token).unwrap();
                    need.supply(&registrations).map_or_else(ServerDecision::Unfit, ServerDecision::Granted)
                }
                decision => decision,
            }),
            Err(error) => Err(Recoverable { state: need.into_state(), error: error.into() }),
        }
    }

    SupplyJoin for NeedJoin:
    (need, token: &mut dyn Token) -> Result<Step<Confirm, AwaitDone>, Recoverable<AwaitOutcome>> {
        match need.wanted().ask(token) {
            Ok(tag_c) => {
                forget_ticket(token, need.proof_key());
                Ok(need.supply(tag_c))
            }
            Err(error) => Err(Recoverable { state: need.into_state(), error: error.into() }),
        }
    }

    SupplyWait for NeedWait:
    (need, token: &mut dyn Token) -> Result<Waiting, TokenRegistrationError> {
        need.wanted().ask(token)?;
        forget_ticket(token, need.proof_key());
        Ok(need.supply())
    }

    SupplySettle for NeedSettle:
    (need, token: &mut dyn Token) -> Result<Settled, Recoverable<AwaitDone>> {
        let key_id = need.wanted().key_id;
        let tag = match need.wanted().ask(token) {
            Ok(tag) => tag,
            Err(error) => return Err(Recoverable { state: need.into_state(), error: error.into() }),
        };
        let settled = need.supply(&tag)?;
        let stored = match &settled {
            Settled::Done(registration) => token.update(registration),
            Settled::Lost { key_id, .. } => token.remove(key_id),
        };
        stored.map(|()| settled).map_err(|error| Recoverable { state: joined(token, &key_id), error: error.into() })
    }

    SupplyResponse for NeedResponse:
    (need, token: &mut dyn Token) -> Result<Step<Response<'static>, AwaitAccept>, TokenSessionError> {
        let tag_c = need.wanted().ask(token)?;
        Ok(need.supply(&tag_c))
    }

    SupplySeed for NeedSeed:
    (need, token: &mut dyn Token) -> Result<SessionOutcome, TokenSessionError> {
        let d = need.wanted().ask(token)?;
        need.supply(&d)
    }

    SupplyApply for NeedApply:
    (
        need, client: impl FnOnce(&Instruction) -> Applying, registration: &TokenRegistration
    ) -> Result<Step<Applied, Box<TokenRegistration>>, TokenConfigurationError> {
        let done = client(need.wanted());
        need.supply(done, registration)
    }
}

/// R5 is awaited again: what came of it is not stored.
fn joined(token: &dyn Token, key_id: &KeyId) -> AwaitDone {
    let all = token.registrations().unwrap();
    let before = all.into_iter().find(|registration| registration.key_id == *key_id).unwrap();
    confirm_again(before).unwrap().next
}

/// Abandons the attempt whose ticket this proof key was, as the exchange does.
fn forget_ticket(token: &mut dyn Token, used: &ProofKey) {
    let ProofKey::Secret(used) = used else { return };
    for attempt in token.attempts().into_iter().flatten() {
        if let Attempt::Waiting(waiting) = &attempt
            && waiting.ticket.expose() == used.expose()
        {
            let _ = token.abandon(&waiting.txn);
        }
    }
}
