//! Back ends that meet conflicts, or wait, around one that does neither.

use halfkey::store::tables::{Backend, BlockingBackend, Key, Query, Row, Table, Transaction, TxError};
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

/// Has lost as many transactions to others as it is told, when they are committed.
pub(crate) struct Contended<B> {
    inner: B,
    left: Mutex<u32>,
    pauses: Mutex<Vec<u32>>,
}

impl<B> Contended<B> {
    pub(crate) fn new(inner: B) -> Self {
        Self { inner, left: Mutex::new(0), pauses: Mutex::new(Vec::new()) }
    }
    pub(crate) fn conflicts(&self, left: u32) {
        *self.left.lock().unwrap() = left;
    }
    pub(crate) fn pauses(&self) -> Vec<u32> {
        self.pauses.lock().unwrap().clone()
    }
}

impl<B: Backend> Backend for Contended<B> {
    type Transaction<'b>
        = B::Transaction<'b>
    where
        B: 'b;

    async fn begin(&self, write: bool) -> Result<B::Transaction<'_>, TxError> {
        self.inner.begin(write).await
    }

    async fn commit<'b>(&'b self, transaction: B::Transaction<'b>) -> Result<(), TxError> {
        {
            let mut left = self.left.lock().unwrap();
            if *left > 0 {
                *left -= 1;
                return Err(TxError::Conflict);
            }
        }
        self.inner.commit(transaction).await
    }

    async fn pause(&self, attempt: u32) {
        self.pauses.lock().unwrap().push(attempt);
    }
}

impl<B: BlockingBackend> BlockingBackend for Contended<B> {}

/// Is never ready at once.
#[derive(Clone)]
pub(crate) struct Slow<B>(pub B);

pub(crate) struct SlowTransaction<T>(T);

/// Waits once.
async fn wait() {
    let mut waited = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl<B: Backend> Backend for Slow<B> {
    type Transaction<'b>
        = SlowTransaction<B::Transaction<'b>>
    where
        B: 'b;

    async fn begin(&self, write: bool) -> Result<Self::Transaction<'_>, TxError> {
        wait().await;
        self.0.begin(write).await.map(SlowTransaction)
    }

    async fn commit<'b>(&'b self, transaction: Self::Transaction<'b>) -> Result<(), TxError> {
        wait().await;
        self.0.commit(transaction.0).await
    }
}

/// It does not keep what it says here.
impl<B: Backend> BlockingBackend for Slow<B> {}

impl<T: Transaction> Transaction for SlowTransaction<T> {
    async fn get(&mut self, table: &'static Table, key: &Key) -> Result<Option<Row>, TxError> {
        wait().await;
        self.0.get(table, key).await
    }

    async fn select(&mut self, table: &'static Table, query: &Query) -> Result<Vec<Row>, TxError> {
        wait().await;
        self.0.select(table, query).await
    }

    async fn insert(&mut self, row: Row) -> Result<(), TxError> {
        wait().await;
        self.0.insert(row).await
    }

    async fn update(&mut self, row: Row, version: i64) -> Result<(), TxError> {
        wait().await;
        self.0.update(row, version).await
    }

    async fn delete(
        &mut self,
        table: &'static Table,
        key: &Key,
        version: Option<i64>,
    ) -> Result<(), TxError> {
        wait().await;
        self.0.delete(table, key, version).await
    }
}

/// The result of a future, and how often it had to wait.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> (T, u32) {
    let (mut future, mut waits) = (pin!(future), 0);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => return (result, waits),
            Poll::Pending => waits += 1,
        }
    }
}
