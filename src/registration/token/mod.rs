//! The token's side of registration.
//!
//! ```text
//! hello ──▶ AwaitOffer ──▶ NeedForm ──▶ NeedWrap ──▶ NeedSeal ──▶ NeedHold ──▶ AwaitOutcome
//!    R0         R1           form          ct           p_B         store   R2      R3
//!                                                                                   │ NeedOpen: p_G
//!   ServerDecision::Granted ─ NeedJoin ──▶ AwaitDone ──▶ NeedSettle ──▶ Settled             ▼
//!   ServerDecision::Renewed ─ NeedEarlier ──▲  R4     R5          tag       ServerDecision::{…, Wait, Refused, Unfit}
//! ```

mod confirm;
mod facts;
mod join;
mod offer;
mod outcome;
mod request;

pub use confirm::{AwaitDone, NeedSettle, Settled, confirm_again};
pub use join::{NeedEarlier, NeedJoin, UnfitGrant};
pub use offer::{AwaitOffer, NeedForm, hello};
pub(crate) use outcome::made_with;
pub use outcome::{NeedOpen, NeedWait, Rejection, ServerDecision};
pub(crate) use request::lapsed;
pub use request::{
    AwaitOutcome, NeedHold, NeedSeal, NeedWrap, RenewalQuestions, RenewalTags, abandon_lapsed, resume,
};

use super::ActivationCode;
use crate::id::KeyId;
use crate::record::Waiting;

/// Why the server should expect this applicant.
///
/// The key that a token holds is renewed before it expires, and the user keeps identification code and rights:
/// ```
/// use halfkey::registration::token::Credential;
/// # use halfkey::port::Token;
/// use std::net::TcpStream;
/// # mod setting { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doc/setting.rs")); }
///
/// # fn main() -> setting::Outcome {
/// # let setting = setting::Setting::new()?;
/// # let (connector, address) = (halfkey::driver::Connector::builder(setting.token()?).build(), setting.serve()?);
/// # let (held, server) = (setting::register(&connector, &setting.name, address)?, setting.name.clone());
/// let renewed = connector.register(TcpStream::connect(address)?, &server, |_, form| {
///     Ok((form.fill([("name", "alice".into())])?, Credential::Renewal(held.key_id)))
/// })?;
/// # let halfkey::driver::RegistrationOutcome::Active(renewed) = renewed else { return Err("not renewed".into()) };
/// # assert_eq!((renewed.user_id, connector.token().registrations()?.len()), (held.user_id, 1));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Credential {
    /// It should not: trust on first use.
    None,
    /// The operator sent the user an activation code.
    Activation(ActivationCode),
    /// The token holds an earlier key of this user, which the new one will replace.
    Renewal(KeyId),
    /// An earlier run was told to wait; the form must be the same.
    Ticket(Waiting),
}

/// A refused frame (E0) where something else was awaited.
fn refusal(bytes: &[u8]) -> Result<(), super::TokenRegistrationError> {
    crate::step::ErrorReason::read(bytes)
        .map_or(Ok(()), |reason| Err(super::TokenRegistrationError::ErrorMessage(reason)))
}
