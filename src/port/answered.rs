//! The base of every question: a value with a type for its answer and one for the lack of it.

/// Something that an exchange wants to know or to have done.
pub trait Question: Send + 'static {
    /// The answer.
    type Answer: Send + 'static;
    /// The reason why there is no answer.
    type Error: Send + 'static;
}

/// An answer to a question, or the reason why there is none.
pub type Answered<Q> = Result<<Q as Question>::Answer, <Q as Question>::Error>;
