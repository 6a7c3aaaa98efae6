//! What holds for readings and signals of any origin.

use core::time::Duration;

use runtime_signals_core::body::{self, Body};
use runtime_signals_core::json;
use runtime_signals_core::limit::{self, Limit};
use runtime_signals_core::reading::Reading;
use runtime_signals_core::signal::{Signal, Status};
use runtime_signals_core::text::{MESSAGE_BYTES, NAME_BYTES};
use runtime_signals_core::time::Time;

/// How far a stored time may be ahead of the clock.
pub const AHEAD: Duration = Duration::from_secs(5);
/// Most limits of one response.
const MOST_LIMITS: usize = 32;
/// Most refusals of one signal.
const MOST_COOLDOWNS: usize = 64;
/// The largest number that every reader of the JSON takes.
const LARGEST: u64 = i64::MAX.unsigned_abs();

/// What one response says is in range.
///
/// # Panics
/// When it is not.
pub fn reading(reading: &Reading, received_at: Time) {
    assert!(reading.limits.len() <= MOST_LIMITS, "{} limits", reading.limits.len());
    reading.limits.iter().for_each(figures);
    let resets = reading.limits.iter().map(|limit| limit.resets_at).chain([reading.reset_at]);
    for reset in resets.chain([reading.refusal_ends_at]).flatten() {
        assert!(received_at < reset && reset <= Time::MAX, "{reset} is not after {received_at}: {reading:?}");
    }
    if let Some(wait) = reading.retry_after {
        assert!(received_at.checked_add(wait).is_some(), "a wait past the year 9999: {wait:?}");
    }
    for left in [reading.remaining_requests, reading.remaining_tokens].into_iter().flatten() {
        let told = |limit: &Limit| limit.remaining == Some(left);
        assert!(reading.limits.iter().any(told), "{left} is what is left of no limit: {reading:?}");
    }
}

/// What a body says is bounded.
///
/// # Panics
/// When it is not.
pub fn body(body: &Body) {
    assert!(body.words.len() <= body::MOST_WORDS);
    assert!(body.text.len() <= body::TEXT_BYTES);
    assert!(body.limits.len() <= body::MOST_LIMITS);
    assert!(body.headers.len() <= body::MOST_HEADERS);
    let pools = body.limits.iter().map(|limit| &limit.pool);
    for word in body.words.iter().chain(&body.upstream).chain(pools) {
        assert!(word.len() <= body::WORD_BYTES, "{word}");
    }
    for (name, value) in &body.headers {
        assert!(name.len() <= body::HEADER_BYTES && value.len() <= body::HEADER_BYTES, "{name}: {value}");
    }
}

/// What was judged at `now` is in range, and says nothing of the past.
///
/// # Panics
/// When it is not.
pub fn judged(signal: &Signal, now: Time) {
    let resets = [signal.quota_reset_at, signal.cooldown_until].into_iter().flatten();
    let resets = resets.chain(signal.limits.iter().filter_map(|limit| limit.resets_at));
    for reset in resets.chain(signal.cooldowns.iter().map(|cooldown| cooldown.until)) {
        assert!(now < reset && reset <= Time::MAX, "{reset} is not after {now}: {signal:?}");
    }
    assert!(signal.limits.len() <= limit::MOST && signal.cooldowns.len() <= MOST_COOLDOWNS);
    signal.limits.iter().for_each(figures);
    let is_exhausted = signal.status == Status::Exhausted;
    assert_eq!(signal.quota_remaining == Some(0), is_exhausted, "{signal:?}");
    assert!(!is_exhausted || signal.quota_reset_at.is_some() && signal.reason.is_some(), "{signal:?}");
    assert!(signal.last_error_msg.len() <= MESSAGE_BYTES);
    assert_eq!(signal.recorded_at, now);
}

/// The figures of a limit are in the ranges that every reader takes.
fn figures(limit: &Limit) {
    for count in [limit.window_s, limit.limit, limit.remaining].into_iter().flatten() {
        assert!(count <= LARGEST, "{limit:?}");
    }
    assert!(limit.utilization.is_none_or(|used| (0.0..=1.0).contains(&used)), "{limit:?}");
    assert!(limit.pool.as_str().len() <= NAME_BYTES);
    for name in [limit.scope.account(), limit.scope.model()].into_iter().flatten() {
        assert!(name.len() <= NAME_BYTES);
    }
}

/// A signal is the same after the way to disk and back, and after that out of the sandbox.
///
/// # Panics
/// When it is not.
pub fn carried(signal: &Signal) {
    let packed = signal.pack();
    let unpacked = Signal::unpack(&packed).expect("a packed signal is read back");
    assert_eq!(unpacked.pack(), packed);
    assert_eq!(unpacked, *signal);
    let written = json::encode(signal);
    let read = json::decode(&signal.provider, &written).expect("what was written is read back");
    let rewritten = json::encode(&read);
    assert!(rewritten == written, "{}\n{}", text(&written), text(&rewritten));
    assert_eq!(as_written(read), as_written(signal.clone()));
}

/// A signal without what its JSON cannot tell: shares finer than a millionth, numbers above 2^63 − 1.
fn as_written(mut signal: Signal) -> Signal {
    let bounded = |number: &mut u64| *number = LARGEST.min(*number);
    signal.quota_remaining.iter_mut().for_each(bounded);
    bounded(&mut signal.recent_p50_latency_ns);
    if let Some(latency) = &mut signal.latency {
        bounded(&mut latency.p90_ns);
        bounded(&mut latency.p99_ns);
        latency.ttfb_p50_ns.iter_mut().for_each(bounded);
    }
    for limit in &mut signal.limits {
        limit.utilization = None;
        [&mut limit.window_s, &mut limit.limit, &mut limit.remaining].into_iter().flatten().for_each(bounded);
    }
    signal
}

/// A signal without its latencies.
#[must_use]
pub fn without_latency(signal: Signal) -> Signal {
    Signal { recent_p50_latency_ns: 0, latency: None, ..signal }
}

fn text(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
