//! The PIN, and how it is given.

use crate::failure::Failure;
use crate::place::Place;
use halfkey::software::SecretString;
use halfkey::{Digest, RandomSource, SystemRandom};
use halfkey_common::Program;
use halfkey_common::file::write_new;
use halfkey_common::secret::SecretSource;
use std::io;
use zeroize::Zeroizing;

/// Source of the PIN.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Given {
    /// Where the PIN comes from: `ask` (the terminal), `-` (the next line of standard input), `fd:N` or `file:PATH`.
    #[arg(long, global = true, help_heading = "Everywhere", value_name = "SOURCE")]
    pin: Option<SecretSource>,
    /// The same as `--pin fd:N`.
    #[arg(long, global = true, help_heading = "Everywhere", value_name = "N", conflicts_with = "pin")]
    pin_fd: Option<u32>,
}

/// Source of the PIN, and the program that asks.
#[derive(Clone, Debug)]
pub(crate) struct Pins {
    program: Program,
    source: Option<SecretSource>,
}

impl Pins {
    /// A PIN that is given comes before a file beside the token ([`Pins::keep`]).
    pub(crate) fn new(program: Program, given: &Given, place: &Place) -> Self {
        let given = given.pin_fd.map(SecretSource::Descriptor).or_else(|| given.pin.clone());
        let kept = Some(place.pin()).filter(|path| path.exists()).map(SecretSource::File);
        Self { program, source: given.or(kept) }
    }

    /// Draws a PIN for a new token, and keeps it in a file beside it, which is read from now on: for a machine where
    /// nobody can be asked.
    ///
    /// # Errors
    /// [`Failure::Refused`] where there is a token already, under another PIN.
    pub(crate) fn keep(self, place: &Place) -> Result<Self, Failure> {
        let path = place.pin();
        if self.source == Some(SecretSource::File(path.clone())) {
            return Ok(self);
        }
        if place.token().exists() {
            return Err(Failure::Usage("there is a token already, whose PIN somebody knows".into()));
        }
        place.make_data()?;
        let mut drawn = Zeroizing::new([0; 32]);
        SystemRandom.fill(&mut *drawn);
        let text = Zeroizing::new(Digest::new(*drawn).to_string());
        write_new(&path, text.as_bytes())
            .map_err(|error| Failure::file(&path, io::Error::other(error.problem)))?;
        Ok(Self { source: Some(SecretSource::File(path)), ..self })
    }

    fn source(&self) -> SecretSource {
        self.source.clone().unwrap_or_default()
    }

    /// Tells whether the PIN need not be asked for.
    pub(crate) const fn is_given(&self) -> bool {
        self.source.is_some()
    }

    /// Reads the PIN.
    pub(crate) fn pin(&self) -> Result<SecretString, Failure> {
        Ok(SecretString::from(self.read("PIN")?.as_str()))
    }

    /// Reads the PIN of a new token.
    pub(crate) fn new_pin(&self) -> Result<SecretString, Failure> {
        Ok(SecretString::from(self.source().read_new(self.program, "new PIN")?.as_str()))
    }

    /// Reads a secret of another name from the same source.
    pub(crate) fn read(&self, what: &str) -> Result<Zeroizing<String>, Failure> {
        Ok(self.source().read(self.program, what)?)
    }

    /// Reads a new secret of another name from the same source.
    pub(crate) fn read_new(&self, what: &str) -> Result<Zeroizing<String>, Failure> {
        Ok(self.source().read_new(self.program, what)?)
    }
}
