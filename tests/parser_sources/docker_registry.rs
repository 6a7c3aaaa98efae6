//! A real registry on this machine: Debian's `docker-registry`, unpacked by `cargo xtask registry`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use reqwest::{Client, Response, StatusCode, header};
use runtime_signals::parsers::Digest;
use runtime_signals::parsers::source::{Reference, SIGNATURE_ANNOTATION};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::unpacked;

/// `test` and `pass word`, with the fewest rounds of bcrypt.
const USERS: &str = "test:$2b$04$QARCW9I2xGlr.F7W1qNtf.gY27yrbTHGQY5H/YmmcIasK2nXwD2Ri\n";
/// The same as a Docker configuration has them.
const AUTH: &str = "dGVzdDpwYXNzIHdvcmQ=";

/// A registry that ends with the test.
pub(crate) struct DockerRegistry {
    child: Child,
    folder: TempDir,
    host: String,
    is_private: bool,
}

/// The program, which is fetched if it is not there.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| unpacked("registry", "docker-registry/usr/bin/docker-registry"))
}

impl DockerRegistry {
    /// A registry that anybody may use.
    pub(crate) fn start() -> Self {
        Self::start_for(None)
    }

    /// A registry that wants a user and a password.
    pub(crate) fn start_private() -> Self {
        Self::start_for(Some(USERS))
    }

    fn start_for(users: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = json!({
            "version": "0.1",
            "log": {"level": "info", "accesslog": {"disabled": true}},
            "storage": {"filesystem": {"rootdirectory": folder.path().join("data")}},
            "http": {"addr": "127.0.0.1:0"},
        });
        if let Some(users) = users {
            let path = folder.path().join("htpasswd");
            fs::write(&path, users).unwrap();
            config["auth"] = json!({"htpasswd": {"realm": "test", "path": path}});
        }
        // What is JSON is YAML too.
        let file = folder.path().join("config.yml");
        fs::write(&file, config.to_string()).unwrap();
        let mut child = Command::new(program())
            .arg("serve")
            .arg(file)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let host = log
            .find_map(|line| {
                let line = line.unwrap();
                let (_, at) = line.split_once("listening on ")?;
                Some(at.split(['"', ' ']).next().unwrap().to_owned())
            })
            .expect("the registry listens");
        // It must not wait for somebody to read what it logs.
        std::thread::spawn(move || log.for_each(drop));
        Self { child, folder, host, is_private: users.is_some() }
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// A component of this registry.
    pub(crate) fn reference(&self, name: &str) -> Reference {
        format!("{}/{name}", self.host).parse().unwrap()
    }

    /// A Docker configuration for the registry's user.
    pub(crate) fn docker_config(&self) -> PathBuf {
        let file = self.folder.path().join("config.json");
        fs::write(&file, json!({"auths": {&self.host: {"auth": AUTH}}}).to_string()).unwrap();
        file
    }

    /// Pushes a component as `wkg oci push` does. Tells the digest of the manifest.
    pub(crate) fn push(&self, name: &str, tag: &str, component: &[u8], signature: Option<&str>) -> Digest {
        self.push_changed(name, tag, component, signature, |_| ())
    }

    /// The same with another manifest.
    pub(crate) fn push_changed(
        &self,
        name: &str,
        tag: &str,
        component: &[u8],
        signature: Option<&str>,
        change: impl FnOnce(&mut Value),
    ) -> Digest {
        let layer = Digest::of(component).to_string();
        let config = json!({"created": "2026-11-24T00:00:00Z", "architecture": "wasm", "os": "wasip2",
            "layerDigests": [&layer], "component": {"exports": [], "imports": [], "target": null}})
        .to_string();
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.wasm.config.v0+json",
                "digest": Digest::of(config.as_bytes()).to_string(), "size": config.len()},
            "layers": [{"mediaType": "application/wasm", "digest": layer, "size": component.len(),
                "annotations": {"org.opencontainers.image.title": format!("{name}.wasm")}}],
        });
        if let Some(signature) = signature {
            manifest["annotations"] = json!({SIGNATURE_ANNOTATION: signature});
        }
        change(&mut manifest);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            self.push_blob(name, config.into_bytes()).await;
            self.push_blob(name, component.to_vec()).await;
            let manifest = manifest.to_string();
            let digest = Digest::of(manifest.as_bytes());
            let url = format!("http://{}/v2/{name}/manifests/{tag}", self.host);
            let put = self.send(|client| {
                let kind = "application/vnd.oci.image.manifest.v1+json";
                client.put(&url).header(header::CONTENT_TYPE, kind).body(manifest.clone())
            });
            expect(put.await, StatusCode::CREATED).await;
            digest
        })
    }

    async fn push_blob(&self, name: &str, blob: Vec<u8>) {
        let url = format!("http://{}/v2/{name}/blobs/uploads/", self.host);
        let begun = expect(self.send(|client| client.post(&url)).await, StatusCode::ACCEPTED).await;
        let place = begun.headers()[header::LOCATION].to_str().unwrap().to_owned();
        let url = format!("{place}&digest={}", Digest::of(&blob));
        expect(self.send(|client| client.put(&url).body(blob.clone())).await, StatusCode::CREATED).await;
    }

    async fn send(&self, request: impl FnOnce(&Client) -> reqwest::RequestBuilder) -> Response {
        let client = Client::builder().no_proxy().build().unwrap();
        let mut request = request(&client);
        if self.is_private {
            request = request.basic_auth("test", Some("pass word"));
        }
        request.send().await.unwrap()
    }

    /// The file in which the registry keeps a blob.
    pub(crate) fn blob(&self, digest: Digest) -> PathBuf {
        let hex = digest.hex();
        let blobs = self.folder.path().join("data/docker/registry/v2/blobs/sha256");
        blobs.join(&hex[..2]).join(&hex).join("data")
    }
}

async fn expect(response: Response, status: StatusCode) -> Response {
    assert_eq!(response.status(), status, "{:?}", response.headers());
    response
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
