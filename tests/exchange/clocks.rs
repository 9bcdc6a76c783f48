//! Both clocks jump, ahead and back, by seconds and by decades, through whole lives.
//!
//! Nothing outlives its length of running time by more than its clock was set back meanwhile, and
//! [`Period::TOLERANCE`]; and nothing is lost for good: once both clocks are right again, and the authority has
//! renewed the certificate, the token registers, renews, opens a session and gets its configuration.

use crate::world::*;
use halfkey::certificate::{CertificateError, Validity};
use halfkey::exchange::{Configured, News, RegisterOptions, TokenExchange, TokenExchangeError};
use halfkey::message::UserInformation;
use halfkey::port::Token;
use halfkey::port::entitlement_store::{Document, Status};
use halfkey::record::{TokenRegistration, Waiting};
use halfkey::registration::TokenRegistrationError;
use halfkey::registration::server::Decision;
use halfkey::registration::token::Credential;
use halfkey::session::token::Options;
use halfkey::store::Subject;
use halfkey::store::operation::{Entitle, Resume, Suspend};
use halfkey::{KeyId, Moment, Period, UnixTime};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const DAY: u64 = 86_400;
/// Seconds for which a document may be used here.
const VALID: u64 = 3600;
/// Seconds for which a request is held here.
const HELD: u64 = 5000;

#[derive(Clone, Copy, Debug)]
enum Clock {
    Server,
    Token,
    Both,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    /// Time passes.
    Pass(u64),
    /// A clock jumps.
    Jump(Clock, i64),
    /// Somebody sets it right.
    Right(Clock),
    /// A whole registration.
    Register,
    /// R0 and R1; R2 is kept back.
    Offer,
    /// R2 leaves.
    Request,
    /// A request that the operator lets wait.
    Wait,
    /// The token comes back with its ticket.
    ComeBack,
    /// S0 and S1; S2 is kept back.
    Challenge,
    /// S2 leaves.
    Respond,
    /// A session and the configuration.
    Configure,
    /// A session.
    Open,
    /// The right of the open session ends.
    End,
    /// A renewal of the key.
    Renew,
    /// The authority renews the certificate.
    Certify,
}

/// An act in the middle of which the other side takes its time.
struct Kept<'w> {
    exchange: TokenExchange,
    frame: Vec<u8>,
    peer: Peer<'w>,
    since: Since,
}

/// When something began, and by how much the clocks had been set back until then.
#[derive(Clone, Copy)]
struct Since {
    time: u64,
    server: u64,
    token: u64,
}

struct Life<'w> {
    world: &'w World,
    hands: Hands,
    /// Now: running time, and how often each clock was set back.
    now: Since,
    /// By how much the token's clock is ahead.
    ahead: i64,
    users: u32,
    names: BTreeMap<KeyId, String>,
    offer: Option<(Kept<'w>, String)>,
    challenge: Option<Kept<'w>>,
    ticket: Option<(Waiting, String, Since)>,
    open: Option<(KeyId, TokenExchange, Peer<'w>)>,
    document: Option<(KeyId, Since)>,
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
            challenge: None,
            ticket: None,
            open: None,
            document: None,
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
            Act::Wait => self.wait(),
            Act::ComeBack => self.come_back(),
            Act::Challenge => self.challenge(),
            Act::Respond => self.respond(),
            Act::Configure => self.configure(),
            Act::Open => self.open(),
            Act::End => self.end(),
            Act::Renew => {
                if let Some(one) = self.registration() {
                    drop(self.register(Credential::Renewal(one.key_id)));
                }
            }
            Act::Certify => drop(self.certify()),
        }
        self.document_is_over_in_time();
    }

    fn server_ahead(&self) -> i64 {
        self.world.time().as_secs() as i64 - (NOW.as_secs() + self.now.time) as i64
    }

    fn pass(&mut self, seconds: u64) {
        self.now.time += seconds;
        self.world.ahead.fetch_add(seconds, Ordering::Relaxed);
        self.hands.clock = self.hands.clock.after(seconds);
    }

    fn jump(&mut self, clock: Clock, by: i64) {
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
            self.ahead = after as i64 - (NOW.as_secs() + self.now.time) as i64;
        }
    }

    fn right(&mut self) {
        self.jump(Clock::Server, -self.server_ahead());
        self.jump(Clock::Token, -self.ahead);
        assert_eq!((self.server_ahead(), self.ahead), (0, 0));
    }

    /// Something has been taken that lasts so long on the server's clock.
    fn lasts(&self, what: &str, since: Since, seconds: u64) {
        let (age, back) = (self.now.time - since.time, self.now.server - since.server);
        assert!(age <= seconds + back + Period::TOLERANCE, "{what}: {age} s, set back by {back} s");
    }

    fn moment(&self) -> Moment {
        Moment::at(self.hands.clock)
    }

    fn registration(&self) -> Option<TokenRegistration> {
        self.hands.token.registrations().unwrap().into_iter().next_back()
    }

    fn new_user(&mut self) {
        self.users += 1;
        self.hands.user = format!("user{}", self.users);
    }

    fn register(&mut self, credential: Credential) -> News {
        match &credential {
            Credential::Renewal(key_id) => self.hands.user = self.names[key_id].clone(),
            Credential::Ticket(_) => {}
            _ => self.new_user(),
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

    fn offer(&mut self) {
        self.new_user();
        let mut peer = self.world.connection();
        let turn = TokenExchange::register(self.world.name(), RegisterOptions::default(), self.moment());
        let reply = self.hands.play(turn);
        let Some(exchange) = reply.next else { return };
        peer.take(&reply.send[0]);
        let since = self.now;
        let reply = self.hands.play(exchange.receive(&peer.pop(), self.moment()));
        if let (Some(exchange), Some(frame)) = (reply.next, reply.send.into_iter().next()) {
            self.offer = Some((Kept { exchange, frame, peer, since }, self.hands.user.clone()));
        }
    }

    fn request(&mut self) {
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

    fn wait(&mut self) {
        self.world.decide(Decision::Wait { retry_after: 60 });
        let since = self.now;
        if let News::Waiting(waiting) = self.register(Credential::None) {
            self.ticket = Some((*waiting, self.hands.user.clone(), since));
        }
        self.world.decide(grant());
    }

    fn come_back(&mut self) {
        let Some((waiting, user, since)) = self.ticket.take() else { return };
        let retry = waiting.retry.left(self.hands.clock);
        assert!(retry <= 60);
        self.hands.user = user;
        if let News::Registered(_) = self.register(Credential::Ticket(waiting)) {
            self.lasts("a ticket", since, HELD);
        }
    }

    fn challenge(&mut self) {
        let Some(one) = self.registration() else { return };
        let mut peer = self.world.connection();
        let reply = self.hands.play(TokenExchange::open(one.key_id, Options::default(), self.moment()));
        peer.take(&reply.send[0]);
        let since = self.now;
        let reply = self.hands.play(reply.next.unwrap().receive(&peer.pop(), self.moment()));
        if let (Some(exchange), Some(frame)) = (reply.next, reply.send.into_iter().next()) {
            self.challenge = Some(Kept { exchange, frame, peer, since });
        }
    }

    fn respond(&mut self) {
        let Some(Kept { exchange, frame, mut peer, since }) = self.challenge.take() else { return };
        peer.take(&frame);
        let answer = peer.pop();
        if answer.get(2) == Some(&11) {
            self.lasts("a challenge", since, 60);
        }
        let turn = exchange.receive(&answer, self.moment());
        let _ = self.hands.talk(turn, &mut peer);
    }

    fn session(&mut self) -> Option<(KeyId, TokenExchange, Peer<'w>)> {
        let key_id = self.registration()?.key_id;
        let mut peer = self.world.connection();
        let turn = TokenExchange::open(key_id, Options::default(), self.moment());
        match self.hands.talk(turn, &mut peer) {
            (News::Opened(_), Some(exchange)) => Some((key_id, exchange, peer)),
            _ => None,
        }
    }

    fn open(&mut self) {
        self.open = self.session();
    }

    /// The right ends: the session serves nothing more after the time that the setting says.
    fn end(&mut self) {
        let Some((key_id, exchange, peer)) = self.open.take() else { return };
        if self.world.store.run(&Suspend(key_id), self.world.time()).is_ok() {
            self.open = Some((key_id, exchange, peer));
            self.serves_for_a_while();
            self.world.store.run(&Resume(key_id), self.world.time()).unwrap();
        }
    }

    /// Data comes through, while the clock jumps, for no longer than it may.
    fn serves_for_a_while(&mut self) {
        let Some((_, mut exchange, mut peer)) = self.open.take() else { return };
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

    fn configure(&mut self) {
        let Some((key_id, exchange, mut peer)) = self.session() else { return };
        let user = self.registration().unwrap().user_id;
        let document = Document { media_type: "text/plain".into(), body: b"x".to_vec() };
        let entitle = Entitle::new(Subject::User(user), application(), document).valid_for(VALID as u32);
        self.world.store.run(&entitle, self.world.time()).unwrap();
        let since = self.now;
        let turn = exchange.configure(application(), UserInformation::default(), self.moment());
        let (news, _) = self.hands.talk(turn, &mut peer);
        assert!(matches!(news, News::Configured(_, Configured::Installed)), "{news:?}");
        self.document = Some((key_id, since));
    }

    fn document_is_over_in_time(&self) {
        let Some((key_id, since)) = self.document else { return };
        let all = self.hands.token.registrations().unwrap();
        let Some(one) = all.iter().find(|one| one.key_id == key_id) else { return };
        let Some(held) = one.configuration(&application()) else { return };
        if held.in_force(self.hands.clock, one.clock_floor) {
            let (age, back) = (self.now.time - since.time, self.now.token - since.token);
            assert!(age <= VALID + back + Period::TOLERANCE, "a document: {age} s, set back by {back} s");
        }
    }

    /// The authority's own clock is right, and a certificate that it issues later ends later.
    fn certify(&self) -> bool {
        let from = UnixTime::from_secs(NOW.as_secs() + self.now.time - 300);
        self.world.certify(Validity::new(from, from.after(2 * DAY)).unwrap()).is_ok()
    }

    /// Both clocks are right again, and nobody has done anything else.
    fn all_is_well_again(&mut self) {
        self.right();
        assert!(self.certify());
        let before = self.registration();
        let news = self.register(Credential::None);
        assert!(matches!(news, News::Registered(_)), "{news:?}");
        if let Some(before) = before {
            // Lost for its time alone, or one that opens a session.
            self.opens(before.key_id);
        }
        self.configure();
        let one = self.registration().unwrap();
        let held = one.configuration(&application()).unwrap();
        assert!(held.in_force(self.hands.clock, one.clock_floor));
        let news = self.register(Credential::Renewal(one.key_id));
        assert!(matches!(news, News::Registered(_)), "{news:?}");
        self.open();
        assert!(self.open.is_some());
    }

    fn opens(&mut self, key_id: KeyId) {
        let turn = TokenExchange::open(key_id, Options::default(), self.moment());
        let (news, _) = self.hands.talk(turn, &mut self.world.connection());
        let lost = matches!(news, News::NotActive(Status::Lost | Status::Expired));
        assert!(lost || matches!(news, News::Opened(_)), "{news:?}");
    }
}

fn jump() -> impl Strategy<Value = i64> {
    let size =
        prop_oneof![1_i64..120, 120_i64..10_000, 10_000_i64..DAY as i64 * 40, Just(DAY as i64 * 365 * 30)];
    (size, any::<bool>()).prop_map(|(size, back)| if back { -size } else { size })
}

fn clock() -> impl Strategy<Value = Clock> {
    prop_oneof![Just(Clock::Server), Just(Clock::Token), Just(Clock::Both)]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => prop_oneof![0_u64..100, 100_u64..2000, 2000_u64..20_000].prop_map(Act::Pass),
        4 => (clock(), jump()).prop_map(|(clock, by)| Act::Jump(clock, by)),
        2 => clock().prop_map(Act::Right),
        1 => Just(Act::Register),
        1 => Just(Act::Offer),
        2 => Just(Act::Request),
        1 => Just(Act::Wait),
        2 => Just(Act::ComeBack),
        1 => Just(Act::Challenge),
        2 => Just(Act::Respond),
        2 => Just(Act::Configure),
        1 => Just(Act::Open),
        1 => Just(Act::End),
        1 => Just(Act::Renew),
        1 => Just(Act::Certify),
    ]
}

fn live(acts: &[Act]) {
    let mut world = World::new();
    Arc::get_mut(&mut world.settings).unwrap().hold_for = HELD as u32;
    let mut life = Life::new(&world);
    life.act(Act::Register);
    for act in acts {
        life.act(*act);
    }
    life.all_is_well_again();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_jump_of_a_clock_prolongs_anything_or_loses_it_for_good(acts in prop::collection::vec(act(), 1..24)) {
        live(&acts);
    }
}

/// Both clocks said the same wrong time, and the server stated it.
#[test]
fn a_time_on_which_both_clocks_agreed_is_no_trap() {
    let decades = DAY as i64 * 365 * 30;
    live(&[Act::Jump(Clock::Both, decades), Act::Configure, Act::Right(Clock::Both)]);
    live(&[Act::Jump(Clock::Server, decades), Act::Configure, Act::Right(Clock::Both)]);
    live(&[Act::Jump(Clock::Both, -decades), Act::Configure, Act::Right(Clock::Both)]);
}

/// A device whose clock says 1970 registers with a certificate of today, and not with one that had expired when its
/// program was released.
#[test]
fn a_blank_token_knows_when_it_was_released() {
    let long_ago = UnixTime::from_secs(0);
    let days = |days: u64| UnixTime::from_secs(UnixTime::RELEASED.as_secs() - days * DAY);
    for clock in [long_ago, days(5), NOW] {
        let world = World::new();
        let mut hands = Hands::new(&world);
        hands.clock = clock;
        let register =
            || TokenExchange::register(world.name(), RegisterOptions::default(), Moment::at(clock));
        // The server's clock is wrong too, or somebody has its keys of then.
        world.ahead.store(days(5).as_secs().wrapping_sub(NOW.as_secs()), Ordering::Relaxed);
        world.certify(Validity::new(days(10), days(1)).unwrap()).unwrap();
        let (news, _) = hands.talk(register(), &mut world.connection());
        let News::Failed(TokenExchangeError::Registration(TokenRegistrationError::Certificate(why))) = news
        else {
            panic!("{news:?}")
        };
        assert!(matches!(why, CertificateError::Expired { .. }), "{clock}: {why}");
        world.ahead.store(0, Ordering::Relaxed);
        let (news, _) = hands.talk(register(), &mut world.connection());
        assert!(matches!(news, News::Registered(_)), "{clock}: {news:?}");
    }
}
