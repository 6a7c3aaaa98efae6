//! Figures for people.

use std::time::{Duration, SystemTime};

use runtime_signals::{Limit, Signal};

use super::printable;

const UNITS: [(u64, char); 4] = [(86_400, 'd'), (3600, 'h'), (60, 'm'), (1, 's')];

/// The two largest units of a span, rounded down: `3d4h`, `4m12s`, `12s`, `0s`.
pub(super) fn span(span: Duration) -> String {
    let mut rest = span.as_secs();
    let mut text = String::new();
    for (position, (seconds, unit)) in UNITS.into_iter().enumerate() {
        let is_second = !text.is_empty();
        if rest >= seconds || (!is_second && position + 1 == UNITS.len()) {
            text.push_str(&format!("{}{unit}", rest / seconds));
            rest %= seconds;
        }
        if is_second {
            break;
        }
    }
    text
}

/// A span that is still to come: rounded up, so that what is not over is never `0s`.
pub(super) fn wait(wait: Duration) -> String {
    span(wait.saturating_add(Duration::from_nanos(999_999_999)))
}

/// The wait for a time; `None` for none, and for one that is over.
pub(super) fn until(time: Option<SystemTime>, now: SystemTime) -> Option<String> {
    let left = time?.duration_since(now).ok().filter(|left| *left > Duration::ZERO)?;
    Some(wait(left))
}

/// The median latency; `None` where there was no call.
pub(super) fn p50(signal: &Signal) -> Option<String> {
    Some(signal.recent_p50_latency).filter(|p50| !p50.is_zero()).map(latency)
}

/// `840ms`, `1.2s`, `12s`, `4m12s`.
pub(super) fn latency(latency: Duration) -> String {
    match latency.as_millis() {
        0 => format!("{}us", latency.as_micros()),
        milliseconds @ 1..1000 => format!("{milliseconds}ms"),
        milliseconds @ 1000..10_000 => format!("{}.{}s", milliseconds / 1000, milliseconds % 1000 / 100),
        _ => span(latency),
    }
}

/// What a limit counts, over which window, and for whom.
pub(super) fn limit(limit: &Limit) -> String {
    let window = limit.window.map(|window| format!(" a window of {}", span(window)));
    let of = [&limit.scope.model, &limit.scope.account].into_iter().flatten().map(|name| printable(name));
    let of: String = of.map(|name| format!(", {name}")).collect();
    let pool = if limit.pool.is_empty() { String::new() } else { format!(" ({})", printable(&limit.pool)) };
    format!("{}{pool}{}{of}", limit.quantity, window.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units_at_most() {
        for (seconds, text) in [
            (0, "0s"),
            (12, "12s"),
            (60, "1m"),
            (252, "4m12s"),
            (3600, "1h"),
            (3601, "1h"),
            (7260, "2h1m"),
            (86_400 * 3 + 4 * 3600 + 59, "3d4h"),
            (86_400 + 59, "1d"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn what_is_still_to_come_is_rounded_up() {
        assert_eq!(wait(Duration::from_nanos(1)), "1s");
        assert_eq!(wait(Duration::from_secs(1)), "1s");
        assert_eq!(wait(Duration::from_millis(59_001)), "1m");
        assert!(wait(Duration::MAX).ends_with('h'));
    }

    #[test]
    fn latencies_are_as_fine_as_they_matter() {
        for (microseconds, text) in
            [(7, "7us"), (840_900, "840ms"), (1_290_000, "1.2s"), (12_900_000, "12s"), (252_000_000, "4m12s")]
        {
            assert_eq!(latency(Duration::from_micros(microseconds)), text);
        }
    }
}
