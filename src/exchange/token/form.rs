//! The offer and the form: R0, R1, and what the user fills in.
//!
//! The form is kept until R3, so that a lapsed offer costs the user nothing: a new one is fetched, and the same
//! form goes with it.

use super::error::TokenExchangeError;
use super::state::{Filled, Registering, State};
use super::then::{AbandonThen, DeadThen, RemoveThen};
use super::turn::{self, TokenTurn, UserTurn, abandon, asked};
use crate::certificate::{Revocation, TrustAnchors, VerifiedServer};
use crate::exchange::asked::Resume;
use crate::id::{KeyId, Txn};
use crate::moment::Moment;
use crate::port::question::{Answered, FindAnchors, FindRegistrations, Remove};
use crate::record::TokenRegistration;
use crate::registration::Recoverable;
use crate::registration::token::{self as steps, AwaitOffer, Credential};
use crate::template::{Form, Template};
use crate::time::UnixTime;
use alloc::boxed::Box;
use alloc::vec::Vec;

impl Registering {
    /// Begins again with the same form: the server does not know the offer of this attempt any more.
    pub(super) fn restart(mut self: Box<Self>, txn: Txn, moment: Moment) -> TokenTurn {
        if let Some(filled) = &mut self.filled {
            filled.replaces = Some(txn);
        }
        asked(self, moment)
    }
}

impl Resume for DeadThen {
    type Question = FindRegistrations;
    type Base = Moment;
    type Turn = TokenTurn;

    fn question(&self) -> &Self::Question {
        &FindRegistrations
    }

    fn resume(self, moment: Box<Moment>, answer: Answered<Self::Question>) -> TokenTurn {
        let (Self(mut registering), moment) = (self, *moment);
        match answer {
            Ok(all) => {
                registering.clock_floor = all.iter().map(|one| one.clock_floor).max().unwrap_or_default();
                let is_dead =
                    |one: &TokenRegistration| one.is_dead() && one.server_name == registering.server;
                let dead = all.into_iter().filter(is_dead).map(|one| one.key_id).collect();
                remove_dead(dead, registering, moment)
            }
            Err(error) => turn::failed(error, None),
        }
    }
}

/// Removes these keys, then begins.
pub(super) fn remove_dead(mut dead: Vec<KeyId>, registering: Box<Registering>, moment: Moment) -> TokenTurn {
    match dead.pop() {
        Some(key_id) => asked((Remove { key_id }, RemoveThen::Dead(dead, registering)), moment),
        None => asked(registering, moment),
    }
}

impl Resume for Box<Registering> {
    type Question = FindAnchors;
    type Base = Moment;
    type Turn = TokenTurn;

    fn question(&self) -> &Self::Question {
        &FindAnchors
    }

    fn resume(self, moment: Box<Moment>, answer: Answered<Self::Question>) -> TokenTurn {
        let (registering, mut moment) = (self, *moment);
        let anchors = match answer {
            Ok(anchors) => anchors,
            Err(error) => return turn::failed(error, None),
        };
        match steps::hello(registering.server.clone(), registering.options.suites, &mut moment) {
            Ok(step) => {
                let next = step.next.replacing(registering.options.replaces);
                let next = Box::new(next.no_earlier_than(registering.clock_floor));
                let state = State::AwaitOffer(next, anchors, registering);
                turn::send(step.send.into_bytes(), state)
            }
            Err(error) => turn::failed(error, None),
        }
    }
}

/// R1.
pub(super) fn offer(
    state: AwaitOffer,
    anchors: &TrustAnchors,
    mut registering: Box<Registering>,
    frame: &[u8],
    moment: Moment,
) -> TokenTurn {
    let revocation: &Revocation = &registering.options.revocation;
    let need = match state.receive_offer(frame, anchors, revocation, moment.time()) {
        Ok(need) => Box::new(need),
        Err(error) => return turn::failed(error, None),
    };
    let filled = registering.filled.take();
    let user = UserTurn { need, registering, moment };
    match filled {
        // Another template asks something else: the user answers that.
        Some(filled) if filled.template == *user.need.wanted() => {
            user.go_on(filled).unwrap_or_else(|kept| TokenTurn::User(kept.state))
        }
        _ => TokenTurn::User(user),
    }
}

impl UserTurn {
    /// The verified server that asks, the template to fill in with [`Template::fill`], and the time after
    /// which the offer has lapsed.
    #[must_use]
    pub const fn wanted(&self) -> (&VerifiedServer, &Template, UnixTime) {
        (self.need.server(), self.need.wanted(), self.need.expires())
    }

    /// Goes on with the form and the reason why the applicant should be expected, at once.
    ///
    /// # Errors
    /// [`Recoverable`], with this turn to try again with and the reason why the form is refused:
    /// [`TokenRegistrationError::Form`](crate::registration::TokenRegistrationError::Form) names the fields.
    pub fn supply(self, form: Form, credential: Credential) -> Result<TokenTurn, Recoverable<Self>> {
        let template = self.need.wanted().clone();
        self.go_on(Filled { template, form, credential, replaces: None })
    }

    /// Goes on with a form that took its time. Where the offer has lapsed by then, another one is fetched
    /// first, and the form goes with that; the user is asked again only if the template has changed.
    ///
    /// # Errors
    /// As [`UserTurn::supply`].
    pub fn supply_at(
        mut self,
        form: Form,
        credential: Credential,
        moment: Moment,
    ) -> Result<TokenTurn, Recoverable<Self>> {
        self.moment = moment;
        if self.moment.time() <= self.need.expires() {
            return self.supply(form, credential);
        }
        if let Err(error) = self.need.check(&form, &credential) {
            return Err(Recoverable { state: self, error });
        }
        let Self { need, mut registering, moment } = self;
        let template = need.wanted().clone();
        registering.filled = Some(Filled { template, form, credential, replaces: None });
        Ok(asked(registering, moment))
    }

    /// Ends the registration: the user does not want to go on. Nothing has been stored.
    pub fn cancel(self) -> TokenTurn {
        turn::failed(TokenExchangeError::Declined, None)
    }

    fn go_on(self, filled: Filled) -> Result<TokenTurn, Recoverable<Self>> {
        let Self { need, mut registering, moment } = self;
        let Filled { form, credential, replaces, .. } = &filled;
        if let Err(error) = need.check(form, credential) {
            return Err(Recoverable { state: Self { need, registering, moment }, error });
        }
        let need = match need.supply(form.clone(), credential.clone()) {
            Ok(need) => need,
            Err(error) => return Ok(turn::failed(error, None)),
        };
        Ok(match *replaces {
            // It has begun again once, and does not again.
            Some(txn) => abandon(txn, AbandonThen::Replaced(Box::new((need, None))), moment),
            None => {
                registering.filled = Some(filled);
                asked(Box::new((need, Some(registering))), moment)
            }
        })
    }
}
