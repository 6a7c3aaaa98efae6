//! A Friday night: a provider renames its headers while eight threads record, a parser is dropped in, and a bad one
//! after it.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use runtime_signals::{Observation, Service, SignalCache};

use super::guests::Guest;
use super::{Scene, built};

const THREADS: usize = 8;
/// More than any thread records.
const SAMPLES: u32 = 100_000;
/// Between two observations of a thread.
const PACE: Duration = Duration::from_millis(1);
/// What the provider sends, one after the other.
const SENT: [[(&str, &str); 1]; 3] =
    [[("x-ratelimit-remaining-requests", "20")], [("x-acme-calls", "12/60")], [("x-acme-calls", "9/60")]];

/// Ends the load, also when an assertion fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

#[test]
fn no_observation_is_lost_while_parsers_come_and_go() {
    let scene = Scene::remembering(SAMPLES);
    let folder = tempfile::tempdir().unwrap();
    let service = Service::new(scene.store.clone(), SignalCache::new(folder.path()));
    let ended = AtomicBool::new(false);
    let phase = AtomicUsize::new(0);
    let longest = AtomicU64::new(0);
    let load = |name: String| {
        let mut recorded = 0_u32;
        while !ended.load(Ordering::Acquire) {
            let headers = &SENT[phase.load(Ordering::Acquire)];
            let mut observation = Observation::new(&name, "acme", headers, Duration::from_millis(5));
            observation.status = Some(200);
            let began = Instant::now();
            service.observe_response(&observation).unwrap();
            longest.fetch_max(u64::try_from(began.elapsed().as_nanos()).unwrap(), Ordering::AcqRel);
            recorded += 1;
            std::thread::sleep(PACE);
        }
        (name, recorded)
    };
    let remaining = |thread: usize| scene.store.recorded(&format!("acme-{thread}")).unwrap().quota_remaining;
    let wait_for = |what: &str, holds: &dyn Fn() -> bool| {
        let began = Instant::now();
        while !holds() {
            assert!(began.elapsed() < Duration::from_secs(30), "{what}");
            std::thread::yield_now();
        }
    };
    let totals: Vec<(String, u32)> = std::thread::scope(|threads| {
        let load = &load;
        let end = End(&ended);
        let running: Vec<_> =
            (0..THREADS).map(|thread| threads.spawn(move || load(format!("acme-{thread}")))).collect();
        wait_for("the old headers are read", &|| (0..THREADS).all(|thread| remaining(thread) == Some(20)));
        phase.store(1, Ordering::Release);

        // The fix is dropped in, and from then on readings are right.
        longest.store(0, Ordering::Release);
        let fix = scene.signer.candidate(built("acme-parser.wasm"), "acme.wasm");
        scene.parsers().install(&fix, Default::default()).unwrap();
        wait_for("the new headers are read", &|| (0..THREADS).all(|thread| remaining(thread) == Some(12)));
        eprintln!("longest observation around the swap: {} ns", longest.load(Ordering::Acquire));

        // A bad one follows, and is gone by itself.
        let trap = "(if (i32.eq (global.get $calls) (i32.const 3)) (then unreachable))";
        let bad = Guest { name: "bad", ..Guest::new("2.0.0") }.parse(trap);
        let bad = scene.signer.candidate(bad.build(), "bad.wasm");
        // The trial on real responses would find it out; it has to be in service to fail there.
        let installed = scene.parsers().install(&bad, Default::default());
        assert!(installed.unwrap_err().to_string().contains("on a real response of `acme`"));
        let later = "(if (i32.eq (global.get $calls) (i32.const 100)) (then unreachable))";
        let bad = Guest { name: "bad", ..Guest::new("2.0.1") }.parse(later);
        scene
            .parsers()
            .install(&scene.signer.candidate(bad.build(), "bad.wasm"), Default::default())
            .unwrap();
        wait_for("it is back on the one before", &|| {
            scene.parsers().list().iter().any(|status| status.problem.is_some())
        });
        phase.store(2, Ordering::Release);
        wait_for("readings are right again", &|| (0..THREADS).all(|thread| remaining(thread) == Some(9)));
        drop(end);
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(scene.versions().0.as_deref(), Some("1.0.0"));
    let samples = |name: &str| scene.store.recorded(name).unwrap().latency.unwrap().count;
    for (name, recorded) in &totals {
        assert!(*recorded < SAMPLES);
        assert_eq!(samples(name), *recorded, "{name}");
    }
}
