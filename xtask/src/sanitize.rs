//! The tests of the sandbox under AddressSanitizer: it is there that compiled code is loaded, which no compiler checks.
//!
//! The sanitizer comes with every tool chain; only the flag is not stable. All crates are built with it, in a target
//! folder of their own.

use std::process::ExitCode;

use anyhow::Result;

use crate::workspace::{Workspace, run_through};
use crate::{components, suite};

/// Whose tests are run.
const TESTS: &str = "sandbox";
/// The runtime of WebAssembly has a signal stack for each thread, which must not be taken for the sanitizer's. One of the
/// tests looks at memory in use, of which the sanitizer holds back what was freed last.
const OPTIONS: &str = "use_sigaltstack=0:quarantine_size_mb=4";

/// Builds and runs them.
pub(crate) fn sanitize(workspace: &Workspace) -> Result<ExitCode> {
    components::build_all(workspace)?;
    let mut test = suite::of_host();
    // Build scripts and macros are built without where a target is named.
    test.args(["--target", "host-tuple", "--target-dir"]).arg(workspace.target.join("sanitizer"));
    test.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", "-Zsanitizer=address").env("ASAN_OPTIONS", OPTIONS);
    test.env("RUNTIME_SIGNALS_COMPONENTS", workspace.components());
    run_through(test.args(["--", TESTS]))
}
