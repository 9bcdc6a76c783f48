//! The operator's hooks in a server's driver: the decision on a request, a limiter, a log.

use crate::exchange::{RequestKind, ServerEvent};
use crate::registration::server::{Decision, EnrolmentRequest};
use std::sync::Arc;

/// Decides on enrolment requests: the operator.
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
