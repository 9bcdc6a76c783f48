//! Medians, and their table.

use crate::contender::REFERENCE;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A quantity that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    /// Processor time of both ends for a GiB, in seconds.
    StreamCpu,
    /// GiB in a second.
    StreamRate,
    /// Processor time of the far end for a connection, in microseconds, at so many at once.
    ServerCpu(usize),
    /// The same of the near end.
    ClientCpu(usize),
    /// Time until a connection has had its first byte answered, in milliseconds: the median.
    Median(usize),
    /// The same: of a hundred, 99 are faster.
    P99(usize),
    /// Memory of the far end for an idle connection, in KiB.
    Idle,
}

impl Figure {
    fn title(self) -> String {
        match self {
            Self::StreamCpu => "CPU s/GiB, both ends".into(),
            Self::StreamRate => "GiB/s".into(),
            Self::ServerCpu(many) => format!("server CPU µs a connection, {many} at once"),
            Self::ClientCpu(many) => format!("client CPU µs a connection, {many} at once"),
            Self::Median(many) => format!("p50 ms, {many} at once"),
            Self::P99(many) => format!("p99 ms, {many} at once"),
            Self::Idle => "KiB an idle connection, server".into(),
        }
    }

    /// Tells whether the figure is told as a ratio, too.
    const fn is_compared(self) -> bool {
        matches!(self, Self::StreamCpu | Self::ServerCpu(_))
    }
}

/// All figures of a run.
#[derive(Default)]
pub(crate) struct Figures(BTreeMap<Figure, BTreeMap<&'static str, Vec<f64>>>);

impl Figures {
    pub(crate) fn note(&mut self, contender: &'static str, figure: Figure, value: f64) {
        self.0.entry(figure).or_default().entry(contender).or_default().push(value);
    }

    /// Medians in a table of Markdown, and ratios to the reference.
    pub(crate) fn table(&self, contenders: &[&'static str]) -> String {
        let mut out = String::from("| |");
        for name in contenders {
            let _ = write!(out, " {name} |");
        }
        out.push_str("\n|---|");
        contenders.iter().for_each(|_| out.push_str("---:|"));
        out.push('\n');
        for (figure, values) in &self.0 {
            let reference = values.get(REFERENCE).map(|values| median(values));
            let _ = write!(out, "| {} |", figure.title());
            for name in contenders {
                match (values.get(name).map(|values| median(values)), reference) {
                    (None, _) => out.push_str(" |"),
                    (Some(value), Some(reference)) if figure.is_compared() => {
                        let _ = write!(out, " {} ({:.2}) |", short(value), value / reference);
                    }
                    (Some(value), _) => {
                        let _ = write!(out, " {} |", short(value));
                    }
                }
            }
            out.push('\n');
        }
        out
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn short(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}
