//! The server, and the few things that are asked of it.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, IntoConnectionInfo, ProtocolVersion, RedisError, Script, ScriptInvocation,
    TlsCertificates, Value,
};

use super::digest::Digest;
use super::error::SharedError;
use super::incoming::Incoming;
use super::replies::{self, Page, Published};
use super::{AT_ONCE, KEPT, MOST_VALUE_BYTES};
use crate::config::SharedSettings;

/// The longest name of a provider, in bytes.
const LONGEST_NAME: usize = 128;

/// A server, and what is ours there.
pub(super) struct Server {
    client: Client,
    /// Without user and password.
    pub(super) url: String,
    pub(super) timeout: Duration,
    signals: String,
    refreshes: String,
    channel: String,
    /// Tells hosts apart, and one run of a host from another.
    pub(super) origin: String,
    scripts: Scripts,
}

struct Scripts {
    publish: Script,
    read: Script,
    page: Script,
    claim: Script,
    release: Script,
}

/// A signal that is to be published.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) provider: Box<str>,
    /// What it is to replace.
    pub(super) seen: Digest,
    /// Its JSON; empty to remove what is there.
    pub(super) value: Vec<u8>,
}

impl Server {
    /// The server of these settings; `None` where they name none. Nothing is sent yet.
    pub(super) fn new(settings: &SharedSettings) -> Result<Option<Self>, SharedError> {
        let Some(address) = &settings.url else { return Ok(None) };
        let url = address.to_string();
        let unfit = |reason: String| SharedError::Settings { url: url.clone(), reason };
        let info = address.as_str().into_connection_info().map_err(|error| unfit(error.to_string()))?;
        // Announcements come over the same connection as answers: it is there for both or for none.
        let protocol = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let info = info.set_redis_settings(protocol);
        let client = match &settings.ca_file {
            None => Client::open(info),
            Some(_) if !address.is_encrypted() => {
                return Err(unfit("`shared.ca_file` is for rediss:// only".to_owned()));
            }
            Some(path) => {
                let certificates = fs::read(path)
                    .map_err(|error| SharedError::Certificates { path: path.clone(), error })?;
                let trusted = TlsCertificates { client_tls: None, root_cert: Some(certificates) };
                Client::build_with_tls(info, trusted)
            }
        };
        let client = client.map_err(|error| unfit(error.to_string()))?;
        let key = |name: &str| format!("{}:{name}", settings.prefix);
        Ok(Some(Self {
            client,
            timeout: settings.timeout,
            signals: key("signals"),
            refreshes: key("refreshes"),
            channel: key("changed"),
            origin: format!("{:032x}", fastrand::u128(..)),
            scripts: Scripts {
                publish: Script::new(include_str!("scripts/publish.lua")),
                read: Script::new(include_str!("scripts/read.lua")),
                page: Script::new(include_str!("scripts/page.lua")),
                claim: Script::new(include_str!("scripts/claim.lua")),
                release: Script::new(include_str!("scripts/release.lua")),
            },
            url,
        }))
    }

    /// Connects, and listens to what is announced from then on.
    pub(super) async fn connect(
        self: &Arc<Self>,
        incoming: &Arc<Incoming>,
    ) -> Result<Connection, SharedError> {
        let (incoming, origin) = (incoming.clone(), self.origin.clone());
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout))
            .set_push_sender(move |push| {
                incoming.take_push(&push, &origin);
                Ok::<(), redis::aio::SendError>(())
            });
        let link = self.client.get_multiplexed_async_connection_with_config(&config).await;
        let mut link = link.map_err(|error| self.failed(error))?;
        link.subscribe(&self.channel).await.map_err(|error| self.failed(error))?;
        Ok(Connection { link, server: self.clone() })
    }

    fn failed(&self, error: RedisError) -> SharedError {
        SharedError::Server { url: self.url.clone(), error }
    }
}

/// A connection to the server. Cheap to clone.
#[derive(Clone)]
pub(super) struct Connection {
    link: MultiplexedConnection,
    server: Arc<Server>,
}

impl Connection {
    async fn invoke(&self, call: &ScriptInvocation<'_>) -> Result<Value, SharedError> {
        let mut link = self.link.clone();
        call.invoke_async(&mut link).await.map_err(|error| self.server.failed(error))
    }

    fn strange(&self, what: &'static str) -> SharedError {
        SharedError::Answer { url: self.server.url.clone(), what }
    }

    /// Replaces values that are still as they were seen.
    pub(super) async fn publish(
        &self,
        signals: &[Outgoing],
        most: usize,
    ) -> Result<Vec<Published>, SharedError> {
        let Server { signals: key, channel, origin, scripts, .. } = &*self.server;
        let mut call = scripts.publish.key(key);
        call.arg(channel).arg(origin).arg(most).arg(MOST_VALUE_BYTES).arg(milliseconds(KEPT));
        for Outgoing { provider, seen, value } in signals {
            call.arg(&**provider).arg(seen.as_str()).arg(value.as_slice());
        }
        let answers = replies::published(self.invoke(&call).await?);
        answers.filter(|answers| answers.len() == signals.len()).ok_or_else(|| self.strange("no outcomes"))
    }

    /// The values of some providers, empty where there is none.
    pub(super) async fn read(&self, providers: &[Box<str>]) -> Result<Vec<Vec<u8>>, SharedError> {
        let mut call = self.server.scripts.read.key(&self.server.signals);
        call.arg(MOST_VALUE_BYTES);
        for provider in providers {
            call.arg(&**provider);
        }
        let values = replies::values(self.invoke(&call).await?);
        values.filter(|values| values.len() == providers.len()).ok_or_else(|| self.strange("no values"))
    }

    /// Some of all values, from `cursor` on; the first cursor is `0`.
    pub(super) async fn page(&self, cursor: &str) -> Result<Page, SharedError> {
        let mut call = self.server.scripts.page.key(&self.server.signals);
        call.arg(cursor).arg(AT_ONCE).arg(LONGEST_NAME).arg(MOST_VALUE_BYTES);
        replies::page(self.invoke(&call).await?).ok_or_else(|| self.strange("no page"))
    }

    /// Claims the refresh of a provider; `None` where there is no room for a claim.
    pub(super) async fn claim(
        &self,
        provider: &str,
        lease: Duration,
        most: usize,
    ) -> Result<Option<bool>, SharedError> {
        let mut call = self.server.scripts.claim.key(&self.server.refreshes);
        call.arg(provider)
            .arg(&self.server.origin)
            .arg(milliseconds(lease))
            .arg(most)
            .arg(milliseconds(KEPT));
        match self.invoke(&call).await? {
            Value::Int(1) => Ok(Some(true)),
            Value::Int(0) => Ok(Some(false)),
            Value::Int(-1) => Ok(None),
            _ => Err(self.strange("no turn")),
        }
    }

    /// Gives a claim back; the next refresh is due after `pause`.
    pub(super) async fn release(&self, provider: &str, pause: Duration) -> Result<(), SharedError> {
        let mut call = self.server.scripts.release.key(&self.server.refreshes);
        call.arg(provider).arg(&self.server.origin).arg(milliseconds(pause));
        self.invoke(&call).await.map(drop)
    }

    /// Is it still there?
    pub(super) async fn ping(&self) -> Result<(), SharedError> {
        let mut link = self.link.clone();
        redis::cmd("PING").exec_async(&mut link).await.map_err(|error| self.server.failed(error))
    }

    /// How long the server has been running; zero where it does not tell.
    pub(super) async fn uptime(&self) -> Duration {
        let mut link = self.link.clone();
        let told: Result<String, _> = redis::cmd("INFO").arg("server").query_async(&mut link).await;
        let told = told.unwrap_or_default();
        let seconds = told.lines().find_map(|line| line.strip_prefix("uptime_in_seconds:"));
        Duration::from_secs(seconds.and_then(|seconds| seconds.trim().parse().ok()).unwrap_or(0))
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
