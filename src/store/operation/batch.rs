//! Many operations in one transaction.

use super::Operation;
use crate::port::StoreError;
use crate::store::entity::Tables;
use crate::store::tables::TxError;
use crate::time::UnixTime;
use alloc::vec::Vec;
use thiserror::Error;

/// Performs operations in their order, all of them or none, and returns their answers.
///
/// A transaction costs a store in a database its wait for the disk, whatever is done in it: some
/// hundreds of operations at once are a hundred times faster than one by one. Other writers wait
/// meanwhile. At most [`Batch::MAX`] operations; [`BatchError`].
///
/// Codes for a hundred machines at once:
/// ```
/// use halfkey::registration::ActivationCode;
/// use halfkey::store::operation::{Batch, IssueCode};
/// use halfkey::{ServerName, SystemRandom, UserName};
/// # use halfkey::memory::Store;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (store, now) = (Store::new(), halfkey::UnixTime::now());
/// let (server, mut issue) = (ServerName::new("gate.example")?, Vec::new());
/// for number in 1..=100 {
///     let name = UserName::normalise(&format!("machine-{number}"))?;
///     let code = ActivationCode::generate_long(&mut SystemRandom); // goes into the machine's image
///     issue.push(IssueCode { secret: code.secret(&server, &name), name, expires: None });
/// }
/// let ids = store.run(&Batch(issue), now)?;
/// assert_eq!(ids.len(), 100);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Batch<O>(
    /// Operations.
    pub Vec<O>,
);

impl<O> Batch<O> {
    /// Most operations of a batch, so that no transaction grows without bound.
    pub const MAX: usize = 1000;
}

/// Error of a batch, which has changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BatchError<E> {
    /// One of the operations failed. Those before it could be done.
    #[error("operation {place} of the batch: {error}")]
    Operation {
        /// Place of the operation in the batch, from 0.
        place: usize,
        /// Error of the operation.
        error: E,
    },
    /// There are more than [`Batch::MAX`] operations.
    #[error("there are too many operations in the batch")]
    TooMany,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<O: Operation> Operation for Batch<O> {
    type Answer = Vec<O::Answer>;
    type Error = BatchError<O::Error>;
    const WRITES: bool = O::WRITES;

    async fn perform<T: Tables>(
        &self,
        tables: &mut T,
        now: UnixTime,
    ) -> Result<Self::Answer, TxError<Self::Error>> {
        if self.0.len() > Self::MAX {
            return Err(BatchError::TooMany.into());
        }
        let mut answers = Vec::with_capacity(self.0.len());
        for (place, operation) in self.0.iter().enumerate() {
            answers.push(operation.perform(tables, now).await.map_err(|trouble| match trouble {
                TxError::Conflict => TxError::Conflict,
                TxError::Error(error) => BatchError::Operation { place, error }.into(),
            })?);
        }
        Ok(answers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::UserName;
    use crate::memory::Store;
    use crate::secret::Secret;
    use crate::store::operation::{IssueCode, ListCodes, OperatorError, WithdrawCode};

    const NOW: UnixTime = UnixTime::from_secs(1_000);

    fn issue(name: &str) -> IssueCode {
        IssueCode { name: UserName::new(name).unwrap(), secret: Secret::new([1; 32]), expires: None }
    }

    fn names(store: &Store) -> Vec<UserName> {
        store.run(&ListCodes::default(), NOW).unwrap().entries.into_iter().map(|code| code.name).collect()
    }

    #[test]
    fn all_is_done() {
        let store = Store::new();
        assert_eq!(store.run(&Batch(alloc::vec![issue("ann"), issue("ben")]), NOW).unwrap().len(), 2);
        assert_eq!(names(&store).len(), 2);
        assert_eq!(store.run(&Batch::<IssueCode>(Vec::new()), NOW), Ok(Vec::new()));
    }

    #[test]
    fn or_nothing() {
        let store = Store::new();
        store.run(&issue("ann"), NOW).unwrap();
        let withdraw = |name| WithdrawCode(UserName::new(name).unwrap());
        let batch = Batch(alloc::vec![withdraw("ann"), withdraw("ben"), withdraw("cas")]);
        let error = OperatorError::NoSuchCode;
        assert_eq!(store.run(&batch, NOW), Err(BatchError::Operation { place: 1, error }));
        assert_eq!(names(&store).len(), 1, "what came before it is undone");
    }

    #[test]
    fn no_batch_is_without_bound() {
        let store = Store::new();
        let batch = |length| Batch(alloc::vec![issue("ann"); length]);
        assert_eq!(store.run(&batch(1001), NOW), Err(BatchError::TooMany));
        assert!(names(&store).is_empty());
        assert!(store.run(&batch(1000), NOW).is_ok());
    }
}
