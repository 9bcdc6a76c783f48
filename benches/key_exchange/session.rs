//! S0 to S3 on each side, in each mode, without a store: the store's answers are at hand.

use crate::recorder::{Party, Recorder};
use crate::world::{NOW, Pair, only, suite_name};
use criterion::{BatchSize, Criterion};
use halfkey::policy::{Mode, SuiteId};
use halfkey::port::entitlement_store::{Admitted, Status};
use halfkey::session::server::{AwaitResponse, Entry, receive_open};
use halfkey::session::token::{AwaitAccept, AwaitChallenge, Options, SessionOutcome, open};
use halfkey::suite::Suite;
use halfkey::suite::find;

/// A way to open a session.
pub(crate) const WAYS: [(SuiteId, Mode); 3] =
    [(SuiteId::X25519, Mode::Psk), (SuiteId::X25519, Mode::PskKem), (SuiteId::XWing, Mode::PskKem)];

pub(crate) fn way_name((suite, mode): (SuiteId, Mode)) -> String {
    match mode {
        Mode::Psk => "psk".into(),
        _ => format!("psk-kem {}", suite_name(suite)),
    }
}

pub(crate) struct Run {
    pub(crate) pair: Pair,
    options: Options,
    pub(crate) s0: Vec<u8>,
    pub(crate) s1: Vec<u8>,
    pub(crate) s2: Vec<u8>,
    pub(crate) s3: Vec<u8>,
}

impl Run {
    pub(crate) fn new((suite, mode): (SuiteId, Mode)) -> Self {
        let options = Options { suites: only(suite), ..Options::default() };
        let empty = Vec::new;
        let mut run = Self {
            pair: Pair::new(suite, mode),
            options,
            s0: empty(),
            s1: empty(),
            s2: empty(),
            s3: empty(),
        };
        run.s0 = run.open().0;
        run.s1 = run.challenge().0;
        run.s2 = run.respond(run.open().1).0;
        run.s3 = run.accept(run.challenge().1).0;
        run
    }

    pub(crate) fn open(&self) -> (Vec<u8>, AwaitChallenge) {
        let step = open(&self.pair.registration, &self.options).unwrap();
        (step.send.into_bytes(), step.next)
    }

    pub(crate) fn challenge(&self) -> (Vec<u8>, AwaitResponse) {
        let need = receive_open(&self.s0, &self.pair.settings).unwrap();
        let step = need.supply(Some(self.pair.registered.clone()), NOW, &mut Party::new(1)).unwrap();
        (step.send.into_bytes(), step.next)
    }

    pub(crate) fn respond(&self, state: AwaitChallenge) -> (Vec<u8>, AwaitAccept) {
        let need = state.receive_challenge(&self.s1, &mut Party::new(2)).unwrap();
        let tag_c = self.pair.ask(need.wanted());
        let step = need.supply(&tag_c);
        (step.send.into_bytes(), step.next)
    }

    pub(crate) fn accept(&self, state: AwaitResponse) -> (Vec<u8>, Entry) {
        let need = state.receive_response(&self.s2, NOW, &mut Party::new(3)).unwrap();
        let step = need.supply(Admitted::As(Status::Active), NOW).unwrap();
        (step.send.into_bytes(), step.next)
    }

    pub(crate) fn finish(&self, state: AwaitAccept) -> SessionOutcome {
        let need = state.receive_accept(&self.s3).unwrap();
        let d = self.pair.ask(need.wanted());
        need.supply(&d).unwrap()
    }

    /// Both ends of the open session.
    pub(crate) fn ends(&self) -> (halfkey::session::Channel, halfkey::session::Channel) {
        let (SessionOutcome::Session(token), Entry::Session(server)) =
            (self.finish(self.respond(self.open().1).1), self.accept(self.challenge().1).1)
        else {
            panic!("no session")
        };
        (token.channel, server.channel)
    }
}

/// Every primitive that the server calls in a psk session, with what goes into it.
pub(crate) fn server_calls() -> Vec<crate::recorder::Call> {
    let mut run = Run::new(WAYS[0]);
    let recorder = Recorder::leak(find(SuiteId::X25519).unwrap());
    run.pair.settings.suites = Box::leak(Box::new([recorder as &dyn Suite]));
    let _ = run.accept(run.challenge().1);
    recorder.calls().into_iter().collect()
}

/// A source that costs nothing, so that the steps are measured and not the source.
pub(crate) fn cheap(out: &mut [u8]) {
    out.fill(0xD1);
}

pub(crate) fn server(c: &mut Criterion) {
    let mut group = c.benchmark_group("session/server");
    for way in WAYS {
        let run = Run::new(way);
        let name = way_name(way);
        group.bench_function(format!("{name} S0 to S1"), |b| {
            b.iter_batched(
                || run.pair.registered.clone(),
                |registered| {
                    let need = receive_open(&run.s0, &run.pair.settings).unwrap();
                    need.supply(Some(registered), NOW, &mut cheap).unwrap()
                },
                BatchSize::SmallInput,
            );
        });
        group.bench_function(format!("{name} S2 to S3"), |b| {
            b.iter_batched(
                || run.challenge().1,
                |state| {
                    let need = state.receive_response(&run.s2, NOW, &mut cheap).unwrap();
                    need.supply(Admitted::As(Status::Active), NOW).unwrap()
                },
                BatchSize::SmallInput,
            );
        });
    }
}

pub(crate) fn token(c: &mut Criterion) {
    let mut group = c.benchmark_group("session/token");
    for way in WAYS {
        let run = Run::new(way);
        let name = way_name(way);
        group.bench_function(format!("{name} S0"), |b| b.iter(|| run.open()));
        group.bench_function(format!("{name} S1 to S2"), |b| {
            b.iter_batched(
                || run.open().1,
                |state| {
                    let need = state.receive_challenge(&run.s1, &mut cheap).unwrap();
                    let tag_c = run.pair.ask(need.wanted());
                    need.supply(&tag_c)
                },
                BatchSize::SmallInput,
            );
        });
        group.bench_function(format!("{name} S3"), |b| {
            b.iter_batched(|| run.respond(run.open().1).1, |state| run.finish(state), BatchSize::SmallInput);
        });
    }
}
