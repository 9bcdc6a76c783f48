//! Who can write to the file and has no storage key: what was changed is refused. And what no store
//! is, is told from one.

use super::survey::{holdings, survey};
use super::{Directory, NOW, keys, migration, shell};
use halfkey::message::Address;
use halfkey::port::{EntitlementStore, StoreError};
use halfkey::record::{Applicant, ProofId};
use halfkey::sqlite::{OpenError, Store};
use halfkey::store::operation::*;
use halfkey::store::{OperatorError, StorageKeys, UniqueNames};
use halfkey::{KeyId, Secret, UnixTime, UserName};
use std::fs;
use std::path::{Path, PathBuf};

/// A store with people in it.
fn peopled(directory: &Directory) -> (PathBuf, UnixTime) {
    let path = directory.0.join("store");
    let store = Store::create(&path, keys(), UniqueNames::Always).unwrap();
    let gate = super::gate::Gate::new(UnixTime::from_secs(super::common::START), 30);
    migration::live(&gate, &store);
    (path, gate.now.get())
}

fn edited(path: &Path, sql: &str) -> PathBuf {
    let copy = path.with_extension("edited");
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{end}", copy.display()));
    }
    fs::copy(path, &copy).unwrap();
    let connection = shell(&copy);
    connection.execute_batch(sql).unwrap();
    assert!(connection.total_changes() > 0 || sql.contains("CREATE"), "nothing was edited: {sql}");
    copy
}

/// All that there is to read in a store.
fn read(path: &Path, now: UnixTime) -> Result<Vec<String>, OperatorError> {
    let store = Store::open(path, keys()).map_err(|error| match error {
        OpenError::StorageKey => OperatorError::Store(StoreError::StorageKey),
        OpenError::Store(error) => OperatorError::Store(error),
        other => panic!("{other:?}"),
    })?;
    let lines = holdings(&store, now)?;
    let heidi = Applicant { name: UserName::new("heidi").unwrap(), proof: Some(ProofId::Activation) };
    store.applicant(&heidi, now)?;
    for row in store.run(&ListRegistrations::default(), now)?.entries {
        store.registration(&Address::Key(row.key_id), now)?;
        let connection = shell(path);
        let sql = "SELECT alias FROM halfkey_alias WHERE key_id = $1";
        let mut aliases = connection.prepare(sql).unwrap();
        let aliases = aliases.query_map([row.key_id.to_string()], |row| row.get::<_, String>(0)).unwrap();
        for alias in aliases {
            store.registration(&Address::Alias(alias.unwrap().parse().unwrap()), now)?;
        }
    }
    Ok(lines)
}

#[test]
fn what_was_edited_by_hand_is_refused() {
    let directory = Directory::quick("edited");
    let (path, now) = peopled(&directory);
    let good = read(&path, now).unwrap();
    let other = "(SELECT x.seal FROM halfkey_registration x WHERE x.key_id <> halfkey_registration.key_id)";
    for sql in [
        "UPDATE halfkey_registration SET state = 'active' WHERE state <> 'active'",
        "UPDATE halfkey_registration SET state = 'active', confirm_by = NULL WHERE state = 'pending'",
        "UPDATE halfkey_registration SET expires = NULL WHERE expires IS NOT NULL",
        "UPDATE halfkey_registration SET access_path = '/admin'",
        "UPDATE halfkey_registration SET key_id = upper(key_id) WHERE key_id <> upper(key_id)",
        "UPDATE halfkey_registration SET version = version + 1",
        "UPDATE halfkey_registration SET modes = 'nonsense'",
        "UPDATE halfkey_registration SET suite = 99",
        &format!("UPDATE halfkey_registration SET seal = {other}"),
        "UPDATE halfkey_registration SET seal = X''",
        "UPDATE halfkey_registration SET seal = zeroblob(900000)",
        "UPDATE halfkey_registration SET seal = zeroblob(5000000)",
        "UPDATE halfkey_alias SET key_id = (SELECT max(key_id) FROM halfkey_alias)
            WHERE key_id <> (SELECT max(key_id) FROM halfkey_alias)",
        "UPDATE halfkey_activation_code SET name = 'mallory'",
        "UPDATE halfkey_activation_code SET expires = 1",
        "UPDATE halfkey_entitlement SET body = X'00'",
        "UPDATE halfkey_entitlement SET subject = 'group:all' WHERE subject LIKE 'user:%'",
        "UPDATE halfkey_entitlement SET number = 0",
        "UPDATE halfkey_report SET applied_number = 99",
        "UPDATE halfkey_event SET kind = 'granted' WHERE kind <> 'granted'",
        "UPDATE halfkey_event SET name = CAST(X'FF' AS TEXT)",
        "UPDATE halfkey_application SET name = 'mallory'",
        "UPDATE halfkey_schema SET unique_names = 'proven'",
        "INSERT INTO halfkey_name SELECT 'mallory', user_id, version, sealed_by, seal FROM halfkey_name LIMIT 1;
            INSERT INTO halfkey_registration (key_id, user_id, name, access_path, suite, modes, suites,
                fall_back, state, version, sealed_by, seal)
            SELECT '00000000000000000000000000000000', user_id, 'mallory', access_path, suite, modes, suites,
                fall_back, state, version, sealed_by, seal FROM halfkey_registration LIMIT 1",
        // The type of a column, and whether it may be null, are only words in the file.
        "PRAGMA writable_schema = ON;
            UPDATE sqlite_schema SET sql = replace(replace(sql, ' NOT NULL', ''), 'STRICT', '');
            PRAGMA writable_schema = RESET; UPDATE halfkey_registration SET seal = NULL",
        "PRAGMA writable_schema = ON;
            UPDATE sqlite_schema SET sql = replace(replace(sql, ' NOT NULL', ''), 'STRICT', '');
            PRAGMA writable_schema = RESET; UPDATE halfkey_registration SET version = 1.5, suite = 'two'",
        "UPDATE halfkey_registration SET sealed_by = '0000000000000000'",
    ] {
        let error = read(&edited(&path, sql), now).err();
        let refused = [StoreError::Damaged, StoreError::StorageKey].map(|error| Some(OperatorError::Store(error)));
        assert!(refused.contains(&error), "{sql}: {error:?}");
    }
    let sql = "UPDATE halfkey_counter SET sealed_by = '0000000000000000'";
    assert_eq!(read(&edited(&path, sql), now), Err(OperatorError::Store(StoreError::StorageKey)));
    assert_eq!(read(&path, now).unwrap(), good);
}

#[test]
fn an_index_that_leads_to_other_rows_is_noticed() {
    let directory = Directory::quick("index");
    let (path, now) = peopled(&directory);
    // Who looks for a user finds a name.
    let swapped = "PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = replace(sql, '(user_id', '(name')
            WHERE name = 'halfkey_registration_user';
        UPDATE sqlite_schema SET sql = replace(sql, '(name', '(user_id')
            WHERE name = 'halfkey_registration_name';
        PRAGMA writable_schema = RESET;
        UPDATE halfkey_counter SET number = number";
    let store = Store::open(edited(&path, swapped), keys()).unwrap();
    let filter =
        RegistrationFilter { user_id: Some("alice".parse().unwrap()), ..RegistrationFilter::default() };
    let found = store.run(&ListRegistrations { filter, ..ListRegistrations::default() }, now).unwrap();
    assert!(found.entries.is_empty() && found.damaged.len() == 1, "{found:?}");
}

/// A page shows what it can of lists that are put together from several tables.
#[test]
fn a_row_that_others_lead_to_is_noticed() {
    let directory = Directory::quick("joined");
    let (path, now) = peopled(&directory);
    // How many rows of each list are shown, and how many are damaged.
    let list = |path: &Path| {
        let store = Store::open(path, keys()).unwrap();
        let application = "mail".parse().unwrap();
        let rollout = store.run(&ListRollout::of(RolloutFilter { application }), now).unwrap();
        let reports = store.run(&ListReports::default(), now).unwrap();
        [[rollout.entries.len(), rollout.damaged.len()], [reports.entries.len(), reports.damaged.len()]]
    };
    let [[active, none], [reported, none_either]] = list(&path);
    assert_eq!([none, none_either], [0, 0]);
    assert!(active > reported && reported > 0, "not all of them report: {active}, {reported}");
    let alice = "(SELECT key_id FROM halfkey_registration WHERE name = 'alice')";
    let report = format!("UPDATE halfkey_report SET number = 0 WHERE key_id = {alice}");
    assert_eq!(list(&edited(&path, &report)), [[active - 1, 1], [reported - 1, 1]]);
    let registration = "UPDATE halfkey_registration SET last_seen = 0 WHERE name = 'alice'";
    assert_eq!(list(&edited(&path, registration)), [[active - 1, 1], [reported - 1, 1]]);
    // What it is entitled to.
    let entitled = "UPDATE halfkey_entitlement SET set_at = 0 WHERE subject = 'path:/staff'";
    let [[shown, lost], [_, reports_lost]] = list(&edited(&path, entitled));
    assert!(shown + lost == active && lost > 0 && reports_lost > 0, "{shown}, {lost}, {reports_lost}");
}

/// Else whoever can write there could keep a storage key in use that others have seen.
#[test]
fn a_damaged_row_stops_no_change_of_the_storage_key() {
    let directory = Directory::quick("stuck");
    let (path, now) = peopled(&directory);
    let damage = "UPDATE halfkey_registration SET last_seen = 7 WHERE name IN ('alice', 'bob')";
    let path = edited(&path, damage);
    let new = Secret::new([0x77; 32]);
    let store = Store::open(&path, StorageKeys::new(new.clone()).and(Secret::new([0x5E; 32]))).unwrap();
    store.run(&AnnounceKey, now).unwrap();
    let now = now.after(60);
    let sound = |store: &Store| store.run(&ListRegistrations::default(), now).unwrap();
    let stuck = sound(&store).damaged.len();
    assert!(stuck > 1 && !sound(&store).entries.is_empty());
    for limit in [1, 4, 1000] {
        let (mut after, mut rows, mut damaged) = (None, 0, Vec::new());
        loop {
            let sealed = store.run(&Reseal { after, limit }, now).unwrap();
            rows += sealed.rows;
            damaged.extend(sealed.damaged);
            after = sealed.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!((rows > 0, damaged.len()), (limit == 1, stuck), "{limit}");
        assert!(damaged.iter().all(|place| place.to_string().starts_with("registration ")));
    }
    let (before, after) = (sound(&store), sound(&Store::open(&path, StorageKeys::new(new)).unwrap()));
    assert!(before == after && before.damaged.len() == stuck);
}

/// What no seal shows, as SECURITY says.
#[test]
fn rows_may_be_removed_and_put_back_as_they_were() {
    let directory = Directory::quick("undetected");
    let (path, now) = peopled(&directory);
    let good = read(&path, now).unwrap();
    let removed = edited(&path, "DELETE FROM halfkey_name WHERE name = 'alice'; DELETE FROM halfkey_event");
    assert!(read(&removed, now).unwrap().len() < good.len());
    let store = Store::open(&path, keys()).unwrap();
    let dave: String = shell(&path)
        .query_row("SELECT key_id FROM halfkey_registration WHERE name = 'alice'", [], |row| row.get(0))
        .unwrap();
    let copy = "CREATE TABLE copy AS SELECT * FROM halfkey_registration";
    shell(&path).execute_batch(copy).unwrap();
    store.run(&Revoke(dave.parse::<KeyId>().unwrap()), now).unwrap();
    let back = "DELETE FROM halfkey_registration; INSERT INTO halfkey_registration SELECT * FROM copy";
    shell(&path).execute_batch(back).unwrap();
    assert_eq!(holdings(&store, now).unwrap()[..9], good[..9]);
}

#[test]
fn nothing_in_a_file_runs_as_a_program() {
    let directory = Directory::quick("programs");
    let (path, now) = peopled(&directory);
    let good = survey(&Store::open(&path, keys()).unwrap(), now).unwrap();
    let trigger = edited(
        &path,
        "CREATE TRIGGER gone AFTER INSERT ON halfkey_event BEGIN DELETE FROM halfkey_name; END;
         CREATE TRIGGER gone_too AFTER UPDATE ON halfkey_registration BEGIN DELETE FROM halfkey_event; END;
         CREATE VIEW all_of_it AS SELECT load_extension('nowhere')",
    );
    let store = Store::open(&trigger, keys()).unwrap();
    assert_eq!(survey(&store, now).unwrap(), good);
    let name = UserName::new("judy").unwrap();
    store.run(&IssueCode { name, secret: Secret::new([1; 32]), expires: None }, now).unwrap();
    store.run(&Suspend(alice(&store, now)), now).unwrap();
    assert_eq!(survey(&store, now).unwrap().len(), good.len() + 3);

    let view = edited(
        &path,
        "ALTER TABLE halfkey_registration RENAME TO hidden;
         CREATE VIEW halfkey_registration AS SELECT * FROM hidden",
    );
    assert_eq!(read(&view, now), Err(OperatorError::Store(StoreError::Damaged)));
    let gone = edited(&path, "DELETE FROM halfkey_event; DROP TABLE halfkey_event");
    assert_eq!(read(&gone, now), Err(OperatorError::Store(StoreError::Damaged)));
    let never = edited(
        &path,
        "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = replace(sql, 'since BIGINT', 'since') WHERE 1;
         UPDATE sqlite_schema SET sql = replace(sql, 'issued_at INTEGER', 'issued_at INTEGER CHECK (issued_at < 0)');
         PRAGMA writable_schema = RESET; UPDATE halfkey_counter SET number = number",
    );
    let (name, secret) = (UserName::new("judy").unwrap(), Secret::new([1; 32]));
    let store = Store::open(&never, keys()).unwrap();
    let issued = store.run(&IssueCode { name, secret, expires: None }, now);
    assert_eq!(issued, Err(OperatorError::Store(StoreError::Damaged)));
}

fn alice(store: &Store, now: UnixTime) -> KeyId {
    let filter = RegistrationFilter { name: Some("alice".parse().unwrap()), ..RegistrationFilter::default() };
    store.run(&ListRegistrations { filter, ..ListRegistrations::default() }, now).unwrap().entries[0].key_id
}

#[test]
fn what_is_no_store_is_told_from_one() {
    let directory = Directory::quick("strange");
    let at = |name: &str| directory.0.join(name);
    let open = |path: &Path| Store::open(path, keys()).err();
    assert_eq!(open(&at("missing")), Some(OpenError::NotAStore));
    assert_eq!(open(&directory.0), Some(OpenError::NotAStore));
    assert!(!at("missing").exists());
    for (name, text) in
        [("empty", &b""[..]), ("letter", &b"Dear Alice, ".repeat(900)), ("short", b"SQLite format 3\0")]
    {
        fs::write(at(name), text).unwrap();
        assert_eq!(open(&at(name)), Some(OpenError::NotAStore), "{name}");
        assert_eq!(fs::read(at(name)).unwrap(), text, "{name}");
    }
    // Another program's database is left as it was.
    shell(&at("theirs")).execute_batch("CREATE TABLE theirs (mine)").unwrap();
    let theirs = fs::read(at("theirs")).unwrap();
    assert_eq!(open(&at("theirs")), Some(OpenError::NotAStore));
    assert_eq!(fs::read(at("theirs")).unwrap(), theirs);
    shell(&at("theirs")).pragma_update(None, "application_id", 0x686B_6579).unwrap();
    assert_eq!(open(&at("theirs")), Some(OpenError::NotAStore));

    let create = |path: &Path| Store::create(path, keys(), UniqueNames::Always).err();
    assert_eq!(create(&at("theirs")), Some(OpenError::Exists));
    assert_eq!(create(&at("store")), None);
    assert_eq!(create(&at("store")), Some(OpenError::Exists));
    assert_eq!(create(&directory.0), Some(OpenError::Exists));
    assert!(matches!(create(&at("nowhere/store")), Some(OpenError::Store(StoreError::Unavailable(_)))));
    let other = StorageKeys::new(Secret::new([1; 32]));
    assert_eq!(Store::open(at("store"), other).err(), Some(OpenError::StorageKey));
    Store::open(at("store"), keys()).unwrap().run(&ListCodes::default(), NOW).unwrap();

    shell(&at("store")).execute_batch("UPDATE halfkey_schema SET migration = 99").unwrap();
    let newer = open(&at("store"));
    assert!(matches!(newer, Some(OpenError::Newer { found: 99, known }) if known < 99), "{newer:?}");
    shell(&at("store")).execute_batch("UPDATE halfkey_schema SET migration = 0").unwrap();
    assert_eq!(open(&at("store")), Some(OpenError::StorageKey));
    shell(&at("store")).execute_batch("DELETE FROM halfkey_schema").unwrap();
    assert_eq!(open(&at("store")), Some(OpenError::NotAStore));

    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(at("store")).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
