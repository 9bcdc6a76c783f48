//! Scripts of the documents, run by a shell.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

/// Returns a search path with these directories before the system's.
pub fn path(first: &[&Path]) -> OsString {
    let system = env::var_os("PATH").unwrap();
    let first = first.iter().map(|directory| directory.to_path_buf());
    env::join_paths(first.chain(env::split_paths(&system))).unwrap()
}

/// Runs a script by `shell`, whose environment and directory the caller has set, and returns its output, which is
/// written to the file `log`. Every process that the script started ends with it.
///
/// # Panics
/// The script fails, or is not over after `patience`.
pub fn run(shell: &mut Command, script: &str, log: &Path, patience: Duration) -> String {
    let output = fs::File::create(log).unwrap();
    shell.args(["-c", script]).stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
    let mut shell = shell.process_group(0).spawn().unwrap();
    let begun = Instant::now();
    let ended = loop {
        match shell.try_wait().unwrap() {
            Some(status) => break Some(status),
            None if begun.elapsed() > patience => break None,
            None => thread::sleep(Duration::from_millis(50)),
        }
    };
    // A server that it has started is of its group, and does not outlive it.
    let group = format!("kill -9 -{} 2>/dev/null", shell.id());
    let _ = Command::new("sh").args(["-c", &group]).status();
    let _ = shell.wait();
    let said = fs::read_to_string(log).unwrap();
    assert!(ended.is_some_and(|status| status.success()), "{ended:?}\n{said}");
    said
}
