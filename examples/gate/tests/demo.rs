//! The demonstration shows what it says, and says when it does not.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

#[test]
fn the_demonstration_holds() {
    let shown = Command::new(env!("CARGO_BIN_EXE_halfkey-gate")).arg("demo").output().unwrap();
    let (told, wrong) = (String::from_utf8_lossy(&shown.stdout), String::from_utf8_lossy(&shown.stderr));
    assert!(shown.status.success(), "{told}{wrong}");
    assert!(told.trim_end().ends_with("opens no session."), "{told}");
}
