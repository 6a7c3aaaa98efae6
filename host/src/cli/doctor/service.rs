//! The service: does it run, does it know us?

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use runtime_signals::config::{Config, Listen, ServiceAddress};
use serde::Deserialize;

use super::report::Report;
use crate::cli::context::{Context, block_on};
use crate::cli::remote::{Remote, RemoteError};

const SERVICE: &str = "service";

/// What a healthy service says.
#[derive(Deserialize)]
struct Health {
    version: String,
}

/// Asks the service that is named, else the one that would run here.
pub(super) fn look(context: &Context, config: &Config, report: &mut Report) -> anyhow::Result<()> {
    let named = context.service_address()?.filter(|address| *address != ServiceAddress::Off);
    let is_named = named.is_some();
    let Some(address) = named.or_else(|| own(config)) else {
        report.note(SERVICE, "it would listen nowhere: `service.listen` is off and there is no socket");
        return Ok(());
    };
    let token = match context.token_for(&address) {
        Ok(token) => token,
        Err(error) => {
            report.error(SERVICE, error);
            return Ok(());
        }
    };
    let secret = if token.is_some() { "with a token" } else { "without a token" };
    let Some(remote) = Remote::new(&address, token.as_ref(), config.client.timeout)? else { return Ok(()) };
    match block_on(remote.get("healthz", &[]))?.and_then(|answer| answer.read::<Health>()) {
        Ok(Some(health)) if health.version == env!("CARGO_PKG_VERSION") => {
            report.ok(SERVICE, format!("it runs at {address}, asked {secret}"));
        }
        Ok(health) => {
            let version = health.map_or_else(|| "?".to_owned(), |health| health.version);
            report.note(SERVICE, format!("version {version} runs at {address}; this is another"));
        }
        Err(RemoteError::Unreachable { what, .. }) if !is_named => {
            let text =
                format!("none runs at {address} ({what}); none is needed: the commands read the cache");
            report.note(SERVICE, text);
            return Ok(());
        }
        Err(error) => {
            report.error(SERVICE, error);
            return Ok(());
        }
    }
    if let Err(error) = block_on(remote.get("v1/signals", &[]))? {
        report.error(SERVICE, error);
    }
    Ok(())
}

/// Where the service of this configuration is reached from here.
fn own(config: &Config) -> Option<ServiceAddress> {
    match config.service.listen {
        Listen::On(address) => {
            let here = match address.ip() {
                IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
                IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
                ip => ip,
            };
            format!("http://{}", SocketAddr::new(here, address.port())).parse().ok()
        }
        Listen::Off => config.service.socket.clone().map(ServiceAddress::Socket),
    }
}
