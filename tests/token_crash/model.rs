//! The parent's model of the token: acknowledged changes, and the change in progress.

use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    label: String,
    serial: u64,
}

/// A token as its process listed it.
#[derive(Debug, Default)]
struct Listed {
    pin: String,
    attempts: usize,
    keys: BTreeMap<String, Held>,
    joined: usize,
}

/// A token as it must be, as far as its process said.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// The unblocking code; none before the token's making was acknowledged.
    pub(crate) code: Option<String>,
    /// The PIN acknowledged last, and those that it may have been changed to since.
    pub(crate) pins: Vec<String>,
    keys: BTreeMap<String, Held>,
    /// Registrations seen under way, as attempts or as keys, that nobody has acknowledged.
    pending: usize,
    renewing: BTreeSet<String>,
    will: Vec<String>,
    listing: Listed,
    /// Acknowledged changes, by kind.
    pub(crate) done: BTreeMap<String, u64>,
    /// Lives that began with something under way, and went on with it.
    pub(crate) resumed: u64,
    /// Lives that found a change whose acknowledgement the kill had swallowed.
    pub(crate) swallowed: u64,
}

impl Model {
    /// Takes in a line of the token's process; whether something begins or ends with it.
    pub(crate) fn hear(&mut self, line: &str, newest: u64) -> bool {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["will", will @ ..] => {
                if let ["pin" | "unblock", pin] = will {
                    self.pins.push((*pin).into());
                }
                self.will = will.iter().map(ToString::to_string).collect();
            }
            ["did", did @ ..] => {
                *self.done.entry(did[0].into()).or_default() += 1;
                self.did(did);
                self.will.clear();
            }
            ["pin", pin] => self.listing = Listed { pin: (*pin).into(), ..Listed::default() },
            ["attempt", _] => self.listing.attempts += 1,
            ["key", key, progress, label, serial] => {
                self.listing.joined += usize::from(*progress == "joined");
                let held = Held { label: (*label).into(), serial: serial.parse().unwrap() };
                assert_eq!(self.listing.keys.insert((*key).into(), held), None, "a key twice");
            }
            ["listed", moment] => {
                let listed = std::mem::take(&mut self.listing);
                match *moment {
                    "begun" => self.begun(&listed, newest),
                    _ => self.recovered(listed),
                }
            }
            _ => panic!("{line}"),
        }
        matches!(words[0], "will" | "did" | "listed")
    }

    fn did(&mut self, did: &[&str]) {
        match did {
            ["create", code] => {
                self.code = Some((*code).into());
            }
            ["register", key] => {
                assert_eq!(self.keys.insert((*key).into(), Held { label: "-".into(), serial: 0 }), None);
            }
            ["renew", old, new] => {
                let held = self.keys.remove(*old).unwrap();
                self.keys.insert((*new).into(), held);
            }
            ["remove", key, ""] => assert!(self.keys.remove(*key).is_some()),
            ["rename", key, label, ""] => self.keys.get_mut(*key).unwrap().label = (*label).into(),
            ["configure", key, serial] => {
                let (held, new) = (self.keys.get_mut(*key).unwrap(), serial.parse().unwrap());
                assert!(new > 0 && new >= held.serial, "{did:?} after {}", held.serial);
                held.serial = new;
            }
            ["pin" | "unblock", pin, ""] => self.pins = vec![(*pin).into()],
            ["session", _, ""] | ["unlock", ""] => {}
            _ => panic!("{did:?}"),
        }
    }

    /// After a restart: everything acknowledged is there; what was under way is there whole or not
    /// at all.
    fn begun(&mut self, listed: &Listed, newest: u64) {
        let will: Vec<&str> = self.will.iter().map(String::as_str).collect();
        assert!(self.pins.contains(&listed.pin), "PIN {} is none of {:?}", listed.pin, self.pins);
        let mut swallowed = self.pins[0] != listed.pin;
        self.pins = vec![listed.pin.clone()];

        for (key, was) in std::mem::take(&mut self.keys) {
            let Some(now) = listed.keys.get(&key) else {
                let renewed = self.renewing.contains(&key) || will == ["renew", &key];
                assert!(will == ["remove", &key] || renewed, "{key} is gone: {listed:?} after {will:?}");
                if renewed {
                    // Its label and its document's number have gone over to the key that renews it.
                    let heir = listed.keys.iter().any(|(_, held)| *held == was);
                    assert!(heir, "nobody has what {key} held: {was:?} in {listed:?}");
                }
                swallowed = true;
                continue;
            };
            let relabelled = will.len() == 3 && will[..2] == ["rename", &key] && now.label == will[2];
            assert!(now.label == was.label || relabelled, "{key}: {now:?} was {was:?}, {will:?}");
            let configured = will == ["configure", &key] && now.serial > was.serial && now.serial <= newest;
            assert!(now.serial == was.serial || configured, "{key}: {now:?} was {was:?}, {will:?}");
            swallowed |= *now != was;
            self.keys.insert(key, now.clone());
        }
        let unknown = listed.keys.keys().filter(|key| !self.keys.contains_key(*key)).count();
        let pending = unknown + listed.attempts;
        let more = usize::from(matches!(will.first(), Some(&"register" | &"renew")));
        assert!(
            (self.pending..=self.pending + more).contains(&pending),
            "{} under way before, {pending} now: {listed:?} after {will:?}",
            self.pending
        );
        if let ["renew", earlier] = will.as_slice() {
            self.renewing.insert((*earlier).into());
        }
        self.pending = pending;
        self.resumed += u64::from(listed.attempts + listed.joined > 0);
        self.swallowed += u64::from(swallowed);
        self.will.clear();
    }

    /// All that was under way has ended well, and nothing else has changed.
    fn recovered(&mut self, listed: Listed) {
        assert_eq!((listed.attempts, listed.joined), (0, 0), "{listed:?}");
        for (key, was) in &self.keys {
            let now = listed.keys.get(key);
            let renewed = now.is_none() && self.renewing.contains(key);
            assert!(now == Some(was) || renewed, "{key}: {now:?} was {was:?}");
        }
        assert!(listed.keys.len() >= self.keys.len(), "a renewal erased a key and gave none: {listed:?}");
        self.keys = listed.keys;
        self.renewing.clear();
        self.pending = 0;
    }
}
