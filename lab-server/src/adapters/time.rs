//! Time, tasks and chance on a real machine.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lab_core::ports::{BoxFuture, Clock, Entropy, Tasks};
use lab_core::trace;
use lab_core::value::Instant;
use tokio::runtime::Handle;

/// The monotonic clock of a run. All servers of a run share it, as they share the machine.
#[derive(Clone, Copy, Debug)]
pub struct RunClock {
    began: std::time::Instant,
}

impl RunClock {
    /// A run begins now.
    pub fn start() -> Self {
        Self { began: std::time::Instant::now() }
    }
}

impl Clock for RunClock {
    fn now(&self) -> Instant {
        Instant(u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// One server's clock: the run's, unless a fault has set it ahead of the others, or back. Cloning gives another handle to
/// it.
#[derive(Clone, Debug)]
pub struct ServerClock {
    run: RunClock,
    skew: Arc<Skew>,
}

#[derive(Debug, Default)]
struct Skew {
    by_ns: AtomicI64,
    /// What it told last: it never goes back.
    told: AtomicU64,
}

impl ServerClock {
    pub(super) fn new(run: RunClock) -> Self {
        Self { run, skew: Arc::default() }
    }

    /// Sets it so much ahead of the run's clock, or behind it.
    pub fn skew(&self, by_ms: i64) {
        // What it told so far stays told.
        self.now();
        self.skew.by_ns.store(by_ms.saturating_mul(1_000_000), Ordering::Release);
    }
}

impl Clock for ServerClock {
    fn now(&self) -> Instant {
        let by_ns = self.skew.by_ns.load(Ordering::Acquire);
        let now = self.run.now().0.saturating_add_signed(by_ns);
        Instant(self.skew.told.fetch_max(now, Ordering::AcqRel).max(now))
    }

    async fn sleep(&self, time: Duration) {
        self.run.sleep(time).await;
    }
}

/// The tasks of a server: they run on its runtime and end with it.
#[derive(Clone, Debug)]
pub struct RuntimeTasks(Handle);

impl RuntimeTasks {
    /// Tasks on the runtime that the caller runs on.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn current() -> Self {
        Self(Handle::current())
    }
}

impl Tasks for RuntimeTasks {
    fn spawn(&self, task: BoxFuture) {
        // A scope of its own: what one task notes must not become the cause of another's.
        self.0.spawn(trace::scope(trace::current(), trace::cause(), task));
    }
}

/// Chance from the operating system: the keys of a hasher, which are drawn there.
#[derive(Debug, Default)]
pub struct OsEntropy {
    keys: RandomState,
    drawn: AtomicU64,
}

impl Entropy for OsEntropy {
    fn draw(&self) -> u64 {
        self.keys.hash_one(self.drawn.fetch_add(1, Ordering::Relaxed))
    }
}

/// A number for a new life of a server: microseconds since 1970, so that a later life has a greater one.
pub(crate) fn incarnation() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or_default()
}
