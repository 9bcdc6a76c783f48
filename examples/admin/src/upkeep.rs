//! The store itself: made, counted, tidied, sealed anew.

use crate::failure::Failure;
use crate::paging::{all_read, tell};
use crate::progress::Progress;
use clap::ValueEnum;
use halfkey::store::OpenError;
use halfkey::store::operation::{AnnounceKey, Count, Purge, PurgeEvents, Reseal, SetServerName};
use halfkey::store::{StorageKeys, UniqueNames};
use halfkey::{ServerName, UnixTime};
use halfkey_common::Output;
use halfkey_common::key_file;
use halfkey_common::store::{Place, Store};
use halfkey_common::time::When;
use halfkey_common::time::written;
use serde::Serialize;
use std::path::Path;

#[derive(Serialize)]
struct Key {
    key_file: String,
    storage_key: String,
}

pub(crate) fn keygen(file: &Path, out: &mut Output) -> Result<(), Failure> {
    let storage_key = StorageKeys::new(key_file::make(file)?).current_id();
    let key_file = file.display().to_string();
    let sentence = format!("{key_file} holds storage key {storage_key}; keep it, apart from the database");
    Ok(out.done(&Key { key_file, storage_key }, &sentence)?)
}

/// A new store.
#[derive(clap::Args)]
pub(crate) struct Init {
    /// The server's name, as its certificate has it: codes for another one are refused then.
    #[arg(long, env = "HALFKEY_SERVER")]
    server: Option<ServerName>,
    /// Whose name a name is: always the first one's who is active under it, or only theirs who have
    /// proven a right to it.
    #[arg(long, value_enum, default_value_t = Names::Always)]
    names: Names,
}

#[derive(Clone, Copy, ValueEnum)]
enum Names {
    Always,
    Proven,
}

#[derive(Serialize)]
struct Made {
    db: String,
    names: &'static str,
    storage_key: String,
}

impl Init {
    pub(crate) fn run(self, place: &Place, keys: StorageKeys, out: &mut Output) -> Result<(), Failure> {
        let unique = match self.names {
            Names::Always => UniqueNames::Always,
            Names::Proven => UniqueNames::Proven,
        };
        let storage_key = keys.current_id();
        let what = if place.file().is_some() { "file" } else { "store" };
        let store = place.create(keys, unique).map_err(|error| match error {
            OpenError::Exists => Failure::Exists { place: place.to_string(), what },
            error => Failure::open(place, error),
        })?;
        if let Some(server) = self.server {
            store.run(&SetServerName(server), UnixTime::now())?;
        }
        let db = place.to_string();
        let sentence = format!("{db} is a store, sealed under storage key {storage_key}");
        Ok(out.done(&Made { db, names: unique.word(), storage_key }, &sentence)?)
    }
}

#[derive(Serialize)]
struct Migrated {
    db: String,
    done: &'static str,
}

/// Opens the store, which brings its tables to this version.
pub(crate) fn migrate(place: &Place, keys: StorageKeys, out: &mut Output) -> Result<(), Failure> {
    place.migrate(keys).map_err(|error| Failure::open(place, error))?;
    let db = place.to_string();
    let sentence = format!("{db} has the tables of this version");
    Ok(out.done(&Migrated { db, done: "migrated" }, &sentence)?)
}

#[derive(Serialize)]
struct Status {
    version: &'static str,
    server: Option<String>,
    /// The one that seals.
    storage_key: Option<String>,
    announced_key: Option<String>,
    announced_at: Option<String>,
    names: &'static str,
    epoch: u32,
    pending: u64,
    active: u64,
    suspended: u64,
    revoked: u64,
    superseded: u64,
    lost: u64,
    names_taken: u64,
    waiting: u64,
    codes: u64,
    entitlements: u64,
    memberships: u64,
    events: u64,
}

pub(crate) fn status(store: &Store, out: &mut Output) -> Result<(), Failure> {
    let counted = store.run(&Count, UnixTime::now())?;
    let (announced_key, announced_at) = counted.announced.unzip();
    Ok(out.object(&Status {
        version: env!("CARGO_PKG_VERSION"),
        server: counted.server_name.map(|server| server.to_string()),
        storage_key: counted.sealing,
        announced_key,
        announced_at: announced_at.map(written),
        names: counted.unique_names.word(),
        epoch: counted.epoch,
        pending: counted.pending,
        active: counted.active,
        suspended: counted.suspended,
        revoked: counted.revoked,
        superseded: counted.superseded,
        lost: counted.lost,
        names_taken: counted.names,
        waiting: counted.waiting,
        codes: counted.codes,
        entitlements: counted.entitlements,
        memberships: counted.memberships,
        events: counted.events,
    })?)
}

#[derive(Serialize)]
struct Copied {
    file: String,
    done: &'static str,
}

/// Copies a store in a file.
pub(crate) fn backup(store: &Store, path: &Path, out: &mut Output) -> Result<(), Failure> {
    let Store::Sqlite(store) = store else {
        return Err(Failure::Usage("a database is backed up by pg_dump, which sees one moment of it"));
    };
    store.backup(path).map_err(|error| match error {
        OpenError::Exists => Failure::Exists { place: path.display().to_string(), what: "file" },
        error => Failure::open(&Place::File(path.into()), error),
    })?;
    let file = path.display().to_string();
    let sentence = format!("{file} is a copy; it wants the same storage key, which is kept apart from it");
    Ok(out.done(&Copied { file, done: "copied" }, &sentence)?)
}

/// What goes.
#[derive(clap::Args)]
pub(crate) struct Purging {
    /// Entries of the log before this time go too.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    events_before: Option<When>,
    /// Yes, entries of the log.
    #[arg(long)]
    yes: bool,
}

#[derive(Default, Serialize)]
struct Gone {
    outcomes: usize,
    lost: usize,
    forgotten: usize,
    applications: usize,
    challenges: usize,
    codes: usize,
    events: usize,
    damaged: usize,
}

/// How much goes in one transaction: others wait meanwhile.
const AT_ONCE: u16 = 500;

impl Purging {
    pub(crate) fn run(self, store: &Store, out: &mut Output) -> Result<(), Failure> {
        if self.events_before.is_some() && !self.yes {
            return Err(Failure::Usage(
                "what is gone from the log does not come back; add --yes if it is meant",
            ));
        }
        let progress = Progress::open();
        let (mut gone, mut rounds) = (Gone::default(), 0u64);
        loop {
            let purged = store.run_in_turn(&Purge { limit: AT_ONCE }, UnixTime::now())?;
            for (sum, part) in [
                (&mut gone.outcomes, purged.outcomes),
                (&mut gone.lost, purged.lost),
                (&mut gone.forgotten, purged.forgotten),
                (&mut gone.applications, purged.applications),
                (&mut gone.challenges, purged.challenges),
                (&mut gone.codes, purged.codes),
                (&mut gone.events, purged.events),
            ] {
                *sum = sum.saturating_add(part);
            }
            // These stay, and are met again.
            gone.damaged = purged.damaged;
            rounds = rounds.saturating_add(1);
            progress.at(rounds, rounds, "transactions");
            if !purged.more {
                break;
            }
        }
        while let Some(When(before)) = self.events_before {
            let went = store.run_in_turn(&PurgeEvents { before, limit: AT_ONCE }, UnixTime::now())?;
            gone.events = gone.events.saturating_add(went);
            progress.at(rounds, u64::try_from(gone.events).unwrap_or(u64::MAX), "entries of the log");
            if went < usize::from(AT_ONCE) {
                break;
            }
        }
        drop(progress);
        Ok(out.object(&gone)?)
    }
}

#[derive(Serialize)]
struct Announced {
    storage_key: String,
    done: &'static str,
}

pub(crate) fn announce(store: &Store, storage_key: String, out: &mut Output) -> Result<(), Failure> {
    store.run(&AnnounceKey, UnixTime::now())?;
    let sentence = format!(
        "{storage_key} is announced. A server that does not hold it says so in the log (admin events --kind \
         storage-key-lacking) when it next changes something; in a minute, reseal"
    );
    Ok(out.done(&Announced { storage_key, done: "announced" }, &sentence)?)
}

#[derive(Serialize)]
struct Resealed {
    storage_key: String,
    rows: usize,
}

pub(crate) fn reseal(store: &Store, storage_key: String, out: &mut Output) -> Result<(), Failure> {
    let progress = Progress::open();
    let (mut rows, mut found, mut after, mut damaged) = (0usize, 0usize, None, Vec::new());
    // Through all tables, until there is nothing to be found from the beginning.
    loop {
        let sealed = store.run_in_turn(&Reseal { after: after.clone(), limit: AT_ONCE }, UnixTime::now())?;
        (rows, found) = (rows.saturating_add(sealed.rows), found.saturating_add(sealed.rows));
        progress.at(0, u64::try_from(rows).unwrap_or(u64::MAX), "rows");
        damaged.extend(sealed.damaged);
        after = sealed.next;
        if after.is_none() {
            if core::mem::take(&mut found) == 0 {
                break;
            }
            // They are met again.
            damaged.clear();
        }
    }
    drop(progress);
    all_read(tell(out.program(), &damaged))?;
    let sentence = format!(
        "{rows} rows sealed anew under {storage_key}, and none is left under another key; no server seals with one, so older keys may be taken away"
    );
    Ok(out.done(&Resealed { storage_key, rows }, &sentence)?)
}
