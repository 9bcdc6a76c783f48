//! The files of a server: made, certified, cut short, meddled with.
#![cfg(feature = "std")]
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "a test may panic, and what tests share is not exported"
)]

mod common;

use common::{Counting, Issuer, template};
use halfkey::certificate::{CertificateError, Chain, Validity};
use halfkey::key::{IssuerKey, KeyError, PemError};
use halfkey::policy::SuiteList;
use halfkey::port::{AuthServer, AuthServerError, CertificateAuthority};
use halfkey::server_files::{FileProblem, Ready, ServerFiles, ServerFilesError, Uncertified};
use halfkey::{ServerName, SystemRandom, UnixTime};
use std::fs;
use std::path::{Path, PathBuf};

const NAMES: [&str; 5] =
    ["master-secret.pem", "kem-key.pem", "offer-key.pem", "request.pem", "certificate.pem"];
const KEY_A: &str = include_str!("data/test-key-rsa-2048-a.pem");
const KEY_B: &str = include_str!("data/test-key-rsa-2048-b.pem");

/// A directory that goes when the test ends well.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("files-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    /// One with an RSA key in it, which is quicker than making one.
    fn with_key(name: &str) -> Self {
        let place = Self::new(name);
        fs::create_dir_all(&place.0).unwrap();
        place.put("kem-key.pem", KEY_A);
        own(&place.0, 0o700);
        place
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.at(name), text).unwrap();
        own(&self.at(name), 0o600);
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap()
    }

    fn load(&self) -> Result<ServerFiles, ServerFilesError> {
        ServerFiles::load_or_create(&self.0, &name("gate.example"), &mut SystemRandom)
    }

    fn uncertified(&self) -> Uncertified {
        match self.load().unwrap() {
            ServerFiles::Uncertified(files) => files,
            ServerFiles::Ready(_) => panic!("certified already"),
        }
    }

    fn ready(&self) -> Ready {
        match self.load().unwrap() {
            ServerFiles::Ready(files) => files,
            ServerFiles::Uncertified(_) => panic!("not certified"),
        }
    }

    /// The problem with the file `name`, which must be the one that the error names.
    fn problem(&self, name: &str) -> FileProblem {
        let error = self.load().unwrap_err();
        assert_eq!(error.path, self.at(name), "{error}");
        assert!(error.to_string().contains(name), "{error}");
        error.problem
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

fn own(path: &Path, mode: u32) {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    #[cfg(not(unix))]
    let _ = (path, mode);
}

fn name(text: &str) -> ServerName {
    ServerName::new(text).unwrap()
}

fn issue(issuer: &mut Issuer, files: &Uncertified) -> Chain {
    let now = UnixTime::now();
    let validity = Validity::new(now, now.after(86_400)).unwrap();
    issuer.authority.issue(files.request(), validity, &mut Counting::new(9)).unwrap()
}

#[test]
fn from_nothing_to_a_server() {
    let place = Place::with_key("whole");
    let mut issuer = Issuer::new(1);
    let files = place.uncertified();
    let request = place.read("request.pem");
    assert_eq!(files.request().to_pem().unwrap(), request);
    assert_eq!(place.uncertified().request(), files.request(), "the same at the next start");

    let chain = issue(&mut issuer, &files);
    let ready = files.install(&chain).unwrap();
    let again = place.ready();
    assert_eq!(again.chain(), &chain);
    assert_eq!(again.request(), ready.request());
    let server = again.server(&again.settings(template()), SystemRandom).unwrap();
    assert!(server.offer_material(&SuiteList::all(), UnixTime::now()).is_ok());
    assert_eq!(place.read("request.pem"), request);

    let key = again.secret("store-key", &mut SystemRandom).unwrap();
    assert_eq!(place.ready().secret("store-key", &mut SystemRandom).unwrap().expose(), key.expose());
    for bad in ["", "../x", "A", "a.b", "kem-key", "certificate", &"a".repeat(65)] {
        let error = again.secret(bad, &mut SystemRandom).unwrap_err();
        assert!(matches!(error.problem, FileProblem::Name), "{bad}");
    }
    // A server of another name does not get these keys.
    let mut other = again.settings(template());
    other.name = name("other.example");
    assert!(matches!(again.server(&other, SystemRandom).unwrap_err().problem, FileProblem::Certificate(_)));

    #[cfg(unix)]
    for file in NAMES.into_iter().chain(["store-key.pem", "server.lock"]) {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(place.at(file)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{file}");
    }
}

/// A crash between any two files, or within one, and the next start goes on; nothing made before changes.
#[test]
fn creation_goes_on_where_it_was_cut_short() {
    let whole = Place::with_key("cut-model");
    drop(whole.uncertified());
    for made in 0..=4 {
        let place = Place::with_key(&format!("cut-{made}"));
        for file in &NAMES[..made] {
            place.put(file, &whole.read(file));
        }
        // What the crash left half written beside the next one.
        place.put(&format!("{}.new", NAMES[made]), "half");
        drop(place.uncertified());
        for file in &NAMES[..made] {
            assert_eq!(place.read(file), whole.read(file), "{file}");
        }
        let text = place.read("request.pem");
        assert_eq!(text, place.uncertified().request().to_pem().unwrap());
    }
}

#[test]
fn a_lost_file_is_not_made_again() {
    for (lost, also) in [(0, None), (1, None), (2, None), (0, Some(3)), (2, Some(3))] {
        let place = Place::with_key(&format!("lost-{lost}-{}", also.is_some()));
        let files = place.uncertified();
        let chain = issue(&mut Issuer::new(1), &files);
        drop(files.install(&chain).unwrap());
        for file in [Some(lost), also].into_iter().flatten() {
            fs::remove_file(place.at(NAMES[file])).unwrap();
        }
        assert!(matches!(place.problem(NAMES[lost]), FileProblem::Missing));
        assert!(!place.at(NAMES[lost]).exists());
    }
    // The request alone can be made again from the rest.
    let place = Place::with_key("lost-request");
    let files = place.uncertified();
    let chain = issue(&mut Issuer::new(1), &files);
    drop(files.install(&chain).unwrap());
    fs::remove_file(place.at("request.pem")).unwrap();
    drop(place.ready());
}

#[test]
fn files_that_do_not_fit_are_named() {
    let place = Place::with_key("other-key");
    let files = place.uncertified();
    let chain = issue(&mut Issuer::new(1), &files);
    place.put("kem-key.pem", KEY_B);
    assert!(matches!(place.problem("request.pem"), FileProblem::OtherKeys));
    place.put("kem-key.pem", KEY_A);

    let other = ServerFiles::load_or_create(&place.0, &name("other.example"), &mut SystemRandom);
    assert!(matches!(other.unwrap_err().problem, FileProblem::OtherName(name) if name == "gate.example"));

    // A certificate for other keys is neither installed nor loaded.
    let elsewhere = Place::with_key("elsewhere");
    let theirs = issue(&mut Issuer::new(2), &elsewhere.uncertified());
    let error = files.install(&theirs).unwrap_err();
    assert!(matches!(error.problem, FileProblem::OtherKeys), "{error}");
    assert!(!place.at("certificate.pem").exists());
    place.put("certificate.pem", &theirs.to_pem().unwrap());
    assert!(matches!(place.problem("certificate.pem"), FileProblem::OtherKeys));
    // The right one, put there by hand and readable to all.
    place.put("certificate.pem", &chain.to_pem().unwrap());
    own(&place.at("certificate.pem"), 0o644);
    assert_eq!(place.ready().chain(), &chain);
}

/// A renewed certificate can be installed before its time; one that has expired cannot.
#[test]
fn the_next_certificate_waits_beside_the_first() {
    let place = Place::with_key("next");
    let mut issuer = Issuer::new(1);
    let files = place.uncertified();
    let request = files.request().clone();
    let (now, day) = (UnixTime::now(), 86_400);
    let past = |seconds| UnixTime::from_secs(now.as_secs() - seconds);
    let mut serial = 20;
    let mut certified = |from: UnixTime, to: UnixTime| {
        serial += 1;
        let validity = Validity::new(from, to).unwrap();
        issuer.authority.issue(&request, validity, &mut Counting::new(serial)).unwrap()
    };
    let expired = certified(past(2 * day), past(day));
    let error = place.uncertified().install(&expired).unwrap_err();
    assert!(matches!(error.problem, FileProblem::Certificate(CertificateError::Expired { .. })), "{error}");
    assert!(!place.at("certificate.pem").exists());
    place.put("certificate.pem", &expired.to_pem().unwrap());
    assert!(place.ready().expired(now).is_some());
    fs::remove_file(place.at("certificate.pem")).unwrap();

    let first = certified(past(day), now.after(day));
    let mut ready = files.install(&first).unwrap();
    let next = certified(now.after(day / 2), now.after(30 * day));
    ready.install_next(&next).unwrap();
    assert!(ready.install_next(&expired).is_err());
    let ready = place.ready();
    let server = ready.server(&ready.settings(template()), SystemRandom).unwrap();
    let offered = |now| server.offer_material(&SuiteList::all(), now).unwrap().chain[0].clone();
    assert_eq!(offered(now), first.leaf().as_der());
    assert_eq!(offered(now.after(day / 2)), next.leaf().as_der());
    assert_eq!(server.offered_until(now), Some(next.leaf().not_after()));

    // The first has expired, and the next is there: no trouble.
    place.put("certificate.pem", &expired.to_pem().unwrap());
    let current = certified(past(day), now.after(2 * day));
    let mut ready = place.ready();
    ready.install_next(&current).unwrap();
    // A third: the second moves up.
    ready.install_next(&next).unwrap();
    assert_eq!(place.ready().chain(), &current);
}

/// Sessions need no certificate: only who registers has to wait for another.
#[test]
fn a_server_starts_when_every_certificate_has_ended() {
    let place = Place::with_key("ended");
    let mut issuer = Issuer::new(1);
    let request = place.uncertified().request().clone();
    let now = UnixTime::now();
    let at = |seconds: i64| UnixTime::from_secs(now.as_secs().saturating_add_signed(seconds));
    let mut certified = |from: i64, to: i64| {
        let validity = Validity::new(at(from), at(to)).unwrap();
        issuer.authority.issue(&request, validity, &mut SystemRandom).unwrap()
    };
    place.put("certificate.pem", &certified(-9000, -600).to_pem().unwrap());
    place.put("next-certificate.pem", &certified(-9000, -500).to_pem().unwrap());
    let mut ready = place.ready();
    let expired = |ready: &Ready, seconds| ready.expired(at(seconds));
    let ended = |seconds| Some(CertificateError::Expired { not_after: at(-500), now: at(seconds) });
    assert_eq!(
        (expired(&ready, -500), expired(&ready, -499), expired(&ready, 0)),
        (None, ended(-499), ended(0))
    );
    let server = ready.server(&ready.settings(template()), SystemRandom).unwrap();
    let offered = server.offer_material(&SuiteList::all(), now).map(drop);
    assert_eq!(offered, Err(AuthServerError::NoCertificate));

    ready.install_next(&certified(-60, 9000)).unwrap();
    assert_eq!(expired(&ready, 0), None);
    let ready = place.ready();
    let server = ready.server(&ready.settings(template()), SystemRandom).unwrap();
    assert!(server.offer_material(&SuiteList::all(), now).is_ok());
}

/// What people have in their files.
#[test]
fn blocks_are_read_as_people_have_them_or_are_named() {
    let place = Place::with_key("blocks");
    for text in [
        KEY_A.replace('\n', "\r\n"),
        format!("\u{FEFF}{KEY_A}\n \n"),
        format!("Bag Attributes: none\n{KEY_A}"),
        KEY_A.replace('\n', "  \n"),
    ] {
        place.put("kem-key.pem", &text);
        drop(place.uncertified());
    }
    for found in ["RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "EC PRIVATE KEY"] {
        place.put("kem-key.pem", &KEY_A.replace("PRIVATE KEY", found));
        match place.problem("kem-key.pem") {
            FileProblem::Key(KeyError::Pem(PemError::Label { found: label, wanted: "PRIVATE KEY" })) => {
                assert_eq!(label, found);
            }
            other => panic!("{other}"),
        }
        let text = place.load().unwrap_err().to_string();
        assert!(text.contains(found) && text.contains("`openssl pkey -in FILE -out NEW`"), "{text}");
    }
    let wide: Vec<&str> = KEY_A.lines().collect();
    let [first, base64 @ .., last] = wide.as_slice() else { panic!() };
    let base64 = base64.concat();
    let wide: Vec<&str> = base64.as_bytes().chunks(76).map(|line| str::from_utf8(line).unwrap()).collect();
    place.put("kem-key.pem", &format!("{first}\n{}\n{last}", wide.join("\n")));
    drop(place.uncertified());
    // A key of another kind: it cannot be converted, but is named.
    place.put("kem-key.pem", &IssuerKey::generate_p256(&mut SystemRandom).unwrap().to_pkcs8_pem().unwrap());
    let text = place.load().unwrap_err().to_string();
    assert!(text.contains("ECDSA on P-256") && text.contains("RSA is wanted"), "{text}");
    for text in ["", "no key", &"x".repeat(70_000), &(KEY_A.to_owned() + KEY_A), &KEY_A.replace("MII", "!II")]
    {
        place.put("kem-key.pem", text);
        place.problem("kem-key.pem");
    }
    place.put("kem-key.pem", KEY_A);
    place.put("master-secret.pem", "-----BEGIN HALFKEY SECRET-----\nAAAA\n-----END HALFKEY SECRET-----\n");
    place.problem("master-secret.pem");
    fs::remove_file(place.at("master-secret.pem")).unwrap();
    fs::create_dir(place.at("master-secret.pem")).unwrap();
    assert!(matches!(place.problem("master-secret.pem"), FileProblem::NotAFile | FileProblem::Missing));
}

#[cfg(unix)]
#[test]
fn what_others_may_read_is_refused() {
    let place = Place::with_key("exposed");
    drop(place.uncertified());
    for file in &NAMES[..3] {
        own(&place.at(file), 0o640);
        assert!(matches!(place.problem(file), FileProblem::Exposed), "{file}");
        own(&place.at(file), 0o600);
    }
    fs::hard_link(place.at("offer-key.pem"), place.at("twin")).unwrap();
    assert!(matches!(place.problem("offer-key.pem"), FileProblem::Linked));
    fs::remove_file(place.at("twin")).unwrap();
    own(&place.0, 0o770);
    let error = place.load().unwrap_err();
    assert!(matches!(error.problem, FileProblem::Exposed) && error.path == place.0);
    own(&place.0, 0o755);
    drop(place.uncertified());
}

#[cfg(unix)]
#[test]
fn two_at_once_do_not_make_two_servers() {
    let place = Place::with_key("twice");
    let lock = fs::File::create(place.at("server.lock")).unwrap();
    own(&place.at("server.lock"), 0o600);
    lock.lock().unwrap();
    assert!(matches!(place.problem("server.lock"), FileProblem::InUse));
    assert!(!place.at("request.pem").exists());
    lock.unlock().unwrap();
    drop(place.uncertified());
}
