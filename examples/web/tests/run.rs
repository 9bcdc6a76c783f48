//! Runs both programs to their end: each is a server and a client in one process, on loopback.

#![allow(clippy::expect_used, reason = "a test may panic")]

use std::process::Command;

fn ends_well(program: &str) {
    let output = Command::new(program).output().expect("the program starts");
    assert!(output.status.success(), "{program}: {output:?}");
}

#[test]
fn http_goes_through_a_session() {
    ends_well(env!("CARGO_BIN_EXE_hyper_session"));
}

#[test]
fn a_token_registers_by_post_and_its_session_is_a_web_socket() {
    ends_well(env!("CARGO_BIN_EXE_axum_session"));
}
