//! `watch` for people: the whole terminal, until they leave.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::MissedTickBehavior;

use super::model::{Model, News};
use super::theme::Theme;
use super::view;
use crate::cli::context::interrupted;
use crate::cli::logging;

/// Ages and waits are told in seconds.
const TICK: Duration = Duration::from_secs(1);
/// How long the thread that reads keys takes to see that nobody wants them any more.
const KEY_PATIENCE: Duration = Duration::from_millis(100);
/// News that is taken in before the screen is drawn anew.
const AT_ONCE: usize = 1000;

/// The terminal while it is ours. It is given back when this goes, and when the process panics.
struct Screen {
    terminal: DefaultTerminal,
    reading: Arc<AtomicBool>,
}

impl Screen {
    fn take(keys: Sender<io::Result<Event>>) -> anyhow::Result<Self> {
        logging::leave_the_screen(true);
        let reading = Arc::new(AtomicBool::new(true));
        let terminal = ratatui::try_init().inspect_err(|_| logging::leave_the_screen(false));
        let terminal = terminal.context("the terminal cannot be used; `read --json` needs none")?;
        let screen = Self { terminal, reading: reading.clone() };
        let reader = thread::Builder::new().name("keys".to_owned());
        reader.spawn(move || read_keys(&reading, &keys)).context("there is no thread for the keys")?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.reading.store(false, Ordering::Relaxed);
        // If it cannot be given back, it is gone.
        let _ = ratatui::try_restore();
        logging::leave_the_screen(false);
    }
}

fn read_keys(reading: &AtomicBool, to: &Sender<io::Result<Event>>) {
    while reading.load(Ordering::Relaxed) {
        let event = match event::poll(KEY_PATIENCE) {
            Ok(false) => continue,
            Ok(true) => event::read(),
            Err(error) => Err(error),
        };
        let failed = event.is_err();
        if to.blocking_send(event).is_err() || failed {
            return;
        }
    }
}

/// Shows the news until the user leaves or the process is asked to end.
pub(super) async fn show(
    mut model: Model,
    source: &str,
    theme: Theme,
    mut news: Receiver<News>,
) -> anyhow::Result<()> {
    let (to, mut keys) = mpsc::channel(16);
    let mut screen = Screen::take(to)?;
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = interrupted();
    tokio::pin!(end);
    loop {
        let now = SystemTime::now();
        model.tick(now);
        screen
            .terminal
            .draw(|frame| view::draw(frame, &mut model, source, theme, now))
            .context("the terminal cannot be drawn on")?;
        tokio::select! {
            // In this order: that the process is to end is heard from before the first news is shown.
            biased;
            ended = &mut end => return ended,
            key = keys.recv() => match key {
                Some(Ok(Event::Key(key))) if !model.press(key) => return Ok(()),
                // Also another size: it is drawn anew.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error).context("the terminal gives no keys any more"),
                None => return Ok(()),
            },
            some = news.recv() => {
                let Some(first) = some else { return Ok(()) };
                model.learn(first, SystemTime::now());
                for _ in 0..AT_ONCE {
                    let Ok(next) = news.try_recv() else { break };
                    model.learn(next, SystemTime::now());
                }
            }
            _ = ticks.tick() => {}
        }
    }
}
