//! Directories of the program.

use crate::failure::Failure;
use directories::ProjectDirs;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Directories of the program: one that lasts, and one for sockets.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    data: PathBuf,
    run: PathBuf,
}

impl Place {
    /// Returns the places below `chosen`, or those that the platform has for programs of this user.
    pub(crate) fn new(chosen: Option<PathBuf>) -> Result<Self, Failure> {
        if let Some(data) = chosen {
            return Ok(Self { run: data.join("run"), data });
        }
        let none = || Failure::Usage("this user has no home directory: say --dir".into());
        let project = ProjectDirs::from("", "", "halfkey").ok_or_else(none)?;
        let data = project.data_local_dir().to_owned();
        // Only Linux has a directory that goes with the login.
        let run = project.runtime_dir().map_or_else(|| data.join("run"), Path::to_owned);
        Ok(Self { data, run })
    }

    /// The token.
    pub(crate) fn token(&self) -> PathBuf {
        self.data.join("token")
    }

    /// The PIN, on a machine where nobody can be asked for it.
    pub(crate) fn pin(&self) -> PathBuf {
        self.data.join("pin")
    }

    /// State of the gates.
    pub(crate) fn state(&self) -> PathBuf {
        self.data.join("gates.json")
    }

    /// The socket by which the agent that runs is asked.
    pub(crate) fn control(&self) -> PathBuf {
        self.run.join("control")
    }

    /// The file that leads a browser to the user's page.
    pub(crate) fn link(&self) -> PathBuf {
        self.run.join("open.html")
    }

    /// The directory of the services' sockets.
    pub(crate) fn services(&self) -> PathBuf {
        self.run.join("services")
    }

    /// Makes the directory that lasts.
    pub(crate) fn make_data(&self) -> Result<(), Failure> {
        own(&self.data)
    }

    /// Makes the directories for sockets.
    pub(crate) fn make_run(&self) -> Result<(), Failure> {
        own(&self.run)?;
        own(&self.services())
    }
}

/// Makes a directory that nobody else may enter, or sees to it that it is one.
fn own(path: &Path) -> Result<(), Failure> {
    let failed = |error| Failure::file(path, error);
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
    let found = fs::symlink_metadata(path).map_err(failed)?;
    if !found.is_dir() {
        return Err(Failure::Usage(format!("{} is no directory of its own", path.display())));
    }
    if found.mode() & 0o077 != 0 {
        // It fails where the directory is another user's.
        fs::set_permissions(path, PermissionsExt::from_mode(0o700)).map_err(failed)?;
    }
    Ok(())
}

/// The user that a path belongs to.
pub(crate) fn owner(path: &Path) -> std::io::Result<u32> {
    Ok(fs::metadata(path)?.uid())
}
