//! Answers to a server's questions, and what each leads to.

use super::event::ServerEvent;
use super::live::Live;
use super::question::{EntitlementAsked, Heard, Parked, RegressionAsked, ReportAsked, StandingAsked};
use super::state::{Base, State};
use super::turn::{OperatorTurn, ServerTurn};
use crate::exchange::asked::Resume;
use crate::port::AuthServerError;
use crate::port::auth_server::Encapsulated;
use crate::port::question::{
    Admit, Answered, Commit, Confirm, ConfirmAlias, FindApplicant, FindEntitlement, FindExpected,
    FindOfferMaterial, FindOutcome, FindRegistration, SignOffer, TakeReport,
};
use crate::record::Effect;
use crate::registration::ServerRegistrationError;
use crate::registration::server::{
    Judged, Lookup, NeedApplicant, NeedCommit, NeedConfirm, NeedExpected, NeedOfferMaterial, NeedOutcome,
    NeedSecrets, NeedSignature,
};
use crate::session::server::{Entry, NeedAdmission, NeedRegistration};
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// Unwraps, or answers with E0 and ends the turn.
macro_rules! attempt {
    ($base:ident.$failed:ident, $result:expr) => {
        match $result {
            Ok(value) => value,
            Err(error) => return $base.$failed(error.into()),
        }
    };
}

/// Declares, for each state, its question and the sentence "this was answered, so ..".
macro_rules! resume {
    ($($(#[$doc:meta])* $need:ty, $question:ident $(at $field:ident)?, |$self:ident, $base:ident, $answer:ident| $body:block)*) => {$(
        $(#[$doc])*
        impl Resume for $need {
            type Question = $question;
            type Base = Base;
            type Turn = ServerTurn;
            fn question(&self) -> &$question {
                resume!(@ self $(, $field)?)
            }
            #[allow(unused_mut, reason = "some answers draw")]
            fn resume($self, mut $base: Box<Base>, $answer: Answered<$question>) -> ServerTurn $body
        }
    )*};
    (@ $self:ident) => { $self.wanted() };
    (@ $self:ident, $field:ident) => { &$self.$field };
}

resume! {
    NeedOfferMaterial, FindOfferMaterial, |self, base, answer| {
        let material = match answer {
            Err(AuthServerError::NoSuite) => {
                return base.registration_failed(ServerRegistrationError::NothingInCommon);
            }
            answer => attempt!(base.registration_failed, answer),
        };
        let Base { exchange, moment, .. } = &mut *base;
        let now = moment.time();
        let need = self.supply(&material, &exchange.peer, &exchange.settings, now, moment);
        let need = attempt!(base.registration_failed, need);
        base.events.extend(material.ends_soon.map(ServerEvent::CertificateEnds));
        base.ask(need)
    }

    NeedSignature, SignOffer, |self, base, answer| {
        let signature = attempt!(base.registration_failed, answer);
        base.idle(Some(ServerEvent::Offered), self.supply(signature).into_bytes())
    }

    Box<NeedOutcome>, FindOutcome, |self, base, answer| {
        let stored = attempt!(base.registration_failed, answer);
        let exchange = &base.exchange;
        let lookup = self.supply(stored, &exchange.peer, &exchange.settings, base.moment.time());
        match attempt!(base.registration_failed, lookup) {
            Lookup::Before(outcome) => base.idle(Some(ServerEvent::Repeated), outcome.into_bytes()),
            Lookup::New(need) => base.ask(Box::new(need)),
        }
    }

    Box<NeedSecrets>, Encapsulated, |self, base, answer| {
        let need = attempt!(base.registration_failed, self.supply(answer, &base.exchange.settings));
        base.ask(need)
    }

    NeedApplicant, FindApplicant, |self, base, answer| {
        let known = attempt!(base.registration_failed, answer);
        let now = base.moment.time();
        match self.supply(known, &base.exchange.settings, now) {
            Judged::Ask(need) => ServerTurn::Operator(OperatorTurn { need, base }),
            Judged::Refuse(need) if need.is_unreadable() => {
                let event = ServerEvent::Rejected(need.refused().clone());
                let r3 = attempt!(base.registration_failed, need.answer(&base.exchange.settings));
                base.idle(Some(event), r3.into_bytes())
            }
            Judged::Refuse(need) => {
                let need = need.supply(&base.exchange.settings, now, &mut base.moment);
                base.commit(need)
            }
        }
    }

    NeedCommit, Commit, |self, base, answer| {
        let committed = attempt!(base.registration_failed, answer);
        let event = match &self.wanted().outcome.effect {
            Effect::Granted(new) => ServerEvent::Granted(new.registered.key_id),
            Effect::Waiting { .. } => ServerEvent::Waiting,
            Effect::Refused(rejection) => ServerEvent::Rejected(rejection.clone()),
        };
        base.idle(Some(event), self.supply(committed).into_bytes())
    }

    NeedExpected, FindExpected, |self, base, answer| {
        let expected = attempt!(base.registration_failed, answer);
        let need = attempt!(base.registration_failed, self.supply(expected));
        base.ask(need)
    }

    NeedConfirm, Confirm, |self, base, answer| {
        let confirmed = attempt!(base.registration_failed, answer);
        let event = ServerEvent::Confirmed(self.wanted().key_id);
        base.idle(Some(event), self.supply(confirmed).into_bytes())
    }

    Box<NeedRegistration>, FindRegistration, |self, base, answer| {
        let registration = attempt!(base.session_failed, answer);
        let Base { exchange, moment, .. } = &mut *base;
        let now = moment.time();
        if exchange.stateless {
            let s1 = self.supply_with_cookie(registration, now, &exchange.settings, moment);
            let s1 = attempt!(base.session_failed, s1);
            return base.idle(None, s1.into_bytes());
        }
        let step = attempt!(base.session_failed, self.supply(registration, now, moment));
        base.done(None, State::Challenged(Box::new(step.next)), vec![step.send.into_bytes()])
    }

    Box<Parked>, FindRegistration, |self, base, answer| {
        let registration = attempt!(base.session_failed, answer);
        let Parked { need, response } = *self;
        let state = attempt!(base.session_failed, need.supply(registration));
        base.response(state, &response)
    }

    Box<NeedAdmission>, Admit, |self, base, answer| {
        let admitted = attempt!(base.session_failed, answer);
        let step = attempt!(base.session_failed, self.supply(admitted, base.moment.time()));
        let send = vec![step.send.into_bytes()];
        match step.next {
            Entry::Session(mut session) => {
                session.channel.rekey_after(base.exchange.settings.rekey_after);
                let event = ServerEvent::Opened(session.key_id);
                let live = Live::new(session, base.exchange.settings.name.clone(), base.moment.time());
                base.done(Some(event), State::Open(live), send)
            }
            Entry::NotActive { key_id, status } => {
                base.over(Some(ServerEvent::NotActive(key_id, status)), send)
            }
        }
    }

    StandingAsked, FindRegistration at question, |self, base, answer| {
        base.stood(self, answer)
    }

    Heard, ConfirmAlias at question, |self, base, _answer| {
        // Forgetting older aliases late costs nothing: the next session does it.
        base.opened(self.live, self.record)
    }

    EntitlementAsked, FindEntitlement, |self, base, answer| {
        base.entitled(self.live, self.need, answer)
    }

    RegressionAsked, TakeReport at question, |self, base, answer| {
        match answer {
            Ok(()) => base.configure(self.live, &self.c1),
            Err(error) => base.configuration_failed(self.live, error.into()),
        }
    }

    ReportAsked, TakeReport, |self, base, answer| {
        match answer {
            Ok(()) => {
                let key_id = self.live.principal.key_id;
                let event = ServerEvent::Configured(key_id, self.need.supply());
                base.done(Some(event), State::Open(self.live), Vec::new())
            }
            Err(error) => base.configuration_failed(self.live, error.into()),
        }
    }
}
