//! Many users into groups.

use super::lines::{Lines, fields};
use super::{BadLine, CHUNK, Csv, Tally, perform};
use crate::failure::Failure;
use halfkey::store::operation::JoinGroup;
use halfkey_common::Output;
use halfkey_common::store::Store;
use serde::Deserialize;
use std::path::PathBuf;

/// Who goes where.
#[derive(clap::Args)]
pub(crate) struct Groups {
    /// The users and groups; `-` is standard input.
    file: PathBuf,
    #[command(flatten)]
    csv: Csv,
}

/// A line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    user_id: String,
    group: String,
}

fn read(text: &str, delimiter: char) -> Result<JoinGroup, BadLine> {
    let line = if text.starts_with('{') {
        serde_json::from_str(text)?
    } else {
        match fields(text, delimiter).as_deref() {
            Some([user_id, group]) => Line { user_id: user_id.clone(), group: group.clone() },
            _ => return Err(BadLine::Csv("user id and group")),
        }
    };
    Ok(JoinGroup { user_id: line.user_id.parse()?, group: line.group.parse()? })
}

impl Groups {
    pub(crate) fn run(self, store: &Store, out: &mut Output) -> Result<(), Failure> {
        let mut lines = Lines::open(&self.file, &["user_id", "group"], self.csv.delimiter)?;
        let mut tally = Tally::new(&lines, out.program());
        let mut chunk = Vec::new();
        loop {
            let next = lines.next()?;
            if chunk.len() >= CHUNK || next.is_none() {
                let mut refusals = Vec::new();
                let chunk = std::mem::take(&mut chunk);
                tally.done(perform(store, chunk, |line, error| refusals.push((line, error)))?);
                for (line, error) in refusals {
                    tally.bad(line, &BadLine::Refused(error));
                }
                tally.at(&lines);
            }
            let Some((line, text)) = next else { return tally.end(out) };
            match text.and_then(|text| read(&text, lines.delimiter())) {
                Err(bad) => tally.bad(line, &bad),
                Ok(join) => chunk.push((line, join)),
            }
        }
    }
}
