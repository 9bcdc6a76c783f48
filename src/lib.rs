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
//! 1. [`driver`]: the whole of it in thirty lines, blocking. The example `registration` narrates a run.
//! 2. [`port`]: the four things that you bring, or take from [`memory`], `software`, `sqlite` and `postgres`;
//!    `store`: what an operator does with a store.
//! 3. [`registration`], [`session`], [`configuration`]: the pure steps that the drivers run, for programs
//!    of any other kind.
//! 4. `PROTOCOL.md`: every byte. `SECURITY.md`: what is not prevented. `DESIGN.md`: why.
//!
//! # States
//! A state named `Await…` waits for the peer: give it the bytes that came. One named `Need…` waits for you:
//! `wanted` says for what, and `supply` takes the answer. On the server's side `wanted` is a question as a
//! value ([`port::question`]), whose `ask` asks a port. States are used up by going on; what must survive a
//! restart is plain data in [`record`].
//!
//! # Example
//! A blank token registers with a certified server, in one process and without a network:
//! ```
//! # #[cfg(feature = "std")] fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use halfkey::certificate::{CertificateRequest, IssuerName, Revocation, Validity};
//! use halfkey::key::{IssuerKey, KemPrivateKey, OfferKey};
//! use halfkey::policy::SuiteList;
//! use halfkey::port::CertificateAuthority;
//! use halfkey::port::question::{KeysQuestion, StoreQuestion};
//! use halfkey::registration::{server, token};
//! use halfkey::template::{Field, FieldKind, Template};
//! use halfkey::{memory, software::*, suite::SUITES, *};
//! let (now, random) = (UnixTime::now(), &mut SystemRandom);
//!
//! // An issuer, a server that it certifies, and a blank token that trusts it.
//! let issuer = IssuerKey::generate_ed25519(random)?;
//! let mut authority = memory::Authority::root(IssuerName::common_name("Issuer")?, issuer)?;
//! let (name, offer_key) = (ServerName::new("gate.example")?, OfferKey::generate(random));
//! let kem_key = KemPrivateKey::generate(2048, random)?;
//! let request = CertificateRequest::sign(&name, kem_key.public(), &SuiteList::all(), &offer_key)?;
//! let chain = authority.issue(&request, Validity::new(now, now.after(3600))?, random)?;
//! let store = memory::Store::new();
//! let template = Template::new(vec![Field::required("name", FieldKind::UserName)])?;
//! let settings = ServerSettings::new(name.clone(), template, &Secret::new([7; 32]));
//! let auth = memory::Server::new(&settings, &chain, kem_key, offer_key, SystemRandom)?;
//! let anchors = authority.trust_anchor()?.into();
//! let (pin, quick) = (SecretString::from("2468"), PinSettings::for_tests());
//! let (mut card, _unblocking) = SoftwareToken::new(anchors, &pin, quick, Box::new(SystemRandom))?;
//! card.unlock(&pin)?;
//!
//! // R0 and R1.
//! let hello = token::hello(name, SUITES, random)?;
//! let need = server::receive_hello(hello.send.as_bytes(), &settings)?;
//! let material = need.wanted().ask(&auth, now)?;
//! let need = need.supply(&material, b"peer", &settings, now, random)?;
//! let signature = need.wanted().ask(&auth, now)?;
//! let r1 = need.supply(signature);
//! let anchors = port::Token::anchors(&card)?;
//! let need = hello.next.receive_offer(r1.as_bytes(), &anchors, &Revocation::Ignore, now)?;
//!
//! // The user fills the template in; R2 and R3.
//! let form = need.wanted().fill([("name", "Alice".into())])?;
//! let need = need.supply(form, token::Credential::None)?.supply_from(&mut card, random)?;
//! let request = need.supply_from(&mut card, now)?.supply_from(&mut card)?;
//! let need = server::receive_request(request.send.as_bytes())?;
//! let stored = need.wanted().ask(&store, now)?;
//! let server::Lookup::New(need) = need.supply(stored, b"peer", &settings, now)? else { panic!() };
//! let secrets = need.wanted().ask(&auth, now);
//! let need = need.supply(secrets, &settings)?;
//! let known = need.wanted().ask(&store, now)?;
//! let judged = need.supply(known, &settings, now);
//! let granted = server::Grant {
//!     user_id: None,
//!     access_path: AccessPath::new("/staff")?,
//!     policy: settings.policy,
//! };
//! let commit = judged.decide(|_| server::Decision::Grant(granted), &settings, now, random)?;
//! let committed = commit.wanted().ask(&store, now)?;
//! let r3 = commit.supply(committed);
//!
//! // The join; R4 and R5.
//! let opened = request.next.receive_outcome(r3.as_bytes())?.supply_from(&mut card, now)?;
//! let token::ServerDecision::Granted(need) = opened else { panic!() };
//! let confirm = need.supply_from(&mut card)?;
//! let need = server::receive_confirm(confirm.send.as_bytes())?;
//! let expected = need.wanted().ask(&store, now)?;
//! let need = need.supply(expected)?;
//! let confirmed = need.wanted().ask(&store, now)?;
//! let r5 = need.supply(confirmed);
//! let settled = confirm.next.receive_done(r5.as_bytes())?.supply_from(&mut card)?;
//! assert!(matches!(settled, token::Settled::Done(_)));
//! # Ok(()) }
//! # #[cfg(not(feature = "std"))] fn main() {}
//! ```
//!
//! # Features
//! | feature | default | adds |
//! | --- | --- | --- |
//! | `std` | yes | [`SystemRandom`], in-memory server and store, software token, drivers |
//! | `sqlite` | no | an entitlement store in a file of SQLite, which is built from C |
//! | `postgres` | no | an entitlement store in PostgreSQL, asynchronous, on your pool |
//! | `serde` | no | reading and writing settings, policies, templates, names and ids |
//! | `historic` | no | the patent to the letter, and the attacks on it |
//!
//! A feature adds names and never changes behaviour.
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

mod aead;
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
pub mod key;
pub mod memory;
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
pub mod wire;

pub use cause::Cause;
pub use id::{
    AccessPath, Alias, ApplicationName, ChallengeId, CodeId, Digest, EventId, Group, IdError, KeyId,
    NameError, OfferId, ServerName, TicketId, Txn, UserId, UserName,
};
pub use moment::Moment;
#[cfg(feature = "std")]
pub use random::SystemRandom;
pub use random::{Purpose, RandomSource};
pub use secret::Secret;
pub use settings::{ServerOptions, ServerSettings, SettingsError};
pub use step::{ErrorReason, Fault, Step};
pub use time::UnixTime;

/// Compiles the README's example.
#[cfg(all(doctest, feature = "std"))]
#[doc = include_str!("../README.md")]
struct Readme;
