//! Answers of a shared server as fuzz targets give them.

use redis::{PushInfo, PushKind, Value};

use super::incoming::Incoming;
use super::replies;

/// Reads an answer in the wire format as that of each script, and as a message on the channel. Tells how many signals,
/// values and names came of it.
#[must_use]
pub fn answer(bytes: &[u8], most_names: usize) -> Option<[usize; 3]> {
    let value = redis::parse_redis_value(bytes).ok()?;
    let incoming = Incoming::new(most_names);
    if let Value::Array(parts) = &value {
        let push = PushInfo { kind: PushKind::Message, data: parts.clone() };
        incoming.take_push(&push, "own");
    }
    let _ = replies::published(value.clone());
    let values = replies::values(value.clone()).map_or(0, |values| values.len());
    let signals = replies::page(value).map_or(0, |page| page.signals.len() + page.left_out);
    Some([signals, values, incoming.take(usize::MAX).len()])
}
