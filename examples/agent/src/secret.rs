//! The PIN, and how it is given.

use crate::failure::Failure;
use halfkey::software::SecretString;
use halfkey_common::Program;
use halfkey_common::secret::SecretSource;
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
    pub(crate) fn new(program: Program, given: &Given) -> Self {
        Self { program, source: given.pin_fd.map(SecretSource::Descriptor).or_else(|| given.pin.clone()) }
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
