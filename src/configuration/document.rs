//! Contents of a C1: documents and their digests, and the fields that belong to each kind.

use super::error::ServerConfigurationError;
use crate::hash;
use crate::id::Digest;
use crate::message::{Configuration, Held};
use crate::port::entitlement_store::Document;
use crate::transcript::{label, length};
use crate::wire::{Bytes, Message, Problem, Text, WireError};

/// The longest media type, in bytes.
pub const MAX_MEDIA_TYPE: usize = 127;

/// The longest document, in bytes.
pub const MAX_BODY: usize = 57_344;

pub(super) const UNCHANGED: u8 = 0;
pub(super) const REVOKED: u8 = 1;
pub(super) const DOCUMENT: u8 = 2;
pub(super) const UNKNOWN: u8 = 3;

/// The digest of a document, or of a revocation (`None`).
///
/// `SHA-256("halfkey/1 configuration" ‖ 0x00 ‖ kind(1) ‖ length(4) ‖ media type ‖ length(4) ‖ body)`, lengths
/// in bytes and big-endian; `kind` as in C1: 2 for a document, 1 for a revocation, which has both lengths 0.
/// `Unchanged` repeats the digest of what is held. Serial, scope and validity are not covered: the channel
/// authenticates them, and validity is renewed without a new document. SHA-256 under every suite, since a
/// configuration outlives a change of suite.
#[must_use]
pub fn digest(document: Option<&Document>) -> Digest {
    document.map_or_else(
        || digest_of(REVOKED, "", &[]),
        |document| digest_of(DOCUMENT, &document.media_type, &document.body),
    )
}

fn digest_of(kind: u8, media_type: &str, body: &[u8]) -> Digest {
    let media_type = media_type.as_bytes();
    hash::sha256(&[label::CONFIGURATION, &[0, kind], &length(media_type), media_type, &length(body), body])
}

/// Refuses a document that does not fit into C1.
pub(crate) fn check(document: &Document) -> Result<(), ServerConfigurationError> {
    if document.media_type.len() > MAX_MEDIA_TYPE || !is_media_type(&document.media_type) {
        return Err(ServerConfigurationError::MediaType);
    }
    if document.body.len() > MAX_BODY {
        return Err(ServerConfigurationError::BodyTooLong(document.body.len()));
    }
    Ok(())
}

/// `type/subtype`, both of RFC 6838's restricted names, then parameters, if any, in printable ASCII.
fn is_media_type(text: &str) -> bool {
    let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
    let restricted = |name: &str| {
        name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    let named = essence.split_once('/').is_some_and(|(kind, sub)| restricted(kind) && restricted(sub));
    named && parameters.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

/// Contents of a well-formed C1.
pub(super) struct Content<'b> {
    pub(super) version: Held,
    pub(super) valid_for: Option<u32>,
    pub(super) news: News<'b>,
}

/// News in a C1.
pub(super) enum News<'b> {
    /// Nothing: what is held is still right.
    Unchanged,
    /// The user is entitled to nothing any more.
    Revoked,
    /// A document.
    Document { media_type: &'b str, body: &'b [u8] },
}

/// Reads C1's kind: exactly the fields that belong to it are there; `None` when the server knows nothing of
/// the application. A push always has news.
pub(super) fn content<'b>(c1: &Configuration<'b>) -> Result<Option<Content<'b>>, WireError> {
    let asked = c1.request_id != 0;
    let (of_document, known) = match c1.kind {
        DOCUMENT => (true, true),
        REVOKED => (false, true),
        UNCHANGED if asked => (false, true),
        UNKNOWN if asked => (false, false),
        _ => return Err(at("kind", Problem::OutOfRange)),
    };
    let serial = field("serial", c1.serial, known)?;
    let digest = field("digest", c1.digest, known)?;
    let media_type = field("media_type", c1.media_type, of_document)?;
    let body = field("body", c1.body, of_document)?;
    if c1.valid_for.is_some() && matches!(c1.kind, REVOKED | UNKNOWN) {
        return Err(at("valid_for", Problem::UnexpectedKey));
    }
    let (Some(serial), Some(digest)) = (serial, digest) else { return Ok(None) };
    let news = match (media_type, body) {
        (Some(Text(media_type)), Some(Bytes(body))) if is_media_type(media_type) => {
            News::Document { media_type, body }
        }
        (Some(_), _) => return Err(at("media_type", Problem::OutOfRange)),
        _ if c1.kind == REVOKED => News::Revoked,
        _ => News::Unchanged,
    };
    Ok(Some(Content { version: Held { serial, digest }, valid_for: c1.valid_for, news }))
}

/// The field's value, which must be there exactly when it is `wanted`.
fn field<T>(name: &'static str, value: Option<T>, wanted: bool) -> Result<Option<T>, WireError> {
    match (value.is_some(), wanted) {
        (true, false) => Err(at(name, Problem::UnexpectedKey)),
        (false, true) => Err(at(name, Problem::Missing)),
        _ => Ok(value),
    }
}

const fn at(field: &'static str, problem: Problem) -> WireError {
    WireError { message: <Configuration<'_> as Message<'_>>::NAME, field, problem }
}

impl Content<'_> {
    /// Tells whether the digest sent is that of the content sent.
    pub(super) fn digest_fits(&self) -> bool {
        match self.news {
            News::Unchanged => true,
            News::Revoked => self.version.digest == digest(None),
            News::Document { media_type, body } => {
                self.version.digest == digest_of(DOCUMENT, media_type, body)
            }
        }
    }
}
