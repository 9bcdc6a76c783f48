//! Activation codes for many names.

use super::issued::Issued;
use super::lines::{Lines, fields};
use super::{BadLine, CHUNK, Tally, perform, refused};
use crate::change::Until;
use crate::code::Form;
use crate::failure::Failure;
use crate::output::Output;
use crate::time::When;
use halfkey::sqlite::Store;
use halfkey::store::EventKind;
use halfkey::store::operation::{Batch, EventFilter, Events, InspectName, IssueCode, NameEntry};
use halfkey::{UnixTime, UserName};
use serde::Deserialize;
use std::path::PathBuf;

/// For whom codes are made, and where they go.
#[derive(clap::Args)]
pub(crate) struct Codes {
    /// The names.
    file: PathBuf,
    /// Where the codes go: a new file, or that of an import that did not come to its end.
    #[arg(long)]
    out: PathBuf,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    until: Until,
}

/// A line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    name: String,
    expires: Option<String>,
}

/// For whom a code is wanted, and until when.
struct Wanted {
    line: u64,
    name: UserName,
    expires: Option<UnixTime>,
}

impl Wanted {
    fn read(line: u64, text: &str, expires: Option<UnixTime>) -> Result<Self, BadLine> {
        let read = if text.starts_with('{') {
            serde_json::from_str(text)?
        } else {
            let mut fields = fields(text).filter(|fields| fields.len() <= 2).unwrap_or_default().into_iter();
            let name = fields.next().ok_or(BadLine::Csv("name and time"))?;
            Line { name, expires: fields.next().filter(|time| !time.is_empty()) }
        };
        let own = read.expires.map(|time| time.parse()).transpose()?;
        let name = UserName::normalise(&read.name)?;
        Ok(Self { line, name, expires: own.map(|When(time)| time).or(expires) })
    }
}

impl Codes {
    pub(crate) fn run(self, store: &Store, out: &mut Output) -> Result<(), Failure> {
        let mut lines = Lines::open(&self.file)?;
        let mut issued = Issued::open(&self.out)?;
        let mut tally = Tally::new(&lines, out.is_json());
        let expires = self.until.time();
        let mut chunk = Vec::new();
        while let Some((line, text)) = lines.next()? {
            match text.and_then(|text| Wanted::read(line, &text, expires)) {
                Err(bad) => tally.bad(line, &bad),
                Ok(wanted) if issued.is_new(&wanted.name) => chunk.push(wanted),
                Ok(_) => tally.skipped(),
            }
            if chunk.len() >= CHUNK {
                self.issue(store, std::mem::take(&mut chunk), &mut issued, &mut tally)?;
                tally.at(&lines);
            }
        }
        self.issue(store, chunk, &mut issued, &mut tally)?;
        for name in issued.left() {
            let known = store.run(&InspectName(name.clone()), UnixTime::now())?;
            if !has_heard(store, &name, &known, issued.made_at())? {
                tally.amiss(&BadLine::Gone(name.to_string()));
            }
        }
        tally.end(out)
    }

    /// Writes the codes, and then has them issued.
    fn issue(
        &self,
        store: &Store,
        chunk: Vec<Wanted>,
        issued: &mut Issued,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        let now = UnixTime::now();
        let names = chunk.iter().map(|wanted| InspectName(wanted.name.clone())).collect();
        let known = store.run(&Batch(names), now);
        let known =
            known.map_err(|error| refused(error).map_or_else(|failure| failure, |(_, e)| e.into()))?;
        let (mut operations, mut codes) = (Vec::new(), Vec::new());
        for (Wanted { line, name, expires }, known) in chunk.into_iter().zip(known) {
            let doubtful = issued.doubtful(&name);
            if doubtful.is_some() && has_heard(store, &name, &known, issued.made_at())? {
                tally.skipped();
                continue;
            }
            let code = match (doubtful, known.taken_by, known.code) {
                (Some(code), _, _) => code,
                (None, Some(_), _) => {
                    tally.bad(line, &BadLine::Refused(halfkey::store::OperatorError::NameTaken));
                    continue;
                }
                (None, None, Some(code)) if code.expires.is_none_or(|end| end >= now) => {
                    tally.bad(line, &BadLine::CodeExists);
                    continue;
                }
                (None, None, _) => {
                    let code = self.form.draw();
                    codes.push((name.clone(), code.clone()));
                    code
                }
            };
            let secret = code.secret(&self.form.server, &name);
            operations.push((line, IssueCode { name, secret, expires }));
        }
        issued.write(&codes)?;
        let mut refusals = Vec::new();
        tally.done(perform(store, operations, |line, error| refusals.push((line, error)))?);
        for (line, error) in refusals {
            tally.bad(line, &BadLine::Void(error));
        }
        Ok(())
    }
}

/// Whether the store was told of a code after it had been written down: it is there, or was used, or the
/// log knows that it was issued and has gone since.
fn has_heard(store: &Store, name: &UserName, known: &NameEntry, made_at: UnixTime) -> Result<bool, Failure> {
    if known.taken_by.is_some() || known.code.is_some() {
        return Ok(true);
    }
    let filter = EventFilter {
        kind: Some(EventKind::CodeIssued),
        name: Some(name.clone()),
        since: Some(made_at),
        ..EventFilter::default()
    };
    let events = Events { filter, limit: Some(1), ..Events::default() };
    let events = store.run(&events, UnixTime::now())?;
    Ok(!events.entries.is_empty())
}
