//! What the fuzz targets in `fuzz/host` reach beyond the library's own surface. It is there with the feature `fuzzing`
//! only, and promises nothing to anybody else.

pub use crate::cache::fuzzing::{Marker, lock, marker};
pub use crate::engine::fuzzing::{pack, pack_observation, unpack};
pub use crate::server::fuzzing::address;
pub use crate::shared::fuzzing::answer;
