//! Both clocks jump, ahead and back, by seconds and by decades, through whole lives.
//!
//! Nothing outlives its length of running time by more than its clock was set back meanwhile, and
//! [`Period::TOLERANCE`]; nothing that an operator has set an end to is served after it, by the server's own clock;
//! no challenge is answered twice; and nothing is lost for good: once both clocks are right again, and the authority
//! has renewed the certificate, the token registers, renews, opens a session and gets its configuration.

mod life;
mod registering;
mod serving;

use crate::world::*;
use halfkey::certificate::{CertificateError, Validity};
use halfkey::exchange::{News, RegisterOptions, TokenExchange, TokenExchangeError};
use halfkey::registration::TokenRegistrationError;
use halfkey::{Moment, UnixTime};
use life::live;
use proptest::prelude::*;
use std::sync::atomic::Ordering;

const DAY: u64 = 86_400;

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
    /// R0 to R3; R4 is kept back.
    Join,
    /// R4 leaves.
    Confirm,
    /// The operator issues a code that is good for so many seconds.
    Issue(u64),
    /// A registration by the code.
    Redeem,
    /// A request that the operator lets wait.
    Wait,
    /// The token comes back with its ticket.
    ComeBack,
    /// S0 and S1; S2 is kept back.
    Challenge,
    /// S0 and S1 of a server that keeps no challenges; S2 is kept back.
    Park,
    /// S2 leaves.
    Respond,
    /// Every S2 that was answered comes again.
    Replay,
    /// A session and a configuration that may be used for so many seconds.
    Configure(u32),
    /// A session.
    Open,
    /// The right of the open session ends.
    End,
    /// The operator sets the end of the registration, so many seconds from now.
    Expire(u64),
    /// The operator purges the store.
    Purge,
    /// A renewal of the key.
    Renew,
    /// The authority renews the certificate.
    Certify,
}

fn jump() -> impl Strategy<Value = i64> {
    let size =
        prop_oneof![1_i64..120, 120_i64..10_000, 10_000_i64..DAY as i64 * 40, Just(DAY as i64 * 365 * 30)];
    (size, any::<bool>()).prop_map(|(size, back)| if back { -size } else { size })
}

fn clock() -> impl Strategy<Value = Clock> {
    prop_oneof![Just(Clock::Server), Just(Clock::Token), Just(Clock::Both)]
}

fn length() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..100, 100_u64..2000, 2000_u64..20_000]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => length().prop_map(Act::Pass),
        4 => (clock(), jump()).prop_map(|(clock, by)| Act::Jump(clock, by)),
        2 => clock().prop_map(Act::Right),
        1 => Just(Act::Register),
        1 => Just(Act::Offer),
        2 => Just(Act::Request),
        1 => Just(Act::Join),
        2 => Just(Act::Confirm),
        1 => length().prop_map(Act::Issue),
        2 => Just(Act::Redeem),
        1 => Just(Act::Wait),
        2 => Just(Act::ComeBack),
        1 => Just(Act::Challenge),
        2 => Just(Act::Park),
        3 => Just(Act::Respond),
        2 => Just(Act::Replay),
        2 => prop_oneof![Just(600), Just(3600), Just(100_000)].prop_map(Act::Configure),
        1 => Just(Act::Open),
        1 => Just(Act::End),
        1 => length().prop_map(Act::Expire),
        1 => Just(Act::Purge),
        1 => Just(Act::Renew),
        1 => Just(Act::Certify),
    ]
}

/// Lives that are lived; `HALFKEY_LIVES` says otherwise.
fn lives(usual: u32) -> ProptestConfig {
    let cases = std::env::var("HALFKEY_LIVES").ok().and_then(|lives| lives.parse().ok()).unwrap_or(usual);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

#[test]
fn no_jump_of_a_clock_prolongs_anything_or_loses_it_for_good() {
    proptest!(lives(64), |(acts in prop::collection::vec(act(), 1..28))| live(World::new(), &acts));
}

#[cfg(feature = "sqlite")]
#[test]
fn nor_does_any_in_sqlite() {
    use halfkey::Secret;
    use halfkey::sqlite::Store;
    use halfkey::store::{StorageKeys, UniqueNames};

    let directory = std::env::temp_dir().join(format!("halfkey-clocks-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let number = std::cell::Cell::new(0);
    proptest!(lives(12), |(acts in prop::collection::vec(act(), 1..28))| {
        number.set(number.get() + 1);
        let path = directory.join(number.get().to_string());
        let keys = StorageKeys::new(Secret::new([0xA7; 32]));
        let file = Some(Store::create(path, keys, UniqueNames::Always).unwrap());
        live(World { file, ..World::new() }, &acts);
    });
    std::fs::remove_dir_all(&directory).unwrap();
}

/// Both clocks said the same wrong time, and the server stated it.
#[test]
fn a_time_on_which_both_clocks_agreed_is_no_trap() {
    let decades = DAY as i64 * 365 * 30;
    live(World::new(), &[Act::Jump(Clock::Both, decades), Act::Configure(3600), Act::Right(Clock::Both)]);
    live(World::new(), &[Act::Jump(Clock::Server, decades), Act::Configure(3600), Act::Right(Clock::Both)]);
    live(World::new(), &[Act::Jump(Clock::Both, -decades), Act::Configure(3600), Act::Right(Clock::Both)]);
}

/// A challenge that was answered is not answered again when its minute comes again.
#[test]
fn no_challenge_is_answered_twice() {
    let day = DAY as i64;
    for tidy in [Act::Register, Act::Purge] {
        let ahead = [Act::Park, Act::Respond, Act::Jump(Clock::Server, day), tidy, Act::Right(Clock::Server)];
        let back = [Act::Park, Act::Respond, Act::Pass(DAY), tidy, Act::Jump(Clock::Server, -day)];
        for acts in [ahead, back] {
            live(World::new(), &[&acts[..], &[Act::Replay]].concat());
        }
    }
}

/// Ends that operators set are ends by the server's clock, and no others.
#[test]
fn dates_are_kept_and_a_wrong_clock_ends_nothing_for_good() {
    let decades = DAY as i64 * 365 * 30;
    for acts in [
        [Act::Issue(3000), Act::Jump(Clock::Server, decades), Act::Redeem, Act::Register],
        [Act::Issue(3000), Act::Pass(3001), Act::Jump(Clock::Server, -2), Act::Redeem],
        [Act::Issue(3000), Act::Pass(3001), Act::Redeem, Act::Register],
        [Act::Expire(3000), Act::Jump(Clock::Server, decades), Act::Open, Act::Register],
        [Act::Expire(10), Act::Jump(Clock::Server, -decades), Act::Open, Act::End],
        [Act::Expire(10), Act::Open, Act::Jump(Clock::Both, decades), Act::Configure(600)],
        [Act::Join, Act::Jump(Clock::Server, 2999), Act::Confirm, Act::Open],
        [Act::Join, Act::Pass(3001), Act::Confirm, Act::Open],
        [Act::Join, Act::Pass(3001), Act::Open, Act::Confirm],
        [Act::Join, Act::Jump(Clock::Both, decades), Act::Confirm, Act::Right(Clock::Both)],
    ] {
        live(World::new(), &acts);
    }
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
