//! Activation codes for many names.

use super::issued::Issued;
use super::lines::{Lines, fields, has_other_delimiter, revived};
use super::{BadLine, CHUNK, Csv, Tally, perform, refused};
use crate::change::Until;
use crate::code::Form;
use crate::failure::Failure;
use crate::gate::Gate;
use halfkey::registration::ActivationCode;
use halfkey::store::AuditEventKind;
use halfkey::store::operation::{
    Batch, CheckCode, CodeEntry, EventFilter, InspectName, IssueCode, ListEvents, OperatorError,
};
use halfkey::{ServerName, UnixTime, UserName};
use halfkey_common::Output;
use halfkey_common::store::Store;
use halfkey_common::time::When;
use serde::Deserialize;
use std::path::PathBuf;

/// For whom codes are made, and where they go.
#[derive(clap::Args)]
pub(crate) struct Codes {
    /// The names; `-` is standard input.
    file: PathBuf,
    #[command(flatten)]
    csv: Csv,
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
    fn read(line: u64, text: &str, expires: Option<UnixTime>, csv: (char, bool)) -> Result<Self, BadLine> {
        let (delimiter, is_given) = csv;
        if !is_given && has_other_delimiter(text) {
            return Err(BadLine::Delimiter);
        }
        let read = if text.starts_with('{') {
            serde_json::from_str(text)?
        } else {
            let mut fields =
                fields(text, delimiter).filter(|fields| fields.len() <= 2).unwrap_or_default().into_iter();
            let name = fields.next().ok_or(BadLine::Csv("name and time"))?;
            Line { name, expires: fields.next().filter(|time| !time.is_empty()) }
        };
        let own = read.expires.map(|time| time.parse()).transpose()?;
        let own = own.map(|When(time)| time);
        if own.is_some_and(|end| end <= UnixTime::now()) {
            return Err(BadLine::Over);
        }
        let name = UserName::normalise(revived(&read.name))?;
        Ok(Self { line, name, expires: own.or(expires) })
    }
}

impl Codes {
    pub(crate) fn run(self, store: &Store, gate: Option<&Gate>, out: &mut Output) -> Result<(), Failure> {
        let server = &self.form.server(store, gate)?;
        let mut lines = Lines::open(&self.file, &["name", "expires"], self.csv.delimiter)?;
        let csv = (lines.delimiter(), self.csv.delimiter.is_some());
        let expires = self.until.time()?;
        let mut issued = Issued::open(&self.out)?;
        let mut tally = Tally::new(&lines, out.program());
        let mut chunk = Vec::new();
        while let Some((line, text)) = lines.next()? {
            match text.and_then(|text| Wanted::read(line, &text, expires, csv)) {
                Err(bad) => tally.bad(line, &bad),
                Ok(wanted) if issued.is_new(&wanted.name) => chunk.push(wanted),
                Ok(_) => tally.skipped(),
            }
            if chunk.len() >= CHUNK {
                self.issue(store, server, std::mem::take(&mut chunk), &mut issued, &mut tally)?;
                tally.at(&lines);
            }
        }
        self.issue(store, server, chunk, &mut issued, &mut tally)?;
        for (name, code) in issued.left() {
            match Self::heard(store, server, &name, &code, issued.made_at())? {
                Heard::Yes => {}
                Heard::Other => tally.amiss(&BadLine::Replaced(name.to_string())),
                Heard::No => tally.amiss(&BadLine::Gone(name.to_string())),
            }
        }
        tally.end(out)
    }

    /// What became of a code that was written down.
    fn heard(
        store: &Store,
        server: &ServerName,
        name: &UserName,
        code: &ActivationCode,
        made_at: UnixTime,
    ) -> Result<Heard, Failure> {
        let (secret, now) = (code.secret(server, name), UnixTime::now());
        if store.run(&CheckCode { name: name.clone(), secret }, now)? {
            return Ok(Heard::Yes);
        }
        // This one was never heard of, or was used, withdrawn, purged or replaced.
        let known = store.run(&InspectName(name.clone()), now)?;
        if known.code.as_ref().is_some_and(|other| is_live(other, now)) {
            return Ok(Heard::Other);
        }
        let filter = EventFilter {
            kind: Some(AuditEventKind::CodeIssued),
            name: Some(name.clone()),
            since: Some(made_at),
            ..EventFilter::default()
        };
        // What the log has of the other one says nothing of this one.
        let others = u16::from(known.code.as_ref().is_some_and(|other| other.issued_at >= made_at));
        let events = ListEvents { filter, limit: Some(others.saturating_add(1)), ..ListEvents::default() };
        let events = store.run(&events, now)?.entries.len();
        Ok(match known.code {
            _ if events <= usize::from(others) => Heard::No,
            Some(_) => Heard::Other,
            None => Heard::Yes,
        })
    }

    /// Writes the codes, and then has them issued.
    fn issue(
        &self,
        store: &Store,
        server: &ServerName,
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
            let code = if let Some(code) = issued.doubtful(&name) {
                match Self::heard(store, server, &name, &code, issued.made_at())? {
                    Heard::Yes => {
                        tally.skipped();
                        continue;
                    }
                    Heard::Other => {
                        tally.bad(line, &BadLine::Replaced(name.to_string()));
                        continue;
                    }
                    Heard::No => code,
                }
            } else if known.taken_by.is_some() {
                tally.bad(line, &BadLine::Refused(OperatorError::NameTaken));
                continue;
            } else if known.code.is_some_and(|code| is_live(&code, now)) {
                tally.bad(line, &BadLine::CodeExists);
                continue;
            } else {
                let code = self.form.draw();
                codes.push((name.clone(), code.clone()));
                code
            };
            let secret = code.secret(server, &name);
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

/// Whether the store was told of a code after it had been written down.
enum Heard {
    /// It is the one, or was used, withdrawn or let go of.
    Yes,
    /// It was not.
    No,
    /// Another one has been issued since, or instead of it: an operator knows why.
    Other,
}

fn is_live(code: &CodeEntry, now: UnixTime) -> bool {
    code.expires.is_none_or(|end| end >= now)
}
