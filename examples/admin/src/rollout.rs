//! How far a configuration has come.

use crate::failure::Failure;
use crate::paging::Paging;
use crate::report::serial;
use halfkey::store::operation::{ListRollout, RolloutEntry, RolloutFilter};
use halfkey::{ApplicationName, UnixTime};
use halfkey_common::Output;
use halfkey_common::output::Entry;
use halfkey_common::store::Store;
use halfkey_common::time::written;
use serde::Serialize;

/// Of which application, and how many.
#[derive(clap::Args)]
pub(crate) struct List {
    /// The application.
    application: ApplicationName,
    /// Only those who have not applied what they are entitled to now. A page may be short.
    #[arg(long)]
    outdated: bool,
    #[command(flatten)]
    paging: Paging,
}

/// A registration as it is shown.
#[derive(Serialize)]
struct Shown {
    key_id: String,
    user_id: String,
    name: String,
    outdated: bool,
    current: String,
    applied: Option<String>,
    /// What became of the configuration last reported on.
    result: Option<&'static str>,
    reported_at: Option<String>,
    last_seen: Option<String>,
}

impl Entry for Shown {
    const COLUMNS: &'static [&'static str] =
        &["key_id", "name", "outdated", "current", "applied", "result", "reported_at", "last_seen"];
}

impl From<RolloutEntry> for Shown {
    fn from(entry: RolloutEntry) -> Self {
        Self {
            outdated: entry.is_outdated(),
            key_id: entry.key_id.to_string(),
            user_id: entry.user_id.to_string(),
            name: entry.name.to_string(),
            current: serial(entry.current),
            applied: entry.applied.map(serial),
            result: entry.reported.map(|(result, _)| result.word()),
            reported_at: entry.reported.map(|(_, at)| written(at)),
            last_seen: entry.last_seen.map(written),
        }
    }
}

impl List {
    pub(crate) fn run(self, store: &Store, out: &mut Output) -> Result<(), Failure> {
        let application = &self.application;
        let page = |after, limit| {
            store.run(
                &ListRollout { filter: RolloutFilter { application: application.clone() }, after, limit },
                UnixTime::now(),
            )
        };
        let view =
            |entry: RolloutEntry| Ok((entry.is_outdated() || !self.outdated).then(|| Shown::from(entry)));
        self.paging.list(out, page, view)
    }
}
