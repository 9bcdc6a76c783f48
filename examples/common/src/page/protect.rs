//! Checks on each request, and headers on each answer.

use super::door::{Door, TOKEN};
use super::layout::Page;
use super::posted::Posted;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, ORIGIN,
    REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use maud::html;
use std::time::Duration;
use zeroize::Zeroizing;

/// Longest form, in bytes: 16 fields of 4096 bytes, each of them written as three.
const FORM: usize = 256 * 1024;
/// Time for a form to be there.
const PATIENCE: Duration = Duration::from_secs(30);

/// Headers of each answer.
const HEADERS: [(HeaderName, &str); 8] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    (CACHE_CONTROL, "no-store"),
    // With none at all, browsers would hide the origin of a form as well.
    (REFERRER_POLICY, "same-origin"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), microphone=(), geolocation=(), browsing-topics=()",
    ),
];

/// Puts pages behind a door. They get [`Session`](super::Session) and, with a form, [`Posted`] as extensions.
///
/// `/open`, `/style.css` and `/icon.svg` are the door's own.
pub fn protect(router: Router, door: Door) -> Router {
    let lost = door.clone();
    router
        .fallback(move || async move {
            refused(&lost, StatusCode::NOT_FOUND, "There is no such page", "Go back, or to the first page.")
        })
        .layer(from_fn_with_state(door.clone(), inside))
        .route("/open", get(open).with_state(door.clone()))
        .route("/style.css", get(|| file("text/css; charset=utf-8", include_str!("style.css"))))
        .route("/icon.svg", get(|| file("image/svg+xml", include_str!("icon.svg"))))
        .layer(from_fn_with_state(door, outside))
}

async fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, kind)], text)
}

fn refused(door: &Door, status: StatusCode, title: &str, text: &str) -> Response {
    let page = Page::new(door.program(), title).body(html! { p { (text) } });
    (status, page).into_response()
}

fn not_in(door: &Door) -> Response {
    let text =
        format!("This page opens once, by the address that the program gives. To come in, {}.", door.again());
    refused(door, StatusCode::FORBIDDEN, "You are not in", &text)
}

/// Checks of every request, and headers that go onto every answer.
async fn outside(State(door): State<Door>, request: Request, next: Next) -> Response {
    let mut response = match strange(&door, &request) {
        Some(response) => response,
        None => next.run(request).await,
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The refusal of a request that no page of ours makes.
fn strange(door: &Door, request: &Request) -> Option<Response> {
    let headers = request.headers();
    let refuse = |status, title, text| Some(refused(door, status, title, text));
    let host = door.host(headers).filter(|host| {
        let named = request.uri().authority();
        named.is_none_or(|named| named.as_str() == *host)
    });
    let Some(host) = host else {
        let text = "The name in the address is not one that this program answers to.";
        return refuse(StatusCode::MISDIRECTED_REQUEST, "Not under this name", text);
    };
    let foreign = "Another page has asked for this one. Nothing was done.";
    // A link may lead in from anywhere: its key is what counts.
    let leads_in = request.uri().path() == "/open" && navigates(headers);
    if !leads_in && !is_ours(headers) {
        return refuse(StatusCode::FORBIDDEN, "Not from there", foreign);
    }
    let posts = request.method() == Method::POST;
    if !posts && request.method() != Method::GET && request.method() != Method::HEAD {
        let response = (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD, POST")]);
        return Some(response.into_response());
    }
    // A browser names the origin of each form; where it names one, it is to be ours.
    let ours = format!("http://{host}");
    let mut origins = headers.get_all(ORIGIN).iter().peekable();
    if (posts && origins.peek().is_none()) || !origins.all(|origin| origin.as_bytes() == ours.as_bytes()) {
        return refuse(StatusCode::FORBIDDEN, "Not from there", foreign);
    }
    None
}

/// Tells whether a page of ours asks, or a person, as far as the browser says so.
fn is_ours(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    site.is_none_or(|site| site == b"same-origin" || site == b"none")
}

fn navigates(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-mode").is_none_or(|mode| mode == "navigate")
}

/// Checks of the pages behind the door.
async fn inside(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let itself = request.uri().query() == Some(super::layout::ITSELF);
    let Some(session) = door.session(request.headers(), !itself) else { return not_in(&door) };
    if request.method() == Method::POST {
        let (mut parts, body) = request.into_parts();
        let posted = match form(&door, &parts.headers, body).await {
            Ok(posted) => posted,
            Err(response) => return response,
        };
        if !session.has(posted.get(TOKEN)) {
            let text = "The form is of another time. Nothing was done; go back to the page, load it again, and try it there.";
            return refused(&door, StatusCode::FORBIDDEN, "This form is not of use any more", text);
        }
        parts.extensions.insert(posted);
        request = Request::from_parts(parts, Body::empty());
    }
    request.extensions_mut().insert(session);
    next.run(request).await
}

async fn form(door: &Door, headers: &HeaderMap, body: Body) -> Result<Posted, Response> {
    let bad = |status, text| refused(door, status, "This is no form of ours", text);
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("application/x-www-form-urlencoded") {
        return Err(bad(StatusCode::UNSUPPORTED_MEDIA_TYPE, "It is of another kind."));
    }
    let read = tokio::time::timeout(PATIENCE, gather(body)).await;
    let Ok(read) = read else { return Err(bad(StatusCode::REQUEST_TIMEOUT, "It did not come in time.")) };
    match read {
        Ok(bytes) => Ok(Posted::read(&bytes)),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(bad(StatusCode::PAYLOAD_TOO_LARGE, "It is too long."))
        }
        Err(_) => Err(bad(StatusCode::BAD_REQUEST, "It ended too early.")),
    }
}

/// Gathers a body in memory that is wiped.
async fn gather(body: Body) -> Result<Zeroizing<Vec<u8>>, Box<dyn std::error::Error + Send + Sync>> {
    let mut body = Limited::new(body, FORM);
    let mut all: Zeroizing<Vec<u8>> = Zeroizing::default();
    while let Some(frame) = body.frame().await {
        let frame = frame?;
        let Some(data) = frame.data_ref() else { continue };
        let length = all.len().saturating_add(data.len());
        if length > all.capacity() {
            // Growing in place would leave a copy behind.
            let mut more = Zeroizing::new(Vec::with_capacity(length.saturating_mul(2).max(4096)));
            more.extend_from_slice(&all);
            all = more;
        }
        all.extend_from_slice(data);
    }
    Ok(all)
}

/// Uses an invitation up, and goes to the first page.
async fn open(State(door): State<Door>, request: Request) -> Response {
    // A browser that looks ahead asks with HEAD, or says so.
    let early = request.headers().get("sec-purpose").is_some();
    if request.method() != Method::GET || early {
        return StatusCode::NO_CONTENT.into_response();
    }
    let key = request.uri().query().and_then(|query| query.strip_prefix("key=")).unwrap_or_default();
    let Some(cookie) = door.open(key) else {
        return match door.session(request.headers(), true) {
            Some(_) => Redirect::to("/").into_response(),
            None => not_in(&door),
        };
    };
    let Ok(mut cookie) = HeaderValue::from_str(&cookie) else { return not_in(&door) };
    cookie.set_sensitive(true);
    if is_ours(request.headers()) {
        let headers = [(LOCATION, HeaderValue::from_static("/")), (SET_COOKIE, cookie)];
        return (StatusCode::SEE_OTHER, headers).into_response();
    }
    // Where a link on another page led here, browsers keep the cookie from what a redirection leads to.
    let body = html! { p { a href="/" { "Go on" } } };
    let page = Page::new(door.program(), "Come in").leads_to("/").body(body);
    ([(SET_COOKIE, cookie)], page).into_response()
}
