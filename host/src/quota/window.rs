//! Windows told apart by length, and what a window limits.

use super::WindowScope;

/// Length of the five-hour window in minutes.
pub(super) const FIVE_HOURS: u64 = 5 * 60;
/// Length of the weekly window in minutes.
pub(super) const WEEK: u64 = 7 * DAY;

const HOUR: u64 = 60;
const DAY: u64 = 24 * HOUR;

/// What a window of harness `harness` limits, from its identifier and its names.
pub(super) fn scope(harness: &str, limit_id: &str, names: [&str; 2]) -> WindowScope {
    let [name, limit_name] = names;
    let said = format!("{limit_id} {name} {limit_name}").to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    match harness {
        "claude" if says(&["extra", "overage"]) => WindowScope::Extra,
        "claude" if says(&["opus", "sonnet", "haiku", "_oi"]) => WindowScope::Model,
        "codex" if says(&["spark"]) || (limit_id != "codex" && !limit_name.is_empty()) => WindowScope::Model,
        "gemini" if says(&["gemini-", "flash", "pro"]) => WindowScope::Model,
        _ => WindowScope::Account,
    }
}

/// Are two lengths the same window? Sources round: 299 and 10079 minutes have been seen.
pub(super) fn same_length(a: u64, b: u64) -> bool {
    a.abs_diff(b) * 100 <= a.max(b)
}

/// The name of a window of this length, in minutes.
pub(super) fn name(minutes: u64) -> String {
    let known = [(FIVE_HOURS, "five_hour"), (DAY, "daily"), (WEEK, "weekly"), (30 * DAY, "monthly")];
    if let Some((_, name)) = known.iter().find(|(length, _)| same_length(*length, minutes)) {
        return (*name).to_owned();
    }
    if minutes.is_multiple_of(DAY) {
        format!("{}_day", minutes / DAY)
    } else if minutes.is_multiple_of(HOUR) {
        format!("{}_hour", minutes / HOUR)
    } else {
        format!("{minutes}_minute")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_named_by_its_length() {
        for (minutes, expected) in [
            (300, "five_hour"),
            (299, "five_hour"),
            (1440, "daily"),
            (10_080, "weekly"),
            (10_079, "weekly"),
            (43_200, "monthly"),
            (60, "1_hour"),
            (90, "90_minute"),
            (2880, "2_day"),
        ] {
            assert_eq!(name(minutes), expected);
        }
    }

    #[test]
    fn a_window_of_one_model_family_does_not_limit_the_account() {
        assert_eq!(scope("claude", "session", ["", ""]), WindowScope::Account);
        assert_eq!(scope("claude", "weekly-all", ["", ""]), WindowScope::Account);
        assert_eq!(scope("claude", "weekly-sonnet", ["", ""]), WindowScope::Model);
        assert_eq!(scope("claude", "", ["seven_day_opus", ""]), WindowScope::Model);
        assert_eq!(scope("claude", "extra", ["", ""]), WindowScope::Extra);
        assert_eq!(scope("codex", "codex", ["5h", "Codex"]), WindowScope::Account);
        assert_eq!(scope("codex", "premium", ["5h", ""]), WindowScope::Account);
        let named = ["five_hour", "GPT-5.3-Codex-Spark"];
        assert_eq!(scope("codex", "codex_bengalfox", named), WindowScope::Model);
        assert_eq!(scope("gemini", "gemini-flash", ["Flash", ""]), WindowScope::Model);
        assert_eq!(scope("kimi", "pro", ["", ""]), WindowScope::Account);
    }
}
