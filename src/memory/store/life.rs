//! How registrations come to be, win, lose and are let in.

use super::alias::Aliases;
use super::state::{Claim, Outcome, Row, State, UniqueNames};
use crate::id::{KeyId, TicketId, UserName};
use crate::port::StoreError;
use crate::port::entitlement_store::{Admission, Admitted, Committed, Confirmed, Standing};
use crate::record::{
    Applicant, ApplicantRecord, Effect, Lifecycle, NewOutcome, NewRegistration, ProofId, Registered,
};
use crate::time::UnixTime;
use alloc::boxed::Box;

impl State {
    pub(super) fn applicant(&self, applicant: &Applicant) -> ApplicantRecord {
        let same = |claim: Claim| self.index.claimants(&claim).len();
        let code = self.codes.get(&applicant.name);
        let mut record = ApplicantRecord {
            name_taken: self.names.contains_key(&applicant.name)
                || (applicant.proof.is_none() && code.is_some()),
            pending_total: u32::try_from(self.waiting.len())
                .unwrap_or(u32::MAX)
                .saturating_add(self.index.pending),
            ..ApplicantRecord::default()
        };
        let pending = match applicant.proof {
            None => {
                let claim = Claim::Name(applicant.name.clone());
                let unproven = |key_id: &KeyId| {
                    self.rows.get(key_id).is_some_and(|row| row.proof.is_none() && row.ticket.is_none())
                };
                self.index.claimants(&claim).iter().filter(|key_id| unproven(key_id)).count()
            }
            Some(ProofId::Activation) => {
                record.activation = code.map(|code| code.secret.clone());
                code.map_or(0, |code| {
                    same(Claim::Code(code.number))
                        .saturating_add(self.waits(&applicant.name, ProofId::Activation))
                })
            }
            Some(ProofId::Renewal(key_id)) => {
                record.earlier = self.rows.get(&key_id).map(|row| Box::new(row.registered.clone()));
                same(Claim::Earlier(key_id))
                    .saturating_add(self.waits(&applicant.name, ProofId::Renewal(key_id)))
            }
            Some(ProofId::Ticket(ticket_id)) => {
                record.waiting = self.waiting.get(&ticket_id).cloned().map(Box::new);
                if let Some(ProofId::Renewal(earlier)) = record.waiting.as_ref().and_then(|row| row.proof) {
                    record.earlier = self.rows.get(&earlier).map(|row| Box::new(row.registered.clone()));
                }
                same(Claim::Ticket(ticket_id))
            }
        };
        record.pending_same = u32::try_from(pending).unwrap_or(u32::MAX);
        record
    }

    /// How many applications for a name wait with this proof.
    fn waits(&self, name: &UserName, proof: ProofId) -> usize {
        let with_it = |ticket_id: &TicketId| {
            self.waiting.get(ticket_id).is_some_and(|waiting| waiting.proof == Some(proof))
        };
        self.index.waiting_for(name).iter().filter(|ticket_id| with_it(ticket_id)).count()
    }

    pub(super) fn commit(&mut self, outcome: NewOutcome) -> Result<Committed, StoreError> {
        let NewOutcome { request, response, keep_until, effect } = outcome;
        if let Some(stored) = self.outcomes.get(&request) {
            return Ok(Committed::Existing(stored.response.clone()));
        }
        match effect {
            Effect::Refused => {}
            Effect::Granted(new) => {
                // Only a broken random source names two keys alike; better no key than another's.
                let known = self.rows.contains_key(&new.registered.key_id);
                if known || self.index.aliases.contains_key(&new.alias) {
                    return Err(StoreError::Damaged);
                }
                let row = self.new_row(*new, request);
                self.insert_row(row);
            }
            Effect::Waiting { application, instead_of } => {
                if let Some(ticket_id) = instead_of {
                    self.remove_waiting(&ticket_id);
                }
                self.insert_waiting(*application);
            }
        }
        self.insert_outcome(request, Outcome { response, keep_until });
        Ok(Committed::Stored)
    }

    fn new_row(&self, new: NewRegistration, request: crate::id::Digest) -> Row {
        let NewRegistration { registered, alias, expected, proof, ticket } = new;
        let code = self.codes.get(&registered.name).filter(|_| proof == Some(ProofId::Activation));
        Row {
            code: code.map(|code| code.number),
            registered,
            expected: Some(expected),
            request: Some(request),
            proof,
            ticket,
            aliases: Aliases::first(alias),
            forget_at: None,
        }
    }

    pub(super) fn confirm(&mut self, key_id: &KeyId, now: UnixTime) -> Confirmed {
        let Some(row) = self.rows.get(key_id) else { return Confirmed::Lost };
        match row.registered.lifecycle {
            Lifecycle::Active | Lifecycle::Suspended | Lifecycle::Superseded => Confirmed::Active,
            Lifecycle::Lost | Lifecycle::Revoked => Confirmed::Lost,
            Lifecycle::Pending { confirm_by } if now <= confirm_by && self.may_win(row) => {
                self.win(key_id, now);
                Confirmed::Active
            }
            Lifecycle::Pending { .. } => {
                self.lose(key_id, now);
                Confirmed::Lost
            }
        }
    }

    /// Whether what a pending registration lays claim to is still to be had.
    fn may_win(&self, row: &Row) -> bool {
        let proof_good = match row.proof {
            // A name for which somebody was invited is not for whoever comes first.
            None if row.ticket.is_none() => !self.codes.contains_key(&row.registered.name),
            None | Some(ProofId::Ticket(_)) => true,
            Some(ProofId::Activation) => {
                self.codes.get(&row.registered.name).is_some_and(|code| Some(code.number) == row.code)
            }
            Some(ProofId::Renewal(earlier)) => self.is_active(&earlier),
        };
        let Some(holder) = self.names.get(&row.registered.name) else { return proof_good };
        let renews = row.earlier().is_some();
        proof_good && renews && (*holder == row.registered.user_id || !self.takes_name(row))
    }

    fn is_active(&self, key_id: &KeyId) -> bool {
        self.rows.get(key_id).is_some_and(|row| row.registered.lifecycle == Lifecycle::Active)
    }

    /// Whether a registration, once active, holds its name against others.
    fn takes_name(&self, row: &Row) -> bool {
        let holds = |registered: &Registered| self.names.get(&registered.name) == Some(&registered.user_id);
        match (self.unique, row.earlier()) {
            (UniqueNames::Always, _) => true,
            (UniqueNames::Proven, Some(earlier)) => {
                self.rows.get(&earlier).is_some_and(|row| holds(&row.registered))
            }
            (UniqueNames::Proven, None) => row.proof.is_some() || row.ticket.is_some(),
        }
    }

    fn win(&mut self, key_id: &KeyId, now: UnixTime) {
        let Some(row) = self.rows.get(key_id) else { return };
        let name: Option<UserName> = self.takes_name(row).then(|| row.registered.name.clone());
        let claims: alloc::vec::Vec<Claim> = row.claims().collect();
        let (code, earlier, ticket) = (row.code, row.earlier(), row.ticket);
        let (own_name, user_id) = (row.registered.name.clone(), row.registered.user_id.clone());

        self.settle(key_id, Lifecycle::Active);
        name.map(|name| self.names.insert(name, user_id));
        if code.is_some() {
            self.drop_code(&own_name);
        }
        if let Some(ticket_id) = ticket {
            self.remove_waiting(&ticket_id);
        }
        if let Some(earlier) = earlier {
            self.settle(&earlier, Lifecycle::Superseded);
            if let Some(mut reports) = self.reports.remove(&earlier) {
                reports.values_mut().for_each(|last| last.report.key_id = *key_id);
                self.reports.insert(*key_id, reports);
            }
        }
        for claim in &claims {
            for rival in self.index.claimants(claim) {
                let spent = matches!(claim, Claim::Ticket(_));
                if spent || !self.rows.get(&rival).is_some_and(|row| self.may_win(row)) {
                    self.lose(&rival, now);
                }
            }
        }
    }

    pub(super) fn admit(&mut self, admission: &Admission, now: UnixTime) -> Result<Admitted, StoreError> {
        let Admission { key_id, address, next_alias, spend } = *admission;
        if spend.is_some_and(|(id, lapses)| lapses < now || self.spent.contains_key(&id)) {
            return Ok(Admitted::Spent);
        }
        if self.index.aliases.contains_key(&next_alias) {
            return Err(StoreError::Damaged);
        }
        if let Some((id, lapses)) = spend {
            self.insert_spent(id, lapses);
        }
        self.confirm(&key_id, now);
        let Some(row) = self.rows.get_mut(&key_id) else { return Ok(Admitted::As(Standing::Revoked)) };
        row.expected = None;
        row.request.take().map(|request| self.outcomes.remove(&request));
        let standing = standing(&row.registered, now);
        if standing == Standing::Active {
            if let Some(gone) = row.aliases.issue(next_alias, address) {
                self.index.aliases.remove(&gone);
            }
            self.index.aliases.insert(next_alias, key_id);
        }
        Ok(Admitted::As(standing))
    }
}

fn standing(registered: &Registered, now: UnixTime) -> Standing {
    match registered.lifecycle {
        Lifecycle::Active if registered.expires.is_some_and(|expires| expires <= now) => Standing::Expired,
        Lifecycle::Active => Standing::Active,
        Lifecycle::Superseded => Standing::Expired,
        Lifecycle::Suspended => Standing::Suspended,
        Lifecycle::Revoked => Standing::Revoked,
        Lifecycle::Lost | Lifecycle::Pending { .. } => Standing::Lost,
    }
}
