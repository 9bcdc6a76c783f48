//! The whole system as an outside user meets it: the binaries of gate, operator and agent in processes of their own,
//! over real sockets, in front of real application servers.
#![cfg(target_os = "linux")]
#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::print_stderr, reason = "tests")]

#[path = "../../../../tests/support/chromium.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod chromium;
#[path = "../../../../tests/support/sections.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod sections;
#[path = "../../../../tests/postgres/server.rs"]
mod server;
#[path = "../../../../tests/support/shell.rs"]
mod shell;
mod site;

mod readme;
mod story;

mod database;
mod faults;
mod network;
mod pages;
