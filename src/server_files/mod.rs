//! The files that an authentication server keeps in one directory: its secrets, its keys and its certificate.
//!
//! | file | what it holds |
//! | --- | --- |
//! | `master-secret.pem` | the master secret, which all replicas of the server share |
//! | `kem-key.pem` | P_r, the RSA key whose public half is certified, in PKCS#8 |
//! | `offer-key.pem` | the Ed25519 key that signs offers, in PKCS#8 |
//! | `request.pem` | the certificate request, to be sent to the issuer |
//! | `certificate.pem` | the certificate, and those of intermediate issuers, from the issuer |
//! | `next-certificate.pem` | if it is there: another for the same keys, offered from its notBefore on |
//! | `NAME.pem` | other secrets of 32 bytes that the program asks for ([`Ready::secret`]) |
//!
//! The issuer's private key is not among them: it belongs on another machine. A directory that was cut short
//! while it was being made goes on where it stopped; a file that is missing although a later one is there is
//! an error, because making it again would make another server of it.
//!
//! The directory is made with mode 0700 and each file with 0600. Files with secrets that others than their
//! owner may read are refused, as is a directory that others may write to, and a file system that has no
//! access rights at all. Each file is written durably and whole.
//!
//! # Example
//! ```
//! # use halfkey::certificate::{IssuerName, Validity};
//! # use halfkey::key::IssuerKey;
//! # use halfkey::port::CertificateAuthority;
//! # use halfkey::template::{Field, FieldKind, Template};
//! # use halfkey::{UnixTime, memory};
//! use halfkey::server_files::ServerFiles;
//! use halfkey::{ServerName, SystemRandom};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = std::env::temp_dir().join(format!("halfkey-files-{}", std::process::id()));
//! # let template = Template::new(vec![Field::required("name", FieldKind::UserName)])?;
//! # let mut issuer = memory::Authority::root(
//! #     IssuerName::common_name("Issuer")?, IssuerKey::generate_ed25519(&mut SystemRandom)?)?;
//! # let validity = Validity::new(UnixTime::now(), UnixTime::now().after(3600))?;
//! let name = ServerName::new("gate.example")?;
//! # ServerFiles::load_or_create_sized(&dir, &name, 2048, &mut SystemRandom)?;
//! let ready = match ServerFiles::load_or_create(&dir, &name, &mut SystemRandom)? {
//!     ServerFiles::Ready(ready) => ready,
//!     ServerFiles::Uncertified(files) => {
//!         println!("send this to the issuer:\n{}", files.request().to_pem()?);
//!         let chain = issuer.issue(files.request(), validity, &mut SystemRandom)?; // on another machine
//!         files.install(&chain)?
//!     }
//! };
//! let settings = ready.settings(template);
//! let server = ready.server(&settings, SystemRandom)?;
//! # drop(server);
//! # std::fs::remove_dir_all(&dir)?;
//! # Ok(())
//! # }
//! ```

pub(crate) mod directory;
mod error;

use crate::certificate::leaf::Leaf;
use crate::certificate::{CertificateError, CertificateRequest, Chain};
use crate::hash;
use crate::id::ServerName;
use crate::key::{KemPrivateKey, OfferKey, PemError, pem};
use crate::memory;
use crate::policy::SuiteList;
use crate::random::RandomSource;
use crate::secret::Secret;
use crate::settings::{ServerOptions, ServerSettings, SettingsError};
use crate::template::Template;
use crate::time::UnixTime;
use directory::Directory;
use std::path::Path;
use std::string::{String, ToString};
use zeroize::Zeroizing;

pub use error::{FileProblem, ServerFilesError};

/// Name before `.lock` of the file that keeps other processes off.
const LOCK: &str = "server";
const MASTER: &str = "master-secret.pem";
const KEM_KEY: &str = "kem-key.pem";
const OFFER_KEY: &str = "offer-key.pem";
const REQUEST: &str = "request.pem";
const CERTIFICATE: &str = "certificate.pem";
const NEXT_CERTIFICATE: &str = "next-certificate.pem";

const SECRET_LABEL: &str = "HALFKEY SECRET";

/// The contents of a server's directory.
#[derive(Debug)]
pub enum ServerFiles {
    /// Secrets and keys, and the request for a certificate that an issuer has to answer.
    Uncertified(Uncertified),
    /// Everything that a server needs.
    Ready(Ready),
}

/// A server's secrets and keys, without a certificate yet.
#[derive(Debug)]
pub struct Uncertified(Files);

/// A server's secrets and keys, with the certificate for them.
#[derive(Debug)]
pub struct Ready {
    files: Files,
    chain: Chain,
    next: Option<Chain>,
}

struct Files {
    dir: Directory,
    name: ServerName,
    master: Secret,
    kem_key: KemPrivateKey,
    offer_key: OfferKey,
    request: CertificateRequest,
}

impl ServerFiles {
    /// Length of the RSA key that [`Self::load_or_create`] makes, in bits.
    pub const RSA_BITS: usize = 3072;

    /// Reads the files in `dir` and makes those that are missing: the directory itself, the master secret, the
    /// two keys and the certificate request. The certificate comes from the issuer, either through
    /// [`Uncertified::install`] or as the file `certificate.pem` that somebody puts there. One that has expired is
    /// read too: [`Ready::expired`] says so.
    ///
    /// An RSA key that is made here has 3072 bits, which takes a second, and ten in a program without
    /// optimisation. A key of one's own may be put there beforehand as `kem-key.pem`.
    ///
    /// # Errors
    /// [`ServerFilesError`] names the file.
    pub fn load_or_create(
        dir: impl AsRef<Path>,
        name: &ServerName,
        random: &mut dyn RandomSource,
    ) -> Result<Self, ServerFilesError> {
        Self::load_or_create_sized(dir, name, Self::RSA_BITS, random)
    }

    /// As [`Self::load_or_create`], with the length in bits of the RSA key that is made where there is none.
    ///
    /// # Errors
    /// As [`Self::load_or_create`].
    pub fn load_or_create_sized(
        dir: impl AsRef<Path>,
        name: &ServerName,
        rsa_bits: usize,
        random: &mut dyn RandomSource,
    ) -> Result<Self, ServerFilesError> {
        let dir = Directory::open(dir.as_ref())?;
        let _held = dir.save_attempt(LOCK)?;
        // What rests on the secrets and keys is made after them.
        let certified = dir.has(CERTIFICATE);
        let complete = certified || dir.has(REQUEST);
        let master = secret(&dir, MASTER, complete, random)?;
        let kem_key = read_or_make(&dir, KEM_KEY, pem::PRIVATE_KEY, complete, || {
            Ok(KemPrivateKey::generate(rsa_bits, random)?.to_pkcs8_pem()?)
        })?;
        let kem_key = KemPrivateKey::from_pkcs8_pem(&kem_key).map_err(at(&dir, KEM_KEY))?;
        let offer_key = read_or_make(&dir, OFFER_KEY, pem::PRIVATE_KEY, complete, || {
            Ok(OfferKey::generate(random).to_pkcs8_pem()?)
        })?;
        let offer_key = OfferKey::from_pkcs8_pem(&offer_key).map_err(at(&dir, OFFER_KEY))?;
        let request = read_or_make(&dir, REQUEST, CertificateRequest::LABEL, false, || {
            let request = CertificateRequest::sign(name, kem_key.public(), &SuiteList::all(), &offer_key)?;
            Ok(Zeroizing::new(request.to_pem()?))
        })?;
        let request = CertificateRequest::from_pem(&request).map_err(at(&dir, REQUEST))?;
        if request.name() != name {
            return Err(at(&dir, REQUEST)(FileProblem::OtherName(request.name().to_string())));
        }
        if request.kem_key() != kem_key.public() || *request.offer_key() != offer_key.public() {
            return Err(at(&dir, REQUEST)(FileProblem::OtherKeys));
        }
        let files = Files { dir, name: name.clone(), master, kem_key, offer_key, request };
        let Some(chain) = files.certificate(CERTIFICATE)? else {
            return Ok(Self::Uncertified(Uncertified(files)));
        };
        let next = files.certificate(NEXT_CERTIFICATE)?;
        Ok(Self::Ready(Ready { files, chain, next }))
    }
}

impl Files {
    /// Checks that a certificate, which stands or is to stand in `file`, is for this server's name and keys.
    fn certified_by(&self, chain: &Chain, file: &str) -> Result<(), ServerFilesError> {
        let leaf = Leaf::of_chain(chain, &self.name).map_err(at(&self.dir, file))?;
        if leaf.kem_key != *self.kem_key.public() || leaf.offer_key != self.offer_key.public() {
            return Err(at(&self.dir, file)(FileProblem::OtherKeys));
        }
        Ok(())
    }

    /// Reads a certificate, if it is there.
    fn certificate(&self, file: &str) -> Result<Option<Chain>, ServerFilesError> {
        let Some(text) = self.dir.read(file, "CERTIFICATE", false)? else { return Ok(None) };
        let chain = Chain::from_pem(&text).map_err(at(&self.dir, file))?;
        self.certified_by(&chain, file)?;
        Ok(Some(chain))
    }

    /// Takes an issuer's answer, unless it has expired, and writes it.
    fn install(&self, chain: &Chain, file: &str) -> Result<(), ServerFilesError> {
        self.certified_by(chain, file)?;
        let (not_after, now) = (chain.leaf().not_after(), UnixTime::now());
        if not_after < now {
            return Err(at(&self.dir, file)(CertificateError::Expired { not_after, now }));
        }
        let text = chain.to_pem().map_err(at(&self.dir, file))?;
        self.dir.write(file, &text)
    }
}

impl Uncertified {
    /// Returns the request, which an issuer answers with a certificate. It stands in `request.pem` too.
    #[must_use]
    pub const fn request(&self) -> &CertificateRequest {
        &self.0.request
    }

    /// Takes the issuer's answer and writes it to `certificate.pem`.
    ///
    /// The certificate is checked against the server's name and keys. Whether a token will trust the issuer,
    /// only the token can tell.
    ///
    /// # Errors
    /// [`ServerFilesError`] when the certificate is for another name or other keys, has expired, or cannot be
    /// written.
    pub fn install(self, chain: &Chain) -> Result<Ready, ServerFilesError> {
        let files = self.0;
        files.install(chain, CERTIFICATE)?;
        Ok(Ready { files, chain: chain.clone(), next: None })
    }
}

impl Ready {
    /// Returns the certificate, and those of intermediate issuers.
    #[must_use]
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Returns the error that every certificate has expired, if it has: with the end of the last one. Such a server
    /// opens sessions as ever, since they need no certificate; nobody can register
    /// ([`AuthServerError::NoCertificate`](crate::port::AuthServerError::NoCertificate)) until there is another.
    #[must_use]
    pub fn expired(&self, now: UnixTime) -> Option<CertificateError> {
        let ends = [Some(&self.chain), self.next.as_ref()].into_iter().flatten();
        let not_after = ends.map(|chain| chain.leaf().not_after()).max()?;
        (not_after < now).then_some(CertificateError::Expired { not_after, now })
    }

    /// Takes a renewed certificate for the same keys, valid now or later, and writes it to
    /// `next-certificate.pem`. A server that [`Self::server`] makes after that offers it from its notBefore on,
    /// and the other one until then; so it can be installed before its time, and may be the shorter-lived one.
    /// A server that is running takes it with [`memory::Server::add_certificate`].
    ///
    /// If there is a next certificate already that is valid now, it becomes `certificate.pem` first.
    ///
    /// # Errors
    /// As [`Uncertified::install`].
    pub fn install_next(&mut self, chain: &Chain) -> Result<(), ServerFilesError> {
        if let Some(next) = &self.next
            && (next.leaf().not_before()..=next.leaf().not_after()).contains(&UnixTime::now())
        {
            self.files.install(next, CERTIFICATE)?;
            self.chain = next.clone();
        }
        self.files.install(chain, NEXT_CERTIFICATE)?;
        self.next = Some(chain.clone());
        Ok(())
    }

    /// Returns the request that was answered: for a renewal of the certificate under the same keys
    /// ([`Self::install_next`]).
    #[must_use]
    pub const fn request(&self) -> &CertificateRequest {
        &self.files.request
    }

    /// Returns settings with the server's name, the given template, the master secret and defaults otherwise.
    #[must_use]
    pub fn settings(&self, template: Template) -> ServerSettings {
        ServerSettings::new(self.files.name.clone(), template, &self.files.master)
    }

    /// Returns settings with these options and the master secret.
    ///
    /// # Errors
    /// [`SettingsError`] names a setting that no server can work with. A name other than the server's is refused by
    /// [`Self::server`].
    pub fn configured(&self, options: ServerOptions) -> Result<ServerSettings, SettingsError> {
        options.settings(&self.files.master)
    }

    /// Gives a server that is running the certificates that it does not hold yet: what its operator, or
    /// [`Self::install_next`], has put there since it was made. Of those that are valid it offers the one that it was
    /// given last.
    ///
    /// # Errors
    /// [`ServerFilesError`] for one that is for other keys than the server's, or has expired.
    pub fn renew(&self, server: &memory::Server) -> Result<(), ServerFilesError> {
        let Files { dir, kem_key, offer_key, .. } = &self.files;
        let held = server.certificates();
        for (chain, file) in [(Some(&self.chain), CERTIFICATE), (self.next.as_ref(), NEXT_CERTIFICATE)] {
            let Some(chain) = chain else { continue };
            let certificate = hash::sha256(&[chain.leaf().as_der()]);
            if !held.iter().any(|held| held.certificate == certificate) {
                let added =
                    server.add_certificate(chain, kem_key.clone(), offer_key.clone(), UnixTime::now());
                added.map_err(at(dir, file))?;
            }
        }
        Ok(())
    }

    /// Makes the server that holds these keys.
    ///
    /// # Errors
    /// [`ServerFilesError`] when `settings` are those of a server with another name.
    pub fn server(
        &self,
        settings: &ServerSettings,
        random: impl RandomSource + Send + 'static,
    ) -> Result<memory::Server, ServerFilesError> {
        let Files { dir, kem_key, offer_key, .. } = &self.files;
        let made = memory::Server::new(settings, &self.chain, kem_key.clone(), offer_key.clone(), random);
        let server = made.map_err(at(dir, CERTIFICATE))?;
        if let Some(next) = &self.next {
            // Judged when it was read: were it refused for having expired meanwhile, there would be no server.
            let since = UnixTime::default();
            let added = server.add_certificate(next, kem_key.clone(), offer_key.clone(), since);
            added.map_err(at(dir, NEXT_CERTIFICATE))?;
        }
        Ok(server)
    }

    /// Returns the secret of 32 bytes in the file `NAME.pem`, which is made where it is missing: for the key of
    /// a store's file, say.
    ///
    /// # Errors
    /// [`ServerFilesError`]; [`FileProblem::Name`] unless `name` has 1 to 64 lower-case letters, digits and
    /// hyphens and is not one of the server's own files.
    pub fn secret(&self, name: &str, random: &mut dyn RandomSource) -> Result<Secret, ServerFilesError> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let file: String = [name, ".pem"].concat();
        let own =
            [MASTER, KEM_KEY, OFFER_KEY, REQUEST, CERTIFICATE, NEXT_CERTIFICATE].contains(&file.as_str());
        if !(1..=64).contains(&name.len()) || !name.bytes().all(fits) || own {
            return Err(at(&self.files.dir, name)(FileProblem::Name));
        }
        let _held = self.files.dir.save_attempt(LOCK)?;
        secret(&self.files.dir, &file, false, random)
    }
}

impl core::fmt::Debug for Files {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Files({})", self.name)
    }
}

/// Gives an error the name of its file.
fn at<P: Into<FileProblem>>(dir: &Directory, name: &str) -> impl FnOnce(P) -> ServerFilesError {
    let path = dir.path(name);
    move |problem| ServerFilesError::at(&path, problem)
}

/// Reads a file, or makes it unless it is one that `must` exist.
fn read_or_make(
    dir: &Directory,
    name: &str,
    label: &'static str,
    must: bool,
    make: impl FnOnce() -> Result<Zeroizing<String>, FileProblem>,
) -> Result<Zeroizing<String>, ServerFilesError> {
    if let Some(text) = dir.read(name, label, name != REQUEST)? {
        return Ok(text);
    }
    if must {
        return Err(at(dir, name)(FileProblem::Missing));
    }
    let made = make().map_err(at(dir, name))?;
    dir.write(name, &made)?;
    Ok(made)
}

fn secret(
    dir: &Directory,
    name: &str,
    must: bool,
    random: &mut dyn RandomSource,
) -> Result<Secret, ServerFilesError> {
    let text = read_or_make(dir, name, SECRET_LABEL, must, || {
        Ok(Zeroizing::new(pem::encode(Secret::random(random).expose(), SECRET_LABEL)?))
    })?;
    let bytes = pem::decode(&text, SECRET_LABEL).map_err(at(dir, name))?;
    let bytes: Option<[u8; Secret::LEN]> = bytes.as_slice().try_into().ok();
    bytes.map(Secret::new).ok_or_else(|| at(dir, name)(PemError::Damaged { wanted: SECRET_LABEL }))
}
