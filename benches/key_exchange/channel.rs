//! Records of an open session.

use crate::session::{Run, WAYS};
use criterion::{BatchSize, Criterion, Throughput};
use halfkey::session::{Channel, Content};
use std::cell::RefCell;
use std::rc::Rc;

/// Both ends of a session, and how many records more their keys are good for.
struct Ends {
    token: Channel,
    server: Rc<RefCell<Channel>>,
    left: u32,
}

impl Ends {
    fn new(run: &Run) -> Self {
        let (token, server) = run.ends();
        Self { token, server: Rc::new(RefCell::new(server)), left: 1 << 23 }
    }

    fn seal(&mut self, run: &Run, data: &[u8]) -> Vec<u8> {
        if self.left == 0 {
            *self = Self::new(run);
        }
        self.left -= 1;
        self.token.seal(Content::Data, data).unwrap()
    }
}

pub(crate) fn records(c: &mut Criterion) {
    let mut group = c.benchmark_group("channel");
    let run = Run::new(WAYS[0]);
    for (size, name) in [(64, "64 B"), (1024, "1 KiB"), (16_384, "16 KiB")] {
        let data = vec![0xDA; size];
        let mut ends = Ends::new(&run);
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(format!("seal {name}"), |b| b.iter(|| ends.seal(&run, &data)));
        let mut ends = Ends::new(&run);
        group.bench_function(format!("open {name}"), |b| {
            b.iter_batched(
                || (ends.seal(&run, &data), Rc::clone(&ends.server)),
                |(record, server)| server.borrow_mut().open(&record).unwrap(),
                BatchSize::SmallInput,
            );
        });
    }
}
