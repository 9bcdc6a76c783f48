//! The first part: registration, session and configuration as in 1996.

use crate::{DOOR_CODE, Heard};
use halfkey::certificate::{IssuerName, Validity};
use halfkey::historic::configuration::{self, Instruction, Instructions, Request};
use halfkey::historic::registration::authority::{assign, embed};
use halfkey::historic::registration::server::Server;
use halfkey::historic::session::{self, description};
use halfkey::historic::{Combiner, Des, Key};
use halfkey::key::IssuerKey;
use halfkey::memory::Authority;
use halfkey::template::{Field, FieldKind, Template};
use halfkey::{AccessPath, ServerName, SystemRandom, UnixTime};
use std::error::Error;

/// Registers Alice, opens a session and configures her system in it: what was heard of the session,
/// and the session key, to compare.
pub(crate) fn session() -> Result<(Vec<Heard>, Vec<u8>), Box<dyn Error>> {
    let (random, now) = (&mut SystemRandom, UnixTime::now());

    // Steps 60 and 70: a token issuer, which is also the certification authority, a blank token and a
    // certified server.
    let mut authority =
        Authority::root(IssuerName::common_name("Token Issuer")?, IssuerKey::generate_ed25519(random)?)?;
    let blank = embed(&authority)?;
    let name = ServerName::new("gate.example")?;
    let keys = assign(&mut authority, &name, 2048, Validity::lasting(now, 86_400)?, random)?;
    let server = Server::new(keys, Template::new(vec![Field::required("name", FieldKind::UserName)])?);

    // Steps 80 to 200: Alice registers. Both sides have the shared key.
    let call = blank.call(&name);
    let need = call.next.receive_offer(&server.receive_call(&call.send), now)?;
    let form = need.wanted().fill([("name", "alice".into())])?;
    let application = need.supply::<Des>(&form, random)?;
    let need = server.receive_application::<Des>(&application.send, random)?;
    let grant = need.supply::<Des>(&AccessPath::new("/users/alice")?, Combiner::Xor, random)?;
    let mut token = application.next.receive_grant::<Des>(&grant.send, Combiner::Xor, "2468")?;
    let (at_token, at_server) = (token.unlock("2468")?, grant.next.key);

    // Steps 300 to 350: a session, as Figure 4 has it.
    let challenge = session::challenge::<Des>(random);
    let response = description::respond(at_token, &challenge.send, random)?;
    let proof = description::receive_response(challenge.next, &at_server, &response.send)?;
    let session_key = response.next.receive_proof(&proof.send)?;

    // Steps 370 to 390: configuration under the session key.
    let request = configuration::request(&session_key, "alice, at home", random);
    let need = configuration::receive_request(&proof.next, &request)?;
    let instructions = need.supply(&[Instruction::new("door code", DOOR_CODE)?], random);

    let heard = |from, what, bytes| Heard { from, what, bytes };
    let recording = vec![
        heard("server", "1 the server's number", challenge.send.n1),
        heard("client", "2 both numbers, combined", response.send.package),
        heard("server", "3 the server's proof", proof.send.encrypted),
        heard("client", "4 who Alice is, encrypted", request.encrypted),
        heard("server", "5 configuration, encrypted", instructions.encrypted),
    ];
    Ok((recording, session_key.expose().to_vec()))
}

/// What the listener has read.
pub(crate) struct Read {
    pub(crate) session_key: Vec<u8>,
    pub(crate) information: String,
    pub(crate) instructions: String,
}

/// The listener, who has the recording and nothing else.
pub(crate) fn listen(recording: &[Heard]) -> Option<Read> {
    let [_, response, _, request, instructions] = recording else {
        return None;
    };
    let session_key = Key::<Des>::new(&response.bytes).ok()?;
    let request = Request { encrypted: request.bytes.clone() };
    let need = configuration::receive_request(&session_key, &request).ok()?;
    let mut read = String::new();
    let mut write_down = |instruction: &Instruction| {
        read.push_str(&format!("{} = {}", instruction.setting(), instruction.value()));
    };
    let instructions = Instructions { encrypted: instructions.bytes.clone() };
    configuration::receive_instructions(&session_key, &instructions, &mut write_down).ok()?;
    Some(Read {
        session_key: session_key.expose().to_vec(),
        information: need.wanted().to_owned(),
        instructions: read,
    })
}
