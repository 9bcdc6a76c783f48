//! Turns of a session: the one under way, those that are due by the clock, and the last.

use super::end::{End, Failure};
use super::state::Core;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::sleep;

/// Time between two turns that are due, at least.
const LEAST: Duration = Duration::from_secs(1);

impl<S: AsyncRead + AsyncWrite + Unpin, E: End> Core<S, E> {
    /// Drives the turn under way to its end, and one that is due after it.
    pub(super) fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Some(turn) = &mut self.turn {
                let taken = ready!(turn.as_mut().poll(context));
                self.turn = None;
                self.take(taken);
            }
            if self.poll_due(context).is_pending() {
                return Poll::Ready(());
            }
        }
    }

    /// Ready when a turn has begun because its time has come.
    fn poll_due(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let due = self.exchange.as_ref().filter(|_| !self.closed_by_peer);
            let Some(due) = due.and_then(|exchange| self.end.due(exchange)) else {
                self.due = None;
                return Poll::Pending;
            };
            let timer = self.due.get_or_insert_with(|| Box::pin(sleep(due.max(LEAST))));
            ready!(timer.as_mut().poll(context));
            self.due = None;
            // Frames that came meanwhile may have put it off.
            if due > Duration::ZERO {
                continue;
            }
            if let Some(exchange) = self.exchange.take() {
                let progress = self.end.stand(exchange, false);
                self.begin(progress);
                return Poll::Ready(());
            }
        }
    }

    /// Ends the session as soon as no turn is under way, and waits until the peer has been told.
    pub(super) fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<()> {
        ready!(self.poll_turn(context));
        if let Some(exchange) = self.exchange.take() {
            let progress = self.end.stand(exchange, true);
            self.begin(progress);
            ready!(self.poll_turn(context));
        }
        self.poll_farewell(context)
    }

    /// Sends what a server says at the end, before anybody here learns of it and drops the session.
    pub(super) fn poll_farewell(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if matches!(self.failure, Some(Failure::NotActive(_))) {
            ready!(self.poll_drain(context));
            if !self.shut {
                // The peer may be gone.
                let _ = ready!(self.link.poll_shutdown(context));
                self.shut = true;
            }
        }
        Poll::Ready(())
    }
}
