//! Lists, a page or all of it.

use crate::failure::{Failure, UNREADABLE, UNREADABLE_CODE, about_row};
use crate::progress::Progress;
use halfkey::store::operation::{Cursor, OperatorError, Page};
use halfkey_common::output::{Entry, Table};
use halfkey_common::{Output, Program};
use serde::Serialize;
use std::io::IsTerminal;

/// How much of a list.
#[derive(clap::Args)]
pub(crate) struct Paging {
    /// At most so many, 1 to 1000.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// From there on: what an earlier page has told as the next.
    #[arg(long, value_name = "PLACE")]
    after: Option<Cursor>,
    /// All of it.
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

/// The last line of a page in JSON.
#[derive(Serialize)]
struct Next {
    next: String,
}

const PAGE: u16 = 1000;

impl Paging {
    /// How many at most.
    pub(crate) const fn limit(&self) -> u16 {
        self.limit
    }

    /// Lists what `page` gives, as `view` shows it; `None` is not shown.
    pub(crate) fn list<T, E: Entry>(
        &self,
        out: &mut Output,
        mut page: impl FnMut(Option<Cursor>, Option<u16>) -> Result<Page<T>, OperatorError>,
        mut view: impl FnMut(T) -> Result<Option<E>, Failure>,
    ) -> Result<(), Failure> {
        let mut table = Table::default();
        let (mut after, mut shown, mut unread) = (self.after.clone(), 0u64, 0usize);
        // Where the list itself goes to a terminal, it is its own progress.
        let progress = (self.all && !std::io::stdout().is_terminal()).then(Progress::open);
        loop {
            let Page { entries, next, damaged } =
                page(after, Some(if self.all { PAGE } else { self.limit }))?;
            let entries = entries.into_iter().filter_map(|entry| view(entry).transpose());
            let entries = entries.collect::<Result<Vec<_>, _>>()?;
            table.page(out, &entries)?;
            shown = shown.saturating_add(u64::try_from(entries.len()).unwrap_or(u64::MAX));
            unread = unread.saturating_add(tell(out.program(), &damaged));
            let Some(next) = next else { return all_read(unread) };
            if !self.all {
                let next = Next { next: next.to_string() };
                return out.next(&next, &next.next).map_err(Failure::from).and(all_read(unread));
            }
            if let Some(progress) = &progress {
                progress.at(shown, shown, "listed");
            }
            out.flush()?;
            after = Some(next);
        }
    }
}

/// Calls `each` with every entry of a list that can be read.
pub(crate) fn every<T>(
    program: Program,
    mut page: impl FnMut(Option<Cursor>, Option<u16>) -> Result<Page<T>, OperatorError>,
    mut each: impl FnMut(T) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let (mut after, mut unread) = (None, 0usize);
    loop {
        let Page { entries, next, damaged } = page(after, Some(PAGE))?;
        entries.into_iter().try_for_each(&mut each)?;
        unread = unread.saturating_add(tell(program, &damaged));
        let Some(next) = next else { return all_read(unread) };
        after = Some(next);
    }
}

/// Tells which rows cannot be read, and how many they are.
pub(crate) fn tell(program: Program, damaged: &[Cursor]) -> usize {
    for place in damaged {
        program.complain(Some(&about_row(place)), &format!("it {UNREADABLE}"), UNREADABLE_CODE);
    }
    damaged.len()
}

pub(crate) fn all_read(unread: usize) -> Result<(), Failure> {
    if unread == 0 { Ok(()) } else { Err(Failure::Unreadable) }
}
