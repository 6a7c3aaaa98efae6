//! The body of a request on its way to the provider: nothing of it is kept.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http::StatusCode;
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

use super::super::problem::Problem;
use super::BoxError;
use super::patience::{Patience, nothing_came};

/// A body that its client has to go on sending.
pub(super) struct Upload {
    body: Body,
    patience: Patience,
    limit: Duration,
    progress: Arc<Progress>,
}

/// How far the body has come.
pub(super) struct Progress {
    started: Instant,
    /// When a part went on last, in milliseconds after the start.
    latest: AtomicU64,
    fault: AtomicU8,
}

const STALLED: u8 = 1;
const BROKE_OFF: u8 = 2;

impl Progress {
    /// When a part of the body went on last; the start before any has.
    pub(super) fn latest(&self) -> Instant {
        self.started + Duration::from_millis(self.latest.load(Ordering::Relaxed))
    }

    /// What the client is to be told where it is to blame that there is no response.
    pub(super) fn fault(&self, limit: Duration) -> Option<Problem> {
        match self.fault.load(Ordering::Relaxed) {
            STALLED => {
                let detail = format!("nothing more of the body came within {limit:?}");
                Some(Problem::new(StatusCode::REQUEST_TIMEOUT, detail))
            }
            BROKE_OFF => Some(Problem::bad_request("the body broke off")),
            _ => None,
        }
    }

    fn touch(&self) {
        let elapsed = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.latest.store(elapsed, Ordering::Relaxed);
    }
}

impl Upload {
    /// A body of which each part may take so long.
    pub(super) fn new(body: Body, limit: Duration) -> Self {
        let progress =
            Progress { started: Instant::now(), latest: AtomicU64::new(0), fault: AtomicU8::new(0) };
        Self { body, patience: Patience::new(limit), limit, progress: Arc::new(progress) }
    }

    pub(super) fn progress(&self) -> Arc<Progress> {
        self.progress.clone()
    }
}

impl hyper::body::Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                this.patience.restore();
                this.progress.touch();
                // Trailers are of one connection: it is the end.
                Poll::Ready(frame.into_data().ok().map(|data| Ok(Frame::data(data))))
            }
            Poll::Ready(Some(Err(error))) => {
                this.progress.fault.store(BROKE_OFF, Ordering::Relaxed);
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending if this.patience.has_run_out(context) => {
                this.progress.fault.store(STALLED, Ordering::Relaxed);
                Poll::Ready(Some(Err(nothing_came(this.limit).into())))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
