//! Pages of what is done to a gate.

use super::{Desk, Desked, Seated, Sent, lock, page, pin_field, to, wrong};
use crate::agent::Agent;
use crate::answers::Asker;
use crate::command;
use crate::control::{Request, ask};
use crate::failure::Failure;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use halfkey::ServerName;
use halfkey_common::ProgramError;
use halfkey_common::page::{Page, Posted, Session, problems};
use maud::html;

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
        Deed::Renew => renewed(desk, &server, posted).await,
        Deed::Forget => command::forgotten(place, dialer, Some(&server), pin).await.map(|server| {
            desk.say(format!("{server} is forgotten here. Have its operator revoke the key."));
            "/"
        }),
        Deed::Resume => {
            let opened = tokio::task::block_in_place(|| Agent::unlocked(place, dialer, pin));
            opened.map(|agent| {
                desk.flow.resume(agent, server.clone());
                "/register"
            })
        }
    };
    *lock(&desk.seen) = None;
    match done {
        Ok(path) => {
            desk.flow.settled().await;
            to(path)
        }
        Err(failure) => {
            desk.failed(&failure);
            let problem = halfkey_common::sentence(&failure);
            wrong(confirm(desk, session, deed, &server, Some(problem)).await)
        }
    }
}

/// Renews, and says which page is next.
async fn renewed(desk: &Desk, server: &ServerName, posted: &Posted) -> Result<&'static str, Failure> {
    let (place, dialer, pin) = (&desk.place, desk.dialer.clone(), || Ok(desk.pin(posted)));
    let renewed = command::renewed(place, dialer.clone(), Some(server), Asker::default(), pin);
    match Box::pin(renewed).await {
        Ok((server, None)) => desk.say(format!("The key for {server} is renewed.")),
        Ok((server, _)) => desk.say(format!("The operator of {server} is to decide on the renewal.")),
        Err(failure) if failure.word() == "form" => {
            // The gate asks what it did not ask before, and an agent that runs has nobody to ask.
            let agent = tokio::task::block_in_place(|| Agent::unlocked(place, dialer, pin));
            let agent = agent.map_err(|failure| match failure {
                Failure::Running => Failure::Refused {
                    server: server.clone(),
                    why: "it asks what it did not ask before: stop the agent (halfkey stop), and renew here"
                        .into(),
                },
                failure => failure,
            })?;
            desk.flow.renew(agent, server.clone());
            return Ok("/register");
        }
        Err(failure) => return Err(failure),
    }
    Ok("/")
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
