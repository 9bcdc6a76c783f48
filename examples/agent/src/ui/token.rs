//! Pages about the token: how things stand, renewal, PIN.

use super::{
    Desk, Desked, Seated, Sent, lock, new_pin_fields, new_pin_problem, page, pin_field, refused, to, wrong,
};
use crate::agent::Agent;
use crate::command;
use crate::control::{Request, ask};
use crate::report::{GateReport, Link, Report};
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use halfkey::software::SecretString;
use halfkey::{ServerName, UnixTime};
use halfkey_common::page::{Input, Kind, Page, Posted, Session, problems, table};
use halfkey_common::time::written;
use maud::{Markup, html};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

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

/// Something that is done to a gate.
#[derive(Clone, Copy)]
enum Deed {
    Renew,
    Resume,
    Forget,
}

async fn confirm(
    desk: &Desk,
    session: &Session,
    deed: Deed,
    server: &ServerName,
    problem: Option<String>,
) -> Page {
    let running = matches!(ask(&desk.place, &Request::Status).await, Ok(Some(_)));
    let (title, path, text, button) = match deed {
        Deed::Renew => (
            format!("Renew the key for {server}"),
            format!("/renew/{server}"),
            "The token and the gate make a new key, and the one of now is given up. What was filled in before is sent again.",
            "Renew",
        ),
        Deed::Resume => (
            format!("Ask {server} again"),
            format!("/resume/{server}"),
            "The operator had not decided when it was last asked.",
            "Ask",
        ),
        Deed::Forget => (
            format!("Forget {server}"),
            format!("/forget/{server}"),
            "Its keys, its address and its services are removed from this machine. To come back, you need another invitation. Have its operator revoke the key.",
            "Forget it",
        ),
    };
    let asks = !running && !desk.is_given();
    // Without a field for the PIN, what is wrong stands by itself.
    let (alone, beside) = if asks { (None, problem) } else { (problem, None) };
    let input = pin_field().error(beside);
    page(&title, "/").body(html! {
        (problems([&input]))
        @if let Some(problem) = alone { section.problems role="alert" tabindex="-1" autofocus { p { (problem) } } }
        p { (text) }
        form method="post" action=(path) novalidate {
            (session.token())
            @if asks { (input) }
            div.row {
                @if matches!(deed, Deed::Forget) { button.grave { (button) } } @else { button { (button) } }
                a href="/" { "Back" }
            }
        }
    })
}

pub(super) async fn ask_to_renew(
    State(desk): Desked,
    Extension(session): Seated,
    Path(server): Path<String>,
) -> Response {
    ask_to(&desk, &session, Deed::Renew, &server).await
}

pub(super) async fn ask_to_resume(
    State(desk): Desked,
    Extension(session): Seated,
    Path(server): Path<String>,
) -> Response {
    ask_to(&desk, &session, Deed::Resume, &server).await
}

pub(super) async fn ask_to_forget(
    State(desk): Desked,
    Extension(session): Seated,
    Path(server): Path<String>,
) -> Response {
    ask_to(&desk, &session, Deed::Forget, &server).await
}

async fn ask_to(desk: &Desk, session: &Session, deed: Deed, server: &str) -> Response {
    match ServerName::new(server) {
        Ok(server) => confirm(desk, session, deed, &server, None).await.into_response(),
        Err(_) => to("/"),
    }
}

async fn done(desk: &Desk, session: &Session, deed: Deed, server: &str, posted: &Posted) -> Response {
    let Ok(server) = ServerName::new(server) else { return to("/") };
    let (place, dialer, pin) = (&desk.place, desk.dialer.clone(), || Ok(desk.pin(posted)));
    let done = match deed {
        Deed::Renew => Box::pin(command::renewed(place, dialer, Some(&server), BTreeMap::new(), pin))
            .await
            .map(|(server, waiting)| match waiting {
                None => desk.say(format!("The key for {server} is renewed.")),
                Some(_) => desk.say(format!("The operator of {server} is to decide on the renewal.")),
            }),
        Deed::Forget => command::forgotten(place, dialer, Some(&server), pin).await.map(|server| {
            desk.say(format!("{server} is forgotten here. Have its operator revoke the key."));
        }),
        Deed::Resume => {
            let opened = tokio::task::block_in_place(|| Agent::unlocked(place, dialer, pin));
            opened.map(|agent| desk.flow.resume(agent, server.clone()))
        }
    };
    *lock(&desk.seen) = None;
    match done {
        Ok(()) if matches!(deed, Deed::Resume) => {
            desk.flow.settled().await;
            to("/register")
        }
        Ok(()) => to("/"),
        Err(failure) => {
            desk.failed(&failure);
            let problem = halfkey_common::sentence(&failure);
            wrong(confirm(desk, session, deed, &server, Some(problem)).await)
        }
    }
}

pub(super) async fn renew(
    State(desk): Desked,
    Extension(session): Seated,
    Path(server): Path<String>,
    Extension(posted): Sent,
) -> Response {
    done(&desk, &session, Deed::Renew, &server, &posted).await
}

pub(super) async fn resume(
    State(desk): Desked,
    Extension(session): Seated,
    Path(server): Path<String>,
    Extension(posted): Sent,
) -> Response {
    done(&desk, &session, Deed::Resume, &server, &posted).await
}

pub(super) async fn forget(
    State(desk): Desked,
    Extension(session): Seated,
    Path(server): Path<String>,
    Extension(posted): Sent,
) -> Response {
    done(&desk, &session, Deed::Forget, &server, &posted).await
}

/// Stops the agent that runs.
pub(super) async fn stop(State(desk): Desked) -> Response {
    match ask(&desk.place, &Request::Stop).await {
        Ok(_) => to("/register"),
        Err(failure) => wrong(page("The agent is not stopped", "/").body(refused(&failure))),
    }
}

/// The page for a PIN, by the old one or by the unblocking code.
fn pins(session: &Session, path: &'static str, fields: Vec<Input>, alone: Option<Markup>) -> Page {
    let blocked = path == "/unblock";
    page(if blocked { "Unblock the token" } else { "Change the PIN" }, "/pin").body(html! {
        (problems(&fields))
        @if let Some(alone) = alone { (alone) }
        form method="post" action=(path) novalidate {
            (session.token())
            @for field in &fields { (field) }
            button { @if blocked { "Unblock" } @else { "Change it" } }
        }

        @if blocked { p { a href="/pin" { "Change the PIN by the old one" } } }
        @else { p { "Forgotten or blocked? " a href="/unblock" { "Use the unblocking code" } "." } }
    })
}

fn known(path: &str, problem: Option<String>) -> Input {
    let input = if path == "/unblock" {
        Input::new("code", "Unblocking code", Kind::Secret)
            .hint("16 letters and digits, shown when the token was made.")
    } else {
        pin_field()
    };
    input.error(problem)
}

pub(super) async fn pin(State(desk): Desked, Extension(session): Seated) -> Response {
    new_pin(&desk, &session, "/pin")
}

pub(super) async fn unblock(State(desk): Desked, Extension(session): Seated) -> Response {
    new_pin(&desk, &session, "/unblock")
}

fn new_pin(desk: &Desk, session: &Session, path: &'static str) -> Response {
    if !desk.place.token().exists() {
        return to("/register");
    }
    let [new, again] = new_pin_fields(None);
    pins(session, path, vec![known(path, None), new, again], None).into_response()
}

/// Changes the PIN by the old one.
pub(super) async fn change_pin(
    State(desk): Desked,
    Extension(session): Seated,
    Extension(posted): Sent,
) -> Response {
    changed(&desk, &session, &posted, "/pin", "pin").await
}

/// Changes the PIN by the unblocking code.
pub(super) async fn use_code(
    State(desk): Desked,
    Extension(session): Seated,
    Extension(posted): Sent,
) -> Response {
    changed(&desk, &session, &posted, "/unblock", "code").await
}

async fn changed(desk: &Desk, session: &Session, posted: &Posted, path: &'static str, by: &str) -> Response {
    let (old, new) = (posted.get(by), posted.get("new"));
    let missing = old.is_empty().then(|| "This must be filled in".to_string());
    let problem = new_pin_problem(posted);
    if missing.is_some() || problem.is_some() {
        let [new, again] = new_pin_fields(problem);
        return wrong(pins(session, path, vec![known(path, missing), new, again], None));
    }
    let (place, dialer) = (&desk.place, desk.dialer.clone());
    let done = if by == "code" {
        let unblock = || command::unblocked(place, dialer, old, || Ok(SecretString::from(new)));
        tokio::task::block_in_place(unblock)
    } else {
        let text = |text: &str| Zeroizing::new(text.to_string());
        command::changed(place, dialer, text(old), text(new)).await
    };
    match done {
        Ok(()) => {
            *lock(&desk.given) = None;
            desk.say("The PIN is changed.");
            to("/")
        }
        Err(failure) => {
            let [new, again] = new_pin_fields(None);
            let problem = halfkey_common::sentence(&failure);
            wrong(pins(session, path, vec![known(path, Some(problem)), new, again], None))
        }
    }
}
