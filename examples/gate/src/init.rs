//! A small installation made in one command: issuer, keys, certificate, store and configuration in one directory.

use crate::Config;
use crate::config::ConfigError;
use crate::gate::GateError;
use crate::store::KeptError;
use halfkey::certificate::{IssuerName, Validity};
use halfkey::issuer_files::IssuerFiles;
use halfkey::key::IssuerKey;
use halfkey::port::CertificateAuthority;
use halfkey::port::certificate_authority::AuthorityError;
use halfkey::server_files::ServerFiles;
use halfkey::store::{StorageKeys, UniqueNames};
use halfkey::{ServerName, SystemRandom, UnixTime, sqlite};
use halfkey_common::file::{self, FileError};
use halfkey_common::key_file;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Seconds for which the issuer's own certificate, and the gate's, are good.
const ISSUER: u64 = 3650 * 86_400;
const GATE: u64 = 365 * 86_400;

/// The configuration and the list of services that a new installation begins with.
const CONFIG: &str = include_str!("../gate.toml");
const SERVICES: &str = include_str!("../services.json");

/// Name, address and directory of a new gate.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The directory, which is made.
    pub directory: PathBuf,
    /// The gate's name, as its certificate has it.
    pub name: ServerName,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Length of its RSA key in bits.
    pub rsa_bits: usize,
}

/// An installation that was not made. What was made until then stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// There is something in the directory.
    #[error("{0} is not empty")]
    NotEmpty(PathBuf),
    /// The directory.
    #[error("{0}")]
    Directory(PathBuf, #[source] std::io::Error),
    /// The issuer.
    #[error("the issuer")]
    Issuer(#[from] AuthorityError),
    /// The issuer's key or certificates.
    #[error("the issuer's key")]
    Key(#[from] halfkey::key::KeyError),
    /// A certificate.
    #[error("the certificate")]
    Certificate(#[from] halfkey::certificate::CertificateError),
    /// The issuer's name.
    #[error(transparent)]
    Name(#[from] halfkey::NameError),
    /// A time.
    #[error(transparent)]
    Issue(#[from] halfkey::certificate::IssueError),
    /// The gate's files, its store or its configuration.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The configuration that was written.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Files of a new installation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Made {
    /// The gate's configuration.
    pub config: PathBuf,
    /// The trust anchor for agents; it stays here when the issuer's directory is taken away.
    pub anchor: PathBuf,
    /// The store.
    pub store: PathBuf,
    /// The storage key.
    pub key: PathBuf,
    /// A list of services, to be entitled.
    pub services: PathBuf,
}

/// Makes an installation.
///
/// # Errors
/// [`InitError`].
pub fn init(plan: &Plan) -> Result<Made, InitError> {
    let Plan { directory, name, listen, rsa_bits } = plan;
    let at = |error| InitError::Directory(directory.clone(), error);
    std::fs::create_dir_all(directory).map_err(at)?;
    if std::fs::read_dir(directory).map_err(at)?.next().is_some() {
        return Err(InitError::NotEmpty(directory.clone()));
    }
    let made = Made {
        config: directory.join("gate.toml"),
        anchor: directory.join("anchor.pem"),
        store: directory.join("gate").join("store.db"),
        key: directory.join("gate").join("storage.key"),
        services: directory.join("services.json"),
    };
    certify(directory, name, *rsa_bits)?;
    let anchor = directory.join("issuer").join("anchor.pem");
    std::fs::copy(&anchor, &made.anchor).map_err(|error| InitError::Directory(anchor, error))?;
    let keys = StorageKeys::new(key_file::make(&made.key)?);
    let created = sqlite::Store::create(&made.store, keys, UniqueNames::Always);
    created.map_err(|source| {
        GateError::Store(KeptError::Open { place: made.store.display().to_string(), source })
    })?;
    file::write_new(&made.config, config(name, *listen).as_bytes())?;
    file::write_new(&made.services, SERVICES.as_bytes())?;
    // What was written must be read.
    Config::read(&made.config)?;
    Ok(made)
}

/// Makes an issuer, and has it certify the gate.
fn certify(directory: &Path, name: &ServerName, rsa_bits: usize) -> Result<(), InitError> {
    let (random, now) = (&mut SystemRandom, UnixTime::now());
    let issuer_name = IssuerName::common_name(&format!("{name} issuer"))?;
    let (key, years) = (IssuerKey::generate_ed25519(random)?, Validity::lasting(now, ISSUER)?);
    let mut issuer = IssuerFiles::create(directory.join("issuer"), issuer_name, key, years, random)?;
    let files = ServerFiles::load_or_create_sized(directory.join("gate"), name, rsa_bits, random);
    if let ServerFiles::Uncertified(files) = files.map_err(GateError::from)? {
        let chain = issuer.issue(files.request(), Validity::lasting(now, GATE)?, random)?;
        files.install(&chain).map_err(GateError::from)?;
    }
    Ok(())
}

/// The configuration of the documentation, with this name and address.
fn config(name: &ServerName, listen: SocketAddr) -> String {
    CONFIG
        .replace("/var/lib/halfkey-gate", "gate")
        .replace("[::]:4400", &listen.to_string())
        .replace("gate.example", name.as_str())
}
