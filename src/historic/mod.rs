//! The patent WO 98/25375 of 1996 to the letter. **Never protect anything with it.**
//!
//! This crate is that patent made sound. The module lets a reader run both and see what was changed, and
//! why. Everything below works as the patent says; an eavesdropper reads most of it.
//!
//! ```text
//!   60–200  registration   a blank token and a certified server make a key    registration
//!  300–350  session        the key makes a session key, in three readings     session
//!  370–390  configuration  entitlements reconfigure the client system         configuration
//! ```
//!
//! Block ciphers are generic ([`Cipher`]): [`Des`] as the patent has it, [`TdesEde2`], [`TdesEde3`], or
//! AES, which does not help. RSA is RSAES-PKCS1-v1_5, as it was in 1996. Texts are encrypted in CBC mode
//! with a random initialisation vector.
//!
//! An attacker can:
//! * listen, and compute the session key in two of the three readings, whatever the cipher;
//! * impersonate the server, or the client, without any key;
//! * as one certified server of many, choose the key that a token ends up with, or make the token register
//!   with another server under a key that both servers know;
//! * change encrypted text unnoticed, and send old configuration as new;
//! * with the private key P_r of a server, today or in ten years, decrypt every registration ever
//!   recorded, and with it every session;
//! * search the 2^56 keys of DES, which has taken hours since 1998.
//!
//! The implementation is sound nonetheless: no input of a peer causes a panic, keys are erased and never
//! printed, and RSA is blinded. Keys of this module are of no use in the real protocol, and keys of the real
//! protocol are of no use here: certificates of this module list suite 0, which no real server has.
//!
//! ```
//! use halfkey::historic::session::{self, description};
//! use halfkey::historic::{Des, Key};
//! use halfkey::SystemRandom;
//!
//! # fn main() -> Result<(), halfkey::historic::Error> {
//! let shared = Key::<Des>::generate(&mut SystemRandom)?; // the key that both sides hold after a registration
//! let server = session::challenge::<Des>(&mut SystemRandom);
//! let client = description::respond(&shared, &server.send, &mut SystemRandom)?;
//! let on_the_wire = client.send.package.clone();
//! let proof = description::receive_response(server.next, &shared, &client.send)?;
//! let session_key = client.next.receive_proof(&proof.send)?;
//!
//! // An eavesdropper has the session key:
//! assert_eq!(Key::<Des>::new(&on_the_wire)?.expose(), session_key.expose());
//! # Ok(())
//! # }
//! ```
//!
#![doc = include_str!("chart.md")]

mod cipher;
pub mod configuration;
mod error;
mod key;
mod mode;
pub mod registration;
pub mod session;
mod step;

pub use cipher::{Cipher, number_len};
pub use des::{Des, TdesEde2, TdesEde3};
pub use error::Error;
pub use key::{Combiner, Key};
pub use step::Step;
