//! Parser components: how they come into service, what they may do, and how they leave it.

mod admission;
pub(crate) mod guests;
mod hostile;
mod rollback;
mod under_load;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use minisign::KeyPair;
use runtime_signals::clock::Clock;
use runtime_signals::parsers::{Candidate, Install, Installed, Options, ParserError, Parsers, TrustedKey};
use runtime_signals::{Observation, Store, StoreOptions};
use tempfile::TempDir;

use self::guests::Guest;
use crate::support::{ManualClock, options};

/// A publisher's key.
pub(crate) struct Signer(KeyPair);

impl Signer {
    pub(crate) fn new() -> Self {
        Self(KeyPair::generate_unencrypted_keypair().unwrap())
    }

    pub(crate) fn public_key(&self) -> String {
        self.0.pk.to_base64()
    }

    /// The text of `FILE.minisig`.
    pub(crate) fn sign(&self, bytes: &[u8]) -> String {
        minisign::sign(None, &self.0.sk, bytes, None, None).unwrap().into_string()
    }

    /// A key of the configuration, for these types.
    pub(crate) fn trusted(&self, provider_types: &[&str]) -> TrustedKey {
        TrustedKey {
            name: "publisher".into(),
            public_key: self.public_key(),
            provider_types: provider_types.iter().map(|name| (*name).to_owned()).collect(),
            allow_wasi: false,
            large: false,
        }
    }

    /// Signed.
    pub(crate) fn candidate(&self, bytes: Vec<u8>, origin: &str) -> Candidate {
        let signature = Some(self.sign(&bytes));
        Candidate::new(bytes, signature, origin)
    }
}

/// A store with parsers, and a publisher that it trusts.
struct Scene {
    folder: TempDir,
    signer: Signer,
    store: Store,
}

impl Scene {
    /// One that trusts the publisher with type `acme`.
    fn new() -> Self {
        Self::with(|_| ())
    }

    fn with(change: impl FnOnce(&mut Options)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::new();
        let mut parsers = Options {
            state_dir: Some(folder.path().join("parsers")),
            keys: vec![signer.trusted(&["acme"])],
            ..Options::default()
        };
        change(&mut parsers);
        let store = store(parsers).unwrap();
        Self { folder, signer, store }
    }

    /// The same with a store that keeps this many latencies of each provider.
    fn remembering(samples: u32) -> Self {
        let scene = Self::new();
        let parsers = scene.options();
        // Of two readings of one time the one that says less is left counts: here time goes on.
        let mut options =
            StoreOptions { parsers: Some(parsers), clock: None, ..options(&ManualClock::new()) };
        options.engine.latency_window = samples;
        Self { store: Store::with_options(options).unwrap(), ..scene }
    }

    /// Options of another store with these parsers, which trusts the publisher with type `acme`.
    fn options(&self) -> Options {
        Options {
            state_dir: Some(self.state_dir()),
            keys: vec![self.signer.trusted(&["acme"])],
            ..Options::default()
        }
    }

    fn parsers(&self) -> &Arc<Parsers> {
        self.store.parsers().unwrap()
    }

    fn state_dir(&self) -> PathBuf {
        self.folder.path().join("parsers")
    }

    /// Signs and installs.
    fn install(&self, guest: &Guest) -> Result<Installed, ParserError> {
        let candidate = self.signer.candidate(guest.build(), guest.version);
        self.parsers().install(&candidate, Install::default())
    }

    /// The requests left that are read from a response of `acme`.
    fn reads(&self) -> Option<u64> {
        self.store.parse(&response(&HEADERS)).unwrap().remaining_requests
    }

    /// The version of what serves `acme`, and of what served before.
    fn versions(&self) -> (Option<String>, Option<String>) {
        let list = self.parsers().list();
        let version = |state: &str| {
            let found = list.iter().find(|status| {
                serde_json::to_value(status.state).unwrap() == state && status.provider_types == ["acme"]
            });
            found.and_then(|status| status.version.clone())
        };
        (version("current"), version("previous"))
    }
}

pub(crate) fn store(parsers: Options) -> Result<Store, runtime_signals::Error> {
    Store::with_options(StoreOptions { parsers: Some(parsers), ..options(&ManualClock::new()) })
}

/// What `acme` sends, as OpenAI would: the built-in parser reads 5 requests left.
const HEADERS: [(&str, &str); 3] =
    [("x-left", "1"), ("x-ratelimit-remaining-requests", "5"), ("authorization", "Bearer SECRET")];

fn response(headers: &[(&'static str, &'static str); 3]) -> Observation<'static> {
    let headers: &'static [(&str, &str); 3] = Box::leak(Box::new(*headers));
    let mut response = Observation::new("acme", "acme", headers, Duration::from_millis(5));
    response.status = Some(200);
    response
}

/// A component that `cargo xtask components` has built.
pub(crate) fn built(name: &str) -> Vec<u8> {
    let file = Path::new(env!("RUNTIME_SIGNALS_ENGINE_WASM")).with_file_name(name);
    std::fs::read(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask components`", file.display()))
}

#[test]
fn what_a_parser_reads_counts_from_the_first_response_after_a_clock_was_set_back() {
    let scene = Scene::new();
    let reads_status = guests::requests_left("(i64.extend_i32_u (local.get $status))");
    scene.install(&Guest::new("1.0.0").parse(reads_status)).unwrap();
    let clock = ManualClock::new();
    let parsers = Some(scene.options());
    let store = Store::with_options(StoreOptions { parsers, ..options(&clock) }).unwrap();
    let left = |status| {
        let response = Observation { status: Some(status), ..response(&HEADERS) };
        store.observe(&response).unwrap().quota_remaining
    };
    let right = clock.now();
    clock.advance(Duration::from_hours(24));
    assert_eq!(left(250), Some(250));
    clock.set(right);
    assert_eq!(left(251), Some(251));
}
