//! The ambient context of a note: which client's request is being polled now, and which event it last made.
//!
//! Code under study should read like the code people write, so the operation is not handed down through every
//! call; it is set around each poll instead, as tracing libraries do. One thread polls one future at a time, in
//! both worlds, so a thread-local cell is enough.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll};

use pin_project_lite::pin_project;

use super::{EventId, MessageId, OperationId};

#[derive(Clone, Copy, Default)]
struct Context {
    operation: Option<OperationId>,
    cause: Option<EventId>,
    message: Option<MessageId>,
}

thread_local! {
    static CURRENT: Cell<Context> = const { Cell::new(Context { operation: None, cause: None, message: None }) };
}

pin_project! {
    /// A future that runs as (part of) an operation, see [`scope`].
    // Written by hand: an `async fn` would keep its argument and the pinned future apart, and so
    // double the size of every request in progress.
    #[must_use = "futures do nothing unless polled"]
    pub struct Scope<F> {
        #[pin]
        future: F,
        own: Context,
    }
}

/// Runs `future` as (part of) `operation`: what it notes belongs to it, and each of its events is the cause of the
/// next. `cause` is the event that set it going.
pub fn scope<F: Future>(operation: Option<OperationId>, cause: Option<EventId>, future: F) -> Scope<F> {
    Scope { future, own: Context { operation, cause, message: None } }
}

impl<F: Future> Future for Scope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let outer = CURRENT.replace(*this.own);
        let polled = this.future.poll(cx);
        *this.own = CURRENT.replace(outer);
        polled
    }
}

/// Polls with no context around it: what is polled sets its own with [`scope`], and nothing leaks from one task, or
/// one run, into the next.
pub fn unscoped<T>(poll: impl FnOnce() -> T) -> T {
    let outer = CURRENT.take();
    let polled = poll();
    CURRENT.set(outer);
    polled
}

/// Polls a call under its message's number: the simulator learns from it which call it serves.
pub(crate) fn calling<T>(message: MessageId, poll: impl FnOnce() -> T) -> T {
    let outer = CURRENT.get().message;
    CURRENT.set(Context { message: Some(message), ..CURRENT.get() });
    let polled = poll();
    CURRENT.set(Context { message: outer, ..CURRENT.get() });
    polled
}

/// The call that is being polled.
pub(crate) fn message() -> Option<MessageId> {
    CURRENT.get().message
}

/// The operation that is being polled.
pub fn current() -> Option<OperationId> {
    CURRENT.get().operation
}

/// The event that the next note follows from.
pub fn cause() -> Option<EventId> {
    CURRENT.get().cause
}

/// Says that what follows was caused by `event`: adapters call it when an answer or a notice arrives.
pub fn set_cause(event: Option<EventId>) {
    CURRENT.set(Context { cause: event, ..CURRENT.get() });
}
