//! The JSON of a signal: the form on the wire and on disk.
//!
//! Existing readers are written in Go, so the bytes are those of Go's `encoding/json`: keys in a fixed
//! order, `<`, `>`, `&`, U+2028 and U+2029 escaped, times in UTC without trailing zeros. Writing and
//! reading are done by hand: serde and serde_json would take half of the component's size.

use alloc::string::String;
use alloc::vec::Vec;

use crate::limit::{Effect, Limit, Name, Quantity, Refill, Scope};
use crate::refusal::{Cooldown, RefusalClass};
use crate::signal::{Latency, Reason, Signal, Status};
use crate::time::Time;

mod read;
mod write;

pub use read::{Reader, Result, Unreadable};
pub use write::Writer;

/// Longest text that is looked at, in bytes.
pub const MOST_BYTES: usize = 1 << 20;

/// The JSON of a signal, without a trailing newline.
#[must_use]
pub fn encode(signal: &Signal) -> Vec<u8> {
    let mut json = Writer::with_capacity(256 + 192 * signal.limits.len());
    json.object(&mut |json| {
        json.text("provider", &signal.provider);
        json.text("status", signal.status.as_str());
        json.number("quota_remaining", signal.quota_remaining);
        json.time("quota_reset_at", signal.quota_reset_at);
        json.number("recent_p50_latency_ns", Some(signal.recent_p50_latency_ns));
        json.time("last_success_at", signal.last_success_at);
        json.time("last_error_at", signal.last_error_at);
        json.text_unless_empty("last_error_msg", &signal.last_error_msg);
        json.time("recorded_at", Some(signal.recorded_at));
        json.text_unless_empty("reason", signal.reason.as_ref().map_or("", |reason| reason.as_str()));
        json.time("cooldown_until", signal.cooldown_until);
        json.list("limits", &signal.limits, write_limit);
        if let Some(latency) = &signal.latency {
            json.key("latency");
            json.object(&mut |json| {
                json.number("count", Some(latency.count.into()));
                json.number("p90_ns", Some(latency.p90_ns));
                json.number("p99_ns", Some(latency.p99_ns));
                json.number("ttfb_p50_ns", latency.ttfb_p50_ns);
            });
        }
        json.text_unless_empty("refusal", signal.refusal.as_ref().map_or("", |class| class.as_str()));
        json.list("cooldowns", &signal.cooldowns, write_cooldown);
    });
    json.finish()
}

fn write_limit(json: &mut Writer, limit: &Limit) {
    json.text("quantity", limit.quantity.as_str());
    write_scope(json, &limit.scope);
    json.text_unless_empty("pool", limit.pool.as_str());
    json.number("window_s", limit.window_s);
    json.number("limit", limit.limit);
    json.number("remaining", limit.remaining);
    json.share("utilization", limit.utilization);
    json.time("resets_at", limit.resets_at);
    json.time("captured_at", Some(limit.captured_at));
    if limit.refill != Refill::WindowEdge {
        json.text("refill", limit.refill.as_str());
    }
    if limit.effect != Effect::Refuses {
        json.text("effect", limit.effect.as_str());
    }
}

fn write_cooldown(json: &mut Writer, cooldown: &Cooldown) {
    write_scope(json, &cooldown.scope);
    json.text("class", cooldown.class.as_str());
    json.time("refused_at", Some(cooldown.refused_at));
    json.time("until", Some(cooldown.until));
}

fn write_scope(json: &mut Writer, scope: &Scope) {
    if *scope != Scope::EVERYONE {
        json.key("scope");
        json.object(&mut |json| {
            json.text_unless_empty("account", scope.account().unwrap_or_default());
            json.text_unless_empty("model", scope.model().unwrap_or_default());
        });
    }
}

/// Reads the JSON of a signal of `provider`. Unknown keys are skipped; of a key that stands twice the last
/// one counts; `null` is as good as absent.
///
/// # Errors
/// Says why the text is no signal of this provider, and where.
pub fn decode(provider: &str, json: &[u8]) -> core::result::Result<Signal, Unreadable> {
    if json.len() > MOST_BYTES {
        return Err(Unreadable { offset: MOST_BYTES, what: "longer than 1 MiB" });
    }
    let mut reader = Reader::new(json);
    let mut signal = Signal::unknown(String::new(), Time::UNIX_EPOCH);
    let (mut status, mut p50, mut recorded_at) = (None, None, None);
    reader.object(&mut |key, json| {
        match key {
            "provider" => signal.provider = json.text()?,
            "status" => status = Some(json.word(Status::from_word)?),
            "quota_remaining" => signal.quota_remaining = json.remaining()?,
            "quota_reset_at" => signal.quota_reset_at = Some(json.time()?),
            "recent_p50_latency_ns" => p50 = Some(json.count()?),
            "last_success_at" => signal.last_success_at = Some(json.time()?),
            "last_error_at" => signal.last_error_at = Some(json.time()?),
            "last_error_msg" => signal.last_error_msg = json.text()?,
            "recorded_at" => recorded_at = Some(json.time()?),
            "reason" => signal.reason = unless_empty(json.text()?).map(|word| Reason::from(word.as_str())),
            "cooldown_until" => signal.cooldown_until = Some(json.time()?),
            "limits" => signal.limits = json.list(limit)?,
            "latency" => signal.latency = Some(latency(json)?),
            "refusal" => {
                signal.refusal = unless_empty(json.text()?).map(|word| RefusalClass::from(word.as_str()));
            }
            "cooldowns" => signal.cooldowns = json.list(cooldown)?,
            _ => json.skip()?,
        }
        Ok(())
    })?;
    reader.end()?;
    let missing = |key| Unreadable { offset: json.len(), what: key };
    signal.status = status.ok_or_else(|| missing("status is missing"))?;
    signal.recent_p50_latency_ns = p50.ok_or_else(|| missing("recent_p50_latency_ns is missing"))?;
    signal.recorded_at = recorded_at.ok_or_else(|| missing("recorded_at is missing"))?;
    if signal.provider != provider {
        return Err(missing("it is the signal of another provider"));
    }
    Ok(signal)
}

fn unless_empty(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn limit(json: &mut Reader<'_>) -> Result<Limit> {
    let mut limit = Limit::new(Quantity::Other, Time::UNIX_EPOCH);
    json.object(&mut |key, json| {
        match key {
            "quantity" => limit.quantity = json.word(|word| Some(Quantity::from(word)))?,
            "scope" => limit.scope = scope(json)?,
            "pool" => limit.pool = Name::from(json.text()?.as_str()),
            "window_s" => limit.window_s = Some(json.count()?),
            "limit" => limit.limit = Some(json.count()?),
            "remaining" => limit.remaining = json.remaining()?,
            "utilization" => limit.utilization = json.share()?,
            "resets_at" => limit.resets_at = Some(json.time()?),
            "captured_at" => limit.captured_at = json.time()?,
            "refill" => limit.refill = Refill::from_word(&json.text()?).unwrap_or(Refill::WindowEdge),
            "effect" => limit.effect = Effect::from_word(&json.text()?).unwrap_or(Effect::Refuses),
            _ => json.skip()?,
        }
        Ok(())
    })?;
    Ok(limit)
}

fn cooldown(json: &mut Reader<'_>) -> Result<Cooldown> {
    let mut cooldown = Cooldown {
        scope: Scope::default(),
        class: RefusalClass::Rate,
        refused_at: Time::UNIX_EPOCH,
        until: Time::UNIX_EPOCH,
    };
    json.object(&mut |key, json| {
        match key {
            "scope" => cooldown.scope = scope(json)?,
            "class" => cooldown.class = RefusalClass::from(json.text()?.as_str()),
            "refused_at" => cooldown.refused_at = json.time()?,
            "until" => cooldown.until = json.time()?,
            _ => json.skip()?,
        }
        Ok(())
    })?;
    Ok(cooldown)
}

fn scope(json: &mut Reader<'_>) -> Result<Scope> {
    let (mut account, mut model) = (None, None);
    json.object(&mut |key, json| {
        match key {
            "account" => account = Some(json.text()?),
            "model" => model = Some(json.text()?),
            _ => json.skip()?,
        }
        Ok(())
    })?;
    Ok(Scope::new(account.as_deref(), model.as_deref()))
}

fn latency(json: &mut Reader<'_>) -> Result<Latency> {
    let mut latency = Latency { count: 0, p90_ns: 0, p99_ns: 0, ttfb_p50_ns: None };
    json.object(&mut |key, json| {
        match key {
            "count" => latency.count = u32::try_from(json.count()?).unwrap_or(u32::MAX),
            "p90_ns" => latency.p90_ns = json.count()?,
            "p99_ns" => latency.p99_ns = json.count()?,
            "ttfb_p50_ns" => latency.ttfb_p50_ns = Some(json.count()?),
            _ => json.skip()?,
        }
        Ok(())
    })?;
    Ok(latency)
}

#[cfg(test)]
mod tests;
