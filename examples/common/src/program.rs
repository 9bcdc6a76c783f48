//! A program's name, how it is to answer, and how it ends.

use crate::colour::{self, painted};
use crate::output::{clean, json};
use clap::Parser;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

/// Exit code of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// What was asked for is done.
    Done = 0,
    /// It is refused, by the state of a store or by the other side.
    Refused = 1,
    /// The arguments, or a file named in them, are of no use.
    Usage = 2,
    /// A store, a file or the network does not answer, or is damaged.
    Unavailable = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Error with which a program ends.
///
/// People read its text and those of its sources, in one sentence; scripts the exit code and [`ProgramError::word`].
pub trait ProgramError: Error {
    /// Returns the exit code.
    fn exit(&self) -> Exit;

    /// Returns one word for scripts, which stays the same in later versions.
    fn word(&self) -> &'static str;

    /// Returns whether the reader of the answer has only read enough, which is no error.
    fn is_broken_pipe(&self) -> bool {
        false
    }
}

/// Name of a program, and how it is to answer.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Name, which every line on standard error begins with.
    pub name: &'static str,
    /// True if it answers in JSON.
    pub json: bool,
}

/// Item that one of many complaints is about.
#[derive(Clone, Debug)]
pub struct About {
    /// Name of the field in JSON.
    pub field: &'static str,
    /// Value of that field.
    pub value: Value,
    /// The item as people call it.
    pub called: String,
}

struct Complaint<'a> {
    about: Option<&'a About>,
    error: &'a str,
    word: &'a str,
}

impl Serialize for Complaint<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(About { field, value, .. }) = self.about {
            map.serialize_entry(field, value)?;
        }
        map.serialize_entry("error", self.error)?;
        map.serialize_entry("code", self.word)?;
        map.end()
    }
}

impl Program {
    /// Writes one line to standard error, about the whole or about one item. Where even that is not taken, nothing is
    /// left to be done.
    pub fn complain(self, about: Option<&About>, error: &str, word: &str) {
        if self.json {
            let _ = writeln!(io::stderr().lock(), "{}", json(&Complaint { about, error, word }));
        } else {
            self.line(about.map(|about| about.called.as_str()), error);
        }
    }

    /// Writes one line for people to standard error, also where answers are in JSON.
    pub fn note(self, note: &str) {
        self.line(None, note);
    }

    fn line(self, about: Option<&str>, text: &str) {
        let mut stderr = io::stderr().lock();
        let name = painted(self.name, colour::WRONG, colour::wanted(&stderr));
        let about = about.map(|about| format!("{}: ", clean(about))).unwrap_or_default();
        let _ = writeln!(stderr, "{name}: {about}{}", clean(text));
    }

    /// Ends the program.
    pub fn end(self, done: Result<(), impl ProgramError>) -> ExitCode {
        let exit = match done {
            Ok(()) => Exit::Done,
            Err(error) if error.is_broken_pipe() => Exit::Done,
            Err(error) => {
                self.complain(None, &sentence(&error), error.word());
                error.exit()
            }
        };
        exit.into()
    }
}

/// Returns the texts of an error and its sources, each once.
#[must_use]
pub fn sentence(error: &dyn Error) -> String {
    let mut sentence = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        if !sentence.ends_with(&text) {
            sentence.push_str(": ");
            sentence.push_str(&text);
        }
        source = error.source();
    }
    sentence
}

/// Reads the arguments of the program `name`.
///
/// # Errors
/// The exit code, where the arguments say nothing or ask for help; that has been told.
pub fn parse<C: Parser>(name: &'static str) -> Result<C, ExitCode> {
    C::try_parse().map_err(|error| {
        // The arguments were not read, but it can be seen how the answer is wanted.
        if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
            Program { name, json: true }.complain(None, &on_one_line(&error.to_string()), "usage");
        } else {
            let _ = error.print();
        }
        ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
    })
}

/// Puts an error on one line, without the hints for people at its end.
fn on_one_line(error: &str) -> String {
    let error = error.strip_prefix("error: ").unwrap_or(error);
    let paragraphs = error.split("\n\n").filter(|paragraph| {
        !paragraph.starts_with("Usage: ") && !paragraph.starts_with("For more information")
    });
    paragraphs.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use halfkey::{Cause, port::StoreError};

    #[test]
    fn every_cause_is_told_once() {
        let error = StoreError::Failed(Cause::new(io::Error::other("the disk is on fire")));
        assert_eq!(sentence(&error), "the store failed: the disk is on fire");
        assert_eq!(sentence(&StoreError::Damaged), StoreError::Damaged.to_string());
    }

    #[test]
    fn a_complaint_names_its_item_first() {
        let about = About { field: "line", value: 7.into(), called: "line 7".into() };
        let complaint = Complaint { about: Some(&about), error: "too long", word: "line-too-long" };
        assert_eq!(json(&complaint), r#"{"line":7,"error":"too long","code":"line-too-long"}"#);
    }
}
