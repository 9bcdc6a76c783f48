//! Refusals of the operating system: no room, no permission, a read-only device, a second process.
//!
//! Each part is a process of its own, in circumstances that a shell makes for it. Where it cannot
//! (no name spaces, no `setpriv`, no `strace`), the test says so and is passed over: a machine may forbid them.

use crate::child::{PINS, open_at_last, say, word};
#[cfg(unix)]
use crate::failing;
use crate::{child, directory, names};
use halfkey::certificate::{IssuerName, TrustAnchor, TrustAnchors};
use halfkey::key::IssuerKey;
use halfkey::port::{Token, TokenError};
use halfkey::record::{Attempt, Waiting};
use halfkey::software::{FileError, PinSettings, SoftwareToken, UnblockingCode};
use halfkey::template::{Field, FieldKind, Template};
use halfkey::{Secret, ServerName, SystemRandom, TicketId, Txn, UnixTime};
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The exit code of a shell that cannot make the circumstances.
const CANNOT: i32 = 77;

pub(crate) fn create(path: &Path) -> Result<(SoftwareToken, UnblockingCode), FileError> {
    let issuer = IssuerKey::generate_ed25519(&mut SystemRandom).unwrap();
    let anchor = TrustAnchor::new(IssuerName::common_name("Issuer").unwrap(), issuer.public().clone());
    let (quick, random) = (PinSettings::for_tests(), Box::new(SystemRandom));
    SoftwareToken::create(path, TrustAnchors::from(anchor), &PINS[0].into(), quick, random)
}

pub(crate) fn open(path: &Path) -> Result<SoftwareToken, FileError> {
    SoftwareToken::open(path, PinSettings::for_tests(), Box::new(SystemRandom))
}

pub(crate) fn attempts(path: &Path) -> usize {
    let mut token = open(path).unwrap();
    token.unlock(&PINS[0].into()).unwrap();
    token.attempts().unwrap().len()
}

/// An application of some 4 KiB that waits.
pub(crate) fn waiting(n: u8) -> Attempt {
    let fields = vec![
        Field::required("name", FieldKind::UserName),
        Field::required("why", FieldKind::Text { max_len: 4096 }),
    ];
    let template = Template::new(fields).unwrap();
    Attempt::Waiting(Waiting {
        txn: Txn::new([n; 16]),
        server_name: ServerName::new("gate.example").unwrap(),
        ticket_id: TicketId::new([n; 16]),
        ticket: Secret::new([n; 32]),
        form: template.fill([("name", "ann".into()), ("why", "x".repeat(4096).as_str().into())]).unwrap(),
        renews: None,
        replaces: None,
        retry: halfkey::Period::new(UnixTime::from_secs(0), 1),
        hold: halfkey::Period::new(UnixTime::from_secs(0), 2),
    })
}

/// Holds more and more until there is no room; how many it holds.
fn fill(token: &mut SoftwareToken, number: u32) -> usize {
    for n in 0..64 {
        if let Err(refused) = token.save_attempt(waiting(n)) {
            assert_eq!(refused, TokenError::Device(number));
            assert_eq!(token.attempts().unwrap().len(), usize::from(n), "what is refused has not happened");
            return n.into();
        }
    }
    panic!("there was room for everything");
}

/// The process's part.
pub(crate) fn part(part: &str) {
    let path = PathBuf::from(word("FILE"));
    let Some(dir) = path.parent() else { return };
    let ballast = path.with_extension("ballast");
    match part {
        "wait" => {
            let _held = open_at_last(&path).unwrap();
            say("held");
            let _ = std::io::stdin().read(&mut [0]);
        }
        "in use" => assert_eq!(open(&path).err(), Some(FileError::InUse)),
        "full device" => {
            fs::write(&ballast, [0; 16_384]).unwrap();
            let (mut token, _) = create(&path).unwrap();
            let held = fill(&mut token, 28);
            assert!(held > 0);
            assert_eq!(names(dir), ["token", "token.ballast", "token.lock"], "half a file is left");
            let free = dir.join("free");
            let full = || {
                while fs::OpenOptions::new()
                    .append(true)
                    .create(true)
                    .open(&free)
                    .and_then(|mut file| file.write_all(&[0; 512]))
                    .is_ok()
                {}
            };
            full();
            assert_eq!(create(&dir.join("other")).err(), Some(FileError::NoRoom));
            assert!(!dir.join("other").exists() && !dir.join("other.new").exists());
            drop(token);
            // Locked, it stays so: a try that is not counted is not made.
            let mut token = open(&path).unwrap();
            assert_eq!(token.unlock(&PINS[0].into()), Err(TokenError::Device(28)));
            assert_eq!(token.tries_left(), 5);
            fs::remove_file(&ballast).unwrap();
            fs::remove_file(&free).unwrap();
            token.unlock(&PINS[0].into()).unwrap();
            token.save_attempt(waiting(99)).unwrap();
            drop(token);
            assert_eq!(attempts(&path), held + 1);
        }
        "longest file" => {
            let (mut token, _) = create(&path).unwrap();
            let held = fill(&mut token, 27);
            assert_eq!(names(dir), ["token", "token.lock"]);
            fs::write(dir.join("held"), held.to_string()).unwrap();
        }
        "make" => drop(create(&path).unwrap()),
        "read-only" => {
            let before = names(dir);
            assert_eq!(open(&path).err(), Some(FileError::ReadOnly));
            assert_eq!(create(&dir.join("other")).err(), Some(FileError::ReadOnly));
            assert_eq!(names(dir), before);
        }
        "denied" => {
            assert_eq!(open(&path).err(), Some(FileError::Denied));
            assert_eq!(create(&dir.join("other")).err(), Some(FileError::Denied));
        }
        "traced" => {
            let (mut token, _) = create(&path).unwrap();
            say("did create");
            token.save_attempt(waiting(1)).unwrap();
            say("did hold");
            token.lock();
            assert!(token.unlock(&PINS[1].into()).is_err());
            say("did count");
            token.unlock(&PINS[0].into()).unwrap();
            say("did unlock");
        }
        #[cfg(unix)]
        other => failing::part(other),
        #[cfg(not(unix))]
        _ => {}
    }
}

/// Runs a shell's lines, in which `part NAME` is that part in a process of its own; `false`, said
/// aloud, where they cannot be run.
pub(crate) fn shell(command: &[&str], lines: &str, dir: &Path) -> bool {
    let program = child("");
    let arguments: Vec<_> = program.get_args().map(|argument| argument.to_str().unwrap()).collect();
    let script = format!(
        "part() {{ HALFKEY_CHILD_PART=\"$1\" \"$0\" {} || exit 1; }}\necho begun\n{lines}",
        arguments.join(" ")
    );
    let ran = Command::new(command[0])
        .args(&command[1..])
        .args(["sh", "-c", &script])
        .arg(program.get_program())
        .env("HALFKEY_CHILD_FILE", dir.join("token"))
        .env("DIR", dir)
        .stdin(Stdio::null())
        .output();
    let ran = match ran {
        Ok(ran) if ran.stdout.starts_with(b"begun\n") && ran.status.code() != Some(CANNOT) => ran,
        other => {
            println!("SKIPPED: {lines}: {other:?}");
            return false;
        }
    };
    assert!(ran.status.success(), "{lines}: {ran:?}");
    true
}

#[test]
fn a_second_process_is_kept_off_while_the_first_lives() {
    let dir = directory("in-use");
    let path = dir.join("token");
    let (token, _) = create(&path).unwrap();
    assert!(shell(&["env"], "part 'in use'", &dir));
    drop(token);
    let mut first = child("wait");
    let mut first =
        first.env("HALFKEY_CHILD_FILE", &path).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let mut out = first.stdout.take().unwrap();
    while !said.contains("@ held") {
        let mut byte = [0];
        assert_eq!(out.read(&mut byte).unwrap(), 1, "it ended: {said}");
        said.push(byte[0].into());
    }
    assert_eq!(open(&path).err(), Some(FileError::InUse));
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(open(&path).err(), None);
}

/// A kill cannot show this, because the operating system outlives it: w the new file is written, s
/// synchronised, r moved over the old one, d the directory synchronised, and only then a the answer.
/// Before anything rests on what is found in the directory, that is synchronised too.
#[test]
#[cfg(target_os = "linux")]
fn what_is_answered_was_synchronised_first() {
    let dir = directory("traced");
    let lines = "strace -o /dev/null true 2>/dev/null || exit 77\n\
        export HALFKEY_CHILD_PART=traced\n\
        strace -f -y -o \"$DIR/trace\" \"$0\" --exact child_process --ignored --nocapture --quiet";
    if !shell(&["env"], lines, &dir) {
        return;
    }
    let event = |call: &str| {
        let (_, call) = call.split_once(' ').unwrap();
        let call = call.trim_start();
        let new = call.contains("/token.new");
        match call.split('(').next().unwrap() {
            "write" if new => Some('w'),
            "fsync" if new => Some('s'),
            "rename" | "renameat" | "renameat2" if new => Some('r'),
            "fsync" if call.contains("-traced>") => Some('d'),
            "write" if call.contains("@ did") => Some('a'),
            _ => None,
        }
    };
    let trace = fs::read_to_string(dir.join("trace")).unwrap();
    assert_eq!(
        trace.lines().filter_map(event).collect::<String>(),
        "dwsrda wsrda wsrda wsrdwsrda".replace(' ', "")
    );
}

#[test]
#[cfg(target_os = "linux")]
fn no_room_on_the_device() {
    let dir = directory("full");
    shell(
        &["unshare", "-rm"],
        "mount -t tmpfs -o size=64k none \"$DIR\" || exit 77\npart 'full device'",
        &dir,
    );
}

#[test]
#[cfg(target_os = "linux")]
fn no_room_within_a_limit() {
    let dir = directory("limit");
    if shell(&["env"], "trap '' XFSZ\nulimit -f 64 || exit 77\npart 'longest file'", &dir) {
        let held: usize = fs::read_to_string(dir.join("held")).unwrap().parse().unwrap();
        assert!(held > 0);
        assert_eq!(attempts(&dir.join("token")), held);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_read_only_device() {
    let dir = directory("read-only");
    shell(
        &["unshare", "-rm"],
        "mount -t tmpfs none \"$DIR\" || exit 77\npart make\nmount -o remount,bind,ro \"$DIR\" || exit 77\npart read-only",
        &dir,
    );
}

#[test]
#[cfg(unix)]
fn no_right_to_it() {
    use std::os::unix::fs::PermissionsExt;
    let dir = directory("denied");
    drop(create(&dir.join("token")).unwrap());
    let mode = |path: &Path, mode| fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    mode(&dir.join("token.lock"), 0o400);
    mode(&dir, 0o555);
    let lines = format!("if [ ! -w \"$DIR\" ]; then part denied; exit; fi\n{}", as_nobody("denied"));
    shell(&["env"], &lines, &dir);
    mode(&dir, 0o755);
}

/// A process with all permissions becomes `nobody` first.
#[cfg(unix)]
pub(crate) fn as_nobody(part: &str) -> String {
    format!(
        "export HALFKEY_CHILD_PART='{part}'\n\
        setpriv --reuid=65534 --clear-groups \"$0\" --list >/dev/null 2>&1 || exit 77\n\
        setpriv --reuid=65534 --clear-groups \"$0\" --exact child_process --ignored --quiet"
    )
}
