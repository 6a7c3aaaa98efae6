//! The state of a provider as bytes, to be carried from one instance to the next.

use alloc::string::String;
use alloc::vec::Vec;

pub(crate) use runtime_signals_profile::carry::State;
pub(crate) use runtime_signals_profile::carry_fields;

use crate::limit::{Held, Limit, Name, Scope};
use crate::refusal::{Cooldown, HeldCooldown};
use crate::signal::Latency;

carry_fields!(Cooldown { scope, class, refused_at, until });
carry_fields!(HeldCooldown { cooldown, shared, offered });
carry_fields!(Held {
    limit,
    sent_at,
    adopted,
    told_at,
    seen_at,
    refusal_ends_at,
    spares_provider,
    shared,
    offered,
});
carry_fields!(Latency { count, p90_ns, p99_ns, ttfb_p50_ns });
carry_fields!(Limit {
    quantity,
    scope,
    pool,
    window_s,
    limit,
    remaining,
    utilization,
    resets_at,
    captured_at,
    refill,
    effect,
});

impl State for Name {
    fn save(&self, to: &mut Vec<u8>) {
        runtime_signals_profile::carry::save_text(self.as_str(), to);
    }
    fn load(from: &mut &[u8]) -> Option<Self> {
        String::load(from).map(|text| Self::from(text.as_str()))
    }
}

/// The empty name is none.
impl State for Scope {
    fn save(&self, to: &mut Vec<u8>) {
        for name in [self.account(), self.model()] {
            runtime_signals_profile::carry::save_text(name.unwrap_or_default(), to);
        }
    }
    fn load(from: &mut &[u8]) -> Option<Self> {
        let (account, model) = (String::load(from)?, String::load(from)?);
        Some(Self::new(Some(&account), Some(&model)))
    }
}
