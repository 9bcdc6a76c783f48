//! Many things from a file, line by line: what is wrong with a line is told, and the rest goes on.

mod codes;
mod entitlements;
mod groups;
mod issued;
mod lines;

use crate::failure::{Failure, about_line, operator};
use crate::gate::Gate;
use crate::progress::Progress;
use halfkey::store::operation::{Batch, BatchError, Operation, OperatorError};
use halfkey::{NameError, UnixTime};
use halfkey_common::store::Store;
use halfkey_common::{About, Output, Program};
use lines::Lines;
use serde::Serialize;
use std::time::Instant;
use thiserror::Error;

/// What is taken from a file.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Makes activation codes: CSV `name[,expires]`, or JSON lines with `name` and `expires`.
    ///
    /// A first line that is `name` or `name,expires` is a heading. Who is called so stands further down.
    ///
    /// The codes are written to a file of their own, as CSV `name,code`, and are on the disk before they
    /// are good for anything. After a crash the same command again goes on where it was: what is in that
    /// file already is skipped, and what was not issued yet is issued. A name that a spreadsheet would take for a
    /// formula has an apostrophe before it there, and may have one here.
    Codes(codes::Codes),
    /// Sets entitlements: JSON lines with `subject`, `application`, `media_type`, one of `body`,
    /// `body_base64` and `file`, `valid_for` in seconds, and `condition` as lists show it. What is so
    /// already is skipped.
    Entitlements(entitlements::Entitlements),
    /// Takes users into groups: CSV `user_id,group`, also as a heading, or JSON lines with `user_id` and
    /// `group`.
    Groups(groups::Groups),
}

impl Command {
    pub(crate) fn run(self, store: &Store, gate: Option<&Gate>, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::Codes(codes) => codes.run(store, gate, out),
            Self::Entitlements(entitlements) => entitlements.run(store, out),
            Self::Groups(groups) => groups.run(store, out),
        }
    }
}

/// How the lines of CSV are read.
#[derive(clap::Args)]
pub(crate) struct Csv {
    /// What stands between two fields, if it is not a comma.
    #[arg(long, value_name = "CHARACTER")]
    delimiter: Option<char>,
}

/// Lines that go in one transaction. Others wait for it: some hundredths of a second.
const CHUNK: usize = 256;

/// What is wrong with a line.
#[derive(Debug, Error)]
enum BadLine {
    #[error("the line is longer than a mebibyte")]
    TooLong,
    #[error("the line is not UTF-8")]
    NotUtf8,
    #[error("the line is not the JSON expected: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the line is not CSV of {0}")]
    Csv(&'static str),
    #[error("the line has a semicolon or a tab and no comma; say --delimiter to have it read")]
    Delimiter,
    #[error("that time is over already")]
    Over,
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Subject(#[from] halfkey::store::SubjectError),
    #[error(transparent)]
    Condition(#[from] halfkey::store::ConditionError),
    #[error(transparent)]
    Time(#[from] halfkey_common::time::TimeError),
    #[error("one of body, body_base64 and file is wanted")]
    Body,
    #[error("body_base64 is not base 64")]
    Base64,
    #[error("{0}")]
    File(#[from] Failure),
    #[error("there is an unused activation code for this name")]
    CodeExists,
    #[error("{0}")]
    Refused(OperatorError),
    #[error("{0}; its code, which has been written, is void")]
    Void(OperatorError),
    #[error("another activation code has been issued for {0}; the one which has been written is void")]
    Replaced(String),
    #[error("the code for {0} has been written, not issued, and its line is gone")]
    Gone(String),
}

impl BadLine {
    const fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "line-too-long",
            Self::NotUtf8 => "not-utf-8",
            Self::Json(_) => "json",
            Self::Csv(_) => "csv",
            Self::Delimiter => "delimiter",
            Self::Over => "over",
            Self::Name(_) => "name",
            Self::Subject(_) => "subject",
            Self::Condition(_) => "condition",
            Self::Time(_) => "time",
            Self::Body => "body",
            Self::Base64 => "base64",
            Self::File(_) => "file",
            Self::CodeExists => "code-exists",
            Self::Refused(error) | Self::Void(error) => operator(error),
            Self::Replaced(_) => "code-replaced",
            Self::Gone(_) => "line-gone",
        }
    }
}

/// What has become of the lines.
struct Tally {
    program: Program,
    began: Instant,
    progress: Progress,
    done: u64,
    skipped: u64,
    bad: u64,
}

#[derive(Serialize)]
struct Sum {
    done: u64,
    skipped: u64,
    bad: u64,
    seconds: f64,
    per_second: f64,
}

impl Tally {
    fn new(lines: &Lines, program: Program) -> Self {
        let progress = lines.length().map_or_else(Progress::open, Progress::bytes);
        Self { program, began: Instant::now(), progress, done: 0, skipped: 0, bad: 0 }
    }

    fn done(&mut self, more: usize) {
        self.done = self.done.saturating_add(u64::try_from(more).unwrap_or(u64::MAX));
    }

    fn skipped(&mut self) {
        self.skipped = self.skipped.saturating_add(1);
    }

    fn bad(&mut self, line: u64, bad: &BadLine) {
        self.complain(Some(about_line(line)), bad);
    }

    /// What is wrong with no line in particular.
    fn amiss(&mut self, bad: &BadLine) {
        self.complain(None, bad);
    }

    fn complain(&mut self, about: Option<About>, bad: &BadLine) {
        self.bad = self.bad.saturating_add(1);
        self.progress.suspend(|| self.program.complain(about.as_ref(), &bad.to_string(), bad.code()));
    }

    fn at(&self, lines: &Lines) {
        self.progress.at(lines.position(), self.done, "done");
    }

    fn end(self, out: &mut Output) -> Result<(), Failure> {
        let Self { began, progress, done, skipped, bad, .. } = self;
        drop(progress);
        let seconds = began.elapsed().as_secs_f64();
        // A number to be read, not to be counted with.
        #[expect(clippy::cast_precision_loss, reason = "what is lost is far behind the point")]
        let per_second = (done as f64 / seconds.max(0.001)).round();
        let seconds = (seconds * 1000.0).round() / 1000.0;
        let sentence =
            format!("{done} done, {skipped} skipped, {bad} bad, in {seconds:.1} s: {per_second:.0} a second");
        out.done(&Sum { done, skipped, bad, seconds, per_second }, &sentence)?;
        let all = done.saturating_add(skipped).saturating_add(bad);
        if bad == 0 { Ok(()) } else { Err(Failure::Some { failed: bad, all }) }
    }
}

/// Performs operations in as few transactions as it takes; what is refused is handed to `refuse`, and
/// the rest is done. It answers with how many were done.
fn perform<O: Operation<Answer: 'static, Error = OperatorError> + Clone + 'static>(
    store: &Store,
    operations: Vec<(u64, O)>,
    mut refuse: impl FnMut(u64, OperatorError),
) -> Result<usize, Failure> {
    let mut done = 0usize;
    let mut parts = vec![operations];
    while let Some(part) = parts.pop() {
        if part.is_empty() {
            continue;
        }
        let (mut lines, operations): (Vec<u64>, Vec<O>) = part.into_iter().unzip();
        let batch = Batch(operations);
        let (place, error) = match store.run_in_turn(&batch, UnixTime::now()) {
            Ok(answers) => {
                done = done.saturating_add(answers.len());
                continue;
            }
            Err(error) => refused(error)?,
        };
        // What came before it was in order, and what comes after it may be.
        let mut operations = batch.0;
        let place = place.min(operations.len());
        let (tail_lines, tail) = (lines.split_off(place), operations.split_off(place));
        let mut tail = tail_lines.into_iter().zip(tail);
        if let Some((line, _)) = tail.next() {
            refuse(line, error);
        }
        parts.push(tail.collect());
        parts.push(lines.into_iter().zip(operations).collect());
    }
    Ok(done)
}

/// Which of a batch the store refuses, unless it refuses to answer at all.
fn refused(error: BatchError<OperatorError>) -> Result<(usize, OperatorError), Failure> {
    match error {
        BatchError::Operation { error: OperatorError::Store(error), .. } | BatchError::Store(error) => {
            Err(OperatorError::Store(error).into())
        }
        BatchError::Operation { place, error } => Ok((place, error)),
        _ => Err(Failure::Usage("there are too many lines in one transaction")),
    }
}
