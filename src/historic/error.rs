//! What can go wrong, and whose fault it is.

use crate::certificate::{CertificateError, RequestError};
use crate::id::NameError;
use crate::key::KeyError;
use crate::port::certificate_authority::AuthorityError;
use crate::step::Fault;
use crate::template::TemplateError;
use thiserror::Error;

/// Why a step of 1996 does not go on. Never holds key material.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// The server's: its certificate does not hold. Step 90: "the communication is terminated".
    #[error("the server's certificate: {0}")]
    Certificate(#[from] CertificateError),
    /// The server's: its certificate is one of the real protocol, whose keys are not for this.
    #[error("the certificate is not one for the letter of 1996")]
    NotHistoric,
    /// The server's: its template cannot be filled in.
    #[error("the server's template: {0}")]
    Template(#[from] TemplateError),
    /// The user's: the form does not fit the template.
    #[error("the form does not fit the template")]
    Form,
    /// The user's: name and SSK1 are too long together for one block of the server's RSA key.
    #[error("the user's name is too long for the server's key")]
    NameTooLong,
    /// The peer's: the RSA block holds no user name and no first half.
    #[error("the application holds no name and no first half of a key")]
    Application,
    /// The peer's: what was sealed does not open, or is not what should be in it. All that a peer
    /// who meddled may run into; most meddling runs into nothing.
    #[error("the sealed text does not open")]
    DoesNotOpen,
    /// The peer's: a number of a wrong length.
    #[error("a number has the wrong length")]
    NumberLength,
    /// The peer's: it did not encrypt N1 under the shared key.
    #[error("the client did not prove the shared key")]
    NotTheClient,
    /// The peer's: it did not encrypt N2 under the session key.
    #[error("the server did not prove the session key")]
    NotTheServer,
    /// The caller's: a key of a wrong length for the cipher.
    #[error("the key has the wrong length for this cipher")]
    KeyLength,
    /// The caller's: a DES key with a byte of even parity.
    #[error("a byte of the DES key has even parity")]
    KeyParity,
    /// Nobody's: a weak, semi-weak or possibly weak DES key, or a triple one of equal parts. By
    /// chance so rare that it means a broken random source, or somebody's choice.
    #[error("the DES key is weak")]
    WeakKey,
    /// The caller's: halves of these ciphers do not combine to a key of that one in this manner.
    #[error("the halves do not make a key of this cipher in this manner")]
    Combination,
    /// The user's: wrong PIN.
    #[error("wrong PIN; {tries_left} tries left")]
    WrongPin {
        /// Tries left before the token blocks itself.
        tries_left: u8,
    },
    /// The user's: too many wrong PINs.
    #[error("the token is blocked after too many wrong PINs")]
    Blocked,
    /// The user's: a PIN of fewer than 4 or more than 64 bytes.
    #[error("a PIN has 4 to 64 bytes")]
    UnfitPin,
    /// The caller's: a setting or value that instructions cannot carry.
    #[error("a reconfiguration instruction has an unfit setting or value")]
    Instruction,
    /// The operator's: a name.
    #[error("the name: {0}")]
    Name(#[from] NameError),
    /// The operator's: an RSA key.
    #[error("the RSA key: {0}")]
    Rsa(#[from] KeyError),
    /// The operator's: a certificate could not be asked for.
    #[error("the certificate request: {0}")]
    Request(#[from] RequestError),
    /// The operator's: the authority.
    #[error("the authority: {0}")]
    Authority(#[from] AuthorityError),
}

impl Error {
    /// Who can mend it.
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
