//! What goes in: finished calls to providers.

use std::time::{Duration, SystemTime};

/// Response headers, in whatever form the caller has them.
///
/// Names may be in any case, values may be any bytes; order and duplicates are kept. Only the headers that
/// a provider type's profile asks for are looked at, and nothing else is ever copied.
pub trait Headers {
    /// Shows each header's name and value, in order.
    fn for_each(&self, show: &mut dyn FnMut(&[u8], &[u8]));
}

impl Headers for http::HeaderMap {
    fn for_each(&self, show: &mut dyn FnMut(&[u8], &[u8])) {
        for (name, value) in self {
            show(name.as_str().as_bytes(), value.as_bytes());
        }
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> Headers for [(N, V)] {
    fn for_each(&self, show: &mut dyn FnMut(&[u8], &[u8])) {
        for (name, value) in self {
            show(name.as_ref(), value.as_ref());
        }
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> Headers for Vec<(N, V)> {
    fn for_each(&self, show: &mut dyn FnMut(&[u8], &[u8])) {
        self.as_slice().for_each(show);
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>, const LENGTH: usize> Headers for [(N, V); LENGTH] {
    fn for_each(&self, show: &mut dyn FnMut(&[u8], &[u8])) {
        self.as_slice().for_each(show);
    }
}

/// What of an observation counts. A call whose response takes long can be told of twice: when the response begins, as
/// that is when its limits are known, and when it ends, as that is when its latency is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Counts {
    /// All of it: the call is over.
    #[default]
    Everything,
    /// All but the latency, which is only the time until now: the response has begun.
    AllButLatency,
    /// The latency alone: the rest was recorded when the response began.
    LatencyOnly,
}

const NO_HEADERS: &[(&str, &str)] = &[];

/// One finished call to a provider, or a part of one.
#[derive(Clone, Copy)]
pub struct Observation<'a> {
    /// The provider's name. An empty one makes the observation a no-op.
    pub provider: &'a str,
    /// Selects the parser: `openai`, `anthropic`, `openrouter` …
    pub provider_type: &'a str,
    /// HTTP status; `None` when there was no response, or when it is not known.
    pub status: Option<u16>,
    /// The response's headers.
    pub headers: &'a dyn Headers,
    /// Start of the body; the first 64 KiB of it are looked at, if the parser asks for it.
    pub body: Option<&'a [u8]>,
    /// From sending to the end of the response.
    pub latency: Duration,
    /// From sending to the first byte.
    pub ttfb: Option<Duration>,
    /// The model that was called.
    pub model: Option<&'a str>,
    /// The account that called.
    pub account: Option<&'a str>,
    /// Why there is no response. Addresses and keys in it are removed.
    pub error: Option<&'a str>,
    /// When the response was received; `None` means now. It was sent `latency` earlier.
    pub received_at: Option<SystemTime>,
    /// What of it counts: everything, unless the call is told of in two parts.
    pub counts: Counts,
}

impl<'a> Observation<'a> {
    /// An observation of a response that has just arrived.
    #[must_use]
    pub fn new(
        provider: &'a str,
        provider_type: &'a str,
        headers: &'a dyn Headers,
        latency: Duration,
    ) -> Self {
        Self {
            provider,
            provider_type,
            status: None,
            headers,
            body: None,
            latency,
            ttfb: None,
            model: None,
            account: None,
            error: None,
            received_at: None,
            counts: Counts::Everything,
        }
    }

    /// The end of a call whose beginning was recorded with [`Counts::AllButLatency`].
    #[must_use]
    pub fn ended(provider: &'a str, provider_type: &'a str, latency: Duration) -> Self {
        Self { counts: Counts::LatencyOnly, ..Self::new(provider, provider_type, &NO_HEADERS, latency) }
    }

    /// An observation of a call that failed without a response.
    #[must_use]
    pub fn failed(provider: &'a str, provider_type: &'a str, error: &'a str, latency: Duration) -> Self {
        Self { error: Some(error), ..Self::new(provider, provider_type, &NO_HEADERS, latency) }
    }
}

impl<H: Headers + ?Sized> Headers for &H {
    fn for_each(&self, show: &mut dyn FnMut(&[u8], &[u8])) {
        (**self).for_each(show);
    }
}
