//! The files that an issuer of a small installation keeps in one directory: its key, and the register of what it
//! issued.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `key.pem` | the issuer's private key, in PKCS#8 and unencrypted |
//! | `root.pem` | its self-signed certificate, for software that wants one; tokens need none |
//! | `anchor.pem` | the trust anchor, which tokens are given |
//! | `register.der` | serial numbers, names, ends and revocations of what it issued, and the number of the last revocation list |
//!
//! The directory is made with mode 0700 and each file with 0600, and what others may use is refused. The register is
//! on the disk before a certificate or a list is handed out. Keep the directory on a machine of its own.
//!
//! ```
//! use halfkey::certificate::{CertificateRequest, IssuerName, Validity};
//! use halfkey::issuer_files::IssuerFiles;
//! use halfkey::key::IssuerKey;
//! use halfkey::port::CertificateAuthority;
//! use halfkey::{SystemRandom, UnixTime};
//! # fn run(dir: &std::path::Path, request: &CertificateRequest) -> Result<(), Box<dyn std::error::Error>> {
//! let (random, now) = (&mut SystemRandom, UnixTime::now());
//! let name = IssuerName::common_name("Example Issuer")?;
//! let ten_years = Validity::lasting(now, 3650 * 86_400)?;
//! let mut issuer = IssuerFiles::create(dir, name, IssuerKey::generate_ed25519(random)?, ten_years, random)?;
//! let chain = issuer.issue(request, Validity::lasting(now, 365 * 86_400)?, random)?;
//! issuer.revoke(chain.leaf().serial(), now)?;
//! let list = issuer.revocation_list(now, random)?;
//! # Ok(())
//! # }
//! ```

use crate::cause::Cause;
use crate::certificate::{
    Certificate, CertificateRequest, Chain, IssuerName, RevocationList, SerialNumber, TrustAnchor, Validity,
};
use crate::durable::Place;
use crate::key::{IssuerKey, IssuerPublicKey, pem};
use crate::memory::Authority;
use crate::port::CertificateAuthority;
use crate::port::certificate_authority::AuthorityError;
use crate::random::RandomSource;
use crate::server_files::directory::Directory;
use crate::server_files::{FileProblem, ServerFilesError};
use crate::time::UnixTime;
use core::fmt;
use std::path::Path;

const KEY: &str = "key.pem";
const ROOT: &str = "root.pem";
const ANCHOR: &str = "anchor.pem";
const REGISTER: &str = "register.der";
/// Name before `.lock` of the file that keeps other processes off.
const LOCK: &str = "issuer";
/// Longest register in bytes: some hundred thousand certificates.
const REGISTER_MAX: usize = 1 << 24;

/// A [`CertificateAuthority`] whose key and register are in a directory, which no other process uses meanwhile.
///
/// [`AuthorityError::Failed`] says that the register could not be saved; then nothing was issued or revoked.
pub struct IssuerFiles {
    dir: Directory,
    authority: Authority,
    root: Certificate,
    _held: Place,
}

impl IssuerFiles {
    /// Makes an issuer in a directory that has none, and the directory where it is missing. `validity` is that of the
    /// root certificate, which tokens do not look at.
    ///
    /// # Errors
    /// [`AuthorityError::Issue`], or [`AuthorityError::Failed`] with a [`ServerFilesError`] that names the file; its
    /// problem is [`FileProblem::AlreadyExists`] where there is an issuer already.
    pub fn create(
        dir: impl AsRef<Path>,
        name: IssuerName,
        key: IssuerKey,
        validity: Validity,
        random: &mut dyn RandomSource,
    ) -> Result<Self, AuthorityError> {
        let dir = Directory::open(dir.as_ref()).map_err(failed)?;
        let held = dir.save_attempt(LOCK).map_err(failed)?;
        if dir.has(KEY) {
            return Err(failed(ServerFilesError::at(&dir.path(KEY), FileProblem::AlreadyExists)));
        }
        let secret = key.to_pkcs8_pem().map_err(|error| failed(at(&dir, KEY)(error)))?;
        let authority = Authority::root(name, key)?;
        let root = authority.root_certificate(validity, random)?;
        let this = Self { dir, authority, root, _held: held };
        let text = this.root.to_pem().map_err(|error| failed(at(&this.dir, ROOT)(error)))?;
        this.dir.write(ROOT, &text).map_err(failed)?;
        let anchor = this.authority.trust_anchor()?;
        let anchor = anchor.to_pem().map_err(|error| failed(at(&this.dir, ANCHOR)(error)))?;
        this.dir.write(ANCHOR, &anchor).map_err(failed)?;
        this.save().map_err(failed)?;
        // The key comes last: without it there is no issuer, and all of this is made again.
        this.dir.write(KEY, secret.as_bytes()).map_err(failed)?;
        Ok(this)
    }

    /// Opens the issuer in a directory.
    ///
    /// # Errors
    /// [`AuthorityError::Failed`] with a [`ServerFilesError`] that names the file.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, AuthorityError> {
        Self::read(dir.as_ref()).map_err(failed)
    }

    fn read(dir: &Path) -> Result<Self, ServerFilesError> {
        let missing = |name: &str| ServerFilesError::at(&dir.join(name), FileProblem::Missing);
        // Nothing is made where nothing is.
        if std::fs::symlink_metadata(dir.join(KEY)).is_err() {
            return Err(missing(KEY));
        }
        let dir = Directory::open(dir)?;
        let held = dir.save_attempt(LOCK)?;
        let root = dir.read(ROOT, "CERTIFICATE", false)?.ok_or_else(|| missing(ROOT))?;
        let root = Certificate::from_pem(&root).map_err(at(&dir, ROOT))?;
        let certified = TrustAnchor::from_certificate(&root).map_err(at(&dir, ROOT))?;
        let key = dir.read(KEY, pem::PRIVATE_KEY, true)?.ok_or_else(|| missing(KEY))?;
        let key = IssuerKey::from_pkcs8_pem(&key).map_err(at(&dir, KEY))?;
        if certified.key() != key.public() {
            return Err(at(&dir, ROOT)(FileProblem::OtherKeys));
        }
        let name = certified.name().clone();
        let authority = Authority::root(name, key);
        let authority = authority.map_err(|_| at(&dir, KEY)(FileProblem::TooLong))?;
        let register = dir.read_bytes(REGISTER, false, REGISTER_MAX)?.ok_or_else(|| missing(REGISTER))?;
        let authority = authority.with_state(&register).map_err(at(&dir, REGISTER))?;
        Ok(Self { dir, authority, root, _held: held })
    }

    /// Returns the same issuer, whose revocation lists go stale after `seconds`.
    #[must_use]
    pub fn with_list_lifetime(mut self, seconds: u64) -> Self {
        self.authority = self.authority.with_list_lifetime(seconds);
        self
    }

    /// Returns the authority, with its name, its public key and its register.
    #[must_use]
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Returns the self-signed certificate.
    #[must_use]
    pub const fn root(&self) -> &Certificate {
        &self.root
    }

    /// Certifies the key of another authority: [`Authority::certify_authority`]. Of the issuer that follows this
    /// one, the certificate is the cross-certificate that servers send along.
    ///
    /// # Errors
    /// [`AuthorityError`]; then nothing was issued.
    pub fn certify_authority(
        &mut self,
        name: &IssuerName,
        key: &IssuerPublicKey,
        path_length: u8,
        validity: Validity,
        random: &mut dyn RandomSource,
    ) -> Result<Certificate, AuthorityError> {
        self.change(|authority| Ok(authority.certify_authority(name, key, path_length, validity, random)?))
    }

    /// Changes the register and saves it, or leaves it as it was.
    fn change<T>(
        &mut self,
        change: impl FnOnce(&mut Authority) -> Result<T, AuthorityError>,
    ) -> Result<T, AuthorityError> {
        let before = self.authority.register().clone();
        let changed = change(&mut self.authority).and_then(|done| self.save().map(|()| done).map_err(failed));
        if changed.is_err() {
            *self.authority.register() = before;
        }
        changed
    }

    fn save(&self) -> Result<(), ServerFilesError> {
        self.dir.write(REGISTER, self.authority.state().map_err(at(&self.dir, REGISTER))?)
    }
}

impl CertificateAuthority for IssuerFiles {
    fn trust_anchor(&self) -> Result<TrustAnchor, AuthorityError> {
        self.authority.trust_anchor()
    }

    fn issue(
        &mut self,
        request: &CertificateRequest,
        validity: Validity,
        random: &mut dyn RandomSource,
    ) -> Result<Chain, AuthorityError> {
        self.change(|authority| authority.issue(request, validity, random))
    }

    fn revoke(&mut self, serial: &SerialNumber, now: UnixTime) -> Result<(), AuthorityError> {
        self.change(|authority| authority.revoke(serial, now))
    }

    fn revocation_list(
        &mut self,
        now: UnixTime,
        random: &mut dyn RandomSource,
    ) -> Result<RevocationList, AuthorityError> {
        self.change(|authority| authority.revocation_list(now, random))
    }
}

fn failed(error: ServerFilesError) -> AuthorityError {
    AuthorityError::Failed(Cause::new(error))
}

fn at<P: Into<FileProblem>>(dir: &Directory, name: &str) -> impl FnOnce(P) -> ServerFilesError {
    let path = dir.path(name);
    move |problem| ServerFilesError::at(&path, problem)
}

impl fmt::Debug for IssuerFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IssuerFiles({:?})", self.authority)
    }
}
