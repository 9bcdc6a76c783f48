//! The store as a file: every table in CBOR, sealed under a key that is kept apart from it.

use super::Store;
use super::tables::State;
use crate::random::RandomSource;
use crate::sealed;
use crate::secret::Secret;
use crate::store::UniqueNames;
use crate::store::cell::Cells;
use crate::store::entity::Entity;
use crate::store::rows::{self, every_table};
use crate::wire::stored::{encode_secret, stored};
use crate::wire::{Problem, Put, Value, WireError, decode, problem};
use alloc::vec::Vec;
use minicbor::encode::Write;
use minicbor::{Decoder, Encoder};
use thiserror::Error;

/// Name and version of the format: the beginning of a file, and the label of its seal.
const HEADER: &[u8] = b"halfkey/1 store, version 3\n";

/// Error of loading a store from a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file does not begin like one of this version.
    #[error("not a store file of this version")]
    NotAStore,
    /// The file was sealed under another key, or was changed or cut short.
    #[error("the store file was sealed under another key, or is damaged")]
    Seal,
    /// The file was sealed under this key, but does not hold a store.
    #[error(transparent)]
    Contents(#[from] WireError),
}

impl Store {
    /// Returns the whole state, which has the keys of all users in it, sealed with AES-256-GCM under
    /// `key`.
    ///
    /// It draws 32 bytes from `random`. Keep `key` apart from the file: an attacker with both has the
    /// registrations of all users, and one who can put back an older file undoes what came after it
    /// (see [`crate::store::operation::RaiseEpoch`]).
    #[must_use]
    pub fn save(&self, key: &Secret, random: &mut dyn RandomSource) -> Vec<u8> {
        seal(&self.lock().state, key, random)
    }

    /// Loads the store that [`Store::save`] returned.
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

/// Settings, and the rows of every table in the order of [`every_table`].
struct Contents {
    unique: Word,
    tables: Vec<Vec<Cells>>,
}

stored! { Contents, "store" { 1 => unique, 2 => tables as tables } }

struct Word(UniqueNames);

macro_rules! write {
    ($state:ident: $($entity:ident),*) => { alloc::vec![$( written::<rows::$entity>($state) ),*] };
}

macro_rules! restore {
    ($state:ident, $tables:ident: $($entity:ident),*) => {
        [$( restored::<rows::$entity>(&mut $state, $tables.next()) ),*]
    };
}

fn written<E: Entity>(state: &State) -> Vec<Cells> {
    state.rows::<E>().cloned().map(Cells).collect()
}

fn restored<E: Entity>(state: &mut State, rows: Option<Vec<Cells>>) -> bool {
    rows.is_some_and(|rows| rows.into_iter().all(|Cells(row)| state.restore::<E>(row)))
}

impl From<&State> for Contents {
    fn from(state: &State) -> Self {
        Self { unique: Word(state.unique()), tables: every_table!(write, state) }
    }
}

impl TryFrom<Contents> for State {
    type Error = WireError;

    fn try_from(contents: Contents) -> Result<Self, WireError> {
        let mut state = Self::new(contents.unique.0);
        let mut tables = contents.tables.into_iter();
        let whole = every_table!(restore, state, tables).into_iter().all(|whole| whole);
        if whole && tables.next().is_none() {
            state.count_on();
            return Ok(state);
        }
        Err(WireError { message: "store", field: "tables", problem: Problem::OutOfRange })
    }
}

impl<'b> Value<'b> for Word {
    fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
        to.str(self.0.word())?;
        Ok(())
    }
    fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
        let word = from.str().map_err(problem)?;
        UniqueNames::from_word(word).map(Self).ok_or_else(|| Problem::OutOfRange.into())
    }
}

/// Tables, each an array of rows.
mod tables {
    use super::{Cells, Vec};
    use crate::wire::stored::many;
    use crate::wire::{Put, Value, WireError};
    use minicbor::encode::Write;
    use minicbor::{Decoder, Encoder};

    pub(super) struct Tables(Vec<Vec<Cells>>);

    pub(super) fn put<W: Write>(tables: &[Vec<Cells>], to: &mut Encoder<W>) -> Put<W> {
        to.array(tables.len() as u64)?;
        tables.iter().try_for_each(|rows| many::put(rows, to))
    }

    pub(super) fn take(tables: Tables) -> Vec<Vec<Cells>> {
        tables.0
    }

    impl<'b> Value<'b> for Tables {
        fn put<W: Write>(&self, to: &mut Encoder<W>) -> Put<W> {
            put(&self.0, to)
        }
        fn get(from: &mut Decoder<'b>) -> Result<Self, WireError> {
            let tables: Vec<many::Many<Cells>> = many::take(many::Many::get(from)?);
            Ok(Self(tables.into_iter().map(many::take).collect()))
        }
    }
}
