//! One case for each kind of secret: it is found while it is held, and not afterwards.

use crate::memory::{Draws, Known, Needle, Search, on_a_known_stack};
use crate::world::*;
use halfkey::exchange::{DeviceTurn, News, RegisterOptions, TokenExchange};
use halfkey::policy::{Mode, Modes, Policy, SuiteList};
use halfkey::port::token::JoinRequest;
use halfkey::port::{AuthServer, Token};
use halfkey::record::{Record, WaitingRequest};
use halfkey::registration::server::{Decision, Grant};
use halfkey::schedule::KeyUse;
use halfkey::session::token::Options;
use halfkey::software::{PinSettings, SoftwareToken};
use halfkey::suite::{SUITES, Suite, find};
use halfkey::template::{Field, FieldKind, Template};
use halfkey::{AccessPath, Moment, Purpose, RandomSource, Secret, TicketId, UserName};
use std::sync::{Arc, Mutex};

/// A token whose draws are known.
fn token(world: &World, seed: u64) -> (SoftwareToken, Draws) {
    let (random, draws) = Known::new(seed);
    let quick = PinSettings::for_tests();
    let (token, _) =
        SoftwareToken::new(world.anchors.clone(), &"2468".into(), quick, Box::new(random)).unwrap();
    (token, draws)
}

fn hands(world: &World, seed: u64) -> (Hands, Draws) {
    let mut hands = Hands::new(world);
    let (token, draws) = token(world, seed);
    hands.token = token;
    (hands, draws)
}

fn draw(draws: &Draws, place: usize, name: &'static str) -> Needle {
    Needle { name, ..draws.lock().unwrap()[place].clone() }
}

fn lv(part: &[u8]) -> Vec<u8> {
    [&u32::try_from(part.len()).unwrap().to_be_bytes(), part].concat()
}

fn prf(suite: &dyn Suite, key: &Secret, label: &str, x: &[u8]) -> Secret {
    Secret::new(suite.mac(key, &[label.as_bytes(), &[0], x, &[1]]))
}

/// K and what it is made of and makes, as PROTOCOL.md, section 6, says.
fn joined(join: &JoinRequest, ssk1: &Needle) -> Vec<Needle> {
    let suite = find(join.suite).unwrap();
    let digest = suite.hash(&[join.ssk2.expose(), join.transcript.as_bytes()]);
    let j = prf(suite, &ssk1.secret(), "halfkey/1 join", digest.as_bytes());
    let k = suite.extract(j.expose(), &[&join.ss_e, &Secret::absent()]);
    let of = join.context();
    let context = [
        lv(of.certificate.as_bytes()),
        lv(of.server_name.as_str().as_bytes()),
        lv(of.user_id.as_str().as_bytes()),
        lv(of.key_id.as_bytes()),
    ]
    .concat();
    vec![
        Needle::of("K_auth", &prf(suite, &k, "halfkey/1 key auth", &context)),
        Needle::of("K_derive", &prf(suite, &k, "halfkey/1 key derive", &context)),
        Needle::of("K_renew", &prf(suite, &k, "halfkey/1 key renew", &context)),
        Needle::of("ss_e", &join.ss_e),
        Needle::of("SSK2", &join.ssk2),
        Needle::of("K", &k),
        Needle::of("j", &j),
        ssk1.clone(),
    ]
}

/// Registers; `at_join` sees everything while the token is asked to join.
fn register(
    world: &World,
    hands: &mut Hands,
    draws: &Draws,
    at_join: fn(&Search, &[Needle]),
    search: &Search,
) -> Vec<Needle> {
    let needles = Arc::new(Mutex::new(Vec::new()));
    let (seen, draws, stack) = (Arc::clone(&needles), Arc::clone(draws), search.clone());
    let mut ssk1 = None;
    hands.watch = Some(Box::new(move |need| match need {
        DeviceTurn::Encapsulate(_) => ssk1 = Some(draws.lock().unwrap().len()),
        DeviceTurn::Join(need) => {
            let ssk1 = draw(&draws, ssk1.unwrap(), "SSK1");
            let made = joined(need.wanted(), &ssk1);
            at_join(&stack, &made);
            *seen.lock().unwrap() = made;
        }
        _ => {}
    }));
    hands.register(world);
    hands.watch = None;
    let made = needles.lock().unwrap().clone();
    assert_eq!(made.len(), 8);
    made
}

#[test]
fn an_ephemeral_key_is_erased_after_its_time() {
    on_a_known_stack(|search| {
        for (seed, suite) in [(1, 1), (2, 2)] {
            let (random, draws) = Known::new(seed);
            let world = World::with_random(random);
            let offered = SuiteList::from_codes([suite]).unwrap();
            world.keys.offer_material(&offered, NOW).unwrap();
            let key = [draw(&draws, 0, "the ephemeral key")];
            if suite == 2 {
                Hands::new(&world).register(&world);
            }
            search.finds(&key);
            assert!(world.keys.forget(NOW.after(660)).is_some());
            search.finds(&key);
            assert!(world.keys.forget(NOW.after(661)).is_none());
            search.finds_none_of(&key);
        }
    });
}

#[test]
fn a_token_keeps_nothing_of_a_registration_but_its_keys() {
    on_a_known_stack(|search| {
        let world = World::new();
        let (mut hands, draws) = hands(&world, 3);
        let at_join = |search: &Search, needles: &[Needle]| {
            // K and j are made within the join; here they are the test's own, which shows that they can be found.
            let own: Vec<Secret> = needles[5..7].iter().map(Needle::secret).collect();
            search.finds(&needles[3..]);
            drop(own);
        };
        let needles = register(&world, &mut hands, &draws, at_join, search);
        search.finds(&needles[..3]);
        search.finds_none_of(&needles[3..]);
    });
}

#[test]
fn a_locked_token_has_no_key_in_memory() {
    on_a_known_stack(|search| {
        let world = World::new();
        let (mut hands, draws) = hands(&world, 4);
        let mut needles = register(&world, &mut hands, &draws, |_, _| (), search);
        needles.truncate(3);
        needles.push(draw(&draws, 0, "the data key"));
        let Hands { mut token, .. } = hands;
        // The server's store holds the same sub-keys.
        drop(world);
        search.finds(&needles);
        token.lock();
        search.finds_none_of(&needles);
        token.unlock(&"2468".into()).unwrap();
        assert_eq!(token.registrations().unwrap().len(), 1);
        search.finds(&needles);
        drop(token);
        search.finds_none_of(&needles);
    });
}

/// Registers and opens a session in mode `psk`, of which the keys are known.
fn psk_session<'w>(
    world: &'w World,
    hands: &mut Hands,
    options: Options,
) -> (Vec<Needle>, TokenExchange, Peer<'w>) {
    let policy = Policy { modes: Modes::only(Mode::Psk), ..Policy::default() };
    let access_path = AccessPath::new("/staff").unwrap();
    world.decide(Decision::Grant(Grant { user_id: None, access_path, policy }));
    let registration = hands.register(world);
    let question: Arc<Mutex<Option<KeyUse>>> = Arc::default();
    let seen = Arc::clone(&question);
    hands.watch = Some(Box::new(move |need| {
        if let DeviceTurn::Derive(need) = need
            && let KeyUse::Session(_) = need.wanted().key_use
        {
            *seen.lock().unwrap() = Some(need.wanted().key_use);
        }
    }));
    let mut peer = world.connection();
    let turn = TokenExchange::open(registration.key_id, options, moment());
    let (News::Opened(_), Some(exchange)) = hands.talk(turn, &mut peer) else { panic!("no session") };
    let question = question.lock().unwrap().take().unwrap();
    let suite = find(registration.suite).unwrap();
    let d = hands.token.derive(&registration.key_id, &question).unwrap();
    (session_keys(suite, &d), exchange, peer)
}

#[test]
fn a_session_leaves_no_key_behind() {
    on_a_known_stack(|search| {
        let world = World::new();
        let (mut hands, _) = hands(&world, 5);
        let (needles, mut exchange, mut peer) = psk_session(&world, &mut hands, Options::default());
        search.finds(&needles);

        let record = exchange.send(b"hello").unwrap().remove(0);
        assert!(peer.receive(&record).data.is_some());
        peer.close();
        exchange = hands.play(exchange.receive(&peer.pop(), moment())).next.unwrap();
        peer.take(&exchange.close().unwrap()[0]);
        drop((exchange, peer));
        search.finds_none_of(&needles);
    });
}

/// What was sent before stays secret if a session is seized after it has changed its keys.
#[test]
fn a_change_of_keys_leaves_none_of_the_old_ones() {
    on_a_known_stack(|search| {
        let mut world = World::new();
        Arc::get_mut(&mut world.settings).unwrap().rekey_after = 1;
        let (mut hands, _) = hands(&world, 6);
        let options = Options { rekey_after: 1, ..Options::default() };
        let (needles, mut exchange, mut peer) = psk_session(&world, &mut hands, options);
        search.finds(&needles);
        for _ in 0..2 {
            for record in exchange.send(b"to the server").unwrap() {
                drop(peer.receive(&record));
            }
            peer.send(b"to the token");
            while let Some(record) = peer.frames.pop_front() {
                exchange = hands.play(exchange.receive(&record, moment())).next.unwrap();
            }
        }
        search.finds_none_of(&needles);
        drop((exchange, peer));
    });
}

/// In mode `psk-kem` forward secrecy rests on this key, which the token draws for each session.
#[test]
fn a_token_erases_the_ephemeral_key_of_a_session() {
    on_a_known_stack(|search| {
        for (seed, suite) in [(7, 1), (8, 2)] {
            let world = World::new();
            let (mut hands, _) = hands(&world, seed);
            let suites = if suite == 1 { &SUITES[1..] } else { &SUITES[..1] };
            assert_eq!(suites[0].id().code(), suite);
            hands.user = format!("user{suite}");
            let (policy, access_path) = (Policy::default(), AccessPath::new("/staff").unwrap());
            world.decide(Decision::Grant(Grant { user_id: None, access_path, policy }));
            let registering = RegisterOptions { suites, ..RegisterOptions::default() };
            let turn = TokenExchange::register(world.name(), registering, moment());
            let (News::Registered(one), _) = hands.talk(turn, &mut world.connection()) else { panic!() };

            let mut peer = world.connection();
            let options = Options { suites, modes: Modes::only(Mode::PskKem), ..Options::default() };
            let reply = hands.play(TokenExchange::open(one.key_id, options, moment()));
            peer.take(&reply.send[0]);
            // The same draws as of the moment at which S1 is received.
            let drawn = || Moment::new(NOW, &mut Known::new(seed + 100).0);
            let mut key = Box::new([0; 32]);
            drawn().fill_for(Purpose::Kem, &mut *key);
            let needles = [Needle::take("sk_e", &mut key)];
            let reply = hands.play(reply.next.unwrap().receive(&peer.pop(), drawn()));
            peer.take(&reply.send[0]);
            search.finds(&needles);
            let reply = hands.play(reply.next.unwrap().receive(&peer.pop(), moment()));
            assert!(matches!(reply.news, Some(News::Opened(_))));
            search.finds_none_of(&needles);
            drop((reply, peer));
        }
    });
}

/// What is written into a buffer that has to grow is left in none of the smaller ones.
#[test]
fn a_buffer_that_grows_leaves_no_copy() {
    on_a_known_stack(|search| {
        let field = |n: u8| Field::optional(&format!("note{n}"), FieldKind::Text { max_len: 4000 });
        let fields = [Field::required("name", FieldKind::UserName), field(1), field(2), field(3)];
        let long = "x".repeat(4000);
        let notes = ["note1", "note2", "note3"].map(|note| (note, long.as_str().into()));
        let name = [("name", "alice".into())];
        let form = Template::new(fields.into()).unwrap().fill(name.into_iter().chain(notes)).unwrap();
        let (ticket, needle) = {
            let (mut random, draws) = Known::new(9);
            (Secret::random(&mut random), draw(&draws, 0, "the ticket"))
        };
        let request = WaitingRequest {
            ticket_id: TicketId::new([1; 16]),
            ticket,
            name: UserName::new("alice").unwrap(),
            form,
            takes: None,
            hold_until: NOW,
        };
        let bytes = request.to_bytes();
        assert!(bytes.len() > 12_000, "it has grown");
        search.finds(std::slice::from_ref(&needle));
        drop((request, bytes));
        search.finds_none_of(&[needle]);
    });
}

/// d, which is prk in mode `psk`, and the keys of both directions.
fn session_keys(suite: &dyn Suite, d: &Secret) -> Vec<Needle> {
    let mut ses = Box::new([[0; 32]; 3]);
    suite.expand(d, &[b"halfkey/1 session key", &[0]], ses.as_flattened_mut());
    let [_, s2t, t2s] = &mut *ses;
    vec![Needle::of("d", d), Needle::take("the server's key", s2t), Needle::take("the token's key", t2s)]
}
