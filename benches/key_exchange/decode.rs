//! Strict decoding of each message.

use crate::{registration, session};
use criterion::Criterion;
use halfkey::message::{Accept, Challenge, Confirm, Done, Hello, Offer, Open, Outcome, Request, Response};
use halfkey::policy::SuiteId;
use halfkey::wire::Message;
use std::hint::black_box;

pub(crate) fn messages(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    let run = registration::Run::new(SuiteId::XWing);
    let r5 = run.r5();
    group.bench_function("R0", |b| b.iter(|| Hello::decode(black_box(&run.r0)).unwrap()));
    group.bench_function("R1 and its core", |b| {
        b.iter(|| _ = black_box(Offer::decode(black_box(&run.r1)).unwrap().read_core().unwrap()));
    });
    group.bench_function("R2 and its core", |b| {
        b.iter(|| _ = black_box(Request::decode(black_box(&run.r2)).unwrap().read_core().unwrap()));
    });
    group.bench_function("R3 and its core", |b| {
        b.iter(|| _ = black_box(Outcome::decode(black_box(&run.r3)).unwrap().read_core().unwrap()));
    });
    group.bench_function("R4", |b| b.iter(|| Confirm::decode(black_box(&run.r4)).unwrap()));
    group.bench_function("R5", |b| b.iter(|| Done::decode(black_box(&r5)).unwrap()));
    for way in [session::WAYS[0], session::WAYS[2]] {
        let name = session::way_name(way);
        let run = session::Run::new(way);
        group.bench_function(format!("{name} S0"), |b| b.iter(|| Open::decode(black_box(&run.s0)).unwrap()));
        group.bench_function(format!("{name} S1 and its core"), |b| {
            b.iter(|| _ = black_box(Challenge::decode(black_box(&run.s1)).unwrap().read_core().unwrap()));
        });
        group.bench_function(format!("{name} S2"), |b| {
            b.iter(|| Response::decode(black_box(&run.s2)).unwrap())
        });
        group
            .bench_function(format!("{name} S3"), |b| b.iter(|| Accept::decode(black_box(&run.s3)).unwrap()));
    }
}
