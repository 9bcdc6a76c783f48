//! A small world of 1996: an authority, two servers that it certified, tokens, and sessions between
//! them.

use crate::common::Counting;
use halfkey::certificate::{IssuerName, Validity};
use halfkey::historic::registration::authority::{assign, embed};
use halfkey::historic::registration::server::{NeedAccessPath, Registered, Server};
use halfkey::historic::registration::token::{AwaitGrant, BlankToken};
use halfkey::historic::registration::{Application, Call, Grant, Offer, Token};
use halfkey::historic::session::{self, Challenge, Proof, claims, description, earlier};
use halfkey::historic::{Cipher, Combiner, Key, Step};
use halfkey::key::IssuerKey;
use halfkey::memory::Authority;
use halfkey::template::{Field, FieldKind, Form, Template};
use halfkey::{AccessPath, RandomSource, ServerName, UnixTime};
use std::sync::OnceLock;

pub(crate) const NOW: UnixTime = UnixTime::from_secs(850_000_000);
pub(crate) const PIN: &str = "8472";

/// Returns a random source of its own for every number.
pub(crate) fn fixed(seed: u64) -> Counting {
    Counting::of(seed.to_be_bytes())
}

/// A random source that remembers what it gave last.
pub(crate) struct Recorder {
    pub(crate) random: Counting,
    pub(crate) last: Vec<u8>,
}

impl RandomSource for Recorder {
    fn fill(&mut self, out: &mut [u8]) {
        self.random.fill(out);
        self.last = out.to_vec();
    }
}

pub(crate) struct World {
    pub(crate) blank: BlankToken,
    /// `gate.example`, the honest one.
    pub(crate) gate: Server,
    /// `shop.example`: certified as well, and not always honest.
    pub(crate) shop: Server,
}

pub(crate) fn name(name: &str) -> ServerName {
    ServerName::new(name).unwrap()
}

pub(crate) fn authority(seed: u64) -> Authority {
    let key = IssuerKey::generate_ed25519(&mut fixed(seed)).unwrap();
    Authority::root(IssuerName::common_name("Token Issuer").unwrap(), key).unwrap()
}

pub(crate) fn validity() -> Validity {
    Validity::new(UnixTime::from_secs(849_000_000), UnixTime::from_secs(880_000_000)).unwrap()
}

pub(crate) fn template() -> Template {
    let fields = [Field::required("name", FieldKind::UserName), Field::optional("age", FieldKind::Boolean)];
    Template::new(fields.into()).unwrap()
}

/// RSA keys take a while: one world for all tests.
pub(crate) fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let mut authority = authority(1);
        let mut server = |server, seed| {
            let random = &mut fixed(seed);
            Server::new(assign(&mut authority, &name(server), 2048, validity(), random).unwrap(), template())
        };
        let (gate, shop) = (server("gate.example", 2), server("shop.example", 3));
        World { blank: embed(&authority).unwrap(), gate, shop }
    })
}

pub(crate) fn form(user: &str) -> Form {
    template().fill([("name", user.into())]).unwrap()
}

pub(crate) fn path(path: &str) -> AccessPath {
    AccessPath::new(path).unwrap()
}

/// Steps 80 to 130: what `user` sends to `server`.
pub(crate) fn apply<H: Cipher>(
    server: &Server,
    server_name: &str,
    user: &str,
    random: &mut dyn RandomSource,
) -> Step<Application, AwaitGrant<H>> {
    let call: Step<Call, _> = world().blank.call(&name(server_name));
    let offer: Offer = server.receive_call(&call.send);
    call.next.receive_offer(&offer, NOW).unwrap().supply(&form(user), random).unwrap()
}

/// A whole registration (steps 80 to 200): the token and the server's row.
pub(crate) fn register<H: Cipher, C: Cipher>(
    server: &Server,
    server_name: &str,
    user: &str,
    combiner: Combiner,
    random: &mut dyn RandomSource,
) -> (Token<C>, Registered<C>) {
    let application = apply::<H>(server, server_name, user, random);
    let need: NeedAccessPath<H> = server.receive_application(&application.send, random).unwrap();
    assert_eq!(need.wanted().as_str(), user);
    let grant: Step<Grant, _> = need.supply(&path("/guest/alice"), combiner, random).unwrap();
    (application.next.receive_grant(&grant.send, combiner, PIN).unwrap(), grant.next)
}

/// Messages of a session, with the response in the reading's own form.
pub(crate) struct Recording<R> {
    pub(crate) challenge: Challenge,
    pub(crate) response: R,
    pub(crate) proof: Proof,
}

/// A session in the description's reading: the recording, and the key on both sides.
pub(crate) fn by_description<C: Cipher>(
    key: &Key<C>,
    random: &mut dyn RandomSource,
) -> (Recording<description::Response>, Key<C>, Key<C>) {
    let server = session::challenge::<C>(random);
    let client = description::respond(key, &server.send, random).unwrap();
    let proof = description::receive_response(server.next, key, &client.send).unwrap();
    let at_client = client.next.receive_proof(&proof.send).unwrap();
    let wire = Recording { challenge: server.send, response: client.send, proof: proof.send };
    (wire, at_client, proof.next)
}

/// The same in the claims' reading.
pub(crate) fn by_claims<C: Cipher>(
    key: &Key<C>,
    one_way: claims::OneWay,
    random: &mut dyn RandomSource,
) -> (Recording<claims::Response>, Key<C>, Key<C>) {
    let server = session::challenge::<C>(random);
    let client = claims::respond(key, &server.send, one_way, random).unwrap();
    let proof = claims::receive_response(server.next, key, &client.send, one_way).unwrap();
    let at_client = client.next.receive_proof(&proof.send).unwrap();
    let wire = Recording { challenge: server.send, response: client.send, proof: proof.send };
    (wire, at_client, proof.next)
}

/// The same in the reading of the earlier application.
pub(crate) fn by_earlier<C: Cipher>(
    key: &Key<C>,
    random: &mut dyn RandomSource,
) -> (Recording<claims::Response>, Key<C>, Key<C>) {
    let server = session::challenge::<C>(random);
    let client = earlier::respond(key, &server.send, random).unwrap();
    let proof = earlier::receive_response(server.next, key, &client.send).unwrap();
    let at_client = client.next.receive_proof(&proof.send).unwrap();
    let wire = Recording { challenge: server.send, response: client.send, proof: proof.send };
    (wire, at_client, proof.next)
}

/// A random key of any cipher, as a registration would leave it on both sides.
pub(crate) fn key<C: Cipher>(seed: u64) -> Key<C> {
    Key::generate(&mut fixed(seed)).unwrap()
}
