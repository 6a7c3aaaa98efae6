//! `serve`: the service, until it is asked to end; SIGHUP has it read its configuration anew.

use anyhow::anyhow;
use runtime_signals::config::{Config, Listen};
use runtime_signals::server::{Bound, Server};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sd_notify::NotifyState;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use super::context::{Context, block_on_threads};
use super::output::Output;
use super::{Exit, output};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to listen, instead of `service.listen`: an address and a port, or off
    #[arg(long, value_name = "ADDR", env = "RUNTIME_SIGNALS_LISTEN")]
    listen: Option<Listen>,
    /// Check the configuration, print what would be in force, and end
    #[arg(long)]
    check: bool,
}

impl Args {
    /// The configuration in force: the command line and the environment win over the file.
    fn config(&self, context: &Context) -> anyhow::Result<Config> {
        let mut config = context.read_config()?;
        if let Some(listen) = self.listen {
            config.service.listen = listen;
        }
        config.shared = config.shared.override_from_env().map_err(anyhow::Error::msg)?;
        Ok(config)
    }
}

/// Runs the service to its end, or checks what it would run by.
pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let config = args.config(context)?;
    if args.check {
        Server::check(&config)?;
        output::write(config.to_toml().as_bytes())?;
        return Ok(Exit::DONE);
    }
    open_all_descriptors();
    block_on_threads(serve(config, args, context))??;
    Ok(Exit::DONE)
}

/// Lets the service have as many files and connections open as the system allows it: a call that is passed on takes two.
fn open_all_descriptors() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, most = current, "no more descriptors can be had");
    }
}

async fn serve(config: Config, args: &Args, context: &Context) -> anyhow::Result<()> {
    let deaf = |error| anyhow!("cannot wait for signals of the system: {error}");
    // Before anybody can know that it runs: what is sent to it from then on is heard.
    let mut hang_up = signal(SignalKind::hangup()).map_err(deaf)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(deaf)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(deaf)?;
    let server = Server::start(context.reading_service()?, config).await?;
    announce(server.bound(), &context.output)?;
    notify(&[NotifyState::Ready]);
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => reload(&server, args, context),
        }
    }
    notify(&[NotifyState::Stopping]);
    Ok(server.stop().await?)
}

fn reload(server: &Server, args: &Args, context: &Context) {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "the time of a reload cannot be told"),
    }
    let reloaded = args.config(context).and_then(|config| Ok(server.reload(config)?));
    match reloaded {
        Ok(()) => tracing::info!("the configuration is read anew"),
        Err(error) => tracing::error!(%error, "the configuration stays as it was"),
    }
    notify(&[NotifyState::Ready]);
}

#[derive(Serialize)]
struct Listening<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    socket: Option<&'a std::path::Path>,
}

/// Tells where the service can be reached.
fn announce(Bound { address, socket }: &Bound, output: &Output) -> anyhow::Result<()> {
    let url = address.map(|address| format!("http://{address}"));
    let text = if output.is_json() {
        serde_json::to_string(&Listening { url, socket: socket.as_deref() })?
    } else {
        let socket = socket.as_ref().map(|path| path.display().to_string());
        format!("listening on {}", Vec::from_iter(url.into_iter().chain(socket)).join(" and "))
    };
    Ok(output::write(format!("{text}\n").as_bytes())?)
}

/// Tells the service manager, if there is one.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}
