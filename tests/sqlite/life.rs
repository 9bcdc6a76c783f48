//! A server over a store in SQLite: restarted, with its storage key changed, and with its file stolen.

use super::gate::Gate;
use super::keeper::Keeper;
use super::survey::{hangs_together, survey};
use super::{Directory, migration, shell, travel};
use crate::common::client::Configured;
use halfkey::message::Address;
use halfkey::port::EntitlementStore;
use halfkey::port::entitlement_store::Document;
use halfkey::record::{Applicant, Lifecycle, ProofId};
use halfkey::registration::token::Credential;
use halfkey::sqlite::{OpenError, Store};
use halfkey::store::operation::*;
use halfkey::store::{AuditEventKind, StorageKeys, Subject, UniqueNames};
use halfkey::{AccessPath, ApplicationName, Group, KeyId, Secret, UnixTime, UserName};
use std::collections::HashSet;
use std::fs;
use std::sync::LazyLock;

static OLD: LazyLock<Secret> = LazyLock::new(|| Secret::new([0xA7; 32]));
static NEW: LazyLock<Secret> = LazyLock::new(|| Secret::new([0xB2; 32]));

fn gate() -> Gate {
    Gate::new(UnixTime::from_secs(super::common::START), 30)
}

#[test]
fn a_server_goes_on_after_a_restart() {
    let directory = Directory::new("story");
    let path = directory.0.join("store");
    let (gate, mail) = (gate(), ApplicationName::new("mail").unwrap());
    let mut alice = Keeper::blank(gate.anchors.clone(), 40);
    let store = Store::create(&path, StorageKeys::new(OLD.clone()), UniqueNames::Always).unwrap();
    let entitle = |store: &Store, body: &str| {
        let subject = Subject::AccessPath(AccessPath::new("/staff").unwrap());
        let document = Document { media_type: "text/plain".into(), body: body.into() };
        let application = mail.clone();
        store.run(&Entitle::new(subject, application, document), gate.now.get()).unwrap();
    };
    entitle(&store, "one");
    let mut holder = gate.holder(&store, &mut alice);
    let first = holder.registered("alice", Credential::None);
    holder.session().unwrap();
    assert_eq!(holder.configure(&mail).unwrap(), Configured::Installed);
    drop(store);

    let store = Store::open(&path, StorageKeys::new(OLD.clone())).unwrap();
    let mut holder = gate.holder(&store, &mut alice);
    assert_eq!(holder.configure(&mail).unwrap(), Configured::Unchanged);
    entitle(&store, "two");
    let second = holder.registered("alice", Credential::Renewal(first.key_id));
    assert_eq!(holder.configure(&mail).unwrap(), Configured::Installed);
    drop(store);

    let store = Store::open(&path, StorageKeys::new(OLD.clone())).unwrap();
    gate.holder(&store, &mut alice).session().unwrap();
    let states = [first.key_id, second.key_id]
        .map(|key_id| store.registration(&Address::Key(key_id), gate.now.get()).unwrap().unwrap().lifecycle);
    assert_eq!(states, [Lifecycle::Superseded, Lifecycle::Active]);
}

#[test]
fn a_user_travels_without_registering_again() {
    let directory = Directory::new("travel");
    let keys = StorageKeys::new(OLD.clone());
    let store = Store::create(directory.0.join("store"), keys, UniqueNames::Always).unwrap();
    travel::there_and_back(&store, &|entitle, now| {
        store.run(entitle, now).unwrap();
    });
}

/// Whichever clock is wrong, of whom announces the key or of whom lacks it: the key seals when nobody lacks it who has
/// been asked, and not before.
#[test]
fn wrong_clocks_change_no_storage_key_too_early_and_hold_none_up() {
    let directory = Directory::new("rotation-clocks");
    let path = directory.0.join("store");
    let now = UnixTime::from_secs(2_000_000_000);
    let (before, later) = (UnixTime::from_secs(now.as_secs() - 86_400), now.after(30 * 365 * 86_400));
    let reseal = |store: &Store, at: UnixTime| {
        store.run(&Reseal { after: None, limit: 100 }, at).map(|resealed| resealed.next.is_some())
    };
    let says = |store: &Store, at: UnixTime| {
        let document = Document { media_type: "text/plain".into(), body: b"x".to_vec() };
        let subject = Subject::Group(Group::new("staff").unwrap());
        store.run(&Entitle::new(subject, ApplicationName::new("mail").unwrap(), document), at).unwrap();
    };
    for (n, clock) in [before, now, later].into_iter().enumerate() {
        let path = path.with_extension(n.to_string());
        let server = Store::create(&path, StorageKeys::new(OLD.clone()), UniqueNames::Always).unwrap();
        let admin = Store::open(&path, StorageKeys::new(NEW.clone()).and(OLD.clone())).unwrap();
        let lacking = |at: UnixTime| {
            let kind = Some(AuditEventKind::StorageKeyLacking);
            let filter = EventFilter { kind, ..EventFilter::default() };
            admin.run(&ListEvents::of(filter), at).unwrap().entries.len()
        };
        // Announced by a clock that is ahead, and asked again when it is right.
        admin.run(&AnnounceKey, later).unwrap();
        says(&server, now);
        says(&server, now);
        assert_eq!(lacking(now), 1, "once for each announcement");
        assert_eq!(reseal(&admin, now.after(60)), Err(OperatorError::KeyNotAnnounced));
        admin.run(&AnnounceKey, now).unwrap();
        // The server's clock.
        says(&server, clock);
        says(&server, clock);
        assert_eq!((lacking(now), reseal(&admin, now.after(60))), (2, Err(OperatorError::KeyLacking)));
        drop(server);
        let server = Store::open(&path, StorageKeys::new(OLD.clone()).and(NEW.clone())).unwrap();
        admin.run(&AnnounceKey, now).unwrap();
        says(&server, clock);
        assert_eq!((lacking(now), reseal(&admin, now.after(60))), (2, Ok(false)));
        says(&server, clock);
    }
}

#[test]
fn a_storage_key_is_changed_while_the_store_is_used() {
    let directory = Directory::new("rotation");
    let path = directory.0.join("store");
    let gate = gate();
    let mut store = Store::create(&path, StorageKeys::new(OLD.clone()), UniqueNames::Always).unwrap();
    migration::live(&gate, &store);
    let now = gate.now.get();
    let mut alice = Keeper::blank(gate.anchors.clone(), 90);
    gate.holder(&store, &mut alice).registered("zoe", Credential::None);

    // A server that is not given the new key says so, and the key does not seal.
    let admin = Store::open(&path, StorageKeys::new(NEW.clone()).and(OLD.clone())).unwrap();
    let reseal = |store: &Store, at: UnixTime| store.run(&Reseal { after: None, limit: 3 }, at);
    assert_eq!(reseal(&admin, now), Err(OperatorError::KeyNotAnnounced));
    admin.run(&AnnounceKey, now).unwrap();
    assert_eq!(reseal(&admin, now.after(59)), Err(OperatorError::KeyNotAnnounced));
    for _ in 0..3 {
        gate.holder(&store, &mut alice).session().unwrap();
    }
    let of_kind = |kind| ListEvents::of(EventFilter { kind: Some(kind), ..EventFilter::default() });
    let lacking = of_kind(AuditEventKind::StorageKeyLacking);
    assert_eq!(admin.run(&lacking, now).unwrap().entries.len(), 1, "once for each announcement");
    assert_eq!(reseal(&admin, now.after(60)), Err(OperatorError::KeyLacking));
    drop(admin);

    // Every process is given the new key, and it is announced again.
    store = {
        drop(store);
        Store::open(&path, StorageKeys::new(OLD.clone()).and(NEW.clone())).unwrap()
    };
    let second = Store::open(&path, StorageKeys::new(NEW.clone()).and(OLD.clone())).unwrap();
    second.run(&AnnounceKey, now.after(1)).unwrap();
    let announced = second.run(&Count, now).unwrap().announced.unwrap();
    assert_eq!(announced, (StorageKeys::new(NEW.clone()).current_id(), now.after(1)));
    gate.holder(&store, &mut alice).session().unwrap();
    let good = survey(&store, now).unwrap();
    let late = now.after(61);
    let (mut rounds, mut rows, mut after) = (0, 0, None);
    loop {
        let Resealed { rows: resealed, next, .. } = second.run(&Reseal { after, limit: 3 }, late).unwrap();
        (rounds, rows) = (rounds + 1, rows + resealed);
        if rounds < 3 {
            let mut seen = survey(&store, now).unwrap();
            seen.retain(|line| !line.contains("StorageKeyChanged"));
            assert_eq!(seen, good);
        } else {
            gate.holder(&store, &mut alice).session().unwrap();
        }
        if next.is_none() {
            break;
        }
        after = next;
    }
    assert!(rounds > 3 && rows > 30, "{rounds} rounds, {rows} rows");
    // The other process seals with the new key, too: one pass more finds nothing.
    gate.holder(&store, &mut alice).session().unwrap();
    let reseal = Reseal { after: None, limit: 100 };
    while second.run(&reseal, late).unwrap().rows > 0 {}
    gate.holder(&store, &mut alice).session().unwrap();
    assert_eq!(second.run(&reseal, late).unwrap(), Resealed::default());
    drop((store, second));

    assert_eq!(Store::open(&path, StorageKeys::new(OLD.clone())).err(), Some(OpenError::StorageKey));
    let store = Store::open(&path, StorageKeys::new(NEW.clone())).unwrap();
    assert_eq!(survey(&store, now).unwrap().len(), good.len() + 1, "that the key was changed");
    hangs_together(&store, now).unwrap();
    gate.holder(&store, &mut alice).session().unwrap();
}

/// Of two processes, each counts for itself; the clock of one is behind.
#[test]
fn the_log_of_two_processes_is_in_the_order_of_cause_and_effect() {
    let directory = Directory::new("order");
    let path = directory.0.join("store");
    let gate = gate();
    let keys = || StorageKeys::new(OLD.clone());
    let server = Store::create(&path, keys(), UniqueNames::Always).unwrap();
    let operator = Store::open(&path, keys()).unwrap();
    for n in 0..20 {
        let mut keeper = Keeper::blank(gate.anchors.clone(), 90 + n);
        gate.holder(&server, &mut keeper).registered(&format!("name-{n}"), Credential::None);
    }
    let (now, behind) = (gate.now.get(), UnixTime::from_secs(gate.now.get().as_secs() - 5));
    let rows = operator.run(&ListRegistrations::default(), now).unwrap().entries;
    for (n, row) in rows.iter().enumerate() {
        let at = if n % 2 == 0 { now } else { behind };
        operator.run(&Suspend(row.key_id), at).unwrap();
        server.run(&Resume(row.key_id), now).unwrap();
        operator.run(&Revoke(row.key_id), at).unwrap();
        let filter = EventFilter { key_id: Some(row.key_id), ..EventFilter::default() };
        let log = server.run(&ListEvents::of(filter), now).unwrap().entries;
        let kinds: Vec<_> = log.iter().map(|event| event.kind.word()).collect();
        assert_eq!(kinds, ["granted", "confirmed", "suspended", "resumed", "revoked"], "{n}");
    }
}

#[test]
fn a_stolen_file_shows_who_is_registered_and_no_key() {
    let directory = Directory::new("stolen");
    let path = directory.0.join("store");
    let (gate, key) = (gate(), StorageKeys::new(OLD.clone()));
    let store = Store::create(&path, key, UniqueNames::Always).unwrap();
    migration::live(&gate, &store);
    let now = gate.now.get();
    let mut alice = Keeper::blank(gate.anchors.clone(), 90);
    gate.holder(&store, &mut alice).registered("zoe", Credential::None);

    let mut secrets: Vec<[u8; 32]> = alice.secrets();
    secrets.push(*OLD.expose());
    for row in store.run(&ListRegistrations::default(), now).unwrap().entries {
        let keys = store.registration(&Address::Key(row.key_id), now).unwrap().unwrap().keys;
        secrets.extend([keys.auth, keys.derive, keys.renew].map(|key| *key.expose()));
        let tags = store.expected(&row.key_id, now).unwrap();
        secrets.extend(
            tags.iter().flat_map(|tags| [&tags.confirm, &tags.done, &tags.lost]).map(|tag| *tag.expose()),
        );
    }
    let heidi = Applicant { name: UserName::new("heidi").unwrap(), proof: Some(ProofId::Activation) };
    secrets.push(*store.applicant(&heidi, now).unwrap().activation.unwrap().secret.expose());
    let waiting = &store.run(&ListRequests::default(), now).unwrap().entries[0];
    let grace = Applicant { name: waiting.name.clone(), proof: Some(ProofId::Ticket(waiting.ticket_id)) };
    secrets.push(*store.applicant(&grace, now).unwrap().waiting.unwrap().ticket.expose());
    assert!(secrets.len() > 40, "{}", secrets.len());

    let mut bytes = fs::read(&path).unwrap();
    bytes.extend(fs::read(directory.0.join("store-wal")).unwrap());
    let windows: HashSet<&[u8]> = bytes.windows(16).collect();
    assert!(windows.contains(&b"halfkey_registration"[..16]));
    for secret in &secrets {
        // A half of it would be too much.
        assert!(!windows.contains(&secret[..16]) && !windows.contains(&secret[16..]));
        let written = KeyId::new(*secret.first_chunk().unwrap()).to_string();
        assert!(!windows.contains(&written.as_bytes()[..16]));
    }

    // What the documentation of the module shows.
    let shell = shell(&path);
    let sql =
        "SELECT name, state, datetime(confirmed_at, 'unixepoch') FROM halfkey_registration ORDER BY name";
    let mut select = shell.prepare(sql).unwrap();
    let line =
        |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get(2)?));
    let rows: Vec<(String, String, Option<String>)> =
        select.query_map([], line).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows[0], ("alice".into(), "active".into(), Some("2027-01-15 08:00:00".into())));
    assert!(rows.contains(&("frank".into(), "pending".into(), None)));
}
