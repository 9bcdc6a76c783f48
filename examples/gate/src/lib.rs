//! A gate in front of application servers, on halfkey: the authentication server of the patent's Figure 1 as a program.
//!
//! ```text
//!   agent ──┬── control session ────────▶ gate ──▶ store: who may reach what
//!           └── a session a connection ─▶      ──▶ application server (PROXY header, or HTTP headers)
//! ```
//! Agents register and open sessions on one port. What each may reach is the store's entitlement for the application
//! `services`, and nothing in a file or said by a client. Changes that the operator makes in whatever process take
//! effect within two seconds.

mod access;
mod config;
mod demo;
mod gate;
mod http;
mod init;
mod observe;
mod pages;
mod serve;
mod store;
pub mod ui;
mod upstream;
mod watch;

pub use config::{Config, ConfigError, Granted, Limits, Service, Upstream};
pub use demo::demo;
pub use gate::{Gate, GateError};
pub use init::{InitError, Made, Plan, init};
pub use store::{Kept, KeptError};
