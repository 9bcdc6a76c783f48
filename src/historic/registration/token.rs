//! The client's side of registration: steps 80 to 130 and 200.

use super::super::{Cipher, Combiner, Error, Key, Step, mode};
use super::Token;
use super::message::{Application, Call, Grant, Granted, Offer, SUITES};
use crate::certificate::{Revocation, TrustAnchors, VerifiedServer, verify};
use crate::id::{ServerName, UserName};
use crate::random::{Lent, RandomSource};
use crate::template::{Form, Template};
use crate::time::UnixTime;
use alloc::vec::Vec;
use core::fmt;
use rsa::Pkcs1v15Encrypt;
use zeroize::Zeroizing;

/// Token as it is distributed: it holds P_i and nothing else (step 60).
#[derive(Clone, Debug)]
pub struct BlankToken {
    anchors: TrustAnchors,
}

impl BlankToken {
    pub(super) const fn new(anchors: TrustAnchors) -> Self {
        Self { anchors }
    }

    /// Places a call to the chosen server (step 80).
    pub fn call(&self, server: &ServerName) -> Step<Call, AwaitOffer> {
        let next = AwaitOffer { anchors: self.anchors.clone(), server: server.clone() };
        Step { send: Call { server: server.clone() }, next }
    }
}

/// State after the call: certificate and template are awaited.
#[must_use]
#[derive(Debug)]
pub struct AwaitOffer {
    anchors: TrustAnchors,
    server: ServerName,
}

impl AwaitOffer {
    /// Verifies the certificate against the embedded P_i, and terminates the communication if it does not
    /// verify (step 90; claims 1a, 6, 7, 8b, 12, 13, 14b, 19, 20, 21b, 25, 26).
    ///
    /// # Errors
    /// [`Error::Certificate`], [`Error::NotHistoric`] or [`Error::Template`]: the call is over.
    pub fn receive_offer(self, offer: &Offer, now: UnixTime) -> Result<NeedForm, Error> {
        let chain = offer.chain.as_der();
        let server = verify(&chain, &self.anchors, &self.server, now, &Revocation::Ignore)?;
        if *server.suites() != SUITES {
            return Err(Error::NotHistoric);
        }
        offer.template.validate()?;
        Ok(NeedForm { server, template: offer.template.clone() })
    }
}

/// State in which P_u is verified and installed, and the user's form is needed.
#[must_use]
#[derive(Debug)]
pub struct NeedForm {
    server: VerifiedServer,
    template: Template,
}

impl NeedForm {
    /// Returns the template, to be shown to the user (step 100).
    #[must_use]
    pub const fn wanted(&self) -> &Template {
        &self.template
    }

    /// Takes the form (step 100), generates SSK1 and keeps it (step 110), encrypts it with the
    /// user's name (step 120) and returns the message to transmit (step 130; claims 1b to 1d, 8b, 8c, 14c
    /// to 14e, 21c, 21d). SSK1 is a key of the cipher `H`.
    ///
    /// Only the name in the form is sent: the patent does not say how the rest should travel.
    ///
    /// # Errors
    /// [`Error::Form`], [`Error::NameTooLong`] or [`Error::WeakKey`].
    pub fn supply<H: Cipher>(
        self,
        form: &Form,
        random: &mut dyn RandomSource,
    ) -> Result<Step<Application, AwaitGrant<H>>, Error> {
        let name = self.template.check(form).map_err(|_| Error::Form)?;
        let ssk1 = Key::<H>::generate(random)?;
        let send = encrypt_application(&self.server, &name, ssk1.expose(), random)?;
        Ok(Step { send, next: AwaitGrant { server: self.server.name().clone(), ssk1 } })
    }
}

/// Encrypts `{user name, SSK1}` under P_u (step 120): the length of the name, the name, SSK1.
fn encrypt_application(
    server: &VerifiedServer,
    name: &UserName,
    ssk1: &[u8],
    random: &mut dyn RandomSource,
) -> Result<Application, Error> {
    let mut text = Zeroizing::new(Vec::with_capacity(name.as_str().len().saturating_add(33)));
    text.push(u8::try_from(name.as_str().len()).map_err(|_| Error::NameTooLong)?);
    text.extend_from_slice(name.as_str().as_bytes());
    text.extend_from_slice(ssk1);
    let key = server.kem_key().rsa();
    let encrypted = key.encrypt(&mut Lent(random), Pkcs1v15Encrypt, &text).map_err(|_| Error::NameTooLong)?;
    Ok(Application { encrypted })
}

/// State after the application: the grant is awaited.
#[must_use]
pub struct AwaitGrant<H: Cipher> {
    server: ServerName,
    ssk1: Key<H>,
}

impl<H: Cipher> AwaitGrant<H> {
    /// Decrypts the package with the stored SSK1, recovers SSK2, combines both in the manner that the server
    /// used, and stores the key behind `pin` (step 200; claims 2, 8i, 8j, 15, 21j, 21k).
    ///
    /// A manipulated grant is detected only if it does not decrypt to a well-formed text.
    ///
    /// # Errors
    /// [`Error::DoesNotOpen`], [`Error::Combination`], [`Error::WeakKey`] or [`Error::UnfitPin`].
    pub fn receive_grant<C: Cipher>(
        self,
        grant: &Grant,
        combiner: Combiner,
        pin: &str,
    ) -> Result<Token<C>, Error> {
        let text = mode::open(&self.ssk1, &grant.encrypted)?;
        let granted = Granted::separate(&text)?;
        let key = combiner.combine(&self.ssk1, &granted.ssk2)?;
        Token::store(self.server, granted.user_id, granted.access_path, key, pin)
    }
}

impl<H: Cipher> fmt::Debug for AwaitGrant<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AwaitGrant({})", self.server)
    }
}
