//! The steps of sessions and of configuration before messages that must be refused.

use crate::cases::{active, invited, policy, psk};
use crate::cbor::Item;
use crate::judge::{answer, perform, said};
use crate::negative::*;
use crate::recorder::Party;
use crate::stage::{PEER, Stage, grant};
use crate::supply::*;
use crate::talk::APPLICATION;
use halfkey::configuration::server::{Principal, receive_request as receive_c0};
use halfkey::configuration::token::request as ask;
use halfkey::exchange::ServerExchange;
use halfkey::message::UserInformation;
use halfkey::policy::{Mode, Modes, SuiteId};
use halfkey::record::TokenRegistration;
use halfkey::registration::token::Credential;
use halfkey::session::server::{AwaitResponse, Entry, Established, receive_open};
use halfkey::session::token::{Options, SessionOutcome, open};
use halfkey::suite::{X25519, XWING};
use halfkey::{AccessPath, ApplicationName, Moment};
use std::num::NonZeroU32;
use std::sync::Arc;

/// Both sides of a published session, made again up to any message of it.
struct Again {
    stage: Stage,
    registration: TokenRegistration,
    messages: [Vec<u8>; 4],
}

impl Again {
    const TOKEN: u8 = 0x12;
    const SERVER: u8 = 0x22;

    fn challenged(&self, random: &mut Party) -> AwaitResponse {
        let need = receive_open(&self.messages[0], &self.stage.settings).unwrap();
        let step = need.supply_from(&self.stage.store, self.stage.now(), random).unwrap();
        assert_eq!(step.send.as_bytes(), self.messages[1]);
        step.next
    }

    fn established(&self, s2: &[u8]) -> Option<Established> {
        let mut random = Party::new(Self::SERVER);
        let now = self.stage.now();
        let need = self.challenged(&mut random).receive_response(s2, now, &mut random).ok()?;
        match need.supply_from(&self.stage.store, now).unwrap().next {
            Entry::Session(established) => Some(established),
            other => panic!("{other:?}"),
        }
    }

    fn accepted(&mut self, s1: &[u8], s3: &[u8]) -> Option<SessionOutcome> {
        let options =
            Options { suites: self.stage.suites, modes: Modes::only(Mode::Psk), ..Options::default() };
        let step = open(&self.registration, &options).unwrap();
        assert_eq!(step.send.as_bytes(), self.messages[0]);
        let need = step.next.receive_challenge(s1, &mut Party::new(Self::TOKEN)).ok()?;
        let next = need.supply_from(&mut self.stage.token).unwrap().next;
        next.receive_accept(s3).ok()?.supply_from(&mut self.stage.token).ok()
    }
}

/// S1 to S3, and records in both directions.
pub(crate) fn session(run: Run<'_>) -> Vec<Refused> {
    let messages = ["S0", "S1", "S2", "S3"].map(|name| run.message(name));
    let [s0, s1, s2, s3] = messages.clone();
    let (mut stage, code) = invited(&X25519);
    let (_, end) = stage.register(Credential::Activation(code), &psk());
    stage.begin();
    let mut again = Again { stage, registration: active(end), messages };
    let core = Item::read(&s1).at(1).bytes().to_vec();
    let recored = |core: Vec<u8>| with(&s1, 1, Item::Bytes(core));
    let ses = run.value("SES");
    let (down, up) = (&ses[32..64], &ses[64..96]);
    let plain = |kind: u8, data: &[u8], more: usize| {
        let mut text = [&[kind][..], &crate::reference::lv(data)].concat();
        text.resize(text.len().next_multiple_of(256) + more, 0);
        text
    };
    let record = |key: &[u8], n: u8, text: &[u8]| {
        let mut nonce = [0; 12];
        nonce[11] = n;
        seal(key, &nonce, &[], text)
    };
    let accept = |text: &[u8]| with(&s3, 3, Item::Bytes(record(down, 0, text)));
    let status = |status: u64, alias: bool| {
        let alias = alias.then(|| (2, Item::Bytes(vec![7; 16])));
        Item::Map([(0, Item::Uint(15)), (1, Item::Uint(status))].into_iter().chain(alias).collect()).encoded()
    };
    let dirty = |mut text: Vec<u8>| {
        *text.last_mut().unwrap() = 1;
        text
    };
    let mut beyond = plain(1, b"data", 0);
    beyond[1] = 1;
    let openings = [
        ("S0", "version 2", with(&s0, 1, Item::Uint(2)), E0_REFUSED),
        ("S0", "a suite that the policy does not allow", with(&s0, 2, Item::Uint(2)), E0_REFUSED),
        ("S0", "a mode that the policy does not allow", with(&s0, 3, list(&[2])), E0_REFUSED),
        ("S0", "another server", with(&s0, 5, text("other.example")), E0_REFUSED),
        ("S1", "version 2", recored(with(&core, 1, Item::Uint(2))), ENDS),
        ("S1", "a mode that S0 did not offer", recored(with(&core, 2, Item::Uint(2))), ENDS),
        ("S1", "N_s is changed", recored(flipped(&core, 3)), "S2 is refused"),
        ("S2", "tag_c is changed", flipped(&s2, 3), E0_REFUSED),
        ("S2", "N_c is changed", flipped(&s2, 1), E0_REFUSED),
        ("S2", "a pk_e in mode psk", with(&s2, 2, Item::Bytes(vec![7; 32])), E0_REFUSED),
        ("S2", "a cookie where S1 had none", with(&s2, 4, Item::Bytes(vec![7; 32])), E0_REFUSED),
        ("S3", "tag_s is changed", flipped(&s3, 2), ENDS),
        ("S3", "x is changed", flipped(&s3, 1), ENDS),
        ("S3", "an x of 33 bytes in mode psk", with(&s3, 1, Item::Bytes(vec![7; 33])), ENDS),
        ("S3", "the record is changed", flipped(&s3, 3), ENDS),
        ("S3", "a first record of type 1", accept(&plain(1, &status(0, false), 0)), ENDS),
        ("S3", "padding that is not zero", accept(&dirty(plain(2, &status(0, false), 0))), ENDS),
        ("S3", "status 5", accept(&plain(2, &status(5, false), 0)), ENDS),
        ("S3", "status 2 with an alias", accept(&plain(2, &status(2, true), 0)), ENDS),
    ];
    for (name, why, bytes, _) in &openings {
        match *name {
            "S0" => assert_eq!(said(&answer(&again.stage, PEER, 0, bytes)), E0_REFUSED, "{why}"),
            "S1" => assert!(again.accepted(bytes, &s3).is_none(), "{why}"),
            "S2" => assert!(again.established(bytes).is_none(), "{why}"),
            _ => assert!(again.accepted(&s1, bytes).is_none(), "{why}"),
        }
    }
    assert!(matches!(
        again.accepted(&s1, &accept(&plain(2, &status(0, false), 0))),
        Some(SessionOutcome::Session(_))
    ));
    assert!(matches!(
        again.accepted(&s1, &accept(&plain(2, &status(2, false), 0))),
        Some(SessionOutcome::NotActive(_))
    ));

    let ups = [
        ("the tag is changed", {
            let mut sealed = record(up, 0, &plain(1, b"data", 0));
            *sealed.last_mut().unwrap() ^= 1;
            sealed
        }),
        ("the nonce of the second record", record(up, 1, &plain(1, b"data", 0))),
        ("a record of the other direction's key", record(down, 0, &plain(1, b"data", 0))),
        ("type 5", record(up, 0, &plain(5, b"", 0))),
        ("type 2 from the token", record(up, 0, &plain(2, &status(0, false), 0))),
        ("a close with data", record(up, 0, &plain(0, b"data", 0))),
        ("a rekey with data", record(up, 0, &plain(4, b"data", 0))),
        ("a length beyond the end", record(up, 0, &beyond)),
        ("padding that is not zero", record(up, 0, &dirty(plain(1, b"data", 0)))),
        ("256 bytes of padding too much in type 3", record(up, 0, &plain(3, b"data", 256))),
        ("no plaintext", record(up, 0, &[])),
    ];
    for (why, sealed) in &ups {
        let mut server = again.established(&s2).unwrap();
        assert!(server.channel.open(sealed).is_err(), "{why}");
    }
    let mut server = again.established(&s2).unwrap();
    assert!(server.channel.open(&record(up, 0, &plain(1, b"data", 512))).is_ok());
    let openings = openings.map(|(name, why, bytes, then)| refused(name, why, bytes, then));
    let ups = ups.map(|(why, bytes)| refused("first record from T", why, bytes, BROKEN));
    openings.into_iter().chain(ups).collect()
}

/// S2s whose challenge is in a cookie.
pub(crate) fn cookies(run: Run<'_>) -> Vec<Refused> {
    let s2 = run.message("S2");
    let mut stage = Stage::new(&X25519);
    stage.register(Credential::None, &psk());
    stage.begin();
    let answered = |s2: &[u8], later: u64| -> String {
        let exchange = ServerExchange::stateless(Arc::new(stage.settings.clone()));
        let moment = Moment::new(stage.now().after(later), &mut Party::new(0x77));
        said(&perform(&stage, exchange.receive(s2, moment)))
    };
    let all = [
        ("the cookie is changed", flipped(&s2, 4), E0_RESTART),
        ("no cookie", without(&s2, 4), E0_RESTART),
        ("tag_c is changed", flipped(&s2, 3), E0_REFUSED),
        ("a pk_e in mode psk", with(&s2, 2, Item::Bytes(vec![7; 32])), E0_REFUSED),
    ]
    .map(|(why, bytes, then)| refused("S2", why, bytes, then));
    for refused in &all {
        assert_eq!(answered(&refused.bytes, 0), refused.then, "{}", refused.why);
    }
    assert_eq!(answered(&s2, 61), E0_RESTART, "lapsed");
    assert_eq!(answered(&s2, 0), "another message");
    assert_eq!(answered(&s2, 0), E0_REFUSED, "spent");
    all.into()
}

/// C0 and C1.
pub(crate) fn configuration(run: Run<'_>) -> Vec<Refused> {
    let (c0, c1) = (run.message("C0"), run.message("C1"));
    let mut stage = Stage::new(&XWING);
    let (_, end) = stage.register(Credential::None, &grant(policy(SuiteId::XWing, Mode::PskKem)));
    stage.begin();
    let registration = active(end);
    let principal = Principal {
        key_id: registration.key_id,
        user_id: registration.user_id.clone(),
        access_path: AccessPath::new("/staff/security").unwrap(),
        server_name: registration.server_name.clone(),
    };
    assert!(receive_c0(&c0, &principal).is_ok());
    let located = |line: &str| with(&c0, 3, Item::Map(vec![(1, text(line))]));
    let in_a_record = "E0 refused in a record";
    let asked = [
        ("request id 0", with(&c0, 1, Item::Uint(0))),
        ("a location that is not in NFC", located("Mu\u{308}nchen")),
        ("a location with a control", located("Ham\nburg")),
    ]
    .map(|(why, bytes)| refused("C0", why, bytes, in_a_record));
    for refused in &asked {
        assert!(receive_c0(&refused.bytes, &principal).is_err(), "{}", refused.why);
    }

    let scoped = |key, value: &str| {
        with(&c1, 2, Item::read(&with(&Item::read(&c1).at(2).encoded(), key, text(value))))
    };
    // With the digest that goes with the media type.
    let typed = |media_type: &str| {
        let c1 = with(&c1, 8, text(media_type));
        let digest = crate::reference_session::configuration_digest(&Item::read(&c1));
        with(&c1, 4, Item::Bytes(digest))
    };
    let bare = without(&without(&without(&c1, 5), 8), 9);
    let answers = [
        ("another user", scoped(1, "mallory")),
        ("another server", scoped(2, "other.example")),
        ("another application", scoped(3, "print")),
        ("another request id", with(&c1, 1, Item::Uint(2))),
        ("the digest is changed", flipped(&c1, 4)),
        ("a media type without a slash", typed("text")),
        ("a media type with a line feed", typed("text/plain;\n")),
        ("a document without a body", without(&c1, 9)),
        ("a document without a serial", without(&c1, 3)),
        ("unchanged, and T holds nothing", with(&bare, 7, Item::Uint(0))),
        ("revoked, with the digest of a document", with(&bare, 7, Item::Uint(1))),
        ("revoked, with a body", with(&c1, 7, Item::Uint(1))),
        ("unknown, with a serial", with(&without(&bare, 4), 7, Item::Uint(3))),
        ("kind 4", with(&c1, 7, Item::Uint(4))),
    ]
    .map(|(why, bytes)| refused("C1", why, bytes, BROKEN));
    let application = ApplicationName::new(APPLICATION).unwrap();
    let judged = |bytes: &[u8]| {
        let now = stage.now();
        let step =
            ask(&registration, &application, &UserInformation::default(), NonZeroU32::MIN, now).unwrap();
        step.next.receive(bytes, &registration, now).is_ok()
    };
    assert!(judged(&c1) && judged(&typed("text/html; charset=utf-8")));
    for refused in &answers {
        assert!(!judged(&refused.bytes), "{}", refused.why);
    }
    asked.into_iter().chain(answers).collect()
}
