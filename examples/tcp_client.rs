//! A token in a file, sealed under its PIN, that registers with `tcp_server` and opens sessions with
//! it. Kill it at any moment and start it again: it goes on where it was.
//!
//! ```text
//! cargo run --example tcp_client -- --dir /tmp/alice --anchor /tmp/issuer/anchor.pem --pin 2468 \
//!     register --name alice
//! cargo run --example tcp_client -- --dir /tmp/alice --pin 2468 session
//! cargo run --example tcp_client -- --dir /tmp/alice --pin 2468 configure mail
//! cargo run --example tcp_client -- --dir /tmp/alice --pin 2468 renew --name alice
//! ```
//!
//! The token writes its file within every call that changes it, before the message that rests on
//! the change leaves. So whatever an earlier run left unfinished is on the token, and every command
//! but `status` first goes on with that. `--die after-R2` (or `before-R4` ...) ends the program at
//! that message, as a demonstration.

#[path = "tcp/holder.rs"]
mod holder;
mod tcp;

use halfkey::certificate::TrustAnchors;
use halfkey::configuration::UserInformation;
use halfkey::port::Token;
use halfkey::record::{Attempt, Progress};
use halfkey::{ApplicationName, ServerName};
use holder::Holder;
use std::io::{Read, Write};
use std::path::Path;
use tcp::{Arguments, Outcome, hold, run, say};

const USAGE: &str = "\
usage: tcp_client --dir DIR [--anchor FILE] [--server gate.example] [--connect 127.0.0.1:4400]
                  [--pin PIN] COMMAND
    register --name NAME [--department TEXT] [--code ACTIVATION-CODE]
    register --replace --code ACTIVATION-CODE --name NAME    beside a key that the server refuses
    session [--app APP] [--location TEXT] [--system TEXT]
                           open a session, send a line, and ask for APP's configuration
    configure APP [--location TEXT] [--system TEXT]
                           ask for APP's configuration; it is put into DIR/APP.conf
    renew --name NAME      a new key in the place of the old one
    resume                 go on with what an earlier run left unfinished
    status                 what is on the token
    anchors                the issuers that the token trusts
    anchors add FILE       trust those in FILE too
    anchors remove NUMBER  trust that one no more; NUMBER as the list has it
The first run wants --anchor. With --quick, then and later, a PIN takes no time, to try or to guess.
The PIN may stand in the environment, as HALFKEY_PIN.";

fn main() -> std::process::ExitCode {
    run(|| {
        let options = [
            ("--dir", 1),
            ("--anchor", 1),
            ("--server", 1),
            ("--connect", 1),
            ("--pin", 1),
            ("--name", 1),
            ("--department", 1),
            ("--code", 1),
            ("--app", 1),
            ("--location", 1),
            ("--system", 1),
            ("--die", 1),
            ("--quick", 0),
            ("--replace", 0),
        ];
        let arguments = Arguments::read(&options, USAGE)?;
        let words: Vec<&str> = arguments.words.iter().map(String::as_str).collect();
        let dir = Path::new(arguments.value("--dir").ok_or(USAGE)?);
        let _held = hold(dir)?;
        let holder = Holder::open(dir, &arguments)?;
        match words.as_slice() {
            ["register"] => holder.register(&arguments),
            ["session"] => holder.session(&arguments, arguments.value("--app"), true),
            ["configure", application] => holder.session(&arguments, Some(application), false),
            ["renew"] => holder.renew(&arguments),
            ["resume"] => holder.resume(),
            ["status"] => holder.status(),
            ["anchors"] => holder.anchors(),
            ["anchors", "add", file] => holder.trust(&arguments, std::fs::read_to_string(file)?.as_str()),
            ["anchors", "remove", number] => holder.distrust(&arguments, number),
            _ => Err(USAGE.into()),
        }
    })
}

impl Holder {
    fn anchors(&self) -> Outcome {
        let anchors = self.token().anchors()?;
        for (number, anchor) in (1..).zip(anchors.as_slice()) {
            let names: Vec<&str> = anchor.permitted().iter().map(ServerName::as_str).collect();
            let names = if names.is_empty() { "every server".into() } else { names.join(", ") };
            say(format_args!("{number}: {}, for {names}", anchor.name()));
        }
        Ok(())
    }

    fn trust(&self, arguments: &Arguments, file: &str) -> Outcome {
        let added = TrustAnchors::from_pem(file)?;
        let anchors = self.token().anchors()?;
        let anchors = added.as_slice().iter().cloned().try_fold(anchors, TrustAnchors::with)?;
        self.token().replace_anchors(&holder::pin(arguments)?, anchors)?;
        self.anchors()
    }

    fn distrust(&self, arguments: &Arguments, number: &str) -> Outcome {
        let anchors = self.token().anchors()?;
        let place = number.parse::<usize>()?.checked_sub(1);
        let anchor =
            place.and_then(|place| anchors.as_slice().get(place)).cloned().ok_or("no such anchor")?;
        self.token().replace_anchors(&holder::pin(arguments)?, anchors.without(&anchor)?)?;
        self.anchors()
    }

    fn session(&self, arguments: &Arguments, application: Option<&str>, talk: bool) -> Outcome {
        self.resume()?;
        let mut session = self.enter(&self.newest()?.key_id)?;
        let mode = session.established().ok_or("the session is over")?.mode;
        say(format_args!("session open, each side having proved the key, mode {mode:?}"));
        if talk {
            session.write_all(b"it is me")?;
            session.flush()?;
            let mut answer = [0; 64];
            let length = session.read(&mut answer)?;
            let answer = answer.get(..length).unwrap_or_default();
            say(format_args!("the server says: {}", String::from_utf8_lossy(answer)));
        }
        if let Some(application) = application {
            let application = ApplicationName::new(application)?;
            let said = |option| arguments.value(option).map(String::from);
            let information = UserInformation {
                location: said("--location"),
                system: said("--system").or(Some(std::env::consts::OS.into())),
                ..UserInformation::default()
            };
            let configured = session.configure(&application, information)?;
            say(format_args!("configuration of {application}: {configured:?}"));
        }
        session.close()?;
        Ok(())
    }

    fn status(&self) -> Outcome {
        let attempts = self.token().attempts()?;
        for attempt in attempts {
            match attempt {
                Attempt::InFlight(half) => say(format_args!("{}: R2 sent", half.server_name)),
                Attempt::Waiting(waiting) => say(format_args!("{}: waits", waiting.server_name)),
            }
        }
        let registrations = self.token().registrations()?;
        for one in registrations {
            let joined = if one.progress == Progress::Active { "active" } else { "joined" };
            let progress = one.not_active.map_or(joined.to_owned(), |status| status.to_string());
            say(format_args!("{}: {progress}, user {}, key {}", one.server_name, one.user_id, one.key_id));
            for held in &one.configurations {
                let serial = (held.serial.epoch, held.serial.number);
                let what = if held.revoked { "withdrawn" } else { "held" };
                say(format_args!("  {}: {what}, serial {serial:?}", held.application));
            }
        }
        Ok(())
    }
}
