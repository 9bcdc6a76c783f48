//! The commands of README.md and GUIDE.md, as they stand there.

use crate::site::{LONG, binary, port, scratch, skipped};
use crate::{sections, shell};
use std::fs;
use std::path::Path;
use std::process::Command;

const README: &str = include_str!("../../../../README.md");

/// The commands of the blocks in a section.
fn commands(title: &str) -> Vec<&'static str> {
    let section = README.split("\n## ").find(|section| section.starts_with(title)).unwrap();
    section.lines().filter_map(|line| line.strip_prefix("$ ")).collect()
}

#[test]
fn the_commands_of_run_it_are_run() {
    let commands = commands("Run it");
    let (demo, [build, rest @ ..]) = commands.split_first().unwrap() else { panic!("{commands:?}") };
    assert!(demo.starts_with("cargo run -p halfkey-gate -- demo"), "{demo}");
    assert!(rest.len() <= 5, "more than six commands: {commands:?}");
    // What is built already need not be built again.
    let programs: Vec<_> = build
        .split(" && ")
        .next()
        .unwrap()
        .split_whitespace()
        .filter(|word| word.starts_with("halfkey-"))
        .collect();
    assert_eq!(programs, ["halfkey-gate", "halfkey-admin", "halfkey-agent"]);
    assert!(build.ends_with(" && export PATH=\"$PWD/target/debug:$PATH\""), "{build}");
    if !is_whole() {
        return;
    }

    // Others may use these ports on this machine.
    let dir = scratch("readme");
    let (gate, ports) =
        (dir.join("gate"), [("4400", port()), ("4480", port()), ("8000", port()), ("8080", port())]);
    let edits: String = ports.iter().map(|(old, new)| format!(" -e s/:{old}/:{new}/")).collect();
    let mut script = "set -eux\n".to_owned();
    for command in rest {
        let command = command
            .replace("/tmp/gate", gate.to_str().unwrap())
            .replace("localhost:8080", &format!("localhost:{}", ports[3].1))
            .replace("-m http.server", &format!("-m http.server {}", ports[2].1));
        script.push_str(&command);
        script.push('\n');
        if command.starts_with("halfkey-gate init") {
            let gate = gate.display();
            script.push_str(&format!("sed -i{edits} {gate}/gate.toml {gate}/services.json\n"));
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let said = run(&script, &dir, &root);
    assert!(said.contains("<a href=\"gate/\">gate/</a>"), "the web server's page is not there:\n{said}");
    fs::remove_dir_all(&dir).unwrap();
}

/// Tells whether what the commands need is there.
fn is_whole() -> bool {
    let Some(name) =
        ["curl", "python3"].into_iter().find(|name| Command::new(name).arg("--version").output().is_err())
    else {
        return true;
    };
    assert!(std::env::var_os("CI").is_none_or(|ci| ci.is_empty()), "{name} is missing");
    skipped(&format!("{name} is missing"));
    false
}

/// Runs a script with the programs in its path, and gives what it said. Whatever it has started ends with it.
fn run(script: &str, home: &Path, directory: &Path) -> String {
    let found = ["halfkey-gate", "admin", "halfkey"].map(binary);
    let path = shell::path(&[found[0].parent().unwrap()]);
    let mut sh = Command::new("sh");
    sh.env_clear().env("PATH", path).env("HOME", home).current_dir(directory);
    shell::run(&mut sh, script, &home.join("log"), LONG * 2)
}

#[test]
fn the_commands_of_the_guide_are_run() {
    if !is_whole() {
        return;
    }
    let dir = scratch("guide");
    let (listen, operator) = (port(), port());
    let script = sections::script("## 8.", "sh gate")
        .replace("127.0.0.1:4480", &format!("127.0.0.1:{operator}"))
        .replace("localhost:4400", &format!("localhost:{listen}"));
    let (init, rest) = script.split_once("--name localhost\n").unwrap();
    let edits = format!("sed -i -e s/:4400/:{listen}/ -e s/:4480/:{operator}/ gate/gate.toml");
    let said = run(&format!("set -x\n{init}--name localhost\n{edits}\n{rest}"), &dir, &dir);
    assert!(said.contains("halfkey_gate_certificate_days_left 729"), "{said}");
    assert!(said.contains("request approved") && said.contains("confirmed"), "{said}");
    fs::remove_dir_all(&dir).unwrap();
}
