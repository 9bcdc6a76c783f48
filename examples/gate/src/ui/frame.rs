//! Parts that all pages have.

use super::PROGRAM;
use axum::extract::RawQuery;
use halfkey::UnixTime;
use halfkey::store::operation::Cursor;
use halfkey_common::output::clean;
use halfkey_common::page::{Input, Page};
use halfkey_common::time::written;
use maud::{Markup, html};
use std::collections::BTreeMap;

/// The pages that each page leads to.
const WAYS: [(&str, &str); 5] = [
    ("/", "Overview"),
    ("/waiting", "Waiting"),
    ("/registrations", "Registrations"),
    ("/configuration", "Configuration"),
    ("/events", "Events"),
];
/// Seconds after which a page loads again.
const AGAIN: u32 = 15;
/// Name in the query that keeps a page as it is.
const STILL: &str = "still";

/// Makes a page with the ways to the others.
pub(super) fn page(title: impl Into<String>) -> Page {
    Page::new(PROGRAM, title).ways(&WAYS)
}

/// Query of a page's address, after the question mark.
pub(super) struct Asked(BTreeMap<String, String>);

impl From<RawQuery> for Asked {
    fn from(RawQuery(query): RawQuery) -> Self {
        Self(form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect())
    }
}

impl Asked {
    /// Returns a value that is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// Returns where the list is to go on.
    pub(super) fn after(&self) -> Option<Cursor> {
        self.get("after").and_then(|place| place.parse().ok())
    }

    /// Tells whether this is the beginning of a list, without anything left out of it.
    fn is_plain(&self) -> bool {
        self.0.keys().all(|name| ["again", "done"].contains(&name.as_str()))
    }

    /// The address of the same page with other values; an empty one is left out.
    pub(super) fn with(&self, path: &str, values: &[(&str, &str)]) -> String {
        let mut all = self.0.clone();
        for passing in ["again", "done"] {
            all.remove(passing);
        }
        all.extend(values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        address(path, all.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }
}

/// Makes an address with a query; an empty value is left out.
pub(super) fn address<'a>(path: &str, values: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let values = values.into_iter().filter(|(_, value)| !value.is_empty());
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(values).finish();
    if query.is_empty() { path.into() } else { format!("{path}?{query}") }
}

/// Has a page load again by itself, where it is the beginning of a list, and says how to stop that: before all that the
/// keyboard may be at when it happens.
pub(super) fn live(page: Page, path: &str, asked: &Asked, body: &Markup) -> Page {
    let plain = asked.is_plain();
    let page = if plain { page.again(AGAIN) } else { page };
    page.body(html! {
        @if plain {
            p.hint {
                "This page loads again every " (AGAIN) " seconds. "
                a href=(address(path, [(STILL, "1")])) { "Stop that" }
            }
        } @else if asked.get(STILL).is_some() {
            p.hint { "This page stays as it is. " a href=(path) { "Load it again by itself" } }
        }
        (body)
    })
}

/// A form that chooses among the entries of a list. A page that loads again by itself would empty it while somebody fills
/// it in, and has a link to one that stays.
pub(super) fn chooser(path: &str, asked: &Asked, title: &str, input: &Input) -> Markup {
    html! {
        @if asked.is_plain() {
            p { a href=(address(path, [(STILL, "1")])) { (title) } }
        } @else {
            form.sheet method="get" action=(path) { (input) button.plain { "Show" } }
        }
    }
}

/// The way to the rest of a list, and back to its beginning; and how many rows cannot be read.
pub(super) fn rest(path: &str, asked: &Asked, next: Option<&Cursor>, damaged: usize) -> Markup {
    html! {
        @if damaged > 0 {
            p.note role="alert" {
                (damaged) " rows of the store cannot be read: they were changed without the storage key, or sealed under another one."
            }
        }
        @if next.is_some() || asked.after().is_some() {
            nav.row aria-label="Parts of the list" {
                @if let Some(next) = next {
                    a.button.plain href=(asked.with(path, &[("after", &next.to_string())])) { "Next page" }
                }
                @if asked.after().is_some() {
                    a.button.plain href=(asked.with(path, &[("after", "")])) { "First page" }
                }
            }
        }
    }
}

/// Says what was done.
pub(super) fn done(said: Option<&str>) -> Markup {
    html! { @if let Some(said) = said { p.good role="status" { (said) } } }
}

/// Text that somebody else has written: what turns the direction of writing or cannot be seen is spelt out, and the rest
/// does not flow into what is around it.
pub(super) fn foreign(text: &str) -> Markup {
    html! { bdi { (clean(text)) } }
}

/// A time, as long ago as a person would say it, and exactly where it is long ago.
pub(super) fn ago(time: UnixTime) -> Markup {
    let exact = written(time);
    let now = UnixTime::now().as_secs();
    let said = match now.checked_sub(time.as_secs()) {
        Some(0..60) => "just now".into(),
        Some(seconds @ 60..3600) => plural(seconds / 60, "minute"),
        Some(seconds @ 3600..86_400) => plural(seconds / 3600, "hour"),
        _ => return when(time),
    };
    html! { time datetime=(exact) title=(exact) { (said) } }
}

fn plural(count: u64, of: &str) -> String {
    format!("{count} {of}{} ago", if count == 1 { "" } else { "s" })
}

/// A time, to the minute, in UTC.
pub(super) fn when(time: UnixTime) -> Markup {
    let exact = written(time);
    let shown = exact.get(..16).unwrap_or(&exact).replace('T', " ");
    html! { time datetime=(exact) { (shown) " UTC" } }
}

/// A text that is there, or a dash.
pub(super) fn or_dash<T>(value: Option<T>, show: impl FnOnce(T) -> Markup) -> Markup {
    match value {
        Some(value) => show(value),
        None => html! { span aria-hidden="true" { "–" } span.hidden { "none" } },
    }
}
