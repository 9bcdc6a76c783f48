//! CBOR of the server's memory.

use super::{SMALL, WITH_FORM};
use crate::record::KeySet;
use crate::record::{
    Activation, Effect, ExpectedTags, Lifecycle, NewOutcome, NewRegistration, PendingLimits, RejectionCause,
    RejectionCode, RejectionRecord, ServerRegistration, StoredKeys, Takes, WaitingRequest,
};
use crate::wire::stored::{blob, kind, stored};
use crate::wire::{Problem, Put, Value, WireError, records};
use minicbor::encode::Write;
use minicbor::{Decoder, Encoder};

records! {
    Activation, "stored activation", SMALL;
    ExpectedTags, "stored tags", SMALL;
    KeySet, "stored keys", SMALL;
    NewOutcome, "stored outcome", WITH_FORM;
    NewRegistration, "stored grant", SMALL;
    ServerRegistration, "stored registered", SMALL;
    RejectionRecord, "stored refusal", SMALL;
    StoredKeys, "stored registration.keys", SMALL;
    WaitingRequest, "stored application", WITH_FORM;
}

stored! { StoredKeys, "stored registration.keys" { 1 => auth, 2 => derive, 3 => renew } }

stored! { KeySet, "stored keys" { 1 => auth, 2 => derive, 3 => confirm, 4 => renew } }

stored! { ExpectedTags, "stored tags" { 1 => txn, 2 => confirm, 3 => done, 4 => lost } }

stored! { Activation, "stored activation" { 1 => id, 2 => secret } }

stored! { ServerRegistration, "stored registered" {
    1 => key_id, 2 => user_id, 3 => name, 4 => access_path, 5 => suite, 6 => policy, 7 => lifecycle, 8 => expires,
    9 => keys,
} }

stored! { WaitingRequest, "stored application" {
    1 => ticket_id, 2 => ticket, 3 => name, 4 => form, 5 => takes, 6 => hold_until,
} }

stored! { NewOutcome, "stored outcome" { 1 => request, 2 => response as blob, 3 => keep_until, 4 => effect, 5 => limits } }

stored! { PendingLimits, "stored limits" { 1 => same, 2 => total } }

stored! { NewRegistration, "stored grant" { 1 => registered, 2 => alias, 3 => expected, 4 => takes, 5 => ticket } }

stored! { RejectionRecord, "stored refusal" { 1 => cause, 2 => code, 3 => name, 4 => ticket } }

/// `[0, confirm_by]` pending, `[1]` active, `[2]` lost, `[3]` superseded, `[4]` suspended, `[5]` revoked.
impl<'b> Value<'b> for Lifecycle {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        let kind = match self {
            Self::Pending { confirm_by } => return confirm_by.put(to.array(2)?.u8(0)?),
            Self::Active => 1,
            Self::Lost => 2,
            Self::Superseded => 3,
            Self::Suspended => 4,
            Self::Revoked => 5,
        };
        to.array(1)?.u8(kind)?;
        Ok(())
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        match kind(from)? {
            (2, 0) => Ok(Self::Pending { confirm_by: Value::get(from)? }),
            (1, 1) => Ok(Self::Active),
            (1, 2) => Ok(Self::Lost),
            (1, 3) => Ok(Self::Superseded),
            (1, 4) => Ok(Self::Suspended),
            (1, 5) => Ok(Self::Revoked),
            _ => Err(Problem::OutOfRange.into()),
        }
    }
}

/// `[0, code id]` or `[1, key id]`.
impl<'b> Value<'b> for Takes {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        to.array(2)?;
        match self {
            Self::Code(id) => id.put(to.u8(0)?),
            Self::Place(id) => id.put(to.u8(1)?),
        }
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        match kind(from)? {
            (2, 0) => Value::get(from).map(Self::Code),
            (2, 1) => Value::get(from).map(Self::Place),
            _ => Err(Problem::OutOfRange.into()),
        }
    }
}

/// `[0, refusal]`, `[1, registration]`, `[2, application]` or `[2, application, ticket id]`.
impl<'b> Value<'b> for Effect {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        match self {
            Self::Refused(refusal) => refusal.put(to.array(2)?.u8(0)?),
            Self::Granted(registration) => registration.put(to.array(2)?.u8(1)?),
            Self::Waiting { application, instead_of } => {
                application.put(to.array(if instead_of.is_some() { 3 } else { 2 })?.u8(2)?)?;
                instead_of.put(to)
            }
        }
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        match kind(from)? {
            (2, 0) => Value::get(from).map(Self::Refused),
            (2, 1) => Value::get(from).map(Self::Granted),
            (2, 2) => Ok(Self::Waiting { application: Value::get(from)?, instead_of: None }),
            (3, 2) => {
                Ok(Self::Waiting { application: Value::get(from)?, instead_of: Some(Value::get(from)?) })
            }
            _ => Err(Problem::OutOfRange.into()),
        }
    }
}

impl<'b> Value<'b> for RejectionCode {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        self.code().put(to)
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        u16::get(from).map(Self::from_code)
    }
}

impl<'b> Value<'b> for RejectionCause {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        self.number().put(to)
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        Self::of_number(u8::get(from)?).ok_or_else(|| Problem::OutOfRange.into())
    }
}
