//! Many observations at once: each shard takes its own by one call.

use std::sync::Arc;
use std::time::SystemTime;

use super::{Engine, EngineError, Profile, packing};
use crate::observation::Observation;

/// Room for a packed observation of the usual kind, in bytes.
const USUAL_BYTES: usize = 512;

/// An observation of a batch, and where it belongs.
struct Member<'a> {
    /// Its place in the batch.
    number: usize,
    observation: &'a Observation<'a>,
    profile: Arc<Profile>,
    hash: u64,
    shard: usize,
}

impl Engine {
    /// Records observations, each provider's in order. Tells of each whether it was recorded.
    pub(crate) fn record_batch(
        &self,
        observations: &[Observation<'_>],
        now: SystemTime,
    ) -> Result<Vec<Result<(), EngineError>>, EngineError> {
        let mut members = self.members(observations)?;
        members.sort_by_key(|member| member.shard);
        let mut results: Vec<_> = observations.iter().map(|_| Ok(())).collect();
        for of_shard in members.chunk_by(|one, next| one.shard == next.shard) {
            let outcomes = self.record_of_shard(of_shard, now);
            for (member, outcome) in of_shard.iter().zip(outcomes) {
                if let Some(result) = results.get_mut(member.number) {
                    *result = outcome;
                }
            }
        }
        Ok(results)
    }

    /// Where each observation belongs.
    fn members<'a>(&self, observations: &'a [Observation<'a>]) -> Result<Vec<Member<'a>>, EngineError> {
        let members = observations.iter().enumerate().map(|(number, observation)| {
            let profile = self.with_profile(observation.provider_type, Arc::clone)?;
            let hash = self.hash(observation.provider);
            Ok(Member { number, observation, profile, hash, shard: self.index(hash) })
        });
        members.collect()
    }

    /// Records observations that belong to one shard.
    fn record_of_shard(&self, members: &[Member<'_>], now: SystemTime) -> Vec<Result<(), EngineError>> {
        let Some(shard) = members.first().map(|member| member.shard) else { return Vec::new() };
        let mut packed = Vec::with_capacity(members.len() * USUAL_BYTES);
        for Member { observation, profile, .. } in members {
            packing::pack(observation, profile, now, &mut packed);
        }
        let named = members.iter().map(|member| (member.observation.provider, member.hash));
        let mut shard = self.lock_with_room(shard, named.clone());
        let places: Vec<_> = named.map(|(name, hash)| shard.place(name, hash)).collect();
        places.iter().for_each(|place| shard.touch(*place));
        shard.record(&mut packed, &places)
    }
}
