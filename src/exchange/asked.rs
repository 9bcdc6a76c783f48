//! A question on its way to a port, with the state that goes on with the answer.

use crate::port::question::{Answered, Question};
use alloc::boxed::Box;
use core::fmt;

/// A question on its way to a port. It is `Send + 'static`.
#[must_use]
pub struct Asked<N: Resume> {
    pub(super) need: N,
    pub(super) base: Box<N::Base>,
}

impl<N: Resume> Asked<N> {
    /// Lends the question.
    pub fn wanted(&self) -> &N::Question {
        self.need.question()
    }

    /// Goes on with the answer, or with the reason why there is none.
    pub fn supply(self, answer: Answered<N::Question>) -> N::Turn {
        self.need.resume(self.base, answer)
    }
}

impl<N: Resume> fmt::Debug for Asked<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Asked(..)")
    }
}

/// A state that waits for an answer. Sealed: what it goes on with belongs to the machines.
pub trait Resume: Sized {
    /// The question.
    type Question: Question;
    /// Everything else that the machine holds meanwhile.
    #[doc(hidden)]
    type Base;
    /// The machine's turn.
    type Turn;
    #[doc(hidden)]
    fn question(&self) -> &Self::Question;
    #[doc(hidden)]
    fn resume(self, base: Box<Self::Base>, answer: Answered<Self::Question>) -> Self::Turn;
}
