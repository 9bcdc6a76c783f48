//! Transactions: run again after a conflict, and never committed in doubt.

use super::connection::Lent;
use super::error::{self, NO_ANSWER, NO_CONNECTION};
use crate::port::StoreError;
use crate::random::{SystemRandom, draw};
use crate::store::tables::TxError;
use alloc::format;
use core::ops::DerefMut;
use core::time::Duration;
use deadpool_postgres::tokio_postgres::{Error, IsolationLevel, Transaction};
use deadpool_postgres::{Object, Pool, PoolError};
use tokio::time::{Instant, sleep, timeout_at};

/// Longest pause between two attempts.
const PAUSE: Duration = Duration::from_millis(250);

/// Content of one transaction.
pub(super) trait Work: Sync {
    type Answer: Send;
    type Error: From<StoreError> + Send;
    /// True where the transaction may change something.
    const WRITES: bool;
    /// Time for waiting for a connection and for attempts. A statement may take half of it, and the
    /// last attempt may end half of it later.
    const PATIENCE: Duration;
    fn perform(
        &self,
        database: Lent<'_>,
    ) -> impl Future<Output = Result<Self::Answer, TxError<Self::Error>>> + Send;
}

/// Connection of the pool, which is given back only when nothing is under way on it.
struct Borrowed {
    connection: Option<Object>,
    idle: bool,
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take().filter(|_| !self.idle) {
            // It is closed, and the server undoes what was begun on it.
            drop(Object::take(connection));
        }
    }
}

/// Runs the transaction: as a whole, durably, or not at all; or the outcome is not known.
pub(super) async fn transact<W: Work>(pool: &Pool, work: &W) -> Result<W::Answer, W::Error> {
    let now = Instant::now();
    let until = now.checked_add(W::PATIENCE).unwrap_or(now);
    // An attempt that is running when the time ends may still finish.
    let limit = until.checked_add(W::PATIENCE.checked_div(2).unwrap_or_default()).unwrap_or(until);
    let mut pause = Duration::from_millis(2);
    loop {
        // Nothing was asked of the database before there is a connection.
        let borrowed = timeout_at(until, borrow(pool)).await;
        let borrowed = borrowed.unwrap_or(Err(StoreError::Unavailable(NO_CONNECTION)))?;
        match timeout_at(limit, attempt(borrowed, work)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(TxError::Error(error))) => return Err(error),
            Ok(Err(TxError::Conflict)) if Instant::now() >= until => {
                return Err(StoreError::Contended.into());
            }
            // A pause of random length keeps rivals from meeting again.
            Ok(Err(TxError::Conflict)) => sleep(part_of(pause)).await,
            Err(_) => return Err(StoreError::Unavailable(NO_ANSWER).into()),
        }
        pause = pause.saturating_mul(2).min(PAUSE);
    }
}

/// Returns a random time of at most `most`.
fn part_of(most: Duration) -> Duration {
    let most = u32::try_from(most.as_micros()).unwrap_or(u32::MAX);
    let drawn = u32::from_be_bytes(draw(&mut SystemRandom));
    Duration::from_micros(drawn.checked_rem(most.saturating_add(1)).unwrap_or(0).into())
}

async fn attempt<W: Work>(mut borrowed: Borrowed, work: &W) -> Result<W::Answer, TxError<W::Error>> {
    let Some(connection) = &mut borrowed.connection else {
        return Err(TxError::Error(StoreError::Unavailable(NO_CONNECTION).into()));
    };
    let begun = begin(connection, W::WRITES, W::PATIENCE).await;
    let transaction = begun.map_err(|error| error::of_statement(&error).widened())?;
    let mut fault = None;
    let answer = work.perform(Lent { transaction: &transaction, fault: &mut fault }).await;
    let answer = match (fault, answer) {
        (Some(fault), _) => Err(fault.widened()),
        (None, Ok(answer)) if W::WRITES => {
            let committed = transaction.commit().await;
            committed.map(|()| answer).map_err(|error| error::of_commit(&error).widened())
        }
        (None, answer) => {
            drop(transaction); // which undoes it
            answer
        }
    };
    borrowed.idle = true;
    answer
}

/// Takes a connection from the pool; the caller limits the time.
async fn borrow(pool: &Pool) -> Result<Borrowed, StoreError> {
    match pool.get().await {
        Ok(connection) => Ok(Borrowed { connection: Some(connection), idle: false }),
        Err(PoolError::Backend(error)) => Err(error::of_connecting(&error)),
        Err(_) => Err(StoreError::Unavailable(NO_CONNECTION)),
    }
}

async fn begin(connection: &mut Object, writes: bool, patience: Duration) -> Result<Transaction<'_>, Error> {
    let client = connection.deref_mut().deref_mut();
    let builder = client.build_transaction();
    let builder = if writes {
        builder.isolation_level(IsolationLevel::Serializable)
    } else {
        builder.isolation_level(IsolationLevel::RepeatableRead).read_only(true)
    };
    let transaction = builder.start().await?;
    // A server that hangs or is cut off in the middle blocks nobody for good.
    let (statement, idle) = (patience.as_millis() / 2, patience.as_millis());
    let limits = format!(
        "SET LOCAL statement_timeout = {statement}; SET LOCAL idle_in_transaction_session_timeout = {idle}"
    );
    transaction.batch_execute(&limits).await?;
    Ok(transaction)
}
