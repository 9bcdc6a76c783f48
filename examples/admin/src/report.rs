//! Who applied which configuration.

use crate::failure::Failure;
use crate::output::{Entry, Output};
use crate::paging::Paging;
use crate::time::written;
use halfkey::message::Serial;
use halfkey::port::EntitlementStore;
use halfkey::port::entitlement_store::{EntitlementQuery, ReportResult, UserInformation};
use halfkey::sqlite::Store;
use halfkey::store::operation::{Inspect, OperatorError, ReportEntry, ReportFilter, Reports};
use halfkey::{Application, KeyId, UnixTime};
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
    app: Option<Application>,
    /// With this result: applied, rolled-back, equivocation, failed, no-room or regressed.
    #[arg(long, value_parser = result)]
    result: Option<ReportResult>,
    /// Only of those who have not applied what they are entitled to now. It is asked for every
    /// report, which takes its time, and a page may be short.
    #[arg(long)]
    outdated: bool,
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
pub(crate) fn serial(serial: Serial) -> String {
    format!("{}.{}", serial.epoch, serial.number)
}

impl Shown {
    fn new(entry: ReportEntry, current: Option<Serial>) -> Self {
        Self {
            key_id: entry.key_id.to_string(),
            user_id: entry.user_id.map(|user| user.to_string()),
            name: entry.name.map(|name| name.to_string()),
            application: entry.application.to_string(),
            serial: serial(entry.serial),
            result: entry.result.word(),
            applied: entry.applied.map(serial),
            current: current.map(serial),
            at: written(entry.at),
        }
    }
}

/// A report, and what its user is entitled to now.
pub(crate) fn shown(store: &Store, entry: ReportEntry) -> Result<(Shown, bool), Failure> {
    let now = UnixTime::now();
    let current = match store.run(&Inspect(entry.key_id), now)? {
        None => None,
        Some(registration) => {
            // The same question that a session asks.
            let query = EntitlementQuery {
                key_id: entry.key_id,
                user_id: registration.user_id,
                access_path: registration.access_path,
                application: entry.application.clone(),
                information: UserInformation::default(),
                held: None,
            };
            store.entitlement(&query, now).map_err(OperatorError::Store)?.map(|entitled| entitled.serial)
        }
    };
    let outdated = current.is_some_and(|current| entry.applied.is_none_or(|applied| applied < current));
    Ok((Shown::new(entry, current), outdated))
}

impl List {
    pub(crate) fn run(self, store: &Store, out: &mut Output) -> Result<(), Failure> {
        let filter = ReportFilter { key_id: self.key, application: self.app, result: self.result };
        let page =
            |after, limit| store.run(&Reports { filter: filter.clone(), after, limit }, UnixTime::now());
        let view = |entry| {
            let (shown, outdated) = shown(store, entry)?;
            Ok((outdated || !self.outdated).then_some(shown))
        };
        self.paging.list(out, page, view)
    }
}
