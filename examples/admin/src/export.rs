//! All of it, for other programs: no keys, no codes, no bodies.

use crate::failure::Failure;
use crate::paging::every;
use crate::progress::Progress;
use crate::{entitlement, group, registration};
use halfkey::UnixTime;
use halfkey::store::operation::{
    EntitlementFilter, ListEntitlements, ListMembers, ListRegistrations, RegistrationFilter,
};
use halfkey_common::Output;
use halfkey_common::store::Store;
use serde::Serialize;

/// A line.
#[derive(Serialize)]
struct Line<T> {
    kind: &'static str,
    #[serde(flatten)]
    what: T,
}

/// What has been written.
struct Lines<'a> {
    out: &'a mut Output,
    progress: Progress,
    written: u64,
}

impl Lines<'_> {
    fn write(&mut self, kind: &'static str, what: impl Serialize) -> Result<(), Failure> {
        self.out.json_line(&Line { kind, what })?;
        self.written = self.written.saturating_add(1);
        if self.written.is_multiple_of(1000) {
            self.progress.at(self.written, self.written, "exported");
        }
        Ok(())
    }
}

pub(crate) fn run(store: &Store, out: &mut Output) -> Result<(), Failure> {
    let (now, program) = (UnixTime::now(), out.program());
    let mut lines = Lines { out, progress: Progress::open(), written: 0 };
    let filter = RegistrationFilter::default();
    let page = |after, limit| store.run(&ListRegistrations { filter: filter.clone(), after, limit }, now);
    every(program, page, |entry| lines.write("registration", registration::Shown::from(entry)))?;
    let filter = EntitlementFilter::default();
    let page = |after, limit| store.run(&ListEntitlements { filter: filter.clone(), after, limit }, now);
    every(program, page, |entry| lines.write("entitlement", entitlement::Shown::from(entry)))?;
    let page = |after, limit| store.run(&ListMembers { after, limit, ..ListMembers::default() }, now);
    every(program, page, |entry| lines.write("membership", group::Shown::from(entry)))
}
