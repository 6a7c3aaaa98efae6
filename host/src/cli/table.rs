//! Tables for people: aligned columns, as wide as what stands in them.

use std::time::SystemTime;

use anstyle::{AnsiColor, Style};
use runtime_signals::{CachedSignal, Limit, ModelStatus, Signal};

use super::human;

/// What stands where nothing is known.
const NOTHING: &str = "-";
const PLAIN: Style = Style::new();
const HEADING: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();

/// One cell.
struct Cell {
    text: String,
    style: Style,
    side: Side,
}

#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

impl Cell {
    fn new(text: &str, style: Style, side: Side) -> Self {
        // Texts come from files of other programs: they must not steer the terminal.
        let text = if text.is_empty() { NOTHING } else { text };
        Self { text: text.replace(char::is_control, " "), style, side }
    }

    fn text(text: &str) -> Self {
        Self::new(text, PLAIN, Side::Left)
    }

    fn number(text: Option<String>) -> Self {
        Self::new(&text.unwrap_or_default(), PLAIN, Side::Right)
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

/// The signals, one a line below a heading. Stale ones are faint.
pub(super) fn signals(signals: &[CachedSignal], now: SystemTime, colours: bool) -> String {
    let heading = ["PROVIDER", "STATUS", "REASON"].map(|text| Cell::new(text, HEADING, Side::Left));
    let figures = ["REMAINING", "RESETS IN", "P50", "AGE"].map(|text| Cell::new(text, HEADING, Side::Right));
    let mut rows = vec![Vec::from_iter(heading.into_iter().chain(figures))];
    rows.extend(signals.iter().map(|CachedSignal { signal, fresh, age }| {
        let mut row = vec![
            Cell::text(&signal.provider),
            Cell::new(signal.status.as_str(), colour(signal.status), Side::Left),
            Cell::text(signal.reason.as_ref().map_or("", |reason| reason.as_str())),
            Cell::number(signal.quota_remaining.map(|remaining| remaining.to_string())),
            Cell::number(human::until(signal.quota_reset_at.or(signal.cooldown_until), now)),
            Cell::number(human::p50(signal)),
            Cell::number(Some(human::span(*age))),
        ];
        if !fresh {
            row.iter_mut().for_each(|cell| cell.style = FAINT);
        }
        row
    }));
    draw(&rows, colours)
}

/// What a row has no room for: the limits, and the last failure.
pub(super) fn details(signal: &Signal, now: SystemTime, colours: bool) -> String {
    let mut text = String::new();
    if !signal.limits.is_empty() {
        let heading = ["LIMIT", "ACCOUNT", "MODEL"].map(|text| Cell::new(text, HEADING, Side::Left));
        let figures = ["WINDOW", "REMAINING", "OF", "USED", "RESETS IN"]
            .map(|text| Cell::new(text, HEADING, Side::Right));
        let mut rows = vec![Vec::from_iter(heading.into_iter().chain(figures))];
        rows.extend(signal.limits.iter().map(|limit| limit_row(limit, now)));
        text.push('\n');
        text.push_str(&draw(&rows, colours));
    }
    if !signal.last_error_msg.is_empty() {
        let since = signal.last_error_at.and_then(|at| now.duration_since(at).ok()).unwrap_or_default();
        let message = Cell::text(&signal.last_error_msg).text;
        text.push_str(&format!("\nlast error {} ago: {message}\n", human::span(since)));
    }
    text
}

/// Texts in columns below a heading.
pub(super) fn texts<const COLUMNS: usize>(
    heading: [&str; COLUMNS],
    rows: impl IntoIterator<Item = [String; COLUMNS]>,
    colours: bool,
) -> String {
    let heading = heading.map(|text| Cell::new(text, HEADING, Side::Left));
    let mut table = vec![Vec::from(heading)];
    table.extend(rows.into_iter().map(|row| row.iter().map(|text| Cell::text(text)).collect()));
    draw(&table, colours)
}

fn limit_row(limit: &Limit, now: SystemTime) -> Vec<Cell> {
    vec![
        Cell::text(limit.quantity.as_str()),
        Cell::text(limit.scope.account.as_deref().unwrap_or_default()),
        Cell::text(limit.scope.model.as_deref().unwrap_or_default()),
        Cell::number(limit.window.map(human::span)),
        Cell::number(limit.remaining.map(|remaining| remaining.to_string())),
        Cell::number(limit.limit.map(|limit| limit.to_string())),
        Cell::number(limit.utilization.map(|share| format!("{:.0}%", share * 100.0))),
        Cell::number(human::until(limit.resets_at, now)),
    ]
}

fn colour(status: ModelStatus) -> Style {
    let colour = match status {
        ModelStatus::Available => AnsiColor::Green,
        ModelStatus::Degraded => AnsiColor::Yellow,
        ModelStatus::Exhausted => AnsiColor::Red,
        ModelStatus::Unknown => return FAINT,
    };
    colour.on_default()
}

fn draw(rows: &[Vec<Cell>], colours: bool) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column| rows.iter().filter_map(|row| row.get(column)).map(Cell::width).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (Cell { text, style, side }, width) in row.iter().zip(&widths) {
            let padding = " ".repeat(width.saturating_sub(text.chars().count()));
            let text = if colours { format!("{style}{text}{style:#}") } else { text.clone() };
            let gap = if line.is_empty() { "" } else { "  " };
            match side {
                Side::Left => line.push_str(&format!("{gap}{text}{padding}")),
                Side::Right => line.push_str(&format!("{gap}{padding}{text}")),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use runtime_signals::Reason;

    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn exhausted() -> CachedSignal {
        let mut signal = Signal::unknown("openrouter".to_owned(), NOW);
        signal.status = ModelStatus::Exhausted;
        signal.reason = Some(Reason::RateLimited);
        signal.quota_remaining = Some(0);
        signal.quota_reset_at = Some(NOW + Duration::from_secs(252));
        signal.recent_p50_latency = Duration::from_millis(840);
        CachedSignal { signal, fresh: true, age: Duration::from_secs(3) }
    }

    fn unknown() -> CachedSignal {
        let signal = Signal::unknown("öl".to_owned(), NOW);
        CachedSignal { signal, fresh: false, age: Duration::from_secs(7200) }
    }

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        let table = signals(&[exhausted(), unknown()], NOW, false);
        let expected = "\
PROVIDER    STATUS     REASON        REMAINING  RESETS IN    P50  AGE
openrouter  exhausted  rate_limited          0      4m12s  840ms   3s
öl          unknown    -                     -          -      -   2h
";
        assert_eq!(table, expected);
    }

    #[test]
    fn only_with_colours_there_are_escape_sequences() {
        assert!(!signals(&[exhausted(), unknown()], NOW, false).contains('\u{1b}'));
        let coloured = signals(&[exhausted()], NOW, true);
        assert!(coloured.contains("\u{1b}[31mexhausted\u{1b}[0m"), "{coloured:?}");
    }

    #[test]
    fn texts_of_others_do_not_steer_the_terminal() {
        let mut signal = exhausted().signal;
        signal.last_error_msg = "a\u{1b}]0;title\u{7}b".to_owned();
        assert_eq!(details(&signal, NOW, false), "\nlast error 0s ago: a ]0;title b\n");
        signal.provider = "x\u{9b}2J\ny".to_owned();
        let row = CachedSignal { signal, fresh: true, age: Duration::ZERO };
        assert!(signals(&[row], NOW, false).contains("\nx 2J y    exhausted"));
    }

    #[test]
    fn a_reset_that_has_passed_is_not_shown() {
        let late = signals(&[exhausted()], NOW + Duration::from_secs(252), false);
        assert!(late.contains("        0          -  840ms"), "{late}");
    }
}
