//! `halfkey ui`: a page for the user, on the loopback interface.
//!
//! It registers with a gate, shows how things stand, renews, forgets, and changes the PIN, by what the commands of the
//! same names do. The token is held no longer than something is done with it, so that the agent may start meanwhile.

mod deed;
mod flow;
mod pin;
mod register;
mod state;

use crate::dial::Dialer;
use crate::enrol;
use crate::failure::Failure;
use crate::place::Place;
use crate::report::Report;
use crate::secret::Pins;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use flow::Flow;
use halfkey::certificate::TrustAnchors;
use halfkey::port::TokenError;
use halfkey::software::SecretString;
use halfkey_common::Output;
use halfkey_common::file::write_new;
use halfkey_common::page::{Door, Hosts, Input, Kind, Page, Posted, Session, protect};
use maud::{Markup, html};
use serde::Serialize;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// Time without use after which the page is closed.
const UNUSED: Duration = Duration::from_secs(3600);
/// Between two looks at that.
const LOOK: Duration = Duration::from_secs(30);
/// Time for answers that are under way at the end.
const FAREWELL: Duration = Duration::from_secs(2);

/// Opens a page in the browser: registration, services, state, renewal, PIN.
///
/// It prints an address that opens the page once. The page ends with its button, with an interrupt, or after an hour
/// without use. Where no PIN is given (--pin), the page asks for it.
#[derive(clap::Args)]
pub(crate) struct Ui {
    /// Starts the browser.
    #[arg(long)]
    open: bool,
    /// A file with the gate's trust anchors, where the invitation names none.
    #[arg(long, value_name = "FILE")]
    anchor: Option<PathBuf>,
}

#[derive(Serialize)]
struct Opened<'a> {
    url: &'a str,
}

/// All that the pages work on.
struct Desk {
    place: Place,
    dialer: Dialer,
    anchors: Option<TrustAnchors>,
    /// The PIN, where it does not come from the page.
    given: Mutex<Option<SecretString>>,
    flow: Arc<Flow>,
    /// How things stood when the PIN was last typed, where no agent runs.
    seen: Mutex<Option<Report>>,
    /// Deed that the next page tells.
    said: Mutex<Option<String>>,
    close: Notify,
}

type Desked = State<Arc<Desk>>;
type Seated = Extension<Session>;
type Sent = Extension<Posted>;

/// Performs the command.
pub(crate) async fn ui(
    place: &Place,
    dialer: Dialer,
    pins: &Pins,
    command: Ui,
    out: &mut Output,
) -> Result<(), Failure> {
    let anchors = command.anchor.as_deref().map(enrol::anchors).transpose()?;
    let given = match (pins.is_given(), place.token().exists()) {
        (false, _) => None,
        (true, true) => Some(pins.pin()?),
        (true, false) => Some(pins.new_pin()?),
    };
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::Control)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::Control)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(Failure::Control)?;
    let address = listener.local_addr().map_err(Failure::Control)?;
    let door = Door::new("halfkey", "stop halfkey ui and run it again", Hosts::of(address));
    let url = format!("http://{address}{}", door.invite().as_str());
    out.done(&Opened { url: &url }, &url)?;
    out.flush()?;
    let link = command.open.then(|| show(place, &url)).transpose()?;
    let desk = Arc::new(Desk {
        place: place.clone(),
        dialer,
        anchors,
        given: Mutex::new(given),
        flow: Flow::new(),
        seen: Mutex::default(),
        said: Mutex::default(),
        close: Notify::new(),
    });
    let end = Arc::new(Notify::new());
    let (leave, router) = (Arc::clone(&end), protect(router(Arc::clone(&desk)), door.clone()));
    let server = axum::serve(listener, router).with_graceful_shutdown(async move { leave.notified().await });
    let mut server = tokio::spawn(server.into_future());
    let unused = async {
        while door.idle() < UNUSED {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::select! {
        ended = &mut server => ended.map_err(io::Error::from).flatten().map_err(Failure::Control)?,
        () = desk.close.notified() => {}
        () = unused => out.program().note("the page was not used for an hour, and is closed"),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    end.notify_one();
    let _ = tokio::time::timeout(FAREWELL, &mut server).await;
    desk.flow.leave();
    if let Some(link) = link {
        let _ = fs::remove_file(link);
    }
    Ok(())
}

/// Starts the browser, by a file that leads it in: other users see the arguments of programs.
fn show(place: &Place, url: &str) -> Result<PathBuf, Failure> {
    place.make_run()?;
    let path = place.link();
    let _ = fs::remove_file(&path);
    let page = html! {
        (maud::DOCTYPE)
        meta charset="utf-8";
        meta http-equiv="refresh" content=(format!("0; url={url}"));
        title { "halfkey" }
        a href=(url) { "Open the page" }
    };
    write_new(&path, page.into_string().as_bytes())
        .map_err(|error| Failure::file(&path, io::Error::other(error.problem)))?;
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = tokio::process::Command::new(opener);
    command.arg(&path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match command.spawn() {
        Ok(_) => Ok(path),
        Err(error) => {
            let _ = fs::remove_file(&path);
            Err(Failure::Usage(format!(
                "the browser is not started ({opener}: {error}): open the address yourself"
            )))
        }
    }
}

fn router(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/", get(state::state).post(state::see))
        .route("/register", get(register::show))
        .route("/register/invitation", post(register::invitation))
        .route("/register/pin", post(register::pin))
        .route("/register/go", post(register::go))
        .route("/register/form", post(register::form))
        .route("/register/leave", post(register::leave))
        .route("/pin", get(pin::pin).post(pin::change))
        .route("/unblock", get(pin::unblock).post(pin::use_code))
        .route("/renew/{server}", get(deed::ask_to_renew).post(deed::renew))
        .route("/resume/{server}", get(deed::ask_to_resume).post(deed::resume))
        .route("/forget/{server}", get(deed::ask_to_forget).post(deed::forget))
        .route("/stop", post(state::stop))
        .route("/close", post(close))
        .with_state(desk)
}

/// A page of this program.
fn page(title: &str, at: &'static str) -> Page {
    Page::new("halfkey", title).ways(&[("/", "State"), ("/register", "Register"), ("/pin", "PIN")]).at(at)
}

async fn close(State(desk): Desked) -> Page {
    desk.close.notify_one();
    Page::new("halfkey", "The page is closed").body(html! {
        p { "Nothing listens here any more; this tab can be closed. An agent that runs goes on." }
    })
}

/// A page with something wrong on it.
fn wrong(page: Page) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, page.wrong(true)).into_response()
}

fn to(path: &str) -> Response {
    Redirect::to(path).into_response()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    fn is_given(&self) -> bool {
        lock(&self.given).is_some()
    }

    /// The PIN: given, or what was typed into the field `pin`.
    fn pin(&self, posted: &Posted) -> SecretString {
        lock(&self.given).clone().unwrap_or_else(|| SecretString::from(posted.get("pin")))
    }

    /// A PIN that was given and is wrong is not tried again: it would cost one try after the other.
    fn failed(&self, failure: &Failure) {
        if matches!(failure, Failure::Token(TokenError::WrongPin { .. } | TokenError::Blocked)) {
            *lock(&self.given) = None;
        }
    }

    fn say(&self, text: impl Into<String>) {
        *lock(&self.said) = Some(text.into());
    }

    /// Deed that is told once.
    fn said(&self) -> Markup {
        html! { @if let Some(text) = lock(&self.said).take() { div.good role="status" { p { (text) } } } }
    }
}

/// The field for the PIN.
fn pin_field() -> Input {
    Input::new("pin", "PIN", Kind::Secret)
}

/// Two fields for a PIN that is new.
fn new_pin_fields(error: Option<String>) -> [Input; 2] {
    [
        Input::new("new", "New PIN", Kind::NewSecret)
            .hint("4 to 64 letters, digits or signs. After five wrong ones the token blocks itself.")
            .error(error),
        Input::new("again", "New PIN again", Kind::NewSecret),
    ]
}

/// Problem of a new PIN, as far as can be seen without the token.
fn new_pin_problem(posted: &Posted) -> Option<String> {
    match posted.get("new") {
        "" => Some("“New PIN” must be filled in".into()),
        new if new != posted.get("again") => Some("“New PIN”: the two are not the same".into()),
        new if !(4..=64).contains(&new.len()) => Some("“New PIN” must have 4 to 64 bytes".into()),
        _ => None,
    }
}

fn refused(failure: &Failure) -> Markup {
    html! {
        section.problems role="alert" tabindex="-1" autofocus {
            h2 { "That did not work" }
            p { (halfkey_common::sentence(failure)) }
        }
    }
}
