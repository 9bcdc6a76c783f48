//! One registration, with all that is known of it.

use crate::event;
use crate::failure::Failure;
use crate::paging::every;
use crate::registration;
use crate::report;
use crate::which::Which;
use halfkey::UnixTime;
use halfkey::store::operation::{
    EventFilter, InspectRegistration, ListEvents, ListReports, OperatorError, ReportFilter,
};
use halfkey_common::Output;
use halfkey_common::output::Table;
use halfkey_common::store::Store;
use serde::Serialize;

/// Which registration.
#[derive(clap::Args)]
pub(crate) struct Show {
    /// Its key id, a beginning of that, or its name.
    #[arg(value_name = "KEY_ID|NAME")]
    which: Which,
    /// At most so many entries of the log, the newest ones.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    events: u16,
}

#[derive(Serialize)]
struct Whole {
    #[serde(flatten)]
    registration: registration::Shown,
    reports: Vec<report::Shown>,
    events: Vec<event::Shown>,
}

impl Show {
    pub(crate) fn run(self, store: &Store, out: &mut Output) -> Result<(), Failure> {
        let (key_id, now) = (self.which.find(store)?, UnixTime::now());
        let registration = store.run(&InspectRegistration(key_id), now)?.ok_or(OperatorError::NoSuchKey)?;
        let registration = registration::Shown::from(registration);
        let mut reports = Vec::new();
        let filter = ReportFilter { key_id: Some(key_id), ..ReportFilter::default() };
        let page = |after, limit| store.run(&ListReports { filter: filter.clone(), after, limit }, now);
        every(out.program(), page, |entry| {
            reports.push(report::Shown::from(entry));
            Ok(())
        })?;
        let filter = EventFilter { key_id: Some(key_id), newest_first: true, ..EventFilter::default() };
        let events = ListEvents { filter, after: None, limit: Some(self.events) };
        let mut events: Vec<_> = store.run(&events, now)?.entries;
        events.reverse();
        let json = out.is_json();
        let events: Vec<_> = events.iter().map(|event| event::Shown::of(event, json)).collect();
        if out.is_json() {
            return Ok(out.object(&Whole { registration, reports, events })?);
        }
        out.object(&registration)?;
        out.heading("Configurations")?;
        Table::default().page(out, &reports)?;
        out.heading("What has happened")?;
        Ok(Table::default().page(out, &events)?)
    }
}
