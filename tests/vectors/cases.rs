//! The runs that are published, as JSON.

use crate::cbor::Item;
use crate::configure;
use crate::recorder::{Call, hex};
use crate::reference::Reference;
use crate::reference_registration::{self as registration, ProofKey};
use crate::reference_session::{self as session, Way, configuration_digest};
use crate::stage::{self, End, Record, Stage, grant};
use crate::talk::{self, Beside, EXPORT};
use halfkey::policy::{Mode, Modes, Policy, SuiteId, SuiteList};
use halfkey::record::TokenRegistration;
use halfkey::registration::server::Decision;
use halfkey::registration::token::Credential;
use halfkey::registration::{ActivationCode, RejectionCode};
use halfkey::store::operation::{IssueCode, WithdrawCode};
use halfkey::suite::{Suite, X25519, XWING};
use halfkey::{ServerName, UserName};
use serde_json::{Map, Value, json};

const CODE: &str = "9G3K-M2VQ-0RXT-ABCD";

/// A case's file name and its content.
pub(crate) type Case = (&'static str, Value);

pub(crate) fn all() -> Vec<Case> {
    vec![
        ("xwing-open-psk-kem.json", xwing()),
        ("x25519-activation-psk.json", activation()),
        ("x25519-renewal.json", renewal()),
        ("x25519-wait-ticket.json", ticket()),
        ("x25519-refused.json", refused()),
        ("x25519-lost.json", lost()),
        ("x25519-key-id-cookie.json", key_id_and_cookie()),
        ("xwing-activation-psk-kem.json", xwing_with_a_code()),
    ]
}

pub(crate) fn policy(suite: SuiteId, mode: Mode) -> Policy {
    Policy { modes: Modes::only(mode), suites: SuiteList::only(suite), lifetime: None, allow_key_id: true }
}

pub(crate) fn psk() -> Decision {
    grant(policy(SuiteId::X25519, Mode::Psk))
}

pub(crate) fn active(end: End) -> TokenRegistration {
    let End::Active(registration) = end else { panic!("not active") };
    registration
}

fn xwing() -> Value {
    let mut stage = Stage::new(&XWING);
    let (record, end) = stage.register(Credential::None, &grant(policy(SuiteId::XWing, Mode::PskKem)));
    let (registered, reference) = registration_run(&stage, &record, ProofKey::None);
    configure::entitle(&stage, "mail.example, port 993");
    let record = talk::session(&mut stage, &active(end), Mode::PskKem, Beside::Configurations);
    let opened = session_run(&record, &reference);
    file(
        "Suite 2, registration without a proof, session in mode psk-kem, every kind of C1",
        &stage,
        None,
        [registered, opened],
    )
}

/// A server that has issued the code.
pub(crate) fn invited(suite: &'static dyn Suite) -> (Stage, ActivationCode) {
    let stage = Stage::new(suite);
    let code = ActivationCode::parse(CODE).unwrap();
    let (server, user) = (ServerName::new(stage::SERVER).unwrap(), UserName::new(stage::USER).unwrap());
    let secret = code.secret(&server, &user);
    stage.store.run(&IssueCode { name: user, secret, expires: None }, stage.now()).unwrap();
    (stage, code)
}

fn activation() -> Value {
    let (mut stage, code) = invited(&X25519);
    let (record, end) = stage.register(Credential::Activation(code), &psk());
    let (registered, reference) = registration_run(&stage, &record, ProofKey::Activation(CODE));
    let record = talk::session(&mut stage, &active(end), Mode::Psk, Beside::Nothing);
    let opened = session_run(&record, &reference);
    file(
        "Suite 1, registration with an activation code, session in mode psk",
        &stage,
        Some(CODE),
        [registered, opened],
    )
}

fn renewal() -> Value {
    let mut stage = Stage::new(&X25519);
    let (record, end) = stage.register(Credential::None, &grant(policy(SuiteId::X25519, Mode::PskKem)));
    let (first, old) = registration_run(&stage, &record, ProofKey::None);
    let key_id = active(end).key_id;
    let (record, end) =
        stage.register(Credential::Renewal(key_id), &grant(policy(SuiteId::X25519, Mode::PskKem)));
    let proof = ProofKey::Renewal(value(&old, "K_renew"), key_id.as_bytes());
    let (second, reference) = registration_run(&stage, &record, proof);
    let record = talk::session(&mut stage, &active(end), Mode::PskKem, Beside::Nothing);
    let opened = session_run(&record, &reference);
    file(
        "Suite 1, a registration, its renewal, and a session in mode psk-kem with the new key",
        &stage,
        None,
        [first, second, opened],
    )
}

fn ticket() -> Value {
    let mut stage = Stage::new(&X25519);
    let (record, end) = stage.register(Credential::None, &Decision::Wait { retry_after: 900 });
    let End::Waiting(waiting) = end else { panic!("not waiting") };
    let (first, asked) = registration_run(&stage, &record, ProofKey::None);
    let proof = ProofKey::Ticket(value(&asked, "ticket"), value(&asked, "ticket_id"));
    let (record, end) = stage.register(Credential::Ticket(waiting), &psk());
    let (second, reference) = registration_run(&stage, &record, proof);
    let record = talk::session(&mut stage, &active(end), Mode::Psk, Beside::Nothing);
    let opened = session_run(&record, &reference);
    file(
        "Suite 1, a run told to wait, a second one with its ticket, a session",
        &stage,
        None,
        [first, second, opened],
    )
}

fn refused() -> Value {
    let mut stage = Stage::new(&X25519);
    let (record, end) = stage.register(Credential::None, &Decision::Refuse(RejectionCode::Declined));
    assert!(matches!(end, End::Refused));
    let (run, _) = registration_run(&stage, &record, ProofKey::None);
    file("Suite 1, a registration that the operator declines (reason 3)", &stage, None, [run])
}

/// The operator withdraws the code when R3 is on its way.
fn lost() -> Value {
    let (mut stage, code) = invited(&X25519);
    stage.probe = Some(Box::new(|stage, message| {
        if message == "R4" {
            let name = UserName::new(stage::USER).unwrap();
            stage.store.run(&WithdrawCode(name), stage.now()).unwrap();
        }
    }));
    let (record, end) = stage.register(Credential::Activation(code), &psk());
    assert!(matches!(end, End::Lost));
    let (run, _) = registration_run(&stage, &record, ProofKey::Activation(CODE));
    let about = "Suite 1, a registration whose activation code is withdrawn before R4 comes: R5 says lost";
    file(about, &stage, Some(CODE), [run])
}

fn xwing_with_a_code() -> Value {
    let (mut stage, code) = invited(&XWING);
    let decision = grant(policy(SuiteId::XWing, Mode::PskKem));
    let (record, end) = stage.register(Credential::Activation(code), &decision);
    let (registered, reference) = registration_run(&stage, &record, ProofKey::Activation(CODE));
    let record = talk::session(&mut stage, &active(end), Mode::PskKem, Beside::Nothing);
    let opened = session_run(&record, &reference);
    file(
        "Suite 2, registration with an activation code, session in mode psk-kem",
        &stage,
        Some(CODE),
        [registered, opened],
    )
}

fn key_id_and_cookie() -> Value {
    let mut stage = Stage::new(&X25519);
    let (record, end) = stage.register(Credential::None, &psk());
    let (registered, reference) = registration_run(&stage, &record, ProofKey::None);
    let record = talk::session(&mut stage, &active(end), Mode::Psk, Beside::Cookie);
    let opened = session_run(&record, &reference);
    file(
        "Suite 1, registration without a proof, session in mode psk by key_id, with a stateless challenge",
        &stage,
        None,
        [registered, opened],
    )
}

fn value<'r>(reference: &'r Reference, name: &str) -> &'r [u8] {
    &reference.values.iter().find(|(found, _)| found == name).unwrap_or_else(|| panic!("no {name}")).1
}

/// The run as JSON, after both sides' computations were found to be the reference's.
fn registration_run(stage: &Stage, record: &Record, proof_key: ProofKey<'_>) -> (Value, Reference) {
    let kem_key =
        halfkey::key::KemPrivateKey::from_pkcs8_pem(stage::KEM_KEY).unwrap().to_pkcs8_der().unwrap();
    let observer = registration::Observer {
        kem_key: &kem_key,
        offer_key: stage.offer_key,
        server_name: stage::SERVER,
        sk_e: record.drawn("private key of pk_e"),
        r: record.drawn("r"),
        proof_key,
    };
    let reference = registration::registration(&observer, &record.messages);
    assert_eq!(value(&reference, "SSK1"), record.drawn("SSK1"));
    // Not of the protocol: an anchor's name on the token, and what stands in for secrets that are none.
    let beside = |call: &Call| match call {
        Call::Hash { input, .. } => *input == stage.anchor_key,
        Call::Mac { input, .. } => input.starts_with(b"halfkey/1 no "),
        _ => false,
    };
    // Made outside the suite that is watched: A, when the code is read; a renewal's o(thB), by the
    // old key within the token. Both come to light as keys of what is made with them.
    compare(record, &reference, beside, &["Extract(0^32, c)", "A", "o(thB)"]);
    (run("registration", record, &reference), reference)
}

fn session_run(record: &Record, registered: &Reference) -> Value {
    let observer = session::Observer {
        k_auth: value(registered, "K_auth"),
        k_derive: value(registered, "K_derive"),
        sk_e: record.draws[0]
            .iter()
            .find(|(what, _)| *what == "private key of pk_e")
            .map(|(_, key)| &key[..]),
        export: EXPORT,
    };
    let records: Vec<(Way, Vec<u8>)> =
        record.records.iter().map(|(_, way, bytes)| (*way, bytes.clone())).collect();
    let (reference, texts) = session::session(&observer, &record.messages, &records);
    compare(record, &reference, |_| false, &[]);
    let mut run = run("session", record, &reference);
    for (name, c1) in record.messages.iter().filter(|(name, _)| name.starts_with("C1")) {
        let c1 = Item::read(c1);
        // Unchanged repeats the digest of the document, and unknown has none.
        if matches!(c1.at(7).uint(), 1 | 2) {
            assert_eq!(configuration_digest(&c1), c1.at(4).bytes(), "{name}");
        }
    }
    let status = json!({ "record": "status, in S3", "type": texts[0].0, "data": hex(&texts[0].1) });
    let said = record.records.iter().zip(&texts[1..]).map(|((name, _, bytes), (kind, data))| {
        json!({ "record": name, "type": kind, "data": hex(data), "bytes": hex(bytes) })
    });
    run["records"] = std::iter::once(status).chain(said).collect();
    run
}

/// Every primitive that the steps called is called by the reference, with the same bytes in and
/// out, and the other way round.
fn compare(record: &Record, reference: &Reference, beside: impl Fn(&Call) -> bool, hidden: &[&str]) {
    let made: Vec<_> = record.calls.iter().filter(|call| !beside(call)).collect();
    let unknown: Vec<_> = made.iter().filter(|call| !reference.calls.contains(call)).collect();
    assert!(unknown.is_empty(), "the steps compute what PROTOCOL.md does not say: {unknown:#?}");
    let unseen = |call: &&Call| {
        let out = match call {
            Call::Hash { out, .. }
            | Call::Mac { out, .. }
            | Call::Extract { out, .. }
            | Call::Expand { out, .. } => out,
            Call::Seal { sealed, .. } => sealed,
        };
        hidden.iter().all(|name| !reference.values.iter().any(|(found, bytes)| found == name && bytes == out))
    };
    let missing: Vec<_> =
        reference.calls.iter().filter(|call| !record.calls.contains(call)).filter(unseen).collect();
    assert!(missing.is_empty(), "the steps do not compute what PROTOCOL.md says: {missing:#?}");
}

fn hexes<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Value {
    let mut map = Map::new();
    for (name, bytes) in pairs {
        assert!(map.insert(name.into(), hex(bytes).into()).is_none(), "{name} twice");
    }
    map.into()
}

fn run(kind: &str, record: &Record, reference: &Reference) -> Value {
    let party = |of: usize| {
        json!({
            "seed": hex(&record.seeds[of]),
            "draws": record.draws[of]
                .iter()
                .map(|(what, bytes)| json!({ "for": what, "bytes": hex(bytes) }))
                .collect::<Value>(),
        })
    };
    json!({
        "run": kind,
        "time": record.at,
        "suite": record.suite,
        "random": { "token": party(0), "server": party(1) },
        "messages": hexes(record.messages.iter().map(|(name, bytes)| (*name, &bytes[..]))),
        "values": hexes(reference.values.iter().map(|(name, bytes)| (&name[..], &bytes[..]))),
    })
}

fn file<const N: usize>(about: &str, stage: &Stage, code: Option<&str>, runs: [Value; N]) -> Value {
    let mut given = json!({
        "server_name": stage::SERVER,
        "user_name": stage::USER,
        "peer": hex(stage::PEER),
        "issuer_name": hex(&stage.anchor_name),
        "issuer_public_key": hex(&stage.anchor_key),
        "certificate": hex(&stage.certificate),
        "certificate_hash": hex(&crate::reference::plain_hash(&stage.certificate)),
        "offer_public_key": hex(&stage.offer_key),
        "kem_private_key": stage::KEM_KEY,
        "server_secret": hex(&stage::MASTER),
    });
    if let Some(code) = code {
        given["activation_code"] = code.into();
    }
    if N > 1 {
        given["export"] = json!({ "label": EXPORT.0, "context": EXPORT.1, "length": EXPORT.2 });
    }
    json!({ "about": about, "given": given, "runs": runs.to_vec() })
}
