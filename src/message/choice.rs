//! CBOR of the parts of messages that are one of several kinds.

use super::{Address, OutcomeBody, Proof};
use crate::id::{KeyId, TicketId};
use crate::wire::{Fields, Problem, Put, Value, WireError, problem};
use minicbor::encode::Write;
use minicbor::{Decoder, Encoder};

/// `{1: kind, ?2: key or ticket id, 3: tag}`
impl<'b> Value<'b> for Proof {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        let (kind, id, tag) = match self {
            Self::Activation(tag) => (1, None, tag),
            Self::Renewal(id, tag) => (2, Some(id.0), tag),
            Self::Ticket(id, tag) => (3, Some(id.0), tag),
        };
        to.map(if id.is_some() { 3 } else { 2 })?.u8(1)?.u8(kind)?;
        if let Some(id) = id {
            to.u8(2)?.bytes(&id)?;
        }
        to.u8(3)?.bytes(tag)?;
        Ok(())
    }

    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        const NAME: &str = "R2 Request.proof";
        let mut fields = Fields::open(from)?;
        let kind: u8 = fields.take(1, NAME, "kind")?;
        let id: Option<[u8; 16]> = fields.take(2, NAME, "id")?;
        let tag = fields.take(3, NAME, "tag")?;
        fields.close(NAME)?;
        match (kind, id) {
            (1, None) => Ok(Self::Activation(tag)),
            (2, Some(id)) => Ok(Self::Renewal(KeyId(id), tag)),
            (3, Some(id)) => Ok(Self::Ticket(TicketId(id), tag)),
            _ => Err(WireError { message: NAME, field: "kind", problem: Problem::OutOfRange }),
        }
    }
}

/// `{1: kind, …}` with kind 1 granted, 2 wait, 3 refused.
impl<'b> Value<'b> for OutcomeBody {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        match self {
            Self::Granted { user_id, ssk2, key_id, alias, access_path, policy, confirm_by } => {
                to.map(8)?.u8(1)?.u8(1)?;
                to.u8(2)?;
                user_id.put(to)?;
                to.u8(3)?;
                ssk2.put(to)?;
                to.u8(4)?;
                key_id.put(to)?;
                to.u8(5)?;
                alias.put(to)?;
                to.u8(6)?;
                access_path.put(to)?;
                to.u8(7)?;
                policy.put(to)?;
                to.u8(8)?.u32(*confirm_by)?;
            }
            Self::Wait { retry_after, hold_until } => {
                to.map(3)?.u8(1)?.u8(2)?.u8(2)?.u32(*retry_after)?.u8(3)?.u32(*hold_until)?;
            }
            Self::Refused { code, fields } => {
                to.map(if fields.is_some() { 3 } else { 2 })?.u8(1)?.u8(3)?.u8(2)?.u16(*code)?;
                if let Some(faults) = fields {
                    to.u8(3)?;
                    faults.put(to)?;
                }
            }
        }
        Ok(())
    }

    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        const NAME: &str = "R3 Outcome.body";
        let mut fields = Fields::open(from)?;
        let body = match fields.take::<u8>(1, NAME, "kind")? {
            1 => Self::Granted {
                user_id: fields.take(2, NAME, "user_id")?,
                ssk2: fields.take(3, NAME, "ssk2")?,
                key_id: fields.take(4, NAME, "key_id")?,
                alias: fields.take(5, NAME, "alias")?,
                access_path: fields.take(6, NAME, "access_path")?,
                policy: fields.take(7, NAME, "policy")?,
                confirm_by: fields.take(8, NAME, "confirm_by")?,
            },
            2 => Self::Wait {
                retry_after: fields.take(2, NAME, "retry_after")?,
                hold_until: fields.take(3, NAME, "hold_until")?,
            },
            3 => {
                Self::Refused { code: fields.take(2, NAME, "code")?, fields: fields.take(3, NAME, "fields")? }
            }
            _ => return Err(WireError { message: NAME, field: "kind", problem: Problem::OutOfRange }),
        };
        fields.close(NAME)?;
        Ok(body)
    }
}

/// `[kind, 16 bytes]` with kind 0 key id, 1 alias.
impl<'b> Value<'b> for Address {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        let (kind, id) = match self {
            Self::Key(id) => (0, id.as_bytes()),
            Self::Alias(alias) => (1, alias.as_bytes()),
        };
        to.array(2)?.u8(kind)?.bytes(id)?;
        Ok(())
    }

    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        elements(from, 2)?;
        match u8::get(from)? {
            0 => Value::get(from).map(Self::Key),
            1 => Value::get(from).map(Self::Alias),
            _ => Err(Problem::OutOfRange.into()),
        }
    }
}

fn elements(from: &mut Decoder<'_>, wanted: u64) -> Result<(), WireError> {
    match from.array().map_err(problem)? {
        Some(length) if length == wanted => Ok(()),
        _ => Err(Problem::WrongType.into()),
    }
}
