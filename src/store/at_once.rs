//! Futures of back ends that never wait.

use core::pin::pin;
use core::task::{Context, Poll, Waker};

/// Returns the result of a future that is ready when it is first polled; `None` if it is not.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}
