//! Edges of the wall clock at which providers renew allowances.

pub use runtime_signals_profile::Edge;

use crate::time::Time;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// The next such edge after `now`; `None` where there is none.
#[must_use]
pub fn next(edge: Edge, now: Time) -> Option<Time> {
    let seconds = now.seconds();
    let next = match edge {
        Edge::None => return None,
        Edge::Minute => after(seconds, 60, 0),
        Edge::UtcDay => after(seconds, DAY, 0),
        Edge::PacificDay => {
            // The offset may change before that midnight comes.
            let at = |offset: i64| after(seconds, DAY, offset);
            let standard = at(8 * HOUR);
            if is_pacific_summer(standard) { at(7 * HOUR) } else { standard }
        }
        Edge::UtcMonth => {
            let (year, month, _) = now.date();
            let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            return Time::midnight(year, month, 1);
        }
    };
    Time::new(next, 0)
}

/// The first time after `seconds` that lies `offset` behind a whole number of periods.
const fn after(seconds: i64, period: i64, offset: i64) -> i64 {
    (seconds - offset).div_euclid(period) * period + period + offset
}

/// Is it summer time on the Pacific coast of the United States: from the second Sunday of March, 2:00, to the first
/// Sunday of November, 2:00? Source: 15 U.S.C. 260a.
fn is_pacific_summer(seconds: i64) -> bool {
    let Some(time) = Time::new(seconds, 0) else { return false };
    let (year, _, _) = time.date();
    let sunday = |month, earliest: i8, hour| {
        let first = Time::midnight(year, month, earliest)?.seconds();
        // 1970-01-01 was a Thursday.
        let weekday = (first.div_euclid(DAY) + 4).rem_euclid(7);
        Some(first + (7 - weekday) % 7 * DAY + hour * HOUR)
    };
    match (sunday(3, 8, 10), sunday(11, 1, 9)) {
        (Some(from), Some(to)) => (from..to).contains(&seconds),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn next_after(edge: Edge, now: &str) -> alloc::string::String {
        next(edge, Time::parse_rfc3339(now.as_bytes()).unwrap()).unwrap().to_string()
    }

    #[test]
    fn edges_come_after_now() {
        for (edge, now, expected) in [
            (Edge::Minute, "2026-01-15T15:59:48.689Z", "2026-01-15T16:00:00Z"),
            (Edge::Minute, "2026-01-15T16:00:00Z", "2026-01-15T16:01:00Z"),
            (Edge::UtcDay, "2026-10-06T18:00:00Z", "2026-10-07T00:00:00Z"),
            (Edge::UtcMonth, "2026-07-27T21:58:12Z", "2026-08-01T00:00:00Z"),
            (Edge::UtcMonth, "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"),
            (Edge::PacificDay, "2026-01-15T12:00:00Z", "2026-01-16T08:00:00Z"),
            (Edge::PacificDay, "2026-01-15T07:59:59Z", "2026-01-15T08:00:00Z"),
            (Edge::PacificDay, "2026-07-15T12:00:00Z", "2026-07-16T07:00:00Z"),
            (Edge::PacificDay, "2026-07-15T06:59:59Z", "2026-07-15T07:00:00Z"),
            (Edge::PacificDay, "2026-07-15T07:30:00Z", "2026-07-16T07:00:00Z"),
            // Days on which the clock changes.
            (Edge::PacificDay, "2026-03-08T12:00:00Z", "2026-03-09T07:00:00Z"),
            (Edge::PacificDay, "2026-03-08T07:00:00Z", "2026-03-08T08:00:00Z"),
            (Edge::PacificDay, "2026-11-01T12:00:00Z", "2026-11-02T08:00:00Z"),
            (Edge::PacificDay, "2026-11-01T06:00:00Z", "2026-11-01T07:00:00Z"),
        ] {
            assert_eq!(next_after(edge, now), expected, "{edge:?} after {now}");
        }
        assert_eq!(next(Edge::None, Time::UNIX_EPOCH), None);
        assert_eq!(next(Edge::UtcDay, Time::MAX), None);
    }
}
