//! The hands that perform a server's turns: store, keys and operator, none of which holds up the executor.

use super::end::Boxed;
use super::limits::Limits;
use crate::exchange::{KeysTurn, OperatorTurn, ServerTurn, StoreTurn};
use crate::port::AuthServer;
use crate::port::question::AsyncEntitlementStore;
use crate::registration::server::{Decision, EnrolmentRequest};
use crate::time::UnixTime;
use core::fmt;
use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// A store whose type does not matter.
pub(super) trait AnyStore: Send + Sync {
    fn ask(self: Arc<Self>, turn: StoreTurn) -> Boxed<ServerTurn>;
}

impl<S: AsyncEntitlementStore + 'static> AnyStore for S {
    fn ask(self: Arc<Self>, turn: StoreTurn) -> Boxed<ServerTurn> {
        Box::pin(async move { turn.ask_async(&*self).await })
    }
}

/// The holder of the server's keys, with a bound on how much it has to do at once.
pub(super) struct Keys {
    keys: Arc<dyn AuthServer>,
    /// Questions at work.
    work: Arc<Semaphore>,
    /// Questions at work or waiting.
    room: Arc<Semaphore>,
    /// True while a task waits to erase the ephemeral keys that are due.
    forgets: Arc<AtomicBool>,
}

/// A clock.
pub(super) type Clock = dyn Fn() -> UnixTime + Send + Sync;

impl Keys {
    pub(super) fn new(keys: Arc<dyn AuthServer>, limits: &Limits) -> Self {
        let at_once = limits.keys_at_once.clamp(1, Semaphore::MAX_PERMITS);
        let room = at_once.saturating_add(limits.keys_waiting).min(Semaphore::MAX_PERMITS);
        let (work, room) = (Arc::new(Semaphore::new(at_once)), Arc::new(Semaphore::new(room)));
        Self { keys, work, room, forgets: Arc::default() }
    }

    /// Asks on a thread of its own. None where that thread was lost.
    pub(super) async fn ask(&self, turn: KeysTurn) -> Option<ServerTurn> {
        let begins = turn.kind().is_some();
        let Some(_room) = self.enter(begins) else { return Some(turn.refuse()) };
        let work = Arc::clone(&self.work).acquire_owned().await.ok()?;
        let keys = Arc::clone(&self.keys);
        let asked = spawn_blocking(move || {
            let answered = turn.ask(&*keys);
            drop(work);
            answered
        });
        asked.await.ok()
    }

    /// Begins a task that erases ephemeral keys when they are due, unless one is there. It ends with the last key,
    /// and does not keep the keys.
    pub(super) fn forget_later(&self, clock: &Arc<Clock>) {
        if self.forgets.swap(true, Ordering::AcqRel) {
            return;
        }
        let (keys, forgets) = (Arc::downgrade(&self.keys), Arc::clone(&self.forgets));
        let clock = Arc::clone(clock);
        tokio::spawn(async move {
            while let Some(keys) = keys.upgrade() {
                let now = clock();
                // The holder may be a device.
                let due = spawn_blocking(move || keys.forget(now)).await.ok().flatten();
                let Some(due) = due else { break };
                // A clock may be set: it is looked at again every minute.
                let seconds = due.as_secs().saturating_sub(now.as_secs()).clamp(1, 60);
                tokio::time::sleep(Duration::from_secs(seconds)).await;
            }
            forgets.store(false, Ordering::Release);
        });
    }

    /// Work that has begun is not turned away.
    fn enter(&self, begins: bool) -> Option<Option<tokio::sync::OwnedSemaphorePermit>> {
        match Arc::clone(&self.room).try_acquire_owned() {
            Ok(room) => Some(Some(room)),
            Err(_) if begins => None,
            Err(_) => Some(None),
        }
    }
}

/// Decides on enrolment requests, in its own time.
///
/// Any asynchronous function of the request is one:
/// ```
/// use halfkey::registration::server::{Decision, EnrolmentRequest};
/// use halfkey::tokio::AsyncApproval;
/// use tokio::sync::{mpsc, oneshot};
///
/// type Asked = (EnrolmentRequest, oneshot::Sender<Decision>);
///
/// /// Asks an operator at the other end of a channel. The token is told to come back where none answers.
/// fn operator(desk: mpsc::Sender<Asked>) -> impl AsyncApproval {
///     move |request| {
///         let desk = desk.clone();
///         async move {
///             let (answer, decision) = oneshot::channel();
///             let _ = desk.send((request, answer)).await;
///             decision.await.unwrap_or(Decision::Wait { retry_after: 600 })
///         }
///     }
/// }
/// # let _ = operator;
/// ```
pub trait AsyncApproval: Send + Sync + 'static {
    /// Decides on a request whose proof, if it has one, has been verified.
    fn decide(&self, request: EnrolmentRequest) -> impl Future<Output = Decision> + Send;
}

impl<F, D> AsyncApproval for F
where
    F: Fn(EnrolmentRequest) -> D + Send + Sync + 'static,
    D: Future<Output = Decision> + Send,
{
    fn decide(&self, request: EnrolmentRequest) -> impl Future<Output = Decision> + Send {
        self(request)
    }
}

/// An operator whose type does not matter.
pub(super) trait Operator: Send + Sync {
    fn decide(self: Arc<Self>, turn: OperatorTurn, within: Duration) -> Boxed<ServerTurn>;
}

/// One that decides at once.
pub(super) struct AtOnce<A>(pub(super) A);

impl<A: crate::driver::Approval + 'static> Operator for AtOnce<A> {
    fn decide(self: Arc<Self>, turn: OperatorTurn, _: Duration) -> Boxed<ServerTurn> {
        Box::pin(async move {
            let decision = self.0.decide(turn.wanted());
            turn.supply(decision)
        })
    }
}

/// One that takes its time.
pub(super) struct InTime<A>(pub(super) A);

impl<A: AsyncApproval> Operator for InTime<A> {
    fn decide(self: Arc<Self>, turn: OperatorTurn, within: Duration) -> Boxed<ServerTurn> {
        Box::pin(async move {
            let request = turn.wanted().clone();
            match tokio::time::timeout(within, self.0.decide(request)).await {
                Ok(decision) => turn.supply(decision),
                Err(_) => turn.busy(),
            }
        })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({} free)", self.work.available_permits())
    }
}
