//! Registrations, and what the operator does to them.

use super::configuration::serial;
use super::desk::Desk;
use super::events;
use super::frame::{Asked, ago, done, foreign, or_dash, page, rest, when};
use super::wrong::Wrong;
use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::Redirect;
use halfkey::KeyId;
use halfkey::UserName;
use halfkey::store::RegistrationState;
use halfkey::store::operation::{
    EventFilter, InspectRegistration, RegistrationEntry, RegistrationFilter, ReportEntry, ReportFilter,
    Resume, Revoke, Suspend,
};
use halfkey_common::page::{Input, Page, Session, table};
use maud::{Markup, html};

const PATH: &str = "/registrations";

pub(super) async fn list(State(desk): State<Desk>, query: RawQuery) -> Result<Page, Wrong> {
    let asked = Asked::from(query);
    let state = asked.get("state").and_then(RegistrationState::from_word);
    // As a person types it; what is no name by itself is taken as it is.
    let begins = asked
        .get("name")
        .map(|typed| UserName::normalise(typed).map_or_else(|_| typed.into(), |name| name.to_string()));
    let filter = RegistrationFilter { state, name_begins: begins, ..RegistrationFilter::default() };
    let found = desk.page(filter, asked.after()).await?;
    let name =
        Input::text("name", "Name, or how it begins").optional().value(asked.get("name").unwrap_or_default());
    Ok(page("Registrations").body(html! {
        (states(&asked, state))
        form.sheet method="get" action=(PATH) {
            @if let Some(state) = state { input type="hidden" name="state" value=(state.word()); }
            (name)
            button.plain { "Search" }
        }
        @if found.entries.is_empty() { p { "There are none." } } @else { (shown(&found.entries)) }
        (rest(PATH, &asked, found.next.as_ref(), found.damaged.len()))
    }))
}

/// The ways to the registrations in each state.
fn states(asked: &Asked, chosen: Option<RegistrationState>) -> Markup {
    let all = RegistrationState::ALL.iter().map(|state| Some(*state));
    html! {
        nav aria-label="States" {
            @for state in [None].into_iter().chain(all) {
                @let word = state.map_or("", RegistrationState::word);
                a href=(asked.with(PATH, &[("state", word), ("after", "")]))
                    aria-current=[(state == chosen).then_some("true")] {
                    @if word.is_empty() { "all" } @else { (word) }
                }
            }
        }
    }
}

fn shown(entries: &[RegistrationEntry]) -> Markup {
    let rows = entries.iter().map(|entry| {
        let name = html! { a href=(path_of(&entry.key_id)) { (foreign(entry.name.as_str())) } };
        let user = html! { code { (events::short(entry.user_id.as_str())) } };
        vec![name, state(entry), user, foreign(entry.access_path.as_str()), or_dash(entry.last_seen, ago)]
    });
    table("Registrations, by key", &["Name", "State", "User", "Access path", "Last seen"], rows)
}

fn state(entry: &RegistrationEntry) -> Markup {
    let state = RegistrationState::from(entry.lifecycle);
    html! {
        @match state {
            RegistrationState::Active => span.state { (state.word()) },
            RegistrationState::Suspended | RegistrationState::Revoked => span.state.bad { (state.word()) },
            _ => span.state.off { (state.word()) },
        }
    }
}

pub(super) async fn show(
    State(desk): State<Desk>,
    Path(key): Path<String>,
    query: RawQuery,
) -> Result<Page, Wrong> {
    let asked = Asked::from(query);
    let entry = find(&desk, &key).await?;
    let key_id = Some(entry.key_id);
    let events =
        desk.page(EventFilter { key_id, newest_first: true, ..EventFilter::default() }, None).await?;
    let reports = desk.page(ReportFilter { key_id, ..ReportFilter::default() }, None).await?;
    let said =
        asked.get("done").and_then(|word| Change::ALL.into_iter().find(|change| change.done() == word));
    Ok(page(entry.name.as_str()).at(PATH).body(html! {
        (done(said.map(Change::said)))
        p { (state(&entry)) }
        dl {
            dt { "Key" } dd { code { (entry.key_id) } }
            dt { "User" } dd { code { (entry.user_id.as_str()) } }
            dt { "Access path" } dd { (foreign(entry.access_path.as_str())) }
            dt { "Last seen" } dd { (or_dash(entry.last_seen, ago)) }
            dt { "Granted" } dd { (or_dash(entry.granted_at, when)) }
            dt { "Confirmed" } dd { (or_dash(entry.confirmed_at, when)) }
            dt { "Expires" } dd { @if let Some(end) = entry.expires { (when(end)) } @else { "never" } }
            @if let Some(earlier) = entry.renews {
                dt { "Renews" } dd { a href=(path_of(&earlier)) { code { (earlier) } } }
            }
        }
        div.row {
            @for change in Change::ALL {
                @if change.fits(&entry) {
                    a.button.plain href=(format!("{}/{}", path_of(&entry.key_id), change.word())) { (change.title()) " …" }
                }
            }
        }
        h2 { "Configurations" }
        @if reports.entries.is_empty() { p { "It has reported on none." } } @else { (applied(&reports.entries)) }
        h2 { "Events" }
        @if events.entries.is_empty() { p { "There are none." } }
        @else { (events::shown("Of this key, the newest first", &events.entries)) }
    }))
}

fn applied(reports: &[ReportEntry]) -> Markup {
    let rows = reports.iter().map(|report| {
        vec![
            foreign(report.application.as_str()),
            html! { (report.result.word()) ", " (ago(report.at)) },
            or_dash(report.applied, serial),
            or_dash(report.current, serial),
        ]
    });
    table("Last report for each application", &["Application", "Last report", "Applied", "Entitled to"], rows)
}

/// Change of a registration, which is asked about before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Suspend,
    Resume,
    Revoke,
}

impl Change {
    const ALL: [Self; 3] = [Self::Suspend, Self::Resume, Self::Revoke];

    const fn word(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Revoke => "revoke",
        }
    }

    const fn done(self) -> &'static str {
        match self {
            Self::Suspend => "suspended",
            Self::Resume => "resumed",
            Self::Revoke => "revoked",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Suspend => "Suspend",
            Self::Resume => "Resume",
            Self::Revoke => "Revoke",
        }
    }

    const fn said(self) -> &'static str {
        match self {
            Self::Suspend => "Suspended. Open sessions end within two seconds.",
            Self::Resume => "Active again.",
            Self::Revoke => "Revoked. Open sessions end within two seconds.",
        }
    }

    const fn meaning(self) -> &'static str {
        match self {
            Self::Suspend => "It opens no session, and those that are open end, until it is resumed.",
            Self::Resume => "It may open sessions again.",
            Self::Revoke => "It ends for good: nobody can make it active again. Its name stays taken.",
        }
    }

    fn fits(self, entry: &RegistrationEntry) -> bool {
        let state = RegistrationState::from(entry.lifecycle);
        match self {
            Self::Suspend => state == RegistrationState::Active,
            Self::Resume => state == RegistrationState::Suspended,
            Self::Revoke => state != RegistrationState::Revoked,
        }
    }

    fn of(word: &str) -> Result<Self, Wrong> {
        Self::ALL.into_iter().find(|change| change.word() == word).ok_or(Wrong::NotThere)
    }
}

/// Asks whether a change is meant.
pub(super) async fn ask(
    State(desk): State<Desk>,
    Extension(session): Extension<Session>,
    Path((key, change)): Path<(String, String)>,
) -> Result<Page, Wrong> {
    let (entry, change) = (find(&desk, &key).await?, Change::of(&change)?);
    if !change.fits(&entry) {
        return Err(Wrong::Store(halfkey::store::OperatorError::OtherState));
    }
    let back = path_of(&entry.key_id);
    Ok(page(format!("{} {}?", change.title(), entry.name)).at(PATH).body(html! {
        p { (change.meaning()) }
        dl {
            dt { "Name" } dd { (foreign(entry.name.as_str())) }
            dt { "Key" } dd { code { (entry.key_id) } }
            dt { "User" } dd { code { (entry.user_id.as_str()) } }
            dt { "State" } dd { (state(&entry)) }
        }
        form method="post" action=(format!("{back}/{}", change.word())) {
            (session.token())
            div.row {
                @if change == Change::Resume { button { "Resume" } } @else { button.grave { (change.title()) } }
                a href=(back) { "Leave it as it is" }
            }
        }
    }))
}

pub(super) async fn change(
    State(desk): State<Desk>,
    Path((key, change)): Path<(String, String)>,
) -> Result<Redirect, Wrong> {
    let (key_id, change) = (id(&key)?, Change::of(&change)?);
    match change {
        Change::Suspend => desk.run(Suspend(key_id)).await?,
        Change::Resume => desk.run(Resume(key_id)).await?,
        Change::Revoke => desk.run(Revoke(key_id)).await?,
    }
    Ok(Redirect::to(&format!("{}?done={}", path_of(&key_id), change.done())))
}

fn id(key: &str) -> Result<KeyId, Wrong> {
    key.parse().map_err(|_| Wrong::NotThere)
}

async fn find(desk: &Desk, key: &str) -> Result<RegistrationEntry, Wrong> {
    desk.run(InspectRegistration(id(key)?)).await?.ok_or(Wrong::NotThere)
}

fn path_of(key_id: &KeyId) -> String {
    format!("{PATH}/{key_id}")
}
