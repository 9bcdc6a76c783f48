//! An issuer in a directory: made once, opened again, with a register that says what it issued.

use super::common::*;
use super::openssl::Bench;
use halfkey::certificate::{CertificateError, IssueError, Revocation, SerialNumber, TrustAnchor, verify};
use halfkey::issuer_files::IssuerFiles;
use halfkey::key::IssuerKey;
use halfkey::port::CertificateAuthority;
use halfkey::port::certificate_authority::AuthorityError;
use halfkey::server_files::{FileProblem, ServerFilesError};
use std::fs;
use std::path::{Path, PathBuf};

/// A directory that goes when the test ends well.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("issuer-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn make(place: &Place, name: &str) -> Result<IssuerFiles, AuthorityError> {
    let random = &mut fixed(name);
    let key = IssuerKey::generate_ed25519(random).unwrap();
    IssuerFiles::create(&place.0, issuer_name(name), key, validity(), random)
}

/// The file and the problem that an error is about.
fn problem(error: AuthorityError) -> (String, String) {
    let AuthorityError::Failed(cause) = error else { panic!("{error:?}") };
    let error = cause.get().downcast_ref::<ServerFilesError>().unwrap();
    let file = error.path.file_name().unwrap().to_str().unwrap().into();
    (file, format!("{:?}", error.problem))
}

#[test]
fn an_issuer_is_made_once_and_goes_on_where_it_stopped() {
    let place = Place::new("once");
    assert_eq!(problem(IssuerFiles::open(&place.0).unwrap_err()), ("key.pem".into(), "Missing".into()));
    assert!(!place.0.exists(), "nothing is made by opening it");
    let mut issuer = make(&place, "files").unwrap();
    let anchor = issuer.trust_anchor().unwrap();
    assert_eq!(problem(IssuerFiles::open(&place.0).unwrap_err()).1, "InUse");
    let chain = issuer.issue(&request(), validity(), &mut fixed("once")).unwrap();
    let serial = chain.leaf().serial().clone();
    drop(issuer);
    assert_eq!(problem(make(&place, "files").unwrap_err()), ("key.pem".into(), "AlreadyExists".into()));
    let mut issuer = IssuerFiles::open(&place.0).unwrap();
    let issued: Vec<_> = issuer.authority().issued().collect();
    assert_eq!((issued.len(), &issued[0].serial, &*issued[0].name), (1, &serial, "gate.example"));
    assert_eq!((issued[0].not_after, issued[0].revoked), (validity().not_after(), None));
    issuer.revoke(&serial, NOW).unwrap();
    issuer.revocation_list(NOW, &mut fixed("list")).unwrap();
    drop(issuer);
    let issuer = IssuerFiles::open(&place.0).unwrap();
    assert_eq!(issuer.authority().issued().next().unwrap().revoked, Some(NOW));
    let text = fs::read_to_string(place.0.join("anchor.pem")).unwrap();
    assert_eq!(TrustAnchor::from_pem(&text).unwrap(), anchor);
    verify(&chain.as_der(), &anchor.into(), &"gate.example".parse().unwrap(), NOW, &Revocation::Ignore)
        .unwrap();
}

#[cfg(unix)]
#[test]
fn what_cannot_be_saved_was_not_done() {
    let place = Place::new("unsaved");
    let mut issuer = make(&place, "unsaved").unwrap();
    // A directory in the way of the new register.
    let beside = place.0.join("register.der.new");
    fs::create_dir(&beside).unwrap();
    let request = request();
    let failed = issuer.issue(&request, validity(), &mut fixed("unsaved")).unwrap_err();
    assert_eq!(problem(failed).0, "register.der");
    assert_eq!(issuer.authority().issued().count(), 0);
    fs::remove_dir(&beside).unwrap();
    // The same random numbers: were the first one still in the register, this would be its serial number again.
    issuer.issue(&request, validity(), &mut fixed("unsaved")).unwrap();
    let again = issuer.issue(&request, validity(), &mut fixed("unsaved")).unwrap_err();
    assert_eq!(again, AuthorityError::Issue(IssueError::RandomSource));
}

#[test]
fn files_that_do_not_fit_are_refused() {
    let place = Place::new("fit");
    drop(make(&place, "fit").unwrap());
    let other = Place::new("other");
    drop(make(&other, "other").unwrap());
    for (file, expected) in
        [("register.der", "Register(OtherAuthority)"), ("root.pem", "OtherKeys"), ("key.pem", "OtherKeys")]
    {
        let kept = fs::read(place.0.join(file)).unwrap();
        fs::copy(other.0.join(file), place.0.join(file)).unwrap();
        assert_eq!(problem(IssuerFiles::open(&place.0).unwrap_err()).1, expected, "{file}");
        fs::write(place.0.join(file), &kept).unwrap();
        fs::remove_file(place.0.join(file)).unwrap();
        assert_eq!(problem(IssuerFiles::open(&place.0).unwrap_err()), (file.into(), "Missing".into()));
        fs::copy(other.0.join(file), place.0.join(file)).unwrap();
        fs::write(place.0.join(file), kept).unwrap();
    }
    IssuerFiles::open(&place.0).unwrap();
    fs::write(place.0.join("register.der"), b"no register").unwrap();
    assert_eq!(problem(IssuerFiles::open(&place.0).unwrap_err()).1, "Register(Malformed)");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(place.0.join("key.pem"), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            problem(IssuerFiles::open(&place.0).unwrap_err()),
            (file, problem) if file == "key.pem" && problem == format!("{:?}", FileProblem::Exposed)
        ));
    }
}

#[test]
fn openssl_takes_its_lists_and_certificates() {
    let Some(bench) = Bench::new("issuer-files") else { return };
    bench.write("openssl.cnf", "");
    let place = Place::new("openssl");
    let mut issuer = make(&place, "openssl").unwrap().with_list_lifetime(3600);
    let random = &mut fixed("openssl");
    let chain = issuer.issue(&request(), validity(), random).unwrap();
    let next = IssuerKey::generate_p256(random).unwrap();
    let cross = issuer.certify_authority(&issuer_name("Next"), next.public(), 0, validity(), random).unwrap();
    issuer.revoke(chain.leaf().serial(), NOW).unwrap();
    bench.write("root.pem", issuer.root().to_pem().unwrap());
    bench.write("cross.pem", cross.to_pem().unwrap());
    bench.write("list.pem", issuer.revocation_list(NOW, random).unwrap().to_pem().unwrap());
    assert!(bench.run("crl -in list.pem -CAfile root.pem -verify -noout").contains("verify OK"));
    let verify = format!("verify -attime {} -purpose any -x509_strict -CAfile root.pem", NOW.as_secs());
    bench.run(&format!("{verify} cross.pem"));
    let text = bench.run("crl -in list.pem -noout -text");
    let serial = chain.leaf().serial().to_string().to_uppercase();
    assert!(text.contains(&serial), "{text}");
    // As openssl writes it, and as this crate does.
    let colons: Vec<_> = serial.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap()).collect();
    for written in [serial.clone(), serial.to_lowercase(), colons.join(":"), format!("00{serial}")] {
        assert_eq!(written.parse::<SerialNumber>().as_ref(), Ok(chain.leaf().serial()), "{written}");
    }
    for bad in ["", ":", "00", "0x12", "12é", &"1".repeat(41), &"0".repeat(43)] {
        assert_eq!(bad.parse::<SerialNumber>(), Err(CertificateError::SerialNumber), "{bad}");
    }
}
