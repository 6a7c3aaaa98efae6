//! What engine and collector stand on in these tests: a clock, evidence and a folder.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use futures_core::future::BoxFuture;
use runtime_signals::cache::CacheOptions;
use runtime_signals::collector::{Collector, CollectorOptions};
use runtime_signals::engine::{CodeCache, Limits};
use runtime_signals::probe::{Probe, ProbeFailureKind, ProbeOutcome};
use runtime_signals::quota::{QuotaHarness, QuotaStatus};
use runtime_signals::{Service, SignalCache, Store, StoreOptions};
use serde_json::Value;

use crate::support::{ManualClock, options};

/// A probe and a harness that say what the step says.
#[derive(Default)]
pub(super) struct Evidence {
    pub(super) step: Mutex<Value>,
    pub(super) asked: AtomicUsize,
}

impl Evidence {
    fn told(&self, key: &str) -> Value {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.step.lock().unwrap()[key].clone()
    }
}

impl Probe for Evidence {
    fn check_alive<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, ProbeOutcome> {
        let told = self.told("probe");
        Box::pin(async move {
            // As long as a real one takes, so that others can come meanwhile.
            tokio::task::yield_now().await;
            match (told.as_str(), told["kind"].as_str()) {
                (Some("alive"), _) => ProbeOutcome::Alive,
                (_, Some(kind)) => ProbeOutcome::Failed {
                    kind: if kind == "loading" {
                        ProbeFailureKind::Loading
                    } else {
                        ProbeFailureKind::Unreachable
                    },
                    message: told["message"].as_str().unwrap().into(),
                },
                _ => ProbeOutcome::Unusable("there is no address".into()),
            }
        })
    }
}

impl QuotaHarness for Evidence {
    fn quota_status(&self, _: &str, _: SystemTime) -> QuotaStatus {
        serde_json::from_value(self.told("quota")).unwrap()
    }

    fn refresh_quota<'a>(&'a self, name: &'a str, now: SystemTime) -> BoxFuture<'a, QuotaStatus> {
        Box::pin(async move { self.quota_status(name, now) })
    }
}

/// What both paths stand on.
pub(super) struct Ground {
    pub(super) clock: Arc<ManualClock>,
    pub(super) evidence: Arc<Evidence>,
    pub(super) folder: tempfile::TempDir,
}

impl Ground {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { clock: ManualClock::new(), evidence: Arc::default(), folder }
    }

    pub(super) fn cache(&self) -> SignalCache {
        let options = CacheOptions { clock: self.clock.clone(), ..CacheOptions::default() };
        SignalCache::with_options(self.folder.path(), options)
    }

    pub(super) fn collector(&self, limits: Limits) -> Collector {
        let options = CollectorOptions {
            limits,
            code_cache: CodeCache::Folder(Path::new(env!("CARGO_TARGET_TMPDIR")).join("code")),
            clock: Some(self.clock.clone()),
            probe: Some(self.evidence.clone()),
            quota: Some(self.evidence.clone()),
            component: None,
        };
        Collector::with_options(self.cache(), options).unwrap()
    }

    pub(super) fn service(&self) -> Service {
        let options = StoreOptions {
            probe: Some(self.evidence.clone()),
            quota: Some(self.evidence.clone()),
            ..options(&self.clock)
        };
        Service::new(Store::with_options(options).unwrap(), self.cache())
    }
}

/// The files of a cache, by name.
pub(super) fn files(ground: &Ground) -> Vec<(String, String)> {
    let entries = fs::read_dir(ground.folder.path().join("runtime")).unwrap();
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    files
}
