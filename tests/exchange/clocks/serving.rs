//! Sessions: challenges that are kept and that are parked, ends of rights, and configurations.

use super::life::{Kept, Life};
use super::{Clock, DAY};
use crate::world::*;
use halfkey::exchange::{Configured, News, TokenExchange};
use halfkey::message::UserInformation;
use halfkey::port::Token;
use halfkey::port::entitlement_store::{Document, Status};
use halfkey::session::token::Options;
use halfkey::store::Subject;
use halfkey::store::operation::{Entitle, Resume, SetExpiry, Suspend};
use halfkey::{KeyId, Period};

/// Whether a frame is S3.
fn is_accept(frame: &[u8]) -> bool {
    // The type is one byte after the head of the map and the key.
    frame.get(2) == Some(&11)
}

impl<'w> Life<'w> {
    pub(super) fn challenge(&mut self, mut peer: Peer<'w>) {
        let Some(one) = self.registration() else { return };
        let reply = self.hands.play(TokenExchange::open(one.key_id, Options::default(), self.moment()));
        peer.take(&reply.send[0]);
        let since = self.now;
        let reply = self.hands.play(reply.next.unwrap().receive(&peer.pop(), self.moment()));
        if let (Some(exchange), Some(frame)) = (reply.next, reply.send.into_iter().next()) {
            self.challenge = Some((one.key_id, Kept { exchange, frame, peer, since }));
        }
    }

    pub(super) fn respond(&mut self) {
        let Some((key_id, Kept { exchange, frame, mut peer, since })) = self.challenge.take() else { return };
        peer.take(&frame);
        let answer = peer.pop();
        if is_accept(&answer) {
            self.lasts("a challenge", since, 60);
            self.answered.push(frame);
        }
        let turn = exchange.receive(&answer, self.moment());
        if let (News::Opened(_), _) = self.hands.talk(turn, &mut peer) {
            self.confirmed(&key_id);
        }
    }

    /// No challenge is answered twice.
    pub(super) fn replay(&mut self) {
        for frame in &self.answered {
            let mut peer = self.world.stateless();
            peer.take(frame);
            assert!(!is_accept(&peer.pop()), "a challenge is answered twice");
        }
    }

    /// A session of a key, unless its right has ended: by its operator's date, by the server's clock.
    fn opened(&mut self, key_id: KeyId) -> Result<(KeyId, TokenExchange, Peer<'w>), News> {
        let mut peer = self.world.connection();
        let turn = TokenExchange::open(key_id, Options::default(), self.moment());
        match self.hands.talk(turn, &mut peer) {
            (News::Opened(_), Some(exchange)) => {
                self.confirmed(&key_id);
                let end = self.ends.get(&key_id);
                assert!(end.is_none_or(|end| self.world.time() < *end), "a session opens after the end");
                Ok((key_id, exchange, peer))
            }
            (news, _) => Err(news),
        }
    }

    pub(super) fn session(&mut self) -> Option<(KeyId, TokenExchange, Peer<'w>)> {
        let key_id = self.registration()?.key_id;
        self.opened(key_id).ok()
    }

    /// Opens a session of a key that was lost for its time alone, or that has an end which has come, or of any other.
    pub(super) fn opens_again(&mut self, key_id: KeyId) {
        let (was_pending, now) = (self.pending.contains_key(&key_id), self.true_time());
        let has_ended = self.ends.get(&key_id).is_some_and(|end| *end <= now);
        match self.opened(key_id) {
            Ok(_) => assert!(!has_ended),
            Err(News::NotActive(Status::Lost)) => assert!(was_pending, "a registration is lost"),
            Err(News::NotActive(Status::Expired)) => assert!(has_ended, "a registration has expired"),
            Err(news) => panic!("{news:?}"),
        }
    }

    /// The right ends: the session serves nothing more after the time that the setting says.
    pub(super) fn end(&mut self) {
        let Some((key_id, exchange, peer)) = self.open.take() else { return };
        if self.world.run(&Suspend(key_id)).is_ok() {
            self.serves_for_a_while(exchange, peer);
            self.world.run(&Resume(key_id)).unwrap();
        }
    }

    /// Data comes through, while the clock jumps, for no longer than it may.
    fn serves_for_a_while(&mut self, mut exchange: TokenExchange, mut peer: Peer<'w>) {
        let since = self.now;
        for (seconds, by) in [(5, 0), (5, 3 * DAY as i64), (20, -4 * DAY as i64), (1, 0), (29, 0), (31, 0)] {
            self.pass(seconds);
            self.jump(Clock::Server, by);
            let reply = peer.receive(&exchange.send(b"x").unwrap().remove(0));
            if reply.data.is_some() {
                self.lasts("a session", since, u64::from(self.world.settings.recheck));
            }
            if peer.exchange.is_none() {
                break;
            }
        }
        assert!(peer.exchange.is_none());
    }

    /// The operator dates the end of a registration; a session that is open ends with it.
    pub(super) fn expire(&mut self, seconds: u64) {
        let Some(one) = self.registration() else { return };
        let end = self.true_time().after(seconds);
        if self.world.run(&SetExpiry { key_id: one.key_id, expires: Some(end) }).is_err() {
            return;
        }
        self.ends.insert(one.key_id, end);
        let Some((key_id, mut exchange, mut peer)) = self.session() else { return };
        assert_eq!(key_id, one.key_id);
        for _ in 0..2 {
            self.pass(seconds / 2 + 31);
            let reply = peer.receive(&exchange.send(b"x").unwrap().remove(0));
            let late = self.world.time().since(end);
            assert!(reply.data.is_none() || late <= u64::from(self.world.settings.recheck), "{late} s late");
            if peer.exchange.is_none() {
                break;
            }
        }
    }

    pub(super) fn configure(&mut self, seconds: u32) {
        let Some((key_id, exchange, mut peer)) = self.session() else { return };
        let user = self.registration().unwrap().user_id;
        let document = Document { media_type: "text/plain".into(), body: b"x".to_vec() };
        let entitle = Entitle::new(Subject::User(user), application(), document).valid_for(seconds);
        self.world.run(&entitle).unwrap();
        let since = self.now;
        let turn = exchange.configure(application(), UserInformation::default(), self.moment());
        let (news, _) = self.hands.talk(turn, &mut peer);
        assert!(matches!(news, News::Configured(_, Configured::Installed)), "{news:?}");
        self.document = Some((key_id, since, seconds.into()));
    }

    pub(super) fn document_is_over_in_time(&self) {
        let Some((key_id, since, seconds)) = self.document else { return };
        let all = self.hands.token.registrations().unwrap();
        let Some(one) = all.iter().find(|one| one.key_id == key_id) else { return };
        let Some(held) = one.configuration(&application()) else { return };
        if held.in_force(self.hands.clock, one.clock_floor) {
            let (age, back) = (self.now.time - since.time, self.now.token - since.token);
            assert!(age <= seconds + back + Period::TOLERANCE, "a document: {age} s, set back by {back} s");
        }
    }
}
