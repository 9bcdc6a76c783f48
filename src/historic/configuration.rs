//! Configuration as in 1996 (steps 370 to 390; claims 5, 11, 18 and 24): user information up,
//! reconfiguration instructions down.
//!
//! ```text
//!  client                                                    server
//!  370 request ──────── {user information} key ───────────▶  receive_request
//!                                                            380 the access control database
//!  390 receive_instructions ◀── {instructions} key ───────── supply
//!      ClientSystem::reconfigure
//! ```
//!
//! The key is the session key in the claims and the shared key in the description: the functions take either.
//! The messages are neither numbered nor dated nor authenticated: a replayed or manipulated answer is
//! accepted like a fresh one.

use super::{Cipher, Error, Key, mode};
use crate::random::RandomSource;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use zeroize::Zeroizing;

/// Encrypted user information, from client to server (step 370).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Ciphertext: initialisation vector, then CBC.
    pub encrypted: Vec<u8>,
}

/// Encrypted reconfiguration instructions, from server to client (step 390).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instructions {
    /// Ciphertext: initialisation vector, then CBC.
    pub encrypted: Vec<u8>,
}

/// Reconfiguration instruction. On the wire it is a line `setting=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    setting: String,
    value: String,
}

impl Instruction {
    /// Creates an instruction that sets `setting` to `value`.
    ///
    /// # Errors
    /// [`Error::Instruction`] for an empty setting, an equals sign in it, or a line break in either.
    pub fn new(setting: &str, value: &str) -> Result<Self, Error> {
        if setting.is_empty() || setting.contains(['=', '\n']) || value.contains('\n') {
            return Err(Error::Instruction);
        }
        Ok(Self { setting: setting.into(), value: value.into() })
    }

    /// Returns the name of the setting.
    #[must_use]
    pub fn setting(&self) -> &str {
        &self.setting
    }

    /// Returns the value of the setting.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

/// Client system, which instructions reconfigure. Implemented for every `FnMut(&Instruction)`.
pub trait ClientSystem {
    /// Carries out one instruction.
    fn reconfigure(&mut self, instruction: &Instruction);
}

impl<F: FnMut(&Instruction)> ClientSystem for F {
    fn reconfigure(&mut self, instruction: &Instruction) {
        self(instruction);
    }
}

/// Encrypts user information under the session key (claims 5, 11, 18, 24) or the shared key
/// (step 370).
#[must_use]
pub fn request<C: Cipher>(key: &Key<C>, information: &str, random: &mut dyn RandomSource) -> Request {
    Request { encrypted: mode::seal(key, information.as_bytes(), random) }
}

/// Decrypts user information (step 370, at the server; claims 5, 11, 18, 24).
///
/// # Errors
/// [`Error::DoesNotOpen`].
pub fn receive_request<C: Cipher>(key: &Key<C>, request: &Request) -> Result<NeedEntitlements<C>, Error> {
    let text = mode::open(key, &request.encrypted)?;
    let information = core::str::from_utf8(&text).map_err(|_| Error::DoesNotOpen)?.into();
    Ok(NeedEntitlements { key: key.clone(), information: Zeroizing::new(information) })
}

/// State in which the user's entitlements are needed from the access control database (step 380).
#[must_use]
pub struct NeedEntitlements<C: Cipher> {
    key: Key<C>,
    information: Zeroizing<String>,
}

impl<C: Cipher> NeedEntitlements<C> {
    /// Returns the user information, by which the entitlements are looked up (step 380).
    #[must_use]
    pub fn wanted(&self) -> &str {
        &self.information
    }

    /// Encrypts the instructions that follow from the entitlements (steps 380 and 390; claims 5, 11,
    /// 18, 24).
    #[must_use]
    pub fn supply(self, instructions: &[Instruction], random: &mut dyn RandomSource) -> Instructions {
        let mut text = Zeroizing::new(String::new());
        for Instruction { setting, value } in instructions {
            text.extend([setting, "=", value, "\n"]);
        }
        Instructions { encrypted: mode::seal(&self.key, text.as_bytes(), random) }
    }
}

impl<C: Cipher> fmt::Debug for NeedEntitlements<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NeedEntitlements(..)")
    }
}

/// Decrypts the instructions and has the client system carry out each in turn (step 390; claims 5,
/// 11, 18, 24).
///
/// # Errors
/// [`Error::DoesNotOpen`] when the plaintext is not a list of instructions; then none is carried out.
pub fn receive_instructions<C: Cipher>(
    key: &Key<C>,
    instructions: &Instructions,
    system: &mut dyn ClientSystem,
) -> Result<(), Error> {
    let text = mode::open(key, &instructions.encrypted)?;
    let text = core::str::from_utf8(&text).map_err(|_| Error::DoesNotOpen)?;
    let parse = |line: &str| {
        let (setting, value) = line.split_once('=').ok_or(Error::DoesNotOpen)?;
        Instruction::new(setting, value).map_err(|_| Error::DoesNotOpen)
    };
    let instructions: Vec<_> = text.lines().map(parse).collect::<Result<_, _>>()?;
    instructions.iter().for_each(|instruction| system.reconfigure(instruction));
    Ok(())
}
