//! Tools of the contract's parts: a token, and the server's side of its runs.

use super::{ContractViolation, Kept, ensure, same};
use crate::id::{AccessPath, ApplicationName, Digest, KeyId, ServerName, TicketId, Txn, UserId};
use crate::key::KemPrivateKey;
use crate::message::ConfigurationSerial;
use crate::name::NameError;
use crate::policy::{Policy, SuiteId, SuiteList};
use crate::port::token::JoinRequest;
use crate::port::{Token, TokenError};
use crate::random::RandomSource;
use crate::record::{Attempt, HeldConfiguration, InFlight, Progress, ProofKey, TokenRegistration, Waiting};
use crate::schedule::{KeyContext, KeySet, KeyUse, Ssk1Use, derive_from_ssk1};
use crate::secret::Secret;
use crate::suite::XWING;
use crate::template::{FieldValue, Form};
use crate::time::{Period, UnixTime};

pub(super) const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

/// One new token.
pub(super) struct Case<'a> {
    pub(super) token: &'a mut dyn Token,
    pub(super) server_key: &'a KemPrivateKey,
    pub(super) random: &'a mut dyn RandomSource,
}

pub(super) const fn txn(n: u8) -> Txn {
    Txn::new([n; 16])
}
pub(super) const fn key(n: u8) -> KeyId {
    KeyId::new([n; 16])
}
pub(super) const fn digest(n: u8) -> Digest {
    Digest::new([n; 32])
}
fn secret(n: u8) -> Secret {
    Secret::new([n; 32])
}

pub(super) fn in_clause(clause: &'static str) -> impl FnOnce(TokenError) -> ContractViolation {
    move |error| ContractViolation::Token(clause, error)
}

fn unnamed(_: NameError) -> ContractViolation {
    ContractViolation::Broken("the names of the contract are names")
}

fn server(n: u8) -> Result<ServerName, ContractViolation> {
    ServerName::new(&alloc::format!("server-{n}.example")).map_err(unnamed)
}

/// A configuration that a registration may hold.
pub(super) fn configuration(n: u8) -> Result<HeldConfiguration, ContractViolation> {
    Ok(HeldConfiguration {
        application: ApplicationName::new(&alloc::format!("application-{n}")).map_err(unnamed)?,
        serial: ConfigurationSerial { epoch: 1, number: n.into() },
        digest: digest(n),
        valid: Some(Period::new(NOW, 60)),
        floor: NOW,
        revoked: false,
    })
}

fn form() -> Form {
    Form(alloc::vec![(0, FieldValue::Text("ann".into()))])
}

impl Case<'_> {
    /// Wraps a half under the `n`th run and opens it as the server does.
    pub(super) fn wrap(&mut self, n: u8) -> Result<Secret, ContractViolation> {
        const WRAPPED: &str = "wrap gives SSK1 encapsulated to the server's key";
        let server_key = self.server_key.public();
        let ct = self.token.wrap(&txn(n), SuiteId::XWing, server_key).map_err(in_clause(WRAPPED))?;
        ensure(ct.len() == server_key.ciphertext_len(), WRAPPED)?;
        Ok(self.server_key.decapsulate(&ct, &Secret::absent(), self.random))
    }

    pub(super) fn has_half(&mut self, n: u8, ssk1: &Secret, clause: &'static str) -> Kept {
        for wanted in [Ssk1Use::Request, Ssk1Use::Outcome] {
            let found =
                self.token.derive_from_ssk1(&txn(n), wanted, &digest(n)).map_err(in_clause(clause))?;
            ensure(same(&found, &derive_from_ssk1(&XWING, ssk1, wanted, &digest(n))), clause)?;
        }
        Ok(())
    }

    pub(super) fn has_no_half(&mut self, n: u8, clause: &'static str) -> Kept {
        let found = self.token.derive_from_ssk1(&txn(n), Ssk1Use::Request, &digest(n));
        ensure(found.err() == Some(TokenError::NoSuchAttempt), clause)
    }

    pub(super) fn save_attempt(&mut self, attempt: Attempt) -> Kept {
        self.token.save_attempt(attempt).map_err(in_clause("an attempt is held"))
    }

    pub(super) fn attempt(&self, n: u8) -> Result<Option<Attempt>, ContractViolation> {
        let mut held = self.token.attempts().map_err(in_clause("attempts answers"))?;
        held.retain(|attempt| *attempt.txn() == txn(n));
        ensure(held.len() < 2, "a run has one attempt at most")?;
        Ok(held.pop())
    }

    pub(super) fn registration(&self, n: u8) -> Result<Option<TokenRegistration>, ContractViolation> {
        let mut found = self.token.registrations().map_err(in_clause("registrations answers"))?;
        found.retain(|registration| registration.key_id == key(n));
        ensure(found.len() < 2, "a key has one registration")?;
        Ok(found.pop())
    }

    /// Wraps and joins: the `n`th key of the story.
    pub(super) fn joined(&mut self, n: u8) -> Result<Server, ContractViolation> {
        let ssk1 = self.wrap(n)?;
        let server = Server::new(n, &ssk1, ProofKey::None, &Secret::absent())?;
        self.joins(&server)?;
        Ok(server)
    }

    pub(super) fn joins(&mut self, server: &Server) -> Kept {
        const TAG: &str = "a join answers with the tag of R4";
        let tag_c = self.token.join(&server.join()).map_err(in_clause("a proven join succeeds"))?;
        let expected = server.keys.derive(&XWING, &KeyUse::Confirm(server.transcript, server.tag_s));
        ensure(same(&Secret::new(tag_c), &expected), TAG)
    }

    /// Asks the key everything there is to ask.
    pub(super) fn answers(&mut self, server: &Server, clause: &'static str) -> Kept {
        let (th, tag) = (digest(0x77), [0x66; 32]);
        for question in [
            KeyUse::Response([7; 96]),
            KeyUse::Session([7; 64]),
            KeyUse::Grant(th),
            KeyUse::Confirm(th, tag),
            KeyUse::Done(th, tag),
            KeyUse::Lost(th, tag),
            KeyUse::Renew(th),
            KeyUse::Binder(th),
        ] {
            let answer = self.token.derive(&server.registration.key_id, &question);
            let answer = answer.map_err(in_clause(clause))?;
            ensure(same(&answer, &server.keys.derive(&XWING, &question)), clause)?;
        }
        Ok(())
    }
}

/// The server's side of one registration: what it knows, and what the token shall know.
pub(super) struct Server {
    n: u8,
    ssk2: Secret,
    ss_e: Secret,
    proof_key: ProofKey,
    pub(super) transcript: Digest,
    pub(super) keys: KeySet,
    pub(super) tag_s: [u8; 32],
    pub(super) registration: TokenRegistration,
}

impl Server {
    pub(super) fn new(
        n: u8,
        ssk1: &Secret,
        proof_key: ProofKey,
        mix: &Secret,
    ) -> Result<Self, ContractViolation> {
        Self::naming(key(n), n, ssk1, proof_key, mix)
    }

    /// A server that gives the key another name than that of its number.
    pub(super) fn naming(
        key_id: KeyId,
        n: u8,
        ssk1: &Secret,
        proof_key: ProofKey,
        mix: &Secret,
    ) -> Result<Self, ContractViolation> {
        let (ssk2, ss_e, transcript) = (secret(n ^ 0x40), secret(n ^ 0x41), digest(n ^ 0x42));
        let confirm = Period::new(NOW, 86_400);
        let registration = TokenRegistration {
            key_id,
            server_name: server(n)?,
            certificate: digest(n ^ 0x43),
            certificate_end: UnixTime::from_secs(4_000_000_000),
            anchor: digest(n ^ 0x44),
            user_id: UserId::new(&alloc::format!("user-{n}")).map_err(unnamed)?,
            access_path: AccessPath::new("/contract").map_err(unnamed)?,
            suite: SuiteId::XWing,
            policy: Policy::default(),
            alias: None,
            progress: Progress::Joined { txn: txn(n), transcript, tag_c: [0; 32], confirm },
            supersedes: None,
            configurations: alloc::vec::Vec::new(),
            clock_floor: NOW,
            not_active: None,
        };
        let context = KeyContext {
            certificate: &registration.certificate,
            server_name: &registration.server_name,
            user_id: &registration.user_id,
            key_id: &registration.key_id,
        };
        let keys = KeySet::join(&XWING, ssk1, &ssk2, &transcript, &ss_e, mix, &context);
        let tag_s = *keys.derive(&XWING, &KeyUse::Grant(transcript)).expose();
        Ok(Self { n, ssk2, ss_e, proof_key, transcript, keys, tag_s, registration })
    }

    pub(super) const fn transcript_of(n: u8) -> Digest {
        digest(n ^ 0x42)
    }

    /// Returns the join that the token is asked for, in the run with the same number.
    pub(super) fn join(&self) -> JoinRequest {
        JoinRequest {
            txn: *self.txn(),
            suite: SuiteId::XWing,
            ssk2: self.ssk2.clone(),
            transcript: self.transcript,
            ss_e: self.ss_e.clone(),
            proof_key: self.proof_key.clone(),
            tag_s: self.tag_s,
            registration: self.registration.clone(),
        }
    }

    const fn txn(&self) -> &Txn {
        match &self.registration.progress {
            Progress::Joined { txn, .. } => txn,
            Progress::Active => &const { txn(0) },
        }
    }

    /// How the registration looks once it is joined.
    pub(super) fn stored(&self) -> TokenRegistration {
        let confirm = KeyUse::Confirm(self.transcript, self.tag_s);
        let tag_c = *self.keys.derive(&XWING, &confirm).expose();
        let confirm = Period::new(NOW, 86_400);
        let progress = Progress::Joined { txn: txn(self.n), transcript: self.transcript, tag_c, confirm };
        TokenRegistration { progress, ..self.registration.clone() }
    }
}

pub(super) fn half_attempt(n: u8, outcome_size: u16) -> Result<InFlight, ContractViolation> {
    Ok(InFlight {
        txn: txn(n),
        suite: SuiteId::XWing,
        offered: SuiteList::all(),
        server_name: server(n)?,
        certificate: digest(n ^ 0x43),
        certificate_end: UnixTime::from_secs(4_000_000_000),
        anchor: digest(n ^ 0x44),
        request: alloc::vec![n; 2000],
        transcript: digest(n ^ 0x45),
        ss_e: secret(n ^ 0x41),
        proof_key: ProofKey::Secret(secret(n ^ 0x46)),
        renews: Some(key(n ^ 0x48)),
        replaces: Some(key(n ^ 0x49)),
        form: form(),
        ticket: (TicketId::new([n; 16]), secret(n ^ 0x47)),
        outcome_size,
        resend: Period::new(NOW, 600),
    })
}

pub(super) fn waiting_attempt(n: u8) -> Result<Waiting, ContractViolation> {
    Ok(Waiting {
        txn: txn(n),
        server_name: server(n)?,
        ticket_id: TicketId::new([n; 16]),
        ticket: secret(n ^ 0x47),
        form: form(),
        renews: Some(key(n ^ 0x48)),
        replaces: None,
        retry: Period::new(NOW, 60),
        hold: Period::new(NOW, 86_400),
    })
}

pub(super) fn equal_halves(a: &InFlight, b: &InFlight) -> bool {
    let plain = |half: &InFlight| {
        let names = (half.txn, half.suite, half.server_name.clone(), half.certificate, half.anchor);
        (names, half.transcript, half.renews, half.ticket.0, half.outcome_size, half.resend)
    };
    let proofs = match (&a.proof_key, &b.proof_key) {
        (ProofKey::None, ProofKey::None) => true,
        (ProofKey::Secret(a), ProofKey::Secret(b)) => same(a, b),
        (ProofKey::Renewal(a), ProofKey::Renewal(b)) => a == b,
        _ => false,
    };
    proofs
        && plain(a) == plain(b)
        && (&a.request, &a.form) == (&b.request, &b.form)
        && same(&a.ss_e, &b.ss_e)
        && same(&a.ticket.1, &b.ticket.1)
}

pub(super) fn equal_waits(a: &Waiting, b: &Waiting) -> bool {
    let plain = |wait: &Waiting| (wait.txn, wait.server_name.clone(), wait.ticket_id, wait.retry);
    plain(a) == plain(b) && (&a.form, a.hold) == (&b.form, b.hold) && same(&a.ticket, &b.ticket)
}
