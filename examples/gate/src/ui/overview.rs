//! How things stand.

use super::desk::Desk;
use super::frame::{Asked, foreign, live, page};
use super::wrong::Wrong;
use axum::extract::{RawQuery, State};
use halfkey::UnixTime;
use halfkey::certificate::Chain;
use halfkey::store::operation::{Count, RequestFilter};
use halfkey_common::page::Page;
use maud::{Markup, html};

/// Days that are few for a certificate.
const FEW: u64 = 30;

pub(super) async fn show(State(desk): State<Desk>, query: RawQuery) -> Result<Page, Wrong> {
    let asked = Asked::from(query);
    let counted = desk.run(Count).await?;
    let undecided = desk.page(RequestFilter { undecided: true, ..RequestFilter::default() }, None).await?;
    let (waiting, more) = (undecided.entries.len(), undecided.next.is_some());
    let certificate = desk.clone();
    let days = tokio::task::spawn_blocking(move || days_left(&certificate)).await.ok().flatten();
    let body = html! {
        p.lead { "The store of " (foreign(desk.server.as_str())) "." }
        section.sheet aria-labelledby="now" {
            h2 #now { "For you to decide" }
            @if waiting == 0 {
                p { "Nobody waits for an answer." }
            } @else {
                p {
                    strong { (waiting) @if more { " or more" } }
                    @if waiting == 1 && !more { " applicant waits" } @else { " applicants wait" }
                    " for an answer."
                }
                p.row { a.button href="/waiting" { "Answer them" } }
            }
        }
        section.sheet aria-labelledby="certificate" {
            h2 #certificate { "Certificate" }
            (certificate_line(days))
        }
        section.sheet aria-labelledby="counts" {
            h2 #counts { "In the store" }
            dl {
                (count("Active registrations", counted.active, "/registrations?state=active"))
                (count("Pending", counted.pending, "/registrations?state=pending"))
                (count("Suspended", counted.suspended, "/registrations?state=suspended"))
                (count("Revoked", counted.revoked, "/registrations?state=revoked"))
                (count("Superseded by a renewal", counted.superseded, "/registrations?state=superseded"))
                (count("Lost", counted.lost, "/registrations?state=lost"))
                dt { "Codes not used yet" } dd { (counted.codes) }
                dt { "Entitlements" } dd { (counted.entitlements) }
                (count("Events", counted.events, "/events"))
            }
        }
    };
    Ok(live(page("Overview"), "/", &asked, &body))
}

fn count(what: &str, number: u64, path: &str) -> Markup {
    html! { dt { (what) } dd { @if number == 0 { "0" } @else { a href=(path) { (number) span.hidden { " " (what) } } } } }
}

fn certificate_line(days: Option<u64>) -> Markup {
    match days {
        None => {
            html! { p { "There is none that is valid, or its file cannot be read here: nobody can register." } }
        }
        Some(days) => html! {
            p {
                "Good for " strong { (days) @if days == 1 { " day" } @else { " days" } } "."
                @if days < FEW { " See to another one: nobody can register after that." }
            }
        },
    }
}

/// The days for which there is a certificate, by the files in the server's directory.
fn days_left(desk: &Desk) -> Option<u64> {
    let now = UnixTime::now();
    let files = ["certificate.pem", "next-certificate.pem"].into_iter().map(|name| desk.directory.join(name));
    let chains = files.filter_map(|file| Chain::from_pem(&std::fs::read_to_string(file).ok()?).ok());
    let ends = chains.map(|chain| chain.leaf().not_after()).filter(|end| *end > now);
    ends.max().map(|end| end.as_secs().saturating_sub(now.as_secs()) / 86_400)
}
