//! How a component lies in a registry: the manifest that `wkg oci push` writes.
//!
//! One layer of type `application/wasm` holds the component, the configuration describes it for others, and the
//! signature is an annotation of the manifest, since that is where `wkg` can put one.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::reference::read_digest;
use super::registry::RegistryProblem;
use crate::parsers::Digest;

/// The annotation of a manifest that holds the text of the component's `.minisig` file.
pub const SIGNATURE_ANNOTATION: &str = "io.github.runtime-signals.minisig";

/// What is asked for: manifests of one artifact, not lists of them.
pub(super) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// Largest manifest, in bytes.
pub(super) const MOST_MANIFEST_BYTES: u64 = 64 << 10;

const CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";
const LAYER_TYPE: &str = "application/wasm";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    schema_version: u32,
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: String,
    size: u64,
}

/// A component that is yet to be fetched.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layer {
    /// Its digest.
    pub(super) digest: Digest,
    /// Its size, in bytes.
    pub(super) size: u64,
    /// Its signature, if the manifest has one.
    pub(super) signature: Option<String>,
}

/// Finds the component in a manifest.
pub(super) fn read(manifest: &[u8]) -> Result<Layer, RegistryProblem> {
    let no_parser = |what: &str| RegistryProblem::Layout(what.to_owned());
    let Manifest { schema_version, config, layers, mut annotations } =
        serde_json::from_slice(manifest).map_err(|_| no_parser("its manifest is not understood"))?;
    if schema_version != 2 {
        return Err(no_parser("its manifest is of another version than 2"));
    }
    let config = config.ok_or_else(|| no_parser("it is a list of several artifacts"))?;
    if config.media_type != CONFIG_TYPE {
        return Err(no_parser("it is no WebAssembly"));
    }
    let [layer] = layers.as_slice() else { return Err(no_parser("it has not exactly one layer")) };
    if layer.media_type != LAYER_TYPE {
        return Err(no_parser("its layer is no WebAssembly"));
    }
    let digest = read_digest(&layer.digest).map_err(|_| no_parser("its layer has no digest by SHA-256"))?;
    Ok(Layer { digest, size: layer.size, signature: annotations.remove(SIGNATURE_ANNOTATION) })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn manifest() -> Value {
        json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, "digest": Digest::of(b"{}").to_string(), "size": 2},
            "layers": [{"mediaType": LAYER_TYPE, "digest": Digest::of(b"abc").to_string(), "size": 3,
                "annotations": {"org.opencontainers.image.title": "a.wasm"}}],
            "annotations": {SIGNATURE_ANNOTATION: "untrusted comment: x\n", "other": "y"}
        })
    }

    fn read_changed(change: impl FnOnce(&mut Value)) -> Result<Layer, String> {
        let mut manifest = manifest();
        change(&mut manifest);
        read(manifest.to_string().as_bytes()).map_err(|problem| problem.to_string())
    }

    #[test]
    fn the_layer_and_the_signature_are_found() {
        let layer = read_changed(|_| ()).unwrap();
        let signature = Some("untrusted comment: x\n".to_owned());
        assert_eq!(layer, Layer { digest: Digest::of(b"abc"), size: 3, signature });
        let unsigned = read_changed(|manifest| manifest["annotations"] = json!({})).unwrap();
        assert_eq!(unsigned.signature, None);
    }

    #[test]
    fn what_is_no_component_is_told() {
        let layer = manifest()["layers"][0].clone();
        let image = json!("application/vnd.oci.image.config.v1+json");
        for (changed, expected) in [
            (read_changed(|m| m["schemaVersion"] = json!(1)), "another version"),
            (read_changed(|m| m["config"] = Value::Null), "a list of several"),
            (read_changed(|m| m["config"]["mediaType"] = image), "it is no WebAssembly"),
            (read_changed(|m| m["layers"] = json!([])), "not exactly one layer"),
            (read_changed(|m| m["layers"] = json!([layer, layer])), "not exactly one layer"),
            (read_changed(|m| m["layers"][0]["mediaType"] = json!("text/plain")), "its layer is no"),
            (read_changed(|m| m["layers"][0]["digest"] = json!("sha512:00")), "by SHA-256"),
            (read_changed(|m| m["layers"][0]["size"] = json!(-1)), "not understood"),
            (read_changed(|m| *m = json!([])), "not understood"),
        ] {
            let problem = changed.unwrap_err();
            assert!(problem.contains(expected), "{problem}: {expected} expected");
        }
    }
}
