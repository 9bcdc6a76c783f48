//! The contract of [`AuthServer`].

use super::{ContractViolation, Kept, ensure, same};
use crate::certificate::{Revocation, TrustAnchors, VerifiedServer, verify};
use crate::id::{Digest, ServerName};
use crate::policy::{SuiteId, SuiteList};
use crate::port::auth_server::{AuthServer, AuthServerError, Decapsulated, Encapsulated, OfferMaterial};
use crate::random::RandomSource;
use crate::secret::Secret;
use crate::suite::{Suite, find};
use crate::time::UnixTime;
use alloc::vec::Vec;

/// A server under test, and what is known of it.
#[derive(Clone, Copy)]
pub struct ServerUnderTest<'a> {
    /// A new server, with a certificate that is valid for an hour from `now` at least.
    pub server: &'a dyn AuthServer,
    /// Name in the server's certificate.
    pub name: &'a ServerName,
    /// Anchors that the server's tokens trust.
    pub anchors: &'a TrustAnchors,
    /// The `offer_ttl` that it was told, in seconds: at most 900.
    pub offer_ttl: u32,
    /// The time at which the contract begins.
    pub now: UnixTime,
}

/// Runs the contract, with every suite that this crate ships and the server offers. Time goes on
/// from `now` for half an hour, and never back.
///
/// # Errors
/// The first clause found broken.
pub fn auth_server(
    test: &ServerUnderTest<'_>,
    random: &mut dyn RandomSource,
) -> Result<(), ContractViolation> {
    let suites = test.suites()?;
    for suite in &suites {
        test.an_offer_is_certified(*suite)?;
        test.what_is_encapsulated_is_found(*suite, random)?;
        test.what_is_not_gives_no_sign(*suite, random)?;
    }
    test.order_is_the_tokens(&suites)?;
    test.unknown_names_are_errors(random)?;
    let first = suites.first().ok_or(ContractViolation::Broken(SOME_SUITE))?;
    test.ephemeral_keys_pass(*first, random)
}

const SOME_SUITE: &str = "a server offers a suite of those that its certificate lists";
const OPENS: &str = "what was encapsulated to an offer's keys is found";
const FALLBACK: &str = "a ciphertext that holds no SSK1 gives the fallback, and no error";

fn in_clause(clause: &'static str) -> impl FnOnce(AuthServerError) -> ContractViolation {
    move |error| ContractViolation::AuthServer(clause, error)
}

/// An offer, what the token makes of it, and what it encapsulated.
struct Run {
    offer_material: OfferMaterial,
    server: VerifiedServer,
    ct: Vec<u8>,
    ct_e: Vec<u8>,
    ssk1: Secret,
    ss_e: Secret,
}

impl ServerUnderTest<'_> {
    fn suites(&self) -> Result<Vec<SuiteId>, ContractViolation> {
        let offered =
            |suite: &SuiteId| self.server.offer_material(&SuiteList::only(*suite), self.now).is_ok();
        let suites: Vec<_> = SuiteId::ALL.into_iter().filter(offered).collect();
        ensure(!suites.is_empty(), SOME_SUITE)?;
        let private = self.server.offer_material(&SuiteList::only(SuiteId::Private(0xFFFF)), self.now).err();
        ensure(private == Some(AuthServerError::NoSuite), "a suite that is not certified is not offered")?;
        Ok(suites)
    }

    fn offer_material(&self, suite: SuiteId, now: UnixTime) -> Result<OfferMaterial, ContractViolation> {
        self.server.offer_material(&SuiteList::only(suite), now).map_err(in_clause(SOME_SUITE))
    }

    fn verified(&self, offer_material: &OfferMaterial) -> Result<VerifiedServer, ContractViolation> {
        let chain: Vec<&[u8]> = offer_material.chain.iter().map(Vec::as_slice).collect();
        verify(&chain, self.anchors, self.name, self.now, &Revocation::Ignore)
            .map_err(|_| ContractViolation::Broken("an offer's chain leads to a trust anchor"))
    }

    /// The token's part: R1 read, R2 made.
    fn run(
        &self,
        suite: SuiteId,
        now: UnixTime,
        random: &mut dyn RandomSource,
    ) -> Result<Run, ContractViolation> {
        let offer_material = self.offer_material(suite, now)?;
        let server = self.verified(&offer_material)?;
        let ssk1 = Secret::random(random);
        let ct = server.kem_key().encapsulate(&ssk1, random);
        let ct = ct.map_err(|_| ContractViolation::Broken("the certified key can be encapsulated to"))?;
        let kem = find(suite).map(Suite::kem).ok_or(ContractViolation::Broken(SOME_SUITE))?;
        let (ct_e, ss_e) = kem
            .encapsulate(&offer_material.pk_e, random)
            .map_err(|_| ContractViolation::Broken("an ephemeral key is one of the suite's KEM"))?;
        Ok(Run { offer_material, server, ct, ct_e, ssk1, ss_e })
    }

    fn open(&self, run: &Run, now: UnixTime) -> Result<Decapsulated, AuthServerError> {
        let sealed = run.sealed();
        self.server.decapsulate(&sealed, now)
    }

    fn an_offer_is_certified(&self, suite: SuiteId) -> Kept {
        let offer_material = self.offer_material(suite, self.now)?;
        let server = self.verified(&offer_material)?;
        ensure(
            offer_material.certificate == server.leaf_hash(),
            "an offer names the hash of its certificate",
        )?;
        ensure(offer_material.suite == suite, "an offer is of a suite that was asked for")?;
        ensure(server.suites().contains(suite), "a suite that is offered is certified")?;
        let transcript = Digest::new([0x5A; 32]);
        let signed = "an offer is signed with the certified offer key";
        let signature =
            self.server.sign_offer(&offer_material.certificate, &transcript).map_err(in_clause(signed))?;
        ensure(server.offer_key().verify(&transcript, &signature).is_ok(), signed)
    }

    fn order_is_the_tokens(&self, suites: &[SuiteId]) -> Kept {
        let forwards = suites.to_vec();
        let backwards = suites.iter().rev().copied().collect();
        for order in [forwards, backwards] {
            let asked = SuiteList::of(order.iter().copied());
            let asked = asked.ok_or(ContractViolation::Broken(SOME_SUITE))?;
            let offer_material =
                self.server.offer_material(&asked, self.now).map_err(in_clause(SOME_SUITE))?;
            let first = order.first() == Some(&offer_material.suite);
            ensure(first, "the suite offered is the first of those asked for that is certified")?;
        }
        Ok(())
    }

    fn what_is_encapsulated_is_found(&self, suite: SuiteId, random: &mut dyn RandomSource) -> Kept {
        let run = self.run(suite, self.now, random)?;
        let other = self.run(suite, self.now, random)?;
        for run in [&run, &other, &run] {
            let found = self.open(run, self.now).map_err(in_clause(OPENS))?;
            ensure(same(&found.ssk1, &run.ssk1) && same(&found.ss_e, &run.ss_e), OPENS)?;
        }
        Ok(())
    }

    fn what_is_not_gives_no_sign(&self, suite: SuiteId, random: &mut dyn RandomSource) -> Kept {
        let run = self.run(suite, self.now, random)?;
        let flip = |place: usize| {
            let mut ct = run.ct.clone();
            if let Some(byte) = ct.get_mut(place) {
                *byte ^= 1;
            }
            ct
        };
        let last = run.ct.len().saturating_sub(1);
        for ct in [flip(last), flip(last / 2), alloc::vec![0xFF; run.ct.len()], Vec::new()] {
            let wrong = Encapsulated { ct, ..run.sealed() };
            let found = self.server.decapsulate(&wrong, self.now).map_err(in_clause(FALLBACK))?;
            ensure(same(&found.ssk1, &fallback_secret()), FALLBACK)?;
            ensure(same(&found.ss_e, &run.ss_e), "a wrong ciphertext leaves the other as it is")?;
        }
        let short = Encapsulated { ct_e: Vec::new(), ..run.sealed() };
        let found = self.server.decapsulate(&short, self.now).err();
        ensure(found == Some(AuthServerError::Ciphertext), "an ephemeral ciphertext of no length is none")?;
        let again = self.open(&run, self.now).map_err(in_clause(OPENS))?;
        ensure(same(&again.ssk1, &run.ssk1), "what fails changes nothing")
    }

    fn unknown_names_are_errors(&self, random: &mut dyn RandomSource) -> Kept {
        let suite = *self.suites()?.first().ok_or(ContractViolation::Broken(SOME_SUITE))?;
        let run = self.run(suite, self.now, random)?;
        let no_key = Some(AuthServerError::NoSuchKey);
        let (certificate, ephemeral) = (Digest::new([0; 32]), [0; 16]);
        let signature = self.server.sign_offer(&certificate, &certificate).err();
        ensure(signature == no_key, "nothing is signed for a certificate that is not held")?;
        for sealed in
            [Encapsulated { certificate, ..run.sealed() }, Encapsulated { ephemeral, ..run.sealed() }]
        {
            let found = self.server.decapsulate(&sealed, self.now).err();
            ensure(found == no_key, "nothing is found under a key that is not held")?;
        }
        Ok(())
    }

    fn ephemeral_keys_pass(&self, suite: SuiteId, random: &mut dyn RandomSource) -> Kept {
        let first = self.run(suite, self.now, random)?;
        let later = self.run(suite, self.now.after(61), random)?;
        let fresh = first.offer_material.pk_e != later.offer_material.pk_e;
        ensure(fresh, "an ephemeral key is issued for at most 60 s")?;
        let named = first.offer_material.ephemeral != later.offer_material.ephemeral;
        ensure(named, "each ephemeral key has a name of its own")?;
        ensure(
            first.server.leaf_hash() == later.server.leaf_hash(),
            "a certificate is offered while it is new",
        )?;
        let end = self.now.after(self.offer_ttl.into());
        let kept = "an ephemeral key is kept until the last offer made with it has ended";
        let found = self.open(&first, end).map_err(in_clause(kept))?;
        ensure(same(&found.ss_e, &first.ss_e), kept)?;
        // Issued for the last time after 60 s, which is when the last offer's time begins.
        let over = end.after(61);
        let found = self.open(&first, over).err();
        let erased = "an ephemeral key is erased when the last offer made with it has ended";
        ensure(found == Some(AuthServerError::NoSuchKey), erased)
    }
}

fn fallback_secret() -> Secret {
    Secret::new([0xFB; 32])
}

impl Run {
    fn sealed(&self) -> Encapsulated {
        Encapsulated {
            suite: self.offer_material.suite,
            certificate: self.offer_material.certificate,
            ephemeral: self.offer_material.ephemeral,
            ct: self.ct.clone(),
            ct_e: self.ct_e.clone(),
            fallback: fallback_secret(),
        }
    }
}
