//! The absolute counts in Claude's snapshot file: `five_hour_remaining` of `five_hour_limit`, and weekly.

use serde_json::{Map, Value};

use super::figure::{Captured, Figure};
use super::{WindowScope, lenient, window};

/// A window that both the counts and the status line know.
pub(super) struct Known {
    /// Its length.
    pub(super) minutes: u64,
    /// Its identifier in the list of windows.
    pub(super) limit_id: &'static str,
    /// The key that says how much is left.
    pub(super) remaining: &'static str,
    /// The key that says of how much.
    pub(super) limit: &'static str,
}

/// The window of five hours.
pub(super) const FIVE_HOUR: Known = Known {
    minutes: window::FIVE_HOURS,
    limit_id: "session",
    remaining: "five_hour_remaining",
    limit: "five_hour_limit",
};

/// The window of seven days, for all models.
pub(super) const WEEKLY: Known = Known {
    minutes: window::WEEK,
    limit_id: "weekly-all",
    remaining: "weekly_remaining",
    limit: "weekly_limit",
};

/// Adds what the absolute counts say. Counts belong to the listed window of the same length, if there is one.
pub(super) fn add_counts(document: &Map<String, Value>, figures: &mut Vec<Figure>) {
    for known in [FIVE_HOUR, WEEKLY] {
        let Some((used_up, used_percent)) = counts(document, &known) else {
            continue;
        };
        if let Some(figure) = figures.iter_mut().find(|figure| is(figure, &known)) {
            figure.used_up |= used_up;
            figure.used_percent = figure.used_percent.or(used_percent);
        } else {
            figures.push(Figure {
                name: window::name(known.minutes),
                limit_id: known.limit_id.to_owned(),
                minutes: Some(known.minutes),
                used_percent,
                resets_at: None,
                used_up,
                scope: WindowScope::Account,
                captured: Captured::Together,
            });
        }
    }
}

/// Is nothing left, and which share in percent is used? None when the file does not count this window: a
/// limit of 0 is how its other writers say so.
pub(super) fn counts(document: &Map<String, Value>, known: &Known) -> Option<(bool, Option<f64>)> {
    let remaining = lenient::quantity(document.get(known.remaining))?;
    let limit = lenient::quantity(document.get(known.limit));
    if limit == Some(0.0) {
        return None;
    }
    let used_percent = limit.map(|limit| (100.0 * (limit - remaining) / limit).max(0.0));
    Some((remaining == 0.0, used_percent))
}

/// Is this figure about that window?
pub(super) fn is(figure: &Figure, known: &Known) -> bool {
    figure.scope == WindowScope::Account
        && figure.minutes.is_some_and(|minutes| window::same_length(minutes, known.minutes))
}
