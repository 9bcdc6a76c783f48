//! Keys of DES and triple DES: parity, weak keys, and how halves combine.

use crate::letter::{fixed, key};
use aes_gcm::aes::{Aes128, Aes256};
use halfkey::historic::{Cipher, Combiner, Des, Error, Key, TdesEde2, TdesEde3};

/// The 4 weak and 12 semi-weak keys (NIST SP 800-67 revision 2, section 3.4.2) and one of the 48
/// possibly weak ones.
const WEAK: [u64; 17] = [
    0x0101_0101_0101_0101,
    0xFEFE_FEFE_FEFE_FEFE,
    0xE0E0_E0E0_F1F1_F1F1,
    0x1F1F_1F1F_0E0E_0E0E,
    0x011F_011F_010E_010E,
    0x1F01_1F01_0E01_0E01,
    0x01E0_01E0_01F1_01F1,
    0xE001_E001_F101_F101,
    0x01FE_01FE_01FE_01FE,
    0xFE01_FE01_FE01_FE01,
    0x1FE0_1FE0_0EF1_0EF1,
    0xE01F_E01F_F10E_F10E,
    0x1FFE_1FFE_0EFE_0EFE,
    0xFE1F_FE1F_FE0E_FE0E,
    0xE0FE_E0FE_F1FE_F1FE,
    0xFEE0_FEE0_FEF1_FEF1,
    0x0101_1F1F_0101_0E0E,
];

const SOUND: [u64; 3] = [0x0123_4567_89AB_CDEF, 0x2345_6789_ABCD_EF01, 0x4567_89AB_CDEF_0123];

fn bytes(parts: &[u64]) -> Vec<u8> {
    parts.iter().flat_map(|part| part.to_be_bytes()).collect()
}

#[test]
fn weak_des_keys_are_refused_whatever_their_parity() {
    for weak in WEAK {
        assert_eq!(Key::<Des>::new(&bytes(&[weak])).unwrap_err(), Error::WeakKey, "{weak:016x}");
        let other_parity = weak ^ 0x0101_0101_0101_0101;
        assert_eq!(Key::<Des>::new(&bytes(&[other_parity])).unwrap_err(), Error::WeakKey, "{weak:016x}");
    }
    assert!(Key::<Des>::new(&bytes(&SOUND[..1])).is_ok());
}

#[test]
fn triple_des_keys_with_a_weak_part_or_equal_parts_are_refused() {
    let [a, b, c] = SOUND;
    let weak = WEAK[5];
    for parts in [[weak, b], [a, weak], [a, a]] {
        assert_eq!(Key::<TdesEde2>::new(&bytes(&parts)).unwrap_err(), Error::WeakKey);
    }
    for parts in [[weak, b, c], [a, weak, c], [a, b, weak], [a, a, c], [a, b, b], [a, b, a]] {
        assert_eq!(Key::<TdesEde3>::new(&bytes(&parts)).unwrap_err(), Error::WeakKey);
    }
    assert!(Key::<TdesEde2>::new(&bytes(&[a, b])).is_ok());
    assert!(Key::<TdesEde3>::new(&bytes(&[a, b, c])).is_ok());
}

#[test]
fn parts_that_differ_in_parity_alone_are_equal() {
    let a = SOUND[0];
    let refused = Key::<TdesEde2>::new(&bytes(&[a, a ^ 0x0101_0101_0101_0101]));
    assert_eq!(refused.unwrap_err(), Error::WeakKey);
}

#[test]
fn every_byte_of_a_des_key_has_odd_parity() {
    fn odd<C: Cipher>() {
        for seed in 0..64 {
            let key = key::<C>(seed);
            assert!(key.expose().iter().all(|byte| byte.count_ones() % 2 == 1));
        }
    }
    odd::<Des>();
    odd::<TdesEde2>();
    odd::<TdesEde3>();
    // Set, not demanded, by `new`; demanded by `import`.
    let even = bytes(&[0x0022_4466_88AA_CCEE]);
    assert_eq!(Key::<Des>::new(&even).unwrap().expose(), bytes(&SOUND[..1]));
    assert_eq!(Key::<Des>::import(&even).unwrap_err(), Error::KeyParity);
    assert!(Key::<Des>::import(&bytes(&SOUND[..1])).is_ok());
}

#[test]
fn keys_of_other_ciphers_are_taken_as_they_are() {
    let zeros = [0; 16];
    assert_eq!(Key::<Aes128>::new(&zeros).unwrap().expose(), zeros);
    assert_eq!(Key::<Aes128>::import(&zeros).unwrap().expose(), zeros);
}

#[test]
fn keys_have_their_ciphers_length() {
    for len in [0, 7, 9, 16] {
        assert_eq!(Key::<Des>::new(&vec![0x23; len]).unwrap_err(), Error::KeyLength);
    }
}

#[test]
fn a_broken_random_source_gives_no_key_and_no_endless_loop() {
    let zeros = &mut |out: &mut [u8]| out.fill(0);
    assert_eq!(Key::<Des>::generate(zeros).unwrap_err(), Error::WeakKey);
}

#[test]
fn xor_wants_halves_as_long_as_the_key() {
    let ssk1 = key::<Des>(91);
    let key: Key<Des> = Combiner::Xor.combine(&ssk1, &[0xFE; 8]).unwrap();
    let xored: Vec<u8> = ssk1.expose().iter().map(|byte| byte ^ 0xFE).collect();
    let without_parity = |key: &[u8]| key.iter().map(|byte| byte & 0xFE).collect::<Vec<_>>();
    assert_eq!(without_parity(key.expose()), without_parity(&xored));
    let short = Combiner::Xor.combine::<Des, Des>(&ssk1, &[0; 7]);
    assert_eq!(short.unwrap_err(), Error::Combination);
    assert_eq!(Combiner::Xor.second_len::<Des, TdesEde2>().unwrap_err(), Error::Combination);
    assert_eq!(Combiner::Xor.second_len::<Des, Aes128>().unwrap_err(), Error::Combination);
}

#[test]
fn concatenation_wants_a_longer_key() {
    assert_eq!(Combiner::Concatenation.second_len::<Des, TdesEde3>().unwrap(), 16);
    assert_eq!(Combiner::Concatenation.second_len::<Aes128, Aes256>().unwrap(), 16);
    assert_eq!(Combiner::Concatenation.second_len::<Des, Des>().unwrap_err(), Error::Combination);
    let ssk1 = key::<Des>(92);
    let key: Key<TdesEde2> = Combiner::Concatenation.combine(&ssk1, &bytes(&SOUND[..1])).unwrap();
    assert_eq!(key.expose(), [ssk1.expose(), &bytes(&SOUND[..1])].concat());
    // A second half that makes the parts equal is refused like any weak key.
    let equal = Combiner::Concatenation.combine::<Des, TdesEde2>(&ssk1, ssk1.expose());
    assert_eq!(equal.unwrap_err(), Error::WeakKey);
}

#[test]
fn the_server_draws_again_when_the_halves_make_a_weak_key() {
    // The first draw makes the key 0101…; the second is sound.
    use crate::letter::{apply, path, world};
    let random = &mut fixed(93);
    let application = apply::<Des>(&world().gate, "gate.example", "alice", random);
    let need = world().gate.receive_application::<Des>(&application.send, random).unwrap();
    let mut weak: Option<Vec<u8>> = Some(need.ssk1().expose().to_vec());
    let mut source = |out: &mut [u8]| match weak.take() {
        Some(weak) => out.copy_from_slice(&weak),
        None => halfkey::RandomSource::fill(random, out),
    };
    let grant = need.supply::<Des>(&path("/a"), Combiner::Xor, &mut source).unwrap();
    let token = application.next.receive_grant::<Des>(&grant.send, Combiner::Xor, crate::letter::PIN);
    assert_eq!(token.unwrap().unlock(crate::letter::PIN).unwrap().expose(), grant.next.key.expose());
}
