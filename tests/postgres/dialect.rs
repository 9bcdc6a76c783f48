//! The SQL is what wire-compatible databases run too: all that a store says to its database is read
//! in the server's log, and no word is in it that is not listed here.

use super::contract::in_schema;
use super::server::{self, Server};
use super::world::*;
use halfkey::port::contract::entitlement_store;
use halfkey::port::question::AsyncEntitlementStore;
use halfkey::postgres::Store;
use halfkey::store::operation::*;
use halfkey::store::{RegistrationState, StorageKeys};
use halfkey::{ApplicationName, Group, Secret};
use std::collections::BTreeSet;

/// Tables, indexes and primary keys; single statements; transactions and limits of time. Sequences,
/// triggers, locks, notifications, RETURNING, ON CONFLICT, casts and joins are not among them.
const WORDS: &str = "START TRANSACTION ISOLATION LEVEL SERIALIZABLE REPEATABLE READ ONLY COMMIT ROLLBACK \
    SET LOCAL SELECT INSERT INTO VALUES UPDATE DELETE FROM WHERE AND DESC ORDER BY LIMIT TRUE \
    CREATE TABLE INDEX ON ALTER ADD COLUMN RENAME TO DROP TEXT COLLATE C BIGINT BYTEA NOT NULL PRIMARY KEY";
const FUNCTIONS: [&str; 4] = ["count", "substr", "length", "current_schema"];

/// What a server was told, out of its log.
fn statements(log: &str) -> Vec<String> {
    let mut statements: Vec<String> = Vec::new();
    let mut within = false;
    for line in log.lines() {
        if let Some((_, sql)) =
            line.split_once("LOG:  execute <unnamed>: ").or(line.split_once("LOG:  statement: "))
        {
            statements.push(sql.to_owned());
            within = true;
        } else if within && line.starts_with('\t') {
            statements.last_mut().unwrap().push_str(line);
        } else {
            within = false;
        }
    }
    statements
}

/// The words of a statement, and which of them are called; texts are left out.
fn words(sql: &str) -> Vec<(String, bool)> {
    let mut words: Vec<(String, bool)> = Vec::new();
    let outside: String = sql.split('\'').step_by(2).collect();
    let mut open = false;
    for letter in outside.chars() {
        if letter.is_ascii_alphanumeric() || letter == '_' {
            if !open {
                words.push((String::new(), false));
            }
            words.last_mut().unwrap().0.push(letter);
            open = true;
        } else {
            if open && letter == '(' {
                words.last_mut().unwrap().1 = true;
            }
            open = false;
        }
    }
    words.retain(|(word, _)| !word.starts_with(|letter: char| letter.is_ascii_digit()));
    words
}

fn check(sql: &str) {
    assert!(!sql.contains("::") && !sql.contains("$$") && !sql.contains("--"), "{sql}");
    let allowed: BTreeSet<&str> = WORDS.split_whitespace().collect();
    for (word, called) in words(sql) {
        if word.contains(|letter: char| letter.is_ascii_uppercase()) {
            assert!(allowed.contains(&*word), "{word} in {sql}");
        } else if called {
            assert!(FUNCTIONS.contains(&&*word), "{word} in {sql}");
        }
    }
}

async fn look_at_everything(store: &Store) {
    let filter = RegistrationFilter {
        key_id_begins: None,
        name: Some(name("ann")),
        name_begins: Some("a".into()),
        user_id: Some(user(1)),
        access_path: Some(halfkey::AccessPath::new("/staff").unwrap()),
        state: Some(RegistrationState::Active),
        expires_by: Some(NOW),
    };
    store.run(&ListRegistrations { filter, ..ListRegistrations::default() }, NOW).await.unwrap();
    let after = Some("group user".parse().unwrap());
    store.run(&ListMembers { after, ..ListMembers::default() }, NOW).await.unwrap();
    store.run(&ListEvents::default(), NOW).await.unwrap();
    store.run(&ListReports::default(), NOW).await.unwrap();
    let rollout = ListRollout::of(RolloutFilter { application: ApplicationName::new("mail").unwrap() });
    store.run(&rollout, NOW).await.unwrap();
    store.run(&ListCodes::default(), NOW).await.unwrap();
    store.run(&ListRequests::default(), NOW).await.unwrap();
    store.run(&ListEntitlements::default(), NOW).await.unwrap();
    let group = Group::new("group").unwrap();
    store.run(&JoinGroup { user_id: user(1), group: group.clone() }, NOW).await.unwrap();
    store.run(&LeaveGroup { user_id: user(1), group }, NOW).await.unwrap();
    store.run(&RaiseEpoch, NOW).await.unwrap();
    store.commit(&granted(7000, user(1), name("zoe"), None), NOW).await.unwrap();
    store.run(&Purge { limit: 10 }, NOW.after(90 * 86_400)).await.unwrap();
    store.run(&Reseal { after: None, limit: 10 }, NOW).await.unwrap();
    store.run(&PurgeEvents { before: NOW.after(1), limit: 10 }, NOW).await.unwrap();
}

#[test]
fn a_store_says_nothing_that_other_databases_do_not_know() {
    let Some(server) = Server::new() else { return };
    let (database, mut made) = (server.database(), 0);
    // All but what makes the schemas is logged.
    let logged = |schema| format!("{database} options='-c search_path=s{schema} -c log_statement=all'");
    let kept = entitlement_store(&mut |seed| {
        made += 1;
        let (database, logged) = (database.clone(), logged(made));
        let store = there(async move {
            create(&in_schema(&database, made).await).await;
            open(&logged).await
        });
        Box::new(super::contract::seeded(store, seed))
    });
    assert_eq!(kept, Ok(()));
    server::block_on(async {
        // One is made under the log, and one migrated.
        let client = connect(&database).await;
        client.batch_execute("CREATE SCHEMA s100; CREATE SCHEMA s101; SET search_path = s101").await.unwrap();
        create(&logged(100)).await;
        client.batch_execute(include_str!("../../src/sql/migration/0001.sql")).await.unwrap();
        client.batch_execute(super::damaged::FIRST).await.unwrap();
        let rotated = StorageKeys::new(Secret::new([1; 32])).and(Secret::new([0x5E; 32]));
        look_at_everything(&Store::migrate(pool(&logged(101), 2), rotated).await.unwrap()).await;
    });
    let log = server.stop();
    let statements = statements(&log);
    for kind in
        ["CREATE", "ALTER", "START", "SET", "SELECT", "INSERT", "UPDATE", "DELETE", "COMMIT", "ROLLBACK"]
    {
        assert!(statements.iter().any(|sql| sql.starts_with(kind)), "{kind} in the log");
    }
    assert!(statements.len() > 1000, "{}", statements.len());
    statements.iter().for_each(|sql| check(sql));
}

#[test]
#[should_panic(expected = "RETURNING")]
fn another_word_would_be_seen() {
    check("DELETE FROM halfkey_name WHERE name = $1 RETURNING name");
}

#[test]
#[should_panic(expected = "nextval")]
fn another_function_would_be_seen() {
    check("SELECT nextval('numbers')");
}
