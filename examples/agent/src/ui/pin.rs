//! Pages of the PIN.

use super::{Desk, Desked, Seated, Sent, lock, new_pin_fields, new_pin_problem, page, pin_field, to, wrong};
use crate::command;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use halfkey::software::SecretString;
use halfkey_common::page::{Input, Kind, Page, Posted, Session, problems};
use maud::html;
use zeroize::Zeroizing;

/// The page for a PIN, by the old one or by the unblocking code.
fn pins(session: &Session, path: &'static str, fields: Vec<Input>) -> Page {
    let blocked = path == "/unblock";
    page(if blocked { "Unblock the token" } else { "Change the PIN" }, "/pin").body(html! {
        (problems(&fields))
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
    pins(session, path, vec![known(path, None), new, again]).into_response()
}

/// Changes the PIN by the old one.
pub(super) async fn change(
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
        return wrong(pins(session, path, vec![known(path, missing), new, again]));
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
            wrong(pins(session, path, vec![known(path, Some(problem)), new, again]))
        }
    }
}
