//! Files that outlive a crash at any moment.
//!
//! A file is replaced whole: a new one is written beside it (`NAME.new`), synchronised, and moved over it, and
//! the directory is synchronised. A lock on an empty file (`NAME.lock`) keeps other processes off; it is a file
//! of its own because the other is a new one after each change.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::vec::Vec;
use zeroize::Zeroizing;

/// A reason for not using a file.
#[derive(Debug)]
pub(crate) enum PlaceError {
    /// The operating system's error.
    Io(io::Error),
    /// There is something of that name.
    AlreadyExists,
    /// Another holds the lock.
    InUse,
    /// There is something of that name that is no file.
    NotAFile,
    /// Others than the owner may read or write it.
    Exposed,
    /// It has more than one name (hard links).
    Linked,
    /// The file of the lock is a symbolic link, or no file.
    LockIsNoFile,
    /// Anybody may change the directory.
    OpenDirectory,
    /// The file system keeps no access rights: others could read what is made here.
    NoModes,
}

impl From<io::Error> for PlaceError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The path of a file, and of the one beside it that replaces it.
pub(crate) struct Place {
    path: PathBuf,
    beside: PathBuf,
    dir: PathBuf,
    held: Option<File>,
}

impl Place {
    /// Returns the place of `path`, whose directory must exist.
    pub(crate) fn new(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or(ErrorKind::NotFound)?;
        let dir = match path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => fs::canonicalize(dir)?,
            _ => fs::canonicalize(".")?,
        };
        let mut beside = name.to_owned();
        beside.push(".new");
        Ok(Self { path: dir.join(name), beside: dir.join(beside), dir, held: None })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Checks that there is nothing of that name.
    pub(crate) fn vacant(&self) -> Result<(), PlaceError> {
        match fs::symlink_metadata(&self.path) {
            Ok(_) => Err(PlaceError::AlreadyExists),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(PlaceError::Io(error)),
        }
    }

    /// Checks that it is a file, and that only its owner may read or write it. It is looked at before it is
    /// opened, because opening a pipe waits.
    pub(crate) fn readable(&self) -> Result<(), PlaceError> {
        let metadata = fs::metadata(&self.path)?;
        if !metadata.is_file() {
            return Err(PlaceError::NotAFile);
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            if metadata.mode() & 0o077 != 0 {
                return Err(PlaceError::Exposed);
            }
            // Each name would have a lock of its own.
            if metadata.nlink() > 1 {
                return Err(PlaceError::Linked);
            }
        }
        Ok(())
    }

    /// Takes the lock, and then away what a crash left beside the file. What is found there is durable
    /// before anything rests on it: who made it may have been killed just before that.
    pub(crate) fn save_attempt(&mut self) -> Result<(), PlaceError> {
        let dir = Directory::open(&self.dir)?;
        #[cfg(unix)]
        {
            // Others could put another file in the place of this one; where the sticky bit is set, they cannot.
            let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(&self.dir)?);
            if mode & 0o1002 == 0o002 {
                return Err(PlaceError::OpenDirectory);
            }
        }
        let lock = self.lock()?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => PlaceError::InUse,
            TryLockError::Error(error) => PlaceError::Io(error),
        })?;
        self.held = Some(lock);
        Ok(self.clear().and_then(|()| dir.sync())?)
    }

    /// Makes or opens the file of the lock, and follows no link.
    fn lock(&self) -> Result<File, PlaceError> {
        let mut name = self.path.clone().into_os_string();
        name.push(".lock");
        let mut options = OpenOptions::new();
        match owners(options.read(true).write(true).create_new(true)).open(&name) {
            Ok(lock) => {
                // Known before anything is made that would be refused when it is read.
                #[cfg(unix)]
                if std::os::unix::fs::MetadataExt::mode(&lock.metadata()?) & 0o077 != 0 {
                    let _ = fs::remove_file(&name);
                    return Err(PlaceError::NoModes);
                }
                return Ok(lock);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
        let before = fs::symlink_metadata(&name)?;
        if !before.is_file() {
            return Err(PlaceError::LockIsNoFile);
        }
        let lock = OpenOptions::new().read(true).write(true).open(&name)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let opened = lock.metadata()?;
            if (before.dev(), before.ino()) != (opened.dev(), opened.ino()) {
                return Err(PlaceError::LockIsNoFile);
            }
        }
        Ok(lock)
    }

    fn clear(&self) -> io::Result<()> {
        match fs::remove_file(&self.beside) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Returns at most `most` bytes of the file, which erase themselves.
    pub(crate) fn read(&self, most: usize) -> Result<Zeroizing<Vec<u8>>, PlaceError> {
        let file = File::open(&self.path)?;
        // Room for all of it at once: growing would leave a copy behind.
        let room = usize::try_from(file.metadata()?.len()).unwrap_or(most).min(most).saturating_add(1);
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        file.take(most as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Puts `bytes` in the place of the file, durably and whole.
    pub(crate) fn replace(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = self.write(bytes);
        if written.is_err() {
            // Room for others; what is left of it goes with the next change.
            let _ = self.clear();
        }
        written
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        // Whoever may not read it cannot synchronise it: better known now than when all is done.
        let dir = Directory::open(&self.dir)?;
        self.clear()?;
        // It must not be there: nobody's link is followed.
        let mut file = owners(OpenOptions::new().write(true).create_new(true)).open(&self.beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&self.beside, &self.path)?;
        dir.sync()
    }
}

/// An open directory. What has a new name in it has that durably when it is synchronised, which is
/// for Unix alone.
struct Directory {
    #[cfg(unix)]
    opened: File,
}

impl Directory {
    #[cfg(unix)]
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { opened: File::open(path)? })
    }
    #[cfg(not(unix))]
    fn open(_: &Path) -> io::Result<Self> {
        Ok(Self {})
    }

    #[cfg_attr(not(unix), allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "nothing to do"))]
    fn sync(&self) -> io::Result<()> {
        #[cfg(unix)]
        self.opened.sync_all()?;
        Ok(())
    }
}

/// For files that only their owner may read.
fn owners(options: &mut OpenOptions) -> &OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}
