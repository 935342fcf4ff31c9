//! Work that goes on when whoever waits for it goes away.
//!
//! A web server drops its handler when the client closes the connection. What follows a commit must happen all the same:
//! nobody else knows that the row changed.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::TieredCache;
use crate::ports::{Ports, Tasks};
use crate::trace::{self, EventId, OperationId};

/// A future that is awaited like any other. Dropped under way, it becomes a task of its server.
pub(super) struct SeenThrough<P: Ports, T: Send + 'static> {
    cache: TieredCache<P>,
    work: Option<BoxFuture<'static, T>>,
    begun: bool,
    operation: Option<OperationId>,
    /// The work's last event.
    cause: Option<EventId>,
}

impl<P: Ports, T: Send + 'static> SeenThrough<P, T> {
    pub(super) fn new(cache: &TieredCache<P>, work: BoxFuture<'static, T>) -> Self {
        Self { cache: cache.clone(), work: Some(work), begun: false, operation: None, cause: None }
    }
}

impl<P: Ports, T: Send + 'static> Future for SeenThrough<P, T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        self.begun = true;
        let work = self.work.as_mut().expect("what has ended is not polled again");
        let polled = work.as_mut().poll(cx);
        (self.operation, self.cause) = (trace::current(), trace::cause());
        if polled.is_ready() {
            self.work = None;
        }
        polled
    }
}

impl<P: Ports, T: Send + 'static> Drop for SeenThrough<P, T> {
    fn drop(&mut self) {
        // What nobody has polled has not begun, and need not.
        if let Some(work) = self.work.take().filter(|_| self.begun && kept!("write.seen-through")) {
            let rest = trace::scope(self.operation, self.cause, work.map(drop));
            self.cache.shared.ports.tasks().spawn(Box::pin(rest));
        }
    }
}
