//! Time as the caller tells it: the core has no clock.

use core::fmt;
use core::time::Duration;
use der::DateTime;

/// Seconds since 1970-01-01T00:00:00Z, as in POSIX.
///
/// Every step that depends on time is handed `now`. Times on the wire are relative, so the clocks
/// of token and server need not agree, except where a certificate's validity is checked.
///
/// ```
/// use halfkey::UnixTime;
///
/// let now = UnixTime::now();
/// let expires = now.after(7 * 86_400);
/// assert_eq!((expires.since(now), now.since(expires)), (604_800, 0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

impl UnixTime {
    /// Beginning of the day on which this version of the crate was released: it is later than this, whatever a
    /// clock says. `RELEASING.md` has it set; a fork that builds for devices without a clock may set it to the day
    /// of its build.
    ///
    /// Nothing is released yet, so it is a day on which none of this had been written.
    pub const RELEASED: Self = Self(1_735_689_600); // 2025-01-01

    /// Makes a time from seconds since the epoch.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Returns the seconds since the epoch.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0
    }

    /// Returns this time plus `seconds`; the latest representable time rather than wrapping.
    #[must_use]
    pub const fn after(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Returns the seconds from `earlier` to this time; 0 when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The system's clock; 1970 when it stands before the epoch.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn now() -> Self {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(Self(0), |since| Self(since.as_secs()))
    }

    pub(crate) const fn since_epoch(self) -> Duration {
        Duration::from_secs(self.0)
    }
}

/// A length of time from a moment of a clock that may jump.
///
/// It is over once its seconds have passed, and also when the clock stands before its beginning: then the
/// clock was set back, nobody can say how much has passed, and what should not last must not. A jump ahead
/// ends it early. A clock that is set back *within* the period lengthens it by as much as it was set back, and
/// no jump lengthens it by more than its own length and [`Period::TOLERANCE`] seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Period {
    begin: UnixTime,
    seconds: u64,
}

impl Period {
    /// Seconds by which the clock may stand before the beginning: what clocks of replicas differ by, and what
    /// a synchronised clock is set back by.
    pub const TOLERANCE: u64 = 60;

    /// A period of so many seconds from `begin`.
    #[must_use]
    pub const fn new(begin: UnixTime, seconds: u64) -> Self {
        Self { begin, seconds }
    }

    /// The period that ends at `end` and is so long, if the clock reaches back so far.
    pub(crate) const fn until(end: UnixTime, seconds: u64) -> Self {
        let begin = UnixTime(end.0.saturating_sub(seconds));
        Self::new(begin, end.since(begin))
    }

    /// Returns its beginning.
    #[must_use]
    pub const fn begin(&self) -> UnixTime {
        self.begin
    }

    /// Returns its length, in seconds.
    #[must_use]
    pub const fn seconds(&self) -> u64 {
        self.seconds
    }

    /// Returns its last second, on a clock that does not jump.
    #[must_use]
    pub const fn end(&self) -> UnixTime {
        self.begin.after(self.seconds)
    }

    /// Tells whether it is over on a clock that says `now`.
    #[must_use]
    pub const fn is_over(&self, now: UnixTime) -> bool {
        now.0 > self.end().0 || self.begin.0 > now.after(Self::TOLERANCE).0
    }

    /// Returns the seconds left: 0 when it is over, and never more than its length.
    #[must_use]
    pub const fn left(&self, now: UnixTime) -> u64 {
        let left = self.end().since(now);
        if self.is_over(now) {
            0
        } else if left < self.seconds {
            left
        } else {
            self.seconds
        }
    }
}

impl fmt::Display for UnixTime {
    /// As in RFC 3339, in UTC; times after the year 9999 as seconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::from_unix_duration(self.since_epoch()) {
            Ok(time) => time.fmt(f),
            Err(_) => write!(f, "{} s after 1970", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn times_are_shown_as_people_read_them() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_800_000_000, "2027-01-15T08:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
            (253_402_300_800, "253402300800 s after 1970"),
            (u64::MAX, "18446744073709551615 s after 1970"),
        ] {
            assert_eq!(UnixTime::from_secs(seconds).to_string(), text);
        }
    }

    #[test]
    fn a_period_ends_whichever_way_the_clock_jumps() {
        let (at, period) = (UnixTime::from_secs, Period::new(UnixTime::from_secs(1000), 600));
        for (now, left) in [
            (0, 0),
            (1000 - Period::TOLERANCE - 1, 0),
            (1000 - Period::TOLERANCE, 600),
            (1000, 600),
            (1001, 599),
            (1600, 0),
            (1601, 0),
            (u64::MAX, 0),
        ] {
            assert_eq!(period.left(at(now)), left, "{now}");
            let over = !(1000 - Period::TOLERANCE..=1600).contains(&now);
            assert_eq!(period.is_over(at(now)), over, "{now}");
        }
        assert_eq!(period.end(), at(1600));
        let endless = Period::new(at(u64::MAX - 5), u64::MAX);
        assert!(!endless.is_over(at(u64::MAX)) && endless.is_over(at(0)));
        assert_eq!(endless.end(), at(u64::MAX));
    }
}
