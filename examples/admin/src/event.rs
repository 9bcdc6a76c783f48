//! The log.

use crate::failure::Failure;
use crate::paging::{Paging, every};
use crate::registration::name;
use halfkey::store::operation::{EventFilter, ListEvents};
use halfkey::store::{AuditEvent, AuditEventKind};
use halfkey::{EventId, KeyId, UnixTime, UserName};
use halfkey_common::Output;
use halfkey_common::output::{Entry, Table};
use halfkey_common::store::Store;
use halfkey_common::time::{When, written};
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;

/// The kinds, as they are given.
fn kinds() -> String {
    let kinds: Vec<_> = AuditEventKind::ALL.iter().map(|kind| kind.word().replace(' ', "-")).collect();
    format!("Of this kind: {}", kinds.join(", "))
}

fn kind(words: &str) -> Result<AuditEventKind, &'static str> {
    let kind = AuditEventKind::from_word(&words.replace(['-', '_'], " "));
    kind.ok_or("the log has no such kind; `admin events --help` lists them")
}

/// Which entries, and how many.
#[derive(clap::Args)]
pub(crate) struct List {
    /// At this time or later.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    since: Option<When>,
    /// At this time or before.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<When>,
    #[arg(long, value_parser = kind, help = kinds())]
    kind: Option<AuditEventKind>,
    /// Of this key.
    #[arg(long, value_name = "KEY_ID")]
    key: Option<KeyId>,
    /// Of this name.
    #[arg(long, value_parser = name)]
    name: Option<UserName>,
    /// From the oldest to the newest; otherwise the newest come first.
    #[arg(long)]
    oldest_first: bool,
    /// Shows the newest, in the order in which they happened, and goes on with those that come.
    #[arg(long, conflicts_with_all = ["oldest_first", "after", "all", "until"])]
    follow: bool,
    #[command(flatten)]
    paging: Paging,
}

/// An entry as it is shown.
#[derive(Serialize)]
pub(crate) struct Shown {
    id: String,
    at: String,
    kind: &'static str,
    cause: Option<&'static str>,
    status: Option<&'static str>,
    result: Option<&'static str>,
    key_id: Option<String>,
    user_id: Option<String>,
    name: Option<String>,
    subject: Option<String>,
    application: Option<String>,
    /// Of an entitlement that has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<String>,
    serial: Option<String>,
    /// What a table has room for: the cause, the standing or the result.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
}

impl Entry for Shown {
    const COLUMNS: &'static [&'static str] =
        &["at", "kind", "name", "key_id", "subject", "application", "serial", "why"];
}

impl Shown {
    pub(crate) fn of(event: &AuditEvent, json: bool) -> Self {
        let text = |id: &dyn ToString| id.to_string();
        let cause = event.cause.map(|cause| cause.word());
        let status = event.status.map(|status| status.word());
        let result = event.result.map(|result| result.word());
        Self {
            id: event.id.to_string(),
            at: written(event.at),
            kind: event.kind.word(),
            cause,
            status,
            result,
            key_id: event.key_id.as_ref().map(|id| text(id)),
            user_id: event.user_id.as_ref().map(|id| text(id)),
            name: event.name.as_ref().map(|name| text(name)),
            subject: event.subject.as_ref().map(|subject| text(subject)),
            application: event.application.as_ref().map(|application| text(application)),
            condition: event.condition.as_ref().map(|condition| text(condition)),
            serial: event.serial.map(|serial| format!("{}.{}", serial.epoch, serial.number)),
            why: cause.or(status).or(result).or(Some("-")).filter(|_| !json),
        }
    }
}

impl List {
    pub(crate) fn run(self, store: &Store, out: &mut Output) -> Result<(), Failure> {
        let filter = EventFilter {
            kind: self.kind,
            key_id: self.key,
            name: self.name,
            since: self.since.map(|When(time)| time),
            until: self.until.map(|When(time)| time),
            newest_first: !self.oldest_first,
        };
        if self.follow {
            return follow(store, filter, self.paging.limit(), out);
        }
        let json = out.is_json();
        let page =
            |after, limit| store.run(&ListEvents { filter: filter.clone(), after, limit }, UnixTime::now());
        self.paging.list(out, page, |event| Ok(Some(Shown::of(&event, json))))
    }
}

/// How far the clocks of servers may be apart, in seconds: an entry may come late by so much.
const CLOCKS: u64 = 60;

/// Shows entries as they come, until the program is ended or nobody reads on.
fn follow(store: &Store, mut filter: EventFilter, newest: u16, out: &mut Output) -> Result<(), Failure> {
    let json = out.is_json();
    let newest = ListEvents { filter: filter.clone(), after: None, limit: Some(newest) };
    let mut come = store.run(&newest, UnixTime::now())?.entries;
    come.reverse();
    filter.newest_first = false;
    let mut table = Table::default();
    let mut told: BTreeSet<(UnixTime, EventId)> = BTreeSet::new();
    loop {
        let shown: Vec<_> = come.iter().map(|event| Shown::of(event, json)).collect();
        table.page(out, &shown)?;
        out.flush()?;
        told.extend(come.iter().map(|event| (event.at, event.id)));
        std::thread::sleep(Duration::from_millis(500));
        let since = UnixTime::from_secs(UnixTime::now().as_secs().saturating_sub(CLOCKS));
        // What was told and is older cannot come again.
        told = told.split_off(&(since, EventId::new([0; 16])));
        filter.since = filter.since.max(Some(since));
        come.clear();
        every(
            out.program(),
            |after, limit| store.run(&ListEvents { filter: filter.clone(), after, limit }, UnixTime::now()),
            |event| {
                if !told.contains(&(event.at, event.id)) {
                    come.push(event);
                }
                Ok(())
            },
        )?;
    }
}
