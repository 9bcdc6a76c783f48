//! Who has applied which configuration.

use super::desk::Desk;
use super::events::short;
use super::frame::{Asked, ago, chooser, foreign, live, or_dash, page, rest};
use super::wrong::Wrong;
use axum::extract::{RawQuery, State};
use halfkey::ApplicationName;
use halfkey::configuration::ConfigurationSerial;
use halfkey::port::entitlement_store::ReportResult;
use halfkey::store::operation::{RolloutEntry, RolloutFilter};
use halfkey_common::page::{Input, Page, table};
use halfkey_service::APPLICATION;
use maud::{Markup, html};

const PATH: &str = "/configuration";

pub(super) async fn list(State(desk): State<Desk>, query: RawQuery) -> Result<Page, Wrong> {
    let asked = Asked::from(query);
    let text = asked.get("application").unwrap_or(APPLICATION);
    let application: ApplicationName = text.parse().map_err(|_| Wrong::NotThere)?;
    let found = desk.page(RolloutFilter { application }, asked.after()).await?;
    let outdated = found.entries.iter().filter(|entry| entry.is_outdated()).count();
    let input = Input::text("application", "Application")
        .hint("The name that entitlements are set for; services is the list of services.")
        .value(text)
        .longest(255);
    let body = html! {
        p.lead { "Who has applied what they are entitled to in " (foreign(text)) "." }
        @if found.entries.is_empty() {
            p { "Nobody here is entitled to anything in it." }
        } @else {
            p {
                @if outdated == 0 { "All of these have what they are entitled to." }
                @else { "Not applied yet: " strong { (outdated) } " of " (found.entries.len()) "." }
            }
            (shown(text, &found.entries))
        }
        (rest(PATH, &asked, found.next.as_ref(), found.damaged.len()))
        (chooser(PATH, &asked, "Show another application", &input))
    };
    Ok(live(page("Configuration"), PATH, &asked, &body))
}

fn shown(application: &str, entries: &[RolloutEntry]) -> Markup {
    let rows = entries.iter().map(|entry| {
        let who = html! {
            a href=(format!("/registrations/{}", entry.key_id)) { (foreign(entry.name.as_str())) }
            " " code { (short(&entry.key_id.to_string())) }
        };
        vec![who, state(entry), or_dash(entry.applied, serial), serial(entry.current), report(entry)]
    });
    let caption = format!("Configurations of {application}");
    table(&caption, &["Who", "State", "Applied", "Entitled to", "Last report"], rows)
}

fn state(entry: &RolloutEntry) -> Markup {
    html! {
        @if !entry.is_outdated() { span.state { "up to date" } }
        @else if entry.reported.is_some_and(|(result, _)| result != ReportResult::Applied) {
            span.state.bad { "not applied" }
        }
        @else { span.state.off { "yet to come" } }
    }
}

/// A serial, as the operator's other programs write it.
pub(super) fn serial(serial: ConfigurationSerial) -> Markup {
    html! { (serial.epoch) "." (serial.number) }
}

fn report(entry: &RolloutEntry) -> Markup {
    or_dash(entry.reported, |(result, at)| html! { (result.word()) ", " (ago(at)) })
}
