//! The issuer of a small installation: its key and register in one directory, and no other authority.

use crate::failure::{Failure, FileError};
use crate::text_file;
use halfkey::certificate::{
    CertificateRequest, IssuerName, SerialNumber, TrustAnchor, TrustAnchors, Validity,
};
use halfkey::issuer_files::IssuerFiles;
use halfkey::key::IssuerKey;
use halfkey::memory::IssuedCertificate;
use halfkey::port::CertificateAuthority;
use halfkey::{ServerName, SystemRandom, UnixTime};
use halfkey_common::Output;
use halfkey_common::output::{Entry, Table};
use halfkey_common::time::{Span, written};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The issuer's directory, and what is done with it.
#[derive(clap::Args)]
pub(crate) struct Issuer {
    /// The issuer's directory.
    #[arg(long, global = true, value_name = "DIR", env = "HALFKEY_ISSUER")]
    dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Makes a key, a register and the anchor for tokens in a new directory.
    New {
        /// The issuer's name, as people read it.
        #[arg(long)]
        name: String,
        /// Kind of the key.
        #[arg(long, value_enum, default_value_t = Kind::Ed25519)]
        kind: Kind,
        /// How long the root certificate is valid, for other software; tokens do not look at it.
        #[arg(long, value_name = "SPAN", default_value = "3650d")]
        valid_for: Span,
    },
    /// Answers a server's certificate request. Whether it is that server's, and unchanged, is for the operator to know.
    Certify {
        /// The file with the request (`request.pem` in the server's directory).
        request: PathBuf,
        /// How long the certificate is valid.
        #[arg(long, value_name = "SPAN", default_value = "365d")]
        valid_for: Span,
        #[command(flatten)]
        to: To,
    },
    /// Lists what was certified, and what of it is revoked.
    List,
    /// Revokes a certificate, or those of a server that are still valid. Servers and tokens learn it by the next list.
    Revoke {
        /// Serial number, or the server's name.
        #[arg(value_name = "SERIAL|NAME")]
        which: String,
        /// Yes, more than one.
        #[arg(long)]
        yes: bool,
    },
    /// Makes a revocation list of the next number.
    Crl {
        /// How long it is good for: the next one is to be there before.
        #[arg(long, value_name = "SPAN", default_value = "7d")]
        valid_for: Span,
        #[command(flatten)]
        to: To,
    },
    /// Certifies the key of the issuer that follows this one.
    Cross {
        /// The file with the anchor of that issuer (`anchor.pem` in its directory).
        anchor: PathBuf,
        /// How long the certificate is valid: until every token has the new anchor.
        #[arg(long, value_name = "SPAN", default_value = "730d")]
        valid_for: Span,
        #[command(flatten)]
        to: To,
    },
    /// Writes the anchor for tokens, or one that is good for some servers alone.
    Anchor {
        /// Only for the server of this name and those below it; may be repeated.
        #[arg(long, value_name = "NAME")]
        permit: Vec<ServerName>,
        #[command(flatten)]
        to: To,
    },
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Kind {
    Ed25519,
    P256,
    P384,
    Rsa3072,
}

/// Where the answer goes.
#[derive(clap::Args)]
struct To {
    /// Into this file, which is written anew, instead of to standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Serialize)]
struct Answer<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_until: Option<String>,
    /// The PEM, unless it went into a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pem: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

impl To {
    fn tell<'a>(&self, mut answer: Answer<'a>, pem: &'a str, out: &mut Output) -> Result<(), Failure> {
        if let Some(file) = &self.out {
            std::fs::write(file, pem).map_err(|error| Failure::file(file, FileError::Io(error)))?;
            let file = file.display().to_string();
            let serial =
                answer.serial.as_ref().map(|serial| format!(", serial {serial}")).unwrap_or_default();
            let until =
                answer.valid_until.as_ref().map(|until| format!(", until {until}")).unwrap_or_default();
            let sentence = format!("{file}: {}{serial}{until}", answer.name);
            answer.file = Some(file);
            return Ok(out.done(&answer, &sentence)?);
        }
        if out.is_json() {
            answer.pem = Some(pem);
            return Ok(out.json_line(&answer)?);
        }
        Ok(out.bytes(pem.as_bytes())?)
    }
}

#[derive(Serialize)]
struct Made {
    dir: String,
    name: String,
    done: &'static str,
}

#[derive(Serialize)]
struct Shown {
    serial: String,
    name: String,
    valid_until: String,
    revoked: Option<String>,
}

impl Entry for Shown {
    const COLUMNS: &'static [&'static str] = &["serial", "name", "valid_until", "revoked"];
}

impl From<IssuedCertificate> for Shown {
    fn from(issued: IssuedCertificate) -> Self {
        Self {
            serial: issued.serial.to_string(),
            name: issued.name,
            valid_until: written(issued.not_after),
            revoked: issued.revoked.map(written),
        }
    }
}

#[derive(Serialize)]
struct Revoked {
    serial: String,
    name: String,
    done: &'static str,
}

fn lasting(Span(seconds): Span) -> Result<Validity, Failure> {
    Ok(Validity::lasting(UnixTime::now(), seconds)?)
}

impl Issuer {
    pub(crate) fn run(self, out: &mut Output) -> Result<(), Failure> {
        let dir = self.dir.ok_or(Failure::Usage("which issuer? Give --dir DIR or set HALFKEY_ISSUER"))?;
        let random = &mut SystemRandom;
        if let Command::New { name, kind, valid_for } = self.command {
            return new(&dir, &name, kind, lasting(valid_for)?, out);
        }
        let mut issuer = IssuerFiles::open(&dir)?;
        match self.command {
            Command::New { .. } => Ok(()),
            Command::Certify { request, valid_for, to } => {
                let text = text_file::read(&request)?;
                let request =
                    CertificateRequest::from_pem(&text).map_err(|error| Failure::pem(&request, error))?;
                let chain = issuer.issue(&request, lasting(valid_for)?, random)?;
                let leaf = chain.leaf();
                let answer = Answer {
                    name: request.name().as_str(),
                    serial: Some(leaf.serial().to_string()),
                    valid_until: Some(written(leaf.not_after())),
                    pem: None,
                    file: None,
                };
                to.tell(answer, &chain.to_pem()?, out)
            }
            Command::List => {
                let issued: Vec<_> = issuer.authority().issued().map(Shown::from).collect();
                Ok(Table::default().page(out, &issued)?)
            }
            Command::Revoke { which, yes } => revoke(&mut issuer, &which, yes, out),
            Command::Crl { valid_for: Span(seconds), to } => {
                let (mut issuer, now) = (issuer.with_list_lifetime(seconds), UnixTime::now());
                let list = issuer.revocation_list(now, random)?;
                let name = issuer.authority().name().to_string();
                let until = Some(written(now.after(seconds)));
                let answer = Answer { name: &name, serial: None, valid_until: until, pem: None, file: None };
                to.tell(answer, &list.to_pem()?, out)
            }
            Command::Cross { anchor, valid_for, to } => {
                let anchors = TrustAnchors::from_pem(&text_file::read(&anchor)?);
                let anchors = anchors.map_err(|error| Failure::pem(&anchor, error))?;
                let [next] = anchors.as_slice() else { return Err(Failure::Usage("one anchor is wanted")) };
                let validity = lasting(valid_for)?;
                let certified = issuer.certify_authority(next.name(), next.key(), 0, validity, random)?;
                let name = next.name().to_string();
                let answer = Answer {
                    name: &name,
                    serial: Some(certified.serial().to_string()),
                    valid_until: Some(written(certified.not_after())),
                    pem: None,
                    file: None,
                };
                to.tell(answer, &certified.to_pem()?, out)
            }
            Command::Anchor { permit, to } => {
                let mut anchor: TrustAnchor = issuer.trust_anchor()?;
                if !permit.is_empty() {
                    anchor = anchor.with_permitted(permit)?;
                }
                let name = anchor.name().to_string();
                let answer = Answer { name: &name, serial: None, valid_until: None, pem: None, file: None };
                to.tell(answer, &anchor.to_pem()?, out)
            }
        }
    }
}

fn new(dir: &Path, name: &str, kind: Kind, validity: Validity, out: &mut Output) -> Result<(), Failure> {
    let random = &mut SystemRandom;
    let name = IssuerName::common_name(name).map_err(Failure::IssuerName)?;
    let key = match kind {
        Kind::Ed25519 => IssuerKey::generate_ed25519(random),
        Kind::P256 => IssuerKey::generate_p256(random),
        Kind::P384 => IssuerKey::generate_p384(random),
        Kind::Rsa3072 => IssuerKey::generate_rsa(3072, random),
    };
    let key = key.map_err(halfkey::certificate::IssueError::from)?;
    let issuer = IssuerFiles::create(dir, name, key, validity, random)?;
    let (dir, name) = (dir.display().to_string(), issuer.authority().name().to_string());
    let sentence =
        format!("{dir} is the issuer {name}; its anchor.pem is for tokens, its key.pem for nobody");
    Ok(out.done(&Made { dir, name, done: "made" }, &sentence)?)
}

/// Revokes the certificate with a serial number, or all of a name that are neither over nor revoked.
fn revoke(issuer: &mut IssuerFiles, which: &str, yes: bool, out: &mut Output) -> Result<(), Failure> {
    let now = UnixTime::now();
    let serial = which.parse::<SerialNumber>().ok();
    let mut meant: Vec<_> =
        issuer.authority().issued().filter(|issued| Some(&issued.serial) == serial.as_ref()).collect();
    if meant.is_empty() {
        let valid = |issued: &IssuedCertificate| issued.revoked.is_none() && issued.not_after >= now;
        meant = issuer.authority().issued().filter(|issued| issued.name == which && valid(issued)).collect();
    }
    if meant.is_empty() {
        return Err(Failure::Authority(halfkey::port::certificate_authority::AuthorityError::UnknownSerial));
    }
    if meant.len() > 1 && !yes {
        return Err(Failure::Usage("several certificates have that name; add --yes if all are meant"));
    }
    for issued in meant {
        issuer.revoke(&issued.serial, now)?;
        let (serial, name) = (issued.serial.to_string(), issued.name);
        let sentence =
            format!("the certificate {serial} of {name} is revoked; hand out a new list (issuer crl)");
        out.done(&Revoked { serial, name, done: "revoked" }, &sentence)?;
    }
    Ok(())
}
