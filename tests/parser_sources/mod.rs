//! Where parser components come from: a directory that is watched, and registries.

mod directory;
mod docker_registry;
mod hostile;
mod registry;
