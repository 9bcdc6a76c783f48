//! Reasons for which an operator refuses an application, as they are given and told.

use clap::ValueEnum;
use clap::builder::PossibleValue;
use halfkey::record::RejectionCode;

/// Reason that an applicant is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The operator declines.
    Declined,
    /// An activation code is needed.
    ProofNeeded,
    /// The name is taken.
    NameTaken,
    /// The form is wrong.
    Form,
    /// None is told.
    None,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 5] = [Self::Declined, Self::ProofNeeded, Self::NameTaken, Self::Form, Self::None];

    /// Returns the word that stands for it on a command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Declined => "declined",
            Self::ProofNeeded => "proof-needed",
            Self::NameTaken => "name-taken",
            Self::Form => "form",
            Self::None => "none",
        }
    }

    /// Returns the reason that a word stands for.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }

    /// Returns what it says.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Declined => "The operator declines",
            Self::ProofNeeded => "An activation code is needed: apply again with one",
            Self::NameTaken => "The name is taken: apply again under another",
            Self::Form => "The form is wrong: apply again with other answers",
            Self::None => "Nothing, as if the application were unknown",
        }
    }
}

impl From<Reason> for RejectionCode {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Declined => Self::Declined,
            Reason::ProofNeeded => Self::ProofNeeded,
            Reason::NameTaken => Self::NameTaken,
            Reason::Form => Self::Form,
            Reason::None => Self::Unspecified,
        }
    }
}

impl ValueEnum for Reason {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.word()).help(self.sentence()))
    }
}
