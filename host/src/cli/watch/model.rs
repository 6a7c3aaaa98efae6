//! What `watch` shows, without any terminal: news, keys and the time come in as values.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use runtime_signals::CachedSignal;

use crate::cli::remote::Kind;
use crate::cli::status::urgency;

/// A service that is back has told of all that it still knows within so long.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(5);
/// The longest filter, in characters.
const LONGEST_FILTER: usize = 64;

/// Something new.
#[derive(Clone, Debug)]
pub(super) enum News {
    /// The source is there; every signal follows.
    Connected,
    /// It is away, and why.
    Lost(String),
    /// A signal as it is now.
    Signal(Box<CachedSignal>),
    /// Of which types providers are, and what reads them.
    Kinds(BTreeMap<String, Kind>),
}

/// A provider, as it is shown.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) entry: CachedSignal,
    /// When the entry came: its age is as of then.
    received_at: SystemTime,
    /// Told since the source was there the last time.
    confirmed: bool,
}

impl Row {
    /// How old the news is.
    pub(super) fn age(&self, now: SystemTime) -> Duration {
        self.entry.age.saturating_add(now.duration_since(self.received_at).unwrap_or_default())
    }
}

/// Is the source there?
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Connection {
    /// Not yet.
    Pending,
    /// Since then.
    Live(SystemTime),
    /// Not since then, and why.
    Lost(SystemTime, String),
}

/// What is in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    List,
    /// A filter is being typed.
    Filter,
    /// All of the selected provider.
    Details,
    Help,
}

/// Everything that is shown.
#[derive(Debug)]
pub(super) struct Model {
    rows: BTreeMap<String, Row>,
    kinds: BTreeMap<String, Kind>,
    pub(super) connection: Connection,
    pub(super) page: Page,
    pub(super) filter: String,
    /// The name of the selected provider: it stays selected when the order changes.
    selected: Option<String>,
    /// How long a signal is fresh that the source said is.
    ttl: Duration,
    /// Lines of the details that are scrolled away.
    pub(super) scrolled: u16,
    /// How many rows fit; told by whoever draws.
    pub(super) page_size: usize,
}

impl Model {
    pub(super) fn new(ttl: Duration) -> Self {
        Self {
            rows: BTreeMap::new(),
            kinds: BTreeMap::new(),
            connection: Connection::Pending,
            page: Page::List,
            filter: String::new(),
            selected: None,
            ttl,
            scrolled: 0,
            page_size: 1,
        }
    }

    /// Takes in news.
    pub(super) fn learn(&mut self, news: News, now: SystemTime) {
        match news {
            News::Connected => {
                self.connection = Connection::Live(now);
                self.rows.values_mut().for_each(|row| row.confirmed = false);
            }
            News::Lost(why) => {
                let since = match self.connection {
                    Connection::Lost(since, _) => since,
                    Connection::Live(_) | Connection::Pending => now,
                };
                self.connection = Connection::Lost(since, why);
            }
            News::Kinds(kinds) => self.kinds = kinds,
            News::Signal(entry) => {
                let name = entry.signal.provider.clone();
                self.rows.insert(name, Row { entry: *entry, received_at: now, confirmed: true });
            }
        }
    }

    /// Forgets what a source that is back does not tell of any more.
    pub(super) fn tick(&mut self, now: SystemTime) {
        if let Connection::Live(since) = self.connection
            && now.duration_since(since).is_ok_and(|live| live >= CONFIRMED_WITHIN)
        {
            self.rows.retain(|_, row| row.confirmed);
        }
    }

    /// The providers that match the filter, most urgent first.
    pub(super) fn rows(&self) -> Vec<&Row> {
        let filter = self.filter.to_lowercase();
        let matches = |row: &&Row| {
            let signal = &row.entry.signal;
            filter.is_empty()
                || signal.provider.to_lowercase().contains(&filter)
                || signal.status.as_str().contains(&filter)
        };
        let mut rows: Vec<&Row> = self.rows.values().filter(matches).collect();
        rows.sort_by(|a, b| urgency(&a.entry.signal, &b.entry.signal));
        rows
    }

    /// What is known of a provider beside its signal.
    pub(super) fn kind(&self, row: &Row) -> Option<&Kind> {
        self.kinds.get(&row.entry.signal.provider)
    }

    /// How many providers there are, whatever the filter.
    pub(super) fn count(&self) -> usize {
        self.rows.len()
    }

    /// The place of the selected provider among [`rows`](Self::rows); the first where none is selected.
    pub(super) fn position(&self, rows: &[&Row]) -> Option<usize> {
        let selected = |name: &String| rows.iter().position(|row| row.entry.signal.provider == *name);
        self.selected.as_ref().and_then(selected).or_else(|| (!rows.is_empty()).then_some(0))
    }

    /// Is there no news of it any more that counts?
    pub(super) fn is_stale(&self, row: &Row, now: SystemTime) -> bool {
        !row.entry.fresh || row.age(now) >= self.ttl || matches!(self.connection, Connection::Lost(..))
    }

    /// Takes in a key. `false`: the user wants to leave.
    pub(super) fn press(&mut self, key: KeyEvent) -> bool {
        if key.kind == KeyEventKind::Release {
            return true;
        }
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return false;
        }
        match self.page {
            Page::List => return self.press_in_list(key.code),
            Page::Filter => self.press_in_filter(key.code),
            Page::Help => match key.code {
                KeyCode::Char('q') => return false,
                _ => self.page = Page::List,
            },
            Page::Details => return self.press_in_details(key.code),
        }
        true
    }

    fn press_in_list(&mut self, key: KeyCode) -> bool {
        match key {
            KeyCode::Char('q') => return false,
            // What narrows the list is left first.
            KeyCode::Esc if !self.filter.is_empty() => self.filter.clear(),
            KeyCode::Esc => return false,
            KeyCode::Char('?') => self.page = Page::Help,
            KeyCode::Char('/') => self.page = Page::Filter,
            KeyCode::Enter => self.open(),
            other => self.select(other),
        }
        true
    }

    fn press_in_filter(&mut self, key: KeyCode) {
        match key {
            KeyCode::Esc => {
                self.filter.clear();
                self.page = Page::List;
            }
            KeyCode::Enter => self.page = Page::List,
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Char(letter) if self.filter.chars().count() < LONGEST_FILTER => self.filter.push(letter),
            _ => {}
        }
    }

    fn press_in_details(&mut self, key: KeyCode) -> bool {
        match key {
            KeyCode::Char('q') => return false,
            KeyCode::Esc | KeyCode::Enter | KeyCode::Backspace => self.page = Page::List,
            KeyCode::Char('?') => self.page = Page::Help,
            KeyCode::Down | KeyCode::Char('j') => self.scrolled = self.scrolled.saturating_add(1),
            KeyCode::Up | KeyCode::Char('k') => self.scrolled = self.scrolled.saturating_sub(1),
            KeyCode::Home | KeyCode::Char('g') => self.scrolled = 0,
            _ => {}
        }
        true
    }

    fn open(&mut self) {
        let rows = self.rows();
        let name = self.position(&rows).and_then(|at| Some(rows.get(at)?.entry.signal.provider.clone()));
        if name.is_some() {
            (self.selected, self.page, self.scrolled) = (name, Page::Details, 0);
        }
    }

    fn select(&mut self, key: KeyCode) {
        let rows = self.rows();
        let Some(at) = self.position(&rows) else { return };
        let last = rows.len().saturating_sub(1);
        let to = match key {
            KeyCode::Down | KeyCode::Char('j') => at + 1,
            KeyCode::Up | KeyCode::Char('k') => at.saturating_sub(1),
            KeyCode::PageDown => at + self.page_size,
            KeyCode::PageUp => at.saturating_sub(self.page_size),
            KeyCode::Home | KeyCode::Char('g') => 0,
            KeyCode::End | KeyCode::Char('G') => last,
            _ => return,
        };
        self.selected = rows.get(to.min(last)).map(|row| row.entry.signal.provider.clone());
    }
}

#[cfg(test)]
pub(super) mod tests {
    use runtime_signals::{ModelStatus, Signal};

    use super::*;

    pub(in super::super) const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    pub(in super::super) fn after(seconds: u64) -> SystemTime {
        NOW + Duration::from_secs(seconds)
    }

    pub(in super::super) fn signal(provider: &str, status: ModelStatus) -> Signal {
        Signal { status, ..Signal::unknown(provider.to_owned(), NOW) }
    }

    pub(in super::super) fn news(signal: Signal) -> News {
        News::Signal(Box::new(CachedSignal { signal, fresh: true, age: Duration::from_secs(3) }))
    }

    /// Three providers, most urgent first: out, broken, fine.
    pub(in super::super) fn model() -> Model {
        let mut model = Model::new(Duration::from_secs(300));
        model.learn(News::Connected, NOW);
        for (name, status) in [
            ("fine", ModelStatus::Available),
            ("broken", ModelStatus::Degraded),
            ("out", ModelStatus::Exhausted),
        ] {
            model.learn(news(signal(name, status)), NOW);
        }
        model
    }

    fn names(model: &Model) -> Vec<&str> {
        model.rows().into_iter().map(|row| row.entry.signal.provider.as_str()).collect()
    }

    fn selected(model: &Model) -> Option<String> {
        let rows = model.rows();
        Some(rows[model.position(&rows)?].entry.signal.provider.clone())
    }

    fn press(model: &mut Model, keys: &[KeyCode]) -> bool {
        keys.iter().all(|key| model.press(KeyEvent::new(*key, KeyModifiers::NONE)))
    }

    #[test]
    fn the_most_urgent_come_first_and_the_selection_follows_its_provider() {
        let mut model = model();
        assert_eq!(names(&model), ["out", "broken", "fine"]);
        assert!(press(&mut model, &[KeyCode::Char('j'), KeyCode::Down, KeyCode::Down]));
        assert_eq!(selected(&model).as_deref(), Some("fine"));
        model.learn(news(signal("fine", ModelStatus::Exhausted)), NOW);
        assert_eq!(names(&model), ["fine", "out", "broken"]);
        assert_eq!(selected(&model).as_deref(), Some("fine"));
        press(&mut model, &[KeyCode::End]);
        assert_eq!(selected(&model).as_deref(), Some("broken"));
        press(&mut model, &[KeyCode::PageUp, KeyCode::Home, KeyCode::Up]);
        assert_eq!(selected(&model).as_deref(), Some("fine"));
    }

    #[test]
    fn a_filter_takes_names_and_statuses_and_is_left_before_the_program() {
        let mut model = model();
        press(&mut model, &[KeyCode::Char('/'), KeyCode::Char('B'), KeyCode::Char('r'), KeyCode::Char('q')]);
        assert!(names(&model).is_empty());
        assert!(press(&mut model, &[KeyCode::Backspace, KeyCode::Enter]));
        assert_eq!(names(&model), ["broken"]);
        assert!(press(&mut model, &[KeyCode::Esc]));
        assert_eq!(names(&model).len(), 3);
        model.filter = "exhausted".to_owned();
        assert_eq!(names(&model), ["out"]);
        press(&mut model, &[KeyCode::Esc]);
        assert!(!press(&mut model, &[KeyCode::Esc]));
        model.page = Page::Filter;
        press(&mut model, &[KeyCode::Char('x'); 200]);
        assert_eq!(model.filter.len(), LONGEST_FILTER);
    }

    #[test]
    fn pages_are_opened_and_closed() {
        let mut model = model();
        for (key, page) in [
            (KeyCode::Enter, Page::Details),
            (KeyCode::Esc, Page::List),
            (KeyCode::Char('?'), Page::Help),
            (KeyCode::Char('x'), Page::List),
        ] {
            assert!(press(&mut model, &[key]));
            assert_eq!(model.page, page);
        }
        assert!(!model.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)));
        for page in [Page::List, Page::Details, Page::Help] {
            model.page = page;
            assert!(!press(&mut model, &[KeyCode::Char('q')]), "{page:?}");
        }
        let mut empty = Model::new(Duration::from_secs(300));
        assert!(press(&mut empty, &[KeyCode::Enter, KeyCode::Down, KeyCode::PageDown]));
        assert_eq!(empty.page, Page::List);
    }

    #[test]
    fn while_the_source_is_away_nothing_is_fresh_and_nothing_is_lost() {
        let mut model = model();
        assert!(!model.is_stale(model.rows()[0], after(10)));
        assert!(model.is_stale(model.rows()[0], after(300)));
        model.learn(News::Lost("refused".to_owned()), after(10));
        model.learn(News::Lost("refused again".to_owned()), after(20));
        assert_eq!(model.connection, Connection::Lost(after(10), "refused again".to_owned()));
        assert!(model.is_stale(model.rows()[0], after(20)));
        assert_eq!(model.rows()[0].age(after(20)), Duration::from_secs(23));

        model.learn(News::Connected, after(30));
        model.learn(news(signal("out", ModelStatus::Available)), after(30));
        model.tick(after(34));
        assert_eq!(names(&model).len(), 3);
        model.tick(after(35));
        assert_eq!(names(&model), ["out"]);
    }
}
