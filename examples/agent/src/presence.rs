//! Where the user is and on what: the conditions of entitlements are about that.

use crate::failure::Failure;
use halfkey::configuration::UserInformation;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tokio::sync::watch;

/// Longest file with a location, in bytes.
const MOST: u64 = 1024;
/// Between two looks at the file.
const LOOK: Duration = Duration::from_secs(1);

/// Source of the location.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct Place {
    /// Where the user is, as conditions of entitlements name it.
    #[arg(long, value_name = "TEXT")]
    location: Option<String>,
    /// A file whose first line says where the user is. It is read again when it changes, and on SIGHUP.
    #[arg(long, value_name = "FILE", conflicts_with = "location")]
    location_file: Option<PathBuf>,
}

impl Place {
    /// Returns what the gate is told.
    pub(crate) fn information(&self) -> Result<UserInformation, Failure> {
        let location = match &self.location_file {
            Some(path) => first_line(path).map_err(|error| Failure::file(path, error))?,
            None => self.location.clone(),
        };
        let system = Some(format!("{} {}", std::env::consts::OS, std::env::consts::ARCH));
        let information = UserInformation { location, system, ..UserInformation::default() };
        information.normalised().map_err(|error| Failure::Usage(error.to_string()))
    }

    /// Tells of changes, for ever. `hangup` gives one item for each SIGHUP.
    pub(crate) async fn watch(
        self,
        tell: watch::Sender<UserInformation>,
        mut hangup: tokio::signal::unix::Signal,
    ) {
        let mut seen = self.changed();
        loop {
            let asked = tokio::time::timeout(LOOK, hangup.recv()).await.is_ok();
            let now = self.changed();
            if !asked && now == seen {
                continue;
            }
            seen = now;
            match self.information() {
                Ok(information) => {
                    let moved = tell.send_if_modified(|known| {
                        let moved = *known != information;
                        *known = information;
                        moved
                    });
                    if moved {
                        tracing::info!("the place has changed");
                    }
                }
                Err(error) => {
                    tracing::warn!(error = halfkey_common::sentence(&error), "the place is as before");
                }
            }
        }
    }

    fn changed(&self) -> Option<SystemTime> {
        fs::metadata(self.location_file.as_ref()?).ok()?.modified().ok()
    }
}

/// An empty line, or no file, is no place.
fn first_line(path: &Path) -> io::Result<Option<String>> {
    let length = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found?.len(),
    };
    if length > MOST {
        return Err(io::Error::other("it is too long"));
    }
    let text = fs::read_to_string(path)?;
    Ok(text.lines().next().map(str::trim).filter(|line| !line.is_empty()).map(String::from))
}
