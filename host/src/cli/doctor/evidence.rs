//! What is known of providers, and how it is read: signals, local servers, quotas, profiles, parsers.

use std::time::{Duration, SystemTime};

use runtime_signals::config::Config;
use runtime_signals::parsers::{ParserState, Parsers};
use runtime_signals::probe::{HttpProbe, Probe, ProbeOutcome};
use runtime_signals::quota::{QuotaHarness, QuotaPaths, QuotaSources, QuotaState, SUBSCRIPTIONS};
use runtime_signals::time::rfc3339;
use runtime_signals::{Error, Service};

use super::report::Report;
use crate::cli::context::block_on;
use crate::cli::human;

const PROFILES: &str = "profiles";
const PARSERS: &str = "parsers";
const PROVIDERS: &str = "providers";
const CLOCK: &str = "clock";
/// How long a local server may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Clocks of machines that share a cache differ by so much.
const SKEW: Duration = Duration::from_secs(5);
/// Before 2025 no clock of a machine that runs this is right.
const EARLIEST: Duration = Duration::from_secs(1_735_689_600);

/// Does each provider have a signal, and none of them one of the future?
pub(super) fn signals(service: &Service, config: &Config, report: &mut Report) -> Result<(), Error> {
    let now = service.store().now();
    if now.duration_since(SystemTime::UNIX_EPOCH).is_ok_and(|since| since < EARLIEST) {
        report.problem(CLOCK, format!("it says {}", rfc3339(now)), "set the clock: timedatectl set-ntp true");
    }
    let mut ahead = 0;
    for source in service.cache().list()? {
        let name = source.name();
        let Some(stored) = service.read_cached(name)? else {
            let path = service.cache().path(&source);
            let remedy = "whoever writes it next replaces it; or remove it";
            report.problem(PROVIDERS, format!("{} is no signal", path.display()), remedy);
            continue;
        };
        if stored.signal.recorded_at > now + SKEW {
            ahead += 1;
            let at = rfc3339(stored.signal.recorded_at);
            let remedy = "compare the clocks of the machines and programs that share the cache";
            report.problem(CLOCK, format!("the signal of {name} is of the future: {at}"), remedy);
        }
    }
    if ahead == 0 {
        report.ok(CLOCK, format!("{}; no stored signal is of the future", rfc3339(now)));
    }
    for provider in &config.providers {
        let (name, kind) = (provider.name.as_str(), &provider.provider_type);
        match service.read_cached(name)? {
            Some(stored) => {
                let age = human::span(stored.age);
                let stale = if stored.fresh { "" } else { ", stale" };
                report.ok(PROVIDERS, format!("{name} ({kind}): {}, {age} old{stale}", stored.signal.status));
            }
            None => report.note(PROVIDERS, format!("{name} ({kind}): nothing is stored yet")),
        }
    }
    Ok(())
}

/// Which local servers answer that would be found, and which quotas stand on disk?
pub(super) fn discovered(config: &Config, report: &mut Report) -> anyhow::Result<()> {
    let probe = HttpProbe::new(PATIENCE)?;
    block_on(async {
        for server in config.discovery.local_servers.iter().filter(|server| server.base_url.is_loopback()) {
            let (kind, url) = (server.provider_type.as_str(), &server.base_url);
            match probe.check_alive(kind, url.as_str()).await {
                ProbeOutcome::Alive => {
                    report.ok(PROVIDERS, format!("a local server answers at {url} ({kind})"))
                }
                ProbeOutcome::Failed { .. } | ProbeOutcome::Unusable(_) => {
                    report.note(PROVIDERS, format!("no local server answers at {url} ({kind})"));
                }
            }
        }
    })?;
    let quota = QuotaSources::new(QuotaPaths::from_env());
    for name in SUBSCRIPTIONS {
        let status = quota.quota_status(name, SystemTime::now());
        let age = status.age.map(|age| format!(", {} old", human::span(age))).unwrap_or_default();
        match status.state {
            QuotaState::Unavailable => report.note(PROVIDERS, format!("no quota of {name} stands on disk")),
            _ if status.fresh => report.ok(PROVIDERS, format!("the quota of {name} stands on disk{age}")),
            _ => report.note(
                PROVIDERS,
                format!("the quota of {name} on disk is stale{age}; use it once to renew it"),
            ),
        }
    }
    Ok(())
}

/// Are the user's own profiles taken?
pub(super) fn profiles(service: &Service, report: &mut Report) {
    let profiles = service.store().profiles();
    for error in &profiles.refused {
        report.error(PROFILES, error);
    }
    match profiles.loaded.len() {
        0 if profiles.refused.is_empty() => {
            report.ok(PROFILES, "none of your own: the built-in ones read all types")
        }
        0 => {}
        loaded => report.ok(PROFILES, format!("{loaded} of your own in use")),
    }
}

/// Which parsers serve, and which have failed?
pub(super) fn parsers(parsers: &Parsers, report: &mut Report) {
    let keys = parsers.options().keys.len();
    let statuses = parsers.list();
    report.ok(PARSERS, format!("trusted keys: {keys}, known parsers: {}", statuses.len()));
    for status in statuses {
        let name = status.name.unwrap_or_else(|| status.digest.to_string());
        let version = status.version.map(|version| format!(" {version}")).unwrap_or_default();
        let types = status.provider_types.join(", ");
        let why = status.problem.map(|problem| format!(": {problem}")).unwrap_or_default();
        match status.state {
            ParserState::Current if why.is_empty() => {
                report.ok(PARSERS, format!("{name}{version} reads {types}"));
            }
            ParserState::Previous => report.note(PARSERS, format!("{name}{version} has read {types} before")),
            ParserState::Current | ParserState::Withdrawn => report.problem(
                PARSERS,
                format!("{name}{version} does not read {types} any more{why}"),
                "add a corrected one by `parser add`, or remove it by `parser remove`",
            ),
        }
    }
}
