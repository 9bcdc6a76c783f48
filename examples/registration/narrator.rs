//! Narrates events as they happen, in columns, and records them for the diagram.

use super::figures;
use std::collections::VecDeque;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Amount of narration.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// No narration: the story is only recorded.
    Silent,
    /// Every step of the patent's figures.
    Story { pause: bool },
    /// The messages alone, and what the break has to say.
    Break { pause: bool },
}

/// One line of the story.
#[derive(Clone)]
pub enum Entry {
    /// A heading. A brief chapter repeats an earlier one, and is folded in the diagram.
    Chapter { title: String, brief: bool },
    /// An action of a party: a step of the patent's figures, or one that the patent lacks.
    Act { step: &'static str, who: String, what: String },
    /// A message goes over the network.
    Message { step: &'static str, from: String, to: String, name: &'static str, bytes: usize },
}

/// Direction of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// From the token to the server.
    Up,
    /// From the server to the token.
    Down,
}

/// Shared by everybody who has something to tell.
#[derive(Clone)]
pub struct Narrator(Arc<Mutex<Inner>>);

struct Inner {
    voice: Voice,
    trace: Vec<Entry>,
    records: VecDeque<&'static str>,
    /// A chapter that repeats an earlier one tells only messages.
    brief: bool,
}

/// One line to standard output. Nobody minds when nobody reads it any more.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Shows that the machine is at work; on standard error, so that a diagram stays a diagram.
pub fn progress(what: &str, elapsed: Duration, done: bool) {
    let mut out = std::io::stderr().lock();
    let line = format!("{what} ... {:.1} s", elapsed.as_secs_f32());
    let _ = match (out.is_terminal(), done) {
        (true, false) => write!(out, "\r{line}"),
        (true, true) => writeln!(out, "\r{line}, done"),
        (false, true) => writeln!(out, "{line}, done"),
        (false, false) => Ok(()),
    };
    let _ = out.flush();
}

impl Narrator {
    pub fn new(voice: Voice) -> Self {
        Self(Arc::new(Mutex::new(Inner { voice, trace: Vec::new(), records: VecDeque::new(), brief: false })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn trace(&self) -> Vec<Entry> {
        self.lock().trace.clone()
    }

    pub fn chapter(&self, title: &str) {
        self.lock().tell(Entry::Chapter { title: title.into(), brief: false });
    }

    pub fn brief_chapter(&self, title: &str) {
        self.lock().tell(Entry::Chapter { title: title.into(), brief: true });
    }

    /// Tells an action of a party. `what` must not contain a random value, because the diagram never changes.
    pub fn act(&self, step: &'static str, who: &str, what: &str) {
        self.lock().tell(Entry::Act { step, who: who.into(), what: what.into() });
    }

    /// Tells a fact that a party now knows. It is not in the diagram, because it differs every time.
    pub fn knows(&self, who: &str, what: &str) {
        self.legend("now", &format!("{who:<15}  {what}"));
    }

    /// Tells a line that is not in the diagram.
    pub fn legend(&self, what: &str, means: &str) {
        if matches!(self.lock().voice, Voice::Story { .. }) {
            say(&format!("{what:>7}  {means}"));
        }
    }

    /// A remark in a break.
    pub fn remark(&self, what: &str) {
        if matches!(self.lock().voice, Voice::Break { .. }) {
            say(format!("  {what}").trim_end());
        }
    }

    /// Announces the next records of a session, whose types cannot be seen because they are encrypted.
    pub fn records(&self, names: &[&'static str]) {
        self.lock().records = names.iter().copied().collect();
    }

    /// A frame goes over the network: first what its sender did to make it, then the frame itself.
    pub fn frame(&self, way: Way, server: &str, frame: &[u8], in_session: bool) {
        let mut inner = self.lock();
        let name = if in_session { inner.records.pop_front() } else { figures::message_name(frame) };
        let name = name.unwrap_or("record");
        let (from, to) = match way {
            Way::Up => ("token", server),
            Way::Down => (server, "token"),
        };
        let figure = figures::of(name);
        for (step, what) in figure.before {
            inner.tell(Entry::Act { step, who: from.into(), what: (*what).into() });
        }
        let (from, to) = (from.into(), to.into());
        inner.tell(Entry::Message { step: figure.step, from, to, name, bytes: frame.len() });
    }
}

impl Inner {
    fn tell(&mut self, entry: Entry) {
        let pause = match self.voice {
            Voice::Silent => false,
            Voice::Story { pause } => {
                if let Entry::Chapter { brief, .. } = &entry {
                    self.brief = *brief;
                }
                let heard = !(self.brief && matches!(entry, Entry::Act { .. }));
                if heard {
                    say(&line(&entry));
                }
                pause && heard
            }
            Voice::Break { pause } => {
                let heard = matches!(entry, Entry::Message { .. });
                if heard {
                    say(&line(&entry));
                }
                pause && heard
            }
        };
        if pause {
            // At the end of the input no user can press Enter: go on.
            let _ = std::io::stdin().read_line(&mut String::new());
        }
        self.trace.push(entry);
    }
}

fn line(entry: &Entry) -> String {
    match entry {
        Entry::Chapter { title, .. } => format!("\n{title}"),
        Entry::Act { step, who, what } => format!("{step:>7}  {who:<15}  {what}"),
        Entry::Message { step, from, to, name, bytes } => {
            format!("{step:>7}  {from:<15}> {to:<15} {name:<12} {:>6} bytes", grouped(*bytes))
        }
    }
}

/// A number with its thousands apart.
pub fn grouped(number: usize) -> String {
    if number < 1000 {
        number.to_string()
    } else {
        format!("{} {:03}", grouped(number / 1000), number % 1000)
    }
}
