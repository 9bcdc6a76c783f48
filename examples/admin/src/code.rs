//! Activation codes.

use crate::change::Until;
use crate::failure::Failure;
use crate::gate::Gate;
use crate::paging::Paging;
use crate::registration::name;
use crate::uri::{self, UriArguments};
use halfkey::registration::ActivationCode;
use halfkey::store::operation::{
    CodeEntry, Count, InspectName, IssueCode, ListCodes, OperatorError, Readmit, SetCodeExpiry, WithdrawCode,
};
use halfkey::{CodeId, Secret, ServerName, SystemRandom, UnixTime, UserName};
use halfkey_common::Output;
use halfkey_common::output::{Entry, Unwritten};
use halfkey_common::store::Store;
use halfkey_common::time::written;
use serde::Serialize;
use zeroize::Zeroizing;

/// What is done with activation codes.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Makes a code for a name and tells it, once.
    Issue(Issue),
    /// Makes another code for a name: the one before is withdrawn.
    Reissue(Issue),
    /// Frees a name, revokes what its holder has, and makes a code for it: the user registers anew.
    ///
    /// For a token that is lost, or that a server restored from a backup does not know any more.
    Readmit(Issue),
    /// Withdraws the code for a name.
    Withdraw {
        /// Which name.
        #[arg(value_parser = name)]
        name: UserName,
    },
    /// Sets until when the code for a name may be used.
    Expire {
        /// Which name.
        #[arg(value_parser = name)]
        name: UserName,
        #[command(flatten)]
        until: Until,
        /// It does not expire.
        #[arg(long)]
        never: bool,
    },
    /// Lists the codes that have not been used; what they are is with their users.
    List(Paging),
}

/// A code to be made.
#[derive(clap::Args)]
pub(crate) struct Issue {
    /// For which name.
    #[arg(value_parser = name)]
    name: UserName,
    #[command(flatten)]
    pub(crate) form: Form,
    #[command(flatten)]
    until: Until,
    #[command(flatten)]
    uri: UriArguments,
}

/// What a code looks like, and for which server it is.
#[derive(clap::Args)]
pub(crate) struct Form {
    /// The server's name, as its certificate has it: a code is good for one server.
    ///
    /// It need not be said where --gate says it.
    #[arg(long, env = "HALFKEY_SERVER")]
    server: Option<ServerName>,
    /// 26 characters, for machines to carry, instead of 16.
    #[arg(long)]
    pub(crate) long: bool,
}

impl Form {
    /// Returns the server's name, unless it is not the store's.
    pub(crate) fn server(&self, store: &Store, gate: Option<&Gate>) -> Result<ServerName, Failure> {
        let none =
            Failure::Usage("for which server? Give --gate DIR or --server NAME, or set HALFKEY_SERVER");
        let server = self.server.as_ref().or(gate.map(Gate::server)).ok_or(none)?;
        match store.run(&Count, UnixTime::now())?.server_name {
            Some(known) if known != *server => Err(Failure::OtherServer(known.to_string())),
            _ => Ok(server.clone()),
        }
    }

    pub(crate) fn draw(&self) -> ActivationCode {
        let random = &mut SystemRandom;
        if self.long { ActivationCode::generate_long(random) } else { ActivationCode::generate(random) }
    }
}

#[derive(Serialize)]
struct Issued<'a> {
    name: &'a str,
    code: &'a str,
    expires: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<&'a str>,
}

#[derive(Serialize)]
struct Changed {
    name: String,
    done: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
}

#[derive(Serialize)]
struct Shown {
    name: String,
    id: String,
    issued_at: String,
    expires: Option<String>,
}

impl Entry for Shown {
    const COLUMNS: &'static [&'static str] = &["name", "issued_at", "expires", "id"];
}

impl From<CodeEntry> for Shown {
    fn from(entry: CodeEntry) -> Self {
        Self {
            name: entry.name.to_string(),
            id: entry.id.to_string(),
            issued_at: written(entry.issued_at),
            expires: entry.expires.map(written),
        }
    }
}

impl Command {
    pub(crate) fn run(self, store: &Store, gate: Option<&Gate>, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::Issue(issue) => {
                // One whose time is over is in nobody's way.
                let now = UnixTime::now();
                if issue.status(store)?.is_some_and(|code| code.expires.is_none_or(|end| end >= now)) {
                    return Err(Failure::CodeExists);
                }
                let expires = issue.until.time()?;
                issue.make(store, gate, expires, out)
            }
            Self::Reissue(issue) => {
                let before = issue.status(store)?.ok_or(OperatorError::NoSuchCode)?;
                let expires = issue.until.time()?.or(before.expires);
                issue.make(store, gate, expires, out)
            }
            Self::Readmit(issue) => {
                let expires = issue.until.time()?;
                // Frees the name as well.
                issue.make_with(store, gate, expires, out, |name, secret| {
                    store.run(&Readmit { name, secret, expires }, UnixTime::now())
                })
            }
            Self::Withdraw { name } => {
                store.run(&WithdrawCode(name.clone()), UnixTime::now())?;
                let done = Changed { name: name.to_string(), done: "withdrawn", expires: None };
                Ok(out.done(&done, &format!("the code for {name} is withdrawn"))?)
            }
            Self::Expire { name, until, never } => {
                let expires = until.or_never(never)?;
                store.run(&SetCodeExpiry { name: name.clone(), expires }, UnixTime::now())?;
                let expires = expires.map(written);
                let when = expires.as_deref().map_or("never".into(), |time| format!("at {time}"));
                let sentence = format!("the code for {name} expires {when}");
                Ok(out.done(&Changed { name: name.to_string(), done: "expiry set", expires }, &sentence)?)
            }
            Self::List(paging) => {
                let page = |after, limit| {
                    store.run(&ListCodes { after, limit, ..ListCodes::default() }, UnixTime::now())
                };
                paging.list(out, page, |entry| Ok(Some(Shown::from(entry))))
            }
        }
    }
}

impl Issue {
    fn status(&self, store: &Store) -> Result<Option<CodeEntry>, Failure> {
        Ok(store.run(&InspectName(self.name.clone()), UnixTime::now())?.code)
    }

    fn make(
        self,
        store: &Store,
        gate: Option<&Gate>,
        expires: Option<UnixTime>,
        out: &mut Output,
    ) -> Result<(), Failure> {
        self.make_with(store, gate, expires, out, |name, secret| {
            store.run(&IssueCode { name, secret, expires }, UnixTime::now())
        })
    }

    fn make_with(
        self,
        store: &Store,
        gate: Option<&Gate>,
        expires: Option<UnixTime>,
        out: &mut Output,
        issue: impl FnOnce(UserName, Secret) -> Result<CodeId, OperatorError>,
    ) -> Result<(), Failure> {
        let server = self.form.server(store, gate)?;
        let (name, code) = (self.name, self.form.draw());
        // All that may be refused is, before the code is issued.
        let uri = self.uri.uri(&server, gate)?.map(|uri| uri::text(uri, &name, &code)).transpose()?;
        let qr =
            uri.as_ref().filter(|_| self.uri.qr).map(|uri| uri::qr(uri)).transpose()?.map(Zeroizing::new);
        issue(name.clone(), code.secret(&server, &name))?;
        let code = Zeroizing::new(code.reveal());
        let issued = Issued {
            name: name.as_str(),
            code: &code,
            expires: expires.map(written),
            uri: uri.as_ref().map(|uri| uri.as_str()),
        };
        // Whoever reads on does not matter here: a code that is not told is lost.
        let qr = qr.filter(|_| !out.is_json());
        let drawn = |out: &mut Output| qr.map_or(Ok(()), |qr| out.bytes(qr.as_bytes()));
        let line =
            uri.as_ref().filter(|_| self.uri.uri && !out.is_json()).map(|uri| format!("{}\n", uri.as_str()));
        let told = match line.map(Zeroizing::new) {
            Some(line) => out.bytes(line.as_bytes()),
            None => out.object(&issued).and_then(|()| drawn(out)),
        };
        let told = told.and_then(|()| out.flush());
        told.map_err(|Unwritten(error)| Unwritten(std::io::Error::other(error)).into())
    }
}
