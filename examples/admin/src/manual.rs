//! Completions for shells, and pages for `man`.

use crate::failure::{Failure, FileError};
use clap::CommandFactory;
use clap_complete::Shell;
use halfkey_common::Output;
use serde::Serialize;
use std::path::Path;

/// Writes the completions for a shell to standard output.
pub(crate) fn completions<C: CommandFactory>(shell: Shell, out: &mut Output) -> Result<(), Failure> {
    let mut command = C::command();
    let (name, mut script) = (command.get_name().to_string(), Vec::new());
    clap_complete::generate(shell, &mut command, name, &mut script);
    Ok(out.bytes(&script)?)
}

#[derive(Serialize)]
struct Pages {
    dir: String,
    done: &'static str,
}

/// Writes a page for the program and for each of its commands (section 1) into a directory that is there.
pub(crate) fn man<C: CommandFactory>(dir: &Path, out: &mut Output) -> Result<(), Failure> {
    let written = clap_mangen::generate_to(C::command(), dir);
    written.map_err(|error| Failure::file(dir, FileError::Io(error)))?;
    let dir = dir.display().to_string();
    let sentence = format!("the pages are in {dir}");
    Ok(out.done(&Pages { dir, done: "written" }, &sentence)?)
}
