//! Arbitrary messages of a server: a refused message changes nothing, and no serial ever decreases.

use super::*;
use halfkey::configuration::MAX_HELD;
use halfkey::configuration::server::receive_request;
use halfkey::configuration::token::receive_push;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

const TEXTS: [&str; 3] = ["one", "two", "three"];

/// One C1, right or wrong, and how the token takes it.
#[derive(Clone, Debug)]
struct Sent {
    request_id: u32,
    kind: u8,
    serial: ConfigurationSerial,
    text: usize,
    wrong_digest: bool,
    wrong_user: bool,
    other_application: bool,
    valid_for: Option<u32>,
    server_time: u64,
    delay: u64,
    works: bool,
    flip: Option<u16>,
}

prop_compose! {
    fn sent()(
        (request_id, kind, epoch, number, text) in (0u32..3, 0u8..5, 0u32..3, 0u64..4, 0usize..3),
        (wrong_digest, wrong_user, other_application) in
            (prop::bool::weighted(0.1), prop::bool::weighted(0.1), prop::bool::weighted(0.2)),
        (valid_for, server_time, delay) in (option::of(0u32..10_000), T - 100..T + 100, 0u64..100),
        (works, flip) in (prop::bool::weighted(0.8), option::weighted(0.1, any::<u16>())),
    ) -> Sent {
        Sent {
            request_id, kind, serial: ConfigurationSerial { epoch, number }, text, wrong_digest, wrong_user,
            other_application, valid_for, server_time, delay, works, flip,
        }
    }
}

impl Sent {
    fn bytes(&self) -> Vec<u8> {
        let document = document(TEXTS[self.text]);
        let full = c1(self.serial, &document);
        let fitting = if self.kind == 1 { digest(None) } else { digest(Some(&document)) };
        let known = self.kind != 3;
        let mut c1 = Configuration {
            request_id: self.request_id,
            kind: self.kind,
            serial: full.serial.filter(|_| known),
            digest: Some(if self.wrong_digest { Digest::new([9; 32]) } else { fitting }).filter(|_| known),
            valid_for: self.valid_for.filter(|_| known && self.kind != 1),
            server_time: self.server_time,
            media_type: full.media_type.filter(|_| self.kind == 2),
            body: full.body.filter(|_| self.kind == 2),
            scope: scope(),
        };
        if self.wrong_user {
            c1.scope.user_id = UserId::new("u-99").unwrap();
        }
        if self.other_application {
            c1.scope.application = ApplicationName::new("news").unwrap();
        }
        let mut bytes = c1.encode().into_bytes();
        if let Some(place) = self.flip {
            let place = usize::from(place) % (bytes.len() * 8);
            bytes[place / 8] ^= 1 << (place % 8);
        }
        bytes
    }

    /// The record after this message, and the result in C2 if there was one.
    fn take(
        &self,
        record: &TokenRegistration,
    ) -> Result<(TokenRegistration, Option<u8>), TokenConfigurationError> {
        let bytes = self.bytes();
        let verdict = if self.request_id == 0 {
            receive_push(&bytes, record, at(T))?
        } else {
            ask(record, 1, T).1.receive(&bytes, record, at(T + self.delay))?.verdict
        };
        let result = |c2: &[u8]| Some(Applied::decode(c2).unwrap().result);
        Ok(match verdict {
            Verdict::Unchanged(Step { send, next }) => (*next, result(send.as_bytes())),
            Verdict::Unknown(next) => (*next, None),
            Verdict::Refused(Step { send, .. }) => (record.clone(), result(send.as_bytes())),
            Verdict::Apply(need) => {
                let done = if self.works { Applying::Applied } else { Applying::Failed };
                let Step { send, next } = need.supply(done, record).unwrap();
                (*next, result(send.as_bytes()))
            }
        })
    }
}

proptest! {
    #[test]
    fn nothing_goes_backwards(script in vec(sent(), 1..40)) {
        let mut record = registration();
        for sent in script {
            let before = record.clone();
            // After an error the caller has the same record as before.
            let Ok((after, result)) = sent.take(&before) else { continue };
            // Nothing but configurations and the clock's floor is the server's to change here.
            let rest = TokenRegistration {
                configurations: before.configurations.clone(),
                clock_floor: before.clock_floor,
                ..after.clone()
            };
            prop_assert_eq!(&rest, &before);
            prop_assert!(after.clock_floor >= before.clock_floor);
            prop_assert!(after.configurations.len() <= MAX_HELD);
            if sent.request_id == 0 || sent.delay > 60 {
                prop_assert_eq!(after.clock_floor, before.clock_floor);
            }
            for old in &before.configurations {
                let new = after.configuration(&old.application).unwrap();
                prop_assert!(new.serial >= old.serial);
                if new.serial == old.serial {
                    prop_assert_eq!((new.digest, new.revoked), (old.digest, old.revoked));
                }
            }
            if result != Some(0) {
                prop_assert_eq!(&after.configurations, &before.configurations);
            }
            record = after;
        }
    }

    /// A server given any question answers with what a token holding that very thing accepts.
    #[test]
    fn an_honest_server_is_never_refused(
        held in option::of((0u64..4, 0usize..3)),
        rise in 1u64..3,
        revoke: bool,
        valid_for in option::of(any::<u32>()),
        now: u64,
        same: bool,
    ) {
        let record = held.map_or_else(registration, |(number, text)| {
            holding(registration(), serial(number), &document(TEXTS[text]))
        });
        let current = match (held, same) {
            (Some((number, text)), true) => Entitlement { valid_for, ..entitled(number, TEXTS[text]) },
            _ => Entitlement {
                valid_for,
                document: (!revoke).then(|| document("next")),
                ..entitled(held.map_or(0, |(number, _)| number) + rise, "")
            },
        };
        let (c0, asked) = ask(&record, 1, T);
        let step = receive_request(&c0, &principal()).unwrap().supply(Some(current.clone()), at(now)).unwrap();
        match asked.receive(step.send.as_bytes(), &record, at(T)).unwrap().verdict {
            Verdict::Unchanged(_) => prop_assert!(held.is_some() && same),
            Verdict::Apply(need) => {
                prop_assert!(held.is_none() || !same);
                let step = need.supply(Applying::Applied, &record).unwrap();
                let held = step.next.configuration(&mail()).unwrap();
                prop_assert_eq!((held.serial, held.revoked), (current.serial, current.document.is_none()));
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn no_bytes_do_harm(bytes in vec(any::<u8>(), 0..200)) {
        let record = registration();
        prop_assert!(receive_request(&bytes, &principal()).is_err());
        prop_assert!(receive_push(&bytes, &record, at(T)).is_err());
        prop_assert!(ask(&record, 1, T).1.receive(&bytes, &record, at(T)).is_err());
    }
}
