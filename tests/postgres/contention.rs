//! Two servers on one database: of all requests for the same thing, one succeeds.

use super::server;
use super::world::*;
use halfkey::message::Address;
use halfkey::port::entitlement_store::{
    Admission, Admitted, Committed, Confirmed, Document, EntitlementQuery, Status,
};
use halfkey::port::question::AsyncEntitlementStore;
use halfkey::record::{Lifecycle, Takes};
use halfkey::store::operation::{
    Entitle, IssueCode, JoinGroup, LeaveGroup, ListEntitlements, ListEvents, ListMembers, ListRegistrations,
    OperatorError, Purge,
};
use halfkey::store::{AuditEventKind, Subject};
use halfkey::{Alias, ApplicationName, Group, UserId};
use std::collections::{BTreeMap, BTreeSet};

/// How many ask at once.
const CROWD: u64 = 300;

fn database() -> Option<String> {
    let database = server::database()?;
    server::block_on(create(&database));
    Some(database)
}

#[test]
fn one_of_a_crowd_wins_each_name_the_code_and_the_old_key() {
    let Some(database) = database() else { return };
    let code = server::block_on(async {
        let store = open(&database).await;
        store.commit(&granted(1000, user(1000), name("elder"), None), NOW).await.unwrap();
        assert_eq!(store.confirm(&key(1000), NOW).await, Ok(Confirmed::Active));
        let issue = IssueCode { name: name("invited"), secret: secret(0, 9), expires: None };
        store.run(&issue, NOW).await.unwrap()
    });
    // Four names, one code, one key to renew: fifty want each.
    let wanted = move |n: u64| match n % 6 {
        0 => granted(n, user(n), name("invited"), Some(Takes::Code(code))),
        1 => granted(n, user(1000), name("elder"), Some(Takes::Place(key(1000)))),
        free => granted(n, user(n), name(&format!("free-{free}")), None),
    };
    let committed = on_two_servers(&database, CROWD, move |store, n| async move {
        let outcome = wanted(n);
        insist!(store.commit(&outcome, NOW))
    });
    // Who was told busy may have been stored before.
    assert!(committed.iter().zip(0..).all(|(committed, n)| match committed {
        Committed::Stored => true,
        Committed::Existing(bytes) => *bytes == response(n),
    }));
    let confirmed =
        on_two_servers(&database, CROWD, |store, n| async move { insist!(store.confirm(&key(n), NOW)) });
    let winners: Vec<u64> = (0..CROWD).filter(|n| confirmed[*n as usize] == Confirmed::Active).collect();
    let won: BTreeSet<u64> = winners.iter().map(|n| n % 6).collect();
    assert_eq!((winners.len(), won.len()), (6, 6), "{winners:?}");

    server::block_on(async {
        let store = open(&database).await;
        let rows = whole(&store, ListRegistrations::default(), |list, next| list.after = Some(next)).await;
        let of = |lifecycle| rows.iter().filter(move |row| row.lifecycle == lifecycle).map(|row| row.key_id);
        assert_eq!(of(Lifecycle::Active).collect::<BTreeSet<_>>(), winners.iter().map(|n| key(*n)).collect());
        assert_eq!(of(Lifecycle::Superseded).collect::<Vec<_>>(), [key(1000)]);
        assert_eq!(of(Lifecycle::Lost).count() as u64, CROWD - 6, "nobody is left pending");
        let events = whole(&store, ListEvents::default(), |list, next| list.after = Some(next)).await;
        let count = |kind| events.iter().filter(|event| event.kind == kind).count() as u64;
        assert_eq!(count(AuditEventKind::Granted), CROWD + 1);
        assert_eq!(count(AuditEventKind::Confirmed), 7, "no transaction counts twice");
        assert_eq!(count(AuditEventKind::Lost), CROWD - 6);
        super::audit::check(&database).await;
    });
}

#[test]
fn one_of_a_crowd_uses_a_challenge() {
    let Some(database) = database() else { return };
    server::block_on(async {
        let store = open(&database).await;
        store.commit(&granted(1, user(1), name("ann"), None), NOW).await.unwrap();
    });
    // The registration is pending: the first session confirms it.
    let admitted = on_two_servers(&database, CROWD, |store, n| async move {
        let admission = Admission::new(
            key(1),
            Address::Key(key(1)),
            Alias::new(id(n, 77)),
            Some(([9; 16], NOW.after(60))),
        );
        insist!(store.admit(&admission, NOW))
    });
    let count = |wanted: Admitted| admitted.iter().filter(|admitted| **admitted == wanted).count() as u64;
    assert_eq!(count(Admitted::As(Status::Active)), 1);
    assert_eq!(count(Admitted::Spent), CROWD - 1);
    server::block_on(async {
        let store = open(&database).await;
        let mut aliases = 0;
        for n in 0..CROWD {
            let address = Address::Alias(Alias::new(id(n, 77)));
            aliases += u64::from(store.registration(&address, NOW).await.unwrap().is_some());
        }
        assert_eq!(aliases, 1, "a challenge that was spent has no effect");
        super::audit::check(&database).await;
    });
}

#[test]
fn many_sessions_of_one_key_keep_its_aliases_in_bounds() {
    let Some(database) = database() else { return };
    server::block_on(async {
        let store = open(&database).await;
        store.commit(&granted(1, user(1), name("ann"), None), NOW).await.unwrap();
    });
    on_two_servers(&database, 60, |store, n| async move {
        let (address, next_alias) = (Address::Key(key(1)), Alias::new(id(n, 77)));
        let spend = Some((id(n, 78), NOW.after(60)));
        let admission = Admission::new(key(1), address, next_alias, spend);
        let admitted = insist!(store.admit(&admission, NOW));
        // Asked again after an answer that was lost on the way, it says that the challenge is spent.
        assert!(matches!(admitted, Admitted::As(Status::Active) | Admitted::Spent));
        insist!(store.confirm_alias(&key(1), &address, NOW));
    });
    server::block_on(async {
        let client = connect(&database).await;
        assert!(count(&client, "SELECT count(*) FROM halfkey_alias").await <= 5);
        let distinct = "SELECT count(*) - count(DISTINCT number) FROM halfkey_alias";
        assert_eq!(count(&client, distinct).await, 0);
        super::audit::check(&database).await;
    });
}

#[test]
fn all_who_commit_one_request_get_the_same_bytes() {
    let Some(database) = database() else { return };
    let answers = on_two_servers(&database, CROWD, |store, n| async move {
        // Each server has drawn its own SSK2: other bytes, and another key.
        let outcome = granted(n, user(n), name("ann"), None);
        let outcome = halfkey::record::NewOutcome { request: request(5000), ..outcome };
        match insist!(store.commit(&outcome, NOW)) {
            Committed::Stored => response(n),
            Committed::Existing(bytes) => bytes,
        }
    });
    let distinct: BTreeSet<_> = answers.iter().collect();
    assert_eq!(distinct.len(), 1);
    server::block_on(async {
        let store = open(&database).await;
        let stored = store.outcome(&request(5000), NOW).await.unwrap().unwrap();
        assert_eq!(&stored, *distinct.first().unwrap());
        let rows = whole(&store, ListRegistrations::default(), |list, next| list.after = Some(next)).await;
        assert_eq!(rows.len(), 1, "the keys of those who came later are nowhere");
        super::audit::check(&database).await;
    });
}

#[test]
fn serials_rise_and_none_is_given_twice() {
    let Some(database) = database() else { return };
    let application = ApplicationName::new("ledger").unwrap();
    let of = application.clone();
    // Few subjects, so that the same entitlement is changed at once; groups join in the counting.
    let serials = on_two_servers(&database, CROWD, move |store, n| {
        let application = of.clone();
        async move {
            let (user_id, group) = (user(n % 3), Group::new(&format!("group-{}", n % 4)).unwrap());
            let join = JoinGroup { user_id: user_id.clone(), group: group.clone() };
            let leave = LeaveGroup { user_id, group };
            match n % 3 {
                0 => {
                    let document =
                        Document { media_type: "text/plain".into(), body: n.to_be_bytes().to_vec() };
                    let subject = Subject::User(user(n % 5));
                    let entitle = Entitle::new(subject, application, document);
                    Some((n, insist!(store.run(&entitle, NOW))))
                }
                1 => {
                    insist!(store.run(&join, NOW));
                    None
                }
                _ => {
                    insist!(store.run(&leave, NOW));
                    None
                }
            }
        }
    });
    let serials: Vec<_> = serials.into_iter().flatten().collect();
    let distinct: BTreeSet<_> = serials.iter().map(|(_, serial)| *serial).collect();
    assert_eq!(distinct.len(), serials.len());
    let mut newest: BTreeMap<UserId, (_, u64)> = BTreeMap::new();
    for (n, serial) in &serials {
        let entry = newest.entry(user(n % 5)).or_insert((*serial, *n));
        *entry = (*entry).max((*serial, *n));
    }
    server::block_on(async {
        let store = open(&database).await;
        let all = whole(&store, ListEntitlements::default(), |list, next| list.after = Some(next)).await;
        assert_eq!(all.len(), newest.len());
        for (user_id, (serial, n)) in newest {
            let query = EntitlementQuery::new(
                key(1),
                user_id,
                halfkey::AccessPath::new("/staff").unwrap(),
                application.clone(),
            );
            let held = store.entitlement(&query, NOW).await.unwrap().unwrap();
            assert_eq!(held.document.unwrap().body, n.to_be_bytes(), "the newest is the one that counts");
            assert!(held.serial >= serial);
        }
        whole(&store, ListMembers::default(), |list, next| list.after = Some(next)).await;
        super::audit::check(&database).await;
    });
}

#[test]
fn those_who_purge_at_once_purge_once() {
    let Some(database) = database() else { return };
    on_two_servers(&database, 60, |store, n| async move {
        let outcome = granted(n, user(n), name(&format!("name-{n}")), None);
        insist!(store.commit(&outcome, NOW));
    });
    let purged = on_two_servers(&database, 8, |store, _| async move {
        let (mut outcomes, mut lost) = (0, 0);
        loop {
            let later = NOW.after(2 * 86_400);
            match store.run(&Purge { limit: 7 }, later).await {
                Ok(purged) => {
                    (outcomes, lost) = (outcomes + purged.outcomes, lost + purged.lost);
                    if !purged.more {
                        return (outcomes, lost);
                    }
                }
                Err(OperatorError::Store(halfkey::port::StoreError::Contended)) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
    });
    let sum = purged.iter().fold((0, 0), |sum, purged| (sum.0 + purged.0, sum.1 + purged.1));
    assert_eq!(sum, (60, 60));
    server::block_on(super::audit::check(&database));
}
