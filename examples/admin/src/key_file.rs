//! Files that hold a storage key: 64 hexadecimal digits, for their owner's eyes.

use crate::failure::{Failure, FileError};
use crate::output;
use halfkey::{Digest, Secret, SystemRandom};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use zeroize::Zeroizing;

/// Reads a key.
pub(crate) fn read(path: &Path, group_may_read: bool) -> Result<Secret, Failure> {
    let file = File::open(path).map_err(|error| Failure::file(path, error))?;
    owners_alone(path, &file, group_may_read)?;
    // With room for the end of a line, and for one thing more, which is too much.
    let mut text = Zeroizing::new(Vec::with_capacity(68));
    file.take(67).read_to_end(&mut text).map_err(|error| Failure::file(path, error))?;
    let digits = std::str::from_utf8(&text).ok().map(|text| text.trim_end_matches(['\r', '\n']));
    // Any 32 bytes are read alike, whatever they are called.
    let read = digits.and_then(|digits| digits.parse::<Digest>().ok());
    let bytes = Zeroizing::new(*read.ok_or_else(|| Failure::file(path, FileError::Key))?.as_bytes());
    Ok(Secret::new(*bytes))
}

#[cfg(unix)]
fn owners_alone(path: &Path, file: &File, group_may_read: bool) -> Result<(), Failure> {
    use std::os::unix::fs::MetadataExt;
    let mode = file.metadata().map_err(|error| Failure::file(path, error))?.mode();
    let others = mode & 0o077;
    match others & !0o040 {
        0 if others == 0 => Ok(()),
        0 if group_may_read => {
            let path = output::clean(&path.display().to_string());
            let _ = writeln!(
                std::io::stderr().lock(),
                "admin: {path}: the group may read this key, as --group-may-read allows"
            );
            Ok(())
        }
        _ => Err(Failure::file(path, FileError::Mode)),
    }
}

#[cfg(not(unix))]
fn owners_alone(_: &Path, _: &File, _: bool) -> Result<(), Failure> {
    Ok(())
}

/// Makes a key in a file that was not there before.
pub(crate) fn make(path: &Path) -> Result<Secret, Failure> {
    let key = Secret::random(&mut SystemRandom);
    let mut text = Zeroizing::new(String::with_capacity(65));
    for byte in key.expose() {
        text.extend(
            [byte >> 4, byte & 15].into_iter().filter_map(|digit| char::from_digit(digit.into(), 16)),
        );
    }
    text.push('\n');
    let written = create_new(path).and_then(|mut file| {
        keeps_modes(path, &file)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.and_then(|()| sync_directory(path)).map_err(|error| Failure::file(path, error))?;
    Ok(key)
}

/// Refuses, before anything secret is in it, a new file on a file system that keeps no access rights: it would be
/// refused when it is read.
fn keeps_modes(path: &Path, file: &File) -> std::io::Result<()> {
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::mode(&file.metadata()?) & 0o077 != 0 {
        let _ = std::fs::remove_file(path);
        return Err(std::io::Error::other(
            "this file system keeps no access rights: others could read the key",
        ));
    }
    #[cfg(not(unix))]
    let _ = (path, file);
    Ok(())
}

/// A file that was not there before, for its owner's eyes.
pub(crate) fn create_new(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes sure that a new file is found again after a loss of power.
pub(crate) fn sync_directory(path: &Path) -> std::io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = File::open(parent.unwrap_or_else(|| Path::new(".")));
    // Not every system opens directories.
    if cfg!(unix) { directory?.sync_all() } else { Ok(()) }
}
