//! The four ports, as in the patent's Figure 1: [`Token`] (10), [`AuthServer`] (20),
//! [`EntitlementStore`] (30) and [`CertificateAuthority`] (35).
//!
//! The steps never call a port. A blocking program lends one to a suspended state with
//! `supply_from`; an asynchronous one answers the state's `wanted` in its own way.

pub mod auth_server;
pub mod certificate_authority;
pub mod contract;
pub mod entitlement_store;
pub mod question;
pub mod token;

pub use auth_server::{AuthServer, AuthServerError};
pub use certificate_authority::CertificateAuthority;
pub use entitlement_store::{EntitlementStore, StoreError};
pub use token::{Token, TokenError};
