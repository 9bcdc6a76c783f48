//! Questions as values: what an exchange asks of a port, and how the port answers.
//!
//! An exchange never calls a port. It stops with an owned question, which the caller answers in its own
//! way: by a blocking port ([`StoreQuestion::ask`]), by an asynchronous one ([`StoreQuestion::ask_async`]),
//! or on another thread or machine. One table spells each question of a store once: its name, the verb of
//! the port, what it carries and what comes back.
//!
//! A server of its own kind, whose store is asynchronous and whose keys block:
//! ```
//! use halfkey::exchange::{ServerReply, ServerTurn};
//! use halfkey::port::{AuthServer, question::AsyncEntitlementStore};
//! use halfkey::registration::server::Decision;
//!
//! async fn perform(
//!     mut turn: ServerTurn,
//!     store: &impl AsyncEntitlementStore,
//!     keys: &dyn AuthServer,
//! ) -> ServerReply {
//!     loop {
//!         turn = match turn {
//!             ServerTurn::Store(need) => need.ask_async(store).await,
//!             ServerTurn::Keys(need) => need.ask(keys), // better on another thread
//!             ServerTurn::Operator(need) => need.supply(Decision::Wait { retry_after: 3600 }),
//!             ServerTurn::Done(reply) => return reply,
//!         };
//!     }
//! }
//! # fn main() {}
//! ```

pub use super::answered::{Answered, Question};
use super::auth_server::{Decapsulated, OfferMaterial};
use super::{AuthServer, AuthServerError, EntitlementStore, StoreError};
use crate::id::Digest;
use crate::policy::SuiteList;
use crate::time::UnixTime;

pub use super::token_question::{
    Abandon, Derive, DeriveFromSsk1, EncapsulateSsk1, FindAnchors, FindAttempts, FindRegistrations, Remove,
    SaveAttempt, TokenQuestion, Update,
};

/// A question that an entitlement store answers.
pub trait StoreQuestion: Question<Error = StoreError> + Sync {
    /// Asks a store that blocks.
    ///
    /// # Errors
    /// The store's.
    fn ask(&self, store: &dyn EntitlementStore, now: UnixTime) -> Answered<Self>;

    /// Asks a store that does not block.
    fn ask_async<S: AsyncEntitlementStore + ?Sized>(
        &self,
        store: &S,
        now: UnixTime,
    ) -> impl Future<Output = Answered<Self>> + Send;
}

/// Hands the table of a store's questions to the macro `$then`, after `$with`: for each its documentation,
/// its name, the verb of [`EntitlementStore`], what it carries and the answer.
macro_rules! every_store_question {
    ($then:path $(, $with:tt)*) => {
        $then! { [$($with),*]
            /// Looks up R3 as it was sent for the R2 with this hash ([`EntitlementStore::outcome`](crate::port::EntitlementStore::outcome)).
            FindOutcome outcome (request: $crate::Digest) -> Option<alloc::vec::Vec<u8>>;
            /// Reads what is known of an applicant ([`EntitlementStore::applicant`](crate::port::EntitlementStore::applicant)).
            FindApplicant applicant (applicant: $crate::record::Applicant) -> $crate::record::ApplicantRecord;
            /// Stores an outcome and its effect ([`EntitlementStore::commit`](crate::port::EntitlementStore::commit)).
            Commit commit (outcome: $crate::record::NewOutcome) -> $crate::port::entitlement_store::Committed;
            /// Looks up the tags that R4 and R5 will carry ([`EntitlementStore::expected`](crate::port::EntitlementStore::expected)).
            FindExpected expected (key_id: $crate::KeyId) -> Option<$crate::record::ExpectedTags>;
            /// Makes a registration active ([`EntitlementStore::confirm`](crate::port::EntitlementStore::confirm)).
            Confirm confirm (key_id: $crate::KeyId) -> $crate::port::entitlement_store::Confirmed;
            /// Looks up the registration that S0 names ([`EntitlementStore::registration`](crate::port::EntitlementStore::registration)).
            FindRegistration registration (address: $crate::message::Address) -> Option<$crate::record::ServerRegistration>;
            /// Admits a session ([`EntitlementStore::admit`](crate::port::EntitlementStore::admit)).
            Admit admit (admission: $crate::port::entitlement_store::Admission) -> $crate::port::entitlement_store::Admitted;
            /// Lets older aliases go ([`EntitlementStore::confirm_alias`](crate::port::EntitlementStore::confirm_alias)).
            ConfirmAlias confirm_alias (key_id: $crate::KeyId, address: $crate::message::Address) -> ();
            /// Looks up what a user is entitled to ([`EntitlementStore::entitlement`](crate::port::EntitlementStore::entitlement)).
            FindEntitlement entitlement (query: $crate::port::entitlement_store::EntitlementQuery) -> Option<$crate::port::entitlement_store::Entitlement>;
            /// Keeps what became of a configuration ([`EntitlementStore::report`](crate::port::EntitlementStore::report)).
            TakeReport report (report: $crate::port::entitlement_store::Report) -> ();
        }
    };
}
#[cfg(feature = "std")]
pub(crate) use every_store_question;

macro_rules! declare {
    ([] $($(#[$doc:meta])* $name:ident $verb:ident ($($field:ident: $type:ty),+) -> $answer:ty;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug)]
            #[non_exhaustive]
            pub struct $name {
                $(#[doc = "The argument of the verb."] pub $field: $type),+
            }
            impl Question for $name {
                type Answer = $answer;
                type Error = StoreError;
            }
            impl StoreQuestion for $name {
                fn ask(&self, store: &dyn EntitlementStore, now: UnixTime) -> Answered<Self> {
                    store.$verb($(&self.$field,)+ now)
                }
                async fn ask_async<S: AsyncEntitlementStore + ?Sized>(&self, store: &S, now: UnixTime) -> Answered<Self> {
                    store.$verb($(&self.$field,)+ now).await
                }
            }
        )*

        /// The store behind an authentication server, for programs that wait without blocking a thread.
        ///
        /// Each method is the one of [`EntitlementStore`] with that name, where the price of a wrong answer
        /// stands. An implementation may write `async fn`. It is not object-safe: a program that chooses a
        /// store at run time uses an enum of its own.
        pub trait AsyncEntitlementStore: Send + Sync {
            $(
                $(#[$doc])*
                fn $verb(&self, $($field: &$type,)+ now: UnixTime)
                    -> impl Future<Output = Result<$answer, StoreError>> + Send;
            )*
        }

        impl<T: EntitlementStore + ?Sized> EntitlementStore for alloc::sync::Arc<T> {
            $(
                fn $verb(&self, $($field: &$type,)+ now: UnixTime) -> Result<$answer, StoreError> {
                    (**self).$verb($($field,)+ now)
                }
            )*
        }

        impl<T: AsyncEntitlementStore + ?Sized> AsyncEntitlementStore for alloc::sync::Arc<T> {
            $(
                async fn $verb(&self, $($field: &$type,)+ now: UnixTime) -> Result<$answer, StoreError> {
                    (**self).$verb($($field,)+ now).await
                }
            )*
        }
    };
}
every_store_question!(declare);

/// A question that the holder of the server's keys answers.
pub trait KeysQuestion: Question<Error = AuthServerError> {
    /// Asks a holder that blocks.
    ///
    /// # Errors
    /// The holder's.
    fn ask(&self, keys: &dyn AuthServer, now: UnixTime) -> Answered<Self>;
}

/// Asks for the material of an offer, for these suites ([`AuthServer::offer_material`]).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FindOfferMaterial {
    /// The suites that the token speaks, best first.
    pub suites: SuiteList,
}

/// Asks for a signature on an offer ([`AuthServer::sign_offer`]).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SignOffer {
    /// SHA-256 of the certificate whose offer key is to sign.
    pub certificate: Digest,
    /// thO, which is signed.
    pub transcript: Digest,
}

impl Question for FindOfferMaterial {
    type Answer = OfferMaterial;
    type Error = AuthServerError;
}

impl KeysQuestion for FindOfferMaterial {
    fn ask(&self, keys: &dyn AuthServer, now: UnixTime) -> Answered<Self> {
        keys.offer_material(&self.suites, now)
    }
}

impl Question for SignOffer {
    type Answer = [u8; 64];
    type Error = AuthServerError;
}

impl KeysQuestion for SignOffer {
    fn ask(&self, keys: &dyn AuthServer, _: UnixTime) -> Answered<Self> {
        keys.sign_offer(&self.certificate, &self.transcript)
    }
}

impl Question for super::auth_server::Encapsulated {
    type Answer = Decapsulated;
    type Error = AuthServerError;
}

impl KeysQuestion for super::auth_server::Encapsulated {
    fn ask(&self, keys: &dyn AuthServer, now: UnixTime) -> Answered<Self> {
        keys.decapsulate(self, now)
    }
}
