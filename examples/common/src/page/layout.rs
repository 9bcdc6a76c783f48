//! Frame of a page.

use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, Render, html};

/// Query of a request that a page makes by itself, when it loads again.
pub(super) const ITSELF: &str = "again";

/// Page: a heading, a way to other pages, and a body.
#[derive(Clone, Debug)]
#[must_use]
pub struct Page {
    program: &'static str,
    title: String,
    wrong: bool,
    ways: Vec<(&'static str, &'static str)>,
    at: Option<&'static str>,
    refresh: Option<String>,
    body: Markup,
}

impl Page {
    /// Makes an empty page of a program.
    pub fn new(program: &'static str, title: impl Into<String>) -> Self {
        let title = title.into();
        let body = PreEscaped(String::new());
        Self { program, title, wrong: false, ways: Vec::new(), at: None, refresh: None, body }
    }

    /// Puts other pages above this one: paths, and what they are called. The one whose name is the title is this one.
    pub fn ways(mut self, ways: &[(&'static str, &'static str)]) -> Self {
        self.ways = ways.to_vec();
        self
    }

    /// Says which of those pages this one belongs to, where its title does not.
    pub fn at(mut self, path: &'static str) -> Self {
        self.at = Some(path);
        self
    }

    /// Says in the title that something is wrong, which a screen reader tells first.
    pub fn wrong(mut self, wrong: bool) -> Self {
        self.wrong = wrong;
        self
    }

    /// Loads the page again after so many seconds, which does not count as use.
    pub fn again(mut self, seconds: u32) -> Self {
        self.refresh = Some(format!("{}; url=?{ITSELF}", seconds.max(1)));
        self
    }

    /// Goes on to another page at once.
    pub(super) fn leads_to(mut self, path: &str) -> Self {
        self.refresh = Some(format!("0; url={path}"));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: Markup) -> Self {
        self.body = body;
        self
    }
}

impl Render for Page {
    fn render(&self) -> Markup {
        let Self { program, title, wrong, ways, at, refresh, body } = self;
        let here = |(path, name): &(&str, &str)| at.map_or(name == title, |at| at == *path);
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    @if let Some(refresh) = refresh { meta http-equiv="refresh" content=(refresh); }
                    title { @if *wrong { "Error: " } (title) " – " (program) }
                    link rel="icon" href="/icon.svg" type="image/svg+xml";
                    link rel="stylesheet" href="/style.css";
                }
                body {
                    a.skip href="#main" { "Skip to the content" }
                    header {
                        div.bar {
                            span.mark aria-hidden="true" {}
                            span.program { (program) }
                            @if !ways.is_empty() {
                                nav aria-label="Pages" {
                                    @for way in ways {
                                        a href=(way.0) aria-current=[here(way).then_some("page")] { (way.1) }
                                    }
                                }
                            }
                        }
                    }
                    main #main tabindex="-1" {
                        h1 { (title) }
                        (body)
                    }
                }
            }
        }
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        self.render().into_response()
    }
}

/// Makes a table, which becomes a list of cards where there is no room: a caption, headings, and rows of as many cells.
#[must_use]
pub fn table(caption: &str, headings: &[&str], rows: impl IntoIterator<Item = Vec<Markup>>) -> Markup {
    // Roles, because a table that is laid out otherwise is none to some browsers.
    html! {
        table role="table" {
            caption { (caption) }
            thead role="rowgroup" {
                tr role="row" { @for heading in headings { th scope="col" role="columnheader" { (heading) } } }
            }
            tbody role="rowgroup" {
                @for row in rows {
                    tr role="row" {
                        @for (cell, heading) in row.iter().zip(headings) {
                            td role="cell" data-label=(heading) { span { (cell) } }
                        }
                    }
                }
            }
        }
    }
}
