//! WASI for the components of keys that may import it: each function is there, and nothing is granted.
//!
//! No files, no sockets, no environment and no arguments; standard input is at its end, and what is written to the
//! standard outputs goes nowhere. The clocks stand still at the Unix epoch and random numbers are the same in each
//! instance, so that a parser says the same of the same response each time. Nothing can be waited for: a call that
//! would wait is stopped at once, and its instance with it.

use std::io;
use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use wasmtime::Result;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::random::Deterministic;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::sandbox::Guest;
use crate::engine::Stop;

/// Streams, sleeps and the like that one instance may hold at a time.
const MOST_RESOURCES: usize = 64;
/// Most random bytes of one call.
const MOST_RANDOM_BYTES: u64 = 4 << 10;
/// A call may give way so often: a wait for no time at all does it.
const MOST_YIELDS: usize = 16;
/// What random numbers are made of.
const SEED: u64 = 0x5eed;
/// Random bytes repeat after so many.
const RANDOM_BYTES: usize = 1021;

/// Where timers are made. It is never run, so that none of them ends.
static TIMERS: LazyLock<io::Result<Runtime>> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build());

/// What the functions of WASI work on.
pub(super) struct Wasi {
    context: WasiCtx,
    resources: ResourceTable,
}

impl Default for Wasi {
    fn default() -> Self {
        let mut bytes = vec![0; RANDOM_BYTES];
        fastrand::Rng::with_seed(SEED).fill(&mut bytes);
        let random = || Deterministic::new(bytes.clone());
        let mut resources = ResourceTable::new();
        resources.set_max_capacity(MOST_RESOURCES);
        let context = WasiCtxBuilder::new()
            .wall_clock(StandingClock)
            .monotonic_clock(StandingClock)
            .secure_random(random())
            .insecure_random(random())
            .insecure_random_seed(0)
            .max_random_size(MOST_RANDOM_BYTES)
            .allow_tcp(false)
            .allow_udp(false)
            .build();
        Self { context, resources }
    }
}

impl Wasi {
    pub(super) fn view(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.context, table: &mut self.resources }
    }
}

/// Links the functions of WASI.
pub(super) fn link(linker: &mut Linker<Guest>) -> Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.wasi().view()
    }
}

/// Runs what never has to wait for anything, or stops it where it does.
///
/// This works in any thread, also in those of an asynchronous runtime, which must not be blocked. To give way and to wait
/// look the same from here, so that what is not ready is asked again a few times.
pub(super) fn run_at_once<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let timers = TIMERS.as_ref().map_err(|error| Stop::Trapped(format!("no timers for WASI: {error}")))?;
    let _entered = timers.enter();
    let mut work = pin!(tokio::task::unconstrained(work));
    for _ in 0..=MOST_YIELDS {
        if let Poll::Ready(result) = work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return result;
        }
    }
    Err(Stop::Waited.into())
}

/// A clock that stands still.
struct StandingClock;

impl HostWallClock for StandingClock {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for StandingClock {
    fn resolution(&self) -> u64 {
        1_000_000_000
    }

    fn now(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::component::Component;

    use super::*;
    use crate::engine::Limits;
    use crate::parsers::sandbox::{call, store};

    /// Exports `sleep` for so many nanoseconds, and `now` of the monotonic clock.
    const SLEEPER: &str = r#"(component
        (import "wasi:io/poll@0.2.0" (instance $poll
            (export "pollable" (type $p (sub resource)))
            (export "[method]pollable.block" (func (param "self" (borrow $p))))))
        (alias export $poll "pollable" (type $pollable))
        (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
            (alias outer 1 $pollable (type $p))
            (export "now" (func (result u64)))
            (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
        (core func $now (canon lower (func $clock "now")))
        (core func $subscribe (canon lower (func $clock "subscribe-duration")))
        (core func $block (canon lower (func $poll "[method]pollable.block")))
        (core module $module
            (import "" "now" (func $now (result i64)))
            (import "" "subscribe" (func $subscribe (param i64) (result i32)))
            (import "" "block" (func $block (param i32)))
            (func (export "now") (result i64) (call $now))
            (func (export "sleep") (param i64) (call $block (call $subscribe (local.get 0)))))
        (core instance $made (instantiate $module (with "" (instance
            (export "now" (func $now))
            (export "subscribe" (func $subscribe))
            (export "block" (func $block))))))
        (func (export "now") (result u64) (canon lift (core func $made "now")))
        (func (export "sleep") (param "nanoseconds" u64) (canon lift (core func $made "sleep"))))"#;

    /// What the clock shows after a sleep.
    fn sleep(nanoseconds: u64) -> Result<u64, Stop> {
        let engine = wasmtime::Engine::new(wasmtime::Config::new().concurrency_support(false)).unwrap();
        let component = Component::new(&engine, wat::parse_str(SLEEPER).unwrap()).unwrap();
        let mut linker = Linker::new(&engine);
        link(&mut linker).unwrap();
        let mut store = store(&engine, Limits::default(), true);
        let instance = run_at_once(linker.instantiate_async(&mut store, &component)).unwrap();
        let sleep = instance.get_typed_func::<(u64,), ()>(&mut store, "sleep").unwrap();
        let now = instance.get_typed_func::<(), (u64,)>(&mut store, "now").unwrap();
        call(&mut store, sleep, (nanoseconds,))?;
        call(&mut store, now, ()).map(|(now,)| now)
    }

    #[test]
    fn a_guest_that_sleeps_is_stopped_at_once() {
        assert_eq!(sleep(u64::MAX / 2), Err(Stop::Waited));
        assert_eq!(sleep(1_000_000), Err(Stop::Waited));
    }

    #[test]
    fn the_clock_stands_still_for_a_guest_that_waits_for_nothing() {
        assert_eq!(sleep(0), Ok(0));
    }

    #[test]
    fn calls_may_come_from_within_an_asynchronous_runtime() {
        let runtime = Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(async { sleep(0) }), Ok(0));
        assert_eq!(runtime.block_on(async { sleep(1_000_000) }), Err(Stop::Waited));
    }
}
