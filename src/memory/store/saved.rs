//! The store as a file: everything in CBOR, sealed under a key that is kept elsewhere.

use super::Store;
use super::alias::{Aliases, Issued};
use super::operator::{Event, LastReport, Subject};
use super::state::{Code, Outcome, Row, State, UniqueNames};
use crate::id::{AccessPath, Application, Digest, UserId, UserName};
use crate::port::entitlement_store::Entitlement;
use crate::random::RandomSource;
use crate::record::WaitingApplication;
use crate::sealed;
use crate::secret::Secret;
use crate::time::UnixTime;
use crate::wire::stored::{blob, encode_secret, many, stored};
use crate::wire::{Problem, Put, Value, WireError, decode, map};
use alloc::vec::Vec;
use minicbor::encode::Write;
use minicbor::{Decoder, Encoder};
use thiserror::Error;

/// Name and version of the form: what a file begins with, and the label of its seal.
const HEADER: &[u8] = b"halfkey/1 store, version 1\n";

/// Why a file is no store. The file is as good, or bad, as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// It does not begin like one of this version.
    #[error("not a store file of this version")]
    NotAStore,
    /// Another key sealed it, or it was changed or cut short since.
    #[error("the store file was sealed under another key, or is damaged")]
    Seal,
    /// It was sealed under this key and does not hold a store all the same.
    #[error("the store file does not hold a store: {0}")]
    Contents(#[from] WireError),
}

impl Store {
    /// The whole state, sealed with AES-256-GCM under `key`: it holds every user's keys.
    ///
    /// `random` is drawn from once, 32 bytes. Keep `key` apart from the file; whoever has both has
    /// the registrations of all users, and whoever can put back an older file undoes what came
    /// after it (see [`Store::raise_epoch`]).
    #[must_use]
    pub fn save(&self, key: &Secret, random: &mut dyn RandomSource) -> Vec<u8> {
        self.look(|state| seal(state, key, random))
    }

    /// The store that [`Store::save`] gave.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load(file: &[u8], key: &Secret) -> Result<Self, LoadError> {
        let sealed = file.strip_prefix(HEADER).ok_or(LoadError::NotAStore)?;
        let text = sealed::open(key, HEADER, &[], sealed).map_err(|_| LoadError::Seal)?;
        let contents: Contents = decode(&text, "store", usize::MAX)?;
        Ok(Self::of(contents.try_into()?))
    }
}

pub(super) fn seal(state: &State, key: &Secret, random: &mut dyn RandomSource) -> Vec<u8> {
    let text = encode_secret(&Contents::from(state));
    [HEADER, &sealed::seal(key, HEADER, &[], &text, random)].concat()
}

struct Contents {
    unique: UniqueNames,
    rows: Vec<Row>,
    outcomes: Vec<(Digest, Outcome)>,
    waiting: Vec<WaitingApplication>,
    codes: Vec<(UserName, Code)>,
    names: Vec<(UserName, UserId)>,
    spent: Vec<([u8; 16], UnixTime)>,
    entitlements: Vec<((Subject, Application), Entitlement)>,
    reports: Vec<LastReport>,
    events: Vec<Event>,
    last_code: u64,
    epoch: u32,
    number: u64,
}

stored! { Contents, "store" {
    1 => unique, 2 => rows as many, 3 => outcomes as many, 4 => waiting as many, 5 => codes as many,
    6 => names as many, 7 => spent as many, 8 => entitlements as many, 9 => reports as many,
    10 => events as many, 11 => last_code, 12 => epoch, 13 => number,
} }

stored! { Row, "store.registration" {
    1 => registered, 2 => expected, 3 => request, 4 => proof, 5 => ticket, 6 => code, 7 => aliases,
    8 => forget_at,
} }

stored! { Outcome, "store.outcome" { 1 => response as blob, 2 => keep_until } }
stored! { Code, "store.code" { 1 => secret, 2 => number } }
stored! { Issued, "store.alias" { 1 => alias, 2 => by, 3 => used } }
stored! { LastReport, "store.report" { 1 => report, 2 => applied } }
stored! { Event, "store.event" { 1 => at, 2 => report } }

/// An array.
impl<'b> Value<'b> for Aliases {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        many::put(&self.0, to)
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        many::Many::get(from).map(many::take).map(Self)
    }
}

impl<'b> Value<'b> for UniqueNames {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        (*self == Self::Always).put(to)
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        Ok(if bool::get(from)? { Self::Always } else { Self::Proven })
    }
}

map! {
    /// `{1: user id}` or `{2: access path}`.
    struct SubjectForm, "store.subject" {
        1 => user: Option<UserId>,
        2 => path: Option<AccessPath>,
    }
}

impl<'b> Value<'b> for Subject {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        match self.clone() {
            Self::User(user) => SubjectForm { user: Some(user), path: None }.put(to),
            Self::AccessPath(path) => SubjectForm { user: None, path: Some(path) }.put(to),
        }
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        match SubjectForm::get(from)? {
            SubjectForm { user: Some(user), path: None } => Ok(Self::User(user)),
            SubjectForm { user: None, path: Some(path) } => Ok(Self::AccessPath(path)),
            _ => Err(Problem::OutOfRange.into()),
        }
    }
}

impl From<&State> for Contents {
    fn from(state: &State) -> Self {
        fn pairs<K: Clone, V: Clone>(map: &alloc::collections::BTreeMap<K, V>) -> Vec<(K, V)> {
            map.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
        }
        Self {
            unique: state.unique,
            rows: state.rows.values().cloned().collect(),
            outcomes: pairs(&state.outcomes),
            waiting: state.waiting.values().cloned().collect(),
            codes: pairs(&state.codes),
            names: pairs(&state.names),
            spent: pairs(&state.spent),
            entitlements: pairs(&state.entitlements),
            reports: state.reports.values().flat_map(|of| of.values().cloned()).collect(),
            events: state.events.iter().cloned().collect(),
            last_code: state.last_code,
            epoch: state.epoch,
            number: state.number,
        }
    }
}

impl TryFrom<Contents> for State {
    type Error = WireError;

    fn try_from(contents: Contents) -> Result<Self, WireError> {
        let counts = (contents.rows.len(), contents.outcomes.len(), contents.waiting.len());
        let mut state = Self {
            unique: contents.unique,
            codes: contents.codes.into_iter().collect(),
            names: contents.names.into_iter().collect(),
            entitlements: contents.entitlements.into_iter().collect(),
            events: contents.events.into(),
            last_code: contents.last_code,
            epoch: contents.epoch,
            number: contents.number,
            ..Self::default()
        };
        contents.rows.into_iter().for_each(|row| state.insert_row(row));
        contents.outcomes.into_iter().for_each(|(request, outcome)| state.insert_outcome(request, outcome));
        contents.waiting.into_iter().for_each(|waiting| state.insert_waiting(waiting));
        contents.spent.into_iter().for_each(|(id, lapses)| state.insert_spent(id, lapses));
        for last in contents.reports {
            let of_key = state.reports.entry(last.report.key_id).or_default();
            of_key.insert(last.report.application.clone(), last);
        }
        if counts != (state.rows.len(), state.outcomes.len(), state.waiting.len()) {
            return Err(WireError { message: "store", field: "*", problem: Problem::UnexpectedKey });
        }
        Ok(state)
    }
}
