//! S3: who has proved a key is let in, or told why not.

use super::decoy::Person;
use crate::id::{AccessPath, KeyId, UserId};
use crate::message::{Accept, Address, StatusMessage};
use crate::policy::Mode;
use crate::port::entitlement_store::{Admitted, Status};
use crate::port::question::Admit;
use crate::record::{Lifecycle, ServerRegistration};
use crate::schedule::{KeySet, KeyUse};
use crate::secret::Secret;
use crate::session::ServerSessionError;
use crate::session::channel::{Channel, ChannelError};
use crate::session::keys::SessionKeys;
use crate::step::Step;
use crate::suite::Suite;
use crate::time::UnixTime;
use crate::wire::{Bytes, Frame, encode};
use alloc::vec::Vec;

/// Has verified S2 and wants the store to let the session in.
#[must_use = "the token waits for S3"]
pub struct NeedAdmission {
    pub(super) suite: &'static dyn Suite,
    pub(super) mode: Mode,
    pub(super) keys: KeySet,
    pub(super) person: Person,
    /// d.
    pub(super) asked: KeyUse,
    pub(super) ss_e: Option<Secret>,
    pub(super) x: Vec<u8>,
    pub(super) question: Admit,
}

impl NeedAdmission {
    /// The question: a session to admit ([`EntitlementStore::admit`](crate::port::EntitlementStore::admit)).
    #[must_use]
    pub const fn wanted(&self) -> &Admit {
        &self.question
    }

    /// Lets the store keep the alias of this session for so many seconds since it was handed out, instead of handing
    /// out another ([`ServerSettings::alias_age`](crate::ServerSettings::alias_age)).
    pub const fn keep_alias(mut self, seconds: u32) -> Self {
        self.question.admission.alias_age = seconds;
        self
    }

    /// Goes on with the store's answer. S3 says how the registration stands; it opens a channel only
    /// when that is in order.
    ///
    /// # Errors
    /// [`ServerSessionError::Spent`].
    pub fn supply(
        self,
        admitted: Admitted,
        now: UnixTime,
    ) -> Result<Step<Accept<'static>, Entry>, ServerSessionError> {
        let Self { suite, mode, keys, person, asked, ss_e, x, question: Admit { admission } } = self;
        let (status, hands_out, heard) = match admitted {
            Admitted::Spent => return Err(ServerSessionError::Spent),
            Admitted::As(status) => (status, true, false),
            Admitted::Again { settled } => (Status::Active, false, settled),
        };
        let has_expired = status == Status::Active && person.expires.is_some_and(|at| at <= now);
        let status = if has_expired { Status::Expired } else { status };
        let d = keys.derive(suite, &asked);
        let ses = SessionKeys::derive(suite, &d, ss_e.as_ref());
        let tag_s = ses.tag_s;
        let mut channel = Channel::of_server(suite, ses);
        let alias = (status == Status::Active && hands_out).then_some(admission.next_alias);
        let record = channel.seal_status(&encode(&StatusMessage { status: status.code(), alias }))?;
        let accept = Accept { x: Bytes(&x), tag_s, record: Bytes(&record) };
        let send = Frame::stored(encode(&accept));

        let Person { key_id, user_id, access_path, .. } = person;
        let next = if status == Status::Active {
            let address = admission.address;
            Entry::Session(Established { key_id, user_id, access_path, address, mode, channel, heard })
        } else {
            Entry::NotActive { key_id, status }
        };
        Ok(Step { send, next })
    }
}

/// Outcome for a proven key.
#[must_use]
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one, it is moved once, and most are sessions")]
pub enum Entry {
    /// A session.
    Session(Established),
    /// An S3 that says why not, and nothing else.
    NotActive {
        /// The key.
        key_id: KeyId,
        /// How its registration stands; never `Active`.
        status: Status,
    },
}

/// Returns how a registration stands, as the store holds it; one that it does not hold any more is revoked.
pub(crate) fn status(registration: Option<&ServerRegistration>, now: UnixTime) -> Status {
    let Some(registration) = registration else { return Status::Revoked };
    match registration.lifecycle {
        Lifecycle::Active if registration.expires.is_some_and(|expires| expires <= now) => Status::Expired,
        Lifecycle::Active => Status::Active,
        Lifecycle::Superseded => Status::Expired,
        Lifecycle::Suspended => Status::Suspended,
        Lifecycle::Revoked => Status::Revoked,
        Lifecycle::Pending { .. } | Lifecycle::Lost => Status::Lost,
    }
}

/// The server's end of a session.
#[must_use]
#[derive(Debug)]
pub struct Established {
    /// The key that was proved.
    pub key_id: KeyId,
    /// User of the key.
    pub user_id: UserId,
    /// Where the user's entitlements begin.
    pub access_path: AccessPath,
    /// How S0 named the registration.
    pub address: Address,
    /// How the session's key was made.
    pub mode: Mode,
    /// The channel; the server may send at once after S3.
    pub channel: Channel,
    heard: bool,
}

impl Established {
    /// What to tell the store with [`EntitlementStore::confirm_alias`](crate::port::EntitlementStore::confirm_alias): once, after the first record of the
    /// token's has opened, for only then is it certain that S3 arrived.
    #[must_use]
    pub fn heard(&mut self) -> Option<(KeyId, Address)> {
        let first = self.channel.has_heard() && !self.heard;
        self.heard |= first;
        first.then_some((self.key_id, self.address))
    }

    /// Tells whether there is nothing more to tell the store ([`Established::heard`]).
    pub(crate) const fn has_been_heard(&self) -> bool {
        self.heard
    }

    /// Makes the record that ends the session and says how the registration stands. Nothing is sent after it.
    ///
    /// # Errors
    /// [`ChannelError::Closed`] where this side has closed already; another
    /// [`ChannelError`].
    pub fn end(&mut self, status: Status) -> Result<Vec<u8>, ChannelError> {
        self.channel.seal_status(&encode(&StatusMessage { status: status.code(), alias: None }))
    }
}
