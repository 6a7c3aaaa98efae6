//! The last real responses of a provider type, so that a candidate can be tried on them: in memory only, few, and
//! without credentials.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::policy::Policy;
use crate::observation::Observation;
use crate::redact::redact;

/// Responses that are kept of one type: half of them errors, where there are as many.
const MOST: usize = 16;
/// Bytes of headers and of body that are kept of one response.
const MOST_HEADER_BYTES: usize = 8 << 10;
const MOST_BODY_BYTES: usize = 16 << 10;
/// Between two that are kept, once there are enough.
const BETWEEN: Duration = Duration::from_secs(1);

/// A response without credentials.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) status: Option<u16>,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Option<Vec<u8>>,
    pub(super) received_at: SystemTime,
}

impl Kept {
    fn new(response: &Observation<'_>, policy: &Policy, now: SystemTime) -> Self {
        let mut headers = Vec::new();
        let mut left = MOST_HEADER_BYTES;
        response.headers.for_each(&mut |name, value| {
            let rest = left.checked_sub(name.len() + value.len());
            if let (Some(rest), Ok(text), true) = (rest, str::from_utf8(name), policy.allows(name)) {
                left = rest;
                headers.push((text.to_owned(), value.to_vec()));
            }
        });
        let is_error = is_error(response.status);
        let body = response.body.filter(|_| is_error).map(|body| {
            let start = body.get(..MOST_BODY_BYTES).unwrap_or(body);
            redact(&String::from_utf8_lossy(start)).into_bytes()
        });
        let received_at = response.received_at.unwrap_or(now);
        Self { status: response.status, headers, body, received_at }
    }

    /// As a response of this type.
    pub(super) fn observation<'a>(&'a self, provider_type: &'a str) -> Observation<'a> {
        let mut observation = Observation::new("", provider_type, &self.headers, Duration::ZERO);
        observation.status = self.status;
        observation.body = self.body.as_deref();
        observation.received_at = Some(self.received_at);
        observation
    }
}

fn is_error(status: Option<u16>) -> bool {
    status.is_some_and(|status| status >= 400)
}

/// The last responses of one type.
pub(super) struct Recent {
    started: Instant,
    /// Errors and others apart, so that many of one kind leave some of the other.
    kinds: [Kind; 2],
}

#[derive(Default)]
struct Kind {
    /// Before this time, in milliseconds since the start, none is kept.
    not_before: AtomicU64,
    kept: Mutex<VecDeque<Kept>>,
}

impl Default for Recent {
    fn default() -> Self {
        Self { started: Instant::now(), kinds: Default::default() }
    }
}

impl Recent {
    /// Keeps a response, unless others were kept a moment ago. Most calls end after reading the clock.
    pub(super) fn note(&self, response: &Observation<'_>, policy: &Policy, now: SystemTime) {
        let [others, errors] = &self.kinds;
        let kind = if is_error(response.status) { errors } else { others };
        let since = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        if since < kind.not_before.load(Ordering::Relaxed) || response.error.is_some() {
            return;
        }
        let response = Kept::new(response, policy, now);
        let mut kept = kind.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(response);
        if kept.len() > MOST / 2 {
            kept.pop_front();
            let between = u64::try_from(BETWEEN.as_millis()).unwrap_or(u64::MAX);
            kind.not_before.store(since.saturating_add(between), Ordering::Relaxed);
        }
    }

    /// All that are kept.
    pub(super) fn all(&self) -> Vec<Kept> {
        let kept = |kind: &Kind| kind.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.kinds.iter().flat_map(kept).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_each_kind_are_kept_without_credentials() {
        let recent = Recent::default();
        let headers =
            [("x-left", "1"), ("Authorization", "SECRET"), ("set-cookie", "SECRET"), ("x-org", "SECRET")];
        let policy = Policy::new(&["x-org".into()]);
        for status in [200, 429] {
            for _ in 0..MOST {
                let mut response = Observation::new("p", "t", &headers, Duration::ZERO);
                response.status = Some(status);
                response.body = Some(br#"{"error": "no such key sk-SECRET01234567"}"#);
                recent.note(&response, &policy, SystemTime::UNIX_EPOCH);
            }
        }
        let all = recent.all();
        assert_eq!(all.len(), MOST);
        assert_eq!(all.iter().filter(|kept| kept.status == Some(429)).count(), MOST / 2);
        assert!(all.iter().all(|kept| kept.body.is_some() == (kept.status == Some(429))));
        assert!(!all.iter().any(|kept| format!("{:?}", kept.headers).contains("SECRET")));
        let text =
            |kept: &Kept| String::from_utf8_lossy(kept.body.as_deref().unwrap_or_default()).into_owned();
        assert!(!all.iter().any(|kept| text(kept).contains("SECRET")));
    }

    #[test]
    fn a_response_is_kept_within_bounds_and_a_call_without_one_is_not() {
        let recent = Recent::default();
        let long = "x".repeat(1 << 20);
        let headers = [("x-long", long.as_str()), ("x-left", "1")];
        let mut response = Observation::new("p", "t", &headers, Duration::ZERO);
        response.status = Some(500);
        response.body = Some(long.as_bytes());
        recent.note(&response, &Policy::default(), SystemTime::UNIX_EPOCH);
        recent.note(
            &Observation::failed("p", "t", "refused", Duration::ZERO),
            &Policy::default(),
            SystemTime::UNIX_EPOCH,
        );
        let all = recent.all();
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].headers, [("x-left".to_owned(), b"1".to_vec())]);
        assert_eq!(all[0].body.as_ref().map(Vec::len), Some(MOST_BODY_BYTES));
    }
}
