//! People for a store: registrations and outcomes that no token has made, everything of them made of one number.

use halfkey::policy::{Policy, SuiteId};
use halfkey::record::{
    Effect, ExpectedTags, Lifecycle, NewOutcome, NewRegistration, PendingLimits, ServerRegistration,
    StoredKeys,
};
use halfkey::{Alias, Digest, KeyId, Secret, Txn, UnixTime};

/// The grant of the `n`th user's registration under a name, to be confirmed within a minute.
pub(crate) fn granted(n: u8, name: &str, now: UnixTime) -> NewRegistration {
    let secret = |which: u8| Secret::new([n ^ which; 32]);
    let registered = ServerRegistration {
        key_id: KeyId::new([n; 16]),
        user_id: format!("user-{n}").parse().unwrap(),
        name: name.parse().unwrap(),
        access_path: "/staff".parse().unwrap(),
        suite: SuiteId::XWing,
        policy: Policy::default(),
        lifecycle: Lifecycle::Pending { confirm_by: now.after(60) },
        expires: None,
        keys: StoredKeys { auth: secret(0x10), derive: secret(0x20), renew: secret(0x30) },
    };
    let txn = Txn::new([n; 16]);
    let expected = ExpectedTags { txn, confirm: secret(0x40), done: secret(0x50), lost: secret(0x60) };
    NewRegistration { registered, alias: Alias::new([n; 16]), expected, takes: None, ticket: None }
}

/// The outcome of the `n`th request, which is kept for an hour.
pub(crate) fn outcome(n: u8, effect: Effect, now: UnixTime) -> NewOutcome {
    let (request, response, limits) = (Digest::new([n; 32]), vec![n; 1200], PendingLimits::default());
    NewOutcome { request, response, keep_until: now.after(3600), effect, limits }
}
