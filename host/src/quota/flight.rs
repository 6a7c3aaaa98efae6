//! One run at a time for each name; whoever comes meanwhile shares its result.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

/// The runs in flight. A run belongs to no caller: when the one that drives it is dropped, the next waiting
/// one takes over.
#[derive(Debug)]
pub(super) struct SingleFlight<T> {
    running: Mutex<HashMap<String, Arc<OnceCell<T>>>>,
}

impl<T: Clone> SingleFlight<T> {
    pub(super) fn new() -> Self {
        Self { running: Mutex::default() }
    }

    /// The result of the run of this name that is in flight, or of `work` when there is none.
    pub(super) async fn run(&self, name: &str, work: impl Future<Output = T>) -> T {
        let cell = {
            let mut running = self.lock();
            Arc::clone(running.entry(name.to_owned()).or_default())
        };
        let result = cell.get_or_init(|| work).await.clone();
        let mut running = self.lock();
        // A later run may have begun between our result and this lock.
        if running.get(name).is_some_and(|current| Arc::ptr_eq(current, &cell)) {
            running.remove(name);
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<OnceCell<T>>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn callers_that_come_meanwhile_share_one_run() {
        let flights = SingleFlight::new();
        let (runs, arrived, go) = (AtomicUsize::new(0), Notify::new(), Notify::new());
        let run = || {
            flights.run("codex", async {
                arrived.notify_one();
                go.notified().await;
                runs.fetch_add(1, Ordering::SeqCst)
            })
        };

        let (first, second, ()) = tokio::join!(run(), run(), async {
            arrived.notified().await;
            go.notify_one();
        });

        assert_eq!((first, second), (0, 0));
        go.notify_one();
        assert_eq!(run().await, 1, "a finished run is not reused");
        assert!(flights.lock().is_empty());
    }

    #[tokio::test]
    async fn a_run_whose_caller_is_dropped_is_taken_over() {
        let flights = Arc::new(SingleFlight::new());
        let stuck = Arc::clone(&flights);
        let (arrived, at_work) = tokio::sync::oneshot::channel();
        let abandoned = tokio::spawn(async move {
            stuck
                .run("codex", async {
                    arrived.send(()).unwrap();
                    std::future::pending::<u8>().await
                })
                .await
        });
        at_work.await.unwrap();

        let (joined, ()) = tokio::join!(flights.run("codex", async { 7 }), async {
            abandoned.abort();
        });

        assert_eq!(joined, 7);
    }
}
