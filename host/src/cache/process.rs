//! Who we are and who is still alive.
//!
//! A side file names its owner by process number. Numbers are used again, so ours also state when the process
//! started, where `/proc` tells; a live process with another start is not the owner. Foreign files state no start:
//! there only the age rules help against a number used again.

use std::hash::{BuildHasher, Hasher};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

const TEMP_SUFFIX: &str = ".tmp";

/// The number of this process.
pub(super) fn own_pid() -> i64 {
    i64::from(std::process::id())
}

/// When this process started, in clock ticks since the machine did; `None` where `/proc` does not tell.
pub(super) fn own_start() -> Option<u64> {
    static START: OnceLock<Option<u64>> = OnceLock::new();
    *START.get_or_init(|| stat_of(own_pid()).map(|stat| stat.start))
}

/// A text that no other call, thread or process gives.
pub(super) fn nonce() -> String {
    static PROCESS: OnceLock<u64> = OnceLock::new();
    static CALLS: AtomicU64 = AtomicU64::new(0);
    // The standard library seeds its hash maps from the operating system's randomness.
    let process = PROCESS.get_or_init(|| std::hash::RandomState::new().build_hasher().finish());
    format!("{process:016x}{:x}", CALLS.fetch_add(1, Ordering::Relaxed))
}

/// A name for a private file of this process. The leading dot keeps it apart from every source's files.
pub(super) fn temp_name() -> String {
    format!(".{}-{}{TEMP_SUFFIX}", own_pid(), nonce())
}

/// The process whose private file `name` is; `None` for every other file.
pub(super) fn temp_owner(name: &str) -> Option<i64> {
    name.strip_prefix('.')?.strip_suffix(TEMP_SUFFIX)?.split_once('-')?.0.parse().ok()
}

/// Whether process `pid` runs, and is the one that began at `start` where that is given.
///
/// A process of another user counts as alive; a zombie, which can hold nothing, as dead.
pub(super) fn is_alive(pid: i64, start: Option<u64>) -> bool {
    // Zero and negative numbers name groups of processes, none names an owner.
    let Some(id) = i32::try_from(pid).ok().filter(|pid| *pid > 0).and_then(Pid::from_raw) else {
        return false;
    };
    if test_kill_process(id) == Err(Errno::SRCH) {
        return false;
    }
    stat_of(pid).is_none_or(|stat| !stat.ended && start.is_none_or(|start| start == stat.start))
}

struct Stat {
    ended: bool,
    start: u64,
}

fn stat_of(pid: i64) -> Option<Stat> {
    parse_stat(&std::fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// `pid (command) state ppid … starttime …`, where the command may itself have spaces and parentheses.
fn parse_stat(stat: &[u8]) -> Option<Stat> {
    let after_command = stat.iter().rposition(|byte| *byte == b')')?.checked_add(1)?;
    let rest = std::str::from_utf8(stat.get(after_command..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    // The state is field 3, the start field 22.
    let start = fields.nth(18)?.parse().ok()?;
    Some(Stat { ended: matches!(state, "Z" | "X" | "x"), start })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_so_is_the_first() {
        assert!(is_alive(own_pid(), None));
        assert!(is_alive(own_pid(), own_start()));
        assert!(is_alive(1, None));
    }

    #[test]
    fn a_number_that_names_no_process_is_dead() {
        for pid in [0, -1, i64::from(i32::MAX), i64::MAX, i64::MIN] {
            assert!(!is_alive(pid, None), "{pid}");
        }
    }

    #[test]
    fn an_ended_child_is_dead_before_and_after_it_is_waited_for() {
        let mut child =
            std::process::Command::new("true").stdout(std::process::Stdio::piped()).spawn().unwrap();
        let pid = i64::from(child.id());
        // Its end closes the pipe; the state changes right after, still before we wait for it.
        std::io::copy(child.stdout.as_mut().unwrap(), &mut std::io::sink()).unwrap();
        if cfg!(target_os = "linux") {
            while is_alive(pid, None) {
                std::thread::yield_now();
            }
        }
        child.wait().unwrap();
        assert!(!is_alive(pid, None));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_live_process_with_another_start_is_not_the_owner() {
        let start = own_start().unwrap();
        assert!(!is_alive(own_pid(), Some(start + 1)));
    }

    #[test]
    fn a_command_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat = b"42 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20";
        assert_eq!(parse_stat(stat).unwrap().start, 777);
        assert!(!parse_stat(stat).unwrap().ended);
        assert!(parse_stat(b"42 (a) S 1 2").is_none());
        assert!(parse_stat(b"").is_none());
    }

    #[test]
    fn private_names_differ_and_tell_their_process() {
        let name = temp_name();
        assert_ne!(name, temp_name());
        assert_eq!(temp_owner(&name), Some(own_pid()));
        for other in [".guard", "7-x.tmp", ".7.tmp", ".x-y.tmp", "studio.json.tmp"] {
            assert_eq!(temp_owner(other), None, "{other}");
        }
    }
}
