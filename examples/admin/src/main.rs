//! `admin`: what an operator does with a store, in a file of SQLite or a database of PostgreSQL.
//!
//! Each command is one or more of [`halfkey::store::operation`], with tables for people and JSON for
//! scripts. Exit codes: 0 done; 1 refused by the store's state; 2 the arguments, or a file named in
//! them, are of no use; 3 the store does not answer, or is damaged.

mod change;
mod code;
mod condition;
mod entitlement;
mod event;
mod export;
mod failure;
mod gate;
mod group;
mod import;
mod issuer;
mod manual;
mod paging;
mod progress;
mod registration;
mod report;
mod rollout;
mod show;
mod text_file;
mod upkeep;
mod uri;
mod waiting;
mod which;

use clap::{Parser, Subcommand};
use failure::Failure;
use gate::Gate;
use halfkey::store::StorageKeys;
use halfkey_common::file::Readers;
use halfkey_common::store::Place;
use halfkey_common::{Output, Program, key_file, parse};
use std::path::PathBuf;
use std::process::ExitCode;

/// Looks after halfkey's store, in a file of SQLite or a database of PostgreSQL.
///
/// Exit codes: 0 done; 1 refused by the store's state; 2 the arguments, or a file named in them, are of
/// no use; 3 the store does not answer, or is damaged.
///
/// Times are RFC 3339 in UTC (2027-01-31T12:00:00Z), days (2027-01-31), now, or spans from now (+30d,
/// -12h).
#[derive(Parser)]
#[command(name = "admin", version)]
struct Cli {
    #[command(flatten)]
    place: StoreArguments,
    /// Answers in JSON: an object, or one a line.
    #[arg(long, global = true, help_heading = "Everywhere")]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

/// Where the store is, and what opens it.
#[derive(clap::Args)]
struct StoreArguments {
    /// The gate whose store it is: its configuration, or the directory that `halfkey-gate init` made.
    ///
    /// It says where store and keys are, and what the server is called; --db, --key-file and --server say otherwise.
    #[arg(
        long,
        global = true,
        help_heading = "Everywhere",
        value_name = "FILE|DIR",
        env = "HALFKEY_GATE_CONFIG"
    )]
    gate: Option<PathBuf>,
    /// The store: a file, or postgres://USER@HOST:PORT,HOST:PORT/DATABASE with as many hosts as there are.
    ///
    /// A password may stand in PGPASSWORD. The connection is not encrypted.
    #[arg(
        long,
        global = true,
        help_heading = "Everywhere",
        value_name = "FILE|URL",
        env = "HALFKEY_DB",
        hide_env_values = true
    )]
    db: Option<String>,
    /// The file of the storage key, which `keygen` makes.
    #[arg(long, global = true, help_heading = "Everywhere", value_name = "FILE", env = "HALFKEY_KEY_FILE")]
    key_file: Option<PathBuf>,
    /// Files of storage keys that were current before.
    #[arg(long, global = true, help_heading = "Everywhere", value_name = "FILE")]
    older_key_file: Vec<PathBuf>,
    /// Takes key files that their group may read, as Kubernetes mounts them with fsGroup, and says so each time.
    #[arg(long, global = true, help_heading = "Everywhere")]
    group_may_read: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Makes a new storage key in a new file.
    Keygen {
        /// The file.
        file: PathBuf,
    },
    /// Makes a store in a new file, or in a database that has none.
    Init(upkeep::Init),
    /// Brings the tables of a database to this version. A file's are brought there whenever it is opened.
    ///
    /// Stop the servers of the earlier version before: they do not know the new tables.
    Migrate,
    /// Counts what is there.
    Status,
    /// Lists registrations.
    List(registration::List),
    /// Shows one registration, its configurations and what has happened to it.
    Show(show::Show),
    /// Puts active registrations on hold.
    Suspend(change::Keys),
    /// Makes suspended registrations active again.
    Resume(change::Keys),
    /// Ends registrations for good. Their names stay taken.
    Revoke(change::Marked),
    /// Erases registrations that are revoked, superseded or lost. Their names stay taken.
    Forget(change::Marked),
    /// Sets when a registration expires.
    Expire(change::Expire),
    /// Gives a registration another name.
    Rename(change::Renaming),
    /// Lets others register under a name.
    FreeName(change::Freeing),
    /// Applications that wait for the operator.
    #[command(subcommand)]
    Waiting(waiting::Command),
    /// Activation codes.
    #[command(subcommand)]
    Code(code::Command),
    /// Entitlements: what the users, groups or paths of an application get.
    #[command(subcommand)]
    Entitle(entitlement::Command),
    /// Groups of users.
    #[command(subcommand)]
    Group(group::Command),
    /// The epoch of the serials of configurations.
    #[command(subcommand)]
    Epoch(entitlement::EpochCommand),
    /// Lists who applied which configuration.
    Reports(report::List),
    /// Lists how far the configuration of an application has come, also with those who never reported.
    Rollout(rollout::List),
    /// Lists the log.
    Events(event::List),
    /// Copies the store in a file into another, while servers go on. A database has its own program: pg_dump.
    Backup {
        /// The new file.
        file: PathBuf,
    },
    /// Lets go of what has expired.
    Purge(upkeep::Purging),
    /// Announces the storage key of --key-file, which is to seal later. Every server is to hold it before.
    AnnounceKey,
    /// Has the storage key of --key-file seal from now on, and seals with it what older ones have sealed.
    ///
    /// It is refused unless the key was announced a minute ago, and while a server says that it lacks it.
    Reseal,
    /// The issuer of a small installation, in a directory: certifies servers, and takes it back.
    Issuer(issuer::Issuer),
    /// Takes many things from a file.
    #[command(subcommand)]
    Import(import::Command),
    /// Writes the completions for a shell to standard output.
    Completions {
        /// Shell to complete for.
        shell: clap_complete::Shell,
    },
    /// Writes a page for `man` for each command into a directory.
    Man {
        /// The directory, which is there.
        dir: PathBuf,
    },
    /// Writes registrations, entitlements (without their bodies) and groups, as JSON lines.
    Export,
}

fn main() -> ExitCode {
    let cli: Cli = match parse("admin") {
        Ok(cli) => cli,
        Err(exit) => return exit,
    };
    let program = Program { name: "admin", json: cli.json };
    let mut out = Output::new(program);
    let done = run(cli, &mut out);
    // What was done before something failed is told all the same.
    program.end(done.and(out.flush().map_err(Failure::from)))
}

fn run(cli: Cli, out: &mut Output) -> Result<(), Failure> {
    let Cli { place, command, .. } = cli;
    let place = place.read()?;
    match command {
        Command::Keygen { file } => return upkeep::keygen(&file, out),
        Command::Init(init) => return init.run(&place.db()?, place.keys(out.program())?, out),
        Command::Issuer(issuer) => return issuer.run(out),
        Command::Completions { shell } => return manual::completions::<Cli>(shell, out),
        Command::Man { dir } => return manual::man::<Cli>(&dir, out),
        Command::Migrate => return upkeep::migrate(&place.db()?, place.keys(out.program())?, out),
        _ => {}
    }
    let (keys, gate) = (place.keys(out.program())?, place.gate.as_ref());
    let key_id = keys.current_id();
    let db = place.db()?;
    let store = &db.open(keys).map_err(|error| Failure::open(&db, error))?;
    match command {
        // Done above, and wanting no store.
        Command::Keygen { .. }
        | Command::Init(_)
        | Command::Migrate
        | Command::Issuer(_)
        | Command::Completions { .. }
        | Command::Man { .. } => Ok(()),
        Command::Status => upkeep::status(store, out),
        Command::List(list) => list.run(store, out),
        Command::Show(show) => show.run(store, out),
        Command::Suspend(keys) => keys.suspend(store, out),
        Command::Resume(keys) => keys.resume(store, out),
        Command::Revoke(keys) => keys.revoke(store, out),
        Command::Forget(keys) => keys.forget(store, out),
        Command::Expire(expire) => expire.run(store, out),
        Command::Rename(renaming) => renaming.run(store, out),
        Command::FreeName(freeing) => freeing.run(store, out),
        Command::Waiting(command) => command.run(store, out),
        Command::Code(command) => command.run(store, gate, out),
        Command::Entitle(command) => command.run(store, out),
        Command::Group(command) => command.run(store, out),
        Command::Epoch(command) => command.run(store, out),
        Command::Reports(list) => list.run(store, out),
        Command::Rollout(list) => list.run(store, out),
        Command::Events(list) => list.run(store, out),
        Command::Backup { file } => upkeep::backup(store, &file, out),
        Command::Purge(purging) => purging.run(store, out),
        Command::AnnounceKey => upkeep::announce(store, key_id, out),
        Command::Reseal => upkeep::reseal(store, key_id, out),
        Command::Import(command) => command.run(store, gate, out),
        Command::Export => export::run(store, out),
    }
}

impl StoreArguments {
    fn read(self) -> Result<StorePlace, Failure> {
        Ok(StorePlace { gate: self.gate.as_deref().map(Gate::read).transpose()?, given: self })
    }
}

/// Where the store is, by what was given and by the gate.
struct StorePlace {
    given: StoreArguments,
    gate: Option<Gate>,
}

impl StorePlace {
    /// It is read here and not with the arguments, whose errors repeat them: there may be a password in it.
    fn db(&self) -> Result<Place, Failure> {
        match (&self.given.db, &self.gate) {
            (Some(db), _) => Ok(db.parse::<Place>()?),
            (None, Some(gate)) => gate.place(),
            (None, None) => {
                Err(Failure::Usage("which store? Give --gate DIR or --db FILE, or set HALFKEY_DB"))
            }
        }
    }

    fn keys(&self, program: Program) -> Result<StorageKeys, Failure> {
        let readers = if self.given.group_may_read { Readers::Group } else { Readers::Owner };
        let none = Failure::Usage("which key? Give --gate DIR or --key-file FILE, or set HALFKEY_KEY_FILE");
        let (file, others) = match (&self.given.key_file, &self.gate) {
            (Some(file), _) => (file.clone(), Vec::new()),
            (None, Some(gate)) => gate.key_files(),
            (None, None) => return Err(none),
        };
        let mut keys = StorageKeys::new(key_file::read(program, &file, readers)?);
        for other in others.iter().chain(&self.given.older_key_file) {
            keys = keys.and(key_file::read(program, other, readers)?);
        }
        Ok(keys)
    }
}
