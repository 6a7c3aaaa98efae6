//! Refreshes: each provider on its own interval, one look at a time; what is not configured is found.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::json;

use super::client::{ALONE, Service, configure, eventually};
use crate::cli::Home;

/// A local server that counts.
struct Local {
    address: SocketAddr,
    counts: Arc<Counts>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Counts {
    looks: AtomicUsize,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    ends: AtomicBool,
}

impl Local {
    /// Each answer takes so long.
    fn start(slowness: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, counts) = (listener.local_addr().unwrap(), Arc::new(Counts::default()));
        let shared = counts.clone();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.ends.load(Ordering::SeqCst) {
                    return;
                }
                let (mut stream, counts) = (stream.unwrap(), shared.clone());
                std::thread::spawn(move || {
                    let at_once = counts.at_once.fetch_add(1, Ordering::SeqCst) + 1;
                    counts.most_at_once.fetch_max(at_once, Ordering::SeqCst);
                    let _ = stream.read(&mut [0; 4096]);
                    std::thread::sleep(slowness);
                    let _ = stream.write_all(
                        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 11\r\n\r\n{\"data\":[]}",
                    );
                    counts.looks.fetch_add(1, Ordering::SeqCst);
                    counts.at_once.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, counts, thread: Some(thread) }
    }

    fn looks(&self) -> usize {
        self.counts.looks.load(Ordering::SeqCst)
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.counts.ends.store(true, Ordering::SeqCst);
        let _ = std::net::TcpStream::connect(self.address);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn provider(name: &str, local: &Local, interval: &str) -> String {
    format!(
        "[[providers]]\nname = \"{name}\"\ntype = \"ollama\"\nbase_url = \"http://{}\"\ninterval = \"{interval}\"\n",
        local.address
    )
}

#[test]
fn each_provider_is_looked_at_again_and_again_on_its_own_interval() {
    let (often, seldom) = (Local::start(Duration::ZERO), Local::start(Duration::ZERO));
    let text = [ALONE.into(), provider("often", &often, "100ms"), provider("seldom", &seldom, "1h")].concat();
    let service = Service::configured(&text);
    eventually(|| (often.looks() >= 10 && seldom.looks() == 1).then_some(()));
    for name in ["often", "seldom"] {
        // The look has come to the server before its answer has come to the service.
        eventually(|| {
            let answer = service.get(&format!("/v1/signals/{name}"));
            (answer.status == 200 && answer.json()["signal"]["status"] == json!("available")).then_some(())
        });
        let stored = std::fs::read_to_string(service.home.entry(name)).unwrap();
        assert!(stored.contains("\"status\":\"available\""), "{stored}");
    }
    assert_eq!(seldom.looks(), 1);
}

#[test]
fn never_more_than_one_look_at_a_provider_is_under_way() {
    let slow = Local::start(Duration::from_millis(150));
    let service = Service::configured(&[ALONE.into(), provider("slow", &slow, "10ms")].concat());
    // Reloads start the tasks anew.
    for round in 0..5 {
        configure(
            &service.home,
            &[ALONE.into(), provider("slow", &slow, &format!("{}ms", 11 + round))].concat(),
        );
        service.send(nix::sys::signal::Signal::SIGHUP);
        let before = slow.looks();
        eventually(|| (slow.looks() > before).then_some(()));
    }
    assert_eq!(slow.counts.most_at_once.load(Ordering::SeqCst), 1);
}

#[test]
fn a_server_that_goes_away_is_shown_so() {
    let local = Local::start(Duration::ZERO);
    let service = Service::configured(&[ALONE.into(), provider("local", &local, "100ms")].concat());
    eventually(|| (service.signal("local")["status"] == json!("available")).then_some(()));
    drop(local);
    let signal =
        eventually(|| Some(service.signal("local")).filter(|signal| signal["status"] == json!("degraded")));
    assert_eq!(signal["reason"], json!("unreachable"));
}

#[test]
fn without_configured_providers_local_servers_and_snapshots_are_found() {
    let home = Home::new();
    let local = Local::start(Duration::ZERO);
    let servers = format!(
        "[discovery]\nlocal_servers = [{{ type = \"ollama\", base_url = \"http://{}\" }}, {{ type = \"vllm\", \
         base_url = \"http://127.0.0.1:1\" }}]\n",
        local.address
    );
    configure(&home, &servers);
    let now = jiff::Timestamp::now().to_string();
    let snapshot = json!({"captured_at": now, "five_hour_remaining": 60, "five_hour_limit": 100,
        "weekly_remaining": 500, "weekly_limit": 1000, "source": "test"});
    std::fs::create_dir_all(home.path("state/fizeau")).unwrap();
    std::fs::write(home.path("state/fizeau/claude-quota.json"), snapshot.to_string()).unwrap();
    let service = Service::at(home, &[]);
    for name in ["ollama", "claude"] {
        let path = format!("/v1/signals/{name}");
        eventually(|| {
            let answer = service.get(&path);
            (answer.status == 200 && answer.json()["signal"]["status"] == json!("available")).then_some(())
        });
    }
    assert_eq!(service.get("/v1/signals/vllm").status, 404);
}
