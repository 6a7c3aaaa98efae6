//! What crosses the sandbox as fuzz targets see it.

use std::time::SystemTime;

use super::{packed_signal, packing};
use crate::observation::Observation;
use crate::signal::Signal;

/// Reads the packed form of a signal, as the sandbox hands it out; `None` where it is none.
#[must_use]
pub fn unpack(packed: &[u8]) -> Option<Signal> {
    packed_signal::unpack(packed)
}

/// The packed form of a signal.
#[must_use]
pub fn pack(signal: &Signal) -> Vec<u8> {
    packed_signal::pack(signal)
}

/// The packed form of an observation, without headers and body, as the sandbox gets it.
#[must_use]
pub fn pack_observation(observation: &Observation<'_>, now: SystemTime) -> Vec<u8> {
    let mut packed = Vec::new();
    packing::pack_read(observation, now, &mut packed);
    packed
}
