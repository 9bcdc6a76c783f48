//! Every file of the fuzzer's corpus, through the very functions that the fuzzer runs.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    reason = "a test may panic, and says at which file"
)]

mod targets;

use std::path::{Path, PathBuf};

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

fn replay(target: &str) {
    let mut replayed = 0;
    for entry in folder(target).read_dir().unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        targets::run(target, &std::fs::read(path).unwrap());
        replayed += 1;
    }
    assert!(replayed > 0, "no corpus for {target}");
}

macro_rules! replays {
    ($($target:ident)*) => {
        $( #[test] fn $target() { replay(stringify!($target)); } )*

        #[test]
        fn no_target_is_left_out() {
            let here = [$(stringify!($target)),*];
            assert!(targets::TARGETS.iter().map(|(name, _)| *name).eq(here));
        }
    };
}

replays! {
    certificate channel configuration_server configuration_token decode registration_server
    registration_token session_server session_token software_token_file store_file
}

#[test]
fn every_kind_of_message_is_in_the_corpus() {
    let messages = targets::story::messages();
    let mut kinds: Vec<u64> = Vec::new();
    for (label, message) in &messages {
        kinds.push(halfkey::wire::message_type(message).unwrap());
        assert!(folder("decode").join(label).exists(), "{label}: see `plant`");
    }
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15]);
}

#[test]
#[ignore = "writes the messages into the corpus: after a change of the protocol"]
fn plant() {
    for (label, message) in targets::story::messages() {
        std::fs::write(folder("decode").join(label), message).unwrap();
    }
}
