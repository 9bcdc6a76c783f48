//! R3: SSK2, the join, and the outcome made durable before it leaves (patent steps 150 to 190).

use super::application::{Claim, EnrolmentRequest, Grant, Read};
use crate::id::{Alias, Digest, KeyId, TicketId, UserId, UserName};
use crate::message::{Outcome, OutcomeBody, OutcomeCore};
use crate::policy::Policy;
use crate::port::entitlement_store::Committed;
use crate::port::question::Commit;
use crate::random::{Purpose, RandomSource, draw_for};
use crate::record::{
    Effect, ExpectedTags, Lifecycle, NewOutcome, NewRegistration, PendingLimits, ServerRegistration,
    StoredKeys, WaitingRequest,
};
use crate::registration::error::RejectionDraft;
use crate::registration::limit::RESEND_SECS;
use crate::registration::{RejectionCause, RejectionCode, ServerRegistrationError, padding};
use crate::schedule::{Envelope, KeyContext, KeySet, KeyUse, Ssk1Use, derive_from_ssk1};
use crate::secret::Secret;
use crate::settings::ServerSettings;
use crate::suite::prf;
use crate::time::UnixTime;
use crate::transcript::{Item, transcript};
use crate::wire::{self, Bytes, Frame, Message};
use alloc::boxed::Box;
use alloc::string::ToString;
use zeroize::Zeroizing;

/// Ruling on an enrolment request.
pub(super) enum Ruling {
    Refuse(RejectionDraft),
    Wait { retry_after: u32, application: EnrolmentRequest, claim: Claim },
    Grant { grant: Grant, name: UserName, claim: Claim },
}

/// The outcome is to be stored, all of it or nothing, before R3 leaves.
#[must_use]
#[derive(Debug)]
pub struct NeedCommit {
    question: Commit,
}

impl NeedCommit {
    pub(super) fn new(
        read: Read,
        ruling: Ruling,
        settings: &ServerSettings,
        now: UnixTime,
        random: &mut dyn RandomSource,
    ) -> Result<Self, ServerRegistrationError> {
        match ruling {
            Ruling::Refuse(RejectionDraft { refusal, fields }) => {
                let body = OutcomeBody::Refused { code: refusal.code.code(), fields };
                let sealed = Sealed::new(&read, &body, &Secret::random_for(random, Purpose::Salt))?;
                let keep_until = now.after(settings.offer_ttl.into());
                Ok(sealed.commit(
                    &read,
                    draw_for(random, Purpose::NoTag),
                    Effect::Refused(refusal),
                    keep_until,
                    settings,
                ))
            }
            Ruling::Wait { retry_after, application, claim } => {
                wait(&read, retry_after, application, &claim, settings, now, random)
            }
            Ruling::Grant { grant, name, claim } => match policy(&read, &grant, &claim) {
                Ok(policy) => granted(&read, Grant { policy, ..grant }, name, &claim, settings, now, random),
                Err(cause) => {
                    let refusing = RejectionDraft::new(cause, Some(&name));
                    Self::new(read, Ruling::Refuse(refusing), settings, now, random)
                }
            },
        }
    }

    /// The question: an outcome to store ([`EntitlementStore::commit`](crate::port::EntitlementStore::commit)).
    #[must_use]
    pub const fn wanted(&self) -> &Commit {
        &self.question
    }

    /// It is stored, or another replica was first: R3 may leave.
    pub fn supply(self, committed: Committed) -> Frame<Outcome<'static>> {
        Frame::stored(match committed {
            Committed::Stored => self.question.outcome.response,
            Committed::Existing(bytes) => bytes,
        })
    }
}

/// Seals R3 for a request that does not open. In the place of fresh bytes stand some that only this server can make
/// of this very R2, so that the same R2 gets the same R3 and no other text is ever sealed under its key.
pub(super) fn unreadable(
    read: &Read,
    code: RejectionCode,
    settings: &ServerSettings,
) -> Result<Frame<Outcome<'static>>, ServerRegistrationError> {
    let made = |label| prf(read.suite, &settings.secrets.reject, label, read.digest.as_bytes());
    let body = OutcomeBody::Refused { code: code.code(), fields: None };
    let sealed = Sealed::new(read, &body, &made(b"halfkey/1 no request"))?;
    let tag_s = *made(b"halfkey/1 no grant").expose();
    Ok(Frame::stored(Outcome { core: Bytes(&sealed.core), tag_s }.encode().into_bytes()))
}

/// R3 without its tag.
struct Sealed {
    core: alloc::vec::Vec<u8>,
    th_j: Digest,
}

impl Sealed {
    /// Pads and seals `body` under k3. The salt is made from fresh bytes *and* the text, so that no
    /// crash, replica or second thought ever seals two texts under one key.
    fn new(read: &Read, body: &OutcomeBody, fresh: &Secret) -> Result<Self, ServerRegistrationError> {
        let encoded = Zeroizing::new(wire::encode(body));
        let padded = padding::pad_to(&encoded, read.cookie.outcome_size.into())
            .ok_or(ServerRegistrationError::Setting("outcome_size is too small for the outcome"))?;
        let suite = read.suite;
        let salt_g = suite.mac(fresh, &[&padded]);
        let items = [Item::Transcript(&read.th_b), Item::Message(&read.request), Item::Fresh(&salt_g)];
        let th_g = transcript(suite, b"outcome", items);
        let p_g = derive_from_ssk1(suite, &read.secrets.ssk1, Ssk1Use::Outcome, &th_g);
        let sealed = Envelope::new(suite, Ssk1Use::Outcome, th_g, &p_g, &read.secrets.ss_e).seal(padded);
        let core = wire::encode(&OutcomeCore { txn: read.cookie.txn, salt_g, sealed: Bytes(&sealed) });
        let th_j = transcript(suite, b"join", [Item::Transcript(&th_g), Item::Message(&core)]);
        Ok(Self { core, th_j })
    }

    fn commit(
        self,
        read: &Read,
        tag_s: [u8; 32],
        effect: Effect,
        keep_until: UnixTime,
        settings: &ServerSettings,
    ) -> NeedCommit {
        let limits = PendingLimits { same: settings.pending_same, total: settings.pending_total };
        let response = Outcome { core: Bytes(&self.core), tag_s }.encode().into_bytes();
        let outcome = NewOutcome { request: read.digest, response, keep_until, effect, limits };
        NeedCommit { question: Commit { outcome } }
    }
}

fn wait(
    read: &Read,
    retry_after: u32,
    application: EnrolmentRequest,
    claim: &Claim,
    settings: &ServerSettings,
    now: UnixTime,
    random: &mut dyn RandomSource,
) -> Result<NeedCommit, ServerRegistrationError> {
    let body = OutcomeBody::Wait { retry_after, hold_until: settings.hold_for };
    let sealed = Sealed::new(read, &body, &Secret::random_for(random, Purpose::Salt))?;
    let (ticket, ticket_id) = read.envelope.ticket(&claim.binder(read.suite, &read.th_b));
    let hold_until = now.after(settings.hold_for.into());
    let waiting = WaitingRequest {
        ticket_id: TicketId(ticket_id),
        ticket,
        name: application.name,
        form: application.form,
        takes: claim.takes(),
        hold_until,
    };
    let effect = Effect::Waiting { application: Box::new(waiting), instead_of: claim.ticket() };
    // As long as the token may send R2 again, or the offer is good for it; then it comes back with the ticket.
    let keep_until = now.after(RESEND_SECS.max(settings.offer_ttl.into()));
    Ok(sealed.commit(read, draw_for(random, Purpose::NoTag), effect, keep_until, settings))
}

/// The policy of the new key: no weaker than that of the key that it renews, and with no suite but those that
/// R0 offered and the certificate lists.
fn policy(read: &Read, grant: &Grant, claim: &Claim) -> Result<Policy, RejectionCause> {
    let wanted = match claim.renews() {
        Some(earlier) => Policy::renewed(&earlier.policy, &grant.policy),
        None => grant.policy,
    };
    read.cookie.suites().and_then(|suites| wanted.within(&suites).ok()).ok_or(RejectionCause::NoSuite)
}

fn granted(
    read: &Read,
    grant: Grant,
    name: UserName,
    claim: &Claim,
    settings: &ServerSettings,
    now: UnixTime,
    random: &mut dyn RandomSource,
) -> Result<NeedCommit, ServerRegistrationError> {
    let policy = grant.policy;
    let user_id = match claim.renews() {
        Some(earlier) => earlier.user_id.clone(),
        None => grant.user_id.map_or_else(|| draw_user_id(random), Ok)?,
    };
    let ssk2 = Secret::random_for(random, Purpose::Ssk2);
    let key_id = KeyId(draw_for(random, Purpose::KeyId));
    let alias = Alias(draw_for(random, Purpose::Alias));
    let body = OutcomeBody::Granted {
        user_id: user_id.clone(),
        ssk2: ssk2.clone(),
        key_id,
        alias,
        access_path: grant.access_path.clone(),
        policy,
        confirm_by: settings.confirm_within,
    };
    let sealed = Sealed::new(read, &body, &Secret::random_for(random, Purpose::Salt))?;
    let suite = read.suite;
    let th_j = sealed.th_j;
    let context = KeyContext {
        certificate: &read.cookie.certificate,
        server_name: &settings.name,
        user_id: &user_id,
        key_id: &key_id,
    };
    let mix = claim.binder(suite, &th_j);
    let keys = KeySet::join(suite, &read.secrets.ssk1, &ssk2, &th_j, &read.secrets.ss_e, &mix, &context);
    let tag_s = *keys.derive(suite, &KeyUse::Grant(th_j)).expose();
    let confirm = keys.derive(suite, &KeyUse::Confirm(th_j, tag_s));
    let expected = ExpectedTags {
        txn: read.cookie.txn,
        done: keys.derive(suite, &KeyUse::Done(th_j, *confirm.expose())),
        lost: keys.derive(suite, &KeyUse::Lost(th_j, *confirm.expose())),
        confirm,
    };
    let confirm_by = now.after(settings.confirm_within.into());
    let registered = ServerRegistration {
        key_id,
        user_id,
        name,
        access_path: grant.access_path,
        suite: suite.id(),
        policy,
        lifecycle: Lifecycle::Pending { confirm_by },
        expires: policy.lifetime.map(|seconds| now.after(seconds.into())),
        keys: StoredKeys::of(&keys),
    };
    let new = NewRegistration { registered, alias, expected, takes: claim.takes(), ticket: claim.ticket() };
    Ok(sealed.commit(read, tag_s, Effect::Granted(Box::new(new)), confirm_by, settings))
}

/// A user identification code of 32 hexadecimal digits (patent step 160).
fn draw_user_id(random: &mut dyn RandomSource) -> Result<UserId, ServerRegistrationError> {
    UserId::new(&KeyId(draw_for(random, Purpose::UserId)).to_string())
        .map_err(|_| ServerRegistrationError::Setting("user_id"))
}
