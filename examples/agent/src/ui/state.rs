//! Page of how things stand.

use super::{Desk, Desked, Seated, Sent, lock, page, pin_field, refused, to, wrong};
use crate::command;
use crate::control::{Request, ask};
use crate::report::{GateReport, Link, Report};
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use halfkey::UnixTime;
use halfkey_common::page::{Page, Session, problems, table};
use halfkey_common::time::written;
use maud::{Markup, html};

/// Seconds after which a page whose links change looks again.
const LATER: u32 = 10;

/// How things stand.
pub(super) async fn state(State(desk): Desked, Extension(session): Seated) -> Response {
    if !desk.place.token().exists() {
        return to("/register");
    }
    let seen = lock(&desk.seen).clone();
    let report = match ask(&desk.place, &Request::Status).await {
        Ok(None) if seen.is_some() => Ok(seen.unwrap_or_default()),
        _ => command::standing(&desk.place, desk.dialer.clone(), None::<fn() -> _>).await,
    };
    match report {
        Ok(report) => standing(&desk, &session, &report, None).into_response(),
        Err(failure) => wrong(page("How things stand", "/").body(refused(&failure))),
    }
}

/// How things stand, with the PIN, where no agent runs.
pub(super) async fn see(
    State(desk): Desked,
    Extension(session): Seated,
    Extension(posted): Sent,
) -> Response {
    let pin = desk.pin(&posted);
    match command::standing(&desk.place, desk.dialer.clone(), Some(|| Ok(pin))).await {
        Ok(report) => {
            *lock(&desk.seen) = (!report.running).then_some(report);
            to("/")
        }
        Err(failure) => {
            let report = command::standing(&desk.place, desk.dialer.clone(), None::<fn() -> _>).await;
            desk.failed(&failure);
            let problem = halfkey_common::sentence(&failure);
            wrong(standing(&desk, &session, &report.unwrap_or_default(), Some(problem)))
        }
    }
}

fn standing(desk: &Desk, session: &Session, report: &Report, problem: Option<String>) -> Page {
    let moving = report
        .gates
        .iter()
        .any(|gate| matches!(gate.link, Link::Connecting | Link::Retrying | Link::Waiting));
    let typed = pin_field().error(problem);
    let known = report.gates.iter().any(|gate| gate.key_id.is_some() || gate.reason.is_some());
    let shown = page("How things stand", "/").body(html! {
        (problems([&typed]))
        (desk.said())
        @if report.running {
            p.lead { "The agent runs." }
        } @else {
            p.lead { "No agent runs: services are not here. Start it with " code { "halfkey up" } "." }
        }
        @if report.tries_left == Some(0) {
            div.note { p { "The token is blocked after too many wrong PINs. " a href="/unblock" { "Unblock it" } "." } }
        }
        @if report.gates.is_empty() {
            p { "There is no gate yet. " a href="/register" { "Register with one" } "." }
        }
        @for gate in &report.gates { (one(gate)) }
        @if !report.running && !known && report.tries_left != Some(0) && !report.gates.is_empty() {
            form.sheet method="post" action="/" novalidate {
                (session.token())
                h2 { "See more" }
                p { "What the token holds is seen with its PIN." }
                @if !desk.is_given() { (typed) }
                button { "Show" }
            }
        }
        form method="post" action="/close" {
            (session.token())
            div.row { button.plain { "Close this page" } }
        }
    });
    if report.running && moving { shown.again(LATER) } else { shown }
}

fn one(gate: &GateReport) -> Markup {
    let GateReport {
        server, address, link, reason, user_id, access_path, expires, valid_for, services, ..
    } = gate;
    let class = match link {
        Link::Connected => "state",
        Link::Refused => "state bad",
        _ => "state off",
    };
    let rows = services.iter().map(|service| {
        vec![
            html! { strong { (service.name) } },
            html! { code { (service.listen) } },
            html! { @match &service.error {
                Some(error) => { "not open: " (error) },
                None => { (service.connections) @if service.connections == 1 { " connection" } @else { " connections" } },
            } },
        ]
    });
    html! {
        section.sheet {
            h2 { (server) " " span class=(class) { (link.word()) } }
            @if let Some(reason) = reason { p { (reason) } }
            dl {
                dt { "Address" } dd { (address) }
                @if let Some(user) = user_id { dt { "User id" } dd { (user.as_str()) } }
                @if let Some(path) = access_path { dt { "Access path" } dd { (path.as_str()) } }
                @if let Some(at) = expires { dt { "The key expires" } dd { time { (written(UnixTime::from_secs(*at))) } } }
                @if let Some(left) = valid_for { dt { "Services good for" } dd { (left) " s" } }
            }
            @if !services.is_empty() { (table("Services", &["Service", "Here", "In use"], rows)) }
            @else if *link == Link::Connected { p { "The gate entitles you to no service at the moment." } }
            div.row {
                @if user_id.is_some() { a.button.plain href=(format!("/renew/{server}")) { "Renew the key" } }
                @else if *link == Link::Off && reason.is_some() {
                    a.button.plain href=(format!("/resume/{server}")) { "Ask the operator again" }
                }
                a.button.plain href=(format!("/forget/{server}")) { "Forget" }
            }
        }
    }
}

/// Stops the agent that runs.
pub(super) async fn stop(State(desk): Desked) -> Response {
    match ask(&desk.place, &Request::Stop).await {
        Ok(_) => to("/register"),
        Err(failure) => wrong(page("The agent is not stopped", "/").body(refused(&failure))),
    }
}
