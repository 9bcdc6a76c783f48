//! The commands of GUIDE.md, run section by section with the programs that it names; not those for PostgreSQL.
#![cfg(unix)]
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test may panic"
)]

#[path = "../../../tests/support/sections.rs"]
mod sections;
#[path = "../../../tests/support/shell.rs"]
mod shell;

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use std::{env, fs};

/// Longest time that a section may take: one waits for a minute, and a machine may be busy.
const PATIENCE: Duration = Duration::from_secs(600);

/// The directory with the examples, which `cargo test -p halfkey-admin` does not build by itself.
fn examples() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--locked", "-p", "halfkey", "--features", "sqlite"]);
        let profile = Path::new(env!("CARGO_BIN_EXE_admin")).parent().unwrap();
        build.arg("--target-dir").arg(profile.parent().unwrap());
        if profile.ends_with("release") {
            build.arg("--release");
        }
        for example in ["issuer", "tcp_server", "tcp_client"] {
            build.args(["--example", example]);
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        assert!(build.current_dir(root).status().unwrap().success());
        profile.join("examples")
    })
}

fn is_there(program: &str) -> bool {
    let found = |dir: PathBuf| dir.join(program).is_file();
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(found))
}

/// Runs the commands of a section, unless a program that they need is missing.
fn run(title: &str, needed: &[&str]) {
    if let Some(program) = needed.iter().find(|program| !is_there(program)) {
        assert!(env::var_os("CI").is_none_or(|ci| ci.is_empty()), "{program} is missing");
        // The harness keeps what is printed, but not what is written.
        let _ = writeln!(std::io::stderr(), "SKIPPED: {title} of GUIDE.md: {program} is missing");
        return;
    }
    let number = title.trim_matches(|c: char| !c.is_ascii_digit());
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("guide-{number}"));
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(&scratch).unwrap();

    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let script = [sections::script("", "sh"), "set -x\n".into(), sections::script(title, "sh")].concat();
    let script = script.replace("127.0.0.1:4400", &format!("127.0.0.1:{port}"));
    let admin = Path::new(env!("CARGO_BIN_EXE_admin")).parent().unwrap();
    let mut sh = Command::new("sh");
    sh.env("PATH", shell::path(&[admin, examples()])).current_dir(&scratch);
    shell::run(&mut sh, &script, &scratch.join("log"), PATIENCE);
    fs::remove_dir_all(&scratch).unwrap();
}

#[test]
fn set_up() {
    run("## 1.", &["openssl"]);
}

#[test]
fn certificates_and_keys() {
    run("## 2.", &[]);
}

#[test]
fn the_storage_key() {
    run("## 3.", &[]);
}

#[test]
fn backups() {
    run("## 4.", &["sqlite3"]);
}

#[test]
fn thefts() {
    run("## 7.", &[]);
}

/// A section with commands that no test runs would be found out here.
#[test]
fn every_section_with_commands_is_run() {
    let numbers: Vec<_> = sections::sections("sh").iter().map(|title| title.get(..5).unwrap_or("")).collect();
    assert_eq!(numbers, ["", "## 1.", "## 2.", "## 3.", "## 4.", "## 7."]);
}

/// A command that fails, and one that should and does not, end the script.
#[test]
fn a_wrong_command_is_noticed() {
    let script = sections::script("## 4.", "sh");
    assert!(script.starts_with("set -eu\n") && script.contains("if token bob session; then"), "{script}");
    let found = script.lines().find(|line| line.contains("token bob session; then")).unwrap();
    let shell = |token: &str| {
        let text = format!("set -eu\ntoken() {{ {token}; }}\n{found}\nexit 7");
        Command::new("sh").args(["-c", &text]).stderr(Stdio::null()).status().unwrap().code()
    };
    assert_eq!((shell("true"), shell("false")), (Some(1), Some(7)));
}
