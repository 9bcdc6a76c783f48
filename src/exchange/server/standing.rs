//! The standing of a registration whose session is open: read again from time to time, and the session's end.

use super::event::ServerEvent;
use super::live::Times;
use super::question::{StandingAsked, Then};
use super::state::{Base, ServerExchange, State};
use super::turn::{ServerReply, ServerTurn};
use crate::message::Status;
use crate::moment::Moment;
use crate::port::question::{Answered, FindRegistration};
use crate::session::server::status;
use crate::time::UnixTime;
use alloc::boxed::Box;
use alloc::vec::Vec;

impl ServerExchange {
    /// Returns the time from which on [`ServerExchange::check`] is due: the registration's standing was read
    /// [`ServerSettings::recheck`](crate::ServerSettings::recheck) seconds before, or the session is [`ServerSettings::session_age`](crate::ServerSettings::session_age) seconds old.
    /// `None` where no session is open. A frame that is received then is checked by itself; what is sent is not.
    #[must_use]
    pub fn due(&self) -> Option<UnixTime> {
        match &self.state {
            State::Open(live) => Some(live.times.due(&self.settings)),
            State::Idle | State::Challenged(_) => None,
        }
    }

    /// Tells whether [`ServerExchange::check`] is due.
    #[must_use]
    pub fn is_due(&self, now: UnixTime) -> bool {
        matches!(&self.state, State::Open(live) if live.times.is_due(&self.settings, now))
    }

    /// Reads again how the registration of the open session stands. Where it is not active any more, or the
    /// session is too old, the session ends: the reply has the record that tells the token so, and no next
    /// exchange.
    pub fn check(self, moment: Moment) -> ServerTurn {
        self.stand(Then::GoOn, moment)
    }

    /// Ends the open session, and tells the token how its registration stands.
    pub fn end(self, moment: Moment) -> ServerTurn {
        self.stand(Then::End, moment)
    }

    fn stand(mut self, then: Then, moment: Moment) -> ServerTurn {
        match core::mem::take(&mut self.state) {
            State::Open(live) => {
                let base = Box::new(Base { exchange: self, moment, events: Vec::new() });
                base.ask(StandingAsked::new(live, then))
            }
            state => {
                self.state = state;
                ServerTurn::Done(ServerReply { next: Some(self), ..ServerReply::default() })
            }
        }
    }
}

impl Base {
    /// A store that does not answer knows of no right to be served: the session ends, and another may be opened.
    pub(super) fn stood(
        mut self: Box<Self>,
        asked: StandingAsked,
        answer: Answered<FindRegistration>,
    ) -> ServerTurn {
        let StandingAsked { mut live, then, .. } = asked;
        let now = self.moment.time();
        let too_old = live.times.is_too_old(&self.exchange.settings, now);
        let status = match &answer {
            Ok(found) => status(found.as_ref(), now),
            Err(error) => {
                self.events.push(ServerEvent::SessionFailed(error.clone().into()));
                Status::Active
            }
        };
        if answer.is_err() || status != Status::Active || too_old || matches!(then, Then::End) {
            let key_id = live.principal.key_id;
            // This side may have closed already: then the token learns it when it comes back.
            let send = live.session.end(status).into_iter().collect();
            return self.over(Some(ServerEvent::Ended(key_id, status)), send);
        }
        live.times = Times { opened: live.times.opened.min(now), checked: now };
        match then {
            Then::Serve(record) => self.serve(live, record),
            Then::GoOn | Then::End => self.done(None, State::Open(live), Vec::new()),
        }
    }
}
