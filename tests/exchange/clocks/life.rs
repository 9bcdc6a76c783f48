//! A life: two clocks, what is under way, and what may have lasted how long.

use super::{Act, Clock};
use crate::world::*;
use halfkey::certificate::Validity;
use halfkey::exchange::{News, TokenExchange};
use halfkey::port::Token;
use halfkey::record::{TokenRegistration, Waiting};
use halfkey::registration::ActivationCode;
use halfkey::registration::token::Credential;
use halfkey::store::operation::Purge;
use halfkey::{KeyId, Moment, Period, UnixTime};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Seconds for which a request is held here.
pub(super) const HELD: u64 = 5000;
/// Seconds within which a registration is to be confirmed here.
pub(super) const CONFIRMED: u64 = 3000;

/// An act in the middle of which the other side takes its time.
pub(super) struct Kept<'w> {
    pub exchange: TokenExchange,
    pub frame: Vec<u8>,
    pub peer: Peer<'w>,
    pub since: Since,
}

/// When something began, and by how much the clocks had been set back until then.
#[derive(Clone, Copy)]
pub(super) struct Since {
    pub time: u64,
    pub server: u64,
    pub token: u64,
}

/// An activation code and its end.
pub(super) struct Code {
    pub user: String,
    pub code: ActivationCode,
    pub expires: UnixTime,
}

pub(super) struct Life<'w> {
    pub world: &'w World,
    pub hands: Hands,
    /// Now: running time, and by how much each clock was set back.
    pub now: Since,
    /// By how much the token's clock is ahead.
    ahead: i64,
    users: u32,
    pub names: BTreeMap<KeyId, String>,
    pub offer: Option<(Kept<'w>, String)>,
    /// A registration that was granted, and whose R4 has not left.
    pub joined: Option<(Kept<'w>, String)>,
    /// Registrations that are not confirmed, and since when they are granted.
    pub pending: BTreeMap<KeyId, Since>,
    pub code: Option<Code>,
    pub challenge: Option<(KeyId, Kept<'w>)>,
    /// Every S2 with a challenge that was answered by S3.
    pub answered: Vec<Vec<u8>>,
    pub ticket: Option<(Waiting, String, Since)>,
    pub open: Option<(KeyId, TokenExchange, Peer<'w>)>,
    /// A document, since when it is held, and for how many seconds.
    pub document: Option<(KeyId, Since, u64)>,
    /// Ends that the operator has set.
    pub ends: BTreeMap<KeyId, UnixTime>,
}

impl<'w> Life<'w> {
    fn new(world: &'w World) -> Self {
        Self {
            world,
            hands: Hands::new(world),
            now: Since { time: 0, server: 0, token: 0 },
            ahead: 0,
            users: 0,
            names: BTreeMap::new(),
            offer: None,
            joined: None,
            pending: BTreeMap::new(),
            code: None,
            challenge: None,
            answered: Vec::new(),
            ticket: None,
            open: None,
            document: None,
            ends: BTreeMap::new(),
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Pass(seconds) => self.pass(seconds),
            Act::Jump(clock, by) => self.jump(clock, by),
            Act::Right(clock) => {
                let (server, token) = (self.server_ahead(), self.ahead);
                match clock {
                    Clock::Server => self.jump(Clock::Server, -server),
                    Clock::Token => self.jump(Clock::Token, -token),
                    Clock::Both => self.right(),
                }
            }
            Act::Register => drop(self.register(Credential::None)),
            Act::Offer => self.offer(),
            Act::Request => self.request(),
            Act::Join => self.join(),
            Act::Confirm => self.confirm(),
            Act::Issue(seconds) => self.issue(seconds),
            Act::Redeem => self.redeem(),
            Act::Wait => self.wait(),
            Act::ComeBack => self.come_back(),
            Act::Challenge => self.challenge(self.world.connection()),
            Act::Park => self.challenge(self.world.stateless()),
            Act::Respond => self.respond(),
            Act::Replay => self.replay(),
            Act::Configure(seconds) => self.configure(seconds),
            Act::Open => self.open = self.session(),
            Act::End => self.end(),
            Act::Expire(seconds) => self.expire(seconds),
            Act::Purge => self.purge(),
            Act::Renew => {
                if let Some(one) = self.registration() {
                    drop(self.register(Credential::Renewal(one.key_id)));
                }
            }
            Act::Certify => drop(self.certify()),
        }
        self.document_is_over_in_time();
    }

    /// The right time.
    pub fn true_time(&self) -> UnixTime {
        NOW.after(self.now.time)
    }

    fn server_ahead(&self) -> i64 {
        self.world.time().as_secs() as i64 - self.true_time().as_secs() as i64
    }

    pub fn pass(&mut self, seconds: u64) {
        self.now.time += seconds;
        self.world.ahead.fetch_add(seconds, Ordering::Relaxed);
        self.hands.clock = self.hands.clock.after(seconds);
    }

    pub fn jump(&mut self, clock: Clock, by: i64) {
        let jumped = |time: UnixTime| time.as_secs().saturating_add_signed(by);
        if matches!(clock, Clock::Server | Clock::Both) {
            let (before, after) = (self.world.time().as_secs(), jumped(self.world.time()));
            self.now.server += before.saturating_sub(after);
            self.world.ahead.store(after.wrapping_sub(NOW.as_secs()), Ordering::Relaxed);
        }
        if matches!(clock, Clock::Token | Clock::Both) {
            let (before, after) = (self.hands.clock.as_secs(), jumped(self.hands.clock));
            self.now.token += before.saturating_sub(after);
            self.hands.clock = UnixTime::from_secs(after);
            self.ahead = after as i64 - self.true_time().as_secs() as i64;
        }
    }

    fn right(&mut self) {
        self.jump(Clock::Server, -self.server_ahead());
        self.jump(Clock::Token, -self.ahead);
        assert_eq!((self.server_ahead(), self.ahead), (0, 0));
    }

    /// Something has been taken that lasts so long on the server's clock.
    pub fn lasts(&self, what: &str, since: Since, seconds: u64) {
        let (age, back) = (self.now.time - since.time, self.now.server - since.server);
        assert!(age <= seconds + back + Period::TOLERANCE, "{what}: {age} s, set back by {back} s");
    }

    pub fn moment(&self) -> Moment {
        Moment::at(self.hands.clock)
    }

    pub fn registration(&self) -> Option<TokenRegistration> {
        self.hands.token.registrations().unwrap().into_iter().next_back()
    }

    pub fn new_user(&mut self) -> String {
        self.users += 1;
        self.hands.user = format!("user{}", self.users);
        self.hands.user.clone()
    }

    /// Codes are the operator's, and only the operator's purge takes away one that is over by the server's clock.
    fn purge(&mut self) {
        self.world.run(&Purge { limit: 100 }).unwrap();
        let now = self.world.time();
        self.code.take_if(|code| code.expires < now);
    }

    /// The authority's own clock is right, and a certificate that it issues later ends later.
    fn certify(&self) -> bool {
        let from = UnixTime::from_secs(self.true_time().as_secs() - 300);
        self.world.certify(Validity::new(from, from.after(2 * super::DAY)).unwrap()).is_ok()
    }

    /// Both clocks are right again, and nobody has done anything else.
    fn all_is_well_again(&mut self) {
        self.right();
        assert!(self.certify());
        self.code_is_good_again();
        let before = self.registration();
        let news = self.register(Credential::None);
        assert!(matches!(news, News::Registered(_)), "{news:?}");
        if let Some(before) = before {
            self.opens_again(before.key_id);
        }
        self.configure(3600);
        let one = self.registration().unwrap();
        let held = one.configuration(&application()).unwrap();
        assert!(held.in_force(self.hands.clock, one.clock_floor));
        let news = self.register(Credential::Renewal(one.key_id));
        assert!(matches!(news, News::Registered(_)), "{news:?}");
        assert!(self.session().is_some());
    }
}

pub(super) fn live(mut world: World, acts: &[Act]) {
    let settings = Arc::get_mut(&mut world.settings).unwrap();
    (settings.hold_for, settings.confirm_within) = (HELD as u32, CONFIRMED as u32);
    let mut life = Life::new(&world);
    life.act(Act::Register);
    for act in acts {
        life.act(*act);
    }
    life.all_is_well_again();
}
