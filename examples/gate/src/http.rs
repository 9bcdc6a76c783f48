//! Application servers that speak HTTP: they learn who is there by headers that no client can set.

use crate::upstream::Stream;
use halfkey::UserName;
use halfkey::configuration::server::Principal;
use halfkey::tokio::forward;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;

/// Prefix of the names of the gate's headers.
const OURS: &str = "halfkey-";

type Body = BoxBody<Bytes, hyper::Error>;

/// Identity of the user, as headers.
pub(crate) struct Identity(Vec<(HeaderName, HeaderValue)>);

impl Identity {
    /// Headers for a user. A name that is not ASCII goes as its bytes in UTF-8.
    #[must_use]
    pub(crate) fn new(who: &Principal, name: Option<&UserName>) -> Self {
        let header = |header: &'static str, value: &str| {
            Some((HeaderName::from_static(header), HeaderValue::from_bytes(value.as_bytes()).ok()?))
        };
        let headers = [
            header("halfkey-user", who.user_id.as_str()),
            header("halfkey-key", &who.key_id.to_string()),
            header("halfkey-path", who.access_path.as_str()),
            name.and_then(|name| header("halfkey-name", name.as_str())),
        ];
        Self(headers.into_iter().flatten().collect())
    }
}

/// Passes requests on from `session` to `upstream`, one after the other, until either ends.
///
/// # Errors
/// The connection's.
pub(crate) async fn serve<S>(session: S, upstream: Stream, identity: Identity) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = hyper::client::conn::http1::Builder::new()
        .preserve_header_case(true)
        .handshake(TokioIo::new(upstream))
        .await?;
    let connection = tokio::spawn(connection.with_upgrades());
    let (sender, identity) = (Arc::new(Mutex::new(sender)), Arc::new(identity));
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let (sender, identity) = (Arc::clone(&sender), Arc::clone(&identity));
        async move {
            let (request, upgrade) = prepare(request, &identity);
            let mut sender = sender.lock().await;
            if sender.ready().await.is_err() {
                return Ok(problem(StatusCode::BAD_GATEWAY));
            }
            match sender.send_request(request).await {
                Ok(response) => Ok::<_, hyper::Error>(answer(response, upgrade)),
                Err(error) => {
                    tracing::debug!(error = halfkey_common::sentence(&error), "the application server");
                    Ok(problem(StatusCode::BAD_GATEWAY))
                }
            }
        }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .half_close(true)
        .preserve_header_case(true)
        .serve_connection(TokioIo::new(session), service)
        .with_upgrades()
        .await;
    connection.abort();
    served
}

/// Takes away what a client must not say, and says who it is.
fn prepare(
    mut request: Request<Incoming>,
    identity: &Identity,
) -> (Request<Incoming>, Option<hyper::upgrade::OnUpgrade>) {
    let wants = request.headers().contains_key(hyper::header::UPGRADE);
    let upgrade = wants.then(|| hyper::upgrade::on(&mut request));
    let headers = request.headers_mut();
    strip(headers);
    for (name, value) in &identity.0 {
        headers.insert(name.clone(), value.clone());
    }
    *request.version_mut() = Version::HTTP_11;
    (request, upgrade)
}

/// The answer without our own headers, should the application server echo them, and the upgrade that it grants.
fn answer(mut response: Response<Incoming>, upgrade: Option<hyper::upgrade::OnUpgrade>) -> Response<Body> {
    strip(response.headers_mut());
    if let (StatusCode::SWITCHING_PROTOCOLS, Some(client)) = (response.status(), upgrade) {
        let server = hyper::upgrade::on(&mut response);
        tokio::spawn(async move {
            let (Ok(client), Ok(server)) = (client.await, server.await) else { return };
            let _ = forward(&mut TokioIo::new(client), &mut TokioIo::new(server)).await;
        });
    }
    response.map(BodyExt::boxed)
}

/// Removes headers whose names an application server may take for ours: also with underscores, which many read as
/// hyphens.
fn strip(headers: &mut HeaderMap) {
    let ours: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().replace('_', "-").starts_with(OURS)).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
}

fn problem(status: StatusCode) -> Response<Body> {
    let text = Full::new(Bytes::from_static(b"the application server does not answer\n"));
    let mut response = Response::new(text.map_err(|never| match never {}).boxed());
    *response.status_mut() = status;
    response
}
