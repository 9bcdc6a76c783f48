//! Rules of a token for messages of a server that may be dishonest, one by one; and rules of a server.

use super::*;
use halfkey::configuration::server::{push, receive_request};
use halfkey::configuration::token::{ConfigurationRejection, Instruction, receive_push};
use halfkey::configuration::{FRESH_SECS, MAX_HELD, ServerConfigurationError};
use halfkey::message::Applied;
use halfkey::port::entitlement_store::ReportResult;
use halfkey::record::HeldConfiguration;
use halfkey::{Fault, Period};

fn refused(verdict: Verdict) -> (u8, ConfigurationRejection) {
    let Verdict::Refused(step) = verdict else { panic!("not refused: {verdict:?}") };
    (result(step.send.as_bytes()).1, step.next)
}

#[test]
fn lower_serials_are_rollback() {
    let new = document("new");
    let high = ConfigurationSerial { epoch: 2, number: 5 };
    let record = holding(registration(), high, &document("held"));
    for (epoch, number) in [(2, 4), (1, 6), (1, 5), (0, u64::MAX), (0, 0)] {
        let offered = ConfigurationSerial { epoch, number };
        let why = ConfigurationRejection::RolledBack { held: high, offered };
        assert_eq!(refused(answer(&record, &c1(offered, &new)).unwrap()), (1, why));
        assert_eq!(refused(answer(&record, &revoked(offered)).unwrap()), (1, why));
        let same = Configuration { request_id: 0, ..c1(offered, &new) };
        assert_eq!(refused(receive_push(same.encode().as_bytes(), &record, at(T)).unwrap()), (1, why));
        let unchanged = Configuration { kind: 0, valid_for: Some(9), ..revoked(offered) };
        assert_eq!(refused(answer(&record, &unchanged).unwrap()), (1, why));
    }
    for (epoch, number) in [(2, 6), (3, 0), (u32::MAX, u64::MAX)] {
        let need = to_apply(answer(&record, &c1(ConfigurationSerial { epoch, number }, &new)).unwrap());
        assert_eq!(need.wanted(), &Instruction::Install(document("new")));
    }
}

#[test]
fn one_serial_says_one_thing() {
    let record = holding(registration(), serial(5), &document("held"));
    let why = (2, ConfigurationRejection::Equivocation { serial: serial(5) });
    let other = document("other");
    assert_eq!(refused(answer(&record, &c1(serial(5), &other)).unwrap()), why);
    let same_body = Document { media_type: "text/html".into(), ..document("held") };
    assert_eq!(refused(answer(&record, &c1(serial(5), &same_body)).unwrap()), why);
    assert_eq!(refused(answer(&record, &revoked(serial(5))).unwrap()), why);
    let unchanged = Configuration { kind: 0, ..revoked(serial(5)) };
    assert_eq!(refused(answer(&record, &unchanged).unwrap()), why);
}

#[test]
fn the_same_document_again_is_not_applied_again() {
    let record = holding(registration(), serial(5), &document("held"));
    let held = document("held");
    let again = Configuration { valid_for: Some(7200), ..c1(serial(5), &held) }.encode();
    let (_, asked) = ask(&record, 1, T);
    let Verdict::Unchanged(step) = asked.receive(again.as_bytes(), &record, at(T)).unwrap().verdict else {
        panic!("applied twice")
    };
    assert_eq!(result(step.send.as_bytes()), (serial(5), 0));
    assert_eq!(step.next.configurations.len(), 1);
    let held = step.next.configuration(&mail()).unwrap();
    assert_eq!((held.valid, held.floor), (Some(Period::new(at(T), 7200)), at(SERVER)));
}

#[test]
fn unchanged_must_be_what_is_held() {
    let held = document("held");
    let unchanged = Configuration { kind: 0, media_type: None, body: None, ..c1(serial(5), &held) };
    assert_eq!(answer(&registration(), &unchanged).unwrap_err(), TokenConfigurationError::NotHeld);
    let older = holding(registration(), serial(4), &held);
    let error = answer(&older, &unchanged).unwrap_err();
    assert_eq!((error, error.fault()), (TokenConfigurationError::NotHeld, Fault::Peer));
    let record = holding(registration(), serial(5), &held);
    assert!(matches!(answer(&record, &unchanged).unwrap(), Verdict::Unchanged(_)));
}

#[test]
fn a_revocation_keeps_its_serial() {
    // It is remembered even where nothing was held.
    for before in [registration(), holding(registration(), serial(4), &document("held"))] {
        let need = to_apply(answer(&before, &revoked(serial(6))).unwrap());
        assert_eq!(need.wanted(), &Instruction::Remove);
        let record = *need.supply(Applying::Applied, &before).unwrap().next;
        let held = record.configuration(&mail()).unwrap();
        assert_eq!((held.serial, held.revoked, held.digest), (serial(6), true, digest(None)));
        assert!(!held.in_force(at(T), at(0)));

        let document = document("old");
        assert!(matches!(refused(answer(&record, &c1(serial(5), &document)).unwrap()), (1, _)));
        assert!(matches!(refused(answer(&record, &c1(serial(6), &document)).unwrap()), (2, _)));
        // It has no end, whatever an `unchanged` about it says.
        let renewal = Configuration { kind: 0, valid_for: Some(9), ..revoked(serial(6)) };
        let Verdict::Unchanged(step) = answer(&record, &renewal).unwrap() else { panic!() };
        assert_eq!(step.next.configuration(&mail()).unwrap().valid, None);
        let again = holding(record, serial(7), &document);
        assert!(again.configuration(&mail()).unwrap().in_force(at(T), again.clock_floor));
    }
}

#[test]
fn what_failed_is_not_held() {
    let before = holding(registration(), serial(4), &document("held"));
    for c1 in [c1(serial(5), &document("new")), revoked(serial(5))] {
        let need = to_apply(answer(&before, &c1).unwrap());
        let step = need.supply(Applying::Failed, &before).unwrap();
        assert_eq!(result(step.send.as_bytes()), (serial(5), 3));
        assert_eq!(*step.next, before);
    }
    // On first contact, too, only the clock's floor is left of it.
    let need = to_apply(answer(&registration(), &c1(serial(5), &document("new"))).unwrap());
    let after = *need.supply(Applying::Failed, &registration()).unwrap().next;
    assert_eq!(after, TokenRegistration { clock_floor: at(SERVER), ..registration() });
}

#[test]
fn any_other_scope_is_refused() {
    let new = document("new");
    let fits = c1(serial(1), &new);
    let elsewhere = [
        Scope { user_id: UserId::new("u-18").unwrap(), ..scope() },
        Scope { server_name: ServerName::new("gate2.example").unwrap(), ..scope() },
        Scope { application: ApplicationName::new("mai").unwrap(), ..scope() },
    ];
    for (place, scope) in elsewhere.into_iter().enumerate() {
        let wrong = Configuration { scope, ..fits.clone() };
        let error = answer(&registration(), &wrong).unwrap_err();
        assert_eq!((error, error.fault()), (TokenConfigurationError::WrongScope, Fault::Peer));
        // A push may be about any application, for this user and by this server.
        let wrong = Configuration { request_id: 0, ..wrong }.encode();
        assert_eq!(receive_push(wrong.as_bytes(), &registration(), at(T)).is_ok(), place == 2);
        let (_, asked) = ask(&registration(), 1, T);
        assert_eq!(asked.receive(wrong.as_bytes(), &registration(), at(T)).is_ok(), place == 2);
    }
}

#[test]
fn an_answer_to_another_question_is_refused() {
    let new = document("new");
    for other in [2, 3, u32::MAX] {
        let old = Configuration { request_id: other, ..c1(serial(9), &new) };
        assert_eq!(answer(&registration(), &old).unwrap_err(), TokenConfigurationError::WrongRequest);
    }
    let replayed = c1(serial(9), &new).encode();
    let error = receive_push(replayed.as_bytes(), &registration(), at(T)).unwrap_err();
    assert_eq!(error, TokenConfigurationError::WrongRequest, "an answer is no push");
    let (_, asked) = ask(&registration(), 1, T);
    let other = TokenRegistration { key_id: KeyId::new([9; 16]), ..registration() };
    let error = asked.receive(replayed.as_bytes(), &other, at(T)).unwrap_err();
    assert_eq!((error, error.fault()), (TokenConfigurationError::WrongRegistration, Fault::Caller));
}

#[test]
fn the_digest_is_that_of_the_document() {
    let new = document("new");
    for wrong in [digest(None), digest(Some(&document("neW"))), Digest::new([0; 32])] {
        let c1 = Configuration { digest: Some(wrong), ..c1(serial(1), &new) };
        assert_eq!(answer(&registration(), &c1).unwrap_err(), TokenConfigurationError::WrongDigest);
    }
    let wrong = Configuration { digest: Some(digest(Some(&new))), ..revoked(serial(1)) };
    assert_eq!(answer(&registration(), &wrong).unwrap_err(), TokenConfigurationError::WrongDigest);
    // Lengths are in it, so nothing moves from media type to body.
    let moved = Document { media_type: "text/plainn".into(), body: b"ew".to_vec() };
    assert_ne!(digest(Some(&moved)), digest(Some(&new)));
}

/// Known answers, made with another implementation of SHA-256.
#[test]
fn the_digest_is_pinned() {
    let expected = "393649651f4b2dc984e55538f715cbea6571b802717409e687c53346cc56e64a";
    assert_eq!(digest(Some(&document("hello"))).to_string(), expected);
    let expected = "86d8a90045bd7382e1bcede29fe899be62d91b9b18a69cdce9e85358b3b77aec";
    assert_eq!(digest(None).to_string(), expected);
}

/// The floor, and where validity begins, after an answer that came at `arrival` to a C0 of `sent`.
fn clocks(record: &TokenRegistration, sent: u64, arrival: u64) -> (u64, u64) {
    let (_, asked) = ask(record, 1, sent);
    let new = document("new");
    let c1 = c1(serial(1), &new).encode();
    let need = to_apply(asked.receive(c1.as_bytes(), record, at(arrival)).unwrap().verdict);
    let after = need.supply(Applying::Applied, record).unwrap().next;
    let held = after.configuration(&mail()).unwrap();
    let valid = held.valid.unwrap();
    assert_eq!((valid.seconds(), held.floor), (3600, after.clock_floor));
    (after.clock_floor.as_secs(), valid.begin().as_secs())
}

#[test]
fn only_a_prompt_answer_raises_the_clock_s_floor() {
    let record = registration();
    assert_eq!(clocks(&record, T, T), (SERVER, T));
    assert_eq!(clocks(&record, T, T + FRESH_SECS), (SERVER, T));
    assert_eq!(clocks(&record, T, T + FRESH_SECS + 1), (0, T), "stale; validity counts from the question");
    assert_eq!(clocks(&record, T, T - 1), (0, T - 1), "the clock went backwards");
    assert_eq!(clocks(&record, 5, 7), (SERVER, 5), "no clock at all");
    assert_eq!(clocks(&record, SERVER + 50, SERVER + 55), (SERVER, SERVER + 50));
    // The floor is only ever raised, and never beyond what can be believed.
    let ahead = TokenRegistration { clock_floor: at(SERVER + 500), ..registration() };
    assert_eq!(clocks(&ahead, T, T), (SERVER + 500, T));
    let certified = TokenRegistration { certificate_end: at(SERVER - 10), ..registration() };
    assert_eq!(clocks(&certified, T, T), (SERVER - 10, T));
    assert_eq!(clocks(&certified, SERVER - 5, SERVER - 5), (SERVER - 10, SERVER - 5), "both may be wrong");
}

#[test]
fn a_push_raises_no_floor() {
    let record = registration();
    let new = document("new");
    let pushed = Configuration { request_id: 0, ..c1(serial(1), &new) }.encode();
    let (_, asked) = ask(&record, 1, T);
    let crossing = asked.receive(pushed.as_bytes(), &record, at(T + 1)).unwrap().verdict;
    for verdict in [receive_push(pushed.as_bytes(), &record, at(T + 1)).unwrap(), crossing] {
        let after = to_apply(verdict).supply(Applying::Applied, &record).unwrap().next;
        assert_eq!(after.clock_floor, at(0));
        let held = after.configuration(&mail()).unwrap();
        assert_eq!(held.valid, Some(Period::new(at(T + 1), 3600)));
    }
}

#[test]
fn unchanged_renews_validity_and_validity_ends() {
    let held = document("held");
    let record = holding(registration(), serial(1), &held);
    let configuration = record.configuration(&mail()).unwrap();
    let in_force = |now, floor| configuration.in_force(at(now), at(floor));
    assert!(in_force(T + 3600, SERVER) && !in_force(T + 3601, SERVER));
    // Nor for longer on the server's clock, nor where the own clock was set back.
    assert!(in_force(T, SERVER + 3600) && !in_force(T, SERVER + 3601));
    assert!(in_force(T - Period::TOLERANCE, SERVER) && !in_force(T - Period::TOLERANCE - 1, SERVER));
    let (_, asked) = ask(&record, 1, SERVER + 3600);
    let unchanged = Configuration { kind: 0, media_type: None, body: None, ..c1(serial(1), &held) };
    let verdict = asked.receive(unchanged.encode().as_bytes(), &record, at(SERVER + 3601)).unwrap().verdict;
    let Verdict::Unchanged(step) = verdict else { panic!() };
    let valid = step.next.configuration(&mail()).unwrap().valid;
    assert_eq!(valid, Some(Period::new(at(SERVER + 3600), 3600)));
    let endless = Configuration { valid_for: None, ..unchanged };
    let Verdict::Unchanged(step) = answer(&record, &endless).unwrap() else { panic!() };
    assert_eq!(step.next.configuration(&mail()).unwrap().valid, None);
}

#[test]
fn one_configuration_of_an_application_is_applied_at_a_time() {
    let before = registration();
    let first = to_apply(answer(&before, &c1(serial(1), &document("first"))).unwrap());
    let second = to_apply(answer(&before, &c1(serial(2), &document("second"))).unwrap());
    let after = *second.supply(Applying::Applied, &before).unwrap().next;
    let error = first.supply(Applying::Applied, &after).unwrap_err();
    assert_eq!((error, error.fault()), (TokenConfigurationError::Overtaken, Fault::Caller));

    // Other changes of the record are kept, and another registration is refused.
    let third = || to_apply(answer(&after, &c1(serial(3), &document("third"))).unwrap());
    let moved = TokenRegistration { alias: Some(halfkey::Alias::new([7; 16])), ..after.clone() };
    assert_eq!(third().supply(Applying::Applied, &moved).unwrap().next.alias, moved.alias);
    let other = TokenRegistration { key_id: KeyId::new([9; 16]), ..after.clone() };
    let error = third().supply(Applying::Applied, &other).unwrap_err();
    assert_eq!(error, TokenConfigurationError::WrongRegistration);
}

#[test]
fn a_registration_holds_so_many_and_no_more() {
    let held = |place: usize| HeldConfiguration {
        application: ApplicationName::new(&format!("app-{place}")).unwrap(),
        serial: serial(1),
        digest: digest(None),
        valid: None,
        floor: at(0),
        revoked: true,
    };
    let full = TokenRegistration { configurations: (0..MAX_HELD).map(held).collect(), ..registration() };
    for c1 in [c1(serial(1), &document("new")), revoked(serial(1))] {
        assert_eq!(refused(answer(&full, &c1).unwrap()), (4, ConfigurationRejection::NoRoom));
    }
    let room = TokenRegistration { configurations: (1..MAX_HELD).map(held).collect(), ..registration() };
    let full = holding(room, serial(1), &document("new"));
    assert_eq!(holding(full, serial(2), &document("newer")).configurations.len(), MAX_HELD);
}

#[test]
fn only_what_a_token_holds_is_left_unsaid() {
    let kind = |record: &TokenRegistration, current: &Entitlement| {
        let (c0, _) = ask(record, 1, T);
        let need = receive_request(&c0, &principal()).unwrap();
        let step = need.supply(Some(current.clone()), at(SERVER)).unwrap();
        let c1 = Configuration::decode(step.send.as_bytes()).unwrap();
        (c1.kind, c1.valid_for, c1.body.is_some())
    };
    let record = holding(registration(), serial(5), &document("held"));
    assert_eq!(kind(&record, &entitled(5, "held")), (0, Some(3600), false));
    assert_eq!(kind(&record, &entitled(6, "held")), (2, Some(3600), true));
    assert_eq!(kind(&record, &entitled(5, "other")), (2, Some(3600), true), "for the token to complain of");
    assert_eq!(kind(&registration(), &entitled(5, "held")), (2, Some(3600), true));
    let gone = Entitlement { document: None, ..entitled(5, "") };
    assert_eq!(kind(&record, &gone), (1, None, false));
}

#[test]
fn a_report_is_about_what_was_sent() {
    let sent = || push(&principal(), &mail(), &entitled(5, "new"), at(SERVER)).unwrap().next;
    let fits = Applied { request_id: 0, application: mail(), serial: serial(5), result: 0 };
    let wrong = [
        Applied { request_id: 1, ..fits.clone() },
        Applied { application: ApplicationName::new("news").unwrap(), ..fits.clone() },
        Applied { serial: serial(4), ..fits.clone() },
        Applied { serial: ConfigurationSerial { epoch: 1, number: 5 }, ..fits.clone() },
    ];
    for wrong in wrong {
        assert!(!sent().answers(wrong.encode().as_bytes()));
        let error = sent().receive_applied(wrong.encode().as_bytes()).unwrap_err();
        assert_eq!((error.clone(), error.fault()), (ServerConfigurationError::WrongReport, Fault::Peer));
    }
    use ReportResult::{Applied as Done, Equivocation, Failed, NoRoom, RolledBack};
    for (result, expected) in (0..).zip([Done, RolledBack, Equivocation, Failed, NoRoom]) {
        let c2 = Applied { result, ..fits.clone() }.encode();
        let need = sent().receive_applied(c2.as_bytes()).unwrap();
        assert_eq!((need.wanted().report.serial, need.wanted().report.result), (serial(5), expected));
        assert_eq!(need.supply(), expected);
    }
    let unknown = Applied { result: 5, ..fits }.encode();
    assert!(matches!(sent().receive_applied(unknown.as_bytes()), Err(ServerConfigurationError::Wire(_))));
}

#[test]
fn what_does_not_fit_is_refused_before_it_is_sent() {
    let try_with = |document: Document| {
        let entitlement = Entitlement { document: Some(document), ..entitled(1, "") };
        let (c0, _) = ask(&registration(), 1, T);
        let answered =
            receive_request(&c0, &principal()).unwrap().supply(Some(entitlement.clone()), at(SERVER));
        let pushed = push(&principal(), &mail(), &entitlement, at(SERVER)).map(|_| ());
        assert_eq!(answered.map(|_| ()), pushed);
        pushed
    };
    let typed = |media_type: &str| try_with(Document { media_type: media_type.into(), ..document("") });
    let long = |length: usize| format!("a/{}", "b".repeat(length - 2));
    for good in ["a/b", "application/vnd.x+json", "text/plain; charset=utf-8", &long(127)] {
        assert_eq!(typed(good), Ok(()), "{good}");
    }
    for bad in ["", "a", "a/", "/b", "a b/c", "a/b\n", "a/b;\u{7f}", "a/ü", "a/b/c", ";a/b", &long(128)] {
        assert_eq!(typed(bad), Err(ServerConfigurationError::MediaType), "{bad}");
    }
    let sized = |length| try_with(Document { body: vec![0; length], ..document("") });
    assert_eq!(sized(57_344), Ok(()));
    assert_eq!(sized(57_345), Err(ServerConfigurationError::BodyTooLong(57_345)));
    assert_eq!(ServerConfigurationError::BodyTooLong(57_345).fault(), Fault::Operator);
}
