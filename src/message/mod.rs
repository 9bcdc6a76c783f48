//! The messages, as plain typed data without logic. Labels and keys are those of PROTOCOL.md.
//!
//! | label | message | direction |
//! | --- | --- | --- |
//! | R0 | [`Hello`] | token → server |
//! | R1 | [`Offer`] around [`OfferCore`] | server → token |
//! | R2 | [`Request`] around [`RequestCore`] | token → server |
//! | R3 | [`Outcome`] around [`OutcomeCore`] | server → token |
//! | R4 | [`Confirm`] | token → server |
//! | R5 | [`Done`] | server → token |
//! | E0 | [`ErrorMessage`] | server → token |
//! | S0 | [`Open`] | token → server |
//! | S1 | [`Challenge`] around [`ChallengeCore`] | server → token |
//! | S2 | [`Response`] | token → server |
//! | S3 | [`Accept`] | server → token |
//! | C0 | [`ConfigRequest`] | token → server |
//! | C1 | [`Configuration`] | server → token |
//! | C2 | [`Applied`] | token → server |
//!
//! A *core* is the part of a message that a transcript covers; it travels as one byte string, so
//! what is hashed is what was sent.

mod choice;
mod configuration;
#[cfg(test)]
mod limits;

#[cfg(test)]
mod beyond;
mod registration;
mod session;

pub use configuration::{
    Applied, ConfigRequest, Configuration, ConfigurationSerial, Held, InformationError, Scope,
    UserInformation,
};
pub use registration::{
    Confirm, Done, ErrorMessage, FieldFault, Hello, Offer, OfferCore, Outcome, OutcomeBody, OutcomeCore,
    Proof, Request, RequestBody, RequestCore,
};
pub use session::{Accept, Address, Challenge, ChallengeCore, Open, Response, Status, StatusMessage};

use crate::wire::{self, WireError};

/// The protocol's only version.
pub const VERSION: u16 = 1;

/// R1 extension: a certificate revocation list in DER, stapled by the server.
pub const EXT_CRL: u64 = 1;

/// Reads the core of a message that carries one.
macro_rules! cores {
    ($($outer:ident => $core:ident, $max:literal;)*) => {$(
        impl $core<'_> {
            /// The longest encoding, in bytes.
            pub const MAX: usize = $max;
        }

        impl<'b> $outer<'b> {
            /// The core, strictly decoded.
            ///
            /// # Errors
            /// [`WireError`] names the field.
            pub fn read_core(&self) -> Result<$core<'b>, WireError> {
                wire::decode(self.core.0, stringify!($core), $max)
            }
        }
    )*};
}

cores! {
    Offer => OfferCore, 65_202;
    Request => RequestCore, 2449;
    Outcome => OutcomeCore, 4170;
    Challenge => ChallengeCore, 32_768;
}
