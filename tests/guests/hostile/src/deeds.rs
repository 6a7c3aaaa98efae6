//! What the parser does on demand.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::hint::black_box;
use core::sync::atomic::{AtomicU32, Ordering};

use runtime_signals_parser_sdk::{Instant, Limit, ParseError, Reading, Response, Scope};

use crate::{TEXT, allocator, honest, left};

static CALLS: AtomicU32 = AtomicU32::new(0);
const MIB: usize = 1 << 20;

pub(crate) fn commit(deed: &[u8], response: &Response<'_>) -> Result<Reading, ParseError> {
    let telling = |limit: Limit| Ok(Reading { limits: vec![limit], ..honest(response) });
    let pool = |pool: String| telling(Limit { pool, ..left(response) });
    match deed {
        b"loop" => loop {
            black_box(());
        },
        b"memory" => {
            let mut taken = Vec::new();
            loop {
                taken.push(black_box(vec![1_u8; 64 << 10]));
            }
        }
        b"recursion" => {
            Err(ParseError::Malformed(deeper(response.status.into()).then(String::new).unwrap_or_default()))
        }
        b"trap" => core::arch::wasm32::unreachable(),
        b"third" => match CALLS.fetch_add(1, Ordering::Relaxed) {
            2.. => core::arch::wasm32::unreachable(),
            _ => Ok(honest(response)),
        },
        b"allocation" => {
            let reading = Reading { limits: Vec::new(), ..honest(response) };
            allocator::TRAPS.store(true, Ordering::Relaxed);
            Ok(reading)
        }
        b"limits" => {
            // There is no room for them: one lies where all of them are.
            let one = vec![left(response)];
            // SAFETY: none. The host is told of more than there is.
            let limits = unsafe { Vec::from_raw_parts(one.leak().as_mut_ptr(), 1_000_000, 1_000_000) };
            Ok(Reading { limits, ..honest(response) })
        }
        b"string" => pool("a".repeat(3 * MIB)),
        b"length" => {
            let text = String::from("a").leak();
            // SAFETY: none. The host is told of more than there is.
            pool(unsafe { String::from_raw_parts(text.as_mut_ptr(), (2 << 30) - 1, (2 << 30) - 1) })
        }
        // SAFETY: none. The host is told that these bytes are text.
        b"utf8" => pool(unsafe { String::from_utf8_unchecked(vec![b'a', 0xff, 0xfe]) }),
        b"secret" => pool(text(response)),
        b"account" => {
            let scope = Scope { account: Some(text(response)), model: None };
            telling(Limit { scope, ..left(response) })
        }
        b"malformed" => Err(ParseError::Malformed("a".repeat(MIB))),
        b"share" => telling(Limit { utilization: Some(f64::NAN), ..left(response) }),
        b"time" => {
            let resets_at = Some(Instant { seconds: i64::MAX, nanoseconds: u32::MAX });
            telling(Limit { resets_at, ..left(response) })
        }
        b"not-mine" => Err(ParseError::NotMine),
        _ => Err(ParseError::Malformed(String::from("no such deed"))),
    }
}

/// What it was sent to be smuggled out.
fn text(response: &Response<'_>) -> String {
    String::from_utf8_lossy(response.values(TEXT).next().unwrap_or_default()).into_owned()
}

/// Has no end: each step keeps something on the stack.
#[inline(never)]
#[expect(unconditional_recursion, reason = "that is the deed")]
fn deeper(step: u64) -> bool {
    let kept = black_box([step; 32]);
    deeper(step.wrapping_add(1)) && black_box(kept).contains(&step)
}
