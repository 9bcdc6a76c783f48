//! One case for each kind of secret: it is found while it is held, and not afterwards.

use crate::memory::{Draws, Known, Needle, Search, on_a_known_stack};
use crate::world::*;
use halfkey::exchange::DeviceTurn;
use halfkey::policy::{Mode, Modes, Policy, SuiteList};
use halfkey::port::token::JoinRequest;
use halfkey::port::{AuthServer, Token};
use halfkey::registration::server::{Decision, Grant};
use halfkey::schedule::KeyUse;
use halfkey::software::{PinSettings, SoftwareToken};
use halfkey::suite::{Suite, find};
use halfkey::{AccessPath, KeyId, Secret};
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

#[test]
fn a_session_leaves_no_key_behind() {
    on_a_known_stack(|search| {
        let world = World::new();
        let policy = Policy { modes: Modes::only(Mode::Psk), ..Policy::default() };
        let access_path = AccessPath::new("/staff").unwrap();
        world.decide(Decision::Grant(Grant { user_id: None, access_path, policy }));
        let (mut hands, _) = hands(&world, 5);
        hands.register(&world);
        let question: Arc<Mutex<Option<(KeyId, KeyUse)>>> = Arc::default();
        let seen = Arc::clone(&question);
        hands.watch = Some(Box::new(move |need| {
            if let DeviceTurn::Derive(need) = need
                && let KeyUse::Session(_) = need.wanted().key_use
            {
                *seen.lock().unwrap() = Some((need.wanted().key_id, need.wanted().key_use));
            }
        }));
        let (mut exchange, mut peer) = hands.open(&world);
        let (key_id, question) = question.lock().unwrap().take().unwrap();
        let suite = find(hands.token.registrations().unwrap()[0].suite).unwrap();
        let needles = session_keys(suite, &hands.token.derive(&key_id, &question).unwrap());
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

/// d, which is prk in mode `psk`, and the keys of both directions.
fn session_keys(suite: &dyn Suite, d: &Secret) -> Vec<Needle> {
    let mut ses = Box::new([[0; 32]; 3]);
    suite.expand(d, &[b"halfkey/1 session key", &[0]], ses.as_flattened_mut());
    let [_, s2t, t2s] = &mut *ses;
    vec![Needle::of("d", d), Needle::take("the server's key", s2t), Needle::take("the token's key", t2s)]
}
