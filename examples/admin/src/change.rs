//! Registrations: put on hold, ended, renamed.

use crate::failure::{Failure, about_key, operator};
use crate::registration::{Shown, name};
use crate::which::Which;
use halfkey::store::operation::{
    DeleteRegistration, InspectName, InspectRegistration, Operation, OperatorError, ReleaseName, Rename,
    Resume, Revoke, SetExpiry, Suspend,
};
use halfkey::{KeyId, UnixTime, UserId, UserName};
use halfkey_common::Output;
use halfkey_common::output::Table;
use halfkey_common::store::Store;
use halfkey_common::time::{Span, When, written};
use serde::Serialize;

/// Whose registrations.
#[derive(clap::Args)]
pub(crate) struct Keys {
    /// Their key ids, beginnings of them, or names.
    #[arg(required = true, value_name = "KEY_ID|NAME")]
    which: Vec<Which>,
}

/// The same, where there is no way back.
#[derive(clap::Args)]
pub(crate) struct Marked {
    #[command(flatten)]
    keys: Keys,
    /// Yes, more than one.
    #[arg(long)]
    yes: bool,
    /// Lists which registrations are meant and in which state, and changes nothing.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Done {
    key_id: String,
    done: &'static str,
}

impl Keys {
    /// Does it to each, whatever becomes of the others.
    fn each<O>(
        &self,
        store: &Store,
        out: &mut Output,
        make: fn(KeyId) -> O,
        done: &'static str,
    ) -> Result<(), Failure>
    where
        O: Operation<Answer = (), Error = OperatorError> + Clone + 'static,
    {
        let mut failed = 0u64;
        let key_ids = self.which.iter().map(|which| which.find(store)).collect::<Result<Vec<_>, _>>()?;
        for key_id in &key_ids {
            match store.run(&make(*key_id), UnixTime::now()) {
                Ok(()) => {
                    out.done(&Done { key_id: key_id.to_string(), done }, &format!("{done} {key_id}"))?;
                }
                Err(error @ OperatorError::Store(_)) => return Err(error.into()),
                Err(error) if key_ids.len() == 1 => return Err(error.into()),
                Err(error) => {
                    failed = failed.saturating_add(1);
                    out.program().complain(Some(&about_key(*key_id)), &error.to_string(), operator(&error));
                }
            }
        }
        let all = u64::try_from(key_ids.len()).unwrap_or(u64::MAX);
        if failed == 0 { Ok(()) } else { Err(Failure::Some { failed, all }) }
    }

    pub(crate) fn suspend(&self, store: &Store, out: &mut Output) -> Result<(), Failure> {
        self.each(store, out, Suspend, "suspended")
    }

    pub(crate) fn resume(&self, store: &Store, out: &mut Output) -> Result<(), Failure> {
        self.each(store, out, Resume, "resumed")
    }
}

impl Marked {
    fn meant(&self) -> Result<&Keys, Failure> {
        if self.yes || self.keys.which.len() == 1 {
            return Ok(&self.keys);
        }
        Err(Failure::Usage("there is no way back for so many at once; add --yes if it is meant"))
    }

    /// Lists what would be changed.
    fn list(&self, store: &Store, out: &mut Output) -> Result<(), Failure> {
        let mut meant = Vec::new();
        for which in &self.keys.which {
            let found = store.run(&InspectRegistration(which.find(store)?), UnixTime::now())?;
            meant.push(Shown::from(found.ok_or(OperatorError::NoSuchKey)?));
        }
        Ok(Table::default().page(out, &meant)?)
    }

    pub(crate) fn revoke(&self, store: &Store, out: &mut Output) -> Result<(), Failure> {
        if self.dry_run {
            return self.list(store, out);
        }
        self.meant()?.each(store, out, Revoke, "revoked")
    }

    pub(crate) fn forget(&self, store: &Store, out: &mut Output) -> Result<(), Failure> {
        if self.dry_run {
            return self.list(store, out);
        }
        self.meant()?.each(store, out, DeleteRegistration, "forgotten")
    }
}

/// A time in the future, said in one of two ways.
#[derive(clap::Args)]
pub(crate) struct Until {
    /// It expires at this time.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    at: Option<When>,
    /// It expires so long from now.
    #[arg(long = "in", value_name = "SPAN", conflicts_with = "at")]
    span: Option<Span>,
}

impl Until {
    /// The time, which is not over.
    pub(crate) fn time(&self) -> Result<Option<UnixTime>, Failure> {
        let (at, now) = (self.at.map(|When(time)| time), UnixTime::now());
        let time = at.or_else(|| self.span.map(|Span(seconds)| now.after(seconds)));
        if time.is_some_and(|time| time <= now) {
            return Err(Failure::Usage("that time is over already: give one in the future"));
        }
        Ok(time)
    }

    /// Where one of three has to be said.
    pub(crate) fn or_never(&self, never: bool) -> Result<Option<UnixTime>, Failure> {
        match (self.time()?, never) {
            (Some(time), false) => Ok(Some(time)),
            (None, true) => Ok(None),
            _ => Err(Failure::Usage("when? Give one of --at TIME, --in SPAN and --never")),
        }
    }
}

/// When a registration expires.
#[derive(clap::Args)]
pub(crate) struct Expire {
    /// Key id of the registration, a beginning of that, or its name.
    #[arg(value_name = "KEY_ID|NAME")]
    which: Which,
    #[command(flatten)]
    until: Until,
    /// It does not expire.
    #[arg(long)]
    never: bool,
}

#[derive(Serialize)]
struct Expires {
    key_id: String,
    expires: Option<String>,
}

impl Expire {
    pub(crate) fn run(self, store: &Store, out: &mut Output) -> Result<(), Failure> {
        let expires = self.until.or_never(self.never)?;
        let key_id = self.which.find(store)?;
        store.run(&SetExpiry { key_id, expires }, UnixTime::now())?;
        let (key_id, expires) = (key_id.to_string(), expires.map(written));
        let when = expires.as_deref().map_or("never".into(), |time| format!("at {time}"));
        let sentence = format!("{key_id} expires {when}");
        Ok(out.done(&Expires { key_id, expires }, &sentence)?)
    }
}

/// Another name.
#[derive(clap::Args)]
pub(crate) struct Renaming {
    /// Key id of the registration, a beginning of that, or its name.
    #[arg(value_name = "KEY_ID|NAME")]
    which: Which,
    /// The new name.
    #[arg(value_parser = name)]
    name: UserName,
}

#[derive(Serialize)]
struct Renamed {
    key_id: String,
    name: String,
}

impl Renaming {
    pub(crate) fn run(self, store: &Store, out: &mut Output) -> Result<(), Failure> {
        let Self { which, name } = self;
        let key_id = which.find(store)?;
        store.run(&Rename { key_id, name: name.clone() }, UnixTime::now())?;
        let renamed = Renamed { key_id: key_id.to_string(), name: name.to_string() };
        Ok(out.done(&renamed, &format!("{key_id} is {name} now"))?)
    }
}

/// A name to be free.
#[derive(clap::Args)]
pub(crate) struct Freeing {
    /// Which.
    #[arg(value_parser = name)]
    name: UserName,
    /// Only if this user holds it.
    #[arg(long, value_name = "USER_ID")]
    held_by: Option<UserId>,
}

#[derive(Serialize)]
struct Freed {
    name: String,
    held_by: String,
    done: &'static str,
}

impl Freeing {
    pub(crate) fn run(self, store: &Store, out: &mut Output) -> Result<(), Failure> {
        let (name, now) = (self.name, UnixTime::now());
        let held_by = match self.held_by {
            Some(user) => user,
            None => store.run(&InspectName(name.clone()), now)?.taken_by.ok_or(OperatorError::NameFree)?,
        };
        store.run(&ReleaseName { name: name.clone(), held_by: held_by.clone() }, now)?;
        let sentence = format!("{name} is free, which {held_by} held");
        let freed = Freed { name: name.to_string(), held_by: held_by.to_string(), done: "freed" };
        Ok(out.done(&freed, &sentence)?)
    }
}
