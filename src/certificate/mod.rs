//! Server certificates: what they say, how they are asked for, issued and verified.
//!
//! ```text
//!  server                          authority (35)                     token (10)
//!  P_u, offer key, suites, name
//!    └─ CertificateRequest ──────► issue ──► Chain ─── in R1 ───────► verify(TrustAnchors)
//!                                  revoke ─► RevocationList ────────►   └─ VerifiedServer
//! ```
//!
//! A certificate is X.509 v3 (RFC 5280) of this profile:
//!
//! | field | value |
//! | --- | --- |
//! | subject | empty when issued here, never looked at: the name is in subjectAltName |
//! | subjectPublicKeyInfo | P_u: rsaEncryption, 2048 to 8192 bits, odd exponent 65537 to 2^32 - 1 |
//! | keyUsage | keyEncipherment, and nothing else |
//! | extKeyUsage | [`PURPOSE_OID`], and nothing else: never a TLS server |
//! | basicConstraints | absent, or not a CA |
//! | subjectAltName | one dNSName, the server's name in lower case, no wildcard; critical if the subject is empty |
//! | [`EXTENSION_OID`] | once, not critical: the suites the server speaks and its offer key |
//!
//! ```asn1
//! Server ::= SEQUENCE {
//!     suites    SEQUENCE SIZE (1..8) OF INTEGER (0..65535),  -- all different
//!     offerKey  OCTET STRING (SIZE (32)) }                   -- Ed25519
//! ```
//!
//! A chain has at most [`MAX_CHAIN`] certificates of at most [`MAX_CERTIFICATE`] bytes. What an
//! attacker may still do: present a revoked certificate to a token that checks no revocation list
//! ([`Revocation::Ignore`]), or an older list that is not stale yet.
//!
//! # When an issuer's key changes
//! 1. The old key certifies the new one, under the issuer's name or another's (a cross-certificate):
//!    `memory::Authority::certify_authority`, or `openssl x509 -req`.
//! 2. Servers are certified by the new key, and their chains have the cross-certificate behind their own: tokens
//!    with the old anchor find a path through it, those with the new anchor without it.
//! 3. Tokens get the new anchor: new ones when they are made, others from their holders
//!    (`SoftwareToken::replace_anchors`, or `tcp_client anchors add FILE`).
//! 4. When the cross-certificate ends, the old anchor leads nowhere new, and can be removed.
//!
//! ```
//! # #[cfg(not(feature = "std"))]
//! # fn main() {}
//! # #[cfg(feature = "std")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use halfkey::policy::SuiteList;
//! use halfkey::certificate::{CertificateRequest, IssuerName, Revocation, Validity, verify};
//! use halfkey::key::{IssuerKey, KemPrivateKey, OfferKey};
//! use halfkey::{ServerName, SystemRandom, UnixTime, memory::Authority, port::CertificateAuthority};
//! let random = &mut SystemRandom;
//!
//! // The authority, and what a blank token is distributed with.
//! let mut authority =
//!     Authority::root(IssuerName::common_name("Issuer")?, IssuerKey::generate_ed25519(random)?)?;
//! let anchors = authority.trust_anchor()?.into();
//!
//! // The server asks for its certificate and gets it.
//! let (name, offer_key) = (ServerName::new("gate.example")?, OfferKey::generate(random));
//! let kem_key = KemPrivateKey::generate(2048, random)?;
//! let request = CertificateRequest::sign(&name, kem_key.public(), &SuiteList::all(), &offer_key)?;
//! let now = UnixTime::now();
//! let chain = authority.issue(&request, Validity::lasting(now, 3600)?, random)?;
//!
//! // The token verifies it.
//! let server = verify(&chain.as_der(), &anchors, &name, now, &Revocation::Ignore)?;
//! assert_eq!(server.kem_key(), kem_key.public());
//! # Ok(())
//! # }
//! ```

mod algorithm;
mod anchor;
mod error;
mod issue;
mod issuer;
mod item;
pub(crate) mod leaf;
mod name;
mod path;
mod request;
mod revocation;
mod server;
mod signed;
mod verify;

pub use anchor::{AnchorError, TrustAnchor, TrustAnchors};
pub use error::{CertificateError, Usage};
pub use issue::{IssueError, Validity};
pub use item::{Certificate, Chain, RevocationList, SerialNumber};
pub use name::IssuerName;
pub use request::{CertificateRequest, RequestError};
pub use revocation::{Revocation, RevocationDepth};
pub(crate) use verify::verify_stapled;
pub use verify::{VerifiedServer, verify};

pub(crate) use issue::{CrlFields, Issuer, key_id, stated_key_id};

use der::oid::ObjectIdentifier;

/// Most certificates in a chain, the server's own among them, a root not needed.
pub const MAX_CHAIN: usize = 4;
/// Longest certificate in bytes.
pub const MAX_CERTIFICATE: usize = 8192;
/// Most revocation lists given to one verification.
pub const MAX_REVOCATION_LISTS: usize = MAX_CHAIN;
/// Longest revocation list in bytes: some 450 entries.
pub const MAX_REVOCATION_LIST: usize = 16 * 1024;

/// The extended key usage of a server's certificate, as text.
///
/// No arc is registered for this project. Anybody may use the arc 2.25 with a UUID of 128 bits
/// (ITU-T X.667); here it is followed by a random number of 31 bits only, since common
/// software keeps an arc in 32 bits. That is not what X.667 grants, merely very unlikely to collide.
pub const PURPOSE_OID: &str = "2.25.683857984.1";
/// The private extension of a server's certificate, as text; [`PURPOSE_OID`] tells where it is from.
pub const EXTENSION_OID: &str = "2.25.683857984.2";

static PURPOSE: ObjectIdentifier = ObjectIdentifier::new_unwrap(PURPOSE_OID);
static EXTENSION: ObjectIdentifier = ObjectIdentifier::new_unwrap(EXTENSION_OID);
