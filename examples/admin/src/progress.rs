//! How far long work has come: on standard error, and on a terminal alone.

use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// A line that shows how far the work has come, and goes when it is done.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Work of which the end is known: so many bytes.
    pub(crate) fn bytes(length: u64) -> Self {
        let bar = ProgressBar::new(length);
        styled(bar, "{wide_bar} {bytes}/{total_bytes}  {msg}  {eta} to go")
    }

    /// Work of which it is not.
    pub(crate) fn open() -> Self {
        styled(ProgressBar::new_spinner(), "{spinner} {msg}  {elapsed}")
    }

    pub(crate) fn at(&self, position: u64, done: u64, what: &str) {
        self.0.set_position(position);
        self.0.set_message(format!("{done} {what}"));
    }

    /// Takes the line away while something else is said.
    pub(crate) fn suspend<T>(&self, say: impl FnOnce() -> T) -> T {
        self.0.suspend(say)
    }
}

fn styled(bar: ProgressBar, template: &str) -> Progress {
    // A template that were wrong would leave the bar as it is.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    Progress(bar)
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
