//! The four things a user of this crate brings, as in the patent's Figure 1, each with a contract
//! suite that outside implementations run.

pub mod certificate_authority;

pub use certificate_authority::CertificateAuthority;
