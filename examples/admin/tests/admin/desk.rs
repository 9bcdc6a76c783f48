//! A store of the test's own, and the program run over it.

use crate::people::{granted, outcome};
use halfkey::configuration::ConfigurationSerial;
use halfkey::port::entitlement_store::{Report, ReportResult};
use halfkey::record::{Effect, WaitingRequest};
use halfkey::session::Address;
use halfkey::store::StorageKeys;
use halfkey::store::operation::IssueCode;
use halfkey::template::{Field, FieldKind, Template};
use halfkey::{Digest, KeyId, Secret, TicketId, UnixTime};
use halfkey_common::store::{Place, Store};
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

static MADE: AtomicU32 = AtomicU32::new(0);

/// A directory with a store, which goes with it.
pub(crate) struct Desk {
    pub(crate) directory: PathBuf,
    /// Where the store is.
    pub(crate) db: String,
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// How a run of the program has ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) exit: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Run {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { exit: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!((self.exit, self.err.as_str()), (Some(0), ""), "{self:?}");
        self
    }

    /// It fails so, and says so in one line of JSON.
    #[track_caller]
    pub(crate) fn fails(&self, exit: i32, code: &str) {
        assert_eq!(self.exit, Some(exit), "{self:?}");
        let last: Value = serde_json::from_str(self.err.lines().last().unwrap()).unwrap();
        assert_eq!(last["code"], code, "{self:?}");
        assert!(last["error"].as_str().is_some_and(|error| !error.is_empty()));
    }

    /// The lines of JSON.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[track_caller]
    pub(crate) fn one(&self) -> Value {
        let mut lines = self.lines();
        assert_eq!(lines.len(), 1, "{self:?}");
        lines.pop().unwrap()
    }
}

impl Desk {
    /// A directory with a key and an empty store.
    pub(crate) fn new() -> Self {
        let desk = Self::bare();
        desk.make();
        desk
    }

    /// Makes a key and an empty store.
    pub(crate) fn make(&self) {
        self.run(&["keygen", &self.path("key")]).ok();
        self.run(&["init"]).ok();
    }

    /// A directory with nothing in it.
    pub(crate) fn bare() -> Self {
        let made = MADE.fetch_add(1, Ordering::Relaxed);
        let directory =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("admin-{}-{made}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir(&directory).unwrap();
        let db = directory.join("db").to_str().unwrap().into();
        Self { directory, db }
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.directory.join(name).to_str().unwrap().into()
    }

    pub(crate) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        std::fs::File::create(self.directory.join(name)).unwrap().write_all(text.as_ref()).unwrap();
        self.path(name)
    }

    /// The program, told where the store is.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_admin"));
        command.args(arguments).stdin(Stdio::null());
        command.env("HALFKEY_DB", &self.db).env("HALFKEY_KEY_FILE", self.path("key"));
        command.env("HALFKEY_SERVER", "gate.example");
        command
    }

    /// Runs it for people.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments).output().unwrap())
    }

    /// Runs it for scripts.
    pub(crate) fn json(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments).arg("--json").output().unwrap())
    }

    /// The store as a server has it.
    pub(crate) fn store(&self) -> Store {
        self.place().open(self.keys("key")).unwrap()
    }

    fn place(&self) -> Place {
        self.db.parse().unwrap()
    }

    pub(crate) fn keys(&self, file: &str) -> StorageKeys {
        StorageKeys::new(self.key(file))
    }

    fn key(&self, file: &str) -> Secret {
        let digits = std::fs::read_to_string(self.path(file)).unwrap();
        Secret::new(*digits.trim().parse::<Digest>().unwrap().as_bytes())
    }

    /// Issues a code whose time is over, as one that was issued long ago.
    pub(crate) fn issue_over(&self, name: &str) {
        let (name, secret, now) = (name.parse().unwrap(), Secret::new([1; 32]), UnixTime::now());
        let expires = Some(UnixTime::from_secs(now.as_secs() - 3600));
        self.store().run(&IssueCode { name, secret, expires }, now).unwrap();
    }

    /// The store as a program has it whose current key is in this file.
    pub(crate) fn store_with(&self, current: &str, other: Option<&str>) -> Store {
        let mut keys = self.keys(current);
        if let Some(other) = other {
            keys = keys.and(self.key(other));
        }
        self.place().open(keys).unwrap()
    }

    /// Registers the `n`th user under a name; every id and secret is made of `n`.
    pub(crate) fn register(&self, n: u8, name: &str) -> KeyId {
        let (store, now) = (self.store(), UnixTime::now());
        let key_id = KeyId::new([n; 16]);
        let new = granted(n, name, now);
        let alias = new.alias;
        let store = store.port();
        store.commit(&outcome(n, Effect::Granted(Box::new(new)), now), now).unwrap();
        store.confirm(&key_id, now).unwrap();
        store.confirm_alias(&key_id, &Address::Alias(alias), now).unwrap();
        key_id
    }

    /// The `n`th applicant waits, having written `remark` into the form.
    pub(crate) fn wait(&self, n: u8, name: &str, remark: &str) {
        let now = UnixTime::now();
        let remarks = Field::required("remark", FieldKind::Text { max_len: 200 });
        let template = Template::new(vec![Field::required("name", FieldKind::UserName), remarks]).unwrap();
        let waiting = WaitingRequest {
            ticket_id: TicketId::new([n; 16]),
            ticket: Secret::new([n; 32]),
            name: name.parse().unwrap(),
            form: template.fill([("name", name.into()), ("remark", remark.into())]).unwrap(),
            takes: None,
            hold_until: now.after(3600),
        };
        let effect = Effect::Waiting { application: Box::new(waiting), instead_of: None };
        self.store().port().commit(&outcome(n, effect, now), now).unwrap();
    }

    /// The key reports a configuration as applied.
    pub(crate) fn applied(&self, key_id: KeyId, application: &str, serial: ConfigurationSerial) {
        let application = application.parse().unwrap();
        let report = Report::new(key_id, application, serial, ReportResult::Applied);
        self.store().port().report(&report, UnixTime::now()).unwrap();
    }
}
