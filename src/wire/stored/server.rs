//! CBOR of the server's memory.

use super::{kind, stored};
use crate::port::entitlement_store::{Document, Entitlement, Report, ReportResult};
use crate::record::{ExpectedTags, Lifecycle, ProofId, Registered, StoredKeys, WaitingApplication};
use crate::wire::{Problem, Put, Value, WireError};
use minicbor::encode::Write;
use minicbor::{Decoder, Encoder};

stored! { Registered, "stored registration" {
    1 => key_id, 2 => user_id, 3 => name, 4 => access_path, 5 => suite, 6 => policy, 7 => lifecycle,
    8 => expires, 9 => keys,
} }

stored! { StoredKeys, "stored registration.keys" { 1 => auth, 2 => derive, 3 => renew } }

stored! { ExpectedTags, "stored tags" { 1 => txn, 2 => confirm, 3 => done, 4 => lost } }

stored! { WaitingApplication, "stored application" {
    1 => ticket_id, 2 => ticket, 3 => name, 4 => form, 5 => proof, 6 => hold_until,
} }

stored! { Entitlement, "stored entitlement" { 1 => serial, 2 => valid_for, 3 => document, 4 => last_applied } }

stored! { Document, "stored document" { 1 => media_type, 2 => body as super::blob } }

stored! { Report, "stored report" { 1 => key_id, 2 => application, 3 => serial, 4 => result } }

/// `[0, confirm_by]` pending, `[1]` active, `[2]` lost, `[3]` superseded, `[4]` suspended, `[5]` revoked.
impl<'b> Value<'b> for Lifecycle {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        let kind = match self {
            Self::Pending { confirm_by } => {
                to.array(2)?.u8(0)?;
                return confirm_by.put(to);
            }
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

/// `[0]` activation, `[1, key id]` renewal, `[2, ticket id]` ticket.
impl<'b> Value<'b> for ProofId {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        match self {
            Self::Activation => {
                to.array(1)?.u8(0)?;
                Ok(())
            }
            Self::Renewal(key_id) => {
                to.array(2)?.u8(1)?;
                key_id.put(to)
            }
            Self::Ticket(ticket_id) => {
                to.array(2)?.u8(2)?;
                ticket_id.put(to)
            }
        }
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        match kind(from)? {
            (1, 0) => Ok(Self::Activation),
            (2, 1) => Value::get(from).map(Self::Renewal),
            (2, 2) => Value::get(from).map(Self::Ticket),
            _ => Err(Problem::OutOfRange.into()),
        }
    }
}

impl<'b> Value<'b> for ReportResult {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        to.u8(match self {
            Self::Applied => 0,
            Self::RolledBack => 1,
            Self::Equivocation => 2,
            Self::Failed => 3,
            Self::Regressed => 4,
            Self::NoRoom => 5,
        })?;
        Ok(())
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        match u8::get(from)? {
            0 => Ok(Self::Applied),
            1 => Ok(Self::RolledBack),
            2 => Ok(Self::Equivocation),
            3 => Ok(Self::Failed),
            4 => Ok(Self::Regressed),
            5 => Ok(Self::NoRoom),
            _ => Err(Problem::OutOfRange.into()),
        }
    }
}
