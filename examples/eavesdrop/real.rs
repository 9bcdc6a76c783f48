//! The second part: the same with the real protocol.

use crate::{DOOR_CODE, Heard};
use halfkey::certificate::{CertificateRequest, IssuerName, Validity};
use halfkey::configuration::UserInformation;
use halfkey::configuration::token::{Applying, Instruction};
use halfkey::driver::Acceptor;
use halfkey::exchange::{Configured, News, RegisterOptions, ServerExchange, TokenExchange, TokenTurn};
use halfkey::key::{IssuerKey, KemPrivateKey, OfferKey};
use halfkey::memory::{Authority, Server, Store};
use halfkey::policy::{Policy, SuiteList};
use halfkey::port::entitlement_store::Document;
use halfkey::port::{CertificateAuthority, Token};
use halfkey::registration::server::{Decision, EnrolmentRequest, Grant};
use halfkey::registration::token::Credential;
use halfkey::session::token::Options;
use halfkey::software::{PinSettings, SoftwareToken};
use halfkey::store::Subject;
use halfkey::store::operation::Entitle;
use halfkey::suite::{Suite, XWING};
use halfkey::template::{Field, FieldKind, Template};
use halfkey::{
    AccessPath, ApplicationName, Moment, Secret, ServerName, ServerSettings, SystemRandom, UnixTime,
};
use std::collections::VecDeque;
use std::error::Error;
use std::sync::Arc;

/// The wire between a token and a server, with a recorder on it.
struct Wire<'a> {
    token: &'a mut dyn Token,
    acceptor: &'a Acceptor,
    /// The server's end; `None` once the conversation is over.
    server: Option<ServerExchange>,
    heard: Vec<(&'static str, Vec<u8>)>,
}

/// The peer's name for the server.
const PEER: &[u8] = b"alice's computer";

impl Wire<'_> {
    /// Plays a turn of the token's, and carries frames to and fro until there is news.
    fn play(&mut self, mut turn: TokenTurn) -> Result<(News, Option<TokenExchange>), Box<dyn Error>> {
        let mut down = VecDeque::new();
        loop {
            turn = match turn {
                TokenTurn::Device(need) => need.ask_all(self.token),
                TokenTurn::User(need) => {
                    let (_, template, _) = need.wanted();
                    let form = template.fill([("name", "alice".into())])?;
                    need.supply(form, Credential::None)?
                }
                TokenTurn::Client(need) => {
                    let (_, instruction) = need.wanted();
                    let arrived = matches!(instruction, Instruction::Install(document) if document.body == DOOR_CODE.as_bytes());
                    need.supply(if arrived { Applying::Applied } else { Applying::Failed })
                }
                TokenTurn::Done(reply) => {
                    for frame in &reply.send {
                        down.extend(self.carry(frame)?);
                    }
                    match (reply.news, reply.next) {
                        (Some(News::Failed(error)), _) => return Err(error.into()),
                        (Some(news), next) => return Ok((news, next)),
                        (None, Some(next)) => {
                            let frame = down.pop_front().ok_or("the server says nothing")?;
                            next.receive(&frame, Moment::now())
                        }
                        (None, None) => return Err("the server has ended the conversation".into()),
                    }
                }
            };
        }
    }

    /// Carries one frame up, and gives those that come down.
    fn carry(&mut self, frame: &[u8]) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
        self.heard.push(("client", frame.to_vec()));
        let server = self.server.take().ok_or("the server has hung up")?;
        let reply = self.acceptor.answer(server, PEER, frame);
        self.heard.extend(reply.send.iter().map(|frame| ("server", frame.clone())));
        self.server = reply.next;
        Ok(reply.send)
    }
}

/// Registers Alice, opens a session and configures her system in it: what was heard of the session.
pub(crate) fn session() -> Result<Vec<Heard>, Box<dyn Error>> {
    let (random, now) = (&mut SystemRandom, UnixTime::now());

    // An authority, a certified server with its database, and a blank token.
    let mut authority =
        Authority::root(IssuerName::common_name("Token Issuer")?, IssuerKey::generate_ed25519(random)?)?;
    let name = ServerName::new("gate.example")?;
    let (kem_key, offer_key) = (KemPrivateKey::generate(2048, random)?, OfferKey::generate(random));
    let request = CertificateRequest::sign(&name, kem_key.public(), &SuiteList::all(), &offer_key)?;
    let chain = authority.issue(&request, Validity::lasting(now, 86_400)?, random)?;
    let template = Template::new(vec![Field::required("name", FieldKind::UserName)])?;
    let mut master = [0; Secret::LEN];
    halfkey::RandomSource::fill(random, &mut master);
    let settings = ServerSettings::new(name.clone(), template, &Secret::new(master));
    let server = Server::new(&settings, &chain, kem_key, offer_key, SystemRandom)?;
    let (store, path) = (Arc::new(Store::new()), AccessPath::new("/users/alice")?);
    let grant = Grant { user_id: None, access_path: path.clone(), policy: Policy::default() };
    let settings = Arc::new(settings);
    let acceptor = Acceptor::builder(settings.clone(), server, store.clone())
        .approval(move |_: &EnrolmentRequest| Decision::Grant(grant.clone()))
        .build();
    let anchors = authority.trust_anchor()?.into();
    let (mut token, _) =
        SoftwareToken::new(anchors, &"2468".into(), PinSettings::default(), Box::new(SystemRandom))?;

    // Alice registers.
    let server = Some(ServerExchange::new(settings.clone(), PEER));
    let mut wire = Wire { token: &mut token, acceptor: &acceptor, server, heard: Vec::new() };
    let registering = TokenExchange::register(name, RegisterOptions::default(), Moment::now());
    let (News::Registered(registration), _) = wire.play(registering)? else {
        return Err("the registration was not granted".into());
    };

    // The operator writes down her door code; she opens a session and is configured.
    let door = ApplicationName::new("door")?;
    let document = Document { media_type: "text/plain".into(), body: DOOR_CODE.into() };
    let subject = Subject::AccessPath(path);
    store.run(&Entitle::new(subject, door.clone(), document), now)?;
    wire.heard.clear();
    wire.server = Some(ServerExchange::new(settings, PEER));
    let opening = TokenExchange::open(registration.key_id, Options::default(), Moment::now());
    let (News::Opened(_), Some(session)) = wire.play(opening)? else {
        return Err("no session was opened".into());
    };
    let information = UserInformation { location: Some("at home".into()), ..UserInformation::default() };
    let (news, _) = wire.play(session.configure(door, information, Moment::now()))?;
    if !matches!(news, News::Configured(_, Configured::Installed)) {
        return Err("the door code did not arrive".into());
    }

    let names = [
        "1 asks for a session (S0)",
        "2 the server's number (S1)",
        "3 Alice's number, proof (S2)",
        "4 the server's proof (S3)",
        "5 who Alice is, encrypted",
        "6 configuration, encrypted",
        "7 applied, encrypted",
    ];
    let heard = wire.heard.into_iter().zip(names);
    Ok(heard.map(|((from, bytes), what)| Heard { from, what, bytes }).collect())
}

/// Result of listening.
pub(crate) struct Tried {
    pub(crate) keys: usize,
    pub(crate) messages: usize,
    pub(crate) found: Option<Secret>,
}

/// The listener, who has the recording and nothing else; but she knows the protocol, and so which
/// messages are encrypted with AES-256-GCM, and with which counts for nonces.
pub(crate) fn listen(recording: &[Heard]) -> Tried {
    let mut keys: Vec<Secret> = Vec::new();
    for message in recording {
        for window in message.bytes.windows(Secret::LEN) {
            keys.extend(window.try_into().ok().map(Secret::new));
            keys.push(Secret::new(*XWING.hash(&[window]).as_bytes()));
        }
    }
    // Messages 5 and 7 are the first two from the client; 6 is the second from the server, whose first
    // is inside message 4.
    let encrypted: Vec<_> = recording.iter().skip(4).zip([0_u8, 1, 1]).collect();
    let opens = |key: &&Secret| {
        let aead = XWING.aead(key);
        encrypted.iter().any(|(message, count)| {
            let mut nonce = [0; 12];
            nonce[11] = *count;
            let mut bytes = message.bytes.clone();
            bytes.split_last_chunk_mut().is_some_and(|(text, tag)| aead.open(&nonce, &[], text, tag).is_ok())
        })
    };
    let found = keys.iter().find(opens).cloned();
    Tried { keys: keys.len(), messages: encrypted.len(), found }
}

/// The recording of a protocol as careless as that of 1996: message 6 is encrypted under 32 bytes of
/// message 2.
pub(crate) fn with_planted_key(recording: &[Heard]) -> Vec<Heard> {
    let key = recording.get(1).and_then(|message| message.bytes.last_chunk().copied());
    let mut sealed = DOOR_CODE.as_bytes().to_vec();
    let mut nonce = [0; 12];
    nonce[11] = 1;
    let tag = XWING.aead(&Secret::new(key.unwrap_or_default())).seal(&nonce, &[], &mut sealed);
    sealed.extend_from_slice(&tag);
    let copy = |Heard { from, what, bytes }: &Heard| Heard { from, what, bytes: bytes.clone() };
    let mut planted: Vec<_> = recording.iter().map(copy).collect();
    if let Some(message) = planted.get_mut(5) {
        message.bytes = sealed;
    }
    planted
}
