//! The software token in a file of its own.

use super::software::{number, register, waiting};
use super::{anchors, pin};
use halfkey::port::{Token, TokenError};
use halfkey::software::{FileError, Label, LoadError, PinSettings, SoftwareToken, UnblockingCode};
use halfkey::{KeyId, SystemRandom};
use std::fs;
use std::path::{Path, PathBuf};

/// A directory of its own for a test, gone when that ends well.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("token-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
    fn of(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
    fn names(&self) -> Vec<String> {
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<String> = self.0.read_dir().unwrap().map(name).collect();
        names.sort();
        names
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

fn create(path: &Path) -> Result<(SoftwareToken, UnblockingCode), FileError> {
    SoftwareToken::create(path, anchors(), &pin("1234"), PinSettings::for_tests(), Box::new(SystemRandom))
}

fn open(path: &Path) -> Result<SoftwareToken, FileError> {
    SoftwareToken::open(path, PinSettings::for_tests(), Box::new(SystemRandom))
}

#[test]
fn what_is_answered_is_in_the_file() {
    let dir = Dir::new("durable");
    let path = dir.of("t");
    let (mut token, code) = create(&path).unwrap();
    assert!(!token.is_locked());
    register(&mut token, 1).unwrap();
    token.save_attempt(waiting(2)).unwrap();
    drop(token);

    let mut token = open(&path).unwrap();
    assert!(token.is_locked());
    assert_eq!(token.unlock(&pin("0000")), Err(TokenError::WrongPin { tries_left: 4 }));
    drop(token);
    let mut token = open(&path).unwrap();
    assert_eq!(token.tries_left(), 4, "a restart gives no tries back");
    token.unlock(&pin("1234")).unwrap();
    assert_eq!((token.registrations().unwrap().len(), token.attempts().unwrap().len()), (1, 1));
    token.change_pin(&pin("1234"), &pin("5678")).unwrap();
    drop(token);

    let mut token = open(&path).unwrap();
    for _ in 0..4 {
        assert!(token.unlock(&pin("1234")).is_err());
    }
    assert_eq!(token.unlock(&pin("1234")), Err(TokenError::Blocked));
    drop(token);
    let mut token = open(&path).unwrap();
    assert_eq!(token.unlock(&pin("5678")), Err(TokenError::Blocked));
    token.unblock(&code, &pin("9012")).unwrap();
    drop(token);
    let mut token = open(&path).unwrap();
    token.unlock(&pin("9012")).unwrap();
    assert_eq!(token.registrations().unwrap().len(), 1);
    assert_eq!(dir.names(), ["t", "t.lock"]);
}

/// A file that a group may read is made and opened by those who say so, and by nobody else.
#[cfg(unix)]
#[test]
fn a_group_has_a_token_where_it_is_said_to() {
    use halfkey::software::FileAccess;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

    let dir = Dir::new("group");
    let (path, quick) = (dir.of("t"), PinSettings::for_tests);
    let set = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let found = |name: &str| {
        let metadata = fs::metadata(dir.of(name)).unwrap();
        (metadata.mode() & 0o777, metadata.gid())
    };
    // Only root may give the directory to another group; it is that of this process otherwise.
    let _ = chown(&dir.0, None, Some(fs::metadata(&dir.0).unwrap().gid() + 1));
    let group = fs::metadata(&dir.0).unwrap().gid();
    set(&dir.0, 0o770);

    let (access, random) = (FileAccess::Group, || Box::new(SystemRandom));
    let made = SoftwareToken::create_for(access, &path, anchors(), &pin("1234"), quick(), random());
    let (mut token, _) = made.unwrap();
    assert_eq!((found("t"), found("t.lock")), ((0o660, group), (0o660, group)));
    register(&mut token, 1).unwrap();
    assert_eq!(found("t"), (0o660, group), "each change keeps it so");
    drop(token);
    assert_eq!(open(&path).err(), Some(FileError::Exposed), "nobody has said that it may be");
    let open_for = || SoftwareToken::open_for(access, &path, quick(), random());
    drop(open_for().unwrap());
    for mode in [0o664, 0o662, 0o661, 0o607] {
        set(&path, mode);
        assert_eq!(open_for().err(), Some(FileError::Exposed), "{mode:o}");
    }
    // One that was its owner's becomes the group's with its next change.
    set(&path, 0o600);
    let mut token = open_for().unwrap();
    token.unlock(&pin("1234")).unwrap();
    assert_eq!(found("t"), (0o660, group));
    drop(token);
    set(&dir.0, 0o777);
    assert_eq!(open_for().err(), Some(FileError::OpenDirectory));
    set(&dir.0, 0o770);

    let (token, _) = create(&dir.of("own")).unwrap();
    drop(token);
    assert_eq!(found("own").0, 0o600, "the default");
}

#[test]
fn registrations_have_labels() {
    let dir = Dir::new("labels");
    let path = dir.of("t");
    let (mut token, _) = create(&path).unwrap();
    let (first, second) = (KeyId::new(number(1)), KeyId::new(number(2)));
    let label = Some(Label::new(" my  bank ").unwrap());
    register(&mut token, 1).unwrap();
    assert_eq!(token.label(&first), Ok(None));
    token.rename(&first, label.clone()).unwrap();
    assert_eq!(token.rename(&second, None), Err(TokenError::NoSuchKey));
    assert_eq!(token.label(&second), Err(TokenError::NoSuchKey));
    drop(token);

    let mut token = open(&path).unwrap();
    assert_eq!(token.label(&first), Err(TokenError::Locked));
    assert_eq!(token.rename(&first, None), Err(TokenError::Locked));
    token.unlock(&pin("1234")).unwrap();
    assert_eq!(token.label(&first).unwrap().unwrap().as_str(), "my bank");
    // A renewal takes it over; what was labelled meanwhile keeps its own.
    register(&mut token, 2).unwrap();
    let mut renewed = token.registrations().unwrap().remove(1);
    renewed.supersedes = Some(first);
    token.update(&renewed).unwrap();
    assert_eq!((token.registrations().unwrap().len(), token.label(&second)), (1, Ok(label)));
    token.rename(&second, None).unwrap();
    assert_eq!(token.label(&second), Ok(None));
}

#[test]
fn one_at_a_time() {
    let dir = Dir::new("in-use");
    let path = dir.of("t");
    let (token, _) = create(&path).unwrap();
    assert_eq!(open(&path).err(), Some(FileError::InUse));
    drop(token);
    let held = open(&path).unwrap();
    assert_eq!(open(&path).err(), Some(FileError::InUse));
    #[cfg(unix)]
    {
        // By another name it is the same token still.
        std::os::unix::fs::symlink(&path, dir.of("link")).unwrap();
        assert_eq!(open(&dir.of("link")).err(), Some(FileError::InUse));
        drop(held);
        let mut by_link = open(&dir.of("link")).unwrap();
        assert_eq!(open(&path).err(), Some(FileError::InUse));
        by_link.unlock(&pin("1234")).unwrap();
        register(&mut by_link, 1).unwrap();
        drop(by_link);
        let mut token = open(&path).unwrap();
        token.unlock(&pin("1234")).unwrap();
        assert_eq!(token.registrations().unwrap().len(), 1);
    }
}

#[test]
fn no_file_is_made_in_the_place_of_another() {
    let dir = Dir::new("exists");
    for content in [&b""[..], b"something else"] {
        fs::write(dir.of("t"), content).unwrap();
        assert_eq!(create(&dir.of("t")).err(), Some(FileError::AlreadyExists));
        assert_eq!(fs::read(dir.of("t")).unwrap(), content);
    }
    fs::create_dir(dir.of("d")).unwrap();
    assert_eq!(create(&dir.of("d")).err(), Some(FileError::AlreadyExists));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("nowhere", dir.of("dangling")).unwrap();
        assert_eq!(create(&dir.of("dangling")).err(), Some(FileError::AlreadyExists));
    }
    let short = SoftwareToken::create(
        dir.of("short"),
        anchors(),
        &pin("123"),
        PinSettings::for_tests(),
        Box::new(SystemRandom),
    );
    assert_eq!(short.err(), Some(FileError::Token(TokenError::UnfitPin)));
    assert!(!dir.of("short").exists());
}

#[test]
fn what_is_no_token_is_not_opened() {
    let dir = Dir::new("no-token");
    assert_eq!(open(&dir.of("t")).err(), Some(FileError::NotFound));
    assert!(dir.names().is_empty(), "looking for it leaves nothing behind");
    assert_eq!(create(&dir.of("no/t")).err(), Some(FileError::NotFound));
    assert!(open(Path::new("/")).is_err());
    assert_eq!(open(&dir.0).err(), Some(FileError::Load(LoadError::NotAToken)));
    for (content, error) in [
        (&b""[..], LoadError::NotAToken),
        (b"-----BEGIN CERTIFICATE-----", LoadError::NotAToken),
        (b"halfkey/1 token, version 7\n\xA0", LoadError::Newer(7)),
    ] {
        private(&dir.of("t"), content);
        assert_eq!(open(&dir.of("t")).err(), Some(FileError::Load(error)));
        assert_eq!(fs::read(dir.of("t")).unwrap(), content);
    }
    let (token, _) = create(&dir.of("weak")).unwrap();
    drop(token);
    let opened = SoftwareToken::open(dir.of("weak"), PinSettings::default(), Box::new(SystemRandom));
    assert_eq!(opened.err(), Some(FileError::Load(LoadError::TooWeak)));
    // A path that is no directory holds no token.
    let error = create(&dir.of("weak/t")).err();
    assert!(matches!(error, Some(FileError::Device(_))), "{error:?}");
}

/// A file that only its owner may read.
fn private(path: &Path, content: &[u8]) {
    fs::write(path, content).unwrap();
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

#[test]
fn what_a_crash_left_beside_it_is_cleared_away() {
    let dir = Dir::new("left-over");
    let path = dir.of("t");
    drop(create(&path).unwrap());
    private(&dir.of("t.new"), b"half a file");
    let mut token = open(&path).unwrap();
    assert_eq!(dir.names(), ["t", "t.lock"]);
    token.unlock(&pin("1234")).unwrap();
    // Somebody's link in its place is not followed.
    #[cfg(unix)]
    {
        private(&dir.of("mine"), b"mine");
        std::os::unix::fs::symlink("mine", dir.of("t.new")).unwrap();
        register(&mut token, 1).unwrap();
        assert_eq!(fs::read(dir.of("mine")).unwrap(), b"mine");
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
    }
    // The first file of all may be cut short as well.
    private(&dir.of("u.new"), b"half a file");
    drop(create(&dir.of("u")).unwrap());
    assert!(!dir.of("u.new").exists());
}

#[test]
fn what_the_file_system_refuses_has_not_happened() {
    let dir = Dir::new("refused");
    let path = dir.of("t");
    let (mut token, _) = create(&path).unwrap();
    register(&mut token, 1).unwrap();
    let before = fs::read(&path).unwrap();
    // A directory in the place of the new file: it can be neither removed nor written.
    fs::create_dir(dir.of("t.new")).unwrap();
    let refused = register(&mut token, 2);
    assert!(matches!(refused, Err(TokenError::Device(1..=4095))), "{refused:?}");
    assert!(token.change_pin(&pin("1234"), &pin("5678")).is_err());
    assert_eq!(token.registrations().unwrap().len(), 1);
    assert_eq!(fs::read(&path).unwrap(), before);
    fs::remove_dir(dir.of("t.new")).unwrap();
    register(&mut token, 2).unwrap();
    token.change_pin(&pin("1234"), &pin("5678")).unwrap();
}

#[cfg(unix)]
mod modes {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_file_of_two_names_is_not_opened_by_either() {
        let dir = Dir::new("hard-link");
        let path = dir.of("t");
        let (token, _) = create(&path).unwrap();
        fs::hard_link(&path, dir.of("other")).unwrap();
        // Held by the one name, by the other, and by none.
        assert_eq!(open(&dir.of("other")).err(), Some(FileError::Linked));
        drop(token);
        assert_eq!(open(&dir.of("other")).err(), Some(FileError::Linked));
        assert_eq!(open(&path).err(), Some(FileError::Linked));
        assert_eq!(dir.names(), ["other", "t", "t.lock"]);
        fs::remove_file(dir.of("other")).unwrap();
        open(&path).unwrap().unlock(&pin("1234")).unwrap();
    }

    #[test]
    fn nobody_else_may_read_it() {
        let dir = Dir::new("modes");
        let path = dir.of("t");
        let (mut token, _) = create(&path).unwrap();
        register(&mut token, 1).unwrap();
        drop(token);
        assert_eq!((mode(&path), mode(&dir.of("t.lock"))), (0o600, 0o600));
        for wide in [0o640, 0o604, 0o660, 0o602, 0o610] {
            fs::set_permissions(&path, PermissionsExt::from_mode(wide)).unwrap();
            assert_eq!(open(&path).err(), Some(FileError::Exposed), "{wide:o}");
        }
        fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        let mut token = open(&path).unwrap();
        // Somebody widens it while it is open: the next change makes it narrow again.
        fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
        token.unlock(&pin("1234")).unwrap();
        assert_eq!(mode(&path), 0o600);
    }
}

/// A link would have another file locked, and perhaps made.
#[cfg(unix)]
#[test]
fn a_lock_that_is_a_link_is_not_followed() {
    let dir = Dir::new("lock-link");
    let path = dir.of("t");
    for target in ["nowhere", "somewhere"] {
        if target == "somewhere" {
            fs::write(dir.of(target), "theirs").unwrap();
        }
        std::os::unix::fs::symlink(dir.of(target), dir.of("t.lock")).unwrap();
        assert!(matches!(create(&path), Err(FileError::LockIsNoFile)), "{target}");
        fs::remove_file(dir.of("t.lock")).unwrap();
    }
    assert_eq!(dir.names(), ["somewhere"]);
    drop(create(&path).unwrap());
    fs::remove_file(dir.of("t.lock")).unwrap();
    std::os::unix::fs::symlink(dir.of("somewhere"), dir.of("t.lock")).unwrap();
    assert!(matches!(open(&path), Err(FileError::LockIsNoFile)));
    fs::remove_file(dir.of("t.lock")).unwrap();
    fs::create_dir(dir.of("t.lock")).unwrap();
    assert!(matches!(open(&path), Err(FileError::LockIsNoFile)));
    assert_eq!(fs::read(dir.of("somewhere")).unwrap(), b"theirs");
}

#[cfg(unix)]
#[test]
fn a_directory_that_anybody_may_change_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let dir = Dir::new("open-directory");
    let path = dir.of("t");
    let mode = |mode| fs::set_permissions(&dir.0, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o777);
    assert!(matches!(create(&path), Err(FileError::OpenDirectory)));
    assert!(dir.names().is_empty());
    // With the sticky bit nobody else can replace a file, as in /tmp.
    mode(0o1777);
    drop(create(&path).unwrap());
    mode(0o757);
    assert!(matches!(open(&path), Err(FileError::OpenDirectory)));
    mode(0o755);
    open(&path).unwrap();
}
