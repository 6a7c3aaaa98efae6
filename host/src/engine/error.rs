//! What can go wrong with the sandbox.

use std::path::PathBuf;
use std::time::Duration;

/// What can go wrong with the engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The component cannot be compiled or instantiated.
    #[error("the engine component cannot be loaded: {0}; rebuild it with `cargo xtask build`")]
    Load(String),
    /// The call trapped. It took no effect; what was recorded before it is kept.
    #[error("the engine trapped and was replaced: {0}; nothing that was recorded before is lost")]
    Trapped(String),
    /// The call used up its processor time. It took no effect.
    #[error("the engine used more than {0:?} of processor time in one call and was replaced")]
    TimedOut(Duration),
    /// The call needed more memory than an instance may have. It took no effect.
    #[error("the engine needed more than {0} bytes of memory and was replaced")]
    OutOfMemory(usize),
    /// The input was refused. It took no effect.
    #[error("the engine refused the input: {0}")]
    Refused(String),
    /// The folder for compiled code cannot be trusted.
    #[error("compiled code cannot be kept in {path}: {why}; compiling at each start instead")]
    CodeCache {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}
