//! Pages of a registration.

use super::flow::Stage;
use super::{Desk, Desked, Seated, Sent, new_pin_fields, new_pin_problem, page, pin_field, to, wrong};
use crate::answers::Question;
use crate::control::{Request, ask};
use crate::enrol::{address, token};
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use halfkey::registration::EnrolmentUri;
use halfkey::software::SecretString;
use halfkey_common::page::{Input, Kind, Page, Session, answers, controls, problems};
use halfkey_common::time::written;
use maud::{Markup, html};
use std::sync::Arc;
use zeroize::Zeroizing;

const AT: &str = "/register";
/// Seconds after which a page looks again.
const SOON: u32 = 2;
const LATER: u32 = 5;

/// The page for what the registration has come to.
async fn page_of(desk: &Desk, session: &Session) -> Page {
    let nothing = desk.flow.look(|stage, _| matches!(stage, Stage::Nothing));
    if nothing {
        return first(desk, session, None).await;
    }
    desk.flow.look(|stage, uri| match stage {
        Stage::Nothing => page("Register with a gate", AT),
        Stage::Invited(problem) => invited(desk, session, uri, problem.clone()),
        Stage::Working(what) => page("One moment", AT).again(SOON).body(html! {
            p.lead role="status" { (what) "…" }
            p { "This page goes on by itself. If it does not, " a href="/register" { "look again" } "." }
        }),
        Stage::Code(code) => page("Put this code away", AT).body(html! {
            p.lead { "There is a new token on this machine. If its PIN is ever forgotten or blocked, this code unblocks it:" }
            p.sheet { code.secret #code { (code.as_str()) } }
            p { "It is shown only now. Write it down or print it, and keep it apart from this machine." }
            (button(session, "/register/go", "I have put it away"))
        }),
        Stage::Asking(question) => asking(session, question),
        Stage::Waiting(server) => page("The operator is to decide", AT).again(LATER).body(html! {
            p.lead { strong { (server) } " has your registration. Its operator is to let you in." }
            p { "This page asks again by itself. It may also be closed: " code { "halfkey up" } " goes on with it." }
            div.row { (plain(session, "/register/leave", "Leave")) }
        }),
        Stage::Done(server, user) => page("You are registered", AT).body(html! {
            div.good role="status" { p { strong { (server) } " knows this machine’s token as the user " strong { (user.as_str()) } "." } }
            p { "Now start the agent, which brings your services onto this machine:" }
            p.sheet { code { "halfkey up" } }
            p { a href="/" { "How things stand" } }
        }),
        Stage::Failed(why) => page("It did not get through", AT).wrong(true).body(html! {
            section.problems role="alert" tabindex="-1" autofocus { p { (why) } }
            p { "Nothing is lost: what you typed is kept, and a code that was not used up is still good." }
            div.row {
                @if uri.is_some() { (button(session, "/register/go", "Try again")) }
                (plain(session, "/register/leave", "Leave"))
            }
        }),
    })
}

/// A form of one button.
fn button(session: &Session, path: &str, text: &str) -> Markup {
    html! { form method="post" action=(path) { (session.token()) button { (text) } } }
}

fn plain(session: &Session, path: &str, text: &str) -> Markup {
    html! { form method="post" action=(path) { (session.token()) button.plain { (text) } } }
}

async fn first(desk: &Desk, session: &Session, problem: Option<String>) -> Page {
    let running = matches!(ask(&desk.place, &Request::Status).await, Ok(Some(_)));
    let input = Input::new("uri", "Invitation", Kind::Long)
        .hint("All of the address that begins with halfkey://, as the operator has sent it. It has a code in it: give it to nobody.")
        .error(problem);
    page("Register with a gate", AT).body(html! {
        (problems([&input]))
        p.lead { "A gate’s operator has sent you an invitation. With it, this machine makes a key together with the gate, and no one else ever has it." }
        @if running {
            div.note {
                p { "An agent runs, and holds the token. Stop it before you register; start it again with " code { "halfkey up" } "." }
                (plain(session, "/stop", "Stop the agent"))
            }
        }
        form method="post" action="/register/invitation" novalidate {
            (session.token())
            (input)
            button { "Go on" }
        }
    })
}

/// The invitation as it is read, and the PIN.
fn invited(desk: &Desk, session: &Session, uri: Option<&EnrolmentUri>, problem: Option<String>) -> Page {
    let new = !desk.place.token().exists();
    let failed = problem.clone().filter(|_| desk.is_given());
    let inputs = match (desk.is_given(), new) {
        (true, _) => Vec::new(),
        (false, true) => new_pin_fields(problem).into(),
        (false, false) => vec![pin_field().error(problem)],
    };
    page("Your invitation", AT).body(html! {
        (problems(&inputs))
        @if let Some(failed) = failed { section.problems role="alert" tabindex="-1" autofocus { p { (failed) } } }
        @if let Some(uri) = uri {
            dl.sheet {
                dt { "Gate" } dd { strong { (uri.server()) } }
                dt { "Address" } dd { (address(uri)) }
                @if let Some(name) = uri.name() { dt { "For" } dd { (name) } }
                dt { "Code" } dd { @if uri.code().is_some() { "with an activation code" } @else { "none: the operator decides" } }
            }
        }
        p { "Before anything about you is sent, the gate has to show a certificate for this name." }
        form method="post" action="/register/pin" novalidate {
            (session.token())
            @if new && !inputs.is_empty() {
                h2 { "A PIN for a new token" }
                p { "The keys are kept on this machine, in a token that opens with a PIN of your own." }
            }
            @for input in &inputs { (input) }
            button { "Go on" }
        }
        div.row { (plain(session, "/register/leave", "Use another invitation")) }
    })
}

fn asking(session: &Session, question: &Question) -> Page {
    let Question { server, template, answers, wrong, .. } = question;
    let inputs = controls(template, answers, wrong);
    page(&format!("{} asks", server.name()), AT).wrong(!wrong.0.is_empty()).body(html! {
        (problems(&inputs))
        div.good {
            p { strong #server { (server.name()) } " has shown a certificate for this name, by an issuer that your token trusts." }
            p.hint { "Serial number " code { (server.serial()) } ", good until " time { (written(server.not_after())) } "." }
        }
        form method="post" action="/register/form" novalidate {
            (session.token())
            @for input in &inputs { (input) }
            button { "Register" }
        }
        div.row { (plain(session, "/register/leave", "Leave")) }
    })
}

/// Shows it.
pub(super) async fn show(State(desk): Desked, Extension(session): Seated) -> Page {
    page_of(&desk, &session).await
}

/// Takes an invitation.
pub(super) async fn invitation(
    State(desk): Desked,
    Extension(session): Seated,
    Extension(posted): Sent,
) -> Response {
    // Mail programs break long lines.
    let mut text = Zeroizing::new(String::with_capacity(posted.get("uri").len()));
    text.extend(posted.get("uri").chars().filter(|sign| !sign.is_whitespace()));
    let problem = match text.parse::<EnrolmentUri>() {
        _ if text.is_empty() => "“Invitation” must be filled in".into(),
        Err(error) => format!("“Invitation”: {error}"),
        Ok(uri) => {
            desk.flow.invite(uri);
            return to(AT);
        }
    };
    wrong(first(&desk, &session, Some(problem)).await)
}

/// Takes the PIN, and opens or makes the token.
pub(super) async fn pin(
    State(desk): Desked,
    Extension(session): Seated,
    Extension(posted): Sent,
) -> Response {
    let new = !desk.place.token().exists();
    if !desk.is_given() {
        let empty = || posted.get("pin").is_empty().then(|| "“PIN” must be filled in".to_string());
        let problem = if new { new_pin_problem(&posted) } else { empty() };
        if problem.is_some() {
            return wrong(desk.flow.look(|_, uri| invited(&desk, &session, uri, problem)));
        }
    }
    let given = desk.is_given();
    let typed = posted.get(if new { "new" } else { "pin" });
    let pin = if given { desk.pin(&posted) } else { SecretString::from(typed) };
    let (place, dialer, anchors) = (desk.place.clone(), desk.dialer.clone(), desk.anchors.clone());
    let open = move |uri: &EnrolmentUri| {
        let (agent, code) = token(&place, dialer, uri, anchors, |_| Ok(pin))?;
        Ok((agent, code.map(|code| code.reveal())))
    };
    let forget = Arc::clone(&desk);
    desk.flow.open(open, move |failure| forget.failed(failure));
    *super::lock(&desk.seen) = None;
    desk.flow.settled().await;
    to(AT)
}

/// Connects to the gate, or tries that again.
pub(super) async fn go(State(desk): Desked) -> Response {
    desk.flow.go();
    desk.flow.settled().await;
    to(AT)
}

/// Takes the answers to the gate's questions.
pub(super) async fn form(State(desk): Desked, Extension(posted): Sent) -> Response {
    desk.flow.answer(|question| answers(&question.template, &posted));
    desk.flow.settled().await;
    to(AT)
}

/// Leaves it.
pub(super) async fn leave(State(desk): Desked) -> Response {
    desk.flow.leave();
    to(AT)
}
