//! Calls and processes as tests describe them.

use alloc::vec::Vec;
use core::time::Duration;

use crate::call::push_header;
use crate::json;
use crate::merge::{self, Outcome};
use crate::packed::{ACCOUNT, Counts, ERROR, Frames, MODEL, Observation, push_frame};
use crate::profile::{Profile, Profiles};
use crate::provider::Provider;
use crate::reading::{Reader, Reading};
use crate::signal::Signal;
use crate::time::Time;

/// How far a stored time may be ahead of the clock.
pub(crate) const AHEAD: Duration = Duration::from_secs(5);

/// So many seconds after noon.
pub(crate) fn at(seconds: i64) -> Time {
    Time::new(1_768_478_400 + seconds, 0).unwrap()
}

/// A finished call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    provider_type: &'a str,
    status: u16,
    headers: &'a [(&'a str, &'a str)],
    account: &'a str,
    model: &'a str,
    error: Option<&'a str>,
    body: &'a str,
    sent_at: Time,
    received_at: Time,
    latency_ns: u64,
    counts: Counts,
}

/// A call that was answered at once with this status.
pub(crate) fn call(status: u16, seconds: i64) -> Call<'static> {
    Call {
        provider_type: "openai",
        status,
        headers: &[],
        account: "",
        model: "",
        error: None,
        body: "",
        sent_at: at(seconds),
        received_at: at(seconds),
        latency_ns: 0,
        counts: Counts::Everything,
    }
}

impl<'a> Call<'a> {
    pub(crate) fn headers<'b>(self, headers: &'b [(&'b str, &'b str)]) -> Call<'b>
    where
        'a: 'b,
    {
        Call { headers, ..self }
    }

    pub(crate) fn of_type(self, provider_type: &'a str) -> Self {
        Self { provider_type, ..self }
    }

    pub(crate) fn model(self, model: &'a str) -> Self {
        Self { model, ..self }
    }

    pub(crate) fn account(self, account: &'a str) -> Self {
        Self { account, ..self }
    }

    pub(crate) fn error(self, error: &'a str) -> Self {
        Self { error: Some(error), ..self }
    }

    pub(crate) fn body(self, body: &'a str) -> Self {
        Self { body, ..self }
    }

    /// Sent and answered at that time.
    pub(crate) fn at(self, time: Time) -> Self {
        Self { sent_at: time, received_at: time, ..self }
    }

    pub(crate) fn sent(self, seconds: i64) -> Self {
        Self { sent_at: at(seconds), ..self }
    }

    pub(crate) fn took(self, latency_ns: u64) -> Self {
        Self { latency_ns, ..self }
    }

    /// Of which this counts.
    pub(crate) fn counting(self, counts: Counts) -> Self {
        Self { counts, ..self }
    }

    fn observe<T>(self, then: impl FnOnce(&Observation<'_>, &Profile, Option<&Profile>) -> T) -> T {
        let mut profiles = Profiles::default();
        let handle = profiles.find(self.provider_type);
        assert!(profiles.unpack(handle));
        let profile = profiles.get(handle).unwrap().clone();
        let mut frames = Vec::new();
        let named = [(ACCOUNT, self.account), (MODEL, self.model)];
        for (id, name) in named.into_iter().filter(|(_, name)| !name.is_empty()) {
            push_frame(&mut frames, id, name.as_bytes()).unwrap();
        }
        if let Some(error) = self.error {
            push_frame(&mut frames, ERROR, error.as_bytes()).unwrap();
        }
        for (name, value) in self.headers {
            push_header(&profile, name.as_bytes(), value.as_bytes(), &mut frames);
        }
        let observation = Observation {
            provider: 0,
            profile: handle,
            status: self.status,
            received_at: self.received_at,
            sent_at: self.sent_at,
            latency_ns: self.latency_ns,
            ttfb_ns: None,
            counts: self.counts,
            frames: Frames::new(&frames).unwrap(),
            body: self.body.as_bytes(),
        };
        assert!(profiles.unpack_for(&observation));
        let (profile, common) = profiles.get_for(&observation).unwrap();
        then(&observation, profile, common)
    }

    /// The packed form.
    pub(crate) fn packed(self) -> Vec<u8> {
        let mut packed = Vec::new();
        self.observe(|observation, _, _| observation.pack(&mut packed)).unwrap();
        packed
    }

    /// Records it.
    pub(crate) fn record(self, provider: &mut Provider) {
        self.observe(|observation, profile, common| {
            let mut reading = Reading::default();
            Reader::default().read(profile, common, observation, &mut reading);
            provider.record(observation, &reading);
        });
    }

    /// What it says, summed up.
    pub(crate) fn read(self) -> Reading {
        self.observe(|observation, profile, common| Reader::default().summarize(profile, common, observation))
    }

    /// Records it with what a parser component has read.
    pub(crate) fn record_reading(self, provider: &mut Provider, mut reading: Reading) {
        reading.complete(self.received_at);
        self.observe(|observation, _, _| provider.record(observation, &reading));
    }
}

/// A provider of which these calls are known.
pub(crate) fn after(calls: &[Call<'_>]) -> Provider {
    let mut provider = Provider::new("p".into(), 100);
    calls.iter().for_each(|call| call.record(&mut provider));
    provider
}

/// A file that several processes commit to.
#[derive(Default)]
pub(crate) struct Disk(pub(crate) Option<Vec<u8>>);

impl Disk {
    /// Commits what a process knows.
    pub(crate) fn settle(&mut self, provider: &mut Provider, seconds: i64) -> Signal {
        if let Outcome::Write(signal) = merge::settle(provider, self.0.as_deref(), at(seconds), AHEAD) {
            self.0 = Some(json::encode(&signal));
            provider.share();
        }
        self.read()
    }

    /// Commits a signal of its own; `false` when what is stored stays.
    pub(crate) fn write(&mut self, signal: Signal, seconds: i64) -> bool {
        let outcome = merge::commit(self.0.as_deref(), signal, at(seconds), AHEAD);
        if let Outcome::Write(signal) = &outcome {
            self.0 = Some(json::encode(signal));
        }
        outcome != Outcome::Superseded
    }

    /// What is stored.
    pub(crate) fn read(&self) -> Signal {
        json::decode("p", self.0.as_deref().unwrap()).unwrap()
    }

    /// A process that has just started, and knows what is stored.
    pub(crate) fn start(&self) -> Provider {
        let mut provider = Provider::new("p".into(), 100);
        if self.0.is_some() {
            let stored = self.read();
            provider.adopt(&stored, stored.recorded_at);
        }
        provider
    }
}
