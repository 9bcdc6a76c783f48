//! Every state of a token's exchange, times every message: a typed outcome, and nothing lost by it.

use crate::world::*;
use halfkey::exchange::{News, TokenExchange};
use halfkey::message::UserInformation;
use halfkey::port::Token;
use halfkey::port::question::StoreQuestion;
use halfkey::session::server::{AwaitResponse, Entry, Established, receive_open};
use halfkey::session::token::Options;
use halfkey::session::{Content, MAX_RECORD};
use halfkey::{ErrorReason, SystemRandom};

/// The states, by what they wait for; the last has closed its own direction.
const STATES: [&str; 8] = ["R1", "R3", "R5", "S1", "S3", "record", "C1", "close"];

/// A token in that state, with the honest frame on its way to it.
fn reach<'w>(state: &str, world: &'w World, user: String) -> (Hands, TokenExchange, Peer<'w>) {
    let mut hands = Hands { user, ..Hands::new(world) };
    let mut peer = world.connection();
    let rounds = match state {
        "R1" => 0,
        "R3" => 1,
        "R5" => 2,
        _ => return reach_session(state, world, hands, peer),
    };
    let mut reply = hands.play(world.register());
    for _ in 0..rounds {
        peer.take(&reply.send[0]);
        reply = hands.play(reply.next.unwrap().receive(&peer.pop(), moment()));
    }
    peer.take(&reply.send[0]);
    (hands, reply.next.unwrap(), peer)
}

fn reach_session<'w>(
    state: &str,
    world: &'w World,
    mut hands: Hands,
    mut peer: Peer<'w>,
) -> (Hands, TokenExchange, Peer<'w>) {
    let key_id = hands.register(world).key_id;
    let mut reply = hands.play(TokenExchange::open(key_id, Options::default(), moment()));
    peer.take(&reply.send[0]);
    if state == "S1" {
        return (hands, reply.next.unwrap(), peer);
    }
    reply = hands.play(reply.next.unwrap().receive(&peer.pop(), moment()));
    peer.take(&reply.send[0]);
    if state == "S3" {
        return (hands, reply.next.unwrap(), peer);
    }
    reply = hands.play(reply.next.unwrap().receive(&peer.pop(), moment()));
    let mut exchange = reply.next.unwrap();
    match state {
        "record" => peer.send(b"hello"),
        "C1" => {
            let turn = exchange.configure(application(), UserInformation::default(), moment());
            let reply = hands.play(turn);
            peer.take(&reply.send[0]);
            exchange = reply.next.unwrap();
        }
        _ => {
            peer.take(&exchange.close().unwrap()[0]);
            peer.close();
        }
    }
    (hands, exchange, peer)
}

/// Goes on to the good end that the state leads to.
fn goes_on(state: &str, hands: &mut Hands, exchange: TokenExchange, peer: &mut Peer<'_>) {
    let turn = exchange.receive(&peer.pop(), moment());
    match state {
        "R1" | "R3" | "R5" => {
            let (news, _) = hands.talk(turn, peer);
            assert!(matches!(news, News::Registered(_)), "{state}: {news:?}");
        }
        "S1" | "S3" => {
            let (news, _) = hands.talk(turn, peer);
            assert!(matches!(news, News::Opened(_)), "{state}: {news:?}");
        }
        "record" => assert_eq!(hands.play(turn).data.unwrap().as_slice(), b"hello"),
        "C1" => assert!(matches!(hands.play(turn).news, Some(News::Configured(..)))),
        _ => assert!(hands.play(turn).closed),
    }
}

/// One frame of each kind, from other conversations with the same server.
pub fn messages(world: &World) -> Vec<(&'static str, Vec<u8>)> {
    let mut frames = Vec::new();
    let mut hands = Hands::new(world);
    let mut peer = world.connection();
    hands.user = "Bob".into();
    let mut reply = hands.play(world.register());
    for (up, down) in [("R0", "R1"), ("R2", "R3"), ("R4", "R5")] {
        frames.push((up, reply.send[0].clone()));
        peer.take(&reply.send[0]);
        let frame = peer.pop();
        frames.push((down, frame.clone()));
        reply = hands.play(reply.next.unwrap().receive(&frame, moment()));
    }
    let key_id = hands.token.registrations().unwrap()[0].key_id;
    reply = hands.play(TokenExchange::open(key_id, Options::default(), moment()));
    for (up, down) in [("S0", "S1"), ("S2", "S3")] {
        frames.push((up, reply.send[0].clone()));
        peer.take(&reply.send[0]);
        let frame = peer.pop();
        frames.push((down, frame.clone()));
        reply = hands.play(reply.next.unwrap().receive(&frame, moment()));
    }
    peer.send(b"data");
    frames.push(("data", peer.pop()));
    peer.push("document", 3);
    frames.push(("C1", peer.pop()));
    peer.close();
    frames.push(("close", peer.pop()));
    let (_, mut peer) = hands.open(world);
    drop(peer.end());
    frames.push(("status", peer.pop()));
    for (name, reason) in
        [("refused", ErrorReason::Refused), ("restart", ErrorReason::Restart), ("busy", ErrorReason::Busy)]
    {
        frames.push((name, reason.frame().into_bytes()));
    }
    frames.push(("garbage", b"\x9f\x00garbage".to_vec()));
    frames.push(("empty", Vec::new()));
    frames.push(("long", vec![0xA5; MAX_RECORD + 1]));
    frames
}

/// The error's name, with a plus where the exchange goes on.
fn cell(news: Option<News>, goes_on: bool) -> String {
    let name = match news {
        Some(News::Failed(error)) => {
            let text = format!("{error:?}");
            let words: Vec<_> = text.split(['(', ' ', ')', '{']).collect();
            words[1].to_owned()
        }
        Some(news) => format!("{news:?}"),
        None => "-".to_owned(),
    };
    format!("{name}{}", if goes_on { "+" } else { "" })
}

const TABLE: &str = "\
R1: R0=Wire R1=Signature R2=Wire R3=Wire R4=Wire R5=Wire S0=Wire S1=Wire S2=Wire S3=Wire data=Wire \
    C1=Wire close=Wire status=Wire refused=ErrorMessage restart=ErrorMessage busy=ErrorMessage garbage=Wire \
    empty=Wire long=Wire
R3: R0=Wire+ R1=Wire+ R2=Wire+ R3=WrongRun+ R4=Wire+ R5=Wire+ S0=Wire+ S1=Wire+ S2=Wire+ S3=Wire+ \
    data=Wire+ C1=Wire+ close=Wire+ status=Wire+ refused=ErrorMessage+ restart=-+ busy=ErrorMessage+ \
    garbage=Wire+ empty=Wire+ long=Wire+
R5: R0=Wire+ R1=Wire+ R2=Wire+ R3=Wire+ R4=Wire+ R5=WrongRun+ S0=Wire+ S1=Wire+ S2=Wire+ S3=Wire+ \
    data=Wire+ C1=Wire+ close=Wire+ status=Wire+ refused=ErrorMessage+ restart=ErrorMessage+ busy=ErrorMessage+ \
    garbage=Wire+ empty=Wire+ long=Wire+
S1: R0=Wire R1=Wire R2=Wire R3=Wire R4=Wire R5=Wire S0=Wire S1=-+ S2=Wire S3=Wire data=Wire C1=Wire \
    close=Wire status=Wire refused=-+ restart=Refused busy=Refused garbage=Wire empty=Wire long=Wire
S3: R0=Wire R1=Wire R2=Wire R3=Wire R4=Wire R5=Wire S0=Wire S1=Wire S2=Wire S3=WrongProof data=Wire \
    C1=Wire close=Wire status=Wire refused=-+ restart=Refused busy=Refused garbage=Wire empty=Wire long=Wire
record: R0=Broken R1=Broken R2=Broken R3=Broken R4=Broken R5=Broken S0=Broken S1=Broken S2=Broken \
    S3=Broken data=Broken C1=Broken close=Broken status=Broken refused=Broken restart=Broken busy=Broken \
    garbage=Broken empty=Broken long=Broken
C1: R0=Broken R1=Broken R2=Broken R3=Broken R4=Broken R5=Broken S0=Broken S1=Broken S2=Broken \
    S3=Broken data=Broken C1=Broken close=Broken status=Broken refused=Broken restart=Broken busy=Broken \
    garbage=Broken empty=Broken long=Broken
close: R0=Broken R1=Broken R2=Broken R3=Broken R4=Broken R5=Broken S0=Broken S1=Broken S2=Broken \
    S3=Broken data=Broken C1=Broken close=Broken status=Broken refused=Broken restart=Broken busy=Broken \
    garbage=Broken empty=Broken long=Broken
";

#[test]
fn every_message_in_every_state_has_its_outcome_and_costs_nothing() {
    let world = World::new();
    let messages = messages(&world);
    let mut table = String::new();
    for state in STATES {
        table += state;
        table += ":";
        for (name, frame) in &messages {
            let (mut hands, exchange, mut peer) = reach(state, &world, format!("{state}-{name}"));
            let reply = hands.play(exchange.receive(frame, moment()));
            assert!(reply.data.is_none() && !reply.closed, "{state} {name}");
            table += &format!(" {name}={}", cell(reply.news, reply.next.is_some()));
            match reply.next {
                Some(next) if reply.send.is_empty() => goes_on(state, &mut hands, next, &mut peer),
                // Nobody vouches for S1 and E0: S2 goes out, S0 with the key id, or R0 for another offer.
                Some(_) => {
                    let answered = [("S1", "S1"), ("S1", "refused"), ("S3", "refused"), ("R3", "restart")];
                    assert!(answered.contains(&(state, name)));
                    assert_eq!(reply.send.len(), 1);
                    begins_again(&mut hands, &world);
                }
                None => begins_again(&mut hands, &world),
            }
        }
        table += "\n";
    }
    assert_eq!(table, TABLE, "\n{table}");
}

/// Whatever the state was: the token has lost nothing.
fn begins_again(hands: &mut Hands, world: &World) {
    hands.recover(world);
    if hands.token.registrations().unwrap().is_empty() {
        hands.register(world);
    }
    let _ = hands.open(world);
}

/// A server's end by the typed steps, so that a test has its channel.
fn opened(world: &World, hands: &mut Hands) -> (TokenExchange, Established) {
    let key_id = hands.register(world).key_id;
    let reply = hands.play(TokenExchange::open(key_id, Options::default(), moment()));
    let need = receive_open(&reply.send[0], &world.settings).unwrap();
    let found = need.wanted().ask(&world.store, NOW).unwrap();
    let step = need.supply(found, NOW, &mut SystemRandom).unwrap();
    let state: AwaitResponse = step.next;
    let reply = hands.play(reply.next.unwrap().receive(step.send.as_bytes(), moment()));
    let need = state.receive_response(&reply.send[0], NOW, &mut SystemRandom).unwrap();
    let admitted = need.wanted().ask(&world.store, NOW).unwrap();
    let step = need.supply(admitted, NOW).unwrap();
    let Entry::Session(session) = step.next else { panic!() };
    let reply = hands.play(reply.next.unwrap().receive(step.send.as_bytes(), moment()));
    assert!(matches!(reply.news, Some(News::Opened(_))));
    (reply.next.unwrap(), session)
}

#[test]
fn records_of_every_kind_in_an_open_session() {
    let world = World::new();
    let mut hands = Hands::new(&world);
    let (exchange, mut server) = opened(&world, &mut hands);
    let rekey = server.channel.rekey().unwrap();
    let reply = hands.play(exchange.receive(&rekey, moment()));
    assert!(reply.news.is_none() && reply.data.is_none() && !reply.closed && reply.send.is_empty());
    let data = server.channel.seal(Content::Data, b"after").unwrap();
    let reply = hands.play(reply.next.unwrap().receive(&data, moment()));
    assert_eq!(reply.data.unwrap().as_slice(), b"after");
    // E0 in a session is for a request, and costs no session.
    let busy = ErrorReason::Busy.frame();
    let busy = server.channel.seal(Content::Configuration, busy.as_bytes()).unwrap();
    let reply = hands.play(reply.next.unwrap().receive(&busy, moment()));
    assert_eq!(cell(reply.news, reply.next.is_some()), "ErrorMessage+");
    let close = server.channel.close().unwrap();
    let reply = hands.play(reply.next.unwrap().receive(&close, moment()));
    assert!(reply.closed && reply.send.is_empty());
    // The other direction is open still.
    let mut exchange = reply.next.unwrap();
    assert_eq!(exchange.finish(), Ok(()));
    for record in exchange.send(b"the rest").unwrap() {
        server.channel.open(&record).unwrap();
    }
    // A message of the configuration flow that breaks the protocol ends the session.
    let mut hands = Hands::new(&world);
    hands.user = "Bob".into();
    let (exchange, mut server) = opened(&world, &mut hands);
    let nonsense = server.channel.seal(Content::Configuration, b"nonsense").unwrap();
    let reply = hands.play(exchange.receive(&nonsense, moment()));
    assert_eq!((cell(reply.news, reply.next.is_some()).as_str(), reply.send.len()), ("Wire", 1));
    server.channel.open(&reply.send[0]).unwrap();
    assert!(server.channel.is_closed_by_peer());
}
