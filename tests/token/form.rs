//! The format of a token's file: its versions, its settings, and the effect of damage.

use super::software::{number, register, waiting};
use super::{anchors, load, pin, software};
use halfkey::port::{Token, TokenError};
use halfkey::software::{DAMAGED, LoadError, PinSettings, SoftwareToken};
use halfkey::{KeyId, SystemRandom};

const FIRST_LINE: usize = b"halfkey/1 token, version 3\n".len();

/// A token with something of everything in it, as bytes.
fn example() -> Vec<u8> {
    let (mut token, _) = software();
    register(&mut token, 1).unwrap();
    token.save_attempt(waiting(2)).unwrap();
    token.rename(&KeyId::new(number(1)), Some(halfkey::software::Label::new("bank").unwrap())).unwrap();
    token.save()
}

fn unlocked(file: &[u8]) -> Result<SoftwareToken, Option<TokenError>> {
    let mut token = load(file).map_err(|_| None)?;
    token.unlock(&pin("1234"))?;
    Ok(token)
}

#[test]
fn what_another_program_wrote_is_told_from_damage() {
    let file = example();
    let error = |line: &[u8]| load(&[line, &file[FIRST_LINE..]].concat()).err();
    assert_eq!(error(b"halfkey/1 token, version 4\n"), Some(LoadError::Newer(4)));
    assert_eq!(error(b"halfkey/1 token, version 4294967295\n"), Some(LoadError::Newer(u32::MAX)));
    for line in [
        &b"halfkey/1 token, version 0\n"[..],
        b"halfkey/1 token, version 4294967296\n",
        b"halfkey/1 token, version\n",
        b"halfkey/1 store, version 3\n",
        b"",
    ] {
        assert_eq!(error(line), Some(LoadError::NotAToken), "{line:?}");
    }
    for version in [1, 2] {
        let line = format!("halfkey/1 token, version {version}\n");
        assert_eq!(error(line.as_bytes()), Some(LoadError::Older(version)));
    }
}

/// Where the tries stand, `02 tries 03`; all that follows is the contents, which say how long they are.
fn behind_the_header(file: &[u8]) -> usize {
    let begins = |at: &usize| {
        let length = match &file[*at..] {
            [2, 5, 3, 0x58, length, ..] => 5 + usize::from(*length),
            [2, 5, 3, 0x59, high, low, ..] => 6 + usize::from(u16::from_be_bytes([*high, *low])),
            _ => return false,
        };
        at + length == file.len()
    };
    (0..file.len()).find(begins).unwrap()
}

#[test]
fn a_damaged_file_is_refused_and_loses_nothing() {
    let file = example();
    let open = |file: &[u8]| unlocked(file).map(|token| token.registrations().unwrap().len());
    assert_eq!(open(&file), Ok(1));
    for length in 0..file.len() {
        assert!(open(&file[..length]).is_err(), "cut to {length}");
    }
    assert!(open(&[&file[..], &[0]].concat()).is_err(), "followed by more");
    // The count of tries alone is not authenticated: `02 tries 03`, behind the header.
    let tries = behind_the_header(&file) + 1;
    for place in 0..file.len() {
        for bit in 0..8 {
            let mut damaged = file.clone();
            damaged[place] ^= 1 << bit;
            let opened = open(&damaged);
            assert!(opened.is_err() || place == tries, "bit {bit} of byte {place}: {opened:?}");
        }
    }
    let mut damaged = file.clone();
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(open(&damaged), Err(Some(TokenError::Device(DAMAGED))));
    assert_eq!(open(&file), Ok(1));
}

#[test]
fn damage_behind_the_right_pin_costs_no_tries() {
    let mut damaged = example();
    *damaged.last_mut().unwrap() ^= 1;
    for _ in 0..7 {
        let mut token = load(&damaged).unwrap();
        assert_eq!(token.unlock(&pin("1234")), Err(TokenError::Device(DAMAGED)));
        assert_eq!(token.change_pin(&pin("1234"), &pin("5678")), Err(TokenError::Device(DAMAGED)));
        damaged = token.save();
        assert_eq!(load(&damaged).unwrap().tries_left(), 5);
    }
}

#[test]
fn a_header_from_elsewhere_opens_nothing() {
    // Two states of one token: the wrapped keys of the first are good for the same data key.
    let (mut token, _) = software();
    let first = token.save();
    token.change_pin(&pin("1234"), &pin("5678")).unwrap();
    let second = token.save();
    let mixed = [&first[..behind_the_header(&first)], &second[behind_the_header(&second)..]].concat();
    let mut token = load(&mixed).unwrap();
    assert_eq!(token.unlock(&pin("1234")), Err(TokenError::Device(DAMAGED)));
}

/// The settings of both wrapped keys, changed in the clear.
fn with_settings(file: &[u8], memory: &[u8]) -> Vec<u8> {
    // {1: 5, 2: 8, 3: 1}, as for_tests says it.
    let place = file.windows(7).position(|window| window == [0xA3, 1, 5, 2, 8, 3, 1]).unwrap();
    [&file[..place + 4], memory, &file[place + 5..]].concat()
}

#[test]
fn a_file_that_asks_for_much_memory_is_refused_at_once() {
    let greedy = with_settings(&example(), &[0x1A, 0xFF, 0xFF, 0xFF, 0xFF]);
    let refused = load(&greedy).err();
    assert!(matches!(refused, Some(LoadError::Damaged(error)) if error.field == "lock"), "{refused:?}");
}

#[test]
fn a_file_whose_pin_is_guessed_for_nothing_is_refused() {
    let load = |file: &[u8], settings| SoftwareToken::load(file, settings, Box::new(SystemRandom));
    let file = example();
    assert_eq!(load(&file, PinSettings::default()).err(), Some(LoadError::TooWeak));
    for (memory_kib, passes) in [(9, 1), (8, 2), (u32::MAX, 255)] {
        assert_eq!(load(&file, PinSettings { tries: 5, memory_kib, passes }).err(), Some(LoadError::TooWeak));
    }
    let none = with_settings(&file, &[0]);
    assert!(load(&none, PinSettings { tries: 1, memory_kib: 0, passes: 0 }).is_err());
    // The least that is read unasked.
    let least = PinSettings { tries: 5, memory_kib: 19_456, passes: 2 };
    let (mut token, _) = SoftwareToken::new(anchors(), &pin("1234"), least, Box::new(SystemRandom)).unwrap();
    assert!(load(&token.save(), PinSettings::default()).is_ok());
}

#[test]
fn what_a_guess_costs_is_raised_when_the_pin_is_given() {
    let harder = PinSettings { tries: 9, memory_kib: 16, passes: 2 };
    let settings = |file: &[u8]| {
        let place = file.windows(3).position(|window| window == [0xA3, 1, 5]).unwrap();
        file[place + 3..place + 7].to_vec()
    };
    let file = example();
    assert_eq!(settings(&file), [2, 8, 3, 1]);
    let mut token = SoftwareToken::load(
        &file,
        PinSettings { memory_kib: 16, ..PinSettings::for_tests() },
        Box::new(SystemRandom),
    );
    assert_eq!(
        token.as_mut().err(),
        Some(&mut LoadError::TooWeak),
        "less than asked for, and than the least"
    );

    let mut token = load(&file).unwrap();
    token.harden(harder);
    assert!(token.unlock(&pin("4321")).is_err());
    assert_eq!(settings(&token.save()), [2, 8, 3, 1], "a wrong PIN raises nothing");
    token.unlock(&pin("1234")).unwrap();
    let raised = token.save();
    assert_eq!(settings(&raised), [2, 16, 3, 2]);

    // With no more asked for, what was raised stays raised.
    let mut token = unlocked(&raised).unwrap();
    assert_eq!((token.registrations().unwrap().len(), token.tries_left()), (1, 5));
    token.change_pin(&pin("1234"), &pin("5678")).unwrap();
    assert_eq!(settings(&token.save()), [2, 16, 3, 2]);
}
