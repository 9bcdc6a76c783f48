//! The trust anchors of a token, changed by its holder.

use super::{SecretString, SoftwareToken};
use crate::certificate::TrustAnchors;
use crate::port::TokenError;

impl SoftwareToken {
    /// Replaces the trust anchors: [`Token::anchors`](crate::port::Token::anchors) lists them, and
    /// [`TrustAnchors::with`] and [`TrustAnchors::without`] add and remove one.
    ///
    /// It wants the PIN, on an unlocked token too, because whoever may add an anchor may stand for every server;
    /// a wrong PIN costs a try. The token is unlocked afterwards. Registrations stay, whichever issuer certified
    /// their servers; renewing one of them wants an anchor again.
    ///
    /// # Errors
    /// As [`SoftwareToken::unlock`], and the anchors are as before.
    pub fn replace_anchors(&mut self, pin: &SecretString, anchors: TrustAnchors) -> Result<(), TokenError> {
        self.unlock(pin)?;
        self.change(|contents, _| {
            contents.anchors = anchors;
            Ok(())
        })
    }
}
