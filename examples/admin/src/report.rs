//! Who applied which configuration.

use crate::failure::Failure;
use crate::paging::Paging;
use halfkey::configuration::ConfigurationSerial;
use halfkey::port::entitlement_store::ReportResult;
use halfkey::store::operation::{ListReports, ReportEntry, ReportFilter};
use halfkey::{ApplicationName, KeyId, UnixTime};
use halfkey_common::Output;
use halfkey_common::output::Entry;
use halfkey_common::store::Store;
use halfkey_common::time::written;
use serde::Serialize;

fn result(words: &str) -> Result<ReportResult, &'static str> {
    let result = ReportResult::from_word(&words.replace(['-', '_'], " "));
    result.ok_or("a result is applied, rolled-back, equivocation, failed, no-room or regressed")
}

/// Which reports, and how many.
#[derive(clap::Args)]
pub(crate) struct List {
    /// Of this key.
    #[arg(long, value_name = "KEY_ID")]
    key: Option<KeyId>,
    /// On this application.
    #[arg(long, value_name = "APPLICATION")]
    app: Option<ApplicationName>,
    /// With this result: applied, rolled-back, equivocation, failed, no-room or regressed.
    #[arg(long, value_parser = result)]
    result: Option<ReportResult>,
    #[command(flatten)]
    paging: Paging,
}

/// A report as it is shown.
#[derive(Serialize)]
pub(crate) struct Shown {
    key_id: String,
    user_id: Option<String>,
    name: Option<String>,
    application: String,
    serial: String,
    result: &'static str,
    applied: Option<String>,
    /// What the user is entitled to now.
    current: Option<String>,
    at: String,
}

impl Entry for Shown {
    const COLUMNS: &'static [&'static str] =
        &["key_id", "name", "application", "result", "serial", "applied", "current", "at"];
}

/// `epoch.number`.
pub(crate) fn serial(serial: ConfigurationSerial) -> String {
    format!("{}.{}", serial.epoch, serial.number)
}

impl From<ReportEntry> for Shown {
    fn from(entry: ReportEntry) -> Self {
        Self {
            key_id: entry.key_id.to_string(),
            user_id: entry.user_id.map(|user| user.to_string()),
            name: entry.name.map(|name| name.to_string()),
            application: entry.application.to_string(),
            serial: serial(entry.serial),
            result: entry.result.word(),
            applied: entry.applied.map(serial),
            current: entry.current.map(serial),
            at: written(entry.at),
        }
    }
}

impl List {
    pub(crate) fn run(self, store: &Store, out: &mut Output) -> Result<(), Failure> {
        let filter = ReportFilter { key_id: self.key, application: self.app, result: self.result };
        let page =
            |after, limit| store.run(&ListReports { filter: filter.clone(), after, limit }, UnixTime::now());
        self.paging.list(out, page, |entry| Ok(Some(Shown::from(entry))))
    }
}
