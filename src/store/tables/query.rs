//! Queries: which rows are wanted, and in which order.

use super::row::Row;
use super::schema::{Column, Table};
use super::value::{Key, Value};
use alloc::string::String;
use alloc::vec::Vec;

/// A query for rows of one table: those for which all conditions hold.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Query {
    /// Conditions, each on a column by name.
    pub conditions: Vec<(&'static str, Condition)>,
    /// Column by whose numbers the rows come, and by their keys among equals; by their keys alone where
    /// it is `None`. A null comes before every number.
    pub order_by: Option<&'static str>,
    /// Key before the first row wanted; not itself wanted. Never set together with `order_by`.
    pub after: Option<Key>,
    /// True for the reversed order, in which `after` is a bound from above.
    pub backwards: bool,
    /// Most rows that are returned. It does not limit what is counted.
    pub limit: Option<usize>,
}

/// A condition on one column. It never holds for null.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// The text is this one.
    Is(String),
    /// The text is another one.
    IsNot(String),
    /// The number is this one or less.
    AtMost(i64),
    /// The number is this one or greater.
    AtLeast(i64),
    /// The text begins with this one.
    Begins(String),
}

impl Condition {
    /// Tells whether the condition holds for a value.
    #[must_use]
    pub fn holds(&self, value: &Value) -> bool {
        match value {
            Value::Text(text) => self.holds_for_text(text),
            Value::Int(number) => self.holds_for_number(*number),
            Value::Null | Value::Bytes(_) => false,
        }
    }

    pub(crate) fn holds_for_text(&self, text: &str) -> bool {
        match self {
            Self::Is(wanted) => text == wanted,
            Self::IsNot(other) => text != other,
            Self::Begins(wanted) => text.starts_with(wanted.as_str()),
            Self::AtMost(_) | Self::AtLeast(_) => false,
        }
    }

    pub(crate) const fn holds_for_number(&self, number: i64) -> bool {
        match self {
            Self::AtMost(most) => number <= *most,
            Self::AtLeast(least) => number >= *least,
            Self::Is(_) | Self::IsNot(_) | Self::Begins(_) => false,
        }
    }

    /// Returns the least and the greatest value for which the condition can hold, where an index can
    /// find them.
    #[must_use]
    pub fn range(&self) -> Option<(Value, Value)> {
        match self {
            Self::Is(text) => Some((Value::Text(text.clone()), Value::Text(text.clone()))),
            Self::AtMost(most) => Some((Value::Int(i64::MIN), Value::Int(*most))),
            Self::AtLeast(least) => Some((Value::Int(*least), Value::Int(i64::MAX))),
            Self::IsNot(_) | Self::Begins(_) => None,
        }
    }
}

impl Query {
    /// Tells whether a row is one of those wanted, whatever the limit.
    #[must_use]
    pub fn matches(&self, row: &Row) -> bool {
        self.holds(row) && self.follows(&row.key())
    }

    /// Tells whether a key comes after [`Query::after`], in the query's direction.
    #[must_use]
    pub fn follows(&self, key: &Key) -> bool {
        self.after.as_ref().is_none_or(|after| if self.backwards { key < after } else { key > after })
    }

    /// Tells whether all conditions hold for a row.
    pub(crate) fn holds(&self, row: &Row) -> bool {
        self.conditions
            .iter()
            .all(|(name, condition)| row.get(name).is_some_and(|value| condition.holds(value)))
    }

    /// Returns an indexed column, and the least and the greatest value that wanted rows have in it;
    /// `None` where no condition is on an indexed column.
    #[must_use]
    pub fn range(&self, table: &Table) -> Option<(Column, Value, Value)> {
        let indexed = |name: &str| table.columns().find(|column| column.indexed && column.name == name);
        self.conditions.iter().find_map(|(name, condition)| {
            let (least, greatest) = condition.range()?;
            Some((indexed(name)?, least, greatest))
        })
    }

    /// Returns the rows wanted among these, in the order wanted, and no more than the limit.
    ///
    /// A back end that finds too many rows, or cannot sort them, leaves the rest to this.
    #[must_use]
    pub fn pick(&self, rows: impl IntoIterator<Item = Row>) -> Vec<Row> {
        let mut rows: Vec<(Option<i64>, Key, Row)> = rows
            .into_iter()
            .filter(|row| self.matches(row))
            .map(|row| (self.order_by.and_then(|name| row.int(name)), row.key(), row))
            .collect();
        rows.sort_by(|(a, key_a, _), (b, key_b, _)| (a, key_a).cmp(&(b, key_b)));
        if self.backwards {
            rows.reverse();
        }
        let limit = self.limit.unwrap_or(usize::MAX);
        rows.into_iter().take(limit).map(|(_, _, row)| row).collect()
    }
}
