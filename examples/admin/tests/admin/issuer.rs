//! The issuer of a small installation, and the enrolment URIs that carry its anchor.

use crate::desk::Desk;
use halfkey::certificate::{
    CertificateRequest, Chain, Revocation, RevocationDepth, RevocationList, TrustAnchor, verify,
};
use halfkey::key::{KemPrivateKey, OfferKey};
use halfkey::policy::SuiteList;
use halfkey::registration::EnrolmentUri;
use halfkey::{ServerName, SystemRandom, UnixTime};
use serde_json::json;

const KEY: &str = include_str!("../../../../tests/data/test-key-rsa-2048-a.pem");

fn server() -> ServerName {
    "gate.example".parse().unwrap()
}

/// Writes a server's request.
fn request(desk: &Desk) -> String {
    let (kem_key, offer_key) =
        (KemPrivateKey::from_pkcs8_pem(KEY).unwrap(), OfferKey::generate(&mut SystemRandom));
    let request =
        CertificateRequest::sign(&server(), kem_key.public(), &SuiteList::all(), &offer_key).unwrap();
    desk.file("request.pem", request.to_pem().unwrap())
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn an_issuer_certifies_and_takes_it_back() {
    let desk = Desk::bare();
    let (dir, request) = (desk.path("issuer"), request(&desk));
    let issuer = |arguments: &[&str]| desk.json(&[&["issuer", "--dir", &dir], arguments].concat());
    issuer(&["list"]).fails(3, "issuer-files");
    let made = issuer(&["new", "--name", "Gate CA"]).ok().one();
    assert_eq!(made["done"], "made");
    issuer(&["new", "--name", "Gate CA"]).fails(1, "exists");
    issuer(&["new", "--name", ""]).fails(2, "usage");
    let anchor = TrustAnchor::from_pem(&read(&desk.path("issuer/anchor.pem"))).unwrap();
    // For people, the certificate and nothing else.
    let pem = desk.run(&["issuer", "--dir", &dir, "certify", &request]).ok().out;
    let chain = Chain::from_pem(&pem).unwrap();
    let now = UnixTime::now();
    verify(&chain.as_der(), &anchor.clone().into(), &server(), now, &Revocation::Ignore).unwrap();
    let file = desk.path("chain.pem");
    let told = issuer(&["certify", &request, "--valid-for", "30d", "--out", &file]).ok().one();
    let second = Chain::from_pem(&read(&file)).unwrap();
    assert_eq!((&told["name"], &told["file"]), (&json!("gate.example"), &json!(file)));
    assert_eq!(told["serial"], second.leaf().serial().to_string());
    let listed = issuer(&["list"]).ok().lines();
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|line| line["name"] == "gate.example" && line["revoked"].is_null()));
    // One by its number, and the rest by the name.
    issuer(&["revoke", "gate.example"]).fails(2, "usage");
    issuer(&["revoke", "ffff"]).fails(1, "no-such-certificate");
    issuer(&["revoke", &second.leaf().serial().to_string()]).ok();
    let crl = |name: &str| {
        let file = desk.path(name);
        issuer(&["crl", "--valid-for", "1d", "--out", &file]).ok();
        RevocationList::from_pem(&read(&file)).unwrap()
    };
    let checked = |chain: &Chain, list: &RevocationList| {
        let revocation = Revocation::lists([list.as_der()], RevocationDepth::Leaf);
        verify(&chain.as_der(), &anchor.clone().into(), &server(), UnixTime::now(), &revocation)
    };
    assert!(checked(&chain, &crl("crl")).is_ok() && checked(&second, &crl("crl")).is_err());
    assert_eq!(issuer(&["revoke", "gate.example"]).ok().one()["serial"], chain.leaf().serial().to_string());
    assert!(checked(&chain, &crl("crl")).is_err());
    issuer(&["revoke", "gate.example"]).fails(1, "no-such-certificate");
    let bad = desk.file("bad.pem", "-----BEGIN NOTHING-----\n");
    issuer(&["certify", &bad]).fails(2, "file");
    issuer(&["certify", &request, "--valid-for", "9999999999d"]).fails(2, "usage");
}

#[test]
fn an_issuer_hands_over_to_the_next() {
    let desk = Desk::bare();
    let (old, new, request) = (desk.path("old"), desk.path("new"), request(&desk));
    for (dir, name, kind) in [(&old, "Old", "ed25519"), (&new, "New", "p384")] {
        desk.run(&["issuer", "--dir", dir, "new", "--name", name, "--kind", kind]).ok();
    }
    let cross = desk.run(&["issuer", "--dir", &old, "cross", &desk.path("new/anchor.pem")]).ok().out;
    let leaf = desk.run(&["issuer", "--dir", &new, "certify", &request]).ok().out;
    let chain = Chain::from_pem(&(leaf + &cross)).unwrap();
    for dir in [&old, &new] {
        let anchor = desk.run(&["issuer", "--dir", dir, "anchor", "--permit", "example"]).ok().out;
        let anchor = TrustAnchor::from_pem(&anchor).unwrap();
        assert_eq!(anchor.permitted().len(), 1);
        verify(&chain.as_der(), &anchor.into(), &server(), UnixTime::now(), &Revocation::Ignore).unwrap();
    }
}

#[test]
fn a_code_is_told_as_a_uri_too() {
    let desk = Desk::new();
    desk.run(&["issuer", "--dir", &desk.path("issuer"), "new", "--name", "Gate CA"]).ok();
    let anchor = desk.path("issuer/anchor.pem");
    let uri = |name: &str, arguments: &[&str]| {
        let issued = desk.json(&[&["code", "issue", name], arguments].concat()).ok().one();
        (issued["uri"].as_str().unwrap().parse::<EnrolmentUri>().unwrap(), issued["code"].clone())
    };
    let (read, code) = uri("Ann", &["--connect", "192.0.2.1:4500", "--anchor", &anchor, "--qr"]);
    assert_eq!((read.host().to_string(), read.port(), read.server()), ("192.0.2.1".into(), 4500, &server()));
    assert_eq!((read.name().unwrap().as_str(), json!(read.code().unwrap().reveal())), ("ann", code));
    assert_eq!(read.anchor(), Some(&TrustAnchor::from_pem(&self::read(&anchor)).unwrap()));
    let (read, _) = uri("ben", &["--connect", "gate.example:4500", "--long"]);
    assert!(read.anchor().is_none());
    let issued = desk.json(&["code", "issue", "cas"]).ok().one();
    assert!(issued.get("uri").is_none());
    // What cannot be told is not issued.
    for wrong in [
        &["--qr"][..],
        &["--connect", "gate.example", "--qr"],
        &["--connect", "gate.example:4500/?code=1"],
        &["--connect", "gate.example:4500", "--anchor", &desk.path("nowhere")],
    ] {
        let run = desk.json(&[&["code", "issue", "dan"], wrong].concat());
        assert_eq!(run.exit, Some(2), "{run:?}");
    }
    desk.json(&["code", "withdraw", "dan"]).fails(1, "no-such-code");
}

/// A camera reads it from the terminal: here, a reader from the blocks that were drawn.
#[test]
fn a_uri_is_drawn() {
    let desk = Desk::new();
    let told = desk.run(&["code", "issue", "ann", "--connect", "gate.example:4500", "--qr"]).ok().out;
    let uri = told.lines().find_map(|line| line.strip_prefix("uri")).unwrap().trim();
    let rows: Vec<Vec<char>> = told
        .lines()
        .map(|line| line.chars().collect::<Vec<_>>())
        .filter(|line| line.first() == Some(&'█'))
        .collect();
    let (width, height) = (rows[0].len(), rows.len() * 2);
    assert!(rows.iter().all(|row| row.len() == width), "{told}");
    let light = |x: usize, y: usize| match rows[y / 2].get(x) {
        Some('█') => true,
        Some('▀') => y.is_multiple_of(2),
        Some('▄') => !y.is_multiple_of(2),
        _ => false,
    };
    let scale = 4;
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width * scale, height * scale, |x, y| {
        if light(x / scale, y / scale) { 255 } else { 0 }
    });
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1, "{told}");
    assert_eq!(grids[0].decode().unwrap().1, uri);
}

#[test]
fn a_shell_and_a_reader_are_helped() {
    let desk = Desk::bare();
    for shell in ["bash", "zsh", "fish"] {
        assert!(desk.run(&["completions", shell]).ok().out.contains("readmit"), "{shell}");
    }
    let pages = desk.path("man");
    desk.json(&["man", &pages]).fails(2, "file");
    std::fs::create_dir(&pages).unwrap();
    desk.run(&["man", &pages]).ok();
    let page = read(&desk.path("man/admin-code-issue.1"));
    assert!(page.contains("\\-\\-qr"), "{page}");
    assert!(!read(&desk.path("man/admin.1")).contains(&desk.db), "no value of the environment");
}
