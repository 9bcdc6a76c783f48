//! The records, written and read back with the public API alone: what a durable token or store of somebody
//! else's stands on.

#![cfg(feature = "std")]
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "a test may panic, and what tests share is not exported"
)]

use core::fmt::Debug;
use halfkey::certificate::{IssuerName, TrustAnchor, TrustAnchors};
use halfkey::key::IssuerKey;
use halfkey::message::{ConfigurationSerial, Status};
use halfkey::policy::{Mode, Modes, Policy, SuiteId, SuiteList};
use halfkey::record::*;
use halfkey::schedule::KeySet;
use halfkey::template::{Field, FieldKind, FieldValue, Form, Template};
use halfkey::wire::Problem;
use halfkey::{
    AccessPath, Alias, ApplicationName, CodeId, Digest, KeyId, Period, Secret, ServerName, SystemRandom,
    TicketId, Txn, UnixTime, UserId, UserName,
};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

/// Writes and reads back, and holds the encoding against everything near it.
fn holds<R: Record + Debug>(record: &R) {
    let bytes = record.to_bytes();
    let again = R::from_bytes(&bytes).unwrap();
    assert_eq!(again.to_bytes(), bytes, "not the same again");
    assert_eq!(format!("{again:?}"), format!("{record:?}"));

    let problem = |bytes: &[u8]| R::from_bytes(bytes).map(drop).unwrap_err().problem;
    for cut in (0..bytes.len()).step_by(1 + bytes.len() / 64) {
        problem(&bytes[..cut]);
    }
    assert_eq!(problem(&[&bytes[..], &[0]].concat()), Problem::TrailingBytes);
    assert_eq!(problem(&vec![0; R::MAX + 1]), Problem::TooLong);
    // A map or an array of another length than is there, and one of no stated length.
    let head = bytes[0] >> 5 << 5;
    for wrong in [bytes[0] ^ 1, head | 0x1F] {
        problem(&[&[wrong], &bytes[1..]].concat());
    }
    // Neither the other kind of item, nor an absurd length, nor nothing.
    for wrong in [&[0xF6][..], &[head | 0x1B, 255, 255, 255, 255, 255, 255, 255, 255], &[]] {
        problem(wrong);
    }
}

prop_compose! { fn digest()(bytes: [u8; 32]) -> Digest { Digest::new(bytes) } }
prop_compose! { fn secret()(bytes: [u8; 32]) -> Secret { Secret::new(bytes) } }
prop_compose! { fn time()(secs: u64) -> UnixTime { UnixTime::from_secs(secs) } }

prop_compose! {
    fn period()(begin in time(), seconds: u64) -> Period { Period::new(begin, seconds) }
}

fn suite() -> impl Strategy<Value = SuiteId> {
    prop_oneof![select(&SuiteId::ALL[..]), (0xFF00u16..).prop_map(SuiteId::Private)]
}

fn suites() -> impl Strategy<Value = SuiteList> {
    vec(suite(), 1..4).prop_map(|suites| SuiteList::of(suites).unwrap_or_else(SuiteList::all))
}

prop_compose! {
    fn policy()(
        suites in suites(),
        both: bool,
        lifetime: Option<u32>,
        allow_key_id: bool,
    ) -> Policy {
        Policy { modes: if both { Modes::all() } else { Modes::only(Mode::Psk) }, suites, lifetime, allow_key_id }
    }
}

fn template() -> Template {
    let kinds = [
        FieldKind::UserName,
        FieldKind::Text { max_len: 4096 },
        FieldKind::Integer { min: i64::MIN, max: i64::MAX },
        FieldKind::Boolean,
        FieldKind::Choice(vec!["red".into(), "blue".into()]),
    ];
    let optional = |(place, kind): (usize, FieldKind)| match kind {
        FieldKind::UserName => Field::required("name", kind),
        kind => Field::optional(&format!("field {place}"), kind),
    };
    Template::new(kinds.into_iter().enumerate().map(optional).collect()).unwrap()
}

prop_compose! {
    fn form()(name in "[a-z]{1,40}", text in "[a-zäß]{1,2000}", number: i64, yes: bool, given: [bool; 4]) -> Form {
        let answers = [
            ("field 1", FieldValue::from(&*text)),
            ("field 2", number.into()),
            ("field 3", yes.into()),
            ("field 4", "blue".into()),
        ];
        let answers = answers.into_iter().zip(given).filter(|(_, given)| *given).map(|(answer, _)| answer);
        template().fill([("name", FieldValue::from(&*name))].into_iter().chain(answers)).unwrap()
    }
}

fn server_name() -> ServerName {
    ServerName::new("gate.example").unwrap()
}

fn user_name() -> impl Strategy<Value = UserName> {
    "[a-z]{1,255}".prop_map(|name| UserName::new(&name).unwrap())
}

fn proof_key() -> impl Strategy<Value = ProofKey> {
    prop_oneof![
        Just(ProofKey::None),
        secret().prop_map(ProofKey::Secret),
        any::<[u8; 16]>().prop_map(|id| ProofKey::Renewal(KeyId::new(id))),
    ]
}

prop_compose! {
    fn half()(
        id: [u8; 16],
        digests in [digest(), digest(), digest()],
        secrets in [secret(), secret()],
        suite in suite(),
        request in vec(any::<u8>(), 0..24_576),
        proof_key in proof_key(),
        renews: Option<[u8; 16]>,
        replaces: Option<[u8; 16]>,
        form in form(),
        outcome_size: u16,
        resend in period(),
        certificate_end in time(),
        offered in suites(),
    ) -> InFlight {
        let [certificate, anchor, transcript] = digests;
        let [ss_e, ticket] = secrets;
        InFlight {
            txn: Txn::new(id), suite, server_name: server_name(), certificate, anchor, request, transcript, ss_e,
            proof_key, renews: renews.map(KeyId::new), replaces: replaces.map(KeyId::new), form, ticket: (TicketId::new(id), ticket), outcome_size,
            resend, certificate_end,
            offered,
        }
    }
}

prop_compose! {
    fn waiting()(
        id: [u8; 16],
        ticket in secret(),
        form in form(),
        renews: Option<[u8; 16]>,
        replaces: Option<[u8; 16]>,
        retry in period(),
        hold in period(),
    ) -> Waiting {
        Waiting {
            txn: Txn::new(id), server_name: server_name(), ticket_id: TicketId::new(id), ticket, form,
            renews: renews.map(KeyId::new), replaces: replaces.map(KeyId::new), retry, hold,
        }
    }
}

prop_compose! {
    fn held()(
        application in "[!-~]{1,64}",
        epoch: u32,
        number: u64,
        digest in digest(),
        valid in of(period()),
        floor in time(),
        revoked: bool,
    ) -> HeldConfiguration {
        let application = ApplicationName::new(&application).unwrap();
        HeldConfiguration { application, serial: ConfigurationSerial { epoch, number }, digest, valid, floor, revoked }
    }
}

prop_compose! {
    fn progress()(txn: [u8; 16], transcript in digest(), tag_c: [u8; 32], confirm in period(), active: bool)
        -> Progress
    {
        match active {
            true => Progress::Active,
            false => Progress::Joined { txn: Txn::new(txn), transcript, tag_c, confirm },
        }
    }
}

prop_compose! {
    fn registration()(
        key_id: [u8; 16],
        digests in [digest(), digest()],
        user_id in "[!-~]{1,64}",
        path in "[!-~]{1,255}",
        suite in suite(),
        policy in policy(),
        alias: Option<[u8; 16]>,
        progress in progress(),
        supersedes: Option<[u8; 16]>,
        configurations in vec(held(), 0..20),
        clock_floor in time(),
        certificate_end in time(),
        status in 0_u8..5,
    ) -> TokenRegistration {
        let [certificate, anchor] = digests;
        TokenRegistration {
            key_id: KeyId::new(key_id), server_name: server_name(), certificate, anchor,
            user_id: UserId::new(&user_id).unwrap(), access_path: AccessPath::new(&path).unwrap(), suite, policy,
            alias: alias.map(Alias::new), progress, supersedes: supersedes.map(KeyId::new), configurations,
            clock_floor, certificate_end,
            not_active: Status::from_code(status).filter(|status| *status != Status::Active),
        }
    }
}

fn lifecycle() -> impl Strategy<Value = Lifecycle> {
    use Lifecycle::{Active, Lost, Revoked, Superseded, Suspended};
    prop_oneof![
        time().prop_map(|confirm_by| Lifecycle::Pending { confirm_by }),
        select(&[Active, Lost, Superseded, Suspended, Revoked][..]),
    ]
}

prop_compose! {
    fn registered()(
        key_id: [u8; 16],
        user_id in "[!-~]{1,64}",
        name in user_name(),
        path in "[!-~]{1,255}",
        suite in suite(),
        policy in policy(),
        lifecycle in lifecycle(),
        expires in of(time()),
        keys in [secret(), secret(), secret()],
    ) -> ServerRegistration {
        let [auth, derive, renew] = keys;
        ServerRegistration {
            key_id: KeyId::new(key_id), user_id: UserId::new(&user_id).unwrap(), name,
            access_path: AccessPath::new(&path).unwrap(), suite, policy, lifecycle, expires,
            keys: StoredKeys { auth, derive, renew },
        }
    }
}

fn takes() -> impl Strategy<Value = Takes> {
    any::<([u8; 16], bool)>().prop_map(|(id, code)| match code {
        true => Takes::Code(CodeId::new(id)),
        false => Takes::Place(KeyId::new(id)),
    })
}

prop_compose! {
    fn expected()(txn: [u8; 16], tags in [secret(), secret(), secret()]) -> ExpectedTags {
        let [confirm, done, lost] = tags;
        ExpectedTags { txn: Txn::new(txn), confirm, done, lost }
    }
}

prop_compose! {
    fn application()(
        id: [u8; 16],
        ticket in secret(),
        name in user_name(),
        form in form(),
        takes in of(takes()),
        hold_until in time(),
    ) -> WaitingRequest {
        WaitingRequest { ticket_id: TicketId::new(id), ticket, name, form, takes, hold_until }
    }
}

prop_compose! {
    fn new_registration()(
        registered in registered(),
        alias: [u8; 16],
        expected in expected(),
        takes in of(takes()),
        ticket: Option<[u8; 16]>,
    ) -> NewRegistration {
        NewRegistration { registered, alias: Alias::new(alias), expected, takes, ticket: ticket.map(TicketId::new) }
    }
}

const CAUSES: [RejectionCause; 10] = [
    RejectionCause::Unreadable,
    RejectionCause::UnknownProof,
    RejectionCause::WrongProof,
    RejectionCause::StaleTicket,
    RejectionCause::Form,
    RejectionCause::NameTaken,
    RejectionCause::ProofNeeded,
    RejectionCause::TooMany,
    RejectionCause::NotRenewable,
    RejectionCause::Declined,
];

prop_compose! {
    fn refusal()(cause in select(&CAUSES[..]), name in of(user_name()), ticket in of(any::<[u8; 16]>())) -> RejectionRecord {
        RejectionRecord { cause, code: cause.code(), name, ticket: ticket.map(TicketId::new) }
    }
}

fn effect() -> impl Strategy<Value = Effect> {
    prop_oneof![
        refusal().prop_map(Effect::Refused),
        new_registration().prop_map(|new| Effect::Granted(Box::new(new))),
        (application(), any::<Option<[u8; 16]>>()).prop_map(|(application, ticket)| Effect::Waiting {
            application: Box::new(application),
            instead_of: ticket.map(TicketId::new),
        }),
    ]
}

prop_compose! {
    fn outcome()(request in digest(), response in vec(any::<u8>(), 0..8192), keep_until in time(), effect in effect(), same: u32, total: u32)
        -> NewOutcome
    {
        let limits = PendingLimits { same, total };
        NewOutcome { request, response, keep_until, effect, limits }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn of_a_token(half in half(), waiting in waiting(), registration in registration(), held in held()) {
        holds(&half);
        holds(&waiting);
        holds(&held);
        holds(&registration);
        holds(&Attempt::InFlight(half));
        holds(&Attempt::Waiting(waiting));
    }

    #[test]
    fn of_a_server(outcome in outcome(), registered in registered(), application in application()) {
        holds(&registered.keys);
        holds(&registered);
        holds(&application);
        holds(&outcome);
    }

    #[test]
    fn of_a_grant(new in new_registration(), expected in expected(), refusal in refusal(), code in secret()) {
        holds(&new);
        holds(&expected);
        holds(&refusal);
        holds(&Activation { id: CodeId::new([1; 16]), secret: code });
    }

    #[test]
    fn of_both(policy in policy(), form in form(), keys in [secret(), secret(), secret(), secret()]) {
        holds(&policy);
        prop_assert_eq!(Policy::from_bytes(&policy.to_bytes()), Ok(policy));
        holds(&form);
        // What comes back says the same, and still passes the template that it fills.
        let again = Form::from_bytes(&form.to_bytes()).unwrap();
        prop_assert_eq!(template().check(&again), template().check(&form));
        prop_assert_eq!(again, form);
        let [auth, derive, confirm, renew] = keys;
        holds(&KeySet::from_stored(auth, derive, confirm, renew));
    }

    /// Bytes that nobody wrote are refused, or are the one encoding of what they say.
    #[test]
    fn of_nobody(bytes in vec(any::<u8>(), 0..200)) {
        fn strict<R: Record>(bytes: &[u8]) {
            if let Ok(record) = R::from_bytes(bytes) {
                assert_eq!(*record.to_bytes(), bytes);
            }
        }
        strict::<Attempt>(&bytes);
        strict::<TokenRegistration>(&bytes);
        strict::<NewOutcome>(&bytes);
        strict::<ServerRegistration>(&bytes);
        strict::<Form>(&bytes);
        strict::<Template>(&bytes);
        strict::<Policy>(&bytes);
        strict::<TrustAnchors>(&bytes);
    }
}

#[test]
fn anchors_and_templates() {
    let anchor = |name: &str| {
        let key = IssuerKey::generate_ed25519(&mut SystemRandom).unwrap();
        TrustAnchor::new(IssuerName::common_name(name).unwrap(), key.public().clone()).with_minimum_suite(2)
    };
    let anchors = TrustAnchors::new(vec![anchor("One"), anchor("Two")]).unwrap();
    holds(&anchors);
    assert_eq!(TrustAnchors::from_bytes(&anchors.to_bytes()), Ok(anchors));
    // No anchor at all is no list of anchors.
    assert_eq!(TrustAnchors::from_bytes(&[0x80]).unwrap_err().problem, Problem::TooShort);

    let template = template();
    holds(&template);
    assert_eq!(Template::from_bytes(&template.to_bytes()), Ok(template.clone()));
    // Well encoded, but nobody could fill it in: two user names.
    let twice =
        Template { fields: vec![template.fields[0].clone(), Field::required("b", FieldKind::UserName)] };
    assert_eq!(Template::from_bytes(&twice.to_bytes()).unwrap_err().problem, Problem::OutOfRange);
}

/// No secret stands in what a record prints.
#[test]
fn secrets_are_not_printed() {
    let keys =
        StoredKeys { auth: Secret::new([1; 32]), derive: Secret::new([2; 32]), renew: Secret::new([3; 32]) };
    assert_eq!(format!("{keys:?}"), "StoredKeys { auth: Secret(..), derive: Secret(..), renew: Secret(..) }");
}
