//! The store behind the pages.

use super::wrong::Wrong;
use crate::Config;
use crate::store::{self, KeptError};
use halfkey::port::StoreError;
use halfkey::store::operation::{Cursor, List, ListFilter, Page};
use halfkey::store::{Operation, OperatorError};
use halfkey::template::Template;
use halfkey::{ServerName, UnixTime};
use halfkey_common::Program;
use halfkey_common::store::{Place, Store};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Entries of a page.
pub(super) const ENTRIES: u16 = 50;
/// Pages of a list that are looked at before one without an entry is shown.
const LOOKED_AT: usize = 20;
/// Time for the store to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A store, and what its gate's configuration says of it. Clones share the store.
#[derive(Clone, Debug)]
pub struct Desk {
    store: Arc<Store>,
    /// The gate's name.
    pub(super) server: ServerName,
    /// The form that applicants fill in.
    pub(super) template: Arc<Template>,
    /// The server's directory.
    pub(super) directory: PathBuf,
}

impl Desk {
    /// Opens the store of a gate. It may not be called where there is a runtime, and the last clone may not be
    /// dropped there.
    ///
    /// # Errors
    /// [`KeptError`].
    pub fn open(config: &Config, program: Program) -> Result<Self, KeptError> {
        let keys = store::keys(config, program)?;
        let place = match &config.store.place {
            Place::File(file) => Place::File(config.path(file)),
            Place::Database(database) => Place::Database(database.clone()),
        };
        let open = |source| KeptError::Open { place: place.to_string(), source };
        let store = Arc::new(place.open(keys).map_err(open)?);
        let (server, template) = (config.server.name.clone(), Arc::new(config.server.template.clone()));
        Ok(Self { store, server, template, directory: config.directory.clone() })
    }

    /// Performs an operation on a thread that may block.
    pub(super) async fn run<O>(&self, operation: O) -> Result<O::Answer, Wrong>
    where
        O: Operation<Answer: 'static, Error = OperatorError> + Clone + 'static,
    {
        let store = Arc::clone(&self.store);
        let run = tokio::task::spawn_blocking(move || store.run(&operation, UnixTime::now()));
        let unavailable = || OperatorError::Store(StoreError::Unavailable(0));
        match tokio::time::timeout(PATIENCE, run).await {
            Ok(Ok(answer)) => Ok(answer?),
            Ok(Err(_)) | Err(_) => Err(unavailable().into()),
        }
    }

    /// Reads a page of a list, and goes on to the next where a filter lets nothing of it through.
    pub(super) async fn page<F>(&self, filter: F, after: Option<Cursor>) -> Result<Page<F::Entry>, Wrong>
    where
        F: ListFilter<Entry: 'static> + Clone + 'static,
    {
        let mut list = List { filter, after, limit: Some(ENTRIES) };
        let mut page = self.run(list.clone()).await?;
        for _ in 0..LOOKED_AT {
            if !page.entries.is_empty() || !page.damaged.is_empty() || page.next.is_none() {
                break;
            }
            list.after = page.next;
            page = self.run(list.clone()).await?;
        }
        Ok(page)
    }
}
