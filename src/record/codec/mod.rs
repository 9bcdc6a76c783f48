//! CBOR of the records, as they are written to a file or a column; never sent.

mod server;
mod token;

/// Longest encoding of a record with a form in it, in bytes: sixteen fields of 4096 bytes, and what else there
/// is.
const WITH_FORM: usize = 131_072;
/// Longest encoding of a record of fixed fields and names, in bytes.
const SMALL: usize = 4096;
