//! Points in time and spans as they are written on a command line.

use halfkey::UnixTime;
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};
use thiserror::Error;

/// The last second that RFC 3339 has a year of four digits for.
const LAST: u64 = 253_402_300_799;

/// Error of a text that is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TimeError {
    /// The text names no point in time.
    #[error("a time is 2027-01-31, 2027-01-31T12:00:00Z, now, +30d or -12h")]
    Time,
    /// The text names no span of time.
    #[error("a span of time is 45s, 30m, 12h, 30d or a number of seconds")]
    Span,
}

/// Point in time: RFC 3339 in UTC, a day, `now`, or a span before or after now.
#[derive(Clone, Copy, Debug)]
pub struct When(pub UnixTime);

impl FromStr for When {
    type Err = TimeError;
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let now = UnixTime::now();
        if text == "now" {
            return Ok(Self(now));
        }
        if let Some(span) = text.strip_prefix('+') {
            let Span(seconds) = span.parse().map_err(|_| TimeError::Time)?;
            return Ok(Self(now.after(seconds)));
        }
        if let Some(span) = text.strip_prefix('-') {
            let Span(seconds) = span.parse().map_err(|_| TimeError::Time)?;
            return Ok(Self(UnixTime::from_secs(now.as_secs().saturating_sub(seconds))));
        }
        let full = if text.len() == "2027-01-31".len() { format!("{text}T00:00:00Z") } else { text.into() };
        let time = humantime::parse_rfc3339(&full).map_err(|_| TimeError::Time)?;
        let since = time.duration_since(UNIX_EPOCH).map_err(|_| TimeError::Time)?;
        Ok(Self(UnixTime::from_secs(since.as_secs())))
    }
}

/// Span of time, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Span(pub u64);

impl FromStr for Span {
    type Err = TimeError;
    fn from_str(text: &str) -> Result<Self, TimeError> {
        if let Ok(seconds) = text.parse() {
            return Ok(Self(seconds));
        }
        Ok(Self(humantime::parse_duration(text).map_err(|_| TimeError::Span)?.as_secs()))
    }
}

/// Returns a time as RFC 3339 writes it, in UTC. One beyond the year 9999 is as good as that year's end.
#[must_use]
pub fn written(time: UnixTime) -> String {
    let since = Duration::from_secs(time.as_secs().min(LAST));
    let time = UNIX_EPOCH.checked_add(since).unwrap_or(UNIX_EPOCH);
    humantime::format_rfc3339_seconds(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        let time = |text: &str| text.parse::<When>().map(|When(time)| time.as_secs());
        assert_eq!(time("1970-01-02"), Ok(86_400));
        assert_eq!(time("2027-01-31T12:00:00Z"), Ok(1_801_396_800));
        assert_eq!(written(UnixTime::from_secs(1_801_396_800)), "2027-01-31T12:00:00Z");
        assert_eq!(written(UnixTime::from_secs(u64::MAX)), "9999-12-31T23:59:59Z");
        assert_eq!(time("-999999999999d"), Ok(0));
        assert!(time("+18446744073709551615").unwrap() > LAST);
        for bad in ["", "yesterday", "30d", "2027-13-01", "1969-12-31", "+", "--1d", "+1x", "é027-01-3"] {
            assert_eq!(time(bad), Err(TimeError::Time), "{bad}");
        }
    }
}
