//! The authentication server's side of registration: steps 90 and 140 to 190.

use super::super::{Cipher, Combiner, Error, Key, Step, mode};
use super::authority::AssignedKeys;
use super::message::{Application, Call, Grant, Granted, Offer, string};
use crate::id::{AccessPath, UserId, UserName};
use crate::random::{Lent, RandomSource};
use crate::template::Template;
use alloc::string::String;
use core::fmt::{self, Write};
use rsa::Pkcs1v15Encrypt;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Authentication server (20) with its assigned keys and its registration template.
#[derive(Debug)]
pub struct Server {
    keys: AssignedKeys,
    template: Template,
}

impl Server {
    /// Creates a server.
    #[must_use]
    pub const fn new(keys: AssignedKeys, template: Template) -> Self {
        Self { keys, template }
    }

    /// Answers a call with certificate and template (step 90; claims 6, 12, 19, 25).
    #[must_use]
    pub fn receive_call(&self, _: &Call) -> Offer {
        Offer { chain: self.keys.chain.clone(), template: self.template.clone() }
    }

    /// Recovers user name and SSK1 with P_r (step 140; claims 1e, 8d, 14f, 21e).
    ///
    /// The RSA operation is blinded. A wrong padding gives a made-up text rather than an error, so that the
    /// server is no padding oracle. In 1996 it was one.
    ///
    /// # Errors
    /// [`Error::Application`] when the plaintext is not a name and a key of `H`; [`Error::WeakKey`].
    pub fn receive_application<H: Cipher>(
        &self,
        application: &Application,
        random: &mut dyn RandomSource,
    ) -> Result<NeedAccessPath<H>, Error> {
        let key = self.keys.private.rsa();
        let text = key.decrypt_blinded(&mut Lent(random), Pkcs1v15Encrypt, &application.encrypted);
        let text = Zeroizing::new(text.map_err(|_| Error::Application)?);
        let (name, ssk1) = string(&text).ok_or(Error::Application)?;
        let name = UserName::new(name).map_err(|_| Error::Application)?;
        if ssk1.len() != H::key_size() {
            return Err(Error::Application);
        }
        Ok(NeedAccessPath { name, ssk1: Key::new(ssk1)? })
    }
}

/// State in which SSK1 and the user's name are recovered, and the user's access control path is needed.
#[must_use]
pub struct NeedAccessPath<H: Cipher> {
    name: UserName,
    ssk1: Key<H>,
}

impl<H: Cipher> NeedAccessPath<H> {
    /// Returns the name of the user whose access control path is needed.
    #[must_use]
    pub const fn wanted(&self) -> &UserName {
        &self.name
    }

    /// Returns SSK1. Any server that receives it may use it as it likes.
    #[must_use]
    pub const fn ssk1(&self) -> &Key<H> {
        &self.ssk1
    }

    /// Takes the access control path, generates SSK2 (step 150) and the user identification code
    /// (step 160), combines SSK1 and SSK2 to the shared key (step 170), encrypts path, code and SSK2
    /// under SSK1 (step 180) and returns the message to transmit (step 190; claims 1f, 2, 8e to 8h, 14g,
    /// 15, 21f to 21i).
    ///
    /// The key counts from this call on, even if the grant never arrives.
    ///
    /// # Errors
    /// [`Error::Combination`] or [`Error::WeakKey`].
    pub fn supply<C: Cipher>(
        self,
        access_path: &AccessPath,
        combiner: Combiner,
        random: &mut dyn RandomSource,
    ) -> Result<Step<Grant, Registered<C>>, Error> {
        let (ssk2, key) = combiner.draw_second(&self.ssk1, random)?;
        let granted =
            Granted { access_path: access_path.clone(), user_id: identification_code(&self.name)?, ssk2 };
        let send = Grant { encrypted: mode::seal(&self.ssk1, &granted.combine(), random) };
        let Granted { access_path, user_id, .. } = granted;
        Ok(Step { send, next: Registered { name: self.name, user_id, access_path, key } })
    }
}

impl<H: Cipher> fmt::Debug for NeedAccessPath<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NeedAccessPath({})", self.name)
    }
}

/// Computes the user identification code, "based on the user name" (step 160; claims 8f, 21g): 16
/// hexadecimal digits of the name's SHA-256. Anybody can compute it.
///
/// # Errors
/// Never for a user name.
pub fn identification_code(name: &UserName) -> Result<UserId, Error> {
    let mut code = String::new();
    for byte in Sha256::digest(name.as_str().as_bytes()).iter().take(8) {
        // Writing to a string does not fail.
        let _ = write!(code, "{byte:02x}");
    }
    Ok(UserId::new(&code)?)
}

/// Entry of the server's database for a user (claims 1f, 14g).
pub struct Registered<C: Cipher> {
    /// Name under which the user registered.
    pub name: UserName,
    /// User identification code.
    pub user_id: UserId,
    /// Access control path.
    pub access_path: AccessPath,
    /// Shared key.
    pub key: Key<C>,
}

impl<C: Cipher> fmt::Debug for Registered<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registered({}, {})", self.name, self.user_id)
    }
}
