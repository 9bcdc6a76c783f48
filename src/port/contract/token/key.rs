//! Joins and keys.

use super::case::{Case, Server, configuration, half_attempt, in_clause, key, txn};
use super::{Kept, ensure};
use crate::id::Alias;
use crate::port::TokenError;
use crate::port::token::JoinRequest;
use crate::record::{Attempt, Progress, ProofKey, TokenRegistration};
use crate::schedule::{KeyUse, binder};
use crate::secret::Secret;
use crate::suite::XWING;

const RIGHT: &str = "a joined key answers as the server's does";

pub(super) fn a_join(case: &mut Case<'_>) -> Kept {
    let ssk1 = case.wrap(1)?;
    case.save_attempt(Attempt::InFlight(half_attempt(1, 1024)?))?;
    let other = case.wrap(2)?;
    let secret = Secret::new([0x55; 32]);
    let mixed = binder(&XWING, &secret, &Server::transcript_of(1));
    let server = Server::new(1, &ssk1, ProofKey::Secret(secret), &mixed)?;
    case.joins(&server)?;
    let stored = case.registration(1)?;
    ensure(stored == Some(server.stored()), "a joined registration is stored, with the tag of R4")?;
    case.has_no_half(1, "a join erases the half")?;
    ensure(case.attempt(1)?.is_none(), "a join ends the attempt")?;
    case.has_half(2, &other, "a join leaves other runs as they are")?;
    case.answers(&server, RIGHT)?;
    case.token.remove(&key(1)).map_err(in_clause("a key can be removed"))?;
    ensure(case.registration(1)?.is_none(), "removing a key removes its registration")?;
    let answer = case.token.derive(&key(1), &KeyUse::Binder(server.transcript));
    ensure(answer.err() == Some(TokenError::NoSuchKey), "a key that was removed is gone")
}

pub(super) fn a_wrong_proof(case: &mut Case<'_>) -> Kept {
    const KEPT: &str = "a wrong proof costs neither half nor attempt";
    let ssk1 = case.wrap(1)?;
    case.save_attempt(Attempt::InFlight(half_attempt(1, 1024)?))?;
    let server = Server::new(1, &ssk1, ProofKey::None, &Secret::absent())?;
    for place in 0..server.tag_s.len() {
        let mut wrong = server.tag_s;
        if let Some(byte) = wrong.get_mut(place) {
            *byte ^= 0x80;
        }
        let joined = case.token.join(&JoinRequest { tag_s: wrong, ..server.join() });
        ensure(joined.err() == Some(TokenError::WrongProof), "every bit of the server's proof counts")?;
        case.has_half(1, &ssk1, KEPT)?;
    }
    let ssk2 = Secret::new([0; 32]);
    let joined = case.token.join(&JoinRequest { ssk2, ..server.join() });
    ensure(joined.err() == Some(TokenError::WrongProof), "the proof is that of the joined key")?;
    case.has_half(1, &ssk1, KEPT)?;
    ensure(case.attempt(1)?.is_some(), KEPT)?;
    ensure(case.registration(1)?.is_none(), "a wrong proof registers nothing")?;
    case.joins(&server)?;
    case.answers(&server, RIGHT)
}

pub(super) fn a_key_of_the_same_name(case: &mut Case<'_>) -> Kept {
    const UNHARMED: &str = "a second key of one name leaves the first as it is";
    let first = case.joined(1)?;
    let ssk1 = case.wrap(2)?;
    let second = Server::naming(key(1), 2, &ssk1, ProofKey::None, &Secret::absent())?;
    let joined = case.token.join(&second.join());
    ensure(joined.err() == Some(TokenError::KeyExists), "no key takes the name of another")?;
    ensure(case.registration(1)? == Some(first.stored()), UNHARMED)?;
    case.answers(&first, UNHARMED)?;
    case.has_half(2, &ssk1, "a join refused keeps the half")
}

pub(super) fn joins_that_cannot_be(case: &mut Case<'_>) -> Kept {
    let ssk1 = case.wrap(1)?;
    let server = Server::new(1, &ssk1, ProofKey::None, &Secret::absent())?;
    let joined = case.token.join(&JoinRequest { txn: txn(2), ..server.join() });
    ensure(joined.err() == Some(TokenError::NoSuchAttempt), "there is no join without a half")?;
    let stranger = ProofKey::Renewal(key(9));
    let joined = case.token.join(&JoinRequest { proof_key: stranger, ..server.join() });
    ensure(joined.err() == Some(TokenError::NoSuchKey), "there is no renewal of a key that is not there")?;
    case.has_half(1, &ssk1, "a join refused keeps the half")?;
    case.joins(&server)?;
    let again = case.token.join(&server.join()).err();
    let over = [Some(TokenError::NoSuchAttempt), Some(TokenError::KeyExists)].contains(&again);
    ensure(over, "a half joins once")
}

pub(super) fn renewal(case: &mut Case<'_>) -> Kept {
    const OLD: &str = "the old key stays until the new one is active";
    let old = case.joined(1)?;
    let mut active = TokenRegistration { progress: Progress::Active, ..old.stored() };
    active.configurations = alloc::vec![configuration(1)?];
    case.token.update(&active).map_err(in_clause("a registration can be updated"))?;
    ensure(case.registration(1)? == Some(active.clone()), "a registration is replaced by its update")?;

    let ssk1 = case.wrap(2)?;
    let mixed = old.keys.derive(&XWING, &KeyUse::Binder(Server::transcript_of(2)));
    let mut new = Server::new(2, &ssk1, ProofKey::Renewal(key(1)), &mixed)?;
    new.registration.supersedes = Some(key(1));
    case.joins(&new)?;
    let joined = TokenRegistration { alias: Some(Alias::new([7; 16])), ..new.stored() };
    case.token.update(&joined).map_err(in_clause("a registration can be updated"))?;
    ensure(case.registration(2)? == Some(joined.clone()), "a registration is replaced by its update")?;
    case.answers(&old, OLD)?;
    ensure(case.registration(1)? == Some(active.clone()), OLD)?;

    let last = TokenRegistration { progress: Progress::Active, ..joined };
    case.token.update(&last).map_err(in_clause("a registration can be updated"))?;
    ensure(case.registration(1)?.is_none(), "a key that became active erases the one it supersedes")?;
    let answer = case.token.derive(&key(1), &KeyUse::Renew(old.transcript));
    ensure(answer.err() == Some(TokenError::NoSuchKey), "a superseded key is gone")?;
    let mut alone = TokenRegistration { supersedes: None, ..last };
    alone.inherit_from(&active);
    let found = case.registration(2)?;
    let configurations = found.as_ref().map(|found| &found.configurations);
    ensure(
        configurations == Some(&alone.configurations),
        "the new key takes over the configurations of the old",
    )?;
    ensure(found.as_ref() == Some(&alone), "an active key supersedes none any more")?;
    case.answers(&new, RIGHT)?;
    let unknown = TokenRegistration { key_id: key(9), ..alone };
    let updated = case.token.update(&unknown);
    ensure(updated.err() == Some(TokenError::NoSuchKey), "there is no update of a key that is not there")
}

pub(super) fn many_servers(case: &mut Case<'_>) -> Kept {
    let servers = [case.joined(1)?, case.joined(2)?, case.joined(3)?];
    for server in &servers {
        case.answers(server, "each key answers for itself")?;
    }
    case.token.remove(&key(2)).map_err(in_clause("a key can be removed"))?;
    let [first, _, third] = &servers;
    case.answers(first, "removing a key leaves the others as they are")?;
    case.answers(third, "removing a key leaves the others as they are")?;
    ensure(case.registration(3)? == Some(third.stored()), "removing a key leaves the others as they are")
}
