//! On-line registration of blank tokens, in which each side makes half of the shared key; then cheap
//! mutual authentication, session keys and configuration. It is the system of patent WO 98/25375, made
//! sound.
//!
//! ```text
//!   token (10)                                      authentication server (20)
//!   P_i of its issuer, nothing else                 P_r, a certificate for P_u by that issuer
//!     │                                                │
//!     │  R0 Hello ───────────────────────────────────▶ │
//!     │ ◀─────────────── R1 Offer: certificate, template
//!     │  R2 Request: SSK1 under P_u, the form ───────▶ │        registration, once
//!     │ ◀─────────────── R3 Outcome: SSK2 under SSK1   │
//!     │  R4 Confirm ─────────────────────────────────▶ │
//!     │ ◀──────────────────────────────── R5 Done      │
//!     │        both hold the key that neither made     │
//!     │                                                │
//!     │  S0 Open ───────────── S1 Challenge ─────────▶ │        sessions, as often as wanted
//!     │  S2 Response ───────── S3 Accept ────────────▶ │
//!     │  C0 who, where ─────── C1 configuration ─────▶ │        the entitlement store (30) decides
//! ```
//!
//! # How to read this
//! 1. [`driver`]: a server and a client in a few lines, blocking; `tokio`: the same, asynchronous. The example
//!    `registration` narrates a run.
//! 2. [`exchange`]: the two machines under the drivers, for programs of any other kind.
//! 3. [`port`]: the four things that you bring, or take from [`memory`], `software`, `sqlite` and `postgres`;
//!    `store`: an operator's view of a store; `server_files`: a server's keys in a directory.
//! 4. [`registration`], [`session`], [`configuration`]: the pure steps that the machines drive.
//! 5. `PROTOCOL.md`: every byte. `SECURITY.md`: what is not prevented. `DESIGN.md`: the reasons. `GLOSSARY.md`:
//!    the words.
//!
//! # Example
//! A blank token registers with a certified server and opens a session:
//! ```
//! # #[cfg(feature = "std")] fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use halfkey::certificate::{CertificateRequest, IssuerName, Validity, VerifiedServer};
//! use halfkey::driver::{Acceptor, Connector, RegistrationOutcome};
//! use halfkey::key::{IssuerKey, KemPrivateKey, OfferKey};
//! use halfkey::policy::{Policy, SuiteList};
//! use halfkey::port::CertificateAuthority;
//! use halfkey::registration::server::{Decision, EnrolmentRequest, Grant};
//! use halfkey::registration::token::Credential;
//! use halfkey::software::{PinSettings, SecretString, SoftwareToken};
//! use halfkey::template::{Field, FieldKind, Template};
//! use halfkey::{AccessPath, Secret, ServerName, ServerSettings, SystemRandom, UnixTime, memory};
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//!
//! // An issuer, and a server that it certifies.
//! let (now, random) = (UnixTime::now(), &mut SystemRandom);
//! let issuer = IssuerKey::generate_ed25519(random)?;
//! let mut authority = memory::Authority::root(IssuerName::common_name("Issuer")?, issuer)?;
//! let (name, offer_key) = (ServerName::new("gate.example")?, OfferKey::generate(random));
//! let kem_key = KemPrivateKey::generate(2048, random)?;
//! let request = CertificateRequest::sign(&name, kem_key.public(), &SuiteList::all(), &offer_key)?;
//! let chain = authority.issue(&request, Validity::lasting(now, 3600)?, random)?;
//! let template = Template::new(vec![Field::required("name", FieldKind::UserName)])?;
//! let settings = ServerSettings::new(name.clone(), template, &Secret::random(random));
//! let keys = memory::Server::new(&settings, &chain, kem_key, offer_key, SystemRandom)?;
//!
//! // The server grants every request, and answers in a session.
//! let access_path = AccessPath::new("/staff")?;
//! let grant = Grant { user_id: None, access_path, policy: Policy::default() };
//! let acceptor = Acceptor::builder(settings, keys, memory::Store::new())
//!     .approval(move |_: &EnrolmentRequest| Decision::Grant(grant.clone()))
//!     .build();
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! let server = std::thread::spawn(move || -> std::io::Result<()> {
//!     for stream in listener.incoming() {
//!         if let Some(mut session) = acceptor.accept(stream?, b"peer")? {
//!             session.write_all(b"welcome")?;
//!             session.close()?;
//!             break;
//!         }
//!     }
//!     Ok(())
//! });
//!
//! // A blank token that trusts the issuer.
//! let pin = SecretString::from("2468");
//! let anchors = authority.trust_anchor()?.into();
//! let (mut token, _code) =
//!     SoftwareToken::new(anchors, &pin, PinSettings::for_tests(), Box::new(SystemRandom))?;
//! token.unlock(&pin)?;
//! let connector = Connector::builder(token).build();
//! let fill = |_: &VerifiedServer, form: &Template| {
//!     Ok((form.fill([("name", "Alice".into())])?, Credential::None))
//! };
//! let outcome = connector.register(TcpStream::connect(address)?, &name, fill)?;
//! let RegistrationOutcome::Active(registration) = outcome else { return Err("not decided yet".into()) };
//! let mut session = connector.open(TcpStream::connect(address)?, &registration.key_id)?;
//! let mut text = String::new();
//! session.read_to_string(&mut text)?;
//! assert_eq!(text, "welcome");
//! session.close()?;
//! server.join().map_err(|_| "the server has panicked")??;
//! # Ok(()) }
//! # #[cfg(not(feature = "std"))] fn main() {}
//! ```
//!
//! # Features
//! | feature | default | adds |
//! | --- | --- | --- |
//! | `std` | yes | [`SystemRandom`], in-memory server and store, software token, blocking drivers |
//! | `tokio` | no | the asynchronous drivers, on your tokio |
//! | `sqlite` | no | an entitlement store in a file of SQLite, which is built from C |
//! | `postgres` | no | an entitlement store in PostgreSQL, asynchronous, on your pool |
//! | `contract` | no | test suites for authors of tokens, stores, servers, authorities and cipher suites |
//! | `serde` | no | reading and writing settings, policies, templates, names and ids |
//! | `historic` | no | the patent to the letter, and the attacks on it |
//!
//! A feature adds names and never changes behaviour.
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

mod aead;
mod base32;
mod cause;
#[cfg(feature = "std")]
mod durable;
mod hash;
mod id;
mod moment;
mod name;
mod random;
#[cfg(feature = "std")]
mod sealed;
mod secret;
#[cfg(feature = "serde")]
mod serde_impl;
mod settings;
mod step;
mod time;
mod transcript;

pub mod certificate;
pub mod configuration;
#[cfg(feature = "std")]
pub mod driver;
pub mod exchange;
#[cfg(feature = "historic")]
pub mod historic;
#[cfg(feature = "std")]
pub mod issuer_files;
pub mod key;
pub mod memory;
#[doc(hidden)]
pub mod message;
pub mod policy;
pub mod port;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod record;
pub mod registration;
pub mod schedule;
#[cfg(feature = "std")]
pub mod server_files;
pub mod session;
#[cfg(feature = "std")]
pub mod software;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(feature = "std")]
pub mod store;
pub mod suite;
pub mod template;
#[cfg(feature = "tokio")]
pub mod tokio;
#[doc(hidden)]
pub mod wire;

pub use cause::Cause;
pub use id::{
    AccessPath, Alias, ApplicationName, AttributeName, ChallengeId, CodeId, Digest, EventId, Group, IdError,
    KeyId, OfferId, ServerName, TicketId, Txn, UserId, UserName,
};
pub use moment::Moment;
pub use name::NameError;
#[cfg(feature = "std")]
pub use random::SystemRandom;
pub use random::{Purpose, RandomSource};
pub use secret::Secret;
pub use settings::{ServerOptions, ServerSettings, SettingsError};
pub use step::{ErrorReason, Fault, Step};
pub use time::{Period, UnixTime};
pub use wire::{Frame, Problem, WireError};

/// Compiles the examples of the README, which want tokio and SQLite.
#[cfg(all(doctest, feature = "sqlite", feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct Readme;
