//! Writes the seeds of all targets into the folder that is named.

use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let folder = std::env::args_os().nth(1).ok_or_else(|| io::Error::other("name a folder"))?;
    runtime_signals_fuzz::seeds::write(Path::new(&folder))
}
