//! What the store holds, and the order in which it lapses.

use super::alias::Aliases;
use super::operator::{Event, LastReport, Subject};
use crate::id::{Alias, Application, Digest, KeyId, TicketId, UserId, UserName};
use crate::message::Address;
use crate::port::entitlement_store::Entitlement;
use crate::record::{ExpectedTags, Lifecycle, ProofId, Registered, WaitingApplication};
use crate::secret::Secret;
use crate::time::UnixTime;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

/// Whose name a name is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UniqueNames {
    /// The first who becomes active under it holds it.
    #[default]
    Always,
    /// Only who proved a right to it (an activation code, the operator's approval) holds it.
    /// Others may register under one name side by side, and only their user ids tell them apart.
    Proven,
}

/// Seconds for which a lost registration is remembered, so that its token is told: 30 days.
pub(super) const LOST_KEPT: u64 = 30 * 86_400;

#[derive(Clone, Default)]
pub(super) struct State {
    pub(super) unique: UniqueNames,
    pub(super) rows: BTreeMap<KeyId, Row>,
    pub(super) outcomes: BTreeMap<Digest, Outcome>,
    pub(super) waiting: BTreeMap<TicketId, WaitingApplication>,
    pub(super) codes: BTreeMap<UserName, Code>,
    /// Names that are taken, and by whom.
    pub(super) names: BTreeMap<UserName, UserId>,
    pub(super) spent: BTreeMap<[u8; 16], UnixTime>,
    pub(super) entitlements: BTreeMap<(Subject, Application), Entitlement>,
    pub(super) reports: BTreeMap<KeyId, BTreeMap<Application, LastReport>>,
    pub(super) events: VecDeque<Event>,
    /// The last activation code's number.
    pub(super) last_code: u64,
    /// The parts of the last serial given to a configuration.
    pub(super) epoch: u32,
    pub(super) number: u64,
    pub(super) index: Index,
}

/// Ways into [`State`] that follow from it.
#[derive(Clone, Default)]
pub(super) struct Index {
    pub(super) aliases: BTreeMap<Alias, KeyId>,
    /// What pending registrations lay claim to.
    pub(super) claims: BTreeSet<(Claim, KeyId)>,
    pub(super) pending: u32,
    /// Proven applications that wait, by name.
    waits: BTreeSet<(UserName, TicketId)>,
    ends: BTreeSet<(UnixTime, Ending)>,
}

/// A registration and what belongs to it.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) registered: Registered,
    pub(super) expected: Option<ExpectedTags>,
    /// The request whose outcome it is, as long as that is stored.
    pub(super) request: Option<Digest>,
    pub(super) proof: Option<ProofId>,
    pub(super) ticket: Option<TicketId>,
    /// The number of the activation code that proves it.
    pub(super) code: Option<u64>,
    pub(super) aliases: Aliases,
    /// When it is forgotten, once lost.
    pub(super) forget_at: Option<UnixTime>,
}

#[derive(Clone)]
pub(super) struct Outcome {
    pub(super) response: Vec<u8>,
    pub(super) keep_until: UnixTime,
}

/// An activation code that has not been used.
#[derive(Clone)]
pub(super) struct Code {
    pub(super) secret: Secret,
    pub(super) number: u64,
}

/// What a pending registration will take when it is confirmed, in competition with others.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Claim {
    Name(UserName),
    Code(u64),
    Earlier(KeyId),
    Ticket(TicketId),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    Outcome(Digest),
    Pending(KeyId),
    Lost(KeyId),
    Waiting(TicketId),
    Spent([u8; 16]),
}

impl Row {
    pub(super) fn earlier(&self) -> Option<KeyId> {
        match self.proof {
            Some(ProofId::Renewal(key_id)) => Some(key_id),
            _ => None,
        }
    }

    pub(super) fn claims(&self) -> impl Iterator<Item = Claim> {
        let name = Some(Claim::Name(self.registered.name.clone()));
        let rest =
            [self.code.map(Claim::Code), self.earlier().map(Claim::Earlier), self.ticket.map(Claim::Ticket)];
        name.into_iter().chain(rest.into_iter().flatten())
    }
}

impl Index {
    /// The pending registrations with this claim.
    pub(super) fn claimants(&self, claim: &Claim) -> Vec<KeyId> {
        let from = (claim.clone(), KeyId([0; KeyId::LEN]));
        let those = self.claims.range(from..).take_while(|(other, _)| other == claim);
        those.map(|(_, key_id)| *key_id).collect()
    }

    /// The proven applications for this name that wait.
    pub(super) fn waiting_for(&self, name: &UserName) -> Vec<TicketId> {
        let from = (name.clone(), TicketId([0; TicketId::LEN]));
        let those = self.waits.range(from..).take_while(|(other, _)| other == name);
        those.map(|(_, ticket_id)| *ticket_id).collect()
    }
}

impl State {
    pub(super) fn insert_row(&mut self, row: Row) {
        let key_id = row.registered.key_id;
        for alias in row.aliases.iter() {
            self.index.aliases.insert(*alias, key_id);
        }
        if let Lifecycle::Pending { confirm_by } = row.registered.lifecycle {
            self.index.claims.extend(row.claims().map(|claim| (claim, key_id)));
            self.index.pending = self.index.pending.saturating_add(1);
            self.index.ends.insert((confirm_by, Ending::Pending(key_id)));
        }
        if let Some(at) = row.forget_at {
            self.index.ends.insert((at, Ending::Lost(key_id)));
        }
        self.rows.insert(key_id, row);
    }

    pub(super) fn insert_outcome(&mut self, request: Digest, outcome: Outcome) {
        self.index.ends.insert((outcome.keep_until, Ending::Outcome(request)));
        self.outcomes.insert(request, outcome);
    }

    pub(super) fn insert_waiting(&mut self, application: WaitingApplication) {
        let id = application.ticket_id;
        self.index.ends.insert((application.hold_until, Ending::Waiting(id)));
        if application.proof.is_some() {
            self.index.waits.insert((application.name.clone(), id));
        }
        self.waiting.insert(id, application);
    }

    pub(super) fn remove_waiting(&mut self, ticket_id: &TicketId) {
        if let Some(application) = self.waiting.remove(ticket_id) {
            self.index.waits.remove(&(application.name, *ticket_id));
        }
    }

    pub(super) fn insert_spent(&mut self, id: [u8; 16], lapses: UnixTime) {
        self.index.ends.insert((lapses, Ending::Spent(id)));
        self.spent.insert(id, lapses);
    }

    /// Ends an activation code, used or withdrawn. Applications that wait with it as their proof go
    /// with it: a later code for the name is not theirs.
    pub(super) fn drop_code(&mut self, name: &UserName) {
        self.codes.remove(name);
        for ticket_id in self.index.waiting_for(name) {
            if self.waiting.get(&ticket_id).is_some_and(|row| row.proof == Some(ProofId::Activation)) {
                self.remove_waiting(&ticket_id);
            }
        }
    }

    /// Moves a pending registration on, whatever becomes of it.
    pub(super) fn settle(&mut self, key_id: &KeyId, lifecycle: Lifecycle) {
        let Some(row) = self.rows.get_mut(key_id) else { return };
        if matches!(row.registered.lifecycle, Lifecycle::Pending { .. }) {
            for claim in row.claims() {
                self.index.claims.remove(&(claim, *key_id));
            }
            self.index.pending = self.index.pending.saturating_sub(1);
        }
        row.registered.lifecycle = lifecycle;
    }

    pub(super) fn lose(&mut self, key_id: &KeyId, now: UnixTime) {
        self.settle(key_id, Lifecycle::Lost);
        if let Some(row) = self.rows.get_mut(key_id) {
            let at = now.after(LOST_KEPT);
            row.forget_at = Some(at);
            self.index.ends.insert((at, Ending::Lost(*key_id)));
        }
    }

    /// Removes a registration and all that points to it; its name stays taken.
    pub(super) fn forget(&mut self, key_id: &KeyId) {
        self.settle(key_id, Lifecycle::Lost);
        if let Some(row) = self.rows.remove(key_id) {
            for alias in row.aliases.iter() {
                self.index.aliases.remove(alias);
            }
            row.request.map(|request| self.outcomes.remove(&request));
            self.reports.remove(key_id);
        }
    }

    /// Lets go of everything whose time has passed.
    pub(super) fn sweep(&mut self, now: UnixTime) {
        while self.index.ends.first().is_some_and(|(at, _)| *at < now) {
            let Some((at, ending)) = self.index.ends.pop_first() else { return };
            self.end(at, ending);
        }
    }

    /// An entry that something newer has overtaken ends nothing.
    fn end(&mut self, at: UnixTime, ending: Ending) {
        match ending {
            Ending::Outcome(request) => {
                if self.outcomes.get(&request).is_some_and(|outcome| outcome.keep_until == at) {
                    self.outcomes.remove(&request);
                }
            }
            Ending::Pending(key_id) => {
                let pending = Lifecycle::Pending { confirm_by: at };
                if self.rows.get(&key_id).is_some_and(|row| row.registered.lifecycle == pending) {
                    self.lose(&key_id, at);
                }
            }
            Ending::Lost(key_id) => {
                if self.rows.get(&key_id).is_some_and(|row| row.forget_at == Some(at)) {
                    self.forget(&key_id);
                }
            }
            Ending::Waiting(ticket_id) => {
                if self.waiting.get(&ticket_id).is_some_and(|waiting| waiting.hold_until == at) {
                    self.remove_waiting(&ticket_id);
                }
            }
            Ending::Spent(id) => {
                if self.spent.get(&id) == Some(&at) {
                    self.spent.remove(&id);
                }
            }
        }
    }

    pub(super) fn key_of(&self, address: &Address) -> Option<KeyId> {
        match address {
            Address::Key(key_id) => Some(*key_id),
            Address::Alias(alias) => self.index.aliases.get(alias).copied(),
        }
    }
}
