//! A play of numbered steps in which everything happens to a store. Each step is made of a seed and its
//! number alone, so that the number of steps determines the contents of the store.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]

use super::common::START;
use super::operations::Run;
use halfkey::message::Address;
use halfkey::policy::{Policy, SuiteId};
use halfkey::port::entitlement_store::{Admission, ConfigurationSerial, Document, Report, ReportResult};
use halfkey::record::{
    Applicant, Effect, ExpectedTags, Lifecycle, NewOutcome, NewRegistration, ProofId, RejectionCause,
    RejectionRecord, ServerRegistration, StoredKeys, Takes, WaitingRequest,
};
use halfkey::store::Subject;
use halfkey::store::operation::*;
use halfkey::template::{Field, FieldKind, Template};
use halfkey::{
    AccessPath, Alias, ApplicationName, Digest, Group, KeyId, Secret, TicketId, Txn, UnixTime, UserId,
    UserName,
};
use std::fmt::Debug;

pub struct Play {
    pub seed: u32,
}

/// Things that are numbered: 16 bytes that say which.
fn id(n: u32) -> [u8; 16] {
    let mut id = [0x11; 16];
    id[..4].copy_from_slice(&n.to_be_bytes());
    id
}

fn digest(n: u32) -> Digest {
    let id = id(n);
    Digest::new(std::array::from_fn(|place| id[place % 16]))
}

fn application() -> ApplicationName {
    ApplicationName::new("mail").unwrap()
}

pub fn time(n: u32) -> UnixTime {
    UnixTime::from_secs(START + 3 * u64::from(n))
}

/// The numbers that a step is made of.
struct Dice(u64);

impl Dice {
    /// SplitMix64.
    fn roll(&mut self, sides: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % u64::from(sides)) as u32
    }
    fn name(&mut self) -> UserName {
        UserName::new(&format!("name-{}", self.roll(10))).unwrap()
    }
    fn user(&mut self) -> UserId {
        UserId::new(&format!("user-{}", self.roll(8))).unwrap()
    }
    fn group(&mut self) -> Group {
        Group::new(&format!("group-{}", self.roll(3))).unwrap()
    }
    fn recent(&mut self, n: u32) -> u32 {
        n.saturating_sub(1 + self.roll(24))
    }
    fn key(&mut self, n: u32) -> KeyId {
        KeyId::new(id(self.recent(n)))
    }
}

fn said<T: Debug, E: Debug>(answer: Result<T, E>) -> String {
    format!("{answer:?}").replace('\n', " ")
}

impl Play {
    fn dice(&self, n: u32) -> Dice {
        Dice(u64::from(self.seed) << 32 | u64::from(n))
    }

    /// Plays a step, and says what came of it, but for what chance has chosen.
    pub fn step(&self, store: &impl Run, n: u32) -> String {
        let (dice, now) = (&mut self.dice(n), time(n));
        let port = store.port();
        match dice.roll(24) {
            0..4 => said(port.commit(&self.granted(store, n), now)),
            // The same once more, of some step before that may have been such a one.
            4 => said(port.outcome(&digest(dice.recent(n)), now)),
            5..9 => said(port.confirm(&dice.key(n), now)),
            9..12 => {
                let key_id = dice.key(n);
                let address = if dice.roll(2) == 0 {
                    Address::Key(key_id)
                } else {
                    Address::Alias(Alias::new(id(dice.recent(n))))
                };
                // Of a stranger's challenge nobody would see that it is spent. It lapses at a step's own
                // time, so that a purge before the step and one in it take the same.
                let known = port.registration(&Address::Key(key_id), now).unwrap().is_some();
                let spend = (known && dice.roll(2) == 0).then(|| (id(n - n % 5), now.after(21)));
                let next_alias = Alias::new(id(n));
                said(port.admit(&Admission::new(key_id, address, next_alias, spend), now))
            }
            12 => {
                let key_id = dice.key(n);
                said(port.confirm_alias(&key_id, &Address::Alias(Alias::new(id(dice.recent(n)))), now))
            }
            13 => {
                let serial = ConfigurationSerial { epoch: 0, number: u64::from(dice.roll(9)) };
                let result = [ReportResult::Applied, ReportResult::Failed][dice.roll(2) as usize];
                let report = Report::new(dice.key(n), application(), serial, result);
                said(port.report(&report, now))
            }
            14 => {
                let (name, secret) = (dice.name(), Secret::new([7; 32]));
                let expires = (dice.roll(2) == 0).then(|| now.after(100));
                said(store.run(&IssueCode { name, secret, expires }, now).map(drop))
            }
            15 => said(store.run(&WithdrawCode(dice.name()), now)),
            16 => {
                let path = AccessPath::new("/staff").unwrap();
                let subject =
                    [Subject::User(dice.user()), Subject::Group(dice.group()), Subject::AccessPath(path)];
                let subject = subject[dice.roll(3) as usize].clone();
                let document = Document { media_type: "text/plain".into(), body: n.to_be_bytes().to_vec() };
                let application = application();
                said(store.run(&Entitle::new(subject, application, document), now))
            }
            17 => said(store.run(&Suspend(dice.key(n)), now)),
            18 => said(store.run(&Resume(dice.key(n)), now)),
            19 => {
                let key_id = dice.key(n);
                said(store.run(&Rename { key_id, name: dice.name() }, now))
            }
            20 => {
                let (user_id, group) = (dice.user(), dice.group());
                if dice.roll(3) == 0 {
                    said(store.run(&LeaveGroup { user_id, group }, now))
                } else {
                    said(store.run(&JoinGroup { user_id, group }, now))
                }
            }
            21 => said(store.run(&Purge { limit: 100 }, now)),
            22 => {
                let key_id = dice.key(n);
                match dice.roll(3) {
                    0 => said(store.run(&Revoke(key_id), now)),
                    1 => said(store.run(&DeleteRegistration(key_id), now)),
                    _ => said(store.run(&SetExpiry { key_id, expires: Some(now.after(60)) }, now)),
                }
            }
            _ => said(port.commit(&self.otherwise(n), now)),
        }
    }

    fn outcome(n: u32, effect: Effect) -> NewOutcome {
        let (response, keep_until) = (id(n).repeat(4), time(n).after(120));
        NewOutcome {
            request: digest(n),
            response,
            keep_until,
            effect,
            limits: halfkey::record::PendingLimits::default(),
        }
    }

    fn granted(&self, store: &impl Run, n: u32) -> NewOutcome {
        let dice = &mut self.dice(n);
        let (sides, name, mut user_id) = (dice.roll(24), dice.name(), dice.user());
        let takes = match sides {
            0 => {
                let applicant = Applicant { name: name.clone(), proof: Some(ProofId::Activation) };
                let known = store.port().applicant(&applicant, time(n)).unwrap();
                known.activation.map(|activation| Takes::Code(activation.id))
            }
            1 => {
                let earlier = dice.key(n);
                let known = store.port().registration(&Address::Key(earlier), time(n)).unwrap();
                known.map(|earlier| {
                    user_id = earlier.user_id;
                    Takes::Place(earlier.key_id)
                })
            }
            _ => None,
        };
        let secret = || Secret::new(*digest(n).as_bytes());
        let expected =
            ExpectedTags { txn: Txn::new(id(n)), confirm: secret(), done: secret(), lost: secret() };
        let registered = ServerRegistration {
            key_id: KeyId::new(id(n)),
            user_id,
            name,
            access_path: AccessPath::new("/staff").unwrap(),
            suite: SuiteId::XWing,
            policy: Policy::default(),
            lifecycle: Lifecycle::Pending { confirm_by: time(n).after(120) },
            expires: None,
            keys: StoredKeys { auth: secret(), derive: secret(), renew: secret() },
        };
        let new = NewRegistration { registered, alias: Alias::new(id(n)), expected, takes, ticket: None };
        Self::outcome(n, Effect::Granted(new.into()))
    }

    fn otherwise(&self, n: u32) -> NewOutcome {
        let name = self.dice(n).name();
        if n.is_multiple_of(2) {
            let cause = RejectionCause::Declined;
            return Self::outcome(
                n,
                Effect::Refused(RejectionRecord {
                    cause,
                    code: cause.code(),
                    name: Some(name),
                    ticket: None,
                }),
            );
        }
        let template = Template::new(vec![Field::required("name", FieldKind::UserName)]).unwrap();
        let application = WaitingRequest {
            ticket_id: TicketId::new(id(n)),
            ticket: Secret::new([8; 32]),
            form: template.fill([("name", name.as_str().into())]).unwrap(),
            name,
            takes: None,
            hold_until: time(n).after(150),
        };
        Self::outcome(n, Effect::Waiting { application: application.into(), instead_of: None })
    }

    /// What the protocol can see after `n` steps of what the last of them left.
    pub fn traces(&self, store: &impl Run, n: u32) -> Vec<String> {
        let port = store.port();
        let trace = |n: u32| {
            let [by_key, by_alias] = [Address::Key(KeyId::new(id(n))), Address::Alias(Alias::new(id(n)))]
                .map(|address| {
                    let row = port.registration(&address, time(n)).unwrap();
                    let keys = row.as_ref().map(|row| {
                        [&row.keys.auth, &row.keys.derive, &row.keys.renew].map(|key| *key.expose())
                    });
                    format!("{row:?} {keys:?}")
                });
            let expected = port.expected(&KeyId::new(id(n)), time(n)).unwrap();
            let tags = expected.map(|tags| (tags.txn, *tags.confirm.expose(), *tags.done.expose()));
            format!("{n}: {by_key}; {by_alias}; {tags:?}; {:?}", port.outcome(&digest(n), time(n)))
        };
        (n.saturating_sub(120)..n).map(trace).collect()
    }
}
