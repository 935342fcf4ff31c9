//! The ambient context of a note: which client's request is being polled now, and which event it last made.
//!
//! Code under study should read like the code people write, so the operation is not handed down through every
//! call; it is set around each poll instead, as tracing libraries do. One thread polls one future at a time, in
//! both worlds, so a thread-local cell is enough.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;

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

/// Runs `future` as (part of) `operation`: what it notes belongs to it, and each of its events is the cause of the
/// next. `cause` is the event that set it going.
pub async fn scope<F: Future>(
    operation: Option<OperationId>,
    cause: Option<EventId>,
    future: F,
) -> F::Output {
    let mut future = pin!(future);
    let mut own = Context { operation, cause, message: None };
    poll_fn(|cx| {
        let outer = CURRENT.replace(own);
        let polled = future.as_mut().poll(cx);
        own = CURRENT.replace(outer);
        polled
    })
    .await
}

/// Polls with no context around it: what is polled sets its own with [`scope`], and nothing leaks from one task, or
/// one run, into the next.
pub fn unscoped<T>(poll: impl FnOnce() -> T) -> T {
    let outer = CURRENT.take();
    let polled = poll();
    CURRENT.set(outer);
    polled
}

/// Runs a call under its message's number: the simulator learns from it which call it serves.
pub(crate) async fn calling<F: Future>(message: MessageId, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let outer = CURRENT.get().message;
        CURRENT.set(Context { message: Some(message), ..CURRENT.get() });
        let polled = future.as_mut().poll(cx);
        CURRENT.set(Context { message: outer, ..CURRENT.get() });
        polled
    })
    .await
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
