//! The same work in three layers: the core linked natively, the component on a bare wasmtime loop, and the
//! product.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing
)]

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use runtime_signals::engine::{CodeCache, EngineOptions};
use runtime_signals::{Observation, Store, StoreOptions};
use runtime_signals_core::packed;
use runtime_signals_core::packed::{FIRST_HEADER, Frames, HEADER_BYTES, push_frame};
use runtime_signals_core::profile::{NameMatch, Profiles};
use runtime_signals_core::time::Time;

pub mod bare;
mod headers;

use headers::{ANTHROPIC, COMMON, OPENAI};

/// 2026-01-15T12:00:00Z.
pub const NOW: i64 = 1_768_478_400;

/// A response to be recorded.
pub struct Case {
    pub name: &'static str,
    pub provider_type: &'static str,
    pub headers: HeaderMap,
}

impl Case {
    pub fn all() -> [Self; 3] {
        let case = |name, provider_type, limits: &[(&'static str, &'static str)], common: usize| {
            let pairs = COMMON[..common].iter().chain(limits);
            let headers =
                pairs.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            Self { name, provider_type, headers: headers.collect() }
        };
        [
            case("openai 20 headers, 6 limits", "openai", &OPENAI, 14),
            case("anthropic 26 headers, 12 limits", "anthropic", &ANTHROPIC, 14),
            case("latency only", "openai", &[], 0),
        ]
    }

    pub fn observation<'a>(&'a self, provider: &'a str) -> Observation<'a> {
        let latency = Duration::from_millis(840);
        Observation {
            status: Some(200),
            ..Observation::new(provider, self.provider_type, &self.headers, latency)
        }
    }
}

/// Matches header names as the product does: by length first.
pub struct Matcher {
    profile: u16,
    by_length: Vec<Vec<(String, u8)>>,
}

impl Matcher {
    pub fn new(provider_type: &str) -> Self {
        let mut profiles = Profiles::default();
        let profile = profiles.find(provider_type);
        assert!(profiles.unpack(profile));
        let headers = &profiles.get(profile).unwrap().headers;
        let mut by_length = vec![Vec::new(); 128];
        for (id, header) in
            (FIRST_HEADER..).zip(headers).filter(|(_, header)| header.kind == NameMatch::Exact)
        {
            by_length[header.name.len()].push((header.name.clone(), id));
        }
        Self { profile, by_length }
    }

    /// Packs one observation, as the product does before it crosses into the sandbox.
    pub fn pack(&self, headers: &HeaderMap, provider: u32, frames: &mut Vec<u8>, to: &mut Vec<u8>) {
        frames.clear();
        for (name, value) in headers {
            let candidates = self.by_length.get(name.as_str().len()).map(Vec::as_slice).unwrap_or_default();
            if let Some((_, id)) = candidates.iter().find(|(wanted, _)| *wanted == name.as_str()) {
                push_frame(frames, *id, value.as_bytes()).unwrap();
            }
        }
        let received_at = Time::new(NOW, 0).unwrap();
        let observation = packed::Observation {
            provider,
            profile: self.profile,
            status: 200,
            received_at,
            sent_at: Time::new(NOW - 1, 160_000_000).unwrap(),
            latency_ns: 840_000_000,
            ttfb_ns: None,
            counts: packed::Counts::Everything,
            frames: Frames::new(frames).unwrap(),
            body: &[],
        };
        to.reserve(HEADER_BYTES + frames.len());
        observation.pack(to).unwrap();
    }
}

/// The product's store, with all limits on.
pub fn store() -> Store {
    let engine = EngineOptions { code_cache: CodeCache::User, ..EngineOptions::default() };
    Store::with_options(StoreOptions { engine, ..StoreOptions::default() }).unwrap()
}
