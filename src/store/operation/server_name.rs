//! The name of the server that a store belongs to.

use super::{Operation, OperatorError, operation};
use crate::id::ServerName;
use crate::store::entity::{Tables, Versioned};
use crate::store::rows::SchemaRow;
use crate::store::rules::{get_by_key, upsert};
use crate::store::tables::TxError;
use crate::time::UnixTime;

/// Writes down the name of the server that the store belongs to, as its certificate has it. An activation code is
/// made for one name: a program that issues codes compares it with [`Counted::server_name`](super::Counted::server_name).
///
/// Fails with [`OperatorError::OtherServer`] where another name was written down before.
#[derive(Clone, Debug)]
pub struct SetServerName(
    /// Name.
    pub ServerName,
);

operation! { SetServerName writes -> (), OperatorError; |self, tables, _now| {
    let before: Option<Versioned<SchemaRow>> = get_by_key(tables, &SchemaRow::ID).await?;
    let known = before.as_ref().and_then(|schema| schema.server_name.clone());
    match known {
        Some(known) if known == self.0 => Ok(()),
        Some(_) => Err(OperatorError::OtherServer.into()),
        None => {
            let row = before.as_ref().map(|schema| schema.row.clone());
            let row = row.unwrap_or_else(|| SchemaRow::new(tables.unique(), tables.storage_key()));
            Ok(upsert(tables, before, SchemaRow { server_name: Some(self.0.clone()), ..row }).await?)
        }
    }
} }
