//! Shared parts of `tcp_server`, `tcp_client` and `issuer`: arguments, and files that survive a crash at any moment.
#![allow(dead_code, reason = "each program uses its own part")]

pub(crate) mod link;

use std::error::Error;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Prints a line. A closed output does not stop the program.
pub(crate) fn say(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Runs `main` and shows its error and the causes of it.
pub(crate) fn run(main: impl FnOnce() -> Outcome) -> std::process::ExitCode {
    match main() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            let _ = write!(io::stderr(), "error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                let _ = write!(io::stderr(), ": {error}");
                cause = error.source();
            }
            let _ = writeln!(io::stderr());
            std::process::ExitCode::FAILURE
        }
    }
}

/// Command line arguments: options with their values, in order, and words.
pub(crate) struct Arguments {
    options: Vec<(String, Vec<String>)>,
    pub(crate) words: Vec<String>,
}

impl Arguments {
    /// Reads the command line; `known` says how many values each option takes.
    pub(crate) fn read(known: &[(&str, usize)], usage: &str) -> Outcome<Self> {
        let mut arguments = Self { options: Vec::new(), words: Vec::new() };
        let mut rest = std::env::args().skip(1);
        while let Some(word) = rest.next() {
            if !word.starts_with("--") {
                arguments.words.push(word);
                continue;
            }
            let found = known.iter().find(|(name, _)| *name == word);
            let (_, count) = found.ok_or_else(|| format!("no option {word}\n{usage}"))?;
            let values: Vec<_> = rest.by_ref().take(*count).collect();
            if values.len() < *count {
                return Err(format!("{word} wants {count} value(s)\n{usage}").into());
            }
            arguments.options.push((word, values));
        }
        Ok(arguments)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// The values of every occurrence of an option.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [String]> {
        self.options.iter().filter(move |(option, _)| option == name).map(|(_, values)| values.as_slice())
    }

    /// The value of an option's last occurrence.
    pub(crate) fn value<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).last()?.first().map(String::as_str)
    }

    pub(crate) fn required<'a>(&'a self, name: &'a str) -> Outcome<&'a str> {
        self.value(name).ok_or_else(|| format!("{name} is missing").into())
    }
}

/// Makes a directory that only its owner reads, and holds it for this process until the file is
/// dropped: two processes with one state would undo each other's changes.
pub(crate) fn hold(dir: &Path) -> Outcome<File> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)?;
    let lock = File::create(dir.join("lock"))?;
    lock.try_lock().map_err(|error| format!("{} is in use: {error}", dir.display()))?;
    Ok(lock)
}

/// Puts `bytes` in the place of a file, durably and whole: whenever the power fails, the file is the
/// old one or the new one. The error is the number that [`halfkey`]'s `saved_by` hooks ask for.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), u32> {
    let number = |error: io::Error| error.raw_os_error().map_or(u32::MAX, i32::unsigned_abs);
    write(path, bytes).map_err(number)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    // The new name is durable only when the directory is.
    #[cfg(unix)]
    {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        File::open(dir.unwrap_or_else(|| Path::new(".")))?.sync_all()?;
    }
    Ok(())
}

/// The file as it was left by an earlier run; the first run makes it.
pub(crate) fn read_or_make<T: AsRef<[u8]>>(
    path: &Path,
    make: impl FnOnce() -> Outcome<T>,
) -> Outcome<Vec<u8>> {
    match fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = make()?;
            write(path, made.as_ref()).map_err(|error| format!("{}: {error}", path.display()))?;
            Ok(made.as_ref().to_vec())
        }
        Err(error) => Err(format!("{}: {error}", path.display()).into()),
    }
}

/// [`read_or_make`] for a file of text, such as PEM.
pub(crate) fn read_or_make_text<T: AsRef<str>>(
    path: &Path,
    make: impl FnOnce() -> Outcome<T>,
) -> Outcome<String> {
    Ok(String::from_utf8(read_or_make(path, || Ok(make()?.as_ref().to_owned()))?)?)
}
