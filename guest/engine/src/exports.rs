//! The exported functions.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cell::RefCell;
use core::time::Duration;

use runtime_signals_core as core_logic;

use core_logic::Signal;
use core_logic::evidence::Source;
use core_logic::json;
use core_logic::merge::{self, Outcome};
use core_logic::profile::BodyUse as CoreBodyUse;

use crate::bindings::exports::runtime_signals::signals::runtime_signals::{
    BodyUse, CommitOutcome, Evidence, EvidenceSource, Guest, GuestStore, InputError, Instant, Judged, Need,
    Profile, Reading, RecordError, Scope, Wait,
};
use crate::convert::{FromWit, ToWit, wanted_headers};

/// The component.
pub(crate) struct Engine;

/// A store and the cell that lets the borrowed handle of the interface change it.
pub(crate) struct Store(RefCell<core_logic::Store>);

impl Guest for Engine {
    type Store = Store;

    fn encode(signal: Vec<u8>) -> Result<Vec<u8>, InputError> {
        let signal = Signal::unpack(&signal);
        signal.map(|signal| json::encode(&signal)).ok_or_else(|| InputError::NotASignal("not packed".into()))
    }

    fn decode(provider: String, text: Vec<u8>) -> Result<Vec<u8>, InputError> {
        json::decode(&provider, &text).map(|signal| signal.pack()).map_err(not_a_signal)
    }

    fn commit(
        provider: String,
        stored: Option<Vec<u8>>,
        fresh: Vec<u8>,
        now: Instant,
        ahead_ns: u64,
    ) -> Result<CommitOutcome, InputError> {
        let fresh = json::decode(&provider, &fresh).map_err(not_a_signal)?;
        let ahead = Duration::from_nanos(ahead_ns);
        Ok(merge::commit(stored.as_deref(), fresh, now.from_wit(), ahead).to_wit())
    }
}

fn not_a_signal(unreadable: json::Unreadable) -> InputError {
    InputError::NotASignal(unreadable.to_string())
}

impl GuestStore for Store {
    fn new(latency_window: u32) -> Self {
        Self(RefCell::new(core_logic::Store::new(usize::try_from(latency_window).unwrap_or(0))))
    }

    fn describe(&self, provider_type: String) -> Profile {
        let mut store = self.0.borrow_mut();
        let (handle, profile) = store.profiles().ready(&provider_type);
        let source = match core_logic::evidence::plan(&provider_type) {
            Source::Recorded => EvidenceSource::Recorded,
            Source::Probe => EvidenceSource::Probe,
            Source::Quota => EvidenceSource::Quota,
        };
        let body = match profile.map(|profile| profile.body) {
            Some(CoreBodyUse::Always | CoreBodyUse::Usage) => BodyUse::All,
            _ => BodyUse::Errors,
        };
        Profile { handle, source, body, headers: wanted_headers(profile) }
    }

    fn add_profile(&self, packed: Vec<u8>) -> Result<(), InputError> {
        self.0.borrow_mut().add_profile(&packed).map_err(ToWit::to_wit)
    }

    fn parse(&self, observation: Vec<u8>) -> Result<Reading, InputError> {
        self.0.borrow_mut().parse(&observation).map(ToWit::to_wit).map_err(ToWit::to_wit)
    }

    fn wait_for(&self, provider: u32, scope: Scope, need: Need, now: Instant) -> Result<Wait, InputError> {
        let (scope, need) = (scope.from_wit(), need.from_wit());
        let wait = self.0.borrow_mut().wait_for(provider, &scope, need, now.from_wit());
        wait.map(ToWit::to_wit).map_err(ToWit::to_wit)
    }

    fn add_provider(&self, name: String) -> u32 {
        self.0.borrow_mut().add_provider(&name)
    }

    fn record(&self, observations: Vec<u8>) -> Result<(), RecordError> {
        #[cfg(feature = "faults")]
        crate::faults::inject(&observations);
        self.0.borrow_mut().record(&observations).map_err(ToWit::to_wit)
    }

    fn observe(&self, observations: Vec<u8>, provider: u32, now: Instant) -> Result<Judged, RecordError> {
        #[cfg(feature = "faults")]
        crate::faults::inject(&observations);
        let judged = self.0.borrow_mut().observe(&observations, provider, now.from_wit());
        judged.map(ToWit::to_wit).map_err(ToWit::to_wit)
    }

    fn record_reading(&self, observation: Vec<u8>, reading: Reading) -> Result<(), InputError> {
        self.0.borrow_mut().record_reading(&observation, reading.from_wit()).map_err(ToWit::to_wit)
    }

    fn collect(&self, provider: u32, evidence: Evidence, now: Instant) -> Result<Judged, InputError> {
        let judged = self.0.borrow_mut().collect_packed(provider, &evidence.from_wit(), now.from_wit());
        judged.map(ToWit::to_wit).map_err(ToWit::to_wit)
    }

    fn has_evidence(&self, provider: u32) -> Result<bool, InputError> {
        self.0.borrow().has_evidence(provider).map_err(ToWit::to_wit)
    }

    fn adopt(&self, provider: u32, stored: Vec<u8>) -> Result<(), InputError> {
        self.0.borrow_mut().adopt(provider, &stored).map_err(ToWit::to_wit)
    }

    fn settle(
        &self,
        provider: u32,
        stored: Option<Vec<u8>>,
        now: Instant,
        ahead_ns: u64,
    ) -> Result<CommitOutcome, InputError> {
        let ahead = Duration::from_nanos(ahead_ns);
        let outcome = self.0.borrow_mut().settle(provider, stored.as_deref(), now.from_wit(), ahead);
        outcome.map(ToWit::to_wit).map_err(ToWit::to_wit)
    }

    fn share(&self, provider: u32) -> Result<(), InputError> {
        self.0.borrow_mut().share(provider).map_err(ToWit::to_wit)
    }

    fn clear(&self, provider: u32, model: Option<String>) -> Result<(), InputError> {
        self.0.borrow_mut().clear(provider, model.as_deref()).map_err(ToWit::to_wit)
    }

    fn export_provider(&self, provider: u32) -> Result<Vec<u8>, InputError> {
        self.0.borrow().export(provider).map_err(ToWit::to_wit)
    }

    fn import_provider(&self, provider: u32, state: Vec<u8>) -> Result<(), InputError> {
        self.0.borrow_mut().import(provider, &state).map_err(ToWit::to_wit)
    }

    fn forget(&self, provider: u32) {
        self.0.borrow_mut().forget(provider);
    }
}

impl ToWit for Outcome {
    type Wit = CommitOutcome;

    fn to_wit(self) -> CommitOutcome {
        match self {
            Self::Write(signal) => CommitOutcome::Write(json::encode(&signal)),
            Self::Superseded => CommitOutcome::Superseded,
        }
    }
}
