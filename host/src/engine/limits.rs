//! What one instance may use.
//!
//! Memory, stack, processor time, handles and host-call copies each have a bound. Processor time is that of
//! the calling thread: wall time would punish the innocent on a busy machine.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wasmtime::{ResourceLimiter, UpdateDeadline};

/// Between two ticks of the epoch.
pub(super) const TICK: Duration = Duration::from_millis(5);

/// Bounds of one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory, in bytes.
    pub memory_bytes: usize,
    /// Stack of the guest, in bytes.
    pub stack_bytes: usize,
    /// Processor time of one call; overruns are noticed up to two ticks of 5 ms late.
    pub cpu_time: Duration,
    /// Bytes that one call may pass to the host.
    pub result_bytes: usize,
    /// Handles of resources.
    pub handles: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 64 << 20,
            stack_bytes: 256 << 10,
            cpu_time: Duration::from_millis(100),
            result_bytes: 16 << 20,
            handles: 16,
        }
    }
}

/// What an instance has used, and what it may.
pub(super) struct Usage {
    limits: Limits,
    /// Was memory refused in this call?
    pub(super) memory_refused: bool,
    /// Processor time of this thread at the first tick of this call.
    started: Option<Duration>,
}

impl Usage {
    pub(super) const fn new(limits: Limits) -> Self {
        Self { limits, memory_refused: false, started: None }
    }

    pub(super) const fn begin_call(&mut self) {
        self.memory_refused = false;
        self.started = None;
    }

    /// Called at the first tick of a call and at each one after it. Most calls see none.
    pub(super) fn tick(&mut self) -> UpdateDeadline {
        let now = thread_cpu_time();
        let started = *self.started.get_or_insert(now);
        if now.saturating_sub(started) < self.limits.cpu_time {
            UpdateDeadline::Continue(1)
        } else {
            UpdateDeadline::Interrupt
        }
    }
}

impl ResourceLimiter for Usage {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let granted = desired <= self.limits.memory_bytes;
        self.memory_refused |= !granted;
        Ok(granted)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        const MOST_ELEMENTS: usize = 10_000;
        Ok(desired <= MOST_ELEMENTS)
    }
}

fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}
