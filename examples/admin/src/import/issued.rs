//! The file that issued codes are written to: CSV `name,code`, for its owner's eyes.

use super::CHUNK;
use super::lines::{Lines, field, fields, inert, revived};
use crate::failure::{Failure, FileError};
use halfkey::registration::ActivationCode;
use halfkey::{UnixTime, UserName};
use halfkey_common::file::{create_new, sync_directory};
use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use zeroize::Zeroizing;

/// Codes are written here, and are on the disk, before the store knows them; and no chunk of them is
/// written before the store knows the one before. So after a crash only the last chunk is in doubt.
pub(super) struct Issued {
    path: PathBuf,
    file: File,
    length: u64,
    /// The names that are done with: one text for each, as long as the import runs.
    names: HashSet<UserName>,
    /// Those of which the store may not have heard.
    doubtful: HashMap<UserName, ActivationCode>,
    /// Before any of it was written.
    made_at: UnixTime,
}

impl Issued {
    /// Makes the file, or goes on with it.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let in_file = |error: FileError| Failure::file(path, error);
        let (file, new) = match create_new(path) {
            Ok(file) => (file, true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let file = OpenOptions::new().read(true).append(true).open(path);
                (file.map_err(|error| in_file(error.into()))?, false)
            }
            Err(error) => return Err(in_file(error.into())),
        };
        file.try_lock().map_err(|_| in_file(FileError::Locked))?;
        // Where that is not known, when it was last written to.
        let made = file.metadata().and_then(|file| file.created().or_else(|_| file.modified()));
        let made = made.map_err(|error| in_file(error.into()))?;
        let made_at = made.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let mut issued = Self {
            path: path.into(),
            file,
            length: 0,
            names: HashSet::new(),
            doubtful: HashMap::new(),
            made_at: UnixTime::from_secs(made_at),
        };
        if new {
            sync_directory(path).map_err(|error| in_file(error.into()))?;
        } else {
            issued.read()?;
        }
        Ok(issued)
    }

    fn read(&mut self) -> Result<(), Failure> {
        let file = self.file.try_clone().map_err(|error| Failure::file(&self.path, error))?;
        let mut lines = Lines::of(&self.path, file);
        let mut last = VecDeque::new();
        while let Some((number, line)) = lines.next()? {
            // A line without an end was being written when the power went, and nobody has its code.
            if !lines.whole() && self.length > 0 {
                break;
            }
            let read = line.ok().filter(|_| lines.whole()).and_then(|line| read(&line));
            let read = read.ok_or_else(|| Failure::file(&self.path, FileError::NotCodes(number)))?;
            self.length = lines.position();
            last.push_back(read);
            if last.len() > CHUNK {
                self.names.extend(last.pop_front().map(|(name, _)| name));
            }
        }
        self.doubtful.extend(last);
        let cut = self.file.set_len(self.length).and_then(|()| self.file.sync_all());
        cut.map_err(|error| Failure::file(&self.path, error))
    }

    /// Whether this name has not been seen before. Now it has.
    pub(super) fn is_new(&mut self, name: &UserName) -> bool {
        self.names.insert(name.clone())
    }

    /// The code of a name of which the store may not have heard.
    pub(super) fn doubtful(&mut self, name: &UserName) -> Option<ActivationCode> {
        self.doubtful.remove(name)
    }

    /// Those that nobody has asked for.
    pub(super) fn left(&mut self) -> HashMap<UserName, ActivationCode> {
        std::mem::take(&mut self.doubtful)
    }

    /// Before any of its codes was issued.
    pub(super) const fn made_at(&self) -> UnixTime {
        self.made_at
    }

    /// Writes codes. They are on the disk when it returns.
    pub(super) fn write(&mut self, codes: &[(UserName, ActivationCode)]) -> Result<(), Failure> {
        let mut text = Zeroizing::new(String::with_capacity(codes.len().saturating_mul(600)));
        for (name, code) in codes {
            text.push_str(&field(&inert(name.as_str())));
            text.push(',');
            text.push_str(&Zeroizing::new(code.reveal()));
            text.push('\n');
        }
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // What there was no room for is of no use to anybody.
            let _ = self.file.set_len(self.length);
            return Err(Failure::file(&self.path, error));
        }
        self.length = self.length.saturating_add(u64::try_from(text.len()).unwrap_or(u64::MAX));
        Ok(())
    }
}

fn read(line: &str) -> Option<(UserName, ActivationCode)> {
    match fields(line, ',')?.as_slice() {
        [name, code] => Some((UserName::new(revived(name)).ok()?, ActivationCode::parse(code).ok()?)),
        _ => None,
    }
}
