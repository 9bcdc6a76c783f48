//! Files with flipped bits or cut ends are refused, or read as they were before the damage.

use super::gate::Gate;
use super::survey::{holdings, survey};
use super::{Directory, NOW, common::Counting, keys, migration};
use halfkey::port::EntitlementStore;
use halfkey::record::Applicant;
use halfkey::sqlite::{OpenError, Store};
use halfkey::store::operation::*;
use halfkey::store::{OperatorError, UniqueNames};
use halfkey::{Group, RandomSource, Secret, UnixTime, UserId, UserName};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const PAGE: usize = 4096;

/// A file with people of every kind in it, and when it was left.
fn peopled(directory: &Directory) -> (Vec<u8>, UnixTime) {
    let path = directory.0.join("peopled");
    let store = Store::create(&path, keys(), UniqueNames::Always).unwrap();
    let gate = Gate::new(UnixTime::from_secs(super::common::START), 30);
    migration::live(&gate, &store);
    drop(store);
    assert!(!path.with_extension("-wal").exists());
    (fs::read(&path).unwrap(), gate.now.get())
}

fn put(path: &Path, database: &[u8], log: &[u8]) {
    fs::write(path, database).unwrap();
    for (end, bytes) in [("-wal", log), ("-shm", &[])] {
        let beside = format!("{}{end}", path.display());
        let _ = fs::remove_file(&beside);
        if !bytes.is_empty() {
            fs::write(beside, bytes).unwrap();
        }
    }
}

/// Asks a store this and that, and has it write. Whatever it says, it says so.
fn use_it(store: &Store, now: UnixTime) {
    let name = UserName::new("mallory").unwrap();
    let _ = store.applicant(&Applicant { name: name.clone(), proof: None }, now);
    let _ = store.run(&IssueCode { name, secret: Secret::new([9; 32]), expires: None }, now);
    let (user_id, group) = (UserId::new("mallory").unwrap(), Group::new("staff").unwrap());
    let _ = store.run(&JoinGroup { user_id, group }, now);
    let _ = store.run(&Purge { limit: 100 }, now.after(100 * 86_400));
    let rows = store.run(&ListRegistrations::default(), now).map_or(Vec::new(), |page| page.entries);
    for row in rows {
        let _ = store.confirm(&row.key_id, now);
        let _ = store.run(&Revoke(row.key_id), now);
    }
}

/// How damaged files were taken.
#[derive(Debug, Default)]
struct Tally {
    refused: u32,
    not_opened: u32,
    /// Some rows are not found any more.
    fewer: u32,
    same: u32,
}

/// No row comes out of a damaged file that was not in the good one.
fn judge(path: &Path, good: &BTreeSet<String>, now: UnixTime, what: &str, tally: &mut Tally) {
    let store = match Store::open(path, keys()) {
        Ok(store) => store,
        Err(OpenError::Newer { .. } | OpenError::Exists) => panic!("{what}"),
        Err(_) => return tally.not_opened += 1,
    };
    match holdings(&store, now) {
        Err(OperatorError::Store(_)) => tally.refused += 1,
        Err(other) => panic!("{what}: {other:?}"),
        Ok(lines) => {
            let lines: BTreeSet<String> = lines.into_iter().collect();
            assert!(lines.is_subset(good), "{what}: {:?}", lines.difference(good).collect::<Vec<_>>());
            if lines.len() < good.len() { tally.fewer += 1 } else { tally.same += 1 }
        }
    }
    if (tally.refused + tally.same).is_multiple_of(8) {
        use_it(&store, now);
    }
}

/// The offsets of each kind: the file's header, each page's header, its cell pointers, and some of its
/// cells.
fn offsets(file: &[u8], random: &mut Counting) -> Vec<usize> {
    let mut offsets: Vec<usize> = (0..100).collect();
    for page in (0..file.len()).step_by(PAGE) {
        let header = if page == 0 { 100 } else { page };
        offsets.extend(header..header + 12);
        let cells = usize::from(u16::from_be_bytes([file[header + 3], file[header + 4]]));
        offsets.extend((header + 8..header + 8 + 2 * cells).take(4));
        let content = usize::from(u16::from_be_bytes([file[header + 5], file[header + 6]]));
        let used = PAGE - content.min(PAGE - 1);
        for _ in 0..4 {
            offsets.push(page + PAGE - 1 - draw(random) % used);
        }
    }
    offsets
}

fn draw(random: &mut Counting) -> usize {
    let mut bytes = [0; 4];
    random.fill(&mut bytes);
    u32::from_le_bytes(bytes) as usize
}

#[test]
fn a_flipped_bit_is_noticed_or_hides_what_it_hit() {
    let directory = Directory::quick("flipped");
    let (file, now) = peopled(&directory);
    let path = directory.0.join("flipped");
    put(&path, &file, &[]);
    let good: BTreeSet<String> =
        holdings(&Store::open(&path, keys()).unwrap(), now).unwrap().into_iter().collect();
    let (mut tally, random) = (Tally::default(), &mut Counting::new(5));
    for offset in offsets(&file, random) {
        let mut file = file.clone();
        let bit = draw(random) % 8;
        file[offset] ^= 1 << bit;
        put(&path, &file, &[]);
        judge(&path, &good, now, &format!("bit {bit} of byte {offset}"), &mut tally);
    }
    println!("bits flipped in {} pages: {tally:?}", file.len() / PAGE);
    assert!(tally.refused > 100 && tally.not_opened > 20 && tally.same > 100, "{tally:?}");
    put(&path, &file, &[]);
    judge(&path, &good, now, "the good one", &mut Tally::default());
}

#[test]
fn a_file_that_was_cut_off_is_refused() {
    let directory = Directory::quick("cut");
    let (file, now) = peopled(&directory);
    let path = directory.0.join("cut");
    put(&path, &file, &[]);
    let good: BTreeSet<String> =
        holdings(&Store::open(&path, keys()).unwrap(), now).unwrap().into_iter().collect();
    let ends = (PAGE..file.len()).step_by(PAGE).flat_map(|end| [end - 1, end, end + 1]);
    let mut tally = Tally::default();
    for length in [0, 1, 15, 16, 99, 100, 101, 511, 512, file.len() - 1].into_iter().chain(ends) {
        put(&path, &file[..length], &[]);
        judge(&path, &good, now, &format!("cut to {length} bytes"), &mut tally);
    }
    println!("cut off: {tally:?}");
    // The last page may be one that nobody has written to yet.
    assert!(tally.fewer == 0 && tally.same <= 2, "{tally:?}");
}

#[test]
fn a_damaged_log_gives_a_state_that_was() {
    let directory = Directory::quick("log");
    let path = directory.0.join("store");
    drop(Store::create(&path, keys(), UniqueNames::Always).unwrap());
    let store = Store::open(&path, keys()).unwrap();
    let state = |store: &Store| survey(store, NOW).unwrap();
    let mut states = vec![state(&store)];
    let (user_id, group) = (|n: u8| UserId::new(&format!("user-{n}")).unwrap(), Group::new("staff").unwrap());
    for n in 0..12 {
        store.run(&JoinGroup { user_id: user_id(n), group: group.clone() }, NOW).unwrap();
        states.push(state(&store));
        let name = UserName::new(&format!("name-{n}")).unwrap();
        store.run(&IssueCode { name, secret: Secret::new([n; 32]), expires: None }, NOW).unwrap();
        states.push(state(&store));
    }
    let (file, log) = (fs::read(&path).unwrap(), fs::read(directory.0.join("store-wal")).unwrap());
    let copy = directory.0.join("copy");
    let (mut seen, mut refused) = (BTreeSet::new(), 0);
    let mut judge = |log: &[u8], what: &str| {
        put(&copy, &file, log);
        match Store::open(&copy, keys()) {
            Err(_) => refused += 1,
            Ok(store) => match survey(&store, NOW) {
                Err(_) => refused += 1,
                Ok(found) => {
                    let place = states.iter().position(|state| *state == found);
                    seen.insert(place.unwrap_or_else(|| panic!("{what}: a state that never was")));
                    if seen.len().is_multiple_of(8) {
                        use_it(&store, NOW);
                    }
                }
            },
        }
    };
    let frames: Vec<usize> = (32..log.len()).step_by(24 + PAGE).collect();
    for frame in frames.iter().step_by(3) {
        for length in [frame - 1, *frame, frame + 1, frame + 24, frame + 24 + PAGE / 2] {
            judge(&log[..length.min(log.len())], &format!("cut to {length} bytes"));
        }
    }
    let random = &mut Counting::new(6);
    let some = frames.iter().step_by(7).flat_map(|frame| {
        let data = frame + 24 + draw(random) % PAGE;
        (*frame..frame + 24).step_by(1 + frame % 3).chain([data]).collect::<Vec<_>>()
    });
    for offset in (0..32).chain(some) {
        let mut log = log.clone();
        log[offset] ^= 1 << (offset % 8);
        judge(&log, &format!("byte {offset}"));
    }
    let last = states.len() - 1;
    judge(&log, "the good one");
    println!(
        "{} frames of a log damaged: {} of {} states seen, {refused} refused",
        frames.len(),
        seen.len(),
        last + 1
    );
    assert!(seen.contains(&last) && seen.len() > states.len() / 2, "{seen:?}");
}
