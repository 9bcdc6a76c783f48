//! Recent events, the newest first.

use super::desk::Desk;
use super::frame::{Asked, chooser, foreign, live, or_dash, page, rest, when};
use super::wrong::Wrong;
use axum::extract::{RawQuery, State};
use halfkey::store::operation::EventFilter;
use halfkey::store::{AuditEvent, AuditEventKind};
use halfkey_common::page::{Input, Kind, Page, table};
use maud::{Markup, html};

const PATH: &str = "/events";

pub(super) async fn list(State(desk): State<Desk>, query: RawQuery) -> Result<Page, Wrong> {
    let asked = Asked::from(query);
    let kind = asked.get("kind").and_then(AuditEventKind::from_word);
    let filter = EventFilter { kind, newest_first: true, ..EventFilter::default() };
    let found = desk.page(filter, asked.after()).await?;
    let kinds = AuditEventKind::ALL.iter().map(|kind| (kind.word().to_owned(), kind.word().to_owned()));
    let of_kind = Input::new("kind", "Of this kind", Kind::Choice(kinds.collect()))
        .optional()
        .none("All kinds")
        .value(kind.map_or("", AuditEventKind::word));
    let body = html! {
        @if found.entries.is_empty() { p { "There are none." } } @else { (shown("Events, the newest first", &found.entries)) }
        (rest(PATH, &asked, found.next.as_ref(), found.damaged.len()))
        (chooser(PATH, &asked, "Show one kind alone", &of_kind))
    };
    Ok(live(page("Events"), PATH, &asked, &body))
}

/// A table of events.
pub(super) fn shown(caption: &str, events: &[AuditEvent]) -> Markup {
    let rows = events.iter().map(|event| {
        let key = html! {
            @if let Some(name) = &event.name { (foreign(name.as_str())) " " }
            @if let Some(key_id) = event.key_id {
                a href=(format!("/registrations/{key_id}")) { "key " code { (short(&key_id.to_string())) } }
            } @else if event.name.is_none() {
                (or_dash(None::<()>, |()| html! {}))
            }
        };
        vec![when(event.at), html! { span.whole { (event.kind.word()) } }, key, about(event)]
    });
    table(caption, &["At", "What", "Who", "More"], rows)
}

/// The rest that an event says.
fn about(event: &AuditEvent) -> Markup {
    let words = [
        event.cause.map(|cause| cause.word().to_owned()),
        event.status.map(|status| status.word().to_owned()),
        event.result.map(|result| result.word().to_owned()),
        event.subject.as_ref().map(ToString::to_string),
        event.application.as_ref().map(ToString::to_string),
        event.condition.as_ref().map(ToString::to_string),
        event.serial.map(|serial| format!("{}.{}", serial.epoch, serial.number)),
    ];
    let words: Vec<_> = words.into_iter().flatten().collect();
    or_dash((!words.is_empty()).then_some(words), |words| foreign(&words.join(", ")))
}

/// The beginning of an id, where it is long.
pub(super) fn short(id: &str) -> String {
    match id.get(..8) {
        Some(beginning) if id.len() > 16 => format!("{beginning}…"),
        _ => id.into(),
    }
}
