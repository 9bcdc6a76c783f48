//! Registrations: offers, codes, tickets, and confirmations that come late.

use super::life::{CONFIRMED, Code, HELD, Kept, Life};
use crate::world::*;
use halfkey::exchange::{News, RegisterOptions, TokenExchange};
use halfkey::port::Token;
use halfkey::registration::ActivationCode;
use halfkey::registration::server::Decision;
use halfkey::registration::token::Credential;
use halfkey::store::operation::IssueCode;
use halfkey::{KeyId, SystemRandom, UserName};

impl Life<'_> {
    pub(super) fn register(&mut self, credential: Credential) -> News {
        match &credential {
            Credential::Renewal(key_id) => self.hands.user = self.names[key_id].clone(),
            Credential::None => drop(self.new_user()),
            _ => {}
        }
        self.hands.credential = Some(credential);
        let turn = TokenExchange::register(self.world.name(), RegisterOptions::default(), self.moment());
        let news = self.hands.talk(turn, &mut self.world.connection()).0;
        self.hands.credential = None;
        self.keep_name();
        news
    }

    /// Keeps the name of a new registration.
    fn keep_name(&mut self) {
        for one in self.hands.token.registrations().unwrap() {
            self.names.entry(one.key_id).or_insert_with(|| self.hands.user.clone());
        }
    }

    pub(super) fn offer(&mut self) {
        let user = self.new_user();
        let mut peer = self.world.connection();
        let turn = TokenExchange::register(self.world.name(), RegisterOptions::default(), self.moment());
        let reply = self.hands.play(turn);
        let Some(exchange) = reply.next else { return };
        peer.take(&reply.send[0]);
        let since = self.now;
        let reply = self.hands.play(exchange.receive(&peer.pop(), self.moment()));
        if let (Some(exchange), Some(frame)) = (reply.next, reply.send.into_iter().next()) {
            self.offer = Some((Kept { exchange, frame, peer, since }, user));
        }
    }

    pub(super) fn request(&mut self) {
        let Some((Kept { exchange, frame, mut peer, since }, user)) = self.offer.take() else { return };
        peer.take(&frame);
        let answer = peer.pop();
        // E0 has one byte of type after the head of its map and the key.
        if answer.get(2) == Some(&3) {
            self.lasts("an offer", since, u64::from(self.world.settings.offer_ttl));
        }
        let turn = exchange.receive(&answer, self.moment());
        self.hands.user = user;
        let _ = self.hands.talk(turn, &mut peer);
        self.keep_name();
    }

    pub(super) fn join(&mut self) {
        self.offer();
        let Some((Kept { exchange, frame, mut peer, .. }, user)) = self.offer.take() else { return };
        peer.take(&frame);
        let since = self.now;
        let reply = self.hands.play(exchange.receive(&peer.pop(), self.moment()));
        self.keep_name();
        if let (Some(exchange), Some(frame)) = (reply.next, reply.send.into_iter().next()) {
            self.pending.insert(self.registration().unwrap().key_id, since);
            self.joined = Some((Kept { exchange, frame, peer, since }, user));
        }
    }

    pub(super) fn confirm(&mut self) {
        let Some((Kept { exchange, frame, mut peer, .. }, _)) = self.joined.take() else { return };
        peer.take(&frame);
        let turn = exchange.receive(&peer.pop(), self.moment());
        if let News::Registered(one) = self.hands.talk(turn, &mut peer).0 {
            self.confirmed(&one.key_id);
        }
    }

    /// A registration counts: it was confirmed in time, by R4 or by a session.
    pub(super) fn confirmed(&mut self, key_id: &KeyId) {
        if let Some(since) = self.pending.remove(key_id) {
            self.lasts("a grant", since, CONFIRMED);
        }
    }

    pub(super) fn issue(&mut self, seconds: u64) {
        let (user, expires) = (self.new_user(), self.true_time().after(seconds));
        let (code, name) = (ActivationCode::generate(&mut SystemRandom), UserName::new(&user).unwrap());
        let secret = code.secret(&self.world.name(), &name);
        self.world.run(&IssueCode { name, secret, expires: Some(expires) }).unwrap();
        self.code = Some(Code { user, code, expires });
    }

    /// A code is good until its end, by the server's clock, and is used once.
    pub(super) fn redeem(&mut self) {
        let Some(code) = &self.code else { return };
        self.hands.user = code.user.clone();
        let (expires, credential) = (code.expires, Credential::Activation(code.code.clone()));
        if let News::Registered(_) = self.register(credential) {
            assert!(self.world.time() <= expires, "a code is used at {}", self.world.time());
            self.code = None;
        }
    }

    /// A code whose end has not come, and that was not used, is good whatever the clocks have said meanwhile.
    pub(super) fn code_is_good_again(&mut self) {
        let now = self.true_time();
        if self.code.take_if(|code| code.expires < now).is_none() && self.code.is_some() {
            self.redeem();
            assert!(self.code.is_none(), "a code is lost");
        }
    }

    pub(super) fn wait(&mut self) {
        self.world.decide(Decision::Wait { retry_after: 60 });
        let since = self.now;
        if let News::Waiting(waiting) = self.register(Credential::None) {
            self.ticket = Some((*waiting, self.hands.user.clone(), since));
        }
        self.world.decide(grant());
    }

    pub(super) fn come_back(&mut self) {
        let Some((waiting, user, since)) = self.ticket.take() else { return };
        let retry = waiting.retry.left(self.hands.clock);
        assert!(retry <= 60);
        self.hands.user = user;
        if let News::Registered(_) = self.register(Credential::Ticket(waiting)) {
            self.lasts("a ticket", since, HELD);
        }
    }
}
