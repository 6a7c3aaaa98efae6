//! The state of a provider as bytes, to be carried from one instance to the next.
//!
//! Both ends are the same version, so the form has no names and no schema: a version byte, then the fields
//! in a fixed order, numbers little endian. What does not fit is refused as a whole.

use alloc::string::String;
use alloc::vec::Vec;

use crate::limit::{Held, Limit, Quantity, Scope};
use crate::refusal::{Cooldown, HeldCooldown, RefusalClass};
use crate::signal::{Latency, Reason};
use crate::time::Time;

/// A value that can be carried.
pub(crate) trait State: Sized {
    /// Appends the value.
    fn save(&self, to: &mut Vec<u8>);
    /// Takes the value off the front; `None` when there is none.
    fn load(from: &mut &[u8]) -> Option<Self>;
}

/// Carries a record field by field.
macro_rules! carry_fields {
    ($type:ident { $($field:ident),* $(,)? }) => {
        impl crate::state::State for $type {
            fn save(&self, to: &mut alloc::vec::Vec<u8>) {
                $(self.$field.save(to);)*
            }
            fn load(from: &mut &[u8]) -> Option<Self> {
                Some(Self { $($field: crate::state::State::load(from)?,)* })
            }
        }
    };
}
pub(crate) use carry_fields;

/// Carries an enumeration by its word.
macro_rules! carry_word {
    ($($type:ident),*) => {$(
        impl State for $type {
            fn save(&self, to: &mut Vec<u8>) {
                save_bytes(self.as_str().as_bytes(), to);
            }
            fn load(from: &mut &[u8]) -> Option<Self> {
                Some(Self::from(core::str::from_utf8(load_bytes(from)?).ok()?))
            }
        }
    )*};
}

carry_word!(Quantity, Reason, RefusalClass);
carry_fields!(Scope { account, model });
carry_fields!(Cooldown { scope, class, refused_at, until });
carry_fields!(HeldCooldown { cooldown, shared });
carry_fields!(Held { limit, sent_at, seen_at, refusal_ends_at, spares_provider, shared });
carry_fields!(Latency { count, p90_ns, p99_ns, ttfb_p50_ns });
carry_fields!(Limit { quantity, scope, window_s, limit, remaining, utilization, resets_at, captured_at });

fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = from.split_first_chunk::<N>()?;
    *from = rest;
    Some(*taken)
}

fn save_bytes(bytes: &[u8], to: &mut Vec<u8>) {
    (bytes.len() as u64).save(to);
    to.extend_from_slice(bytes);
}

fn load_bytes<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(u64::load(from)?).ok()?;
    let (taken, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(taken)
}

impl State for u32 {
    fn save(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.to_le_bytes());
    }
    fn load(from: &mut &[u8]) -> Option<Self> {
        take(from).map(Self::from_le_bytes)
    }
}

impl State for u64 {
    fn save(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.to_le_bytes());
    }
    fn load(from: &mut &[u8]) -> Option<Self> {
        take(from).map(Self::from_le_bytes)
    }
}

impl State for f64 {
    fn save(&self, to: &mut Vec<u8>) {
        self.to_bits().save(to);
    }
    fn load(from: &mut &[u8]) -> Option<Self> {
        u64::load(from).map(Self::from_bits)
    }
}

impl State for bool {
    fn save(&self, to: &mut Vec<u8>) {
        to.push(u8::from(*self));
    }
    fn load(from: &mut &[u8]) -> Option<Self> {
        take(from).map(|[byte]| byte != 0)
    }
}

impl State for String {
    fn save(&self, to: &mut Vec<u8>) {
        save_bytes(self.as_bytes(), to);
    }
    fn load(from: &mut &[u8]) -> Option<Self> {
        core::str::from_utf8(load_bytes(from)?).ok().map(Self::from)
    }
}

impl State for Time {
    fn save(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.seconds().to_le_bytes());
        self.nanoseconds().save(to);
    }
    fn load(from: &mut &[u8]) -> Option<Self> {
        let seconds = take(from).map(i64::from_le_bytes)?;
        Self::new(seconds, u32::load(from)?)
    }
}

impl<T: State> State for Option<T> {
    fn save(&self, to: &mut Vec<u8>) {
        self.is_some().save(to);
        self.iter().for_each(|value| value.save(to));
    }
    fn load(from: &mut &[u8]) -> Option<Self> {
        if bool::load(from)? { T::load(from).map(Some) } else { Some(None) }
    }
}

impl<T: State, U: State> State for (T, U) {
    fn save(&self, to: &mut Vec<u8>) {
        self.0.save(to);
        self.1.save(to);
    }
    fn load(from: &mut &[u8]) -> Option<Self> {
        Some((T::load(from)?, U::load(from)?))
    }
}

impl<T: State> State for Vec<T> {
    fn save(&self, to: &mut Vec<u8>) {
        (self.len() as u64).save(to);
        self.iter().for_each(|value| value.save(to));
    }
    fn load(from: &mut &[u8]) -> Option<Self> {
        // A wrong length ends at the first value that is missing; nothing is reserved for it.
        (0..u64::load(from)?).map(|_| T::load(from)).collect()
    }
}
