//! How long to wait before another attempt, and how to notice that time has jumped.

use halfkey::{RandomSource, SystemRandom};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;

/// The first delay.
const FIRST: Duration = Duration::from_millis(250);
/// The longest delay.
const LONGEST: Duration = Duration::from_secs(60);
/// Between two looks at the clocks.
const LOOK: Duration = Duration::from_secs(2);
/// Difference between what two clocks say that has passed, from which on the machine has slept, or the clock was set.
const JUMP: Duration = Duration::from_secs(5);

/// Delays that double, each shortened by up to half at random so that agents do not come back all at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delay(Duration);

impl Default for Delay {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Delay {
    /// Returns the next delay.
    pub(crate) fn next(&mut self) -> Duration {
        let mut drawn = [0; 4];
        SystemRandom.fill(&mut drawn);
        let whole = self.0;
        self.0 = whole.saturating_mul(2).min(LONGEST);
        let part = f64::from(u32::from_be_bytes(drawn)) / f64::from(u32::MAX);
        whole.mul_f64(0.5 + part / 2.0)
    }
}

/// Counts jumps of time, for ever: the machine has slept, or its clock was set.
pub(crate) async fn watch_jumps(tell: watch::Sender<u64>) {
    let (mut steady, mut wall) = (Instant::now(), SystemTime::now());
    loop {
        tokio::time::sleep(LOOK).await;
        let (now, today) = (Instant::now(), SystemTime::now());
        if jumped(now.duration_since(steady), today.duration_since(wall).ok()) {
            tracing::info!("time has jumped");
            tell.send_modify(|jumps| *jumps = jumps.wrapping_add(1));
        }
        (steady, wall) = (now, today);
    }
}

/// Tells whether two clocks disagree on how much time has passed, or both say that it was too much.
fn jumped(steady: Duration, wall: Option<Duration>) -> bool {
    let late = steady > LOOK.saturating_add(JUMP);
    late || wall.is_none_or(|wall| wall.abs_diff(steady) > JUMP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_a_minute() {
        let mut delay = Delay::default();
        let mut whole = FIRST;
        for _ in 0..20 {
            let next = delay.next();
            assert!(next >= whole / 2 && next <= whole, "{next:?} of {whole:?}");
            whole = (whole * 2).min(LONGEST);
        }
        assert_eq!(whole, LONGEST);
    }

    #[test]
    fn a_sleep_is_a_jump() {
        let seconds = Duration::from_secs;
        assert!(!jumped(seconds(2), Some(seconds(2))));
        assert!(!jumped(seconds(3), Some(seconds(6))));
        assert!(jumped(seconds(2), Some(seconds(3600))));
        assert!(jumped(seconds(3600), Some(seconds(3600))));
        assert!(jumped(seconds(2), None));
    }
}
