//! X.509.
/// P_i.
#[derive(Debug, Clone)]
pub struct TrustAnchors;
