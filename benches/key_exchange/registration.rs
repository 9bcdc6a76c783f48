//! R0 to R5 on each side, without store and without a token's own storage: their answers are at hand.

use crate::recorder::Party;
use crate::session::cheap;
use crate::world::{NOW, PEER, certified, only, settings, suite_name};
use criterion::{BatchSize, Criterion};
use halfkey::certificate::{Revocation, TrustAnchors};
use halfkey::memory::Server;
use halfkey::policy::{Policy, SuiteId};
use halfkey::port::entitlement_store::{Committed, Confirmed};
use halfkey::port::question::KeysQuestion;
use halfkey::record::{ApplicantRecord, Attempt, Effect, ExpectedTags, InFlight};
use halfkey::registration::server::{
    Decision, Grant, Judged, Lookup, NeedApplicant, NeedCommit, NeedSecrets, receive_confirm, receive_hello,
    receive_request,
};
use halfkey::registration::token::{
    AwaitOffer, AwaitOutcome, Credential, NeedForm, ServerDecision, hello, resume,
};
use halfkey::schedule::{KeyContext, KeySet, KeyUse, Ssk1Use, derive_from_ssk1};
use halfkey::template::{FieldValue, Form};
use halfkey::{AccessPath, Secret, ServerSettings, suite};
use std::sync::LazyLock;

static SSK1: LazyLock<Secret> = LazyLock::new(|| Secret::new([0x77; 32]));

pub(crate) struct Run {
    suite: SuiteId,
    settings: ServerSettings,
    server: Server,
    anchors: TrustAnchors,
    half: InFlight,
    pub(crate) r0: Vec<u8>,
    pub(crate) r1: Vec<u8>,
    pub(crate) r2: Vec<u8>,
    pub(crate) r3: Vec<u8>,
    pub(crate) r4: Vec<u8>,
    expected: ExpectedTags,
}

impl Run {
    pub(crate) fn new(suite: SuiteId) -> Self {
        let settings = settings();
        let (server, anchors) = certified(&settings);
        let r0 = ask(&settings, suite).0;
        let r1 = offer(&r0, &settings, &server);
        let need = verify(ask(&settings, suite).1, &r1, &anchors);
        let form = form(&need);
        let half = request(need, form);
        let r2 = half.request.clone();
        let commit = grant(judged(secrets(&r2, &settings), &server, &settings), &settings);
        let Effect::Granted(new) = &commit.wanted().outcome.effect else { panic!("not granted") };
        let expected = new.expected.clone();
        let r3 = commit.supply(Committed::Stored).into_bytes();
        let r4 = join(outcome(&half, only(suite)), &r3);
        Self { suite, settings, server, anchors, half, r0, r1, r2, r3, r4, expected }
    }

    pub(crate) fn r5(&self) -> Vec<u8> {
        done(&self.r4, self.expected.clone())
    }
}

fn ask(settings: &ServerSettings, suite: SuiteId) -> (Vec<u8>, AwaitOffer) {
    let step = hello(settings.name.clone(), only(suite), &mut Party::new(5)).unwrap();
    (step.send.into_bytes(), step.next)
}

fn offer(r0: &[u8], settings: &ServerSettings, server: &Server) -> Vec<u8> {
    let need = receive_hello(r0, settings).unwrap();
    let offer_material = need.wanted().ask(server, NOW).unwrap();
    let need = need.supply(&offer_material, PEER, settings, NOW, &mut cheap).unwrap();
    let signature = need.wanted().ask(server, NOW).unwrap();
    need.supply(signature).into_bytes()
}

fn verify(state: AwaitOffer, r1: &[u8], anchors: &TrustAnchors) -> NeedForm {
    state.receive_offer(r1, anchors, &Revocation::Ignore, NOW).unwrap()
}

fn form(need: &NeedForm) -> Form {
    need.wanted().fill([("name", FieldValue::from("alice")), ("terms", true.into())]).unwrap()
}

/// R2, up to what the token is to store.
fn request(need: NeedForm, form: Form) -> InFlight {
    let need = need.supply(form, Credential::None).unwrap();
    let ct = need.wanted().server_key.encapsulate(&SSK1, &mut cheap).unwrap();
    let need = need.supply(&ct, &mut cheap).unwrap();
    let p_b = derive_from_ssk1(&suite::XWING, &SSK1, Ssk1Use::Request, &need.wanted().transcript);
    let need = need.supply(&p_b, None, NOW).unwrap();
    let Attempt::InFlight(half) = need.wanted().attempt.clone() else { panic!("no half") };
    half
}

fn secrets(r2: &[u8], settings: &ServerSettings) -> NeedSecrets {
    let Lookup::New(need) = receive_request(r2).unwrap().supply(None, PEER, settings, NOW).unwrap() else {
        panic!("answered before")
    };
    need
}

fn judged(need: NeedSecrets, server: &Server, settings: &ServerSettings) -> NeedApplicant {
    let secrets = need.wanted().ask(server, NOW);
    need.supply(secrets, settings).unwrap()
}

fn grant(need: NeedApplicant, settings: &ServerSettings) -> NeedCommit {
    let judged: Judged = need.supply(ApplicantRecord::default(), settings, NOW);
    let grant = Grant {
        user_id: None,
        access_path: AccessPath::new("/branch/7").unwrap(),
        policy: Policy::default(),
    };
    judged.decide(|_| Decision::Grant(grant), settings, NOW, &mut cheap).unwrap()
}

fn outcome(half: &InFlight, suites: &'static [&'static dyn suite::Suite]) -> AwaitOutcome {
    resume(half.clone(), suites).unwrap().next
}

/// R3 and R4, with what a token computes for them.
fn join(state: AwaitOutcome, r3: &[u8]) -> Vec<u8> {
    let need = state.receive_outcome(r3).unwrap();
    let p_g = derive_from_ssk1(&suite::XWING, &SSK1, Ssk1Use::Outcome, &need.wanted().transcript);
    let ServerDecision::Granted(need) = need.supply(&p_g, NOW).unwrap() else { panic!("not granted") };
    let join = need.wanted();
    let registration = &join.registration;
    let context = KeyContext {
        certificate: &registration.certificate,
        server_name: &registration.server_name,
        user_id: &registration.user_id,
        key_id: &registration.key_id,
    };
    let suite = &suite::XWING;
    let keys =
        KeySet::join(suite, &SSK1, &join.ssk2, &join.transcript, &join.ss_e, &Secret::absent(), &context);
    assert_eq!(keys.derive(suite, &KeyUse::Grant(join.transcript)).expose(), &join.tag_s);
    let tag_c = keys.derive(suite, &KeyUse::Confirm(join.transcript, join.tag_s));
    need.supply(*tag_c.expose()).send.into_bytes()
}

fn done(r4: &[u8], expected: ExpectedTags) -> Vec<u8> {
    let need = receive_confirm(r4).unwrap().supply(Some(expected)).unwrap();
    need.supply(Confirmed::Active).into_bytes()
}

pub(crate) fn server(c: &mut Criterion) {
    let mut group = c.benchmark_group("registration/server");
    for suite in SuiteId::ALL {
        let name = suite_name(suite);
        let run = Run::new(suite);
        let Run { settings, server, .. } = &run;
        group.bench_function(format!("{name} R0 to R1"), |b| b.iter(|| offer(&run.r0, settings, server)));
        group.bench_function(format!("{name} R2, decoding and cookie"), |b| {
            b.iter(|| drop(secrets(&run.r2, settings)));
        });
        group.bench_function(format!("{name} R2, decapsulation and opening"), |b| {
            b.iter_batched(
                || secrets(&run.r2, settings),
                |need| judged(need, server, settings),
                BatchSize::SmallInput,
            );
        });
        let opened = secrets(&run.r2, settings).wanted().ask(server, NOW).unwrap();
        group.bench_function(format!("{name} R3, join and sealing"), |b| {
            b.iter_batched(
                || secrets(&run.r2, settings).supply(Ok(opened.clone()), settings).unwrap(),
                |need| grant(need, settings),
                BatchSize::SmallInput,
            );
        });
    }
    let run = Run::new(SuiteId::XWing);
    group.bench_function("R4 to R5", |b| {
        b.iter_batched(|| run.expected.clone(), |expected| done(&run.r4, expected), BatchSize::SmallInput);
    });
}

pub(crate) fn token(c: &mut Criterion) {
    let mut group = c.benchmark_group("registration/token");
    for suite in SuiteId::ALL {
        let name = suite_name(suite);
        let run = Run::new(suite);
        group.bench_function(format!("{name} R1, verification"), |b| {
            b.iter_batched(
                || ask(&run.settings, suite).1,
                |state| verify(state, &run.r1, &run.anchors),
                BatchSize::SmallInput,
            );
        });
        group.bench_function(format!("{name} R2, both encapsulations and sealing"), |b| {
            b.iter_batched(
                || {
                    let need = verify(ask(&run.settings, suite).1, &run.r1, &run.anchors);
                    let form = form(&need);
                    (need, form)
                },
                |(need, form)| request(need, form),
                BatchSize::SmallInput,
            );
        });
        group.bench_function(format!("{name} R3 to R4, join"), |b| {
            b.iter_batched(
                || outcome(&run.half, only(run.suite)),
                |state| join(state, &run.r3),
                BatchSize::SmallInput,
            );
        });
    }
}
