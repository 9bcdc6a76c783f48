//! Invariants that hold after any sequence of operations.

use super::desk::{Desk, app, document, every, grant, group, key, name, secret, state, ticket, user};
use super::entitlements::staff;
use super::{Make, Run};
use halfkey::port::entitlement_store::{Admitted, Confirmed, ReportResult};
use halfkey::record::{Effect, RejectionCause, RejectionCode, RejectionRecord, RequestAnswer, Takes};
use halfkey::store::operation::{
    CodeEntry, DecideRequest, DeleteRegistration, Entitle, IssueCode, JoinGroup, LeaveGroup, ListCodes,
    ListRegistrations, Purge, RaiseEpoch, RegistrationEntry, ReleaseName, Rename, Resume, Revoke,
    RevokeEntitlement, SetCodeExpiry, SetExpiry, Suspend, WithdrawCode,
};
use halfkey::store::{AuditEvent, Operation, OperatorError, RegistrationState, Subject, UniqueNames};
use halfkey::{CodeId, KeyId, TicketId, UnixTime, UserId, UserName};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Debug;

const NAMES: [&str; 3] = ["ann", "ben", "eva"];

/// Keys, codes and tickets are those of earlier acts.
#[derive(Clone, Debug)]
enum Act {
    Issue(usize, Option<u64>),
    Withdraw(usize),
    SetCodeExpiry(usize, Option<u64>),
    Open(usize),
    Invited(Index),
    Renew(Index),
    Approved(Index, usize),
    Wait(usize, Option<Index>),
    Refuse,
    Confirm(Index),
    Session(Index, Option<u8>),
    Suspend(Index),
    Resume(Index),
    Revoke(Index),
    DeleteRegistration(Index),
    SetExpiry(Index, Option<u64>),
    Rename(Index, usize),
    ReleaseName(usize),
    Decide(Index, bool),
    Entitle(Index, bool),
    Join(Index),
    Leave(Index),
    Raise,
    Report(Index, bool),
    Pass(u64),
    Purge(u16),
}

fn act() -> impl Strategy<Value = Act> {
    let which = any::<Index>;
    let time = || proptest::option::of(prop_oneof![Just(0), Just(30_u64), Just(5000)]);
    let name = || 0..NAMES.len();
    prop_oneof![
        6 => (name(), time()).prop_map(|(name, time)| Act::Issue(name, time)),
        1 => name().prop_map(Act::Withdraw),
        1 => (name(), time()).prop_map(|(name, time)| Act::SetCodeExpiry(name, time)),
        6 => name().prop_map(Act::Open),
        6 => which().prop_map(Act::Invited),
        6 => which().prop_map(Act::Renew),
        3 => (which(), name()).prop_map(|(ticket, name)| Act::Approved(ticket, name)),
        3 => (name(), proptest::option::of(which())).prop_map(|(name, code)| Act::Wait(name, code)),
        1 => Just(Act::Refuse),
        12 => which().prop_map(Act::Confirm),
        6 => (which(), proptest::option::of(0..3_u8)).prop_map(|(key, challenge)| Act::Session(key, challenge)),
        2 => which().prop_map(Act::Suspend),
        2 => which().prop_map(Act::Resume),
        1 => which().prop_map(Act::Revoke),
        2 => which().prop_map(Act::DeleteRegistration),
        1 => (which(), time()).prop_map(|(key, time)| Act::SetExpiry(key, time)),
        4 => (which(), name()).prop_map(|(key, name)| Act::Rename(key, name)),
        2 => name().prop_map(Act::ReleaseName),
        2 => (which(), any::<bool>()).prop_map(|(ticket, approved)| Act::Decide(ticket, approved)),
        1 => (which(), any::<bool>()).prop_map(|(user, ends)| Act::Entitle(user, ends)),
        1 => which().prop_map(Act::Join),
        1 => which().prop_map(Act::Leave),
        1 => Just(Act::Raise),
        2 => (which(), any::<bool>()).prop_map(|(key, applied)| Act::Report(key, applied)),
        3 => prop_oneof![Just(1_u64), Just(50), Just(200), Just(40 * 86_400)].prop_map(Act::Pass),
        2 => (0..4_u16).prop_map(Act::Purge),
    ]
}

/// What has been, and what follows from it.
#[derive(Default)]
struct Past {
    granted: u8,
    codes: Vec<(UserName, CodeId)>,
    tickets: Vec<(UserName, TicketId)>,
    aliases: u8,
    rows: BTreeMap<KeyId, RegistrationEntry>,
    /// Under which names each key has been, as a renewal that was judged then says.
    names: Vec<(KeyId, UserName, UserId)>,
    /// The codes that there were before the act.
    live: BTreeMap<UserName, CodeEntry>,
    takes: BTreeMap<KeyId, Takes>,
    approved: HashSet<KeyId>,
    /// Whose each name is.
    held: BTreeMap<UserName, UserId>,
    used: HashSet<CodeId>,
    /// When each challenge that was used lapses.
    spent: BTreeMap<u8, UnixTime>,
    log: Vec<AuditEvent>,
}

struct Play<S> {
    desk: Desk<S>,
    unique: UniqueNames,
    past: Past,
}

impl<S: Run> Play<S> {
    fn key(&self, which: &Index) -> u8 {
        // One is nobody's.
        which.index(usize::from(self.past.granted) + 1) as u8 + 1
    }

    fn grant(&mut self, text: &str, change: impl FnOnce(super::desk::Grant) -> super::desk::Grant) {
        if self.past.granted < 120 {
            self.past.granted += 1;
            let new = change(grant(self.past.granted, text));
            self.past.takes.extend(new.takes.map(|takes| (key(new.n), takes)));
            self.past.approved.extend(new.ticket.map(|_| key(new.n)));
            self.desk.pending(&new);
        }
    }

    /// Does it, or finds that nothing has changed.
    fn ask<O: Operation<Error = OperatorError, Answer: Debug>>(&self, operation: &O) -> Option<O::Answer> {
        let before = self.desk.everything();
        let answer = self.desk.store.run(operation, self.desk.now());
        match answer {
            Ok(answer) => Some(answer),
            Err(error) => {
                assert!(!matches!(error, OperatorError::Store(_)), "{error:?}");
                assert_eq!(self.desk.everything(), before, "{error:?}");
                None
            }
        }
    }

    fn tries<O: Operation<Error = OperatorError, Answer: Debug>>(&self, operation: &O) {
        self.ask(operation);
    }

    fn act(&mut self, act: &Act) {
        let after = |time: &Option<u64>| time.map(|time| self.desk.now().after(time));
        match act {
            Act::Issue(at, time) => {
                let name = name(NAMES[*at]);
                let code = IssueCode { name: name.clone(), secret: secret(), expires: after(time) };
                self.past.codes.extend(self.ask(&code).map(|id| (name, id)));
            }
            Act::Withdraw(at) => self.tries(&WithdrawCode(name(NAMES[*at]))),
            Act::SetCodeExpiry(at, time) => {
                self.tries(&SetCodeExpiry { name: name(NAMES[*at]), expires: after(time) });
            }
            Act::Open(at) => self.grant(NAMES[*at], |new| new),
            // A code may have been replaced, used or withdrawn since it was judged.
            Act::Invited(which) if !self.past.codes.is_empty() => {
                let (name, code) = which.get(&self.past.codes).clone();
                self.grant(name.as_str(), |new| new.by(code));
            }
            // So may a key have been renamed or ended.
            Act::Renew(which) if !self.past.names.is_empty() => {
                let (key_id, name, user) = which.get(&self.past.names).clone();
                let takes = Some(Takes::Place(key_id));
                self.grant(name.as_str(), |new| super::desk::Grant { takes, user, ..new });
            }
            Act::Approved(which, at) if !self.past.tickets.is_empty() => {
                let (_, id) = which.get(&self.past.tickets).clone();
                self.grant(NAMES[*at], |new| super::desk::Grant { ticket: Some(id), ..new });
            }
            Act::Wait(at, code) if self.past.tickets.len() < 60 => {
                let code = code
                    .filter(|_| !self.past.codes.is_empty())
                    .map(|code| code.get(&self.past.codes).clone());
                let (name, code) = code.map_or((name(NAMES[*at]), None), |(name, code)| (name, Some(code)));
                let n = 130 + self.past.tickets.len() as u8;
                self.desk.waits(n, name.as_str(), code.map(Takes::Code));
                self.past.tickets.push((name, ticket(n)));
            }
            Act::Invited(_) | Act::Renew(_) | Act::Approved(..) | Act::Wait(..) => {}
            // The second time, an answer that is stored already.
            Act::Refuse => {
                let cause = RejectionCause::Declined;
                let refusal = RejectionRecord { cause, code: cause.code(), name: None, ticket: None };
                self.desk.commit(255, Effect::Refused(refusal));
            }
            Act::Confirm(which) => {
                let n = self.key(which);
                let confirmed = self.desk.confirm(n);
                assert_eq!(self.desk.confirm(n), confirmed, "what is settled stays so");
            }
            Act::Session(which, challenge) => {
                self.past.aliases = (self.past.aliases + 1) % 100;
                let alias = 130 + self.past.aliases;
                let admitted = self.desk.admit(self.key(which), alias, *challenge);
                if let (Admitted::As(_), Some(challenge)) = (admitted, challenge) {
                    let now = self.desk.now();
                    let before = self.past.spent.insert(*challenge, now.after(60));
                    assert!(before.is_none_or(|lapsed| lapsed < now), "a challenge was used twice");
                }
            }
            Act::Suspend(which) => self.tries(&Suspend(key(self.key(which)))),
            Act::Resume(which) => self.tries(&Resume(key(self.key(which)))),
            Act::Revoke(which) => self.tries(&Revoke(key(self.key(which)))),
            Act::DeleteRegistration(which) => self.tries(&DeleteRegistration(key(self.key(which)))),
            Act::SetExpiry(which, time) => {
                self.tries(&SetExpiry { key_id: key(self.key(which)), expires: after(time) });
            }
            Act::Rename(which, at) => self.rename(key(self.key(which)), name(NAMES[*at])),
            Act::ReleaseName(at) => {
                let name = name(NAMES[*at]);
                let held = self.past.held.remove(&name);
                let held_by = held.clone().unwrap_or_else(|| user(99));
                assert_eq!(self.ask(&ReleaseName { name, held_by }).is_some(), held.is_some());
            }
            Act::Decide(which, approved) => {
                let n = 130 + which.index(self.past.tickets.len() + 1) as u8;
                let refused = RequestAnswer::Refused(RejectionCode::Declined);
                let answer = if *approved { RequestAnswer::Approved } else { refused };
                self.tries(&DecideRequest { ticket_id: ticket(n), answer });
            }
            Act::Entitle(which, ends) => {
                let (subject, application) = match which.index(3) {
                    0 => (staff(), app("mail")),
                    1 => (Subject::Group(group("team")), app("mail")),
                    _ => (Subject::User(user(self.key(which))), app("mail")),
                };
                let set = match ends {
                    true => self.ask(&RevokeEntitlement::new(subject, application)),
                    false => self.ask(&Entitle::new(subject, application, document("x"))),
                };
                assert!(set.is_some());
            }
            Act::Join(which) => {
                self.tries(&JoinGroup { user_id: user(self.key(which)), group: group("team") });
            }
            Act::Leave(which) => {
                self.tries(&LeaveGroup { user_id: user(self.key(which)), group: group("team") });
            }
            Act::Raise => self.tries(&RaiseEpoch),
            Act::Report(which, applied) => {
                let n = self.key(which);
                let result = if *applied { ReportResult::Applied } else { ReportResult::Failed };
                if let Some((serial, ..)) = self.desk.entitled(n, &user(n), "/staff") {
                    self.desk.report(n, serial, result);
                }
            }
            Act::Pass(seconds) => self.desk.pass(*seconds),
            Act::Purge(limit) => self.tries(&Purge { limit: *limit }),
        }
    }

    fn rename(&mut self, key_id: KeyId, to: UserName) {
        if self.ask(&Rename { key_id, name: to.clone() }).is_none() {
            return;
        }
        let row = &self.past.rows[&key_id];
        if row.name != to {
            assert!(!self.past.held.contains_key(&to), "the name was taken");
            let held = self.past.held.get(&row.name) == Some(&row.user_id);
            if held {
                self.past.held.remove(&row.name);
            }
            if held || self.unique == UniqueNames::Always {
                self.past.held.insert(to, row.user_id.clone());
            }
        }
    }

    /// Looks at everything, and at how it came to be so.
    fn holds(&mut self) {
        let rows = every(|after| self.desk.run(&ListRegistrations { after, ..ListRegistrations::default() }));
        let rows: BTreeMap<KeyId, RegistrationEntry> =
            rows.into_iter().map(|row| (row.key_id, row)).collect();
        for (key_id, row) in &rows {
            let seen = (*key_id, row.name.clone(), row.user_id.clone());
            if !self.past.names.contains(&seen) {
                self.past.names.push(seen);
            }
            let before = self.past.rows.get(key_id).map(|row| state(row.lifecycle));
            let now = state(row.lifecycle);
            assert!(may_become(before, Some(now)), "{key_id}: {before:?} became {now:?}");
            if before == Some(RegistrationState::Pending) && now == RegistrationState::Active {
                self.won(row);
            }
        }
        for (key_id, row) in &self.past.rows {
            let before = state(row.lifecycle);
            assert!(
                rows.contains_key(key_id) || may_become(Some(before), None),
                "{key_id}: {before:?} is gone"
            );
        }
        let mut names = HashSet::new();
        for row in rows.values().filter(|row| {
            matches!(state(row.lifecycle), RegistrationState::Active | RegistrationState::Suspended)
        }) {
            // Whose name was freed keeps the registration, beside whoever took the name then.
            if self.past.held.get(&row.name) == Some(&row.user_id) {
                assert!(names.insert(row.name.clone()), "two under the name of {}", row.name);
            }
        }
        for text in NAMES {
            let record = self.desk.applicant(text, Some(halfkey::record::ProofId::Activation));
            assert_eq!(record.name_taken, self.past.held.contains_key(&name(text)), "{text}");
            assert_eq!(self.desk.is_taken(text), record.name_taken || record.activation.is_some());
            assert!(record.activation.is_none_or(|code| !self.past.used.contains(&code.id)), "it was used");
        }
        let log = self.desk.log();
        assert!(log.starts_with(&self.past.log), "the log has another beginning");
        assert!(log.windows(2).all(|pair| pair[0].id < pair[1].id));
        (self.past.rows, self.past.log) = (rows, log);
        let codes = every(|after| self.desk.run(&ListCodes { after, ..ListCodes::default() }));
        self.past.live = codes.into_iter().map(|code| (code.name.clone(), code)).collect();
    }

    /// A registration has just become active.
    fn won(&mut self, row: &RegistrationEntry) {
        let (takes, proven) = (self.past.takes.get(&row.key_id), self.past.approved.contains(&row.key_id));
        let code = self.past.live.get(&row.name);
        let holds = match takes {
            Some(Takes::Code(id)) => {
                assert_eq!(code.map(|code| code.id), Some(*id), "another code, or none");
                assert!(self.past.used.insert(*id), "a code was used twice");
                true
            }
            Some(Takes::Place(earlier)) => {
                let before = &self.past.rows[earlier];
                assert_eq!((state(before.lifecycle), &before.name), (RegistrationState::Active, &row.name));
                assert_eq!(self.desk.state(earlier.as_bytes()[0]), Some(RegistrationState::Superseded));
                self.past.held.get(&row.name) == Some(&row.user_id)
            }
            None => {
                let kept = code.is_some_and(|code| code.expires.is_none_or(|end| self.desk.now() <= end));
                assert!(proven || !kept, "the name was kept for somebody else");
                proven
            }
        };
        let holder = self.past.held.get(&row.name);
        assert!(holder.is_none_or(|holder| *holder == row.user_id) || row.renews.is_some(), "it was taken");
        if holds || self.unique == UniqueNames::Always {
            let holder = self.past.held.insert(row.name.clone(), row.user_id.clone());
            assert!(holder.is_none_or(|holder| holder == row.user_id), "{} was taken", row.name);
        }
    }
}

fn may_become(before: Option<RegistrationState>, now: Option<RegistrationState>) -> bool {
    use RegistrationState::{Active, Lost, Pending, Revoked, Superseded, Suspended};
    match (before, now) {
        (None, Some(Pending)) => true,
        (Some(Pending), Some(Active | Lost | Revoked)) => true,
        (Some(Active), Some(Suspended | Superseded | Revoked)) => true,
        (Some(Suspended), Some(Active | Revoked)) => true,
        (Some(Lost | Superseded), Some(Revoked)) => true,
        (Some(Lost | Superseded | Revoked), None) => true,
        (before, now) => before == now,
    }
}

pub fn whatever_happens_the_rules_hold<S: Run>(make: Make<'_, S>) {
    let config = ProptestConfig { cases: S::PLAYS, failure_persistence: None, ..ProptestConfig::default() };
    let result = TestRunner::new(config).run(&(any::<bool>(), vec(act(), 1..60)), |(proven, acts)| {
        let unique = if proven { UniqueNames::Proven } else { UniqueNames::Always };
        let mut play = Play { desk: Desk::with(make, unique), unique, past: Past::default() };
        for act in &acts {
            play.act(act);
            play.holds();
        }
        // In the end nothing is left over: every pending one is settled one way or the other.
        play.desk.pass(200);
        for n in 1..=play.past.granted {
            if play.desk.state(n) == Some(RegistrationState::Pending) {
                assert_eq!(play.desk.confirm(n), Confirmed::Lost);
            }
        }
        play.holds();
        Ok(())
    });
    result.unwrap();
}
