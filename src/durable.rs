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
    /// Users may read or write it who are not meant to.
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

/// Users who may read and write a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileAccess {
    /// Its owner alone: mode 0600.
    #[default]
    Owner,
    /// Its owner, and the group of its directory: mode 0660. Every member of the group can copy the file, and replace
    /// it by an earlier one. For volumes whose owner is not the user of the program, such as those that Kubernetes
    /// mounts with an `fsGroup`.
    Group,
}

#[cfg(unix)]
impl FileAccess {
    const fn mode(self) -> u32 {
        match self {
            Self::Owner => 0o600,
            Self::Group => 0o660,
        }
    }

    /// Tells whether a file has rights beside these.
    const fn is_exceeded_by(self, mode: u32) -> bool {
        mode & 0o077 & !self.mode() != 0
    }
}

/// The path of a file, and of the one beside it that replaces it.
pub(crate) struct Place {
    path: PathBuf,
    beside: PathBuf,
    dir: PathBuf,
    access: FileAccess,
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
        let access = FileAccess::Owner;
        Ok(Self { path: dir.join(name), beside: dir.join(beside), dir, access, held: None })
    }

    /// Lets others than the owner read and write it.
    pub(crate) fn with(self, access: FileAccess) -> Self {
        Self { access, ..self }
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

    /// Checks that it is a file, and that nobody may read or write it who is not meant to. It is looked at before it is
    /// opened, because opening a pipe waits.
    pub(crate) fn readable(&self) -> Result<(), PlaceError> {
        let metadata = fs::metadata(&self.path)?;
        if !metadata.is_file() {
            return Err(PlaceError::NotAFile);
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            if self.access.is_exceeded_by(metadata.mode()) {
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
        let made = self.make(Path::new(&name), OpenOptions::new().read(true)).and_then(|lock| {
            #[cfg(unix)]
            let mode = std::os::unix::fs::MetadataExt::mode(&lock.metadata()?);
            #[cfg(not(unix))]
            let mode = ();
            Ok((lock, mode))
        });
        match made {
            // Known before anything is made that would be refused when it is read.
            #[cfg(unix)]
            Ok((_, mode)) if self.access.is_exceeded_by(mode) => {
                let _ = fs::remove_file(&name);
                return Err(PlaceError::NoModes);
            }
            Ok((lock, _)) => return Ok(lock),
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

    /// Makes a file, which must not be there: nobody's link is followed. A group gets its rights when the file is the
    /// group's, and not before.
    fn make(&self, path: &Path, options: &mut OpenOptions) -> io::Result<File> {
        let file = owners(options.write(true).create_new(true)).open(path)?;
        #[cfg(unix)]
        if self.access == FileAccess::Group {
            use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
            let (group, own) = (fs::metadata(&self.dir)?.gid(), file.metadata()?.gid());
            let given = if group == own { Ok(()) } else { fchown(&file, None, Some(group)) };
            let mode = fs::Permissions::from_mode(self.access.mode());
            if let Err(error) = given.and_then(|()| file.set_permissions(mode)) {
                let _ = fs::remove_file(path);
                return Err(error);
            }
        }
        Ok(file)
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
        let mut file = self.make(&self.beside, &mut OpenOptions::new())?;
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

/// For files that only their owner may read, as yet.
fn owners(options: &mut OpenOptions) -> &OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}
