//! Many entitlements.

use super::lines::Lines;
use super::{BadLine, CHUNK, Tally, perform};
use crate::entitlement::body;
use crate::failure::Failure;
use base64ct::{Base64, Encoding};
use halfkey::UnixTime;
use halfkey::port::entitlement_store::Document;
use halfkey::store::operation::{self, Entitle, EntitlementFilter, ReadEntitlement};
use halfkey_common::Output;
use halfkey_common::store::Store;
use serde::Deserialize;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Who gets what.
#[derive(clap::Args)]
pub(crate) struct Entitlements {
    /// The entitlements. Files named in it are looked for beside it.
    file: PathBuf,
}

/// A line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    subject: String,
    application: String,
    condition: Option<String>,
    media_type: String,
    body: Option<String>,
    body_base64: Option<String>,
    file: Option<PathBuf>,
    valid_for: Option<u32>,
}

fn read(text: &str, beside: &Path) -> Result<Entitle, BadLine> {
    let line: Line = serde_json::from_str(text)?;
    let body = match (line.body, line.body_base64, line.file) {
        (Some(text), None, None) => text.into_bytes(),
        (None, Some(text), None) => Base64::decode_vec(&text).map_err(|_| BadLine::Base64)?,
        (None, None, Some(file)) => body(&beside.join(file))?,
        _ => return Err(BadLine::Body),
    };
    Ok(Entitle {
        subject: line.subject.parse()?,
        application: line.application.parse()?,
        condition: line.condition.unwrap_or_default().parse()?,
        document: Document { media_type: line.media_type, body },
        valid_for: line.valid_for,
    })
}

/// Bodies that are held at once, in bytes.
const BODIES_MAX: usize = 4 << 20;

/// Subject, application and condition.
type Place = (String, String, String);

/// What goes in one transaction.
#[derive(Default)]
struct Chunk {
    operations: Vec<(u64, Entitle)>,
    subjects: HashSet<Place>,
    bytes: usize,
}

impl Chunk {
    fn is_full(&self) -> bool {
        self.operations.len() >= CHUNK || self.bytes >= BODIES_MAX
    }

    /// Whether it says something else of the same subject, which is to be done before.
    fn has(&self, key: &Place) -> bool {
        self.subjects.contains(key)
    }

    fn perform(&mut self, store: &Store, tally: &mut Tally) -> Result<(), Failure> {
        let mut refusals = Vec::new();
        let operations = std::mem::take(self).operations;
        tally.done(perform(store, operations, |line, error| refusals.push((line, error)))?);
        for (line, error) in refusals {
            tally.bad(line, &BadLine::Refused(error));
        }
        Ok(())
    }
}

impl Entitlements {
    pub(crate) fn run(self, store: &Store, out: &mut Output) -> Result<(), Failure> {
        let mut lines = Lines::open(&self.file, &[], Some(','))?;
        let mut tally = Tally::new(&lines, out.program());
        let beside = self.file.parent().unwrap_or(Path::new(""));
        let mut chunk = Chunk::default();
        while let Some((line, text)) = lines.next()? {
            let entitle = match text.and_then(|text| read(&text, beside)) {
                Ok(entitle) => entitle,
                Err(bad) => {
                    tally.bad(line, &bad);
                    continue;
                }
            };
            let Entitle { subject, application, condition, .. } = &entitle;
            let key = (subject.to_string(), application.to_string(), condition.to_string());
            if chunk.is_full() || chunk.has(&key) {
                chunk.perform(store, &mut tally)?;
                tally.at(&lines);
            }
            if is_so(store, &entitle)? {
                tally.skipped();
                continue;
            }
            chunk.bytes = chunk.bytes.saturating_add(entitle.document.body.len());
            chunk.subjects.insert(key);
            chunk.operations.push((line, entitle));
        }
        chunk.perform(store, &mut tally)?;
        tally.end(out)
    }
}

/// Whether there is nothing to be done: every serial makes its tokens fetch again.
fn is_so(store: &Store, entitle: &Entitle) -> Result<bool, Failure> {
    let Entitle { subject, application, condition, document, valid_for } = entitle;
    let filter = EntitlementFilter {
        subject: Some(subject.clone()),
        application: Some(application.clone()),
        condition: Some(condition.clone()),
    };
    let now = UnixTime::now();
    let page = store.run(&operation::ListEntitlements { filter, after: None, limit: Some(1) }, now)?;
    let Some(entry) = page.entries.into_iter().next() else { return Ok(false) };
    let alike = entry.document == Some((document.media_type.clone(), document.body.len()));
    if entry.valid_for != *valid_for || !alike {
        return Ok(false);
    }
    let read = ReadEntitlement::new(subject.clone(), application.clone()).when(condition.clone());
    Ok(store.run(&read, now)?.as_ref() == Some(document))
}
