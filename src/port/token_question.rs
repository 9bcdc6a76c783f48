//! Questions for a token, as owned values: one table, a verb of [`Token`] in each line.

use super::answered::{Answered, Question};
use super::token::{JoinRequest, Token, TokenError};
use crate::certificate::TrustAnchors;
use crate::id::{Digest, KeyId, Txn};
use crate::key::KemPublicKey;
use crate::policy::SuiteId;
use crate::record::{Attempt, TokenRegistration};
use crate::schedule::{KeyUse, Ssk1Use};
use crate::secret::Secret;
use alloc::vec::Vec;

/// A question that a token answers.
pub trait TokenQuestion: Question<Error = TokenError> + Sync {
    /// Asks a token that blocks.
    ///
    /// # Errors
    /// The token's.
    fn ask(&self, token: &mut dyn Token) -> Answered<Self>;
}

macro_rules! token_questions {
    ($(
        $(#[$doc:meta])*
        $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* } -> $answer:ty
            = |$question:ident, $token:ident| $call:expr;
    )*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug)]
            #[non_exhaustive]
            pub struct $name {
                $($(#[$field_doc])* pub $field: $type),*
            }
            answered_by_token!($name -> $answer = |$question, $token| $call);
        )*
    };
}

macro_rules! answered_by_token {
    ($name:ident -> $answer:ty = |$question:ident, $token:ident| $call:expr) => {
        impl Question for $name {
            type Answer = $answer;
            type Error = TokenError;
        }
        impl TokenQuestion for $name {
            fn ask(&self, $token: &mut dyn Token) -> Answered<Self> {
                let $question = self;
                $call
            }
        }
    };
}

token_questions! {
    /// Makes SSK1 and encapsulates it to P_u ([`Token::wrap`]).
    EncapsulateSsk1 {
        /// The attempt under which SSK1 is kept.
        txn: Txn,
        /// The suite of the attempt.
        suite: SuiteId,
        /// P_u, from the verified certificate.
        server_key: KemPublicKey
    } -> Vec<u8> = |q, token| token.wrap(&q.txn, q.suite, &q.server_key);

    /// Derives p_B or p_G from SSK1 ([`Token::derive_from_ssk1`]).
    DeriveFromSsk1 {
        /// The attempt whose SSK1 is used.
        txn: Txn,
        /// The value that is wanted: p_B or p_G.
        ssk1_use: Ssk1Use,
        /// The transcript: thB or thG.
        transcript: Digest
    } -> Secret = |q, token| token.derive_from_ssk1(&q.txn, q.ssk1_use, &q.transcript);

    /// Uses a shared key ([`Token::derive`]).
    Derive {
        /// The key.
        key_id: KeyId,
        /// The use, with the bytes that it is over.
        key_use: KeyUse
    } -> Secret = |q, token| token.derive(&q.key_id, &q.key_use);

    /// Saves what is needed to go on with an attempt after a crash ([`Token::save_attempt`]).
    SaveAttempt {
        /// The attempt.
        attempt: Attempt
    } -> () = |q, token| token.save_attempt(q.attempt.clone());

    /// Abandons an attempt ([`Token::abandon`]).
    Abandon {
        /// The attempt.
        txn: Txn
    } -> () = |q, token| token.abandon(&q.txn);

    /// Replaces the registration with the same key id ([`Token::update`]).
    Update {
        /// The registration as it is to be stored.
        registration: TokenRegistration
    } -> () = |q, token| token.update(&q.registration);

    /// Erases a key and its registration ([`Token::remove`]).
    Remove {
        /// The key.
        key_id: KeyId
    } -> () = |q, token| token.remove(&q.key_id);
}
answered_by_token!(JoinRequest -> [u8; 32] = |q, token| token.join(q));

/// Reads the trust anchors ([`Token::anchors`]).
#[derive(Clone, Copy, Debug)]
pub struct FindAnchors;
answered_by_token!(FindAnchors -> TrustAnchors = |_q, token| token.anchors());

/// Lists the attempts that the token holds ([`Token::attempts`]).
#[derive(Clone, Copy, Debug)]
pub struct FindAttempts;
answered_by_token!(FindAttempts -> Vec<Attempt> = |_q, token| token.attempts());

/// Lists the registrations on the token ([`Token::registrations`]).
#[derive(Clone, Copy, Debug)]
pub struct FindRegistrations;
answered_by_token!(FindRegistrations -> Vec<TokenRegistration> = |_q, token| token.registrations());
