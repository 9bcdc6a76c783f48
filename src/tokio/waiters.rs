//! Everybody who waits for a session: whatever happens on its stream wakes all of them.

use core::task::Waker;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;

/// Part of a session that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Reading.
    Reader,
    /// Writing, flushing and shutting down.
    Writer,
    /// A handle.
    Handle,
}

/// The wakers of everybody who waits for a session. It is the waker that the stream itself is polled with,
/// since a stream keeps one waker, and reader, writer and handles may be different tasks.
#[derive(Debug, Default)]
pub(super) struct Waiters(Mutex<Wakers>);

#[derive(Debug, Default)]
struct Wakers {
    reader: Option<Waker>,
    writer: Option<Waker>,
    handles: Vec<Waker>,
}

impl Waiters {
    fn lock(&self) -> MutexGuard<'_, Wakers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has `waker` woken by whatever happens next.
    pub(super) fn register(&self, role: Role, waker: &Waker) {
        let mut wakers = self.lock();
        let slot = match role {
            Role::Reader => &mut wakers.reader,
            Role::Writer => &mut wakers.writer,
            Role::Handle => {
                if !wakers.handles.iter().any(|other| other.will_wake(waker)) {
                    wakers.handles.push(waker.clone());
                }
                return;
            }
        };
        match slot {
            Some(slot) => slot.clone_from(waker),
            None => *slot = Some(waker.clone()),
        }
    }

    /// Forgets who waited in this role; a handle is woken once more than it needs.
    pub(super) fn clear(&self, role: Role) {
        let mut wakers = self.lock();
        match role {
            Role::Reader => wakers.reader = None,
            Role::Writer => wakers.writer = None,
            Role::Handle => {}
        }
    }

    /// Wakes everybody.
    pub(super) fn wake_all(&self) {
        let Wakers { reader, writer, handles } = core::mem::take(&mut *self.lock());
        reader.into_iter().chain(writer).chain(handles).for_each(Waker::wake);
    }
}

impl Wake for Waiters {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_all();
    }
}
