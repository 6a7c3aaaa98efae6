//! No source reads a credential or reaches the network.

use std::fs;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};

use runtime_signals::quota::QuotaHarness;
use runtime_signals::statusline;
use rustix::fs::inotify;
use serde_json::json;

use super::{Home, LONG, NOW, at, claude};

/// Where the programs that we take facts from keep their credentials.
const FILES: [&str; 6] = [
    ".claude/.credentials.json",
    ".claude.json",
    ".codex/auth.json",
    ".gemini/oauth_creds.json",
    ".config/gcloud/application_default_credentials.json",
    ".local/state/fizeau/auth.json",
];

/// Watches files for being opened, from now on.
struct Watch(rustix::fd::OwnedFd);

impl Watch {
    fn new(files: &[PathBuf]) -> Self {
        let watch = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC).unwrap();
        for file in files {
            inotify::add_watch(&watch, file, inotify::WatchFlags::OPEN).unwrap();
        }
        Self(watch)
    }

    fn has_seen_an_open(&self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); 1024];
        match inotify::Reader::new(&self.0, &mut buffer).next() {
            Ok(_) => true,
            Err(rustix::io::Errno::AGAIN) => false,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn no_source_opens_a_credential() {
    let home = Home::new();
    let planted: Vec<PathBuf> = FILES.iter().map(|file| home.path(file)).collect();
    for file in &planted {
        fs::write(file, r#"{"accessToken":"hunter2"}"#).unwrap();
    }
    home.snapshot("claude", claude(json!({})));
    home.path(".codex/sessions/2026/05/01/rollout-a.jsonl");
    let watch = Watch::new(&planted);
    let sources = home.with_script("kimi", "printf '{}'", LONG);

    for name in ["claude", "codex", "gemini", "kimi"] {
        sources.quota_status(name, at(NOW));
        sources.refresh_quota(name, at(NOW)).await;
    }
    let input = br#"{"rate_limits":{"five_hour":{"used_percentage":42}}}"#;
    let snapshot = home.paths.claude.as_deref();
    let report = statusline::run(input, snapshot, at(NOW), &[]).unwrap();

    assert!(report.recorded.unwrap());
    assert!(!watch.has_seen_an_open());
    fs::read(&planted[2]).unwrap();
    assert!(watch.has_seen_an_open(), "the watch would have noticed");
}

#[test]
fn no_source_can_reach_the_network() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files: Vec<PathBuf> =
        fs::read_dir(sources.join("quota")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.push(sources.join("statusline.rs"));
    assert!(files.len() > 10);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for api in ["reqwest", "::net", "Socket", "hyper", "Tcp", "Udp", "http:"] {
            assert!(!text.contains(api), "{api} in {}", file.display());
        }
    }
}
