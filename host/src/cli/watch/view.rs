//! How `watch` looks. Texts of others are shown harmless: what they hold of control characters becomes blanks.

use std::time::SystemTime;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Stylize;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Clear, Paragraph, Row as TableRow, Table, TableState, Wrap};
use runtime_signals::{Limit, Signal};

use super::model::{Connection, Model, Page, Row};
use super::theme::Theme;
use crate::cli::remote::Kind;
use crate::cli::{human, printable};

/// What stands where nothing is known.
const NOTHING: &str = "-";
/// The width of a bar, in columns.
const BAR: usize = 10;
/// Of a bar where there is room.
const LONG_BAR: usize = 30;
const HELP: [(&str, &str); 8] = [
    ("q, Ctrl-C", "leave"),
    ("Esc", "back; in the list: drop the filter, then leave"),
    ("up, down, k, j", "select a provider, or scroll its details"),
    ("PgUp, PgDn", "a page at a time"),
    ("Home, End, g, G", "the first, the last"),
    ("Enter", "all of the selected provider"),
    ("/", "show only what has this text in its name or status"),
    ("?", "this page"),
];

/// Draws everything, and notes how many rows there was room for.
pub(super) fn draw(frame: &mut Frame<'_>, model: &mut Model, source: &str, theme: Theme, now: SystemTime) {
    let [head, body, foot] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(1), Constraint::Length(1)])
            .areas(frame.area());
    // The heading of the table takes one.
    model.page_size = usize::from(body.height.saturating_sub(1)).max(1);
    frame.render_widget(heading(model, source, theme, now), head);
    match model.page {
        Page::Details => details(frame, body, model, theme, now),
        Page::List | Page::Filter | Page::Help => list(frame, body, model, theme, now),
    }
    frame.render_widget(keys(model, theme), foot);
    if model.page == Page::Help {
        help(frame, body, theme);
    }
}

fn heading(model: &Model, source: &str, theme: Theme, now: SystemTime) -> Line<'static> {
    let count = match model.count() {
        1 => "1 provider".to_owned(),
        count => format!("{count} providers"),
    };
    let connection = match &model.connection {
        Connection::Pending => Span::styled("not connected yet".to_owned(), theme.faint),
        Connection::Live(_) => Span::styled("live".to_owned(), theme.good),
        Connection::Lost(since, why) => {
            let gone = human::span(now.duration_since(*since).unwrap_or_default());
            Span::styled(format!("disconnected for {gone}: {}", printable(why)), theme.bad)
        }
    };
    let plain = Span::raw(format!("{count} · {} · ", printable(source)));
    Line::from(vec![plain, connection])
}

fn keys(model: &Model, theme: Theme) -> Line<'static> {
    let filter = printable(&model.filter);
    match model.page {
        Page::Filter => Line::from(format!("/{filter}▏")),
        Page::Details => Line::styled("Esc back · ↑↓ scroll · q leave · ? help", theme.faint),
        Page::List | Page::Help if !filter.is_empty() => {
            Line::styled(format!("only {filter:?} · Esc all · / filter · q leave · ? help"), theme.faint)
        }
        Page::List | Page::Help => {
            Line::styled("↑↓ select · Enter details · / filter · q leave · ? help", theme.faint)
        }
    }
}

fn list(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: Theme, now: SystemTime) {
    let rows = model.rows();
    if rows.is_empty() {
        let text =
            if model.count() == 0 { "no signals yet" } else { "nothing has that in its name or status" };
        frame.render_widget(Line::styled(text, theme.faint), area);
        return;
    }
    let widest = rows.iter().map(|row| row.entry.signal.provider.chars().count()).max().unwrap_or_default();
    let name = u16::try_from(widest.clamp(8, 24)).unwrap_or(24);
    let heading = ["PROVIDER", "STATUS", "TIGHTEST LIMIT", "RESETS IN", "P50", "AGE", "WHY"];
    let widths = [
        Constraint::Length(name),
        Constraint::Length(9),
        Constraint::Length(24),
        Constraint::Length(9),
        Constraint::Length(6),
        Constraint::Length(6),
        Constraint::Min(10),
    ];
    let lines = rows.iter().map(|row| table_row(row, model.is_stale(row, now), theme, now));
    let table = Table::new(lines, widths)
        .header(TableRow::new(heading).style(theme.heading))
        .row_highlight_style(theme.selected)
        .column_spacing(1);
    let mut state = TableState::default().with_selected(model.position(&rows));
    frame.render_stateful_widget(table, area, &mut state);
}

fn table_row(row: &Row, stale: bool, theme: Theme, now: SystemTime) -> TableRow<'static> {
    let signal = &row.entry.signal;
    let tightest = tightest(signal, now);
    let reset =
        signal.quota_reset_at.or(signal.cooldown_until).or(tightest.and_then(|limit| limit.resets_at));
    let cells = [
        Cell::from(printable(&signal.provider)),
        Cell::from(Span::styled(signal.status.as_str(), theme.of(signal.status))),
        Cell::from(tightest.map_or_else(|| NOTHING.into(), |limit| bar_and_share(limit, BAR, theme))),
        Cell::from(until(reset, now)),
        Cell::from(or_nothing(human::p50(signal))),
        Cell::from(human::span(row.age(now))),
        Cell::from(why(signal)),
    ];
    let style = if stale { theme.faint } else { theme.plain };
    TableRow::new(cells).style(style)
}

/// Why it has its status: the reason, and what the last failure said while it counts.
fn why(signal: &Signal) -> String {
    let reason = signal.reason.map(|reason| reason.as_str());
    let failed_last = signal.last_error_at > signal.last_success_at;
    let error = Some(printable(&signal.last_error_msg)).filter(|text| failed_last && !text.is_empty());
    match (reason, error) {
        (Some(reason), Some(error)) => format!("{reason}: {error}"),
        (Some(reason), None) => reason.to_owned(),
        (None, Some(error)) => error,
        (None, None) => NOTHING.to_owned(),
    }
}

fn details(frame: &mut Frame<'_>, area: Rect, model: &Model, theme: Theme, now: SystemTime) {
    let rows = model.rows();
    let Some(row) = model.position(&rows).and_then(|at| rows.get(at)) else {
        frame.render_widget(Line::styled("it is gone", theme.faint), area);
        return;
    };
    let text = details_of(row, model.kind(row), model.is_stale(row, now), theme, now);
    let title = format!(" {} ", printable(&row.entry.signal.provider));
    let paragraph = Paragraph::new(text)
        .wrap(Wrap { trim: false })
        .scroll((model.scrolled, 0))
        .block(Block::bordered().title(title));
    frame.render_widget(paragraph, area);
}

fn details_of(
    row: &Row,
    kind: Option<&Kind>,
    stale: bool,
    theme: Theme,
    now: SystemTime,
) -> Vec<Line<'static>> {
    let signal = &row.entry.signal;
    let named = |name: &str, value: Span<'static>| Line::from(vec![Span::raw(format!("{name:<13}")), value]);
    let plain = |name: &str, value: String| named(name, Span::raw(value));
    let ago = |at: SystemTime| format!("{} ago", human::span(now.duration_since(at).unwrap_or_default()));
    let mut lines = vec![named("status", Span::styled(signal.status.as_str(), theme.of(signal.status)))];
    lines.extend(signal.reason.map(|reason| plain("reason", reason.to_string())));
    if let Some(kind) = kind {
        lines.extend(kind.provider_type.as_deref().map(|of| plain("type", printable(of))));
        lines.extend(kind.read_by().map(|parser| plain("read by", printable(&parser))));
    }
    let age = human::span(row.age(now));
    lines.push(plain("news", if stale { format!("{age} ago, stale") } else { format!("{age} ago") }));
    lines.extend(signal.quota_remaining.map(|left| plain("left", left.to_string())));
    lines.extend(signal.quota_reset_at.map(|at| plain("resets in", until(Some(at), now))));
    lines.extend(signal.cooldown_until.map(|at| plain("refused for", until(Some(at), now))));
    lines.push(plain("latency", latency(signal)));
    lines.extend(signal.last_success_at.map(|at| plain("last success", ago(at))));
    if let Some(at) = signal.last_error_at {
        lines.push(plain("last error", format!("{}: {}", ago(at), printable(&signal.last_error_msg))));
    }
    let limits: Vec<&Limit> = signal.limits.iter().filter(|limit| is_current(limit, now)).collect();
    if !limits.is_empty() {
        lines.push(Line::default());
        lines.push(Line::styled("LIMITS", theme.heading));
    }
    for limit in limits {
        lines.push(Line::raw(human::limit(limit)));
        let mut bar = bar_and_share(limit, LONG_BAR, theme);
        bar.spans.insert(0, Span::raw("  "));
        let counts = limit.remaining.zip(limit.limit).map(|(left, of)| format!(", {left} of {of}"));
        bar.push_span(Span::raw(counts.unwrap_or_default()));
        bar.push_span(Span::raw(format!(", resets in {}", until(limit.resets_at, now))));
        lines.push(bar);
    }
    lines
}

fn latency(signal: &Signal) -> String {
    let Some(latency) = signal.latency else {
        return or_nothing(human::p50(signal).map(|p50| format!("p50 {p50}")));
    };
    let [p50, p90, p99] = [signal.recent_p50_latency, latency.p90, latency.p99].map(human::latency);
    let first = latency.ttfb_p50.map(|first| format!(", first byte {}", human::latency(first)));
    format!("p50 {p50}, p90 {p90}, p99 {p99}{} of {} calls", first.unwrap_or_default(), latency.count)
}

fn is_current(limit: &Limit, now: SystemTime) -> bool {
    limit.resets_at.is_none_or(|at| at > now)
}

/// The limit of which the smallest share is left.
fn tightest(signal: &Signal, now: SystemTime) -> Option<&Limit> {
    let current = signal.limits.iter().filter(|limit| is_current(limit, now));
    current
        .filter_map(|limit| Some((limit.share_left()?, limit)))
        .min_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, limit)| limit)
}

fn bar_and_share(limit: &Limit, width: usize, theme: Theme) -> Line<'static> {
    let Some(share) = limit.share_left() else { return Line::raw(NOTHING) };
    let style = if share < 0.1 {
        theme.bad
    } else if share < 0.3 {
        theme.fair
    } else {
        theme.good
    };
    Line::from(vec![
        Span::styled(bar(share, width), style),
        Span::raw(format!(" {:>3.0}% left", share * 100.0)),
    ])
}

/// A bar of which this share is full; what is left at all shows, and what is not whole does not look whole.
fn bar(share: f64, width: usize) -> String {
    let exact = share.clamp(0.0, 1.0) * width as f64;
    let full = match exact.round() as usize {
        0 if exact > 0.0 => 1,
        full if full >= width && share < 1.0 => width.saturating_sub(1),
        full => full.min(width),
    };
    "█".repeat(full) + &"░".repeat(width - full)
}

fn until(time: Option<SystemTime>, now: SystemTime) -> String {
    or_nothing(human::until(time, now))
}

fn or_nothing(text: Option<String>) -> String {
    text.unwrap_or_else(|| NOTHING.to_owned())
}

fn help(frame: &mut Frame<'_>, area: Rect, theme: Theme) {
    let lines =
        HELP.iter().map(|(keys, what)| Line::from(vec![format!("{keys:<17}").bold(), Span::raw(*what)]));
    let width = area.width.min(72);
    let height = area.height.min(HELP.len() as u16 + 2);
    let place =
        Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    frame.render_widget(Clear, place);
    let block = Block::bordered().title(" keys ").style(theme.plain);
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()).block(block), place);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use ratatui::crossterm::event::{KeyCode, KeyEvent};
    use ratatui::style::Color;
    use runtime_signals::{Effect, ModelStatus, Quantity, Refill, Scope};

    use super::super::model::News;
    use super::super::model::tests::{NOW, after, model, news, signal};
    use super::*;

    fn screen(model: &mut Model, size: (u16, u16), theme: Theme, now: SystemTime) -> TestBackend {
        let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
        terminal.draw(|frame| draw(frame, model, "the cache", theme, now)).unwrap();
        terminal.backend().clone()
    }

    fn lines(model: &mut Model, size: (u16, u16)) -> Vec<String> {
        let shown = screen(model, size, Theme::plain(), after(10)).to_string();
        shown.lines().map(|line| line.trim_matches('"').trim_end().to_owned()).collect()
    }

    fn limit(remaining: u64, resets: u64) -> Limit {
        Limit {
            quantity: Quantity::Tokens,
            scope: Scope { account: None, model: Some("large".to_owned()) },
            pool: String::new(),
            window: Some(Duration::from_secs(3600)),
            limit: Some(100),
            remaining: Some(remaining),
            utilization: None,
            resets_at: Some(after(resets)),
            captured_at: NOW,
            refill: Refill::WindowEdge,
            effect: Effect::Refuses,
        }
    }

    fn limited(limits: Vec<Limit>) -> Signal {
        Signal { limits, ..signal("mine", ModelStatus::Available) }
    }

    #[test]
    fn the_list_shows_the_most_urgent_first_with_the_tightest_limit_as_a_bar() {
        let mut model = model();
        model.learn(news(limited(vec![limit(80, 9), limit(25, 262), limit(70, 500)])), NOW);
        let lines = lines(&mut model, (100, 8));
        assert_eq!(lines[0], "4 providers · the cache · live");
        assert!(lines[1].starts_with("PROVIDER STATUS    TIGHTEST LIMIT"), "{lines:?}");
        assert!(lines[2].starts_with("out      exhausted -"), "{lines:?}");
        assert!(
            lines[4].starts_with("mine     available ███░░░░░░░  25% left     4m12s     -      13s"),
            "{lines:?}"
        );
        assert!(lines[7].contains("q leave"), "{lines:?}");
    }

    #[test]
    fn details_show_all_limits_that_are_not_over() {
        let mut model = model();
        let mut signal = limited(vec![limit(80, 9), limit(25, 262)]);
        signal.last_error_msg = "a\u{1b}]0;title\u{7}b".to_owned();
        signal.last_error_at = Some(after(5));
        model.learn(news(signal), NOW);
        model.filter = "mine".to_owned();
        model.press(KeyEvent::from(KeyCode::Enter));
        let text = lines(&mut model, (100, 20)).join("\n");
        for part in
            ["status       available", "last error   5s ago: a ]0;title b", "tokens a window of 1h, large"]
        {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(text.matches("resets in").count(), 1, "{text}");
        assert!(text.contains(" 25% left, 25 of 100, resets in 4m12s"), "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'));
    }

    #[test]
    fn a_source_that_is_away_is_told_with_the_cause() {
        let mut model = model();
        model.learn(News::Lost("connection\u{1b}[2J refused".to_owned()), after(3));
        let lines = lines(&mut model, (100, 8));
        assert_eq!(lines[0], "3 providers · the cache · disconnected for 7s: connection [2J refused");
    }

    #[test]
    fn every_page_fits_into_every_size() {
        for page in [Page::List, Page::Filter, Page::Details, Page::Help] {
            for size in [(1, 1), (2, 3), (20, 4), (80, 24), (300, 100)] {
                let mut model = model();
                model.learn(news(limited(vec![limit(25, 262)])), NOW);
                model.page = page;
                screen(&mut model, size, Theme::coloured(), after(1));
            }
        }
    }

    #[test]
    fn without_colours_there_are_none() {
        let colours = |theme| {
            let screen = screen(&mut model(), (80, 10), theme, after(1));
            screen.buffer().content().iter().any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset)
        };
        assert!(colours(Theme::coloured()) && !colours(Theme::plain()));
    }

    #[test]
    fn bars_never_look_empty_or_whole_where_they_are_not() {
        assert_eq!(bar(0.0, 4), "░░░░");
        assert_eq!(bar(0.001, 4), "█░░░");
        assert_eq!(bar(0.5, 4), "██░░");
        assert_eq!(bar(0.999, 4), "███░");
        assert_eq!(bar(1.0, 4), "████");
        assert_eq!(bar(f64::NAN, 4), "░░░░");
    }
}
