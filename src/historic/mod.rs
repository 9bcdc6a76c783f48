//! The patent WO 98/25375 of 1996 to the letter. **Never protect anything with it.**
//!
//! It is here because this crate is that patent made sound: whoever asks what was changed, and why,
//! can run both. Everything below works as the patent says; an eavesdropper reads most of it.
//!
//! ```text
//!   60–200  registration   a blank token and a certified server make a key    registration
//!  300–350  session        the key makes a session key, in three readings     session
//!  370–390  configuration  entitlements reconfigure the client system         configuration
//! ```
//!
//! Block ciphers are generic ([`Cipher`]): [`Des`] as the patent has it, [`TdesEde2`], [`TdesEde3`], or
//! AES, which does not help. RSA is RSAES-PKCS1-v1_5, as it was in 1996. Texts are in CBC with a
//! random initial vector.
//!
//! What an attacker may do here:
//! * listen, and have the session key in two of the three readings, whatever the cipher;
//! * be the server, or the client, without any key;
//! * as one certified server of many, choose the key that a token ends up with, or have it register
//!   with another server under a key that both know;
//! * change what is encrypted, unnoticed, and send old configuration as new;
//! * with the private key P_r of a server, today or in ten years, open every registration ever
//!   recorded, and with it every session;
//! * search 2^56 keys, where it is DES: hours since 1998.
//!
//! What is kept sound nonetheless: nothing here panics on what a peer sends, keys are erased and never
//! printed, RSA is blinded, and the keys of this module are of no use in the real protocol, nor the
//! other way round: its certificates list suite 0, which is none.
//!
//! ```
//! use halfkey::historic::session::{self, description};
//! use halfkey::historic::{Des, Key};
//! use halfkey::SystemRandom;
//!
//! # fn main() -> Result<(), halfkey::historic::Error> {
//! let shared = Key::<Des>::generate(&mut SystemRandom)?; // what a registration leaves on both sides
//! let server = session::challenge::<Des>(&mut SystemRandom);
//! let client = description::respond(&shared, &server.send, &mut SystemRandom)?;
//! let on_the_wire = client.send.package.clone();
//! let proof = description::receive_response(server.next, &shared, &client.send)?;
//! let session_key = client.next.receive_proof(&proof.send)?;
//!
//! // Whoever listened has the session key:
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
