//! The body of a response on its way to the client: part by part as it comes, nothing of it kept.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};

use super::BoxError;
use super::call::Call;
use super::patience::{Patience, nothing_came};
use crate::cause::innermost;

/// A body, and the call that ends with it.
pub(super) struct Download {
    /// Parts that were looked at already.
    ahead: VecDeque<Bytes>,
    body: Incoming,
    patience: Patience,
    limit: Duration,
    call: Call,
    /// Why it has broken off, until the client is told.
    broken: Option<BoxError>,
}

impl Download {
    /// The parts that were read, then the rest of the body, of which each part may take so long.
    pub(super) fn new(ahead: Vec<Bytes>, body: Incoming, limit: Duration, mut call: Call) -> Self {
        if body.is_end_stream() {
            call.ended();
        }
        Self { ahead: ahead.into(), body, patience: Patience::new(limit), limit, call, broken: None }
    }

    /// What has come is sent before the connection is broken off.
    fn break_off(&mut self, error: BoxError, context: &Context<'_>) {
        self.call.failed(&format!("the response broke off: {}", innermost(error.as_ref())));
        self.broken = Some(error);
        context.waker().wake_by_ref();
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Some(part) = this.ahead.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(part))));
        }
        if let Some(error) = this.broken.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let frame = match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(frame) => frame,
            Poll::Pending if this.patience.has_run_out(context) => {
                this.break_off(nothing_came(this.limit).into(), context);
                return Poll::Pending;
            }
            Poll::Pending => return Poll::Pending,
        };
        this.patience.restore();
        Poll::Ready(match frame {
            Some(Err(error)) => {
                this.break_off(error.into(), context);
                return Poll::Pending;
            }
            Some(Ok(frame)) => {
                // Trailers are of one connection: it is the end.
                let data = frame.into_data().ok();
                // Who knows the length does not ask whether there is more.
                if data.is_none() || this.body.is_end_stream() {
                    this.call.ended();
                }
                data.map(|data| Ok(Frame::data(data)))
            }
            None => {
                this.call.ended();
                None
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.ahead.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let ahead = self.ahead.iter().map(|part| u64::try_from(part.len()).unwrap_or(u64::MAX)).sum::<u64>();
        let rest = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + ahead);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + ahead);
        }
        hint
    }
}
