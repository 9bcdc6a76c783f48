//! The store as a file: every table in CBOR, sealed under a key that is kept elsewhere.

use super::Store;
use super::tables::State;
use crate::random::RandomSource;
use crate::sealed;
use crate::secret::Secret;
use crate::store::UniqueNames;
use crate::store::entity::Entity;
use crate::store::rows::{self, every_table};
use crate::store::value::Cells;
use crate::wire::stored::{encode_secret, stored};
use crate::wire::{Problem, Put, Value, WireError, decode, problem};
use alloc::vec::Vec;
use minicbor::encode::Write;
use minicbor::{Decoder, Encoder};
use thiserror::Error;

/// Name and version of the form: what a file begins with, and the label of its seal.
const HEADER: &[u8] = b"halfkey/1 store, version 2\n";

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
    #[error(transparent)]
    Contents(#[from] WireError),
}

impl Store {
    /// The whole state, sealed with AES-256-GCM under `key`: it holds every user's keys.
    ///
    /// `random` is drawn from once, 32 bytes. Keep `key` apart from the file; whoever has both has
    /// the registrations of all users, and whoever can put back an older file undoes what came
    /// after it (see [`crate::store::operation::RaiseEpoch`]).
    #[must_use]
    pub fn save(&self, key: &Secret, random: &mut dyn RandomSource) -> Vec<u8> {
        seal(&self.lock().state, key, random)
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

/// Whose name a name is, and the rows of every table in the order of [`every_table`].
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

/// The tables, each an array of rows.
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
