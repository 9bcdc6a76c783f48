//! An eavesdropper listens, first to a session as the patent of 1996 describes it, then to a real one.
//!
//! ```text
//! cargo run --example eavesdrop --features historic
//! ```
//!
//! The listener of both parts gets the same thing: the bytes that passed over the wire, and nothing
//! else. The program fails if she reads nothing of the first session, or anything of the second.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example tells its story on the screen")]

mod letter;
mod real;

use std::error::Error;
use std::process::ExitCode;

/// Configuration for Alice, which should stay private.
const DOOR_CODE: &str = "4711";

/// One message on the wire.
struct Heard {
    from: &'static str,
    /// Name in the protocol, which the listener knows.
    what: &'static str,
    bytes: Vec<u8>,
}

/// Prints a recording: all that the listener has.
fn print(recording: &[Heard]) {
    println!("  On the wire, and so in the listener's recording:");
    for Heard { from, what, bytes } in recording {
        let shown: String = bytes.iter().take(24).map(|byte| format!("{byte:02x}")).collect();
        let more = if bytes.len() > 24 { "…" } else { "" };
        println!("    {from:<6} {what:<28} {:>5} bytes  {shown}{more}", bytes.len());
    }
    println!();
}

fn run() -> Result<bool, Box<dyn Error>> {
    println!("1. The letter of 1996\n");
    println!("  Alice's token and her server share a key that never passes over the wire. With it they");
    println!("  agree on a session key, as Figure 4 of the patent shows, and the server sends Alice the");
    println!("  code of her door, encrypted with that session key.\n");
    let (recording, session_key) = letter::session()?;
    print(&recording);
    println!("  The listener takes message 2 as it is for the session key, and decrypts messages 4 and 5.");
    let read = letter::listen(&recording);
    let broken = match &read {
        Some(read) => {
            let hex: String = read.session_key.iter().map(|byte| format!("{byte:02x}")).collect();
            println!("    session key       {hex}");
            println!("    Alice wrote       {:?}", read.information);
            println!("    the server wrote  {:?}\n", read.instructions);
            read.session_key == session_key && read.instructions.contains(DOOR_CODE)
        }
        None => false,
    };
    if broken {
        println!(
            "  It is the key that both sides use: message 2, but for the last bit of each byte, which DES"
        );
        println!("  uses to check the others. She has guessed nothing: the patent makes message 2 and the");
        println!("  session key by the same formula out of the same numbers.");
        println!("  A better cipher would not help, nor a longer key.\n");
    } else {
        println!("  She could not read it, which the patent's letter does not account for.\n");
    }

    println!("2. The real protocol\n");
    println!("  The same story with halfkey: registration, a session, the door code in a configuration.\n");
    let recording = real::session()?;
    print(&recording);
    println!("  The listener takes whatever she hears for a key: every 32 bytes in a row, and their hash.");
    let tried = real::listen(&recording);
    println!("    {} keys tried on each of {} encrypted messages.", tried.keys, tried.messages);
    let would_find = real::listen(&real::with_planted_key(&recording)).found.is_some();
    match tried.found {
        None => {
            println!(
                "    None of them opens anything. (She would notice: when a message is put there that one"
            );
            println!("    of them does open, she {}.)\n", if would_find { "finds it" } else { "misses it" });
            println!("  What stops her:");
            println!(
                "  - The session key is not made of what passes over the wire. The shared key goes into"
            );
            println!(
                "    it, and it never leaves the token; so does a second secret, which token and server"
            );
            println!("    make anew for each session (X25519 and ML-KEM) and erase after it.");
            println!("  - So even who steals the shared key later cannot read this recording.");
            println!("  - She cannot do better by joining in: a number that is changed, kept or sent again");
            println!("    changes the proofs that both sides demand first, and a changed message does not");
            println!("    decrypt to something else, as in 1996: it does not decrypt.\n");
        }
        Some(_) => println!("    One of them opens a message: this must not be.\n"),
    }
    Ok(broken && tried.found.is_none() && would_find)
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => {
            println!("The listener reads everything of the first session and nothing of the second.");
            ExitCode::SUCCESS
        }
        Ok(false) => {
            eprintln!("Not as it should be: see above.");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("It did not get that far: {error}");
            ExitCode::FAILURE
        }
    }
}
