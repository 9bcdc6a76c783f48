//! Configuration injected, changed and rolled back.

use crate::common::Way;
use crate::common::client::{ClientError, Configured};
use crate::letter::*;
use crate::real::Real;
use halfkey::Secret;
use halfkey::configuration::token::ConfigurationRejection;
use halfkey::historic::configuration::{self, Instruction, Instructions};
use halfkey::historic::session::claims;
use halfkey::historic::{Cipher, Des, Key};
use halfkey::memory::Store;
use halfkey::session::ChannelError;

/// Returns the message that a server sends under `key`.
fn instruct<C: Cipher>(key: &Key<C>, setting: &str, value: &str, seed: u64) -> Instructions {
    let random = &mut fixed(seed);
    let request = configuration::request(key, "alice", random);
    let need = configuration::receive_request(key, &request).unwrap();
    need.supply(&[Instruction::new(setting, value).unwrap()], random)
}

/// Returns the settings that the client makes on receipt.
fn set_by<C: Cipher>(key: &Key<C>, instructions: &Instructions) -> Vec<(String, String)> {
    let mut set = Vec::new();
    let mut system =
        |instruction: &Instruction| set.push((instruction.setting().into(), instruction.value().into()));
    configuration::receive_instructions(key, instructions, &mut system).unwrap();
    set
}

fn one(setting: &str, value: &str) -> Vec<(String, String)> {
    vec![(setting.into(), value.into())]
}

#[test]
fn an_eavesdropper_injects_instructions_of_its_own() {
    // Under the session key, which a recording gives away.
    let (wire, client, _) = by_claims(&key::<Des>(290), claims::OneWay::Xor, &mut fixed(291));
    let stolen: Key<Des> =
        claims::OneWay::Xor.session_key(&wire.response.encrypted, &wire.response.n2).unwrap();
    let injected = instruct(&stolen, "proxy", "evil.example", 292);
    assert_eq!(set_by(&client, &injected), one("proxy", "evil.example"));
}

#[test]
fn an_old_configuration_is_as_good_as_a_new_one() {
    // Under the shared key, as in the description: the same key for years, and no serial or date.
    let shared = key::<Des>(293);
    let old = instruct(&shared, "role", "administrator", 294);
    let new = instruct(&shared, "role", "guest", 295);
    assert_eq!(set_by(&shared, &old), one("role", "administrator"));
    assert_eq!(set_by(&shared, &new), one("role", "guest"));
    // Dismissed; then somebody sends the old message again.
    assert_eq!(set_by(&shared, &old), one("role", "administrator"));
}

#[test]
fn an_instruction_is_changed_without_any_key() {
    let shared = key::<Des>(296);
    let Instructions { mut encrypted } = instruct(&shared, "role", "boy", 297);
    for (byte, (old, new)) in encrypted.iter_mut().zip(b"role=boy".iter().zip(b"role=god")) {
        *byte ^= old ^ new;
    }
    assert_eq!(set_by(&shared, &Instructions { encrypted }), one("role", "god"));
}

/// Number of the frame of C1 in a session with one configuration, after S0 to S3 and C0.
const C1: usize = 5;

#[test]
fn nothing_is_injected_into_or_changed_in_a_real_configuration() {
    let mut real = Real::new();
    real.entitle(b"role=guest");
    let broken = |error: &ClientError| matches!(error, ClientError::Channel(ChannelError::Broken));
    let recorded = real.configure(|_, _| {}).frames;
    real.entitle(b"role=boy");

    // A record of the attacker's own, the recorded one, and the right one with any bit flipped.
    let length = recorded[C1].len();
    let own = vec![0x41; length];
    for injected in [&own, &recorded[C1]] {
        let run = real.configure(|(way, at), frames| {
            if at == C1 {
                assert_eq!(way, Way::Down);
                *frames = vec![injected.clone()];
            }
        });
        assert!(broken(run.outcome.as_ref().unwrap_err()), "{:?}", run.outcome);
        assert!(run.installed.is_empty());
    }
    for bit in (0..length * 8).step_by(67) {
        let run = real.configure(|(_, at), frames| {
            if at == C1 {
                frames[0][bit / 8] ^= 1 << (bit % 8);
            }
        });
        assert!(broken(run.outcome.as_ref().unwrap_err()), "bit {bit}: {:?}", run.outcome);
        assert!(run.installed.is_empty());
    }
    assert_eq!(real.configure(|_, _| {}).installed, [b"role=boy"]);
}

#[test]
fn a_real_configuration_is_not_rolled_back() {
    let mut real = Real::new();
    real.entitle(b"role=administrator");
    assert_eq!(real.configure(|_, _| {}).installed, [b"role=administrator"]);
    real.entitle(b"role=guest");
    assert_eq!(real.configure(|_, _| {}).installed, [b"role=guest"]);

    // Recorded records do not open in another session (see above). Nor does it help that somebody puts
    // an old backup of the server's database in place of the new one.
    let mut real = Real::new();
    real.entitle(b"role=administrator");
    let (key, random) = (Secret::new([9; 32]), &mut fixed(298));
    let backup = real.world.store.save(&key, random);
    real.entitle(b"role=guest");
    assert_eq!(real.configure(|_, _| {}).installed, [b"role=guest"]);
    real.world.store = Store::load(&backup, &key).unwrap();
    let run = real.configure(|_, _| {});
    let refused = matches!(run.outcome, Ok(Configured::Refused(ConfigurationRejection::RolledBack { .. })));
    assert!(refused && run.installed.is_empty(), "{run:?}");
}
