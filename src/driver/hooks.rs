//! The operator's hooks in a server's driver: the decision on a request, a limiter, a log.

use crate::exchange::{RequestKind, ServerEvent};
use crate::registration::server::{Decision, EnrolmentRequest};
use std::sync::Arc;

/// Decides on enrolment requests: the operator.
///
/// Any function of the request is one. An operator who takes time answers in the store, from whatever process
/// ([`ListRequests`](crate::store::operation::ListRequests), [`DecideRequest`](crate::store::operation::DecideRequest)):
/// whoever has no answer waits, and comes back for it with a ticket. Those who were refused are not asked about.
/// ```
/// use halfkey::driver::Approval;
/// use halfkey::registration::server::{Decision, EnrolmentRequest, Grant};
///
/// /// Grant for approved applicants.
/// struct Desk(Grant);
///
/// impl Approval for Desk {
///     fn decide(&self, request: &EnrolmentRequest) -> Decision {
///         match request.approved {
///             true => Decision::Grant(self.0.clone()),
///             false => Decision::Wait { retry_after: 60 },
///         }
///     }
/// }
/// ```
pub trait Approval: Send + Sync {
    /// Decides on a request whose proof, if it has one, has been verified.
    fn decide(&self, request: &EnrolmentRequest) -> Decision;
}

impl<F: Fn(&EnrolmentRequest) -> Decision + Send + Sync> Approval for F {
    fn decide(&self, request: &EnrolmentRequest) -> Decision {
        self(request)
    }
}

/// Looks on, and holds back peers that ask for too much.
///
/// A log, and a limit on what costs the server most:
/// ```
/// use halfkey::driver::Observer;
/// use halfkey::exchange::{RequestKind, ServerEvent};
/// use std::collections::HashMap;
/// use std::sync::{Mutex, PoisonError};
///
/// /// Decapsulations asked for by each peer; a timer clears it every minute.
/// #[derive(Default)]
/// struct Watch(Mutex<HashMap<Vec<u8>, u32>>);
///
/// impl Observer for Watch {
///     fn admits(&self, peer: &[u8], kind: RequestKind) -> bool {
///         let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
///         let count = asked.entry(peer.to_vec()).or_default();
///         *count += u32::from(kind == RequestKind::Request);
///         *count <= 10
///     }
///     fn event(&self, peer: &[u8], event: &ServerEvent) {
///         println!("{}: {event:?}", String::from_utf8_lossy(peer));
///     }
/// }
/// # let watch = Watch::default();
/// # assert!((0..10).all(|_| watch.admits(b"peer", RequestKind::Request)));
/// # assert!(!watch.admits(b"peer", RequestKind::Request));
/// ```
pub trait Observer: Send + Sync {
    /// Tells whether `peer` may have this done now; otherwise it is told `busy`.
    fn admits(&self, _peer: &[u8], _kind: RequestKind) -> bool {
        true
    }

    /// Takes an event, for the log. Nothing in it is secret.
    fn event(&self, _peer: &[u8], _event: &ServerEvent) {}
}

/// Admits every peer and keeps no log.
impl Observer for () {}

impl<O: Observer + ?Sized> Observer for Arc<O> {
    fn admits(&self, peer: &[u8], kind: RequestKind) -> bool {
        (**self).admits(peer, kind)
    }

    fn event(&self, peer: &[u8], event: &ServerEvent) {
        (**self).event(peer, event);
    }
}
