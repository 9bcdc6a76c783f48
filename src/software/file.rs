//! Software token in a file of its own.
//!
//! Each change replaces the whole file: a new file is written beside it (`NAME.new`), synchronised, and moved
//! over it, and the directory is synchronised. After a loss of power the file is the old one or the new one,
//! and it is the new one if the method had returned. A token is not opened if its directory cannot be
//! synchronised.
//!
//! One failure comes too late. If the device fails in the last step, while the directory is synchronised, the
//! new file may be in place although the method returns an error. The token in memory is then unchanged, and
//! its next change replaces the file. A process that opens the file before that may find the change made, as
//! after a loss of power just before the method returned.
//!
//! A lock on an empty file (`NAME.lock`) excludes a second process: two processes with one token would undo
//! each other's changes. The lock has its own file because every change replaces the token's file. The lock
//! file is never removed, because two processes could then each hold a lock on a file of that name. The lock
//! is advisory, and ends with the process however that ends.

use super::{LoadError, MAX_FILE, PinSettings, SecretString, SoftwareToken, UnblockingCode};
use crate::cause::Numbered;
use crate::certificate::TrustAnchors;
pub use crate::durable::FileAccess;
use crate::durable::{Place, PlaceError};
use crate::port::TokenError;
use crate::random::RandomSource;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use thiserror::Error;

/// Number of a failure for which the operating system gave no number.
const UNNUMBERED: u32 = u32::MAX;

/// Error of opening or creating a token's file. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FileError {
    /// The caller's: the file does not exist, or the directory in which to create it does not exist.
    #[error("no such file or directory")]
    NotFound,
    /// The caller's: a file of that name exists. A new token never replaces a file.
    #[error("there is a file of that name")]
    AlreadyExists,
    /// The caller's: another process, or this one, has the token open.
    #[error("the token is in use")]
    InUse,
    /// The user's: users other than the owner, or with [`FileAccess::Group`] than the owner and the group, may read or
    /// write the file, and may have done so. Remove their permission (mode 0600, or 0660). An attacker that has a copy and finds its PIN can open later files too,
    /// whatever their PIN. If that is possible, register on a new token and have these registrations revoked.
    #[error("others than its owner may read or write the token file")]
    Exposed,
    /// The user's: the file has more than one name (hard links), and could be opened under each at once.
    /// Remove the other names, or replace the file by a copy.
    #[error("the token file has more than one name")]
    Linked,
    /// The operator's: the operating system does not permit the access. The directory must be readable and
    /// writable too.
    #[error("permission denied")]
    Denied,
    /// The operator's: the file system is read-only.
    #[error("the file system is read-only")]
    ReadOnly,
    /// The user's: the file of the lock beside it (`NAME.lock`) is a symbolic link, or no file.
    #[error("the file of the lock is a link, or no file")]
    LockIsNoFile,
    /// The user's: anybody may change the directory, and so put another file in the place of the token.
    #[error("anybody may change the directory that it is in")]
    OpenDirectory,
    /// The user's: the file system keeps no access rights (FAT, some network shares), so that others could read a
    /// token in it. Nothing was created.
    #[error("the file system keeps no access rights: others could read the token")]
    NoModes,
    /// The operator's: the device, a quota or a limit has no room left.
    #[error("no room on the device")]
    NoRoom,
    /// The device's: another failure, with the operating system's number.
    #[error("the file system failed: {}", Numbered(*.0))]
    Device(u32),
    /// The file is no token, or a token that must not be opened.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The PIN is unfit, or the token failed.
    #[error(transparent)]
    Token(#[from] TokenError),
}

impl From<PlaceError> for FileError {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::Io(error) => Self::of(&error),
            PlaceError::AlreadyExists => Self::AlreadyExists,
            PlaceError::InUse => Self::InUse,
            PlaceError::NotAFile => LoadError::NotAToken.into(),
            PlaceError::Exposed => Self::Exposed,
            PlaceError::Linked => Self::Linked,
            PlaceError::LockIsNoFile => Self::LockIsNoFile,
            PlaceError::OpenDirectory => Self::OpenDirectory,
            PlaceError::NoModes => Self::NoModes,
        }
    }
}

impl FileError {
    fn of(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::AlreadyExists => Self::AlreadyExists,
            ErrorKind::PermissionDenied => Self::Denied,
            ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Self::NoRoom,
            _ => Self::Device(number(error)),
        }
    }
}

fn number(error: &io::Error) -> u32 {
    error.raw_os_error().map_or(UNNUMBERED, i32::unsigned_abs)
}

impl SoftwareToken {
    /// Creates a blank, unlocked token in a new file that only its owner may read, and the unblocking code,
    /// which is shown only here. Otherwise it is like [`SoftwareToken::new`].
    ///
    /// Every later change is durable when its method returns `Ok`. A failure of the file system is
    /// [`TokenError::Device`] with the operating system's number, and the change has not happened. One case is
    /// different: if the last step fails, which makes the new file's name durable, then a process that opens
    /// the file before the next change may find the change made.
    ///
    /// # Errors
    /// [`FileError`]. A file is never replaced.
    ///
    /// ```
    /// # use halfkey::certificate::{IssuerName, TrustAnchor, TrustAnchors};
    /// # use halfkey::key::IssuerKey;
    /// use halfkey::SystemRandom;
    /// use halfkey::software::{FileError, PinSettings, SecretString, SoftwareToken};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let issuer = IssuerKey::generate_ed25519(&mut SystemRandom)?;
    /// # let anchor = TrustAnchor::new(IssuerName::common_name("Example")?, issuer.public().clone());
    /// # let anchors = TrustAnchors::from(anchor);
    /// # let path = std::env::temp_dir().join(format!("halfkey-{}.token", std::process::id()));
    /// let (pin, settings) = (SecretString::from("a long PIN"), PinSettings::default());
    /// let random = Box::new(SystemRandom);
    /// let (token, code) = SoftwareToken::create(&path, anchors, &pin, settings, random)?;
    /// println!("put away: {}", code.reveal().as_str());
    /// drop(token);
    ///
    /// let mut token = SoftwareToken::open(&path, settings, Box::new(SystemRandom))?;
    /// token.unlock(&pin)?;
    /// let second = SoftwareToken::open(&path, settings, Box::new(SystemRandom));
    /// assert_eq!(second.err(), Some(FileError::InUse));
    /// # std::fs::remove_file(&path)?;
    /// # std::fs::remove_file(path.with_extension("token.lock"))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn create(
        path: impl AsRef<Path>,
        anchors: TrustAnchors,
        pin: &SecretString,
        settings: PinSettings,
        random: Box<dyn RandomSource + Send>,
    ) -> Result<(Self, UnblockingCode), FileError> {
        Self::create_for(FileAccess::Owner, path, anchors, pin, settings, random)
    }

    /// Creates a token as [`SoftwareToken::create`] does, in a file that others may read too.
    ///
    /// # Errors
    /// [`FileError`]; [`FileError::Denied`] where the caller may not give a file to the directory's group.
    pub fn create_for(
        access: FileAccess,
        path: impl AsRef<Path>,
        anchors: TrustAnchors,
        pin: &SecretString,
        settings: PinSettings,
        random: Box<dyn RandomSource + Send>,
    ) -> Result<(Self, UnblockingCode), FileError> {
        let mut place = Place::new(path.as_ref()).map_err(|error| FileError::of(&error))?.with(access);
        place.vacant()?;
        place.save_attempt()?;
        place.vacant()?;
        let (mut token, code) = Self::new(anchors, pin, settings, random)?;
        if let Err(error) = place.replace(&token.save()) {
            // Nobody is to find a token whose unblocking code nobody was shown.
            let _ = fs::remove_file(place.path());
            return Err(FileError::of(&error));
        }
        Ok((token.saved_by(move |bytes| place.replace(bytes).map_err(|error| number(&error))), code))
    }

    /// Opens the token in a file, locked. The file's lock is held until the token is dropped. Otherwise it is
    /// like [`SoftwareToken::load`] and [`SoftwareToken::create`].
    ///
    /// # Errors
    /// [`FileError`].
    pub fn open(
        path: impl AsRef<Path>,
        settings: PinSettings,
        random: Box<dyn RandomSource + Send>,
    ) -> Result<Self, FileError> {
        Self::open_for(FileAccess::Owner, path, settings, random)
    }

    /// Opens a token as [`SoftwareToken::open`] does, in a file that others may read too, and keeps it so.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn open_for(
        access: FileAccess,
        path: impl AsRef<Path>,
        settings: PinSettings,
        random: Box<dyn RandomSource + Send>,
    ) -> Result<Self, FileError> {
        // Symbolic links are resolved first, so that all names of a token share one lock.
        let path = fs::canonicalize(path).map_err(|error| FileError::of(&error))?;
        let mut place = Place::new(&path).map_err(|error| FileError::of(&error))?.with(access);
        place.readable()?;
        place.save_attempt()?;
        let token = Self::load(&place.read(MAX_FILE)?, settings, random)?;
        Ok(token.saved_by(move |bytes| place.replace(bytes).map_err(|error| number(&error))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_that_somebody_can_mend_has_its_own_word() {
        for (kind, error) in [
            (ErrorKind::NotFound, FileError::NotFound),
            (ErrorKind::AlreadyExists, FileError::AlreadyExists),
            (ErrorKind::PermissionDenied, FileError::Denied),
            (ErrorKind::ReadOnlyFilesystem, FileError::ReadOnly),
            (ErrorKind::StorageFull, FileError::NoRoom),
            (ErrorKind::QuotaExceeded, FileError::NoRoom),
            (ErrorKind::FileTooLarge, FileError::NoRoom),
            (ErrorKind::TimedOut, FileError::Device(UNNUMBERED)),
        ] {
            assert_eq!(FileError::of(&kind.into()), error, "{kind:?}");
        }
        assert_eq!(FileError::of(&io::Error::from_raw_os_error(5)), FileError::Device(5));
    }
}
