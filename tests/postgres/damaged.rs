//! Databases that are no stores, stores of other versions and keys, and rows that were changed.

use super::server::{self, block_on};
use super::world::*;
use halfkey::message::Address;
use halfkey::port::StoreError;
use halfkey::port::entitlement_store::{Committed, Confirmed};
use halfkey::port::question::AsyncEntitlementStore;
use halfkey::postgres::{OpenError, Store};
use halfkey::store::operation::{
    AnnounceKey, Cursor, ListRegistrations, OperatorError, RegistrationFilter, Reseal,
};
use halfkey::store::{StorageKeys, UniqueNames};
use halfkey::{Secret, UserName};

fn other_keys() -> StorageKeys {
    StorageKeys::new(Secret::new([0x0F; 32]))
}

#[test]
fn a_database_is_opened_only_as_what_it_is() {
    let Some(database) = server::database() else { return };
    block_on(async {
        let open = |keys| Store::open(pool(&database, 2), keys);
        let refused = |opened: Result<Store, OpenError>| opened.map(|_| ()).unwrap_err();
        assert_eq!(refused(open(keys()).await), OpenError::NotAStore);
        assert_eq!(refused(Store::migrate(pool(&database, 2), keys()).await), OpenError::NotAStore);
        // Two at once: one makes it.
        let create = || Store::create(pool(&database, 2), keys(), UniqueNames::Proven);
        let (one, other) = both(create(), create()).await;
        let both = [one.map(|_| ()), other.map(|_| ())];
        assert!(both.contains(&Ok(())) && both.contains(&Err(OpenError::Exists)), "{both:?}");
        assert_eq!(refused(create().await), OpenError::Exists);
        assert_eq!(refused(open(other_keys()).await), OpenError::StorageKey);
        open(keys()).await.unwrap();

        let client = connect(&database).await;
        client.batch_execute("UPDATE halfkey_schema SET unique_names = 'always'").await.unwrap();
        assert_eq!(refused(open(keys()).await), OpenError::StorageKey);
        client.batch_execute("UPDATE halfkey_schema SET migration = 99").await.unwrap();
        let newer = OpenError::Newer { found: 99, known: 3 };
        assert_eq!(refused(open(keys()).await), newer);
        assert_eq!(refused(Store::migrate(pool(&database, 2), keys()).await), newer);
        client.batch_execute("DELETE FROM halfkey_schema").await.unwrap();
        assert_eq!(refused(open(keys()).await), OpenError::NotAStore);
    });
}

/// The row that version 1 made, under the storage key of these tests.
pub const FIRST: &str = "INSERT INTO halfkey_schema VALUES ('halfkey', 1, 'always', 1, '0297801f414089b8', '\\xfd0ae9790a2033587128e6fc70f00776eba36297b3793356fc329f5ef01bddf5c1a9df80bb1cacd455e6a323034f02d39e')";

#[test]
fn an_earlier_version_is_migrated_only_when_asked() {
    let Some(database) = server::database() else { return };
    block_on(async {
        let client = connect(&database).await;
        client.batch_execute(include_str!("../../src/sql/migration/0001.sql")).await.unwrap();
        client.batch_execute(FIRST).await.unwrap();
        let opened = Store::open(pool(&database, 2), keys()).await.map(|_| ());
        assert_eq!(opened, Err(OpenError::Older { found: 1, known: 3 }));
        let wrong = Store::migrate(pool(&database, 2), other_keys()).await.map(|_| ());
        assert_eq!(wrong, Err(OpenError::StorageKey), "who has no key changes nothing");
        let events = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'halfkey_event'";
        assert_eq!(count(&client, events).await, 0);
        // Two servers at once: one migrates, and both have opened it.
        let migrate = || Store::migrate(pool(&database, 2), keys());
        let (one, other) = both(migrate(), migrate()).await;
        let store = one.unwrap();
        other.unwrap();
        store.commit(&granted(1, user(1), name("ann"), None), NOW).await.unwrap();
        assert_eq!(open(&database).await.confirm(&key(1), NOW).await, Ok(Confirmed::Active));
        super::audit::check(&database).await;
    });
}

#[test]
fn a_row_that_was_changed_is_damaged_and_the_others_are_not() {
    let Some(database) = server::database() else { return };
    block_on(async {
        let store = create(&database).await;
        for n in 1..=2 {
            store.commit(&granted(n, user(n), name(&format!("name-{n}")), None), NOW).await.unwrap();
            store.confirm(&key(n), NOW).await.unwrap();
        }
        let client = connect(&database).await;
        let of = format!("WHERE key_id = '{}'", key(1));
        for (change, back) in [
            ("name = 'name-2'", "name = 'name-1'"),
            ("expires = 1", "expires = NULL"),
            ("state = 'suspended'", "state = 'active'"),
            ("state = 'nonsense'", "state = 'active'"),
            ("access_path = ''", "access_path = '/staff'"),
            ("suite = 9223372036854775807", "suite = 2"),
            ("version = version - 1", "version = version + 1"),
            ("sealed_by = 'nobody'", &*format!("sealed_by = '{}'", keys().current_id())),
            ("seal = '\\x00' || seal", "seal = substring(seal from 2)"),
            ("key_id = lower(key_id)", "key_id = key_id"),
        ] {
            client.batch_execute(&format!("UPDATE halfkey_registration SET {change} {of}")).await.unwrap();
            let found = store.registration(&Address::Key(key(1)), NOW).await.map(|_| ());
            let wanted = match change.split(' ').next() {
                Some("sealed_by") => Err(StoreError::StorageKey),
                Some("key_id") => Ok(()),
                _ => Err(StoreError::Damaged),
            };
            assert_eq!(found, wanted, "{change}");
            assert_eq!(store.confirm(&key(1), NOW).await.map(|_| ()), wanted, "{change}");
            assert!(store.registration(&Address::Key(key(2)), NOW).await.unwrap().is_some());
            assert_eq!(store.confirm(&key(2), NOW).await, Ok(Confirmed::Active));
            client.batch_execute(&format!("UPDATE halfkey_registration SET {back} {of}")).await.unwrap();
            assert!(store.registration(&Address::Key(key(1)), NOW).await.unwrap().is_some(), "{back}");
        }
        // A secret moved to another row opens there no more than an invented one.
        let swap = format!(
            "UPDATE halfkey_registration SET seal = (SELECT seal FROM halfkey_registration WHERE key_id = '{}') {of}",
            key(2)
        );
        client.batch_execute(&swap).await.unwrap();
        let found = store.registration(&Address::Key(key(1)), NOW).await.map(|_| ());
        assert_eq!(found, Err(StoreError::Damaged));
        client
            .batch_execute("ALTER TABLE halfkey_outcome ALTER keep_until TYPE boolean USING true")
            .await
            .unwrap();
        assert_eq!(store.outcome(&request(1), NOW).await, Err(StoreError::Damaged));
    });
}

#[test]
fn the_storage_key_is_replaced_while_servers_run() {
    let Some(database) = server::database() else { return };
    block_on(async {
        let store = create(&database).await;
        for n in 0..20 {
            store.commit(&granted(n, user(n), name(&format!("name-{n}")), None), NOW).await.unwrap();
        }
        // Every server knows the new key before one begins to seal under it.
        let also_new = keys().and(Secret::new([0x0F; 32]));
        let older = Store::open(pool(&database, 2), also_new).await.unwrap();
        let both = other_keys().and(Secret::new([0x5E; 32]));
        let newer = Store::open(pool(&database, 2), both).await.unwrap();
        newer.run(&AnnounceKey, NOW).await.unwrap();
        let mut rows = 0;
        loop {
            let sealed = newer.run(&Reseal { after: None, limit: 3 }, NOW.after(60)).await.unwrap();
            rows += sealed.rows;
            if rows < 60 {
                older.commit(&granted(100 + rows as u64, user(100), name("late"), None), NOW).await.unwrap();
            }
            if sealed.rows == 0 {
                break;
            }
        }
        // Row, alias, outcome and event of each; and whoever came late.
        assert!(rows >= 80, "{rows}");
        let newest = Store::open(pool(&database, 2), other_keys()).await;
        assert!(newest.is_ok(), "the older key is of no use any more");
        assert_eq!(older.confirm(&key(0), NOW).await, Ok(Confirmed::Active));
    });
}

/// Makes every insert of an outcome fail in this way.
fn failing(code: &str) -> String {
    format!(
        "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$; \
         DROP TRIGGER IF EXISTS fail ON halfkey_outcome; CREATE TRIGGER fail BEFORE INSERT ON halfkey_outcome FOR EACH ROW EXECUTE FUNCTION fail()"
    )
}

#[test]
fn what_fails_has_a_name_and_no_effect() {
    let Some(database) = server::database() else { return };
    block_on(async {
        let store = create(&database).await;
        let (client, outcome) = (connect(&database).await, granted(1, user(1), name("ann"), None));
        let number = |code| u32::from_str_radix(code, 36).unwrap();
        for (code, error) in [
            ("53100", StoreError::Full),
            ("25006", StoreError::ReadOnly),
            ("XX001", StoreError::Damaged),
            ("XX002", StoreError::Damaged),
            ("53200", StoreError::Unavailable(number("53200"))),
            ("57014", StoreError::Unavailable(number("57014"))),
            ("ZZZZZ", StoreError::Unavailable(number("ZZZZZ"))),
            // Without end: it gives up.
            ("40001", StoreError::Contended),
        ] {
            client.batch_execute(&failing(code)).await.unwrap();
            assert_eq!(store.commit(&outcome, NOW).await, Err(error), "{code}");
        }
        assert_eq!(count(&client, "SELECT count(*) FROM halfkey_registration").await, 0);
        client.batch_execute("DROP TRIGGER fail ON halfkey_outcome").await.unwrap();
        assert_eq!(store.commit(&outcome, NOW).await, Ok(Committed::Stored));

        // What no database has in a text is an error too, and no panic.
        let name_begins = Some("an\0n".to_owned());
        let filter = RegistrationFilter { name_begins, ..RegistrationFilter::default() };
        let nul = ListRegistrations { filter, ..ListRegistrations::default() };
        let untypable = OperatorError::Store(StoreError::Unavailable(number("22021")));
        assert_eq!(store.run(&nul, NOW).await.unwrap_err(), untypable);
        let after = Some("\0".parse::<Cursor>().unwrap());
        let nul = ListRegistrations { after, ..ListRegistrations::default() };
        assert_eq!(store.run(&nul, NOW).await.unwrap_err(), untypable);
        assert!(UserName::new("an\0n").is_err(), "and no name");
    });
}

#[test]
fn a_database_that_may_only_be_read_is_read() {
    let Some(database) = server::database() else { return };
    block_on(async {
        create(&database).await.commit(&granted(1, user(1), name("ann"), None), NOW).await.unwrap();
        let read_only = format!("{database} options='-c default_transaction_read_only=on'");
        let store = open(&read_only).await;
        assert_eq!(store.outcome(&request(1), NOW).await, Ok(Some(response(1))));
        assert_eq!(store.confirm(&key(1), NOW).await, Err(StoreError::ReadOnly));

        let pool = pool(&database, 2);
        let store = Store::open(pool.clone(), keys()).await.unwrap();
        pool.close();
        assert_eq!(store.outcome(&request(1), NOW).await, Err(StoreError::Unavailable(0)));
    });
}
