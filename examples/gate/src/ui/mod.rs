//! The operator's pages: what is in the store, live, and the operator's decisions on it.
//!
//! They work on the store alone, beside any number of gates in other processes: everything that they show and do is one of
//! [`halfkey::store::operation`]. `halfkey-gate ui` serves them to one browser on the same machine
//! ([`halfkey_common::page`]).

mod configuration;
mod desk;
mod events;
mod frame;
mod listen;
mod overview;
mod registrations;
mod waiting;
mod wrong;

pub use desk::Desk;
pub use listen::{Listen, ListenError, Listening};

use axum::Router;
use axum::routing::{get, post};
use halfkey_common::page::{Door, Hosts, protect};

/// Name on the pages.
const PROGRAM: &str = "halfkey-gate";

/// Makes the door in front of the pages.
#[must_use]
pub fn door(hosts: Hosts) -> Door {
    Door::new(PROGRAM, "run halfkey-gate ui again", hosts)
}

/// Makes the pages, behind a door.
pub fn pages(desk: Desk, door: Door) -> Router {
    let router = Router::new()
        .route("/", get(overview::show))
        .route("/waiting", get(waiting::list))
        .route("/waiting/{ticket}", get(waiting::show))
        .route("/waiting/{ticket}/approve", post(waiting::approve))
        .route("/waiting/{ticket}/refuse", post(waiting::refuse))
        .route("/registrations", get(registrations::list))
        .route("/registrations/{key}", get(registrations::show))
        .route("/registrations/{key}/{change}", get(registrations::ask).post(registrations::change))
        .route("/configuration", get(configuration::list))
        .route("/events", get(events::list))
        .with_state(desk);
    protect(router, door)
}
