//! Children that lead a process group of their own, so that nothing of them outlives us.

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;

/// A child that leads a process group. While it has not been waited for, its number cannot belong to anyone
/// else, so its whole group can be killed safely; and is, when this goes.
pub(crate) struct ProcessGroup(pub(crate) Child);

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        let leader = self.0.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(leader) = leader {
            // Fails only when the group is gone already.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}
