//! Files of state: whatever is in them, sealed under the right key or not.

use super::play::Play;
use super::story;
use super::world::{self, Counting, at, fixed};
use halfkey::memory::Store;
use halfkey::port::Token;
use halfkey::software::{PinSettings, SoftwareToken};
use halfkey::store::operation::ListRegistrations;
use halfkey::suite::{Suite, XWING};
use halfkey::{RandomSource, Secret};
use std::sync::OnceLock;

/// First line of each file, which is also the label of its seal.
const STORE: &[u8] = b"halfkey/1 store, version 3\n";
const TOKEN: &[u8] = b"halfkey/1 token, version 3\n";

const PIN: &str = "2468";

/// A store's file, and a text that somebody with the key sealed.
pub fn store(bytes: &[u8]) {
    let mut play = Play(bytes);
    let key = Secret::new([7; 32]);
    let example = example_store(&key);
    let none = &[];
    let file = match play.byte() % 4 {
        0 => play.0.to_vec(),
        1 => play.meddle(&example, &[]),
        2 => [STORE, &seal(&key, STORE, none, play.0)].concat(),
        _ => {
            let honest = open(&key, STORE, none, &example[STORE.len()..]);
            let text = play.meddle(&honest, &[]);
            let file = [STORE, &seal(&key, STORE, none, &text)].concat();
            assert!(text != honest || Store::load(&file, &key).is_ok(), "an honest file refused");
            file
        }
    };
    let Ok(store) = Store::load(&file, &key) else { return assert!(file != example) };
    let again = store.save(&key, &mut Counting::new(9));
    let again = Store::load(&again, &key).unwrap();
    let listed = |store: &Store| store.run(&ListRegistrations::default(), at(1)).map(|page| page.entries);
    assert_eq!(listed(&store), listed(&again));
    assert_eq!(again.save(&key, &mut Counting::new(9)), store.save(&key, &mut Counting::new(9)));
}

/// A token's file, and a text that somebody with the data key sealed.
pub fn token(bytes: &[u8]) {
    let mut play = Play(bytes);
    let (file, sealed) = example_token();
    let (body, text) = file.split_at(file.len() - sealed);
    let file = match play.byte() % 4 {
        // The cost of a guess is in the clear: a file may ask for seconds of work.
        0 => return drop(load(play.0)),
        1 => return drop(load(&play.meddle(file, &[]))),
        2 => with_text(body, play.0),
        _ => with_text(body, &play.meddle(&open(&data_key(), TOKEN, header(body), text), &[])),
    };
    let mut token = load(&file).unwrap();
    let unlocked = token.unlock(&PIN.into()).is_ok();
    let honest = open(&data_key(), TOKEN, header(body), text);
    assert!(unlocked || honest != text_of(&file, body), "an honest file refused");
    if unlocked {
        let (registrations, attempts) = (token.registrations().unwrap(), token.attempts().unwrap());
        let mut again = load(&token.save()).unwrap();
        again.unlock(&PIN.into()).unwrap();
        assert!(again.registrations().unwrap() == registrations);
        assert_eq!(again.attempts().unwrap().len(), attempts.len());
    }
}

fn load(file: &[u8]) -> Option<SoftwareToken> {
    SoftwareToken::load(file, PinSettings::for_tests(), Box::new(Counting::new(22))).ok()
}

fn example_store(key: &Secret) -> Vec<u8> {
    let store = Store::new();
    for n in 0..2 {
        drop(world::enrol(&store, n, world::policy(n.into())));
    }
    store.save(key, &mut Counting::new(8))
}

/// A token's file, and how much of its end is sealed.
fn example_token() -> &'static (Vec<u8>, usize) {
    static EXAMPLE: OnceLock<(Vec<u8>, usize)> = OnceLock::new();
    EXAMPLE.get_or_init(|| {
        let (anchors, random) = (fixed().anchors.clone(), Box::new(Counting::new(21)));
        let (mut token, _) =
            SoftwareToken::new(anchors, &PIN.into(), PinSettings::for_tests(), random).unwrap();
        story::fill(&mut token);
        let file = token.save();
        // The last byte string of the file, which its length of two bytes stands before.
        let at = (0..file.len()).rfind(|at| {
            let tail = file.len() - at;
            file[*at] == 0x59 && tail > 3 && file[at + 1..at + 3] == ((tail - 3) as u16).to_be_bytes()
        });
        let sealed = file.len() - at.unwrap() - 3;
        (file, sealed)
    })
}

/// The token drew it first of all.
fn data_key() -> Secret {
    let mut key = [0; 32];
    Counting::new(21).fill(&mut key);
    Secret::new(key)
}

/// Associated data of the contents: everything before them except the first line and the count.
fn header(body: &[u8]) -> &[u8] {
    // `A3 01 … 02 tries 03 59 length`
    &body[TOKEN.len() + 2..body.len() - 6]
}

/// The file with another text in it; `body` ends with the length of the one before.
fn with_text(body: &[u8], text: &[u8]) -> Vec<u8> {
    let sealed = seal(&data_key(), TOKEN, header(body), text);
    let length = sealed.len() as u32;
    let head = match length {
        0..=255 => vec![0x58, length as u8],
        256..=65_535 => [&[0x59], &(length as u16).to_be_bytes()[..]].concat(),
        _ => [&[0x5A], &length.to_be_bytes()[..]].concat(),
    };
    [&body[..body.len() - 3], &head, &sealed].concat()
}

fn text_of(file: &[u8], body: &[u8]) -> Vec<u8> {
    let head = match file[body.len() - 3] {
        0x58 => 2,
        0x59 => 3,
        _ => 5,
    };
    open(&data_key(), TOKEN, header(body), &file[body.len() - 3 + head..])
}

fn sealing_key(key: &Secret, label: &[u8], salt: &[u8]) -> Secret {
    Secret::new(XWING.mac(key, &[label, &[0], salt, &[1]]))
}

fn seal(key: &Secret, label: &[u8], aad: &[u8], text: &[u8]) -> Vec<u8> {
    let (salt, mut text) = ([1; 32], text.to_vec());
    let tag = XWING.aead(&sealing_key(key, label, &salt)).seal(&[0; 12], aad, &mut text);
    [&salt[..], &text, &tag].concat()
}

fn open(key: &Secret, label: &[u8], aad: &[u8], sealed: &[u8]) -> Vec<u8> {
    let (salt, text) = sealed.split_at(32);
    let (text, tag) = text.split_last_chunk().unwrap();
    let mut text = text.to_vec();
    XWING.aead(&sealing_key(key, label, salt)).open(&[0; 12], aad, &mut text, tag).unwrap();
    text
}
