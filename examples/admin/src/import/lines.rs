//! The lines of a file, however long it and they are.

use super::BadLine;
use crate::failure::{Failure, FileError};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// The longest line: a document of the greatest length in JSON, with every byte escaped, and room.
const LINE_MAX: u64 = 1 << 20;

/// A line with its number, or what is wrong with it.
pub(super) type Line = (u64, Result<String, BadLine>);

/// The lines of a file, one after the other.
pub(super) struct Lines {
    path: PathBuf,
    columns: &'static [&'static str],
    reader: BufReader<Box<dyn Read>>,
    delimiter: char,
    length: Option<u64>,
    position: u64,
    number: u64,
    whole: bool,
}

impl Lines {
    /// Those of CSV with these columns, which its first line may name; `-` is standard input.
    ///
    /// A file that seems to have its fields apart by something else than a comma is refused as a whole, unless
    /// the delimiter is given.
    pub(super) fn open(
        path: &Path,
        columns: &'static [&'static str],
        delimiter: Option<char>,
    ) -> Result<Self, Failure> {
        if path.as_os_str() == "-" {
            let lines = Self::over(path, Box::new(io::stdin()), None);
            return Ok(Self { columns, delimiter: delimiter.unwrap_or(','), ..lines });
        }
        let open = || File::open(path).map_err(|error| Failure::file(path, error));
        if delimiter.is_none() && open()?.metadata().is_ok_and(|file| file.is_file()) {
            let mut lines = Self::of(path, open()?);
            while let Some((number, line)) = lines.next()? {
                if line.is_ok_and(|line| has_other_delimiter(&line)) {
                    return Err(Failure::file(path, FileError::Delimiter(number)));
                }
            }
        }
        Ok(Self { columns, delimiter: delimiter.unwrap_or(','), ..Self::of(path, open()?) })
    }

    pub(super) fn of(path: &Path, file: File) -> Self {
        let length = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
        Self::over(path, Box::new(file), length)
    }

    fn over(path: &Path, from: Box<dyn Read>, length: Option<u64>) -> Self {
        let reader = BufReader::with_capacity(1 << 16, from);
        let (path, columns, delimiter) = (path.into(), &[][..], ',');
        Self { path, columns, reader, delimiter, length, position: 0, number: 0, whole: true }
    }

    /// What stands between two fields.
    pub(super) const fn delimiter(&self) -> char {
        self.delimiter
    }

    /// Its length, where it has one.
    pub(super) const fn length(&self) -> Option<u64> {
        self.length
    }

    /// How many bytes have been read.
    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    /// Whether the line before had an end.
    pub(super) const fn whole(&self) -> bool {
        self.whole
    }

    /// The next line that is neither empty nor a heading, with its number; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Line>, Failure> {
        loop {
            let mut line = Vec::new();
            let mut limited = (&mut self.reader).take(LINE_MAX);
            let read = limited.read_until(b'\n', &mut line);
            let read = read.map_err(|error| Failure::file(&self.path, error))?;
            if read == 0 {
                return Ok(None);
            }
            self.number = self.number.saturating_add(1);
            self.position = self.position.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
            self.whole = line.ends_with(b"\n");
            if !self.whole && u64::try_from(read).is_ok_and(|read| read >= LINE_MAX) {
                self.skip()?;
                return Ok(Some((self.number, Err(BadLine::TooLong))));
            }
            let Ok(text) = String::from_utf8(line) else {
                return Ok(Some((self.number, Err(BadLine::NotUtf8))));
            };
            // Some editors begin a file with this mark.
            let text = if self.number == 1 { text.trim_start_matches('\u{feff}') } else { &text };
            let text = text.trim_end_matches(['\r', '\n']);
            let heading = self.number == 1 && is_heading(text, self.columns, self.delimiter);
            if !text.is_empty() && !heading {
                return Ok(Some((self.number, Ok(text.into()))));
            }
        }
    }

    /// Reads to the end of the line, and keeps nothing of it.
    fn skip(&mut self) -> Result<(), Failure> {
        loop {
            let buffer = self.reader.fill_buf().map_err(|error| Failure::file(&self.path, error))?;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let used = end.map_or(buffer.len(), |end| end.saturating_add(1));
            self.reader.consume(used);
            self.position = self.position.saturating_add(u64::try_from(used).unwrap_or(u64::MAX));
            if end.is_some() || used == 0 {
                return Ok(());
            }
        }
    }
}

/// Whether a line names columns, the first of these or all of them.
fn is_heading(line: &str, columns: &[&str], delimiter: char) -> bool {
    let names = fields(line, delimiter).unwrap_or_default();
    (1..=columns.len()).contains(&names.len())
        && names.iter().zip(columns).all(|(name, column)| name.trim().eq_ignore_ascii_case(column))
}

/// Whether a line has no comma, and what other programs write instead.
pub(super) fn has_other_delimiter(line: &str) -> bool {
    !line.starts_with('{') && line.contains([';', '\t']) && !line.contains(',')
}

/// The fields of a line of CSV (RFC 4180; no field has the end of a line in it). `None` for a quote out
/// of place.
pub(super) fn fields(line: &str, delimiter: char) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => self::quoted(quoted)?,
            None => {
                let end = rest.find(delimiter).unwrap_or(rest.len());
                let (field, after) = rest.split_at_checked(end)?;
                (field.to_string(), after)
            }
        };
        fields.push(field);
        if after.is_empty() {
            return Some(fields);
        }
        rest = after.strip_prefix(delimiter)?;
    }
}

/// A field after its first quote, and what comes after its last.
fn quoted(mut rest: &str) -> Option<(String, &str)> {
    let mut field = String::new();
    loop {
        let (part, after) = rest.split_once('"')?;
        field.push_str(part);
        let Some(more) = after.strip_prefix('"') else { return Some((field, after)) };
        field.push('"');
        rest = more;
    }
}

/// What a spreadsheet takes for the beginning of a formula.
const FORMULA: [char; 4] = ['=', '+', '-', '@'];

/// A name as no spreadsheet takes it for a formula: with an apostrophe before it, which spreadsheets read as
/// "this is text".
pub(super) fn inert(name: &str) -> String {
    if name.trim_start_matches('\'').starts_with(FORMULA) { format!("'{name}") } else { name.into() }
}

/// The name that was made inert.
pub(super) fn revived(field: &str) -> &str {
    let is_inert = field.trim_start_matches('\'').starts_with(FORMULA);
    field.strip_prefix('\'').filter(|_| is_inert).unwrap_or(field)
}

/// A field as it is written, quoted where it must be.
pub(super) fn field(text: &str) -> String {
    if text.contains([',', '"']) || text.starts_with('{') {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_as_they_are_written() {
        for names in [["ann", "b,c"], ["\"", "\"\"x"], ["{}", ""], ["", ""]] {
            let line = names.map(field).join(",");
            assert_eq!(fields(&line, ',').unwrap(), names, "{line}");
        }
        for bad in ["\"ann", "\"ann\"x", "\"ann\"\"", "\""] {
            assert_eq!(fields(bad, ','), None, "{bad}");
        }
        assert_eq!(fields("ann;\"b;c\"", ';').unwrap(), ["ann", "b;c"]);
    }

    #[test]
    fn no_name_is_a_formula_and_each_comes_back() {
        for name in ["=2+5", "+1", "-a", "@sum", "'=2", "''-x", "ann", "'ann", "a=b", ""] {
            let written = inert(name);
            assert!(!written.starts_with(FORMULA), "{written}");
            assert_eq!(revived(&written), name);
        }
    }
}
