//! Telling commands and webhooks of the user's when a provider's status changes (`[[on_change]]`).
//!
//! What a provider had as its status when this began is no change. Commands that hang and addresses that are away hold
//! up nobody: few are told at the same time, one at a time of each provider, the newest change instead of those that it
//! has overtaken, and what is beyond the bound is dropped and counted. Failures are logged; none stops the service.

mod command;
mod queue;
mod webhook;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;

use self::queue::{Key, Queue};
use self::webhook::Webhooks;
use super::board::{Change, Entry};
use super::signals::write_change;
use super::state::AppState;
use crate::config::{Config, OnChange};
use crate::signal::ModelStatus;

/// Commands and posts at the same time.
const AT_ONCE: usize = 8;
/// Changes that wait to be told.
const MOST_WAITING: usize = 1024;

/// One change for one of those who are told.
#[derive(Clone)]
struct Job {
    rule: Arc<OnChange>,
    provider: String,
    status: ModelStatus,
    previous: ModelStatus,
    /// As `/v1/events` has it.
    json: Vec<u8>,
}

/// Begins to tell: of all that changes from when this returns, for as long as the future that it returns is polled.
pub(super) async fn begin(state: AppState) -> impl Future<Output = ()> {
    let mut config = state.follow_config();
    let mut current = config.borrow_and_update().clone();
    let mut teller = Teller::begin(&state, &current).await;
    async move {
        loop {
            // Without anybody to tell, nobody listens, and the board does nothing for it.
            let told = async {
                match teller {
                    Some(teller) => teller.run().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = told => return,
                changed = changed_rules(&mut config, &current) => if !changed { return },
                () = state.ended() => return,
            }
            current = config.borrow_and_update().clone();
            teller = Teller::begin(&state, &current).await;
        }
    }
}

/// Waits for a configuration with other rules: others do not disturb those at work. `false`: there will be none.
async fn changed_rules(config: &mut tokio::sync::watch::Receiver<Arc<Config>>, current: &Config) -> bool {
    config.wait_for(|config| config.on_change != current.on_change).await.is_ok()
}

/// Who tells.
struct Teller {
    state: AppState,
    rules: Vec<Arc<OnChange>>,
    changes: Receiver<Change>,
    /// The status of each provider that was seen last.
    statuses: HashMap<String, ModelStatus>,
    queue: Queue,
    webhooks: Arc<Webhooks>,
    /// Dropping them kills the commands.
    at_work: JoinSet<Key>,
}

impl Teller {
    /// Notes how everybody is; `None` where there is nobody to tell.
    async fn begin(state: &AppState, config: &Config) -> Option<Self> {
        if config.on_change.is_empty() {
            return None;
        }
        let mut teller = Self {
            rules: config.on_change.iter().cloned().map(Arc::new).collect(),
            changes: state.board.listen(),
            state: state.clone(),
            statuses: HashMap::new(),
            queue: Queue::new(MOST_WAITING),
            webhooks: Arc::default(),
            at_work: JoinSet::new(),
        };
        for entry in teller.entries().await {
            teller.statuses.insert(entry.signal.provider.clone(), entry.signal.status);
        }
        Some(teller)
    }

    async fn run(mut self) {
        loop {
            while self.at_work.len() < AT_ONCE
                && let Some((key, job)) = self.queue.next()
            {
                self.at_work.spawn(tell(self.state.clone(), self.webhooks.clone(), key, job));
            }
            tokio::select! {
                change = self.changes.recv() => match change {
                    Ok(change) => self.take(&change.entry),
                    Err(RecvError::Lagged(_)) => {
                        self.changes = self.state.board.listen();
                        for entry in self.entries().await {
                            self.take(&entry);
                        }
                    }
                    Err(RecvError::Closed) => return,
                },
                Some(done) = self.at_work.join_next() => {
                    if let Ok(key) = done {
                        self.queue.done(&key);
                    }
                }
            }
        }
    }

    /// All signals as of now.
    async fn entries(&self) -> Vec<Arc<Entry>> {
        let board = self.state.board.clone();
        match tokio::task::spawn_blocking(move || board.entries()).await {
            Ok(Ok(entries)) => entries,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the statuses before a change cannot be judged");
                Vec::new()
            }
            Err(_) => Vec::new(),
        }
    }

    /// Queues what is to be told of an entry, if its status has changed.
    fn take(&mut self, entry: &Entry) {
        let (provider, status) = (&entry.signal.provider, entry.signal.status);
        let previous = self.statuses.insert(provider.clone(), status).unwrap_or(ModelStatus::Unknown);
        if previous == status {
            return;
        }
        let mut json = Vec::with_capacity(entry.json.len() + 96);
        write_change(&self.state.board, entry, Some(previous), &mut json);
        for (place, rule) in self.rules.iter().enumerate() {
            let key = Key { rule: place, provider: provider.clone() };
            if !rule.wants(provider, status) {
                self.queue.forget(&key);
                continue;
            }
            let (rule, provider, json) = (rule.clone(), provider.clone(), json.clone());
            if !self.queue.push(key, Job { rule, provider, status, previous, json }) {
                self.state.counters.on_change_dropped.fetch_add(1, Ordering::Relaxed);
                tracing::warn!("more than {MOST_WAITING} changes wait to be told; the oldest is dropped");
            }
        }
    }
}

async fn tell(state: AppState, webhooks: Arc<Webhooks>, key: Key, job: Job) -> Key {
    let provider = &job.provider;
    let mut is_told = true;
    if let Some(argv) = &job.rule.command
        && let Err(error) = command::run(argv, &job).await
    {
        is_told = false;
        tracing::warn!(%provider, program = argv.program(), %error, "a command was not told of a change");
    }
    if let Some(webhook) = &job.rule.webhook
        && let Err(error) = webhooks.post(webhook, &job).await
    {
        is_told = false;
        tracing::warn!(%provider, %webhook, %error, "a webhook was not told of a change");
    }
    let counters = &state.counters;
    let count = if is_told { &counters.on_change_told } else { &counters.on_change_failed };
    count.fetch_add(1, Ordering::Relaxed);
    key
}
