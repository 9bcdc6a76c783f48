//! Errors of this module, and the party that can mend each.

use crate::certificate::{CertificateError, RequestError};
use crate::key::KeyError;
use crate::name::NameError;
use crate::port::certificate_authority::AuthorityError;
use crate::step::Fault;
use crate::template::TemplateError;
use thiserror::Error;

/// Error of a step of 1996. Never holds key material.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// The server's: its certificate does not verify. Step 90: "the communication is terminated".
    #[error("the server's certificate: {0}")]
    Certificate(#[from] CertificateError),
    /// The server's: its certificate is for the real protocol, whose keys must not be used here.
    #[error("the certificate is not one for the letter of 1996")]
    NotHistoric,
    /// The server's: its template cannot be filled in.
    #[error("the server's template: {0}")]
    Template(#[from] TemplateError),
    /// The user's: the form does not fit the template.
    #[error("the form does not fit the template")]
    Form,
    /// The user's: the name and SSK1 together are too long for one block of the server's RSA key.
    #[error("the user's name is too long for the server's key")]
    NameTooLong,
    /// The peer's: the RSA block does not hold a user name and SSK1.
    #[error("the application holds no user name and no SSK1")]
    Application,
    /// The peer's: a ciphertext does not decrypt, or its plaintext has the wrong form. Most manipulations
    /// of a ciphertext cause no error at all.
    #[error("the sealed text does not open")]
    DoesNotOpen,
    /// The peer's: a number has the wrong length.
    #[error("a number has the wrong length")]
    NumberLength,
    /// The peer's: it did not encrypt N1 under the shared key.
    #[error("the client did not prove the shared key")]
    NotTheClient,
    /// The peer's: it did not encrypt N2 under the session key.
    #[error("the server did not prove the session key")]
    NotTheServer,
    /// The caller's: the key has the wrong length for the cipher.
    #[error("the key has the wrong length for this cipher")]
    KeyLength,
    /// The caller's: a byte of the DES key has even parity.
    #[error("a byte of the DES key has even parity")]
    KeyParity,
    /// Nobody's: the DES key is weak, semi-weak or possibly weak, or a triple DES key has equal parts. A fair
    /// random source practically never draws one: suspect a broken source, or a key chosen on purpose.
    #[error("the DES key is weak")]
    WeakKey,
    /// The caller's: contributions for these ciphers do not combine to a key of that cipher in this manner.
    #[error("SSK1 and SSK2 do not combine to a key of this cipher in this manner")]
    Combination,
    /// The user's: the PIN is wrong.
    #[error("wrong PIN; {tries_left} tries left")]
    WrongPin {
        /// Number of tries left before the token blocks itself.
        tries_left: u8,
    },
    /// The user's: too many wrong PINs were entered.
    #[error("the token is blocked after too many wrong PINs")]
    Blocked,
    /// The user's: the PIN has fewer than 4 or more than 64 bytes.
    #[error("a PIN has 4 to 64 bytes")]
    UnfitPin,
    /// The caller's: an instruction cannot carry this setting or value.
    #[error("a reconfiguration instruction has an unfit setting or value")]
    Instruction,
    /// The operator's: a name is malformed.
    #[error("the name: {0}")]
    Name(#[from] NameError),
    /// The operator's: an RSA key cannot be made or used.
    #[error("the RSA key: {0}")]
    Rsa(#[from] KeyError),
    /// The operator's: the certificate request cannot be made.
    #[error("the certificate request: {0}")]
    Request(#[from] RequestError),
    /// The operator's: the certificate authority failed.
    #[error("the authority: {0}")]
    Authority(#[from] AuthorityError),
}

impl Error {
    /// Returns the party that can mend the error.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Certificate(_)
            | Self::NotHistoric
            | Self::Template(_)
            | Self::Application
            | Self::DoesNotOpen
            | Self::NumberLength
            | Self::NotTheClient
            | Self::NotTheServer => Fault::Peer,
            Self::Form | Self::NameTooLong | Self::WrongPin { .. } | Self::Blocked | Self::UnfitPin => {
                Fault::User
            }
            Self::KeyLength | Self::KeyParity | Self::Combination | Self::Instruction => Fault::Caller,
            Self::WeakKey => Fault::Nobody,
            Self::Name(_) | Self::Rsa(_) | Self::Request(_) | Self::Authority(_) => Fault::Operator,
        }
    }
}
