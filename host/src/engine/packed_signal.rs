//! Signals in their packed form: the layout stands in `wit/runtime-signals.wit`.

use std::time::{Duration, SystemTime};

use runtime_signals_profile::carry::{State, load_length, save_length, save_text, take};

use super::convert::nanoseconds;
use crate::signal::{Cooldown, Latency, Limit, Scope, Signal};
use crate::time::{from_unix, to_unix};

/// Items that room is made for at once: as many as most lists have.
const USUAL_ITEMS: usize = 16;

/// The packed form of a signal.
pub(crate) fn pack(signal: &Signal) -> Vec<u8> {
    let mut to = Vec::with_capacity(256);
    signal.provider.save(&mut to);
    signal.status.save(&mut to);
    signal.quota_remaining.save(&mut to);
    save_option(signal.quota_reset_at, &mut to, save_time);
    nanoseconds(signal.recent_p50_latency).save(&mut to);
    save_option(signal.last_success_at, &mut to, save_time);
    save_option(signal.last_error_at, &mut to, save_time);
    signal.last_error_msg.save(&mut to);
    save_time(signal.recorded_at, &mut to);
    signal.reason.save(&mut to);
    save_option(signal.cooldown_until, &mut to, save_time);
    save_length(signal.limits.len(), &mut to);
    signal.limits.iter().for_each(|limit| save_limit(limit, &mut to));
    save_option(signal.latency, &mut to, save_latency);
    signal.refusal.save(&mut to);
    save_length(signal.cooldowns.len(), &mut to);
    signal.cooldowns.iter().for_each(|cooldown| save_cooldown(cooldown, &mut to));
    to
}

/// Reads the packed form; `None` where it is none.
pub(crate) fn unpack(packed: &[u8]) -> Option<Signal> {
    let mut from = packed;
    let from = &mut from;
    let signal = Signal {
        provider: State::load(from)?,
        status: State::load(from)?,
        quota_remaining: State::load(from)?,
        quota_reset_at: load_option(from, load_time)?,
        recent_p50_latency: load_nanoseconds(from)?,
        last_success_at: load_option(from, load_time)?,
        last_error_at: load_option(from, load_time)?,
        last_error_msg: State::load(from)?,
        recorded_at: load_time(from)?,
        reason: State::load(from)?,
        cooldown_until: load_option(from, load_time)?,
        limits: load_list(from, load_limit)?,
        latency: load_option(from, load_latency)?,
        refusal: State::load(from)?,
        cooldowns: load_list(from, load_cooldown)?,
    };
    from.is_empty().then_some(signal)
}

fn save_option<T>(value: Option<T>, to: &mut Vec<u8>, save: fn(T, &mut Vec<u8>)) {
    value.is_some().save(to);
    if let Some(value) = value {
        save(value, to);
    }
}

fn load_option<T>(from: &mut &[u8], load: fn(&mut &[u8]) -> Option<T>) -> Option<Option<T>> {
    if bool::load(from)? { load(from).map(Some) } else { Some(None) }
}

fn load_list<T>(from: &mut &[u8], load: fn(&mut &[u8]) -> Option<T>) -> Option<Vec<T>> {
    // A wrong length ends at the first item that is missing; little is reserved for it.
    let length = load_length(from)?;
    let mut items = Vec::with_capacity(length.min(USUAL_ITEMS));
    for _ in 0..length {
        items.push(load(from)?);
    }
    Some(items)
}

fn save_time(time: SystemTime, to: &mut Vec<u8>) {
    let (seconds, nanoseconds) = to_unix(time);
    to.extend_from_slice(&seconds.to_le_bytes());
    nanoseconds.save(to);
}

fn load_time(from: &mut &[u8]) -> Option<SystemTime> {
    let seconds = take(from).map(i64::from_le_bytes)?;
    Some(from_unix(seconds, u32::load(from)?))
}

fn load_nanoseconds(from: &mut &[u8]) -> Option<Duration> {
    u64::load(from).map(Duration::from_nanos)
}

/// The empty name is none.
fn save_scope(scope: &Scope, to: &mut Vec<u8>) {
    for name in [&scope.account, &scope.model] {
        save_text(name.as_deref().unwrap_or_default(), to);
    }
}

fn load_scope(from: &mut &[u8]) -> Option<Scope> {
    let mut name = || String::load(from).map(|name| Some(name).filter(|name| !name.is_empty()));
    Some(Scope { account: name()?, model: name()? })
}

fn save_limit(limit: &Limit, to: &mut Vec<u8>) {
    limit.quantity.save(to);
    save_scope(&limit.scope, to);
    limit.pool.save(to);
    limit.window.map(|window| window.as_secs()).save(to);
    limit.limit.save(to);
    limit.remaining.save(to);
    limit.utilization.save(to);
    save_option(limit.resets_at, to, save_time);
    save_time(limit.captured_at, to);
    limit.refill.save(to);
    limit.effect.save(to);
}

fn load_limit(from: &mut &[u8]) -> Option<Limit> {
    Some(Limit {
        quantity: State::load(from)?,
        scope: load_scope(from)?,
        pool: State::load(from)?,
        window: Option::<u64>::load(from)?.map(Duration::from_secs),
        limit: State::load(from)?,
        remaining: State::load(from)?,
        utilization: State::load(from)?,
        resets_at: load_option(from, load_time)?,
        captured_at: load_time(from)?,
        refill: State::load(from)?,
        effect: State::load(from)?,
    })
}

fn save_latency(latency: Latency, to: &mut Vec<u8>) {
    latency.count.save(to);
    nanoseconds(latency.p90).save(to);
    nanoseconds(latency.p99).save(to);
    latency.ttfb_p50.map(nanoseconds).save(to);
}

fn load_latency(from: &mut &[u8]) -> Option<Latency> {
    Some(Latency {
        count: State::load(from)?,
        p90: load_nanoseconds(from)?,
        p99: load_nanoseconds(from)?,
        ttfb_p50: Option::<u64>::load(from)?.map(Duration::from_nanos),
    })
}

fn save_cooldown(cooldown: &Cooldown, to: &mut Vec<u8>) {
    save_scope(&cooldown.scope, to);
    cooldown.class.save(to);
    save_time(cooldown.refused_at, to);
    save_time(cooldown.until, to);
}

fn load_cooldown(from: &mut &[u8]) -> Option<Cooldown> {
    Some(Cooldown {
        scope: load_scope(from)?,
        class: State::load(from)?,
        refused_at: load_time(from)?,
        until: load_time(from)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::{Effect, ModelStatus, Quantity, Reason, Refill, RefusalClass};
    use crate::time::parse_rfc3339;

    fn signal() -> Signal {
        let at = parse_rfc3339("2026-01-15T12:00:00.5Z").unwrap();
        let scope = Scope { account: Some("org".into()), model: None };
        Signal {
            status: ModelStatus::Exhausted,
            quota_remaining: Some(0),
            quota_reset_at: Some(at),
            recent_p50_latency: Duration::from_millis(840),
            last_error_msg: "HTTP 500".into(),
            reason: Some(Reason::Busy),
            limits: vec![Limit {
                quantity: Quantity::Tokens,
                scope: scope.clone(),
                pool: "project".into(),
                window: Some(Duration::from_secs(60)),
                limit: Some(7),
                remaining: None,
                utilization: Some(0.25),
                resets_at: Some(at),
                captured_at: at,
                refill: Refill::Continuous,
                effect: Effect::RefusesSome,
            }],
            latency: Some(Latency {
                count: 3,
                p90: Duration::ZERO,
                p99: Duration::from_nanos(u64::MAX),
                ttfb_p50: None,
            }),
            refusal: Some(RefusalClass::Rate),
            cooldowns: vec![Cooldown { scope, class: RefusalClass::Capacity, refused_at: at, until: at }],
            ..Signal::unknown("p".into(), at)
        }
    }

    #[test]
    fn what_is_packed_is_read_back() {
        let packed = pack(&signal());
        assert_eq!(unpack(&packed).map(|read| pack(&read)), Some(packed));
    }

    #[test]
    fn every_cut_and_anything_behind_it_is_refused() {
        let packed = pack(&signal());
        for cut in 0..packed.len() {
            assert_eq!(unpack(&packed[..cut]), None, "cut at {cut}");
        }
        assert_eq!(unpack(&[&packed[..], b"x"].concat()), None);
    }
}
