//! The log.

use crate::failure::Failure;
use crate::output::{Entry, Output};
use crate::paging::Paging;
use crate::registration::name;
use crate::time::{When, written};
use halfkey::sqlite::Store;
use halfkey::store::operation::{EventFilter, ListEvents};
use halfkey::store::{AuditEvent, AuditEventKind};
use halfkey::{KeyId, UnixTime, UserName};
use serde::Serialize;

fn kind(words: &str) -> Result<AuditEventKind, &'static str> {
    let kind = AuditEventKind::from_word(&words.replace(['-', '_'], " "));
    kind.ok_or("the log has no such kind; see which there are in the column KIND of `admin events`")
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
    /// Of this kind, such as refused or code-issued.
    #[arg(long, value_parser = kind)]
    kind: Option<AuditEventKind>,
    /// Of this key.
    #[arg(long, value_name = "KEY_ID")]
    key: Option<KeyId>,
    /// Of this name.
    #[arg(long, value_parser = name)]
    name: Option<UserName>,
    /// From the newest to the oldest.
    #[arg(long)]
    newest_first: bool,
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
            newest_first: self.newest_first,
        };
        let json = out.is_json();
        let page =
            |after, limit| store.run(&ListEvents { filter: filter.clone(), after, limit }, UnixTime::now());
        self.paging.list(out, page, |event| Ok(Some(Shown::of(&event, json))))
    }
}
