//! CBOR of the records, as they are written to a file or a column; never sent.

mod server;
mod token;
