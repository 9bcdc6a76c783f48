//! An issuer whose state is in files: it answers servers' certificate requests, and writes what tokens trust.
//!
//! ```text
//! cargo run --example issuer -- --dir /tmp/issuer init
//! cargo run --example tcp_server -- --dir /tmp/gate --request
//! cargo run --example issuer -- --dir /tmp/issuer certify /tmp/gate/request.pem /tmp/chain.pem
//! cargo run --example tcp_server -- --dir /tmp/gate --certificate /tmp/chain.pem
//! ```
//!
//! The issuer's private key stays in its directory, which belongs on a machine of its own. Only files pass between
//! the issuer and a server: the request (`request.pem`) to the issuer, the certificate chain back to the server.
//! `anchor.pem` goes to the tokens.

mod tcp;

use halfkey::certificate::{CertificateRequest, Chain, IssuerName, TrustAnchor, TrustAnchors, Validity};
use halfkey::issuer_files::IssuerFiles;
use halfkey::key::IssuerKey;
use halfkey::port::CertificateAuthority;
use halfkey::{ServerName, SystemRandom, UnixTime};
use std::path::Path;
use tcp::{Arguments, Outcome, replace, run, say};

const USAGE: &str = "\
usage: issuer --dir DIR init [--name 'Example Issuer']
    make the issuer's key, DIR/anchor.pem for tokens and DIR/root.pem for openssl
usage: issuer --dir DIR certify REQUEST CHAIN [--days 365]
    answer a server's certificate request; REQUEST and CHAIN are files
usage: issuer --dir DIR cross ANCHOR FILE [--days 365]
    certify the key of the issuer that succeeds this one
usage: issuer anchor CERTIFICATE FILE [--permit NAME]...
    make an anchor for tokens of the certificate of another authority; with --permit, only for servers of
    that name and below it";

fn main() -> std::process::ExitCode {
    run(|| {
        let options = [("--dir", 1), ("--name", 1), ("--days", 1), ("--permit", 1)];
        let arguments = Arguments::read(&options, USAGE)?;
        let words: Vec<&str> = arguments.words.iter().map(String::as_str).collect();
        if let ["anchor", certificate, file] = words.as_slice() {
            return anchor(&arguments, certificate, Path::new(file));
        }
        let dir = Path::new(arguments.value("--dir").ok_or(USAGE)?);
        if let ["init"] = words.as_slice() {
            return init(dir, arguments.value("--name").unwrap_or("Example Issuer"));
        }
        let days: u64 = arguments.value("--days").unwrap_or("365").parse()?;
        let validity = Validity::lasting(UnixTime::now(), days.saturating_mul(86_400))?;
        match words.as_slice() {
            ["certify", request, chain] => {
                certify(IssuerFiles::open(dir)?, request, Path::new(chain), validity)
            }
            ["cross", anchor, file] => cross(IssuerFiles::open(dir)?, anchor, Path::new(file), validity),
            _ => Err(USAGE.into()),
        }
    })
}

/// Makes the issuer's files, unless they are there.
fn init(dir: &Path, name: &str) -> Outcome {
    let (random, name) = (&mut SystemRandom, IssuerName::common_name(name)?);
    let issuer = if dir.join("key.pem").exists() {
        IssuerFiles::open(dir)?
    } else {
        let (key, ten_years) = (IssuerKey::generate_ed25519(random)?, 10 * 365 * 86_400);
        IssuerFiles::create(dir, name, key, Validity::lasting(UnixTime::now(), ten_years)?, random)?
    };
    let name = issuer.trust_anchor()?.name().clone();
    say(format_args!("{} is the issuer {name}; its anchor.pem is for tokens", dir.display()));
    Ok(())
}

/// Answers a server's request. Whether it is that server's is for the operator to know.
fn certify(mut issuer: IssuerFiles, request: &str, chain: &Path, validity: Validity) -> Outcome {
    let request = CertificateRequest::from_pem(&text(Path::new(request))?)?;
    let issued = issuer.issue(&request, validity, &mut SystemRandom)?;
    put(chain, issued.to_pem()?.as_bytes())?;
    let (name, serial, until) = (request.name(), issued.leaf().serial(), validity.not_after());
    say(format_args!("{}: {name}, serial {serial}, until {until}", chain.display()));
    Ok(())
}

/// Certifies the key of a successor, for servers that it certifies to send along.
fn cross(mut issuer: IssuerFiles, anchor: &str, file: &Path, validity: Validity) -> Outcome {
    let anchors = TrustAnchors::from_pem(&text(Path::new(anchor))?)?;
    let [next] = anchors.as_slice() else { return Err("one anchor is wanted".into()) };
    let certified = issuer.certify_authority(next.name(), next.key(), 0, validity, &mut SystemRandom)?;
    put(file, certified.to_pem()?.as_bytes())?;
    say(format_args!("{}: {}, certified by {}", file.display(), next.name(), issuer.authority().name()));
    Ok(())
}

/// Writes the anchor of another authority.
fn anchor(arguments: &Arguments, certificate: &str, file: &Path) -> Outcome {
    // Of a chain, the last certificate is the root's.
    let chain = Chain::from_pem(&text(Path::new(certificate))?)?;
    let mut anchor = TrustAnchor::from_certificate(chain.iter().last().ok_or("no certificate")?)?;
    let permitted = arguments.all("--permit").flatten().map(|name| ServerName::normalise(name));
    let permitted = permitted.collect::<Result<Vec<_>, _>>()?;
    if !permitted.is_empty() {
        anchor = anchor.with_permitted(permitted)?;
    }
    put(file, anchor.to_pem()?.as_bytes())?;
    say(format_args!("{}: {}", file.display(), anchor.name()));
    Ok(())
}

fn text(path: &Path) -> Outcome<String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

fn put(path: &Path, bytes: &[u8]) -> Outcome {
    replace(path, bytes).map_err(|code| format!("{}: error {code}", path.display()).into())
}
