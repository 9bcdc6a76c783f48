//! The schema that the migrations make is the one that the rows want, and finds them by its indexes;
//! and what only a test within can do to a store.

use super::connection::{Lent, Transaction};
use super::*;
use crate::id::{AccessPath, Alias, ApplicationName, Digest, Group, KeyId, TicketId, Txn, UserId, UserName};
use crate::message::Address;
use crate::policy::{Policy, SuiteId};
use crate::port::entitlement_store::{
    Admission, ConfigurationSerial, Document, EntitlementQuery, Report, ReportResult, UserInformation,
};
use crate::record::{
    Applicant, Effect, ExpectedTags, Lifecycle, NewOutcome, NewRegistration, PendingLimits, ProofId,
    RejectionCause, RejectionCode, RejectionRecord, RequestAnswer, ServerRegistration, StoredKeys, Takes,
    WaitingRequest,
};
use crate::secret::Secret;
use crate::sql::{Database, Dialect};
use crate::store::entity::Tables;
use crate::store::operation::*;
use crate::store::rows;
use crate::store::tables::{Column, ColumnKind, Query, Table, TxError, Value};
use crate::store::{EntitlementCondition, OperatorError, Subject, rules};
use crate::template::{Field, FieldKind, Template};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::string::{String, ToString};
use std::vec::Vec;

const NOW: UnixTime = UnixTime::from_secs(1_000_000);

fn with_store<R>(name: &str, act: impl FnOnce(&Store) -> R) -> R {
    let path: PathBuf =
        std::env::temp_dir().join(std::format!("halfkey-schema-{name}-{}", std::process::id()));
    let remove = || {
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(std::format!("{}{end}", path.display()));
        }
    };
    remove();
    let keys = StorageKeys::new(Secret::new([1; 32]));
    let result = act(&Store::create(&path, keys, UniqueNames::Always).unwrap());
    remove();
    result
}

fn ask(store: &Store, sql: &str) -> Vec<Vec<Value>> {
    let mut connection = store.connection.lock().unwrap();
    let mut transaction = Transaction::begin(&mut connection, false).unwrap();
    at_once(transaction.lend().query(sql, &[])).unwrap().unwrap_or_else(|_| panic!("{sql}"))
}

fn text(value: &Value) -> &str {
    let Value::Text(text) = value else { panic!("no text") };
    text
}

fn int(value: &Value) -> i64 {
    let Value::Int(number) = value else { panic!("no number") };
    *number
}

/// Returns of each column its name, type, `NOT NULL`, and place in the primary key.
fn wanted(table: &Table) -> Vec<(&'static str, &'static str, bool, i64)> {
    let keys = table.key_columns().count() as i64;
    let column = |(place, column): (i64, Column)| {
        let kind = match column.kind {
            ColumnKind::Int => "INTEGER",
            ColumnKind::Text => "TEXT",
            ColumnKind::Bytes => "BLOB",
        };
        let key = if place <= keys { place } else { 0 };
        (column.name, kind, !column.optional, key)
    };
    (1..).zip(table.columns()).map(column).collect()
}

fn compare(store: &Store, wants: &Table) {
    let table = std::format!("halfkey_{}", wants.name());
    let found = ask(store, &std::format!("PRAGMA table_info({table})"));
    let found: BTreeSet<_> =
        found.iter().map(|row| (text(&row[1]), text(&row[2]), int(&row[3]) == 1, int(&row[5]))).collect();
    assert_eq!(found, wanted(wants).into_iter().collect(), "{table}");

    let leads: Vec<String> = ask(store, &std::format!("PRAGMA index_list({table})"))
        .iter()
        .map(|index| text(&ask(store, &std::format!("PRAGMA index_info({})", text(&index[1])))[0][2]).into())
        .collect();
    for column in wants.columns().filter(|column| column.indexed) {
        assert!(leads.iter().any(|lead| lead == column.name), "{table} has no index on {}", column.name);
    }
    let strict = ask(store, &std::format!("SELECT strict FROM pragma_table_list WHERE name = '{table}'"));
    assert_eq!(int(&strict[0][0]), 1, "{table}");
}

#[test]
fn the_tables_are_those_of_the_rows() {
    with_store("tables", |store| {
        Table::all().iter().for_each(|table| compare(store, table));
        let mut wanted: Vec<String> =
            Table::all().iter().map(|table| std::format!("halfkey_{}", table.name())).collect();
        wanted.sort();
        let found = ask(store, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name");
        assert_eq!(found.iter().map(|row| text(&row[0]).to_string()).collect::<Vec<_>>(), wanted);
        assert!(ask(store, "SELECT 1 FROM sqlite_schema WHERE type NOT IN ('table', 'index')").is_empty());
    });
}

/// Passes statements on, and first has SQLite explain them.
struct Watched<'c> {
    database: Lent<'c>,
    scans: &'c mut BTreeSet<String>,
}

impl Watched<'_> {
    async fn explain(&mut self, sql: &str, parameters: &[Value]) {
        let plan = self.database.query(&std::format!("EXPLAIN QUERY PLAN {sql}"), parameters).await;
        for step in plan.unwrap_or_else(|_| panic!("{sql}")) {
            // The end of an index is found at once.
            let is_end = sql.ends_with("ORDER BY id DESC LIMIT 1");
            if text(&step[3]).starts_with("SCAN") && !is_end {
                self.scans.insert(std::format!("{sql}: {}", text(&step[3])));
            }
        }
    }
}

impl Database for Watched<'_> {
    const DIALECT: Dialect = Lent::DIALECT;
    async fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Vec<Value>>, TxError> {
        self.explain(sql, parameters).await;
        self.database.query(sql, parameters).await
    }
    async fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, TxError> {
        self.explain(sql, parameters).await;
        self.database.execute(sql, parameters).await
    }
}

/// Performs an operation, and adds what tables it reads through to `scans`.
fn watch<O: Operation>(store: &Store, scans: &mut BTreeSet<String>, operation: &O) -> O::Answer {
    let mut connection = store.connection.lock().unwrap();
    let mut transaction = Transaction::begin(&mut connection, true).unwrap();
    let database = Watched { database: transaction.lend(), scans };
    let mut rows = SealedTables::new(Statements(database), &store.shared);
    let Some(Ok(answer)) = at_once(operation.perform(&mut rows, NOW)) else { panic!("not performed") };
    transaction.commit().unwrap();
    answer
}

fn outcome(n: u8, effect: Effect) -> NewOutcome {
    let (request, response, limits) =
        (Digest::new([n; 32]), [n; 9].into(), PendingLimits { same: 2, total: 2 });
    NewOutcome { request, response, keep_until: NOW.after(9), effect, limits }
}

fn granted(n: u8, takes: Option<Takes>, ticket: Option<TicketId>) -> Effect {
    let key = || Secret::new([n; 32]);
    let registered = ServerRegistration {
        key_id: KeyId::new([n; 16]),
        user_id: UserId::new("ann-1").unwrap(),
        name: UserName::new("ann").unwrap(),
        access_path: AccessPath::new("/").unwrap(),
        suite: SuiteId::XWing,
        policy: Policy::default(),
        lifecycle: Lifecycle::Pending { confirm_by: NOW.after(9) },
        expires: None,
        keys: StoredKeys { auth: key(), derive: key(), renew: key() },
    };
    let expected = ExpectedTags { txn: Txn::new([n; 16]), confirm: key(), done: key(), lost: key() };
    Effect::Granted(
        NewRegistration { registered, alias: Alias::new([n; 16]), expected, takes, ticket }.into(),
    )
}

#[test]
fn no_question_of_the_protocol_reads_a_whole_table() {
    let (ann, mail) = (UserName::new("ann").unwrap(), ApplicationName::new("mail").unwrap());
    let (user_id, access_path) = (UserId::new("ann-1").unwrap(), AccessPath::new("/").unwrap());
    let (key, ticket_id) = (KeyId::new([1; 16]), TicketId([7; 16]));
    let template = Template::new(std::vec![Field::required("name", FieldKind::UserName)]).unwrap();
    let form = template.fill([("name", "ann".into())]).unwrap();
    let scans = &mut BTreeSet::new();
    with_store("plans", |store| {
        let issue = IssueCode { name: ann.clone(), secret: Secret::new([2; 32]), expires: None };
        let code = watch(store, scans, &issue);
        let subject = Subject::User(user_id.clone());
        let document = Document { media_type: "text/plain".into(), body: [1].into() };
        watch(store, scans, &Entitle::new(subject, mail.clone(), document));
        watch(store, scans, &JoinGroup { user_id: user_id.clone(), group: Group::new("staff").unwrap() });

        let commit = |scans: &mut _, n, effect| watch(store, scans, &rules::Commit(&outcome(n, effect), 16));
        commit(scans, 1, granted(1, Some(Takes::Code(code)), None));
        commit(scans, 2, granted(2, Some(Takes::Code(code)), None));
        watch(store, scans, &rules::FindOutcome(&Digest::new([1; 32])));
        watch(store, scans, &rules::FindExpected(&key));
        watch(store, scans, &rules::Confirm(&key));
        let application = WaitingRequest {
            ticket_id,
            ticket: Secret::new([3; 32]),
            name: ann.clone(),
            form,
            takes: Some(Takes::Place(key)),
            hold_until: NOW.after(9),
        };
        let waiting =
            Effect::Waiting { application: application.clone().into(), instead_of: Some(TicketId([8; 16])) };
        commit(scans, 3, waiting);
        for proof in
            [None, Some(ProofId::Activation), Some(ProofId::Renewal(key)), Some(ProofId::Ticket(ticket_id))]
        {
            watch(store, scans, &rules::FindApplicant(&Applicant { name: ann.clone(), proof }));
        }
        let (address, next_alias) = (Address::Alias(Alias::new([1; 16])), Alias::new([9; 16]));
        let admission = Admission::new(key, address, next_alias, Some(([4; 16], NOW.after(9))));
        watch(store, scans, &rules::FindRegistration(&address));
        watch(store, scans, &rules::Admit(&admission));
        watch(store, scans, &rules::ConfirmAlias(&key, &Address::Alias(next_alias)));
        let query = EntitlementQuery {
            key_id: key,
            user_id: user_id.clone(),
            access_path,
            application: mail.clone(),
            information: UserInformation::default(),
            held: None,
        };
        let location = Some("Hartford".into());
        let said = UserInformation { location, ..UserInformation::default() };
        let condition = EntitlementCondition::new(&said).unwrap();
        for found in [true, false] {
            let answer = watch(store, scans, &rules::FindEntitlement(&query));
            assert_eq!(matches!(answer, rules::FoundEntitlement::Known(Some(_))), found);
            watch(store, scans, &rules::GiveEntitlement(&query));
            let subject = Subject::User(user_id.clone());
            let document = Document { media_type: "text/plain".into(), body: [2].into() };
            watch(store, scans, &Entitle::new(subject, mail.clone(), document).when(condition.clone()));
        }
        let serial = ConfigurationSerial { epoch: 0, number: 1 };
        let report = Report { key_id: key, application: mail.clone(), serial, result: ReportResult::Failed };
        watch(store, scans, &rules::TakeReport(&report));
        commit(scans, 4, granted(4, Some(Takes::Place(key)), Some(ticket_id)));
        watch(store, scans, &rules::Confirm(&KeyId::new([4; 16])));

        let (first, last) = (TicketId([10; 16]), TicketId([11; 16]));
        for (n, ticket_id, instead_of) in [(5, first, None), (6, last, Some(first))] {
            let application = WaitingRequest { ticket_id, ..application.clone() };
            commit(scans, n, Effect::Waiting { application: application.into(), instead_of });
        }
        for answer in [RequestAnswer::Approved, RequestAnswer::Refused(RejectionCode::Declined)] {
            watch(store, scans, &DecideRequest { ticket_id: first, answer });
        }
        let refusal = RejectionRecord {
            cause: RejectionCause::Declined,
            code: RejectionCode::Declined,
            name: None,
            ticket: Some(last),
        };
        commit(scans, 7, Effect::Refused(refusal));
        for n in 20..26 {
            commit(scans, n, granted(n, None, None));
            let application =
                WaitingRequest { takes: None, ticket_id: TicketId([n; 16]), ..application.clone() };
            commit(scans, n + 10, Effect::Waiting { application: application.into(), instead_of: None });
        }

        watch(store, scans, &Purge { limit: 9 });
        watch(store, scans, &PurgeEvents { before: NOW, limit: 9 });
        let bea = UserName::new("bea").unwrap();
        watch(store, scans, &Rename { key_id: KeyId::new([4; 16]), name: bea.clone() });
        watch(store, scans, &DeleteRegistration(key));
        let named = RegistrationFilter { name: Some(bea), ..RegistrationFilter::default() };
        let of_user = RegistrationFilter { user_id: Some(user_id), ..RegistrationFilter::default() };
        for filter in [named, of_user] {
            watch(store, scans, &ListRegistrations { filter, ..ListRegistrations::default() });
        }
        let filter = EventFilter { key_id: Some(key), ..EventFilter::default() };
        watch(store, scans, &ListEvents { filter, ..ListEvents::default() });
        assert_eq!(*scans, BTreeSet::new());
        // The test can fail.
        watch(store, scans, &ListRegistrations::default());
        assert_eq!(scans.len(), 1);
    });
}

/// Finds the row of key 1 where that of key 2 is asked for, as a tampered index would.
struct Misled<'c>(Lent<'c>);

impl Database for Misled<'_> {
    const DIALECT: Dialect = Lent::DIALECT;
    async fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Vec<Value>>, TxError> {
        let other = |value: &Value| match value {
            Value::Text(text) if *text == KeyId::new([2; 16]).to_string() => {
                Value::Text(KeyId::new([1; 16]).to_string())
            }
            value => value.clone(),
        };
        self.0.query(sql, &parameters.iter().map(other).collect::<Vec<_>>()).await
    }
    async fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, TxError> {
        self.0.execute(sql, parameters).await
    }
}

#[test]
fn a_row_that_was_not_asked_for_is_damage() {
    with_store("misled", |store| {
        store.run(&rules::Commit(&outcome(1, granted(1, None, None)), 16), NOW).unwrap();
        let mut connection = store.connection.lock().unwrap();
        let mut transaction = Transaction::begin(&mut connection, false).unwrap();
        let mut rows = SealedTables::new(Statements(Misled(transaction.lend())), &store.shared);
        let mut get = |n| at_once(InspectRegistration(KeyId::new([n; 16])).perform(&mut rows, NOW)).unwrap();
        assert!(matches!(get(1), Ok(Some(_))));
        assert_eq!(get(2).err(), Some(TxError::Error(OperatorError::Store(StoreError::Damaged))));
        assert!(matches!(get(3), Ok(None)));
        let filter = Query::all().is("key_id", &KeyId::new([2; 16]));
        let found = at_once(rows.select::<rows::RegistrationRow>(filter)).unwrap();
        assert_eq!(found.err(), Some(TxError::Error(StoreError::Damaged)));
    });
}

#[test]
fn a_file_that_may_not_grow_is_full_and_loses_nothing() {
    with_store("full", |store| {
        let room = |pages: i64| {
            let connection = store.connection.lock().unwrap();
            connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
        };
        // It is at least what there are.
        room(1);
        let issue = |n: u16| {
            let name = UserName::new(&std::format!("name-{n}")).unwrap();
            store.run(&IssueCode { name, secret: Secret::new([2; 32]), expires: None }, NOW).map(drop)
        };
        let issued = (0..1000).take_while(|n| issue(*n).is_ok()).count();
        assert_eq!(issue(1000), Err(OperatorError::Store(StoreError::Full)));
        let codes = || {
            store.run(&ListCodes { limit: Some(1000), ..ListCodes::default() }, NOW).unwrap().entries.len()
        };
        let events = || {
            store.run(&ListEvents { limit: Some(1000), ..ListEvents::default() }, NOW).unwrap().entries.len()
        };
        assert!(issued > 0 && issued < 1000);
        assert_eq!((codes(), events()), (issued, issued));
        room(100_000);
        assert_eq!(issue(1000), Ok(()));
        assert_eq!((codes(), events()), (issued + 1, issued + 1));
    });
}
