//! Entitlements: what users, groups and paths get, application by application.

use crate::condition::{Condition, shown};
use crate::failure::{Failure, FileError};
use crate::paging::Paging;
use crate::report::serial;
use base64ct::{Base64, Encoding};
use halfkey::configuration::ConfigurationSerial;
use halfkey::port::entitlement_store::Document;
use halfkey::store::operation::{
    ClearConditionalEntitlement, ClearUserEntitlement, Entitle, EntitlementEntry, EntitlementFilter,
    ListEntitlements, OperatorError, RaiseEpoch, ReadEntitlement, RevokeEntitlement,
};
use halfkey::store::{EntitlementCondition, Subject};
use halfkey::{ApplicationName, UnixTime, UserId};
use halfkey_common::Output;
use halfkey_common::output::Entry;
use halfkey_common::store::Store;
use halfkey_common::time::{Span, written};
use halfkey_service::{APPLICATION, MEDIA_TYPE, Services};
use serde::Serialize;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// What is done with entitlements. A subject is `user:…`, `group:…` or `path:…`.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Entitles a subject to a document.
    Set(Set),
    /// Entitles a subject to nothing any more.
    Revoke(Which),
    /// Takes away what a user alone is entitled to, or to nothing: groups and access path count again.
    Inherit {
        /// Whose.
        user_id: UserId,
        /// In which application.
        application: ApplicationName,
        #[command(flatten)]
        condition: Condition,
    },
    /// Takes away what a subject is entitled to under a condition: the rest counts again.
    Clear(Which),
    /// Shows what a subject itself is entitled to.
    Show {
        #[command(flatten)]
        which: Which,
        /// The document's body and nothing else, byte for byte.
        #[arg(long)]
        raw: bool,
    },
    /// Lists entitlements, without bodies.
    List {
        /// Of this subject.
        #[arg(long)]
        subject: Option<Subject>,
        /// In this application.
        #[arg(long, value_name = "APPLICATION")]
        app: Option<ApplicationName>,
        // Of these, the ones under exactly this condition, if one is given.
        #[command(flatten)]
        condition: Condition,
        #[command(flatten)]
        paging: Paging,
    },
}

/// Whose, in which application.
#[derive(clap::Args)]
pub(crate) struct Which {
    /// Whose: `user:…`, `group:…` or `path:…`.
    subject: Subject,
    /// In which application.
    application: ApplicationName,
    #[command(flatten)]
    condition: Condition,
}

/// What a subject is to get.
#[derive(clap::Args)]
pub(crate) struct Set {
    #[command(flatten)]
    which: Which,
    /// The file with the document's body.
    #[arg(long)]
    file: PathBuf,
    /// Media type of the document; for the application `services` of a gate it need not be given.
    #[arg(long)]
    media_type: Option<String>,
    /// How long it may be used after each delivery; without end where nothing is said.
    #[arg(long, value_name = "SPAN")]
    valid_for: Option<Span>,
}

/// More than any document has; how much that is exactly, the store knows.
const BODY_MAX: u64 = 1 << 17;

/// The body of a document from a file.
pub(crate) fn body(path: &Path) -> Result<Vec<u8>, Failure> {
    let read = || -> Result<Vec<u8>, FileError> {
        let mut body = Vec::new();
        File::open(path)?.take(BODY_MAX).read_to_end(&mut body)?;
        if u64::try_from(body.len()).is_ok_and(|length| length < BODY_MAX) {
            Ok(body)
        } else {
            Err(FileError::TooLong)
        }
    };
    read().map_err(|error| Failure::file(path, error))
}

/// The kind and the body of a document from a file. A list of services is looked at: a gate that cannot read it gives
/// nobody anything.
fn document(
    application: &ApplicationName,
    media_type: Option<String>,
    file: &Path,
) -> Result<(String, Vec<u8>), Failure> {
    let is_services = application.as_str() == APPLICATION;
    let usual = is_services.then(|| MEDIA_TYPE.to_owned());
    let media_type = media_type.or(usual).ok_or(Failure::Usage("what is it? Give --media-type TYPE"))?;
    let body = body(file)?;
    if is_services && media_type == MEDIA_TYPE {
        Services::read(&body).map_err(|error| Failure::file(file, error))?;
    }
    Ok((media_type, body))
}

#[derive(Serialize)]
struct Cleared {
    subject: String,
    application: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct Shown {
    subject: String,
    application: String,
    condition: Option<String>,
    serial: String,
    media_type: Option<String>,
    bytes: Option<usize>,
    valid_for: Option<u32>,
    set_at: String,
}

impl Entry for Shown {
    const COLUMNS: &'static [&'static str] =
        &["subject", "application", "condition", "serial", "media_type", "bytes", "valid_for", "set_at"];
}

impl From<EntitlementEntry> for Shown {
    fn from(entry: EntitlementEntry) -> Self {
        let (media_type, bytes) = entry.document.unzip();
        Self {
            subject: entry.subject.to_string(),
            application: entry.application.to_string(),
            condition: shown(&entry.condition),
            serial: serial(entry.serial),
            media_type,
            bytes,
            valid_for: entry.valid_for,
            set_at: written(entry.set_at),
        }
    }
}

#[derive(Serialize)]
struct Whole {
    subject: String,
    application: String,
    entitled: bool,
    media_type: Option<String>,
    /// The body where it is text.
    body: Option<String>,
    /// And where it is not.
    body_base64: Option<String>,
}

#[derive(Serialize)]
struct Done {
    subject: String,
    application: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<String>,
    serial: String,
    done: &'static str,
}

impl Done {
    fn tell(
        which: &Which,
        given: ConfigurationSerial,
        done: &'static str,
        out: &mut Output,
    ) -> Result<(), Failure> {
        let (subject, application) = (which.subject.to_string(), which.application.to_string());
        let condition = which.condition.read()?;
        let sentence =
            format!("{subject} in {application}{}: {done}, serial {}", under(&condition), serial(given));
        let condition = shown(&condition);
        Ok(out.done(&Self { subject, application, condition, serial: serial(given), done }, &sentence)?)
    }
}

/// Words for a condition in a sentence.
fn under(condition: &EntitlementCondition) -> String {
    shown(condition).map(|condition| format!(" where {condition}")).unwrap_or_default()
}

impl Cleared {
    fn new(subject: &Subject, application: &ApplicationName, condition: &EntitlementCondition) -> Self {
        let (subject, application) = (subject.to_string(), application.to_string());
        Self { subject, application, condition: shown(condition) }
    }
}

impl Command {
    pub(crate) fn run(self, store: &Store, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::Set(Set { which, file, media_type, valid_for }) => {
                let (media_type, body) = document(&which.application, media_type, &file)?;
                let seconds = valid_for.map(|Span(seconds)| u32::try_from(seconds)).transpose();
                let entitle = Entitle {
                    subject: which.subject.clone(),
                    application: which.application.clone(),
                    condition: which.condition.read()?,
                    document: Document { media_type, body },
                    valid_for: seconds.map_err(|_| Failure::Usage("--valid-for is at most 136 years"))?,
                };
                Done::tell(&which, store.run(&entitle, UnixTime::now())?, "entitled", out)
            }
            Self::Revoke(which) => {
                let revoke = RevokeEntitlement::new(which.subject.clone(), which.application.clone());
                let given = store.run(&revoke.when(which.condition.read()?), UnixTime::now())?;
                Done::tell(&which, given, "revoked", out)
            }
            Self::Inherit { user_id, application, condition } => {
                let condition = condition.read()?;
                let clear = ClearUserEntitlement::new(user_id.clone(), application.clone());
                store.run(&clear.when(condition.clone()), UnixTime::now())?;
                let sentence =
                    format!("{user_id} has nothing alone in {application}{} any more", under(&condition));
                let cleared = Cleared::new(&Subject::User(user_id), &application, &condition);
                Ok(out.done(&cleared, &sentence)?)
            }
            Self::Clear(Which { subject, application, condition }) => {
                let condition = condition.read()?;
                let sentence =
                    format!("{subject} has nothing in {application}{} any more", under(&condition));
                let cleared = Cleared::new(&subject, &application, &condition);
                store
                    .run(&ClearConditionalEntitlement { subject, application, condition }, UnixTime::now())?;
                Ok(out.done(&cleared, &sentence)?)
            }
            Self::Show { which: Which { subject, application, condition }, raw } => {
                let read = ReadEntitlement::new(subject.clone(), application.clone());
                let document = store.run(&read.when(condition.read()?), UnixTime::now())?;
                if raw {
                    let document = document.ok_or(OperatorError::NoSuchEntitlement)?;
                    return Ok(out.bytes(&document.body)?);
                }
                Ok(out.object(&Whole::new(&subject, &application, document))?)
            }
            Self::List { subject, app, condition, paging } => {
                let condition = Some(condition.read()?).filter(|condition| !condition.is_none());
                let filter = EntitlementFilter { subject, application: app, condition };
                let page = |after, limit| {
                    store.run(&ListEntitlements { filter: filter.clone(), after, limit }, UnixTime::now())
                };
                paging.list(out, page, |entry| Ok(Some(Shown::from(entry))))
            }
        }
    }
}

impl Whole {
    fn new(subject: &Subject, application: &ApplicationName, document: Option<Document>) -> Self {
        let entitled = document.is_some();
        let (media_type, body) = document.map(|document| (document.media_type, document.body)).unzip();
        let (body, body_base64) = match body.map(String::from_utf8) {
            None => (None, None),
            Some(Ok(text)) => (Some(text), None),
            Some(Err(error)) => (None, Some(Base64::encode_string(error.as_bytes()))),
        };
        let (subject, application) = (subject.to_string(), application.to_string());
        Self { subject, application, entitled, media_type, body, body_base64 }
    }
}

/// What is done with the epoch.
#[derive(clap::Subcommand)]
pub(crate) enum EpochCommand {
    /// Begins a new epoch, with all entitlements in it: to be done after restoring a backup, lest
    /// tokens refuse as rolled back what is older than what they hold.
    Raise {
        /// Yes, every token is to fetch every configuration anew.
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Serialize)]
struct Raised {
    epoch: u32,
}

impl EpochCommand {
    pub(crate) fn run(self, store: &Store, out: &mut Output) -> Result<(), Failure> {
        let Self::Raise { yes } = self;
        if !yes {
            return Err(Failure::Usage("every token then fetches everything anew; add --yes if it is meant"));
        }
        let epoch = store.run(&RaiseEpoch, UnixTime::now())?;
        Ok(out.done(&Raised { epoch }, &format!("this is epoch {epoch}"))?)
    }
}
