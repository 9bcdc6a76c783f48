//! Operations: values that a store performs.

use crate::port::StoreError;
use crate::store::entity::Tables;
use crate::store::tables::TxError;
use crate::time::UnixTime;

/// Operation on a store, performed in one transaction.
///
/// Every store in this crate performs it with its method `run`: as a whole, durably, or not at all. The
/// operations are fixed by this crate.
///
/// A program that writes down what it does, for any operation:
/// ```
/// use halfkey::UnixTime;
/// use halfkey::memory::Store;
/// use halfkey::store::{Operation, operation::Count};
/// use std::fmt::Debug;
///
/// fn run<O: Operation<Answer: Debug> + Debug>(store: &Store, operation: &O) -> Result<O::Answer, O::Error> {
///     let answer = store.run(operation, UnixTime::now())?;
///     println!("{operation:?}: {answer:?}");
///     Ok(answer)
/// }
/// # fn main() -> Result<(), halfkey::store::OperatorError> {
/// run(&Store::new(), &Count)?;
/// # Ok(()) }
/// ```
pub trait Operation: Send + Sync {
    /// Answer.
    type Answer: Send;
    /// Error.
    type Error: From<StoreError> + Send;
    /// True where the operation may change something.
    #[doc(hidden)]
    const WRITES: bool;
    #[doc(hidden)]
    fn perform<T: Tables>(
        &self,
        tables: &mut T,
        now: UnixTime,
    ) -> impl Future<Output = Result<Self::Answer, TxError<Self::Error>>> + Send;
}

/// Declares an operation.
macro_rules! operation {
    ($name:ident $(<$lifetime:lifetime>)? reads -> $answer:ty, $error:ty; |$self:ident, $tables:ident, $now:ident| $body:block) => {
        $crate::store::operation::operation!(@ $name $(<$lifetime>)?, false, $answer, $error, $self, $tables, $now, $body);
    };
    ($name:ident $(<$lifetime:lifetime>)? writes -> $answer:ty, $error:ty; |$self:ident, $tables:ident, $now:ident| $body:block) => {
        $crate::store::operation::operation!(@ $name $(<$lifetime>)?, true, $answer, $error, $self, $tables, $now, $body);
    };
    (@ $name:ident $(<$lifetime:lifetime>)?, $writes:literal, $answer:ty, $error:ty, $self:ident, $tables:ident, $now:ident, $body:block) => {
        impl Operation for $name $(<$lifetime>)? {
            type Answer = $answer;
            type Error = $error;
            const WRITES: bool = $writes;
            async fn perform<T: Tables>(
                &$self,
                $tables: &mut T,
                $now: UnixTime,
            ) -> Result<$answer, TxError<$error>> $body
        }
    };
}
pub(crate) use operation;
