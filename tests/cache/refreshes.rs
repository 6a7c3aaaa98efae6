//! Refreshes within one process: one flight for all who ask.

use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use runtime_signals::cache::{
    CacheOptions, RefreshError, RefreshFailure, Refreshed, Refresher, SignalCache, cache_source,
};
use rustix::fs::{FlockOperation, flock};
use tokio::sync::oneshot;

use super::support::{
    LONG, Outcome, Root, commit_version, patient, patient_but_for_locks, runtime, source, stored,
    version_stored, write,
};

fn refresher(cache: &SignalCache) -> Refresher<u64, String> {
    Refresher::new(cache.clone())
}

/// Work that must not be done.
async fn never() -> Result<u64, String> {
    panic!("refreshed twice")
}

fn failed(outcome: Outcome) -> RefreshFailure<String> {
    outcome.unwrap_err()
}

#[test]
fn whoever_asks_meanwhile_joins_and_shares_the_result() {
    let root = Root::new();
    let cache = root.cache();
    let refresher = refresher(&cache);
    let (finish, told) = oneshot::channel();
    let work_cache = cache.clone();
    runtime().block_on(async {
        let (source, clone) = (source(), refresher.clone());
        let first =
            refresher.refresh(&source, async move { commit_version(work_cache, told.await.unwrap()).await });
        let (first, second, third, ()) = tokio::join!(biased;
            first,
            refresher.refresh(&source, never()),
            clone.refresh(&source, never()),
            // Polled last: by now all three have asked.
            async { finish.send(4).unwrap() },
        );
        for outcome in [first, second, third] {
            assert_eq!(outcome.unwrap(), Refreshed::Here(4));
        }
    });
    assert_eq!(stored(&cache, &source()), Some(4));
    assert_eq!(root.names(), [".guard", "studio.json"]);
}

#[test]
fn those_who_joined_share_the_error_and_all_get_what_is_stored() {
    let root = Root::new();
    let cache = root.cache();
    write(&cache, &source(), 3).unwrap();
    let refresher = refresher(&cache);
    let (finish, told) = oneshot::channel::<String>();
    runtime().block_on(async {
        let source = source();
        let (first, second, ()) = tokio::join!(biased;
            refresher.refresh(&source, async move { Err(told.await.unwrap()) }),
            refresher.refresh(&source, never()),
            async { finish.send("no route".to_owned()).unwrap() },
        );
        for outcome in [first, second] {
            let failure = failed(outcome);
            assert!(matches!(&failure.error, RefreshError::Work(error) if error == "no route"));
            assert_eq!(version_stored(failure.stored.as_ref()), Some(3));
        }
    });
}

#[test]
fn a_caller_that_goes_away_does_not_strand_those_who_joined() {
    let root = Root::new();
    let cache = root.cache();
    let refresher = refresher(&cache);
    let (finish, told) = oneshot::channel();
    let work_cache = cache.clone();
    runtime().block_on(async {
        let source = source();
        let work = async move { commit_version(work_cache, told.await.unwrap()).await };
        // The one whose work it is asks, and is dropped at once.
        let gone = tokio::time::timeout(Duration::ZERO, refresher.refresh(&source, work)).await;
        assert!(gone.is_err());
        let (joined, ()) = tokio::join!(biased; refresher.refresh(&source, never()), async {
            finish.send(6).unwrap();
        });
        assert_eq!(joined.unwrap(), Refreshed::Here(6));
    });
    assert_eq!(stored(&cache, &source()), Some(6));
}

#[test]
fn a_stale_entry_is_returned_at_once_and_refreshed_behind() {
    let root = Root::new();
    let cache = root.cache();
    write(&cache, &source(), 1).unwrap();
    let refresher = refresher(&cache);
    let (finish, told) = oneshot::channel();
    let work_cache = cache.clone();
    runtime().block_on(async {
        let work = async move { commit_version(work_cache, told.await.unwrap()).await };
        assert!(refresher.refresh_in_background(&source(), work));
        assert_eq!(stored(&cache, &source()), Some(1));
        assert!(!refresher.refresh_in_background(&source(), never()));
        // A forced refresh joins the one behind instead of starting another.
        let (forced, ()) = tokio::join!(biased; async { refresher.refresh(&source(), never()).await }, async {
            finish.send(2).unwrap()
        });
        assert_eq!(forced.unwrap(), Refreshed::Here(2));
    });
    assert_eq!(stored(&cache, &source()), Some(2));
}

#[test]
fn sources_are_refreshed_independently() {
    let root = Root::new();
    let cache = root.cache();
    let refresher = refresher(&cache);
    let (finish, told) = oneshot::channel::<u64>();
    runtime().block_on(async {
        let other = cache_source("other").unwrap();
        let (first, second) = tokio::join!(biased;
            async { refresher.refresh(&source(), async move { Ok(told.await.unwrap()) }).await },
            async {
                let outcome = refresher.refresh(&other, async { Ok(2) }).await;
                finish.send(1).unwrap();
                outcome
            }
        );
        assert_eq!((first.unwrap(), second.unwrap()), (Refreshed::Here(1), Refreshed::Here(2)));
    });
}

#[test]
fn a_failed_refresh_keeps_the_next_away_until_its_cool_down_is_over() {
    let root = Root::new();
    let long = CacheOptions { failure_cooldown: super::support::LONG, ..patient() };
    let cache = root.cache_with(long);
    write(&cache, &source(), 3).unwrap();
    let refresher = refresher(&cache);
    runtime().block_on(async {
        let source = source();
        failed(refresher.refresh(&source, async { Err("no route".to_owned()) }).await);
        let failure = failed(refresher.refresh(&source, never()).await);
        assert!(matches!(&failure.error, RefreshError::CoolingDown { message, .. } if message == "no route"));
        assert_eq!(version_stored(failure.stored.as_ref()), Some(3));
    });
}

#[test]
fn after_a_cool_down_the_marker_goes_and_the_next_refresh_runs() {
    let root = Root::new();
    let short = CacheOptions { failure_cooldown: Duration::from_millis(20), ..patient() };
    let cache = root.cache_with(short);
    let refresher = refresher(&cache);
    runtime().block_on(async {
        let source = source();
        failed(refresher.refresh(&source, async { Err("no route".to_owned()) }).await);
        // The flight that failed removes its marker itself, behind.
        let began = tokio::time::Instant::now();
        while root.file("studio.refreshing").exists() {
            assert!(began.elapsed() < super::support::LONG, "the marker stays");
            tokio::task::yield_now().await;
        }
        let next = refresher.refresh(&source, commit_version(cache.clone(), 5)).await;
        assert_eq!(next.unwrap(), Refreshed::Here(5));
    });
}

#[test]
fn work_that_takes_longer_than_the_deadline_is_cut_off() {
    let root = Root::new();
    let short = CacheOptions { refresh_deadline: Duration::from_millis(50), ..patient() };
    let cache = root.cache_with(short);
    write(&cache, &source(), 3).unwrap();
    let failure = runtime().block_on(async { failed(refresher(&cache).refresh(&source(), pending()).await) });
    assert!(matches!(failure.error, RefreshError::Deadline { .. }));
    assert!(failure.to_string().contains("studio"), "{failure}");
    assert_eq!(version_stored(failure.stored.as_ref()), Some(3));
}

#[test]
fn work_that_panics_fails_the_refresh_and_nothing_else() {
    let root = Root::new();
    let cache = root.cache_with(CacheOptions { failure_cooldown: Duration::from_millis(1), ..patient() });
    let refresher = refresher(&cache);
    runtime().block_on(async {
        let source = source();
        let failure = failed(refresher.refresh(&source, never()).await);
        assert!(matches!(failure.error, RefreshError::Aborted { .. }));
        let next = loop {
            match refresher.refresh(&source, commit_version(cache.clone(), 1)).await {
                Err(RefreshFailure { error: RefreshError::CoolingDown { .. }, .. }) => {}
                outcome => break outcome,
            }
        };
        assert_eq!(next.unwrap(), Refreshed::Here(1));
    });
}

#[test]
fn a_runtime_that_ends_gives_its_refresh_back() {
    let root = Root::new();
    let cache = root.cache();
    let refresher = refresher(&cache);
    let first = runtime();
    first.block_on(async {
        let (started, working) = oneshot::channel();
        refresher.refresh_in_background(&source(), async move {
            started.send(()).unwrap();
            pending().await
        });
        working.await.unwrap();
    });
    assert!(root.file("studio.refreshing").exists());
    drop(first);
    assert!(!root.file("studio.refreshing").exists());
    let next =
        runtime().block_on(async { refresher.refresh(&source(), commit_version(cache.clone(), 2)).await });
    assert_eq!(next.unwrap(), Refreshed::Here(2));
}

#[test]
fn many_who_ask_at_once_cause_one_refresh() {
    let root = Root::new();
    let cache = root.cache();
    let refresher = refresher(&cache);
    let done = Arc::new(AtomicUsize::new(0));
    runtime().block_on(async {
        let (finish, told) = oneshot::channel::<()>();
        let work =
            |gate: Option<oneshot::Receiver<()>>| -> std::pin::Pin<Box<dyn Future<Output = _> + Send>> {
                let done = Arc::clone(&done);
                Box::pin(async move {
                    if let Some(gate) = gate {
                        gate.await.unwrap();
                    }
                    done.fetch_add(1, Ordering::SeqCst);
                    Ok(1)
                })
            };
        let mut asked = tokio::task::JoinSet::new();
        let mut gate = Some(told);
        for _ in 0..200 {
            let (refresher, work) = (refresher.clone(), work(gate.take()));
            asked.spawn(async move { refresher.refresh(&source(), work).await });
        }
        // A task that is spawned after the others runs after each of them has asked.
        asked.spawn(async move {
            finish.send(()).unwrap();
            Ok(Refreshed::Here(1))
        });
        for outcome in asked.join_all().await {
            assert_eq!(outcome.unwrap(), Refreshed::Here(1));
        }
    });
    assert_eq!(done.load(Ordering::SeqCst), 1);
}

#[test]
fn a_marker_whose_removal_failed_is_removed_as_soon_as_it_can_be() {
    for succeeds in [true, false] {
        let root = Root::new();
        let cache = root.cache_with(patient_but_for_locks());
        write(&cache, &source(), 1).unwrap();
        let guard = std::fs::File::open(root.file(".guard")).unwrap();
        let held = guard.try_clone().unwrap();
        let marker = root.file("studio.refreshing");
        runtime().block_on(async {
            let (refresher, source) = (refresher(&cache), source());
            let outcome = refresher.refresh(&source, async move {
                // From now on, to the end of the refresh and beyond, no one else gets it.
                flock(&held, FlockOperation::LockExclusive).unwrap();
                if succeeds { Ok(2) } else { Err("no route".to_owned()) }
            });
            assert_eq!(outcome.await.is_ok(), succeeds);
            assert!(marker.exists());
            flock(&guard, FlockOperation::Unlock).unwrap();
            let began = Instant::now();
            while marker.exists() {
                assert!(began.elapsed() < LONG, "it stays");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        assert_eq!(stored(&cache, &source()), Some(1));
    }
}
