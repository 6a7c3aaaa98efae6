//! Packs the built-in profiles for embedding.
#![allow(clippy::expect_used, reason = "a build that cannot go on stops here, and says why")]

use std::path::Path;

use runtime_signals_profile::{set, toml};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let built_in = toml::compile_builtin().expect("a built-in profile is wrong");
    let profiles: Vec<_> = built_in.into_iter().map(|source| source.profile).collect();
    let folder = std::env::var_os("OUT_DIR").expect("cargo names a folder");
    std::fs::write(Path::new(&folder).join("profiles.bin"), set::encode_set(&profiles))
        .expect("cargo's folder can be written to");
}
