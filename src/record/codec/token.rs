//! CBOR of the token's memory.

use super::{SMALL, WITH_FORM};
use crate::message::Status;
use crate::record::{Attempt, HeldConfiguration, InFlight, Progress, ProofKey, TokenRegistration, Waiting};
use crate::wire::stored::{blob, kind, many, stored};
use crate::wire::{Problem, Put, Value, WireError, records};
use minicbor::encode::Write;
use minicbor::{Decoder, Encoder};

records! {
    Attempt, "stored attempt", WITH_FORM;
    InFlight, "stored half", WITH_FORM;
    Waiting, "stored wait", WITH_FORM;
    TokenRegistration, "stored registration", 1_048_576;
    HeldConfiguration, "stored configuration", SMALL;
}

stored! { InFlight, "stored half" {
    1 => txn, 2 => suite, 3 => server_name, 4 => certificate, 5 => anchor, 6 => request as blob,
    7 => transcript, 8 => ss_e, 9 => proof_key, 10 => form, 11 => outcome_size, 12 => resend, 13 => renews, 14 => ticket,
    15 => certificate_end,
    16 => offered, 17 => replaces,
} }

stored! { Waiting, "stored wait" {
    1 => txn, 2 => server_name, 3 => ticket_id, 4 => ticket, 5 => form, 6 => retry, 7 => hold, 8 => renews,
    9 => replaces,
} }

stored! { TokenRegistration, "stored registration" {
    1 => key_id, 2 => server_name, 3 => certificate, 4 => anchor, 5 => user_id, 6 => access_path,
    7 => suite, 8 => policy, 9 => alias, 10 => progress, 11 => supersedes,
    12 => configurations as many, 13 => clock_floor, 14 => certificate_end,
    15 => not_active,
} }

stored! { HeldConfiguration, "stored configuration" {
    1 => application, 2 => serial, 3 => digest, 4 => valid, 5 => revoked, 6 => floor,
} }

/// The code point.
impl<'b> Value<'b> for Status {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        self.code().put(to)
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        Self::from_code(Value::get(from)?).ok_or_else(|| Problem::OutOfRange.into())
    }
}

/// `[0, half]` or `[1, wait]`.
impl<'b> Value<'b> for Attempt {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        to.array(2)?;
        match self {
            Self::InFlight(half) => half.put(to.u8(0)?),
            Self::Waiting(waiting) => waiting.put(to.u8(1)?),
        }
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        match kind(from)? {
            (2, 0) => Value::get(from).map(Self::InFlight),
            (2, 1) => Value::get(from).map(Self::Waiting),
            _ => Err(Problem::OutOfRange.into()),
        }
    }
}

/// `[0]` none, `[1, secret]`, `[2, key id]` renewal.
impl<'b> Value<'b> for ProofKey {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        match self {
            Self::None => {
                to.array(1)?.u8(0)?;
                Ok(())
            }
            Self::Secret(secret) => secret.put(to.array(2)?.u8(1)?),
            Self::Renewal(key_id) => key_id.put(to.array(2)?.u8(2)?),
        }
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        match kind(from)? {
            (1, 0) => Ok(Self::None),
            (2, 1) => Value::get(from).map(Self::Secret),
            (2, 2) => Value::get(from).map(Self::Renewal),
            _ => Err(Problem::OutOfRange.into()),
        }
    }
}

/// `[0, txn, thJ, tag_c, confirm]` joined, `[1]` active.
impl<'b> Value<'b> for Progress {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        match self {
            Self::Joined { txn, transcript, tag_c, confirm } => {
                txn.put(to.array(5)?.u8(0)?)?;
                transcript.put(to)?;
                tag_c.put(to)?;
                confirm.put(to)
            }
            Self::Active => {
                to.array(1)?.u8(1)?;
                Ok(())
            }
        }
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        match kind(from)? {
            (5, 0) => Ok(Self::Joined {
                txn: Value::get(from)?,
                transcript: Value::get(from)?,
                tag_c: Value::get(from)?,
                confirm: Value::get(from)?,
            }),
            (1, 1) => Ok(Self::Active),
            _ => Err(Problem::OutOfRange.into()),
        }
    }
}
