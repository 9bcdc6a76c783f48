//! The whole story over a real TCP socket: a blank token registers, opens a session and is configured.
//!
//! Read `story.rs` first: it is the main flow, top to bottom. `cast.rs` has the people and keys,
//! `gate.rs` the server, `breaks/` the failures and attacks.
#![allow(unreachable_pub, reason = "these modules are also a part of the test that runs every break")]
#![allow(clippy::arithmetic_side_effects, reason = "an example counts lines and bytes, not keys")]

pub(crate) mod breaks;
pub(crate) mod cast;
pub(crate) mod figures;
pub(crate) mod gate;
pub(crate) mod mermaid;
pub(crate) mod narrator;
pub(crate) mod story;
pub(crate) mod wire;

use self::cast::{Keys, Result};
use self::narrator::{Narrator, Voice, say};
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo run --example registration -- [OPTION]

A blank token registers with two servers, opens sessions and is configured, step by step.

  --pause            wait for Enter at each step
  --break NAME       break something and see it refused or recovered; exit code 1 if it was not
  --break flipped-bit:N  flip bit N alone, counted over all messages from R0 to S3
  --list-breaks      the names, one a line
  --mermaid          print the story as a Mermaid sequence diagram
  --help             this text";

enum Wish {
    Story,
    Diagram,
    Break(&'static breaks::Break, Option<usize>),
    ListBreaks,
    Help,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let pause = arguments.iter().any(|argument| argument == "--pause");
    let rest: Vec<&str> = arguments.iter().map(String::as_str).filter(|word| *word != "--pause").collect();
    let Some(wish) = understand(&rest) else {
        say(&format!("not understood: {}\n\n{USAGE}", arguments.join(" ")));
        return ExitCode::from(2);
    };
    match fulfil(wish, pause) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<breaks::NoSuchBit>() => {
            say(&error.to_string());
            ExitCode::from(2)
        }
        Err(error) => {
            say(&format!("\nFAILED: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn understand(words: &[&str]) -> Option<Wish> {
    match words {
        [] => Some(Wish::Story),
        ["--mermaid"] => Some(Wish::Diagram),
        ["--list-breaks"] => Some(Wish::ListBreaks),
        ["--help" | "-h"] => Some(Wish::Help),
        ["--break", what] => {
            let (name, number) = what.split_once(':').map_or((*what, None), |(name, n)| (name, Some(n)));
            let number = number.map(str::parse).transpose().ok()?;
            let found = breaks::ALL.iter().find(|known| known.name == name)?;
            (number.is_none() || found.name == "flipped-bit").then_some(Wish::Break(found, number))
        }
        _ => None,
    }
}

fn fulfil(wish: Wish, pause: bool) -> Result<()> {
    match wish {
        Wish::Help => say(USAGE),
        Wish::ListBreaks => breaks::ALL.iter().for_each(|known| say(known.name)),
        Wish::Story => {
            let narrator = Narrator::new(Voice::Story { pause });
            story::tell(&narrator, &Keys::make(narrator::progress)?)?;
        }
        Wish::Diagram => {
            let narrator = Narrator::new(Voice::Silent);
            story::tell(&narrator, &Keys::make(narrator::progress)?)?;
            say(mermaid::diagram(&narrator.trace()).trim_end());
        }
        Wish::Break(known, number) => {
            let narrator = Narrator::new(Voice::Break { pause });
            known.run(&narrator, &Keys::make(narrator::progress)?, number)?;
        }
    }
    Ok(())
}
