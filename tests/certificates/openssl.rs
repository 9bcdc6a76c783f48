//! OpenSSL and this crate accept each other's keys and certificates.

use super::common::*;
use halfkey::certificate::{
    Certificate, CertificateError, Chain, EXTENSION_OID, PURPOSE_OID, Revocation, RevocationDepth,
    RevocationList, TrustAnchor, verify,
};
use halfkey::key::{IssuerKey, KemPrivateKey, KeyError, OfferKey, PemError};
use halfkey::memory::Authority;
use halfkey::port::CertificateAuthority;
use halfkey::server_files::ServerFiles;
use halfkey::{Secret, ServerName, SystemRandom, UnixTime};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use zeroize::Zeroizing;

/// A directory of its own for one test, removed at its end.
pub(super) struct Bench(pub(super) PathBuf);

impl Bench {
    /// None, and a line saying so, where there is no openssl; in CI that is a failure.
    pub(super) fn new(test: &str) -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            assert!(std::env::var_os("CI").is_none(), "openssl is missing");
            println!("SKIPPED: {test}: openssl is missing");
            return None;
        }
        let path = std::env::temp_dir().join(format!("halfkey-{}-{test}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Some(Self(path))
    }

    pub(super) fn write(&self, file: &str, text: impl AsRef<[u8]>) {
        fs::write(self.0.join(file), text).unwrap();
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(file)).unwrap()
    }

    /// Runs openssl with the words of `line`; gives what it printed.
    pub(super) fn run(&self, line: &str) -> String {
        let output = Command::new("openssl")
            .args(line.split_whitespace())
            .env("OPENSSL_CONF", self.0.join("openssl.cnf"))
            .current_dir(&self.0)
            .output()
            .unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "openssl {line}\n{out}{err}");
        format!("{out}{err}")
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn openssl_accepts_what_is_issued_here() {
    let Some(bench) = Bench::new("accepts") else { return };
    bench.write("openssl.cnf", "");
    let (tops, belows) = (issuer_keys("openssl"), issuer_keys("below").into_iter().rev());
    for (top, key) in tops.into_iter().zip(belows) {
        let random = &mut fixed("openssl");
        let mut top = Authority::root(issuer_name("Top, O=\"issuer\""), top).unwrap();
        let own = top.certify_authority(&issuer_name("Below"), key.public(), 0, validity(), random).unwrap();
        let mut below = Authority::subordinate(key, vec![own], top.trust_anchor().unwrap()).unwrap();
        let (kept, revoked) = (issue(&mut below, "kept"), issue(&mut below, "revoked"));
        below.revoke(revoked.leaf().serial(), NOW).unwrap();
        let direct = issue(&mut top, "direct");

        bench.write("root.pem", top.root_certificate(validity(), random).unwrap().to_pem().unwrap());
        bench.write("below.pem", kept.issuers()[0].to_pem().unwrap());
        bench.write("kept.pem", kept.leaf().to_pem().unwrap());
        bench.write("revoked.pem", revoked.leaf().to_pem().unwrap());
        bench.write("direct.pem", direct.leaf().to_pem().unwrap());
        bench.write("direct.der", direct.leaf().as_der());
        let lists =
            [&mut top, &mut below].map(|it| it.revocation_list(NOW, random).unwrap().to_pem().unwrap());
        bench.write("crls.pem", lists.concat());
        bench.write("below.crl", &lists[1]);

        let verify = format!("verify -attime {} -purpose any -x509_strict -CAfile root.pem", NOW.as_secs());
        bench.run(&format!("{verify} direct.pem"));
        bench.run(&format!("{verify} -untrusted below.pem kept.pem"));
        let checked = format!("{verify} -untrusted below.pem -crl_check_all -CRLfile crls.pem");
        bench.run(&format!("{checked} kept.pem"));
        let refused = std::panic::catch_unwind(|| bench.run(&format!("{checked} revoked.pem")));
        let said = *refused.unwrap_err().downcast::<String>().unwrap();
        assert!(said.contains("certificate revoked"), "{said}");

        let text = bench.run("x509 -inform DER -in direct.der -noout -text");
        let serial = direct.leaf().serial().to_string();
        for part in ["Key Encipherment", PURPOSE_OID, EXTENSION_OID, "DNS:gate.example", "Version: 3"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(text.replace([':', ' ', '\n'], "").contains(&serial), "{serial}: {text}");
        let text = bench.run("crl -in below.crl -noout -text");
        let serial = revoked.leaf().serial().to_string().to_uppercase();
        for part in [&serial[..], "Version 2", "X509v3 CRL Number", "Next Update"] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}

#[test]
fn openssl_reads_the_keys_made_here() {
    let Some(bench) = Bench::new("keys") else { return };
    bench.write("openssl.cnf", "");
    let check = |pem: Result<Zeroizing<String>, _>, public: Result<String, KeyError>| {
        bench.write("key.pem", &*pem.unwrap());
        bench.run("pkey -in key.pem -check -noout");
        assert_eq!(bench.run("pkey -in key.pem -pubout"), public.unwrap());
    };
    for (pem, public) in [
        (kem_key().to_pkcs8_pem(), kem_key().public().to_spki_pem()),
        (offer_key().to_pkcs8_pem(), offer_key().public().to_spki_pem()),
    ] {
        check(pem, public);
    }
    for key in issuer_keys("openssl") {
        check(key.to_pkcs8_pem(), key.public().to_spki_pem());
    }
}

const RECIPE: &str = "
[srv]
keyUsage=critical,keyEncipherment
extendedKeyUsage=2.25.683857984.1
subjectAltName=DNS:gate.example
2.25.683857984.2=DER:302A30060201020201010420";

/// What an operator with an authority of their own does, word for word: the keys are those in a server's
/// directory, the certificate goes there, and a token gets the authority as an anchor for these servers.
#[test]
fn an_operators_own_authority_certifies_a_server() {
    let Some(bench) = Bench::new("recipe") else { return };
    bench.write("openssl.cnf", CONFIG);
    bench.run("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out ca.key");
    bench.run("req -x509 -new -key ca.key -sha384 -subj /O=R&D/CN=acme-DC01-CA -days 30 -extensions root -out ca.pem");

    // The server's directory.
    let dir = bench.0.join("server");
    let made = ServerFiles::load_or_create_sized(&dir, &name(), 2048, &mut SystemRandom).unwrap();
    let ServerFiles::Uncertified(files) = made else { panic!("certified already") };
    bench.run("pkey -in server/offer-key.pem -pubout -outform DER -out offer.der");
    let offer = fs::read(bench.0.join("offer.der")).unwrap();
    let hex: String = offer[offer.len() - 32..].iter().map(|byte| format!("{byte:02X}")).collect();
    bench.write("x.cnf", format!("{RECIPE}{hex}\n"));
    bench.run("req -new -key server/kem-key.pem -subj /CN=gate.example -out srv.csr");
    bench.run(
        "x509 -req -in srv.csr -CA ca.pem -CAkey ca.key -sha384 -set_serial 4096 -days 20 -extfile x.cnf \
         -extensions srv -out srv.pem",
    );
    // With the root behind it, as many authorities hand it out.
    let chain = Chain::from_pem(&(bench.read("srv.pem") + &bench.read("ca.pem"))).unwrap();
    assert_eq!(files.install(&chain).unwrap().chain(), &chain);
    let again = ServerFiles::load_or_create(&dir, &name(), &mut SystemRandom).unwrap();
    let ServerFiles::Ready(ready) = again else { panic!("not certified") };

    // The token.
    let anchor =
        TrustAnchor::from_certificate(&Certificate::from_pem(&bench.read("ca.pem")).unwrap()).unwrap();
    let limited = |name: &str| anchor.clone().with_permitted(vec![ServerName::new(name).unwrap()]).unwrap();
    let check = |anchor: TrustAnchor| {
        verify(&ready.chain().as_der(), &anchor.into(), &name(), UnixTime::now(), &Revocation::Ignore)
    };
    assert!(check(limited("gate.example")).unwrap().suites().codes().eq([2, 1]));
    assert_eq!(check(limited("other.example")), Err(CertificateError::NameConstraint));
}

/// The forms in which people have keys: the text of the error names a command, and the command makes of it
/// what is read.
#[test]
fn the_commands_in_errors_convert() {
    let Some(bench) = Bench::new("converts") else { return };
    bench.write("openssl.cnf", "");
    bench.run("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pem");
    bench.run("ecparam -name prime256v1 -genkey -out parameters.pem");
    bench.run("ec -in parameters.pem -out ec.pem");
    bench.run("rsa -in rsa.pem -traditional -out traditional.pem");
    bench.run("pkcs8 -topk8 -in rsa.pem -passout pass:secret -out encrypted.pem");
    for (file, found) in [
        ("traditional.pem", "RSA PRIVATE KEY"),
        ("encrypted.pem", "ENCRYPTED PRIVATE KEY"),
        ("ec.pem", "EC PRIVATE KEY"),
        ("parameters.pem", "EC PARAMETERS"),
    ] {
        let error = IssuerKey::from_pkcs8_pem(&bench.read(file)).unwrap_err();
        assert_eq!(error, KeyError::Pem(PemError::Label { found, wanted: "PRIVATE KEY" }));
        let text = error.to_string();
        let command = text.split('`').nth(1).unwrap().strip_prefix("openssl ").unwrap();
        let command = command.replace("FILE", file).replace("NEW", "new.pem");
        bench.run(&format!("{command} -passin pass:secret"));
        assert!(IssuerKey::from_pkcs8_pem(&bench.read("new.pem")).is_ok(), "{file}");
    }
}

#[test]
fn ssk1_passes_between_openssl_and_here() {
    let Some(bench) = Bench::new("oaep") else { return };
    bench.write("openssl.cnf", "");
    bench.run("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key.pem");
    let key = KemPrivateKey::from_pkcs8_pem(&bench.read("key.pem")).unwrap();
    let options = "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256";
    let (ssk1, fallback) = (Secret::new(*b"thirty-two bytes of shared secrt"), Secret::absent());

    bench.write("ssk1", ssk1.expose());
    bench.run(&format!("pkeyutl -encrypt -inkey key.pem -in ssk1 -out theirs {options}"));
    let theirs = fs::read(bench.0.join("theirs")).unwrap();
    assert_eq!(key.decapsulate(&theirs, &fallback, &mut fixed("blind")).expose(), ssk1.expose());

    bench.write("ours", key.public().encapsulate(&ssk1, &mut fixed("seed")).unwrap());
    bench.run(&format!("pkeyutl -decrypt -inkey key.pem -in ours -out opened {options}"));
    assert_eq!(fs::read(bench.0.join("opened")).unwrap(), ssk1.expose());
}

const CONFIG: &str = "
[req]
distinguished_name = name
prompt = no
[name]
CN = Unused
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[middle]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[ca]
default_ca = middle_ca
[middle_ca]
database = index.txt
crlnumber = crlnumber
default_md = sha384
default_crl_days = 3
crl_extensions = list
certificate = middle.pem
private_key = middle.key
[list]
authorityKeyIdentifier = keyid
";

#[test]
fn what_openssl_issues_is_accepted_here() {
    // As operators' authorities have them: with keys and hashes of different kinds and strengths.
    let rsa = "-algorithm RSA -pkeyopt rsa_keygen_bits:2048";
    let (p256, p384) =
        ("-algorithm EC -pkeyopt ec_paramgen_curve:P-256", "-algorithm EC -pkeyopt ec_paramgen_curve:P-384");
    for (test, root, middle, hashes) in [
        ("rsa", rsa, rsa, ["sha512", "sha256"]),
        ("ec", p384, p256, ["sha384", "sha256"]),
        ("mixed", p256, p384, ["sha512", "sha256"]),
        ("odd", rsa, p256, ["sha256", "sha384"]),
        ("ed25519", "-algorithm ED25519", p384, ["sha512", "sha512"]),
    ] {
        openssl_issues(test, [root, middle], hashes);
    }
}

fn openssl_issues(test: &str, [root, middle]: [&str; 2], [by_root, by_middle]: [&str; 2]) {
    let Some(bench) = Bench::new(test) else { return };
    bench.run("genpkey -algorithm ED25519 -out offer.key");
    let offer = OfferKey::from_pkcs8_pem(&bench.read("offer.key")).unwrap().public();
    let hex: String = offer.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    // SuiteList 0x0101 and 7.
    let extension = format!("302B3007020201010201070420{hex}");
    let server = |usage: &str| {
        format!(
            "keyUsage = critical,{usage}\nextendedKeyUsage = {PURPOSE_OID}\n\
             subjectAltName = DNS:gate.example\n{EXTENSION_OID} = DER:{extension}\n"
        )
    };
    bench.write("openssl.cnf", CONFIG);
    bench.write("server.ext", server("keyEncipherment"));
    bench.write("wrong.ext", server("keyEncipherment,digitalSignature"));

    // A root, an intermediate authority under it, servers under that.
    let server_key = "-algorithm RSA -pkeyopt rsa_keygen_bits:2048";
    for (who, options) in [("root", root), ("middle", middle), ("server", server_key)] {
        bench.run(&format!("genpkey {options} -out {who}.key"));
    }
    bench.run(&format!(
        "req -x509 -new -key root.key -{by_root} -subj /O=Plant/CN=Root -days 30 -extensions root -out root.pem"
    ));
    bench.run("req -new -key middle.key -subj /O=Plant/CN=Middle -out middle.csr");
    bench.run(&format!(
        "x509 -req -in middle.csr -CA root.pem -CAkey root.key -{by_root} -set_serial 5 -days 30 \
         -extfile openssl.cnf -extensions middle -out middle.pem"
    ));
    bench.run("req -new -key server.key -subj /CN=ignored -out server.csr");
    for (out, serial) in [("server", "0x80"), ("wrong", "0x81"), ("revoked", "0x82")] {
        let ext = if out == "wrong" { "wrong" } else { "server" };
        bench.run(&format!(
            "x509 -req -in server.csr -CA middle.pem -CAkey middle.key -{by_middle} -set_serial {serial} -days 20 \
             -extfile {ext}.ext -out {out}.pem"
        ));
    }
    bench.write("index.txt", "");
    bench.write("index.txt.attr", "");
    bench.write("crlnumber", "1000\n");
    bench.run("ca -revoke revoked.pem");
    bench.run("ca -gencrl -out middle.crl");

    let root = Certificate::from_pem(&bench.read("root.pem")).unwrap();
    let anchors = TrustAnchor::from_certificate(&root).unwrap().into();
    let list = RevocationList::from_pem(&bench.read("middle.crl")).unwrap();
    let now = UnixTime::now();
    let check = |leaf: &str| {
        let chain = Chain::from_pem(&(bench.read(leaf) + &bench.read("middle.pem"))).unwrap();
        let revocation = Revocation::lists([list.as_der()], RevocationDepth::Leaf);
        verify(&chain.as_der(), &anchors, &name(), now, &revocation)
    };
    let found = check("server.pem").unwrap();
    let key = KemPrivateKey::from_pkcs8_pem(&bench.read("server.key")).unwrap();
    assert_eq!(found.kem_key(), key.public());
    assert_eq!(found.offer_key(), &offer);
    assert!(found.suites().codes().eq([0x0101, 7]));
    assert_eq!(found.serial().to_string(), "80");
    assert!(matches!(check("wrong.pem"), Err(CertificateError::WrongUsage(_))));
    assert_eq!(check("revoked.pem"), Err(CertificateError::Revoked));

    // The authority in memory goes on with the intermediate key and certificate.
    let middle = Certificate::from_pem(&bench.read("middle.pem")).unwrap();
    let key = IssuerKey::from_pkcs8_pem(&bench.read("middle.key")).unwrap();
    let anchor = TrustAnchor::from_certificate(&root).unwrap();
    let mut authority = Authority::subordinate(key, vec![middle], anchor).unwrap();
    let validity = halfkey::certificate::Validity::new(now, now.after(3600)).unwrap();
    let chain = authority.issue(&request(), validity, &mut fixed("here")).unwrap();
    assert!(verify(&chain.as_der(), &anchors, &name(), now, &Revocation::Ignore).is_ok());
    bench.write("here.pem", chain.leaf().to_pem().unwrap());
    bench.run("verify -purpose any -x509_strict -CAfile root.pem -untrusted middle.pem here.pem");
}
