//! Properties 5, 9 and 10 of PROTOCOL.md, section 11: secrets that outlive a run, and the value of a copy.

use crate::applicant::{Applicant, answer, answer_through, is, refusal, setting};
use crate::common::client::{Configured, RegistrationOutcome};
use crate::common::{Counting, World};
use crate::distort::{bstr, content, entries, with};
use crate::forge::opened;
use crate::properties::{item, transcript};
use halfkey::configuration::token::{Applying, ConfigurationRejection, Instruction};
use halfkey::memory::Store;
use halfkey::message::{Outcome, UserInformation};
use halfkey::policy::SuiteId;
use halfkey::port::AuthServer;
use halfkey::port::Token;
use halfkey::port::auth_server::{Decapsulated, Encapsulated};
use halfkey::port::entitlement_store::Document;
use halfkey::record::TokenRegistration;
use halfkey::registration::TokenRegistrationError;
use halfkey::registration::token::Credential;
use halfkey::session::token::Options;
use halfkey::store::Subject;
use halfkey::store::operation::{Entitle, RaiseEpoch};
use halfkey::suite::{Suite, XWING};
use halfkey::{AccessPath, ApplicationName, ErrorReason, Secret};

const RESTART: Option<ErrorReason> = Some(ErrorReason::Restart);

/// Undoes how stores and tokens seal their files.
fn unsealed(label: &[u8], key: &Secret, aad: &[u8], sealed: &[u8]) -> Vec<u8> {
    let (salt, text) = sealed.split_at(32);
    let key = Secret::new(XWING.mac(key, &[label, &[0], salt, &[1]]));
    opened(&key, &[0; 12], aad, text).unwrap()
}

fn store_text(world: &World) -> Vec<u8> {
    let (header, key) = (b"halfkey/1 store, version 3\n", Secret::new([5; 32]));
    let file = world.store.save(&key, &mut Counting::new(3));
    unsealed(header, &key, &[], &file[header.len()..])
}

fn token_text(applicant: &mut Applicant, seed: u8) -> Vec<u8> {
    use halfkey::RandomSource;
    let header = b"halfkey/1 token, version 3\n";
    let mut key = [0; 32];
    Counting::new(seed).fill(&mut key);
    let file = applicant.token.save();
    let (_, bound) = entries(&file[header.len()..]).remove(0);
    unsealed(header, &Secret::new(key), &bound, &content(&file[header.len()..], 3))
}

fn found(secret: &Secret, text: &[u8]) -> bool {
    text.windows(32).any(|window| window == secret.expose())
}

#[test]
fn p5_registration_is_forward_secret() {
    let (issuer, world) = setting();
    let mut applicant = Applicant::new(&issuer, 7);
    let server = crate::recording::RecordingServer::new(&world.server);
    let applied = applicant.applied(&world, "alice", Credential::None);
    let r3 = answer_through(&world, &server, &world.store, b"peer", &applied.r2);
    let Decapsulated { ssk1, ss_e } = server.opened.lock().unwrap()[0].clone();
    let before = token_text(&mut applicant, 7);
    assert!(found(&ssk1, &before) && found(&ss_e, &before), "so the search finds what is there");

    // Every secret of the run, made from PROTOCOL.md.
    let prf =
        |key: &Secret, label: &str, x: &[u8]| Secret::new(XWING.mac(key, &[label.as_bytes(), &[0], x, &[1]]));
    let th_b = applied.half.transcript;
    let core = content(&r3, 1);
    let th_g =
        transcript("outcome", &[item(2, th_b.as_bytes()), item(1, &applied.r2), item(3, &content(&core, 2))]);
    let th_j = transcript("join", &[item(2, th_g.as_bytes()), item(1, &core)]);
    let p_b = prf(&ssk1, "halfkey/1 half B", th_b.as_bytes());
    let p_g = prf(&ssk1, "halfkey/1 half G", th_g.as_bytes());
    let (prk2, prk3) =
        (XWING.extract(th_b.as_bytes(), &[&p_b, &ss_e]), XWING.extract(th_g.as_bytes(), &[&p_g, &ss_e]));
    let expand = |prk: &Secret, label: &str| {
        let mut key = [0; 32];
        XWING.expand(prk, &[label.as_bytes(), &[0]], &mut key);
        Secret::new(key)
    };
    let (k2, k3) = (expand(&prk2, "halfkey/1 request key"), expand(&prk3, "halfkey/1 outcome key"));
    let mut nonce3 = [0; 12];
    XWING.expand(&prk3, &[b"halfkey/1 outcome nonce\0"], &mut nonce3);
    let body = opened(&k3, &nonce3, th_g.as_bytes(), &content(&core, 3)).unwrap();
    let ssk2 = Secret::new(content(crate::forge::text(&body), 3).try_into().unwrap());
    let inner = XWING.hash(&[ssk2.expose(), th_j.as_bytes()]);
    let j = prf(&ssk1, "halfkey/1 join", inner.as_bytes());
    let k = XWING.extract(j.expose(), &[&ss_e, &Secret::absent()]);

    let held = applicant.completes_with(&world, &applied.half, &r3);
    let lv = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat();
    let context = [
        lv(held.certificate.as_bytes()),
        lv(held.server_name.as_str().as_bytes()),
        lv(held.user_id.as_str().as_bytes()),
        lv(held.key_id.as_bytes()),
    ]
    .concat();
    let sub = |which: &str| prf(&k, &format!("halfkey/1 key {which}"), &context);
    let (tokens, stores) = (token_text(&mut applicant, 7), store_text(&world));
    assert!(found(&sub("auth"), &tokens) && found(&sub("auth"), &stores), "the keys are the run's");
    assert!(!found(&sub("confirm"), &stores), "K_confirm stays with the token");
    for (what, secret) in [
        ("SSK1", &ssk1),
        ("SSK2", &ssk2),
        ("ss_e", &ss_e),
        ("p_B", &p_b),
        ("p_G", &p_g),
        ("prk2", &prk2),
        ("prk3", &prk3),
        ("k2", &k2),
        ("k3", &k3),
        ("j", &j),
        ("K", &k),
    ] {
        assert!(!found(secret, &tokens), "{what} on the token");
        assert!(!found(secret, &stores), "{what} in the store");
    }

    // An attacker with the recording and, later, P_r has SSK1 and nothing else.
    let ct = content(&content(&applied.r2, 1), 4);
    let p_r = crate::common::kem_key(0);
    let later = p_r.decapsulate(&ct, &Secret::absent(), &mut Counting::new(1));
    assert_eq!(later.expose(), ssk1.expose());
    let opens = |ss_e: &Secret| crate::forge::Sealing::request(&th_b, &p_b, ss_e).try_open(&applied.r2);
    assert!(opens(&Secret::absent()).is_none() && opens(&ss_e).is_some());
    // The ephemeral key is gone when the last offer made with it has ended.
    for (passes, gone) in [(660, false), (1, true)] {
        world.pass(passes);
        let sealed = Encapsulated::new(
            SuiteId::XWing,
            held.certificate,
            ephemeral(&content(&content(&applied.r2, 1), 3)),
            ct.clone(),
            content(&content(&applied.r2, 1), 5),
            Secret::absent(),
        );
        assert_eq!(world.server.decapsulate(&sealed, world.now()).is_err(), gone);
    }
}

/// The name of the ephemeral key in this server's cookie.
fn ephemeral(cookie: &[u8]) -> [u8; 16] {
    content(&cookie[..cookie.len() - 32], 7).try_into().unwrap()
}

#[test]
fn p9_a_copied_cookie_buys_nothing() {
    let (issuer, world) = setting();
    let (mut one, mut two) = (Applicant::new(&issuer, 7), Applicant::new(&issuer, 8));
    let a = one.applied(&world, "alice", Credential::None);
    let b = two.applied(&world, "bob", Credential::None);
    let from = |peer: &[u8], r2: &[u8]| answer_through(&world, &world.server, &world.store, peer, r2);
    assert_eq!(refusal(&from(b"another", &a.r2)), RESTART);
    assert_eq!(refusal(&from(b"", &a.r2)), RESTART);
    // The cookie of one run in another, with or without that run's names.
    let (core_a, core_b) = (content(&a.r2, 1), content(&b.r2, 1));
    let copied = with(&core_b, 3, bstr(&content(&core_a, 3)));
    assert_eq!(refusal(&answer(&world, &with(&b.r2, 1, bstr(&copied)))), RESTART);
    let named = with(&with(&copied, 1, bstr(&content(&core_a, 1))), 2, bstr(&content(&core_a, 2)));
    let answered = answer(&world, &with(&b.r2, 1, bstr(&named)));
    assert_eq!(two.refuses(&world, &b.half, &answered), TokenRegistrationError::WrongRun);
    assert!(world.registrations().is_empty());
    // To the last second, and not beyond; an answer given stays given.
    world.pass(600);
    let r3 = answer(&world, &a.r2);
    assert!(is::<Outcome<'_>>(&r3));
    world.pass(1);
    assert_eq!(refusal(&answer(&world, &b.r2)), RESTART);
    assert_eq!(from(b"another", &a.r2), r3);
    one.completes_with(&world, &a.half, &r3);
    one.settled(&world);
}

#[test]
fn p9_an_offer_ends_with_its_template() {
    let (issuer, mut world) = setting();
    let (mut one, mut two) = (Applicant::new(&issuer, 7), Applicant::new(&issuer, 8));
    let a = one.applied(&world, "alice", Credential::None);
    let b = two.applied(&world, "bob", Credential::None);
    let r3 = answer(&world, &a.r2);
    world.settings.template = halfkey::template::Template::new(vec![halfkey::template::Field::required(
        "name",
        halfkey::template::FieldKind::UserName,
    )])
    .unwrap();
    assert_eq!(answer(&world, &a.r2), r3);
    assert_eq!(refusal(&answer(&world, &b.r2)), RESTART);
    one.completes_with(&world, &a.half, &r3);
}

fn configure(applicant: &mut Applicant, world: &World, held: &TokenRegistration) -> Configured {
    let mail = ApplicationName::new("mail").unwrap();
    applicant.client(world, |client| {
        // By key id: the aliases of a store that was put back are not those of the token.
        let options = Options { by_key_id: true, ..Options::default() };
        let mut session = client.open(world.link(), &held.key_id, &options).unwrap();
        let mut apply = |_: &ApplicationName, _: &Instruction| Applying::Applied;
        let about = UserInformation::default();
        session.configure(client, &mail, &about, &mut apply, &mut |_| {}).unwrap()
    })
}

/// Registration, configuration, renewal; then the server is put back to what it was before.
#[test]
fn p10_a_configuration_is_not_rolled_back_by_a_renewal_or_a_backup() {
    let (issuer, mut world) = setting();
    let mut applicant = Applicant::new(&issuer, 7);
    let entitle = |world: &World, body: &[u8]| {
        let path = Subject::AccessPath(AccessPath::new("/staff").unwrap());
        let document = Document { media_type: "text/plain".into(), body: body.to_vec() };
        world.run(&Entitle::new(path, ApplicationName::new("mail").unwrap(), document));
    };
    let old = applicant.registered(&world, "alice");
    entitle(&world, b"one");
    assert_eq!(configure(&mut applicant, &world, &old), Configured::Installed);
    let key = Secret::new([5; 32]);
    let RegistrationOutcome::Active(new) =
        applicant.register(&world, "alice", Credential::Renewal(old.key_id))
    else {
        panic!()
    };
    let backup = world.store.save(&key, &mut Counting::new(3));
    entitle(&world, b"two");
    assert_eq!(configure(&mut applicant, &world, &new), Configured::Installed);
    world.store = Store::load(&backup, &key).unwrap();
    let new = applicant.token.registrations().unwrap().remove(0);
    let refused = configure(&mut applicant, &world, &new);
    assert!(matches!(refused, Configured::Refused(ConfigurationRejection::RolledBack { .. })), "{refused:?}");
    world.run(&RaiseEpoch);
    let new = applicant.token.registrations().unwrap().remove(0);
    assert_eq!(configure(&mut applicant, &world, &new), Configured::Installed);
}
