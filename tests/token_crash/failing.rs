//! What fails late, or at the wrong moment: a change that is refused has not happened, and a PIN that
//! was not tried costs no try.

use crate::child::{PINS, word};
use crate::device::{as_nobody, attempts, create, open, shell, waiting};
use crate::{directory, names};
use halfkey::port::{Token, TokenError};
use halfkey::software::{FileError, PinSettings, STRETCHING_FAILED, SoftwareToken, UnblockError};
use halfkey::{SystemRandom, Txn};
use std::fs;
use std::path::PathBuf;

/// More memory than [`too_little_memory_costs_no_try`] leaves a process.
const GREEDY: PinSettings = PinSettings { tries: 5, memory_kib: 262_144, passes: 1 };

/// The process's part.
pub(crate) fn part(part: &str) {
    let path = PathBuf::from(word("FILE"));
    let Some(dir) = path.parent() else { return };
    match part {
        "unreadable directory" => {
            let own = dir.join("own");
            let mode = |mode| {
                fs::set_permissions(&own, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
            };
            fs::create_dir(&own).unwrap();
            let path = own.join("token");
            let (mut token, _) = create(&path).unwrap();
            let before = fs::read(&path).unwrap();
            // Everything but synchronising the directory could be done.
            mode(0o300);
            assert_eq!(token.save_attempt(waiting(1)), Err(TokenError::Device(13)));
            assert_eq!(token.unlock(&PINS[1].into()), Err(TokenError::Device(13)));
            assert_eq!((token.attempts().unwrap().len(), token.tries_left()), (0, 5));
            assert_eq!(fs::read(&path).unwrap(), before, "what is refused has not happened");
            drop(token);
            assert_eq!(open(&path).err(), Some(FileError::Denied));
            assert_eq!(create(&own.join("other")).err(), Some(FileError::Denied));
            mode(0o700);
            assert_eq!(names(&own), ["token", "token.lock"]);
            assert_eq!(attempts(&path), 0);
        }
        "late failure" => {
            let (mut token, _) = create(&path).unwrap();
            // Its directory cannot be synchronised, this once.
            assert_eq!(token.save_attempt(waiting(1)), Err(TokenError::Device(5)));
            assert_eq!(token.attempts().unwrap().len(), 0);
            let random = Box::new(SystemRandom);
            let quick = PinSettings::for_tests();
            let mut found = SoftwareToken::load(&fs::read(&path).unwrap(), quick, random).unwrap();
            found.unlock(&PINS[0].into()).unwrap();
            assert_eq!(found.attempts().unwrap().len(), 1, "who looks now may find it");
            token.save_attempt(waiting(2)).unwrap();
            drop(token);
            let mut token = open(&path).unwrap();
            token.unlock(&PINS[0].into()).unwrap();
            let held: Vec<_> = token.attempts().unwrap().iter().map(|attempt| *attempt.txn()).collect();
            assert_eq!(held, [Txn::new([2; 16])], "the next change undoes it");
        }
        "unsynchronised directory" => {
            let before = names(dir);
            assert_eq!(open(&path).err(), Some(FileError::Device(22)));
            assert_eq!(names(dir), before);
        }
        "make greedy" => {
            let (mut token, _) = create(&path).unwrap();
            token.harden(GREEDY);
            token.unlock(&PINS[0].into()).unwrap();
            drop(create(&path.with_extension("modest")).unwrap());
        }
        "little memory" => {
            let refused = Err(TokenError::Device(STRETCHING_FAILED));
            let before = fs::read(&path).unwrap();
            let mut token = open(&path).unwrap();
            for _ in 0..6 {
                assert_eq!(token.unlock(&PINS[0].into()), refused);
                assert_eq!(token.change_pin(&PINS[0].into(), &PINS[1].into()), refused);
            }
            assert_eq!(token.tries_left(), 5);
            let code = "0000-0000-0000-0000".parse().unwrap();
            assert_eq!(token.unblock(&code, &PINS[1].into()), refused.clone().map_err(UnblockError::Token));
            assert_eq!(fs::read(&path).unwrap(), before);
            // Enough to try the PIN, and too little to raise what a guess at it costs.
            let mut token = open(&path.with_extension("modest")).unwrap();
            token.harden(GREEDY);
            assert_eq!(token.unlock(&PINS[0].into()), refused);
            assert_eq!(token.tries_left(), 5);
            token.harden(PinSettings::for_tests());
            token.unlock(&PINS[0].into()).unwrap();
            let other = SoftwareToken::create(
                dir.join("other"),
                token.anchors().unwrap(),
                &PINS[0].into(),
                GREEDY,
                Box::new(SystemRandom),
            );
            assert_eq!(other.err(), refused.err().map(FileError::Token));
            assert!(!dir.join("other").exists());
        }
        _ => {}
    }
}

#[test]
#[cfg(target_os = "linux")]
fn too_little_memory_costs_no_try() {
    let dir = directory("memory");
    let lines = "part 'make greedy'\n\
        (ulimit -v 200000 && \"$0\" --list >/dev/null 2>&1) || exit 77\n\
        (ulimit -v 200000; part 'little memory') || exit 1";
    if shell(&["env"], lines, &dir) {
        assert_eq!(attempts(&dir.join("token")), 0, "with enough of it the same PIN opens the token");
    }
}

/// Runs a part whose calls of fsync on the directory fail, those that `when` names.
#[cfg(target_os = "linux")]
fn with_failing_directory(name: &str, before: &str, error: &str, when: &str, part: &str) {
    let dir = directory(name);
    let inject = format!(
        "strace -f -o /dev/null -P \"$DIR\" -e trace=fsync -e inject=fsync:error={error}:when={when}"
    );
    let lines = format!(
        "{before}\n{inject} true 2>/dev/null || exit 77\nexport HALFKEY_CHILD_PART='{part}'\n\
        {inject} \"$0\" --exact child_process --ignored --nocapture --quiet"
    );
    shell(&["env"], &lines, &dir);
}

#[test]
#[cfg(target_os = "linux")]
fn a_failure_at_the_very_end_is_undone_by_the_next_change() {
    // The first is when the token is made, the second its file's, the third the change's.
    with_failing_directory("late", "", "EIO", "3", "late failure");
}

#[test]
#[cfg(target_os = "linux")]
fn where_no_directory_can_be_synchronised_nothing_is_opened() {
    with_failing_directory("unsynchronised", "part make", "EINVAL", "1+", "unsynchronised directory");
}

#[test]
#[cfg(unix)]
fn a_directory_that_may_be_written_and_not_read() {
    let dir = directory("unreadable");
    fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let lines = "if [ \"$(id -u)\" != 0 ]; then part 'unreadable directory'; exit; fi";
    shell(&["env"], &format!("{lines}\n{}", as_nobody("unreadable directory")), &dir);
}
