//! What one instance may use.
//!
//! Memory, stack, processor time, handles and host-call copies each have a bound. Processor time is that of
//! the calling thread: wall time would punish the innocent on a busy machine.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wasmtime::{Engine, ResourceLimiter, Store, Trap, UpdateDeadline};

/// Between two ticks of the epoch.
pub(super) const TICK: Duration = Duration::from_millis(5);

/// Core instances, memories and tables that one component may have, each.
const MOST_PARTS: usize = 64;

/// Bounds of one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory and tables together, in bytes.
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

/// How a call was stopped. Its instance is not used again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Stop {
    /// It used up its processor time.
    #[error("used more than {0:?} of processor time in one call")]
    TimedOut(Duration),
    /// It needed more memory than an instance may have, in bytes.
    #[error("needed more than {0} bytes of memory")]
    OutOfMemory(usize),
    /// It trapped, or passed more to the host than it may.
    #[error("trapped: {0}")]
    Trapped(String),
    /// It called a function of WASI that would have waited.
    #[error("waited for something; a parser has nothing to wait for")]
    Waited,
}

/// What an instance has used, and what it may.
pub(crate) struct Usage {
    limits: Limits,
    /// Memory and tables that it has, in bytes.
    memory_bytes: usize,
    /// Was memory refused in this call?
    memory_refused: bool,
    /// Processor time of this thread at the first tick of this call.
    started: Option<Duration>,
}

impl Usage {
    pub(crate) const fn new(limits: Limits) -> Self {
        Self { limits, memory_bytes: 0, memory_refused: false, started: None }
    }

    pub(crate) const fn begin_call(&mut self) {
        self.memory_refused = false;
        self.started = None;
    }

    /// Called at the first tick of a call and at each one after it. Most calls see none.
    pub(crate) fn tick(&mut self) -> UpdateDeadline {
        let now = thread_cpu_time();
        let started = *self.started.get_or_insert(now);
        if now.saturating_sub(started) < self.limits.cpu_time {
            UpdateDeadline::Continue(1)
        } else {
            UpdateDeadline::Interrupt
        }
    }

    /// Memory and tables that the instance has, in bytes.
    pub(crate) const fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Does not count what this thread has used since `began`: the host worked for the guest.
    pub(crate) fn spare(&mut self, began: Duration) {
        if let Some(started) = &mut self.started {
            *started = started.saturating_add(thread_cpu_time().saturating_sub(began));
        }
    }

    /// Why a call ended in this error.
    pub(crate) fn explain(&self, error: &wasmtime::Error) -> Stop {
        if let Some(stop) = error.downcast_ref::<Stop>() {
            return stop.clone();
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => Stop::TimedOut(self.limits.cpu_time),
            _ if self.memory_refused => Stop::OutOfMemory(self.limits.memory_bytes),
            Some(trap) => Stop::Trapped(trap.to_string()),
            None => Stop::Trapped(format!("{error:#}")),
        }
    }

    /// Grants growth that keeps the sum within its bound.
    const fn grow(&mut self, bytes: usize) -> bool {
        let desired = self.memory_bytes.saturating_add(bytes);
        let granted = desired <= self.limits.memory_bytes;
        if granted {
            self.memory_bytes = desired;
        }
        self.memory_refused |= !granted;
        granted
    }
}

/// A store within the limits, for one instance. `usage` finds in its data what the instance has used.
pub(crate) fn bounded<T: 'static>(
    engine: &Engine,
    limits: Limits,
    data: T,
    usage: fn(&mut T) -> &mut Usage,
) -> Store<T> {
    let mut store = Store::new(engine, data);
    store.limiter(move |data| usage(data));
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |mut context| Ok(usage(context.data_mut()).tick()));
    store.set_hostcall_fuel(limits.result_bytes);
    store.set_max_component_handles(limits.handles);
    store
}

impl ResourceLimiter for Usage {
    fn memory_growing(&mut self, now: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(now)))
    }

    fn table_growing(&mut self, now: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(self.grow(desired.saturating_sub(now).saturating_mul(size_of::<usize>())))
    }

    fn instances(&self) -> usize {
        MOST_PARTS
    }

    fn memories(&self) -> usize {
        MOST_PARTS
    }

    fn tables(&self) -> usize {
        MOST_PARTS
    }
}

/// Processor time that this thread has used.
pub(crate) fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}
