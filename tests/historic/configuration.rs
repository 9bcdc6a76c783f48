//! Steps 370 to 390: configuration, under either key.

use crate::letter::*;
use aes_gcm::aes::Aes256;
use halfkey::historic::configuration::{self, Instruction, Instructions, Request};
use halfkey::historic::session::claims;
use halfkey::historic::{Cipher, Des, Error, Key, TdesEde3};
use std::collections::BTreeMap;

/// Runs a configuration under `key` and gives the client's settings after it.
fn configure<C: Cipher>(at_client: &Key<C>, at_server: &Key<C>) -> BTreeMap<String, String> {
    let random = &mut fixed(80);
    let request = configuration::request(at_client, "at home, on a laptop", random);
    let shows = |sent: &[u8], text: &str| sent.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(!shows(&request.encrypted, "laptop"), "user information travels encrypted (step 370)");
    let need = configuration::receive_request(at_server, &request).unwrap();
    assert_eq!(need.wanted(), "at home, on a laptop");
    // Step 380: the access control database says what goes with that.
    let entitled = [("role", "guest"), ("proxy", "gate.example:1080")];
    let entitled = entitled.map(|(setting, value)| Instruction::new(setting, value).unwrap());
    let instructions = need.supply(&entitled, random);
    assert!(!shows(&instructions.encrypted, "guest"), "and so do instructions (step 390)");
    let mut settings = BTreeMap::new();
    let mut system = |instruction: &Instruction| {
        settings.insert(instruction.setting().into(), instruction.value().into());
    };
    configuration::receive_instructions(at_client, &instructions, &mut system).unwrap();
    settings
}

fn expected() -> BTreeMap<String, String> {
    let settings = [("role", "guest"), ("proxy", "gate.example:1080")];
    settings.map(|(setting, value)| (setting.into(), value.into())).into()
}

#[test]
fn the_client_is_configured_under_the_session_key() {
    let random = &mut fixed(81);
    let (_, client, server) = by_claims(&key::<Des>(82), claims::OneWay::Xor, random);
    assert_eq!(configure(&client, &server), expected());
    let (_, client, server) = by_earlier(&key::<TdesEde3>(83), random);
    assert_eq!(configure(&client, &server), expected());
    let (_, client, server) = by_description(&key::<Aes256>(84), random);
    assert_eq!(configure(&client, &server), expected());
}

#[test]
fn the_client_is_configured_under_the_shared_key() {
    let shared = key::<Des>(85);
    assert_eq!(configure(&shared, &shared), expected());
}

#[test]
fn another_key_opens_nothing() {
    let (ours, theirs) = (key::<Des>(86), key::<Des>(87));
    let request = configuration::request(&ours, "who", &mut fixed(88));
    assert_eq!(configuration::receive_request(&theirs, &request).unwrap_err(), Error::DoesNotOpen);
}

#[test]
fn nonsense_reconfigures_nothing() {
    let key = key::<Des>(89);
    let mut system = |_: &Instruction| panic!("reconfigured");
    for len in [0, 1, 8, 16, 24] {
        let encrypted = vec![3; len];
        let request = Request { encrypted: encrypted.clone() };
        assert!(configuration::receive_request(&key, &request).is_err());
        let instructions = Instructions { encrypted };
        assert!(configuration::receive_instructions(&key, &instructions, &mut system).is_err());
    }
    // Opens, but is no list of instructions.
    let text = configuration::request(&key, "role=admin\nnonsense", &mut fixed(90)).encrypted;
    let refused = configuration::receive_instructions(&key, &Instructions { encrypted: text }, &mut system);
    assert_eq!(refused.unwrap_err(), Error::DoesNotOpen);
}

#[test]
fn an_instruction_is_one_line() {
    for (setting, value) in [("", "x"), ("a=b", "x"), ("a\nb", "x"), ("a", "x\ny")] {
        assert_eq!(Instruction::new(setting, value).unwrap_err(), Error::Instruction);
    }
    let instruction = Instruction::new("a", "x=y").unwrap();
    assert_eq!((instruction.setting(), instruction.value()), ("a", "x=y"));
}
