//! Files of state: whatever is in them, sealed under the right key or not.

use super::play::Play;
use super::world::{self, Counting};
use halfkey::Secret;
use halfkey::memory::Store;
use halfkey::suite::{Suite, XWING};

/// What a store's file begins with; it is the label of its seal too.
const STORE: &[u8] = b"halfkey/1 store, version 1\n";

/// A store's file, and a text that somebody with the key sealed.
pub fn store(bytes: &[u8]) {
    let mut play = Play(bytes);
    let key = Secret::new([7; 32]);
    let example = example(&key);
    let file = match play.byte() % 4 {
        0 => play.0.to_vec(),
        1 => play.meddle(&example, &[]),
        2 => seal(&key, play.0),
        _ => {
            let text = play.meddle(&open(&key, &example), &[]);
            seal(&key, &text)
        }
    };
    let Ok(store) = Store::load(&file, &key) else { return };
    let again = store.save(&key, &mut Counting::new(9));
    let again = Store::load(&again, &key).unwrap();
    assert_eq!(store.registrations().len(), again.registrations().len());
    assert_eq!(again.save(&key, &mut Counting::new(9)), store.save(&key, &mut Counting::new(9)));
}

fn example(key: &Secret) -> Vec<u8> {
    let store = Store::new();
    for n in 0..2 {
        world::enrol(&store, n, world::policy(n.into()));
    }
    store.save(key, &mut Counting::new(8))
}

fn sealing_key(key: &Secret, salt: &[u8]) -> Secret {
    Secret::new(XWING.mac(key, &[STORE, &[0], salt, &[1]]))
}

fn seal(key: &Secret, text: &[u8]) -> Vec<u8> {
    let (salt, mut text) = ([1; 32], text.to_vec());
    XWING.seal(&sealing_key(key, &salt), &[0; 12], &[], &mut text);
    [STORE, &salt, &text].concat()
}

fn open(key: &Secret, file: &[u8]) -> Vec<u8> {
    let (salt, text) = file[STORE.len()..].split_at(32);
    let mut text = text.to_vec();
    XWING.open(&sealing_key(key, salt), &[0; 12], &[], &mut text).unwrap();
    text
}
