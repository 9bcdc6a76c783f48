//! R1 of a certified server that keeps no bounds: each value at its bound and one beyond, signed as it
//! should be. Extensions that nobody knows.

use crate::applicant::{Applicant, SMALL, answer, is, refusal, setting};
use crate::common::{Counting, World};
use crate::distort::{bstr, content, entries, flipped, map};
use crate::messages::{REFUSED, asking, receives};
use crate::properties::item;
use halfkey::certificate::CertificateError;
use halfkey::message::Offer;
use halfkey::port::AuthServer;
use halfkey::registration::server::receive_hello;
use halfkey::registration::{ServerRegistrationError, TokenRegistrationError};
use halfkey::suite::{SUITES, Suite, XWING};
use halfkey::template::TemplateError;
use halfkey::wire::Message;
use halfkey::{ErrorReason, ServerSettings};
use minicbor::Encoder;

fn uint(value: u64) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    encoder.u64(value).unwrap();
    encoder.into_writer()
}

fn list(elements: &[Vec<u8>]) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    encoder.array(elements.len() as u64).unwrap();
    [encoder.into_writer(), elements.concat()].concat()
}

/// Returns an `ext` map of these extensions, in this order.
fn ext(extensions: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let all = extensions.iter().flat_map(|(number, bytes)| [uint(*number), bstr(bytes)]);
    [vec![0xA0 + u8::try_from(extensions.len()).unwrap()], all.flatten().collect()].concat()
}

/// The same map with `value` under `key`, which may be new.
fn replaced(message: &[u8], key: u64, value: Vec<u8>) -> Vec<u8> {
    let mut all = entries(message);
    all.retain(|(other, _)| *other != key);
    all.push((key, value));
    all.sort_by_key(|(key, _)| *key);
    map(&all)
}

/// The same R1 with another value in its core, signed by the server's own key.
fn signed(world: &World, r0: &[u8], r1: &[u8], key: u64, value: Vec<u8>) -> Vec<u8> {
    let offer = Offer::decode(r1).unwrap();
    let honest = offer.read_core().unwrap();
    let core = replaced(&content(r1, 1), key, value);
    let items = [item(1, r0), item(1, &core)].concat();
    let th_o = XWING.hash(&[b"halfkey/1 offer\0", &honest.suite.to_be_bytes(), &items]);
    let sig = world.server.sign_offer(&XWING.hash(&[honest.chain[0].0]), &th_o).unwrap();
    replaced(&replaced(r1, 1, bstr(&core)), 3, bstr(&sig))
}

/// Gives the token an R1 with each value under `key` of its core, and returns what it says.
fn tries<const N: usize>(
    suites: &'static [&'static dyn Suite],
    key: u64,
    values: [Vec<u8>; N],
) -> [Option<TokenRegistrationError>; N] {
    let (issuer, world) = setting();
    let mut applicant = Applicant::new(&issuer, 7);
    applicant.suites = suites;
    let (r0, _) = asking(&world.settings.name, &applicant);
    let r1 = answer(&world, &r0);
    values.map(|value| receives(&world, &applicant, &signed(&world, &r0, &r1, key, value)).err())
}

const BOUNDS: Option<TokenRegistrationError> = Some(TokenRegistrationError::Bounds);

fn is_wire(error: Option<&TokenRegistrationError>) -> bool {
    matches!(error, Some(TokenRegistrationError::Wire(_)))
}

#[test]
fn an_offer_is_good_for_1_to_900_seconds() {
    let found = tries(SUITES, 6, [1, 600, 900, 0, 901, 86_400, u64::from(u32::MAX)].map(uint));
    assert_eq!(found, [None, None, None, BOUNDS, BOUNDS, BOUNDS, BOUNDS]);
    assert!(is_wire(tries(SUITES, 6, [uint(1 << 32)])[0].as_ref()));
}

#[test]
fn an_outcomes_size_is_a_multiple_of_256_up_to_4096() {
    for size in [256, 512, 1024, 3840, 4096] {
        assert_eq!(tries(SUITES, 7, [uint(size)]), [None], "{size}");
    }
    for size in [0, 1, 128, 255, 257, 511, 1000, 4095, 4097, 4352, 65_280, 65_535] {
        assert_eq!(tries(SUITES, 7, [uint(size)]), [BOUNDS], "{size}");
    }
    assert!(is_wire(tries(SUITES, 7, [uint(65_536)])[0].as_ref()));
}

#[test]
fn an_ephemeral_key_has_the_length_of_its_suite() {
    let keys = |lengths: [usize; 5]| lengths.map(|length| bstr(&vec![9; length]));
    let found = tries(SUITES, 9, keys([1216, 1215, 1184, 33, 32]));
    assert_eq!(found, [None, BOUNDS, BOUNDS, BOUNDS, BOUNDS]);
    let found = tries(SMALL, 9, keys([32, 33, 64, 1215, 1216]));
    assert_eq!(found, [None, BOUNDS, BOUNDS, BOUNDS, BOUNDS]);
    for suites in [SUITES, SMALL] {
        let found = tries(suites, 9, keys([0, 1, 31, 1217, 4096]));
        assert!(found.iter().all(|error| is_wire(error.as_ref())), "{found:?}");
    }
}

#[test]
fn a_chain_has_1_to_4_certificates_of_at_most_8192_bytes() {
    let (issuer, world) = setting();
    let applicant = Applicant::new(&issuer, 7);
    let (r0, _) = asking(&world.settings.name, &applicant);
    let r1 = answer(&world, &r0);
    let leaf = Offer::decode(&r1).unwrap().read_core().unwrap().chain[0].0.to_vec();
    let with_others = |count: usize, length: usize| {
        let others = vec![bstr(&vec![0x30; length]); count];
        let chain = [vec![bstr(&leaf)], others].concat();
        receives(&world, &applicant, &signed(&world, &r0, &r1, 3, list(&chain))).err()
    };
    // Certificates off the path are ignored, whatever they are.
    assert_eq!([with_others(0, 0), with_others(3, 1), with_others(3, 8192)], [None, None, None]);
    let too_many = TokenRegistrationError::Certificate(CertificateError::ChainTooLong);
    assert_eq!([with_others(4, 1), with_others(15, 1)].map(Option::unwrap), [too_many.clone(), too_many]);
    for (count, length) in [(16, 1), (1, 8193), (1, 0)] {
        assert!(is_wire(with_others(count, length).as_ref()), "{count} of {length}");
    }
    let none = receives(&world, &applicant, &signed(&world, &r0, &r1, 3, list(&[]))).err();
    assert!(is_wire(none.as_ref()));
}

/// Templates that can be decoded and that nobody can fill in, or that hide what they ask for.
#[test]
fn a_template_that_is_none_is_never_shown() {
    let text = |text: &str| [vec![0x60 + u8::try_from(text.len()).unwrap()], text.into()].concat();
    let field = |name: &str, kind: &[u8], required: bool| {
        let parts = [(1, text(name)), (2, text("")), (3, kind.into()), (4, vec![0xF4 + u8::from(required)])];
        map(&parts)
    };
    let template = |fields: &[Vec<u8>]| map(&[(1, list(fields))]);
    let (name, yes_or_no) = ([0x81, 0], [0x81, 3]);
    let found = tries(
        SUITES,
        4,
        [
            template(&[field("n", &name, true), field("x", &[0x83, 2, 1, 2], true)]),
            template(&[field("n", &name, true), field("x", &[0x82, 4, 0x81, 0x61, b'a'], true)]),
            template(&[field("n", &yes_or_no, true)]),
            template(&[field("n", &name, false)]),
            template(&[field("n", &name, true), field("x", &name, true)]),
            template(&[field("n", &name, true), field("n", &yes_or_no, true)]),
            template(&[field("n", &name, true), field("x", &[0x83, 2, 2, 1], true)]),
            template(&[field("n", &name, true), field("x", &[0x82, 1, 0], true)]),
        ],
    );
    let none = |error| Some(TokenRegistrationError::Template(error));
    let user_name = || none(TemplateError::UserName);
    let bounds = || none(TemplateError::Bounds);
    assert_eq!(
        found,
        [None, None, user_name(), user_name(), user_name(), none(TemplateError::Naming), bounds(), bounds()]
    );
    let many: Vec<_> = (0..17).map(|n| field(&n.to_string(), &yes_or_no, true)).collect();
    let found = tries(SUITES, 4, [template(&[]), template(&many)]);
    assert!(found.iter().all(|error| is_wire(error.as_ref())), "{found:?}");
}

/// The shapes of an `ext` map: right ones, and wrong ones.
fn shapes() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let numbered = |numbers: &[u64]| numbers.iter().map(|n| (*n, b"unknown".to_vec())).collect::<Vec<_>>();
    let of = |length: usize| ext(&[(99, vec![7; length])]);
    let right = vec![
        of(0),
        of(16_384),
        ext(&numbered(&[2, 3, 4, 5, 6, 7, 8, u64::MAX])),
        ext(&[(2, vec![]), (1 << 40, vec![1])]),
    ];
    let wrong = vec![
        ext(&[]),
        of(16_385),
        ext(&numbered(&[2, 3, 4, 5, 6, 7, 8, 9, 10])),
        ext(&numbered(&[3, 2])),
        ext(&numbered(&[2, 2])),
        vec![0xA1, 2, 0x60],
        vec![0xA1, 0x20, 0x40],
        vec![0xBF, 2, 0x40, 0xFF],
    ];
    (right, wrong)
}

#[test]
fn unknown_extensions_of_r0_are_ignored_and_covered() {
    let (issuer, world) = setting();
    let applicant = Applicant::new(&issuer, 7);
    let (plain, _) = asking(&world.settings.name, &applicant);
    let (right, wrong) = shapes();
    for extensions in right {
        let r0 = replaced(&plain, 6, extensions);
        let r1 = answer(&world, &r0);
        assert!(is::<Offer<'_>>(&r1));
        // The signature is for the R0 that came, and not for the one that the token sent.
        let error = receives(&world, &applicant, &r1).unwrap_err();
        assert!(matches!(error, TokenRegistrationError::Signature(_)), "{error:?}");
        let meant = signed(&world, &r0, &r1, 6, uint(600));
        assert_eq!(content(&meant, 3), content(&r1, 3));
    }
    for extensions in wrong {
        assert_eq!(
            refusal(&answer(&world, &replaced(&plain, 6, extensions.clone()))),
            REFUSED,
            "{extensions:?}"
        );
    }
}

#[test]
fn unknown_extensions_of_r1_are_ignored_and_covered() {
    let (issuer, world) = setting();
    let applicant = Applicant::new(&issuer, 7);
    let (r0, _) = asking(&world.settings.name, &applicant);
    let r1 = answer(&world, &r0);
    let (right, wrong) = shapes();
    for extensions in right {
        let extended = signed(&world, &r0, &r1, 10, extensions.clone());
        assert!(receives(&world, &applicant, &extended).is_ok(), "{extensions:?}");
        // Without them, or with others, the signature is for another offer.
        let core = content(&r1, 1);
        let changed = flipped(&extensions).filter(|(place, _)| *place + 1 == extensions.len());
        let others = changed.map(|(_, bytes)| bytes).chain([ext(&[(98, vec![])])]);
        let cores = others.map(|other| replaced(&core, 10, other)).chain([core.clone()]);
        for core in cores {
            let error = receives(&world, &applicant, &replaced(&extended, 1, bstr(&core))).unwrap_err();
            assert!(
                matches!(error, TokenRegistrationError::Signature(_) | TokenRegistrationError::Wire(_)),
                "{error:?}"
            );
        }
    }
    for extensions in wrong {
        let extended = signed(&world, &r0, &r1, 10, extensions.clone());
        assert!(is_wire(receives(&world, &applicant, &extended).err().as_ref()), "{extensions:?}");
    }
}

/// The server finds its operator's mistake before a token does, and the token may come again.
#[test]
fn settings_that_no_token_takes_make_no_offer() {
    let offers = |change: &dyn Fn(&mut ServerSettings)| {
        let (issuer, mut world) = setting();
        change(&mut world.settings);
        let (r0, _) = asking(&world.settings.name, &Applicant::new(&issuer, 7));
        let r1 = answer(&world, &r0);
        assert_eq!(receive_hello(&r0, &world.settings).is_ok(), refusal(&r1) != REFUSED);
        if is::<Offer<'_>>(&r1) {
            assert!(receives(&world, &Applicant::new(&issuer, 7), &r1).is_ok());
            return None;
        }
        assert_eq!(refusal(&r1), Some(ErrorReason::Busy));
        Some(world.last_event())
    };
    for good in [1, 900] {
        assert_eq!(offers(&|settings| settings.offer_ttl = good), None, "{good}");
    }
    for good in [256, 4096] {
        assert_eq!(offers(&|settings| settings.outcome_size = good), None, "{good}");
    }
    for bad in [0, 901, u32::MAX] {
        assert!(offers(&|settings| settings.offer_ttl = bad).unwrap().contains("offer_ttl"), "{bad}");
    }
    for bad in [0, 255, 1000, 4352] {
        assert!(offers(&|settings| settings.outcome_size = bad).unwrap().contains("outcome_size"), "{bad}");
    }
    assert!(offers(&|settings| settings.template.fields.clear()).unwrap().contains("template"));
    assert!(offers(&|settings| settings.template.fields[0].required = false).unwrap().contains("template"));
    assert!(offers(&|settings| settings.suites = &[]).unwrap().contains("suites"));
}

#[test]
fn a_list_that_no_token_takes_is_not_stapled() {
    let (issuer, world) = setting();
    let (r0, _) = asking(&world.settings.name, &Applicant::new(&issuer, 7));
    for (length, refused) in [(16_384, None), (16_385, Some(ServerRegistrationError::Setting("crl")))] {
        let need = receive_hello(&r0, &world.settings).unwrap();
        let mut material = world.server.offer_material(&need.wanted().suites, world.now()).unwrap();
        material.crl = Some(vec![7; length]);
        let offer = need.supply(&material, b"peer", &world.settings, world.now(), &mut Counting::new(7));
        assert_eq!(offer.err(), refused, "{length}");
    }
}
