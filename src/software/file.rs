//! A software token in a file of its own.
//!
//! The file is replaced whole at each change: a new one is written beside it (`NAME.new`),
//! synchronised, and moved over it, and the directory is synchronised. Whenever the power fails,
//! the file is the old one or the new one, and what has been answered rests on the new one. Where
//! the directory cannot be synchronised the token is not opened.
//!
//! One failure comes too late: when the device fails at the very end, in synchronising the directory,
//! the new file may be there although the change is answered as failed. The token in memory is then
//! as before, and the next change makes the file so too; who opens the file before that may find the
//! change made, as though the power had gone just before the answer.
//!
//! A lock on an empty file (`NAME.lock`) keeps a second process off: two with one token would undo
//! each other's changes. It is a file of its own because the token's is another after each change,
//! and it stays, because two could each hold a lock on a name that one of them had removed. The
//! lock is advisory, and ends with the process however that ends.

use super::{LoadError, MAX_FILE, PinSettings, SecretString, SoftwareToken, UnblockingCode};
use crate::certificate::TrustAnchors;
use crate::durable::{Place, PlaceError};
use crate::port::TokenError;
use crate::random::RandomSource;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use thiserror::Error;

/// The number of a failure that the operating system gave none.
const UNNUMBERED: u32 = u32::MAX;

/// Why a token's file is not opened or created. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FileError {
    /// There is no such file; where one is to be created, no such directory.
    #[error("no such file or directory")]
    NotFound,
    /// There is a file of that name, and no token is made in the place of another.
    #[error("there is a file of that name")]
    AlreadyExists,
    /// Another process has the token open, or this one has.
    #[error("the token is in use")]
    InUse,
    /// Others than its owner may read or write the file, and may have: take that right from them
    /// (mode 0600). Who has a copy and finds the PIN it had then opens later files too, whatever their
    /// PIN: if somebody may, register anew on a new token and have these registrations revoked.
    #[error("others than its owner may read or write the token file")]
    Exposed,
    /// It has more than one name (hard links), and could be opened by each of them at once: remove the
    /// others, or put a copy of the file in its place.
    #[error("the token file has more than one name")]
    Linked,
    /// The operating system does not permit it; the directory must be readable and writable too.
    #[error("permission denied")]
    Denied,
    /// The file system is read-only.
    #[error("the file system is read-only")]
    ReadOnly,
    /// No room: on the device, or within a quota or limit.
    #[error("no room on the device")]
    NoRoom,
    /// It failed otherwise: the operating system's number for it.
    #[error("the file system failed ({0})")]
    Device(u32),
    /// It is no token, or none that may be opened.
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
    /// A blank token, unlocked, in a new file that only its owner may read, and the unblocking code,
    /// which it never shows again. As [`SoftwareToken::new`] otherwise.
    ///
    /// From now on every change is durable when the method returns `Ok`. Where the file system fails
    /// that is [`TokenError::Device`] with the operating system's number, and the change has not
    /// happened; only if it fails in the last step of all, which makes the new file's name durable,
    /// may who opens the file before the next change find it made.
    ///
    /// # Errors
    /// [`FileError`]; never is a file replaced.
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
        let mut place = Place::new(path.as_ref()).map_err(|error| FileError::of(&error))?;
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

    /// The token in a file, locked, held until it is dropped. As [`SoftwareToken::load`] and
    /// [`SoftwareToken::create`] otherwise.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn open(
        path: impl AsRef<Path>,
        settings: PinSettings,
        random: Box<dyn RandomSource + Send>,
    ) -> Result<Self, FileError> {
        // Where a link leads is where the lock is, by whatever name the token is called.
        let path = fs::canonicalize(path).map_err(|error| FileError::of(&error))?;
        let mut place = Place::new(&path).map_err(|error| FileError::of(&error))?;
        place.readable()?;
        place.save_attempt()?;
        let token = Self::load(&place.read(MAX_FILE)?, settings, random)?;
        Ok(token.saved_by(move |bytes| place.replace(bytes).map_err(|error| number(&error))))
    }
}
