//! Lists, a page at a time: one operation for all of them.

use super::page::{Cursor, Page};
use super::{Operation, OperatorError};
use crate::store::entity::{Entity, Tables};
use crate::store::tables::{Query, TxError};
use crate::time::UnixTime;

/// Lists the entries that a filter lets through, a page at a time.
///
/// ```
/// use halfkey::memory::Store;
/// use halfkey::store::operation::{ListEvents, ListRegistrations, RegistrationFilter};
/// use halfkey::{UnixTime, UserName};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (store, now) = (Store::new(), UnixTime::now());
/// let name = Some(UserName::normalise("Alice")?);
/// let list = ListRegistrations::of(RegistrationFilter { name, ..Default::default() });
/// assert!(store.run(&list, now)?.entries.is_empty());
/// let log = ListEvents { limit: Some(20), ..Default::default() };
/// assert!(store.run(&log, now)?.entries.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct List<F> {
    /// Filter, which also tells what is listed.
    pub filter: F,
    /// Place after which the page begins; `None` for the first page.
    pub after: Option<Cursor>,
    /// Most entries of the page: see [`Page`].
    pub limit: Option<u16>,
}

impl<F> List<F> {
    /// Lists what the filter lets through, from the beginning.
    #[must_use]
    pub const fn of(filter: F) -> Self {
        Self { filter, after: None, limit: None }
    }
}

/// A filter of a [`List`]. The filters are fixed by this crate.
pub trait ListFilter: Send + Sync {
    /// Entry that the list shows.
    type Entry: Send;
    #[doc(hidden)]
    type Row: Entity;
    /// Value that is read once for a page.
    #[doc(hidden)]
    type Context: Send + Sync;
    #[doc(hidden)]
    fn query(&self, now: UnixTime) -> Query;
    #[doc(hidden)]
    fn context<T: Tables>(tables: &mut T) -> impl Future<Output = Result<Self::Context, TxError>> + Send;
    /// Makes an entry of a row and of others that it leads to; `None` for a row that is not listed.
    #[doc(hidden)]
    fn entry<T: Tables>(
        &self,
        tables: &mut T,
        context: &Self::Context,
        row: Self::Row,
    ) -> impl Future<Output = Result<Option<Self::Entry>, TxError>> + Send;
}

impl<F: ListFilter> Operation for List<F> {
    type Answer = Page<F::Entry>;
    type Error = OperatorError;
    const WRITES: bool = false;

    async fn perform<T: Tables>(
        &self,
        tables: &mut T,
        now: UnixTime,
    ) -> Result<Page<F::Entry>, TxError<OperatorError>> {
        let context = F::context(tables).await?;
        let rows = Page::read(tables, self.filter.query(now), self.after.as_ref(), self.limit).await?;
        let mut page = Page { entries: alloc::vec::Vec::new(), next: rows.next, damaged: rows.damaged };
        for row in rows.entries {
            let place = Cursor::of(&row);
            let entry = self.filter.entry(tables, &context, row).await;
            page.take(place, entry)?;
        }
        Ok(page)
    }
}

/// Declares a list whose entries are made of one row each.
macro_rules! list {
    ($filter:ty, $row:ty => $entry:ty; |$self:ident, $now:ident| $query:expr) => {
        impl $crate::store::operation::list::ListFilter for $filter {
            type Entry = $entry;
            type Row = $row;
            type Context = ();
            fn query(&$self, $now: $crate::time::UnixTime) -> $crate::store::tables::Query {
                $query
            }
            async fn context<T: $crate::store::entity::Tables>(
                _: &mut T,
            ) -> Result<(), $crate::store::tables::TxError> {
                Ok(())
            }
            async fn entry<T: $crate::store::entity::Tables>(
                &self,
                _: &mut T,
                (): &(),
                row: $row,
            ) -> Result<Option<$entry>, $crate::store::tables::TxError> {
                Ok(Some(row.into()))
            }
        }
    };
}
pub(super) use list;
