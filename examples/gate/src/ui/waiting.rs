//! Applications that wait for the operator.

use super::desk::Desk;
use super::frame::{Asked, address, ago, done, foreign, live, page, rest, when};
use super::wrong::Wrong;
use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use halfkey::record::{RejectionCode, RequestAnswer, Takes};
use halfkey::store::operation::{DecideRequest, RequestEntry, RequestFilter};
use halfkey::template::{FieldKind, FieldValue, Template};
use halfkey::{TicketId, UserName};
use halfkey_common::page::{Input, Kind, Page, Posted, Session, problems};
use halfkey_common::reason::Reason;
use maud::{Markup, html};

const PATH: &str = "/waiting";

pub(super) async fn list(
    State(desk): State<Desk>,
    Extension(session): Extension<Session>,
    query: RawQuery,
) -> Result<Page, Wrong> {
    let asked = Asked::from(query);
    let all = asked.get("all").is_some();
    let filter = RequestFilter { undecided: !all, ..RequestFilter::default() };
    let mut found = desk.page(filter, asked.after()).await?;
    found.entries.sort_by_key(|entry| (entry.answer.is_some(), entry.since));
    let said = match asked.get("done") {
        Some("approved") => Some(
            "Approved. The agent is registered when it asks again, which takes a quarter of a minute or so.",
        ),
        Some("refused") => Some("Refused. The agent is told so when it asks again."),
        _ => None,
    };
    let body = html! {
        (done(said))
        @if found.entries.is_empty() {
            p { @if all { "Nobody waits." } @else { "Nobody waits for an answer." } }
        }
        @for entry in &found.entries {
            article.sheet {
                (about(entry, &desk.template, 2))
                div.row {
                    @if entry.answer != Some(RequestAnswer::Approved) {
                        form method="post" action=(path_of(entry, "/approve")) {
                            (session.token())
                            button { "Approve" span.hidden { " " (entry.name.as_str()) } }
                        }
                    }
                    a.button.plain href=(page_of(entry)) {
                        @if entry.answer.is_some() { "Answer otherwise" } @else { "Refuse …" }
                        span.hidden { " " (entry.name.as_str()) }
                    }
                }
            }
        }
        (rest(PATH, &asked, found.next.as_ref(), found.damaged.len()))
        p {
            @if all { a href=(PATH) { "Leave out those that have an answer" } }
            @else { a href=(address(PATH, [("all", "1")])) { "Show those that have an answer, too" } }
        }
    };
    Ok(live(page("Waiting"), PATH, &asked, &body))
}

/// One application, and both answers to it.
pub(super) async fn show(
    State(desk): State<Desk>,
    Extension(session): Extension<Session>,
    Path(ticket): Path<String>,
    query: RawQuery,
) -> Result<Page, Wrong> {
    let entry = find(&desk, &ticket, Asked::from(query).get("name").unwrap_or_default()).await?;
    Ok(decision(&desk, &session, &entry, None))
}

pub(super) async fn approve(State(desk): State<Desk>, Path(ticket): Path<String>) -> Result<Redirect, Wrong> {
    let ticket_id = id(&ticket)?;
    desk.run(DecideRequest { ticket_id, answer: RequestAnswer::Approved }).await?;
    Ok(Redirect::to(&address(PATH, [("done", "approved")])))
}

pub(super) async fn refuse(
    State(desk): State<Desk>,
    Extension(session): Extension<Session>,
    Path(ticket): Path<String>,
    Extension(posted): Extension<Posted>,
) -> Result<Response, Wrong> {
    let Some(reason) = Reason::from_word(posted.get("reason")) else {
        let entry = find(&desk, &ticket, posted.get("name")).await?;
        let error = "Choose what the applicant is told".to_owned();
        let page = decision(&desk, &session, &entry, Some(error));
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    };
    let (ticket_id, answer) = (id(&ticket)?, RequestAnswer::Refused(reason.into()));
    desk.run(DecideRequest { ticket_id, answer }).await?;
    Ok(Redirect::to(&address(PATH, [("done", "refused")])).into_response())
}

fn decision(desk: &Desk, session: &Session, entry: &RequestEntry, error: Option<String>) -> Page {
    let wrong = error.is_some();
    let reasons = Reason::ALL.iter().map(|reason| (reason.word().to_owned(), reason.sentence().to_owned()));
    let reason =
        Input::new("reason", "What the applicant is told", Kind::Choice(reasons.collect())).error(error);
    page("An application").at(PATH).wrong(wrong).body(html! {
        (problems([&reason]))
        section.sheet { (about(entry, &desk.template, 2)) }
        h2 { "Approve" }
        p { "The agent that holds this ticket is registered under the name, unless somebody takes it before." }
        form method="post" action=(path_of(entry, "/approve")) { (session.token()) button { "Approve" } }
        h2 { "Refuse" }
        p { "What was granted and is not confirmed yet is taken back." }
        form method="post" action=(path_of(entry, "/refuse")) novalidate {
            (session.token())
            input type="hidden" name="name" value=(entry.name.as_str());
            (reason)
            button.grave { "Refuse" }
        }
        p.row { a href=(PATH) { "Back to those who wait" } }
    })
}

/// Facts about an application.
fn about(entry: &RequestEntry, template: &Template, level: u8) -> Markup {
    let proof = match entry.takes {
        None => html! { "None: anybody could have written this" },
        Some(Takes::Code(_)) => html! { "The activation code for this name" },
        Some(Takes::Place(key_id)) => html! {
            "A renewal of " a href=(format!("/registrations/{key_id}")) { "an earlier key" }
        },
    };
    let answer = match entry.answer {
        None => html! { span.state { "waits" } },
        Some(RequestAnswer::Approved) => html! { span.state { "approved" } },
        Some(RequestAnswer::Refused(code)) => html! { span.state.bad { "refused: " (code_word(code)) } },
    };
    html! {
        @if level == 2 { h2 { (foreign(entry.name.as_str())) } }
        p { (answer) }
        dl {
            dt { "Waits since" } dd { (ago(entry.since)) }
            dt { "Proof" } dd { (proof) }
            @for place in 0..=usize::from(u8::MAX) {
                @if let Some((label, value)) = filled(template, place, entry.form.get(place)) {
                    dt { (foreign(&label)) } dd { (value) }
                }
            }
            dt { "Held until" } dd { (when(entry.hold_until)) }
            dt { "Ticket" } dd { code { (entry.ticket_id) } }
        }
    }
}

fn code_word(code: RejectionCode) -> &'static str {
    match code {
        RejectionCode::Unspecified => "no reason given",
        code => code.word(),
    }
}

/// A field as it was filled in, under its label in the configuration. The name is told already.
fn filled(template: &Template, place: usize, value: Option<&FieldValue>) -> Option<(String, Markup)> {
    let (field, value) = (template.fields.get(place), value?);
    if field.is_some_and(|field| field.kind == FieldKind::UserName) {
        return None;
    }
    let label = match field {
        Some(field) if field.label.is_empty() => field.name.clone(),
        Some(field) => field.label.clone(),
        None => format!("Field {place}"),
    };
    let value = match value {
        FieldValue::Text(text) => foreign(text),
        FieldValue::Integer(number) => html! { (number) },
        FieldValue::Boolean(yes) => html! { @if *yes { "Yes" } @else { "No" } },
        _ => html! { "of a kind that this version does not know" },
    };
    Some((label, value))
}

fn id(ticket: &str) -> Result<TicketId, Wrong> {
    ticket.parse().map_err(|_| Wrong::NotThere)
}

async fn find(desk: &Desk, ticket: &str, name: &str) -> Result<RequestEntry, Wrong> {
    let (ticket_id, name) = (id(ticket)?, name.parse::<UserName>().map_err(|_| Wrong::NotThere)?);
    let filter = RequestFilter { name: Some(name), ..RequestFilter::default() };
    let found = desk.page(filter, None).await?.entries.into_iter().find(|entry| entry.ticket_id == ticket_id);
    found.ok_or(Wrong::Store(halfkey::store::OperatorError::NoSuchTicket))
}

fn path_of(entry: &RequestEntry, action: &str) -> String {
    format!("{PATH}/{}{action}", entry.ticket_id)
}

fn page_of(entry: &RequestEntry) -> String {
    address(&path_of(entry, ""), [("name", entry.name.as_str())])
}
