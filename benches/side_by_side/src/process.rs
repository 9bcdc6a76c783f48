//! Processes of a contender: their processor time and memory, from /proc.

use crate::Outcome;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Length of a tick in /proc, which Linux fixes for programs: 10 ms.
const TICK: f64 = 0.01;
/// Length of a page in /proc, in KiB.
const PAGE: u64 = 4;

/// A process that ends with this, and its descendants.
pub(crate) struct Process(Child);

impl Process {
    /// Starts a program whose messages go to a file.
    pub(crate) fn start(mut command: Command, log: &Path) -> Outcome<Self> {
        let log = fs::OpenOptions::new().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let name = command.get_program().to_string_lossy().into_owned();
        Ok(Self(command.spawn().map_err(|error| format!("{name}: {error}"))?))
    }

    /// Returns what the process and its descendants have used so far.
    pub(crate) fn used(&self) -> Used {
        let stats = stats();
        let mut family = BTreeSet::from([self.0.id()]);
        while let Some(more) = stats
            .iter()
            .find_map(|(id, one)| (family.contains(&one.parent) && !family.contains(id)).then_some(*id))
        {
            family.insert(more);
        }
        let members = family.iter().filter_map(|id| stats.get(id));
        members.fold(Used::default(), |sum, one| sum + one.used)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // What it has started goes first: a killed process cannot end its children.
        for (id, one) in stats() {
            if one.parent == self.0.id() {
                let _ = Command::new("kill").arg(id.to_string()).stderr(Stdio::null()).status();
            }
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Processor time and memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Used {
    /// Seconds of processor time, of user and system together.
    pub(crate) seconds: f64,
    /// Resident memory in KiB.
    pub(crate) memory: u64,
}

impl std::ops::Add for Used {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { seconds: self.seconds + other.seconds, memory: self.memory + other.memory }
    }
}

struct Stat {
    parent: u32,
    used: Used,
}

/// Reads all processes: see proc_pid_stat(5).
fn stats() -> BTreeMap<u32, Stat> {
    let Ok(entries) = fs::read_dir("/proc") else { return BTreeMap::new() };
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    ids.filter_map(|id| {
        let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // A name may contain anything, but ends with the last parenthesis.
        let fields = text.rsplit_once(") ")?.1.split(' ').collect::<Vec<_>>();
        let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
        // utime and stime, and those of children that have been waited for.
        let ticks = number(11)? + number(12)? + number(13)? + number(14)?;
        let used = Used { seconds: ticks as f64 * TICK, memory: number(21)? * PAGE };
        Some((id, Stat { parent: u32::try_from(number(1)?).ok()?, used }))
    })
    .collect()
}
