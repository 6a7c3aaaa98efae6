//! `watch` for programs: a line of JSON for each signal at first, then for each that changes.

use std::collections::BTreeMap;

use runtime_signals::{Signal, Store};
use tokio::sync::mpsc::Receiver;

use super::model::News;
use crate::cli::output::Output;
use crate::cli::tell;

/// What was printed last of each provider: a source that is back tells everything anew.
#[derive(Default)]
pub(super) struct Printed(BTreeMap<String, Signal>);

impl Printed {
    /// Prints until there is no more news.
    pub(super) async fn follow(&mut self, mut news: Receiver<News>, store: &Store) -> anyhow::Result<()> {
        let output = Output::json();
        let mut was_there = false;
        while let Some(news) = news.recv().await {
            match news {
                News::Connected => was_there = true,
                News::Lost(why) if was_there => tell(format_args!("runtime-signals: {why}; trying again")),
                // It was never there: somebody has to do something about it.
                News::Lost(why) => anyhow::bail!(why),
                News::Signal(entry) if self.is_new(&entry.signal) => output.entries(&[*entry], store)?,
                News::Signal(_) | News::Kinds(_) => {}
            }
        }
        Ok(())
    }

    fn is_new(&mut self, signal: &Signal) -> bool {
        let before = self.0.insert(signal.provider.clone(), signal.clone());
        before.is_none_or(|before| !before.says_the_same_as(signal))
    }
}
