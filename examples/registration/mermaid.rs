//! The story as a Mermaid sequence diagram: no random byte and no time in it, so it is always the same.

use super::narrator::{Entry, grouped};
use super::story::{BANK, CLINIC};

const HEAD: &str = "\
sequenceDiagram
    participant I as issuer (35)
    participant T as token (10)
    participant B as bank.example (20)
    participant C as clinic.example (20)
";

fn letter(who: &str) -> &'static str {
    match who {
        "issuer" => "I",
        BANK => "B",
        CLINIC => "C",
        _ => "T",
    }
}

/// The text of the diagram.
pub fn diagram(trace: &[Entry]) -> String {
    let chapters = trace.chunk_by(|_, next| !matches!(next, Entry::Chapter { .. }));
    chapters.fold(String::from(HEAD), |diagram, entries| diagram + &chapter(entries))
}

fn chapter(entries: &[Entry]) -> String {
    let Some((Entry::Chapter { title, brief }, entries)) = entries.split_first() else {
        return String::new();
    };
    let head = format!("    Note over I,C: {title}\n");
    head + &if *brief { folded(entries) } else { in_full(entries) }
}

/// One arrow to and one from each server, for messages that were told before.
fn folded(entries: &[Entry]) -> String {
    let mut arrows: Vec<(&str, &str, Vec<&str>, usize)> = Vec::new();
    for entry in entries {
        let Entry::Message { from, to, name, bytes, .. } = entry else { continue };
        let short = name.split(' ').next().unwrap_or(name);
        match arrows.iter_mut().find(|arrow| (arrow.0, arrow.1) == (from, to)) {
            Some((_, _, names, sum)) => {
                names.push(short);
                *sum += bytes;
            }
            None => arrows.push((from, to, vec![short], *bytes)),
        }
    }
    let line = |(from, to, names, sum): &(&str, &str, Vec<&str>, usize)| {
        let names = names.join(" ");
        format!("    {}->>{}: {names}, {} bytes in all\n", letter(from), letter(to), grouped(*sum))
    };
    arrows.iter().map(line).collect()
}

fn in_full(entries: &[Entry]) -> String {
    let mut lines = String::new();
    // Consecutive actions of one party go into one note.
    let alike = |one: &Entry, next: &Entry| match (one, next) {
        (Entry::Act { who: a, .. }, Entry::Act { who: b, .. }) => letter(a) == letter(b),
        _ => false,
    };
    for group in entries.chunk_by(alike) {
        match group {
            [Entry::Message { step, from, to, name, bytes }] => {
                let step = if *step == "new" { "" } else { step };
                let label = format!("{step} {name}, {} bytes", grouped(*bytes));
                lines += &format!("    {}->>{}: {}\n", letter(from), letter(to), label.trim_start());
            }
            acts => lines += &note(acts),
        }
    }
    lines
}

fn note(acts: &[Entry]) -> String {
    let mut who = "T";
    let mut texts = Vec::new();
    for act in acts {
        if let Entry::Act { step, who: actor, what } = act {
            who = letter(actor);
            let step = if *step == "new" { "" } else { step };
            let actor = if actor == "user" { "user " } else { "" };
            texts.push(format!("{step} {actor}{what}").trim_start().to_owned());
        }
    }
    format!("    Note over {who}: {}\n", texts.join("<br/>"))
}
