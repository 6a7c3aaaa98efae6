//! Any bytes in place of what Claude Code hands to a status line.

use std::time::{Duration, SystemTime};

use runtime_signals::quota::{QuotaHarness, QuotaPaths, QuotaSources, QuotaState};
use runtime_signals::statusline;

use crate::scratch;

/// 2026-01-15T12:00:00Z.
const NOW: Duration = Duration::from_secs(1_768_478_400);
/// Longest line, in bytes: two shares of at most 20 digits, two resets.
const MOST_LINE_BYTES: usize = 128;
/// Between what the status line gets and the snapshot that is there already.
const SEPARATOR: u8 = 0x1e;

/// Takes the bytes for the input, and for a snapshot that is there already.
///
/// # Panics
/// When something does not hold.
pub fn check(data: &[u8]) {
    let now = SystemTime::UNIX_EPOCH + NOW;
    let mut parts = data.splitn(2, |byte| *byte == SEPARATOR);
    let (input, stored) = (parts.next().unwrap_or_default(), parts.next());
    let path = match stored {
        Some(stored) => scratch::file("claude.json", stored, now),
        None => scratch::no_file("claude.json"),
    };
    let run = || statusline::run(input, Some(&path), now, &[]).expect("there is no other command");
    let report = run();
    let line = report.line.expect("there is no other command");
    assert!(line.len() <= MOST_LINE_BYTES && !line.contains(char::is_control), "{line:?}");
    if report.recorded.expect("the folder can be written") {
        let paths = QuotaPaths { claude: Some(path.clone()), ..QuotaPaths::default() };
        let status = QuotaSources::new(paths).quota_status("claude", now);
        let is_told = matches!(status.state, QuotaState::Ok | QuotaState::Blocked);
        assert!(is_told || status.state == QuotaState::Unknown, "recorded, but not told: {status:?}");
        assert_eq!((status.captured_at, status.source.as_str()), (Some(now), "statusline"));
    }
}
