//! The four ports, as in the patent's Figure 1: [`Token`] (10), [`AuthServer`] (20),
//! [`EntitlementStore`] (30) and [`CertificateAuthority`] (35).
//!
//! The steps never call a port. A suspended state lends its question with `wanted`: a blocking program
//! lets it `ask` a port, an asynchronous one lets it `ask_async` or answers it in its own way
//! ([`question`]).
//!
//! A port may be one of this crate's, or wrap one, or be made from nothing. Whichever it is, a driver takes it as it
//! is. Here the holder of a server's keys measures its work:
//! ```
//! use halfkey::policy::SuiteList;
//! use halfkey::port::auth_server::{Decapsulated, Encapsulated, OfferMaterial};
//! use halfkey::port::{AuthServer, AuthServerError};
//! use halfkey::{Digest, UnixTime};
//! use std::time::Instant;
//!
//! struct Measured<A>(A);
//!
//! impl<A: AuthServer> AuthServer for Measured<A> {
//!     fn offer_material(&self, suites: &SuiteList, now: UnixTime) -> Result<OfferMaterial, AuthServerError> {
//!         self.0.offer_material(suites, now)
//!     }
//!     fn sign_offer(&self, certificate: &Digest, transcript: &Digest) -> Result<[u8; 64], AuthServerError> {
//!         self.0.sign_offer(certificate, transcript)
//!     }
//!     fn decapsulate(&self, sealed: &Encapsulated, now: UnixTime) -> Result<Decapsulated, AuthServerError> {
//!         let began = Instant::now();
//!         let opened = self.0.decapsulate(sealed, now);
//!         println!("decapsulated in {:?}", began.elapsed());
//!         opened
//!     }
//!     fn forget(&self, now: UnixTime) -> Option<UnixTime> {
//!         self.0.forget(now)
//!     }
//! }
//! # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
//!
//! # fn main() -> setting::Outcome {
//! # let setting::Setting { settings, keys, store, .. } = setting::Setting::new()?;
//! let acceptor = halfkey::driver::Acceptor::builder(settings, Measured(keys), store).build();
//! # drop(acceptor);
//! # Ok(()) }
//! ```
//! With the feature `contract`, `port::contract` tests an implementation of each port.

mod answered;
pub mod auth_server;
pub mod certificate_authority;
#[cfg(feature = "contract")]
pub mod contract;
pub mod entitlement_store;
pub mod question;
pub mod token;
mod token_question;

pub use auth_server::{AuthServer, AuthServerError};
pub use certificate_authority::CertificateAuthority;
pub use entitlement_store::{EntitlementStore, StoreError};
pub use token::{Token, TokenError};
