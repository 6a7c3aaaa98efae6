//! The start and the end of the service.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use tokio::task::{JoinHandle, JoinSet};

use super::listener::Listener;
use super::router::router;
use super::state::AppState;
use super::token::{Token, TokenError};
use super::{discovery, on_change, proxy, refresh};
use crate::config::{Config, Listen};
use crate::error::Error;
use crate::parsers::source::Feed;
use crate::service::Service;
use crate::shared::{self, SharedError, SharedTier};

/// From one look for changes to the next.
const TICK: Duration = Duration::from_millis(250);
/// From one look at what other processes have stored to the next.
const DISK: Duration = Duration::from_secs(2);
/// How long requests that are under way at the end may take.
const GRACE: Duration = Duration::from_secs(10);

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Anybody in the network could use it.
    #[error(
        "{0} can be reached from other machines: name a token by `service.token_file` or RUNTIME_SIGNALS_TOKEN, or \
         listen on 127.0.0.1"
    )]
    Open(SocketAddr),
    /// The token is of no use.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Nobody could reach it.
    #[error("`service.listen` is off and there is no `service.socket`: name one of them")]
    Nowhere,
    /// The address or the socket cannot be listened on.
    #[error("cannot listen on {place}: {error}; name another by --listen or `service`, or end what uses it")]
    Bind {
        /// The address or the path.
        place: String,
        /// Why.
        error: std::io::Error,
    },
    /// Signals cannot be shared as `[shared]` says.
    #[error(transparent)]
    Shared(#[from] SharedError),
    /// What is stored cannot be read.
    #[error(transparent)]
    Service(#[from] Error),
    /// Nothing would keep parsers up to date.
    #[error("parsers cannot be kept up to date: {0}; free some threads or memory")]
    Parsers(std::io::Error),
}

/// Where the service can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Its address.
    pub address: Option<SocketAddr>,
    /// Its socket.
    pub socket: Option<PathBuf>,
}

/// A running service.
pub struct Server {
    state: AppState,
    bound: Bound,
    tasks: JoinSet<()>,
    listeners: JoinSet<()>,
    connections: Arc<GracefulShutdown>,
    _parsers: Option<Feed>,
    sharing: Option<JoinHandle<()>>,
}

impl Server {
    /// What would keep the service from starting with this configuration; its token where nothing does.
    ///
    /// # Errors
    /// Whatever can be told without listening.
    pub fn check(config: &Config) -> Result<Option<Token>, StartError> {
        let token = Token::find(config.service.token_file.as_deref())?;
        open_tier(config)?;
        match config.service.listen {
            Listen::On(address) if !address.ip().to_canonical().is_loopback() && token.is_none() => {
                Err(StartError::Open(address))
            }
            Listen::Off if config.service.socket.is_none() => Err(StartError::Nowhere),
            Listen::On(_) | Listen::Off => Ok(token),
        }
    }

    /// Starts the service. It needs a Tokio runtime of several threads, with I/O and time.
    ///
    /// # Errors
    /// It cannot listen, it would be open to everybody, or what is stored cannot be read.
    pub async fn start(service: Service, config: Config) -> Result<Self, StartError> {
        let token = Self::check(&config)?;
        let (listen, socket) = (config.service.listen, config.service.socket.clone());
        let parsers = service.store().parsers().map(Feed::start).transpose().map_err(StartError::Parsers)?;
        let tier = open_tier(&config)?;
        let state = AppState::new(service, config, token, tier);
        let mut bound = Bound { address: None, socket: None };
        let mut accepting = Vec::new();
        if let Listen::On(address) = listen {
            let refused = |error| StartError::Bind { place: address.to_string(), error };
            let (listener, address) = Listener::network(address).await.map_err(refused)?;
            bound.address = Some(address);
            accepting.push(listener);
        }
        if let Some(path) = socket {
            let refused = |error| StartError::Bind { place: path.display().to_string(), error };
            accepting.push(Listener::socket(&path).await.map_err(refused)?);
            bound.socket = Some(path);
        }
        state.board.look_at_disk()?;
        // Before anything can change: whatever does is told.
        let telling = on_change::begin(state.clone()).await;

        let router = router(state.clone());
        let connections = Arc::new(GracefulShutdown::new());
        let mut listeners = JoinSet::new();
        for listener in accepting {
            let connections = connections.clone();
            let watcher = Arc::new(move || connections.watcher());
            listeners.spawn(listener.serve(state.clone(), router.clone(), watcher));
        }
        let mut tasks = JoinSet::new();
        tasks.spawn(refresh::run(state.clone()));
        tasks.spawn(discovery::run(state.clone()));
        tasks.spawn(watch_board(state.clone()));
        tasks.spawn(watch_disk(state.clone()));
        tasks.spawn(telling);
        let sharing = state.tier.clone().map(|tier| tokio::spawn(shared::run(state.clone(), tier)));
        Ok(Self { state, bound, tasks, listeners, connections, _parsers: parsers, sharing })
    }

    /// Where it can be reached.
    #[must_use]
    pub fn bound(&self) -> &Bound {
        &self.bound
    }

    /// Puts another configuration into force. Nothing that is known is lost.
    ///
    /// # Errors
    /// The configuration would leave the service open, or its token is of no use: the old one stays in force.
    pub fn reload(&self, config: Config) -> Result<(), StartError> {
        // The address stays: it is the one that must not be open.
        let mut checked = config.clone();
        checked.service.listen = self.bound.address.map_or(Listen::Off, Listen::On);
        checked.service.socket = self.bound.socket.clone();
        let token = Self::check(&checked)?;
        self.state.reload(config, token);
        Ok(())
    }

    /// Ends the service: no new connections, an end to streams, requests that are under way are answered, and what was
    /// acknowledged is on disk.
    ///
    /// # Errors
    /// Something could not be written; the rest is.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.state.end();
        while self.listeners.join_next().await.is_some() {}
        if let Ok(connections) = Arc::try_unwrap(self.connections)
            && tokio::time::timeout(GRACE, connections.shutdown()).await.is_err()
        {
            tracing::warn!("some requests took too long at the end and were broken off");
        }
        self.tasks.shutdown().await;
        let state = self.state.clone();
        let _ = tokio::task::spawn_blocking(move || proxy::record_waiting(&state)).await;
        let flushed = self.state.service.flush();
        // It has a time limit of its own, and what it does not tell is on disk.
        if let (Some(tier), Some(sharing)) = (&self.state.tier, self.sharing) {
            tier.end();
            let abort = sharing.abort_handle();
            if tokio::time::timeout(GRACE, sharing).await.is_err() {
                abort.abort();
            }
        }
        flushed
    }
}

fn open_tier(config: &Config) -> Result<Option<Arc<SharedTier>>, SharedError> {
    SharedTier::open(&config.shared, config.cache.refresh_deadline, config.service.limits.providers)
}

/// Tells listeners of the board what has changed.
async fn watch_board(state: AppState) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = state.ended() => return,
        }
        let board = state.board.clone();
        // It may be thousands of them.
        let _ = tokio::task::spawn_blocking(move || board.tick()).await;
    }
}

/// Takes in what other processes store, and forgets whose rate is of no interest any more.
async fn watch_disk(state: AppState) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(DISK) => {}
            () = state.ended() => return,
        }
        state.limiter().retain_recent();
        let board = state.board.clone();
        let looked = tokio::task::spawn_blocking(move || board.look_at_disk()).await;
        if let Ok(Err(error)) = looked {
            tracing::warn!(%error, "what is stored cannot be read");
        }
    }
}
