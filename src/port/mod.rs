//! The four ports, as in the patent's Figure 1: [`Token`] (10), [`AuthServer`] (20),
//! [`EntitlementStore`] (30) and [`CertificateAuthority`] (35).
//!
//! The steps never call a port. A suspended state lends its question with `wanted`: a blocking program
//! lets it `ask` a port, an asynchronous one lets it `ask_async` or answers it in its own way
//! ([`question`]).

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
