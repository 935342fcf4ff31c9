//! Time, tasks and chance: what a simulator must own to be able to replay a run.

use std::pin::Pin;
use std::time::Duration;

use crate::value::Instant;

/// A future that owns all that it needs.
pub type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A monotonic clock. The implementation must never go back; two servers' clocks may differ.
pub trait Clock: Send + Sync {
    /// The time now. It may be coarse (to a millisecond) and must be cheap: every lookup asks.
    fn now(&self) -> Instant;

    /// Waits at least this long.
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send;
}

/// What runs beside requests: subscriber, beats, renewal. Tasks die with their server.
pub trait Tasks: Send + Sync {
    /// Starts a task. It runs until it ends or its server dies; nobody waits for it.
    fn spawn(&self, task: BoxFuture);
}

/// Chance. In the simulator it comes from the seed.
pub trait Entropy: Send + Sync {
    /// Sixty-four random bits.
    fn draw(&self) -> u64;
}
