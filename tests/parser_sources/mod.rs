//! Where parser components come from: a directory that is watched, and registries.

mod directory;
pub(crate) mod docker_registry;
mod hostile;
mod registry;

pub(crate) use registry::{options, pull_by};
