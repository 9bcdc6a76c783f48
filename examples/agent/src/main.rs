//! `halfkey`: the agent of a user's machine.
//!
//! It holds the user's token, keeps a control session with each gate that the token is registered with, listens on
//! this machine for the services that the gate's configuration names, and carries each connection there over a session
//! of its own. What the program adds to the library is a loop around it: no protocol is here.

mod agent;
mod answers;
mod attend;
mod command;
mod control;
mod delay;
mod dial;
mod enrol;
mod failure;
mod forward;
mod gate;
mod listen;
mod moving;
mod place;
mod presence;
mod report;
mod secret;
mod state;
mod ui;
mod up;

use agent::Agent;
use clap::{Parser, Subcommand};
use dial::{Dialer, Proxy};
use failure::Failure;
use halfkey_common::{Output, Program, parse};
use place::Place;
use secret::Pins;
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

/// Brings the services that a gate entitles you to onto this machine.
///
/// Exit codes: 0 done; 1 refused, by the token, the agent or the gate; 2 the arguments, or a file named in them, are of
/// no use; 3 a file or the network does not answer.
#[derive(Parser)]
#[command(name = "halfkey", version)]
struct Cli {
    /// Where the token and everything else is kept, instead of the usual directories.
    #[arg(long, global = true, help_heading = "Everywhere", value_name = "DIR", env = "HALFKEY_DIR")]
    dir: Option<PathBuf>,
    /// Answers in JSON: an object, or one a line.
    #[arg(long, global = true, help_heading = "Everywhere")]
    json: bool,
    #[command(flatten)]
    pin: secret::Given,
    /// Goes through a proxy: http://HOST:PORT (CONNECT) or socks5://HOST:PORT, with USER:PASSWORD@ where it wants that.
    #[arg(
        long,
        global = true,
        help_heading = "Everywhere",
        value_name = "URL",
        env = "HALFKEY_PROXY",
        hide_env_values = true
    )]
    proxy: Option<Proxy>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Registers with a gate, by the URI that its operator has sent.
    Enrol(enrol::Enrol),
    /// Opens a page for all of this in the browser.
    Ui(ui::Ui),
    /// Runs the agent.
    Up {
        #[command(flatten)]
        place: presence::Place,
        /// Logs each connection, too.
        #[arg(long, short)]
        verbose: bool,
    },
    /// Says how things stand.
    ///
    /// Where no agent runs it says no more than the gates' addresses, unless the PIN is given (--pin).
    Status,
    /// Renews the key of a gate now.
    Renew(command::Renew),
    /// Changes the PIN.
    Pin(command::Pin),
    /// Forgets a gate.
    Forget(command::Forget),
    /// Moves the token's registrations to another machine.
    Move(moving::Move),
    /// Stops the agent that runs.
    Stop,
}

fn main() -> ExitCode {
    let cli: Cli = match parse("halfkey") {
        Ok(cli) => cli,
        Err(exit) => return exit,
    };
    let program = Program { name: "halfkey", json: cli.json };
    let mut out = Output::new(program);
    let done = perform(cli, program, &mut out).and_then(|()| Ok(out.flush()?));
    program.end(done)
}

fn perform(cli: Cli, program: Program, out: &mut Output) -> Result<(), Failure> {
    let Cli { dir, pin, proxy, command, .. } = cli;
    let (place, dialer) = (Place::new(dir)?, Dialer { proxy });
    let pins = Pins::new(program, &pin, &place);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(Failure::Control)?;
    match command {
        Command::Enrol(command) => runtime.block_on(enrol::enrol(&place, dialer, &pins, command, out)),
        Command::Ui(command) => runtime.block_on(ui::ui(&place, dialer, &pins, command, out)),
        Command::Up { place: presence, verbose } => {
            let level = if verbose { tracing::Level::DEBUG } else { tracing::Level::INFO };
            tracing_subscriber::fmt()
                .with_max_level(level)
                .with_writer(io::stderr)
                .with_ansi(io::stderr().is_terminal())
                .with_target(false)
                .init();
            let agent = Agent::unlocked(&place, dialer, || pins.pin())?;
            runtime.block_on(up::up(agent, presence))
        }
        Command::Status => runtime.block_on(command::status(&place, dialer, &pins, out)),
        Command::Renew(command) => runtime.block_on(command::renew(&place, dialer, &pins, command, out)),
        Command::Pin(command) => runtime.block_on(command::pin(&place, dialer, &pins, command, out)),
        Command::Forget(command) => runtime.block_on(command::forget(&place, dialer, &pins, command, out)),
        Command::Move(command) => moving::perform(&place, dialer, &pins, &command, out),
        Command::Stop => runtime.block_on(command::stop(&place, out)),
    }
}
