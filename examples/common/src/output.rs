//! The answer of a command: tables for people, JSON for scripts.

use crate::colour::{self, painted};
use crate::program::Program;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::fmt::{self, Write as _};
use std::io::{self, BufWriter, Stdout, Write};
use thiserror::Error;
use unicode_width::UnicodeWidthStr;

/// Entry of a list.
pub trait Entry: Serialize {
    /// The fields that a table shows; JSON has all of them.
    const COLUMNS: &'static [&'static str];
}

/// Error of an answer that standard output does not take.
#[derive(Debug, Error)]
#[error("the answer cannot be written: {0}")]
pub struct Unwritten(pub io::Error);

impl Unwritten {
    /// Returns whether the reader of the answer has only read enough.
    #[must_use]
    pub fn is_broken_pipe(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }
}

/// Standard output.
#[derive(Debug)]
pub struct Output {
    program: Program,
    out: BufWriter<Stdout>,
}

impl Output {
    /// Returns the standard output of a program.
    #[must_use]
    pub fn new(program: Program) -> Self {
        Self { program, out: BufWriter::new(io::stdout()) }
    }

    /// Returns the program that answers.
    #[must_use]
    pub const fn program(&self) -> Program {
        self.program
    }

    /// Returns whether answers are in JSON.
    #[must_use]
    pub const fn is_json(&self) -> bool {
        self.program.json
    }

    /// Writes one object: a line of JSON, or a line for each field.
    ///
    /// # Errors
    /// [`Unwritten`].
    pub fn object(&mut self, object: &impl Serialize) -> Result<(), Unwritten> {
        let json = json(object);
        if self.program.json {
            return self.line(&json);
        }
        let Fields(fields) = serde_json::from_str(&json).unwrap_or_default();
        let fields: Vec<_> = fields.into_iter().filter(|(_, value)| !value.is_null()).collect();
        let width = fields.iter().map(|(name, _)| name.width()).max().unwrap_or(0);
        for (name, value) in fields {
            self.line(&format!("{}  {}", pad(&spoken(&name), width), cell(&value)))?;
        }
        Ok(())
    }

    /// Writes a line of JSON, also for people.
    ///
    /// # Errors
    /// [`Unwritten`].
    pub fn json_line(&mut self, object: &impl Serialize) -> Result<(), Unwritten> {
        self.line(&json(object))
    }

    /// Writes what was done: a line of JSON, or a sentence.
    ///
    /// # Errors
    /// [`Unwritten`].
    pub fn done(&mut self, object: &impl Serialize, sentence: &str) -> Result<(), Unwritten> {
        let line = if self.program.json { json(object) } else { clean(sentence) };
        self.line(&line)
    }

    /// Writes where a list goes on: the last line of JSON, or a hint beside the table.
    ///
    /// # Errors
    /// [`Unwritten`].
    pub fn next(&mut self, object: &impl Serialize, place: &str) -> Result<(), Unwritten> {
        if self.program.json {
            return self.line(&json(object));
        }
        self.flush()?;
        let _ = writeln!(io::stderr().lock(), "There is more: --after '{}', or --all.", clean(place));
        Ok(())
    }

    /// Writes a heading between the parts of an answer for people.
    ///
    /// # Errors
    /// [`Unwritten`].
    pub fn heading(&mut self, text: &str) -> Result<(), Unwritten> {
        if self.program.json {
            Ok(())
        } else {
            self.line(&format!("\n{}", painted(text, colour::HEADING, colour::wanted(&io::stdout()))))
        }
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// [`Unwritten`].
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Unwritten> {
        self.out.write_all(bytes).map_err(Unwritten)
    }

    fn line(&mut self, line: &str) -> Result<(), Unwritten> {
        writeln!(self.out, "{line}").map_err(Unwritten)
    }

    /// Hands on what has been written.
    ///
    /// # Errors
    /// [`Unwritten`].
    pub fn flush(&mut self) -> Result<(), Unwritten> {
        self.out.flush().map_err(Unwritten)
    }
}

/// A list that comes page by page: a line of JSON for each entry, or a table with one heading.
#[derive(Debug, Default)]
pub struct Table {
    widths: Vec<usize>,
}

impl Table {
    /// Writes a page.
    ///
    /// # Errors
    /// [`Unwritten`].
    pub fn page<E: Entry>(&mut self, out: &mut Output, entries: &[E]) -> Result<(), Unwritten> {
        if out.program.json {
            return entries.iter().try_for_each(|entry| out.line(&json(entry)));
        }
        let mut rows = Vec::new();
        if self.widths.is_empty() {
            self.widths = vec![0; E::COLUMNS.len()];
            rows.push(E::COLUMNS.iter().map(|name| spoken(name).to_uppercase()).collect::<Vec<_>>());
        }
        for entry in entries {
            let value: Value = serde_json::from_str(&json(entry)).unwrap_or_default();
            let cells = E::COLUMNS.iter().map(|name| value.get(name).map_or_else(String::new, cell));
            rows.push(cells.collect());
        }
        for row in &rows {
            for (width, cell) in self.widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        let coloured = colour::wanted(&io::stdout());
        let heading = rows.len() > entries.len();
        for (place, row) in rows.iter().enumerate() {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&self.widths) {
                let _ = write!(line, "{}  ", pad(cell, *width));
            }
            let coloured = coloured && heading && place == 0;
            out.line(&painted(line.trim_end(), colour::HEADING, coloured))?;
        }
        Ok(())
    }
}

/// Returns an object in JSON. No program here makes one that fails to be: its maps have names for keys.
#[must_use]
pub fn json(object: &impl Serialize) -> String {
    serde_json::to_string(object).unwrap_or_default()
}

/// The fields of an object in their order.
#[derive(Default)]
struct Fields(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Self::default())
    }
}

impl<'de> Visitor<'de> for Fields {
    type Value = Self;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some(field) = map.next_entry()? {
            self.0.push(field);
        }
        Ok(self)
    }
}

fn spoken(name: &str) -> String {
    name.replace('_', " ")
}

fn pad(text: &str, width: usize) -> String {
    let blanks = width.saturating_sub(text.width());
    let mut padded = text.to_string();
    padded.extend(std::iter::repeat_n(' ', blanks));
    padded
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::String(text) => clean(text),
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join(", "),
        other => clean(&other.to_string()),
    }
}

/// Returns the text without what a terminal would obey rather than show: controls, and what turns the
/// direction of writing.
#[must_use]
pub fn clean(text: &str) -> String {
    let is_obeyed = |c: char| {
        let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        c.is_control() || turns
    };
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if is_obeyed(c) {
            clean.extend(c.escape_unicode());
        } else {
            clean.push(c);
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_shown_nothing_that_it_obeys() {
        assert_eq!(clean("a\u{1b}[2J\r\u{202e}b\u{9b}é\0"), "a\\u{1b}[2J\\u{d}\\u{202e}b\\u{9b}é\\u{0}");
    }

    #[test]
    fn columns_are_as_wide_as_they_look() {
        assert_eq!(pad("ab", 4), "ab  ");
        assert_eq!(pad("日本", 5), "日本 ");
        assert_eq!(pad("abc", 1), "abc");
    }
}
