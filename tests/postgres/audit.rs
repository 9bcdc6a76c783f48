//! What must hold of every store's tables, whatever has happened to it.

use super::world::{NOW, connect, keys, pool};
use halfkey::postgres::Store;
use halfkey::store::StorageKeys;
use halfkey::store::operation::{AnnounceKey, Reseal};
use halfkey::{Secret, SystemRandom};

/// Rows that must not be, and what they would be.
const NEVER: [(&str, &str); 9] = [
    (
        "an active registration whose name is not its user's",
        "SELECT count(*) FROM halfkey_registration r WHERE r.state IN ('active', 'suspended') AND NOT EXISTS \
         (SELECT 1 FROM halfkey_name n WHERE n.name = r.name AND n.user_id = r.user_id)",
    ),
    (
        "a name that nobody ever had",
        "SELECT count(*) FROM halfkey_name n WHERE NOT EXISTS (SELECT 1 FROM halfkey_registration r \
         WHERE r.name = n.name AND r.user_id = n.user_id AND r.confirmed_at IS NOT NULL)",
    ),
    (
        "two active registrations of one name",
        "SELECT count(*) FROM (SELECT name FROM halfkey_registration WHERE state = 'active' \
         GROUP BY name HAVING count(*) > 1) twice",
    ),
    (
        "two heirs of one key",
        "SELECT count(*) FROM (SELECT renews FROM halfkey_registration WHERE renews IS NOT NULL \
         AND confirmed_at IS NOT NULL GROUP BY renews HAVING count(*) > 1) twice",
    ),
    (
        "a code for a name that is taken",
        "SELECT count(*) FROM halfkey_activation_code c JOIN halfkey_name n ON n.name = c.name",
    ),
    (
        "an alias of no registration",
        "SELECT count(*) FROM halfkey_alias a WHERE NOT EXISTS \
         (SELECT 1 FROM halfkey_registration r WHERE r.key_id = a.key_id)",
    ),
    (
        "a pending registration without its outcome",
        "SELECT count(*) FROM halfkey_registration r WHERE r.state = 'pending' AND NOT EXISTS \
         (SELECT 1 FROM halfkey_outcome o WHERE o.request = r.request)",
    ),
    (
        "a registration without its event",
        "SELECT count(*) FROM halfkey_registration r WHERE NOT EXISTS \
         (SELECT 1 FROM halfkey_event e WHERE e.key_id = r.key_id AND e.kind = 'granted')",
    ),
    (
        "a serial that was not counted, or was given twice",
        "SELECT count(*) - count(DISTINCT number) + count(*) FILTER (WHERE number > \
         (SELECT coalesce(max(number), 0) FROM halfkey_counter)) FROM halfkey_entitlement",
    ),
];

/// Looks at every row of every table. The rows are sealed under another key and then under the same
/// again, for which each must be read.
pub async fn check(database: &str) {
    let client = connect(database).await;
    for (what, never) in NEVER {
        let found: i64 = client.query_one(never, &[]).await.unwrap().get(0);
        assert_eq!(found, 0, "{what}");
    }
    let other = Secret::random(&mut SystemRandom);
    let before = StorageKeys::new(other.clone()).and(Secret::new([0x5E; 32]));
    for keys in [before, keys().and(other)] {
        let store = Store::open(pool(database, 2), keys).await.unwrap();
        store.run(&AnnounceKey, NOW).await.unwrap();
        while store.run(&Reseal { after: None, limit: 500 }, NOW.after(60)).await.unwrap().rows > 0 {}
    }
}
