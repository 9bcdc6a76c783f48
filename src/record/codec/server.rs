//! CBOR of the server's secrets, as they stand in one column of a store.

use crate::record::{ExpectedTags, StoredKeys};
use crate::schedule::KeySet;
use crate::wire::stored::stored;

stored! { StoredKeys, "stored registration.keys" { 1 => auth, 2 => derive, 3 => renew } }

stored! { ExpectedTags, "stored tags" { 1 => txn, 2 => confirm, 3 => done, 4 => lost } }

stored! { KeySet, "stored keys" { 1 => auth, 2 => derive, 3 => confirm, 4 => renew } }
