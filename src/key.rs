//! Keys.
/// P_u.
#[derive(Debug, Clone)]
pub struct KemPublicKey;
