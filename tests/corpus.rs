//! Every file of the fuzzer's corpus, through the very functions that the fuzzer runs.

mod targets;

use std::path::Path;

fn replay(target: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut replayed = 0;
    for entry in folder.read_dir().unwrap() {
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
    registration_token session_server session_token store_file
}
