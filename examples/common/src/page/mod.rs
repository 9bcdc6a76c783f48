//! Pages that a program serves to a browser on the same machine, without a script and without anything from elsewhere.
//!
//! A [`Door`] stands before a router ([`protect`]). Whoever runs the program is given the path of a URL that opens it
//! once ([`Door::invite`]); the browser then has a cookie, and nothing else gets in. For each request the door sees to:
//!
//! * the name of the host, so that no other name for this machine leads here (DNS rebinding);
//! * what the browser says about the page that asks (`Origin`, `Sec-Fetch-Site`): only these pages may;
//! * the cookie, and with a form the token that this browser's forms have ([`Session::token`]);
//! * the size of a form and the time it takes;
//! * the headers of the answer: nothing is kept, framed, run or loaded from elsewhere.
//!
//! ```
//! use axum::{Extension, Router, response::Redirect, routing::{get, post}};
//! use halfkey_common::page::{Door, Hosts, Input, Page, Posted, Session, protect};
//! use maud::html;
//!
//! async fn ask(Extension(session): Extension<Session>) -> Page {
//!     Page::new("example", "Ban").body(html! {
//!         form method="post" action="/ban" novalidate {
//!             (session.token())
//!             (Input::text("reason", "Reason"))
//!             button { "Ban" }
//!         }
//!     })
//! }
//! // Only with the token of the form does a form get here.
//! async fn ban(Extension(posted): Extension<Posted>) -> Redirect {
//!     let _reason = posted.get("reason");
//!     Redirect::to("/")
//! }
//! let door = Door::new("example", "run it again", Hosts::Loopback);
//! let path = door.invite(); // "/open?key=…": tell it to the person, and to no log
//! # assert!(path.starts_with("/open?key="));
//! let router = Router::new().route("/", get(ask)).route("/ban", post(ban));
//! let router: Router = protect(router, door); // for axum::serve
//! ```
//!
//! Browsers give a cookie to every port of a host. A server that another user of this machine runs gets it, if the
//! person goes there with the same browser; on a machine whose users do not trust each other, the page is not for use.

mod control;
mod door;
mod form;
mod layout;
mod posted;
mod protect;

pub use control::{Input, Kind, problems};
pub use door::{Door, Hosts, Session};
pub use form::{answers, controls, problem};
pub use layout::{Page, table};
pub use posted::Posted;
pub use protect::protect;

#[cfg(test)]
mod tests;
