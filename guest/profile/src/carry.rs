//! Values as bytes, to be carried from one instance to the next or into the sandbox.
//!
//! Both ends are the same version, so the form has no names and no schema: the fields in a fixed order,
//! numbers little endian. What does not fit is refused as a whole.

use alloc::string::String;
use alloc::vec::Vec;

use runtime_signals_values::Time;

/// A value that can be carried.
pub trait State: Sized {
    /// Appends the value.
    fn save(&self, to: &mut Vec<u8>);
    /// Takes the value off the front; `None` when there is none.
    fn load(from: &mut &[u8]) -> Option<Self>;
}

/// Carries a record field by field.
#[macro_export]
macro_rules! carry_fields {
    ($type:ident { $($field:ident),* $(,)? }) => {
        impl $crate::carry::State for $type {
            fn save(&self, to: &mut $crate::Vec<u8>) {
                $($crate::carry::State::save(&self.$field, to);)*
            }
            fn load(from: &mut &[u8]) -> Option<Self> {
                Some(Self { $($field: $crate::carry::State::load(from)?,)* })
            }
        }
    };
}

/// Takes bytes off the front.
pub fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = from.split_first_chunk::<N>()?;
    *from = rest;
    Some(*taken)
}

/// Takes one byte off the front.
pub fn byte(from: &mut &[u8]) -> Option<u8> {
    take(from).map(|[byte]| byte)
}

/// Appends a length: lengths are short, seven bits a byte, lowest first.
#[inline]
pub fn save_length(mut length: usize, to: &mut Vec<u8>) {
    while length > 0x7f {
        to.push(0x80 | (length & 0x7f) as u8);
        length >>= 7;
    }
    to.push(length as u8);
}

/// Takes a length off the front.
pub fn load_length(from: &mut &[u8]) -> Option<usize> {
    let mut length = 0;
    for shift in [0, 7, 14, 21] {
        let part = byte(from)?;
        length |= usize::from(part & 0x7f) << shift;
        if part < 0x80 {
            return Some(length);
        }
    }
    None
}

macro_rules! carry_numbers {
    ($($type:ident),*) => {$(
        impl State for $type {
            #[inline]
            fn save(&self, to: &mut Vec<u8>) {
                to.extend_from_slice(&self.to_le_bytes());
            }
            fn load(from: &mut &[u8]) -> Option<Self> {
                take(from).map(Self::from_le_bytes)
            }
        }
    )*};
}

carry_numbers!(u8, u16, u32, u64, f64);

impl State for Time {
    #[inline]
    fn save(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.seconds().to_le_bytes());
        self.nanoseconds().save(to);
    }
    fn load(from: &mut &[u8]) -> Option<Self> {
        let seconds = take(from).map(i64::from_le_bytes)?;
        Self::new(seconds, u32::load(from)?)
    }
}

impl State for bool {
    #[inline]
    fn save(&self, to: &mut Vec<u8>) {
        to.push(u8::from(*self));
    }
    fn load(from: &mut &[u8]) -> Option<Self> {
        byte(from).map(|byte| byte != 0)
    }
}

/// Appends a text.
#[inline]
pub fn save_text(text: &str, to: &mut Vec<u8>) {
    save_length(text.len(), to);
    to.extend_from_slice(text.as_bytes());
}

impl State for String {
    fn save(&self, to: &mut Vec<u8>) {
        save_text(self, to);
    }
    fn load(from: &mut &[u8]) -> Option<Self> {
        let length = load_length(from)?;
        let (taken, rest) = from.split_at_checked(length)?;
        *from = rest;
        core::str::from_utf8(taken).ok().map(Self::from)
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
        save_length(self.len(), to);
        self.iter().for_each(|value| value.save(to));
    }
    fn load(from: &mut &[u8]) -> Option<Self> {
        // A wrong length ends at the first value that is missing; nothing is reserved for it.
        (0..load_length(from)?).map(|_| T::load(from)).collect()
    }
}
