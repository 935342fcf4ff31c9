//! L1 alone: its own file, compiled once more with atomics that shuttle schedules, so that every order of two threads'
//! steps comes up. What holds of an order between threads no simulated run can see.

/// The atomics of shuttle, in the place of the library's.
mod atomic {
    pub(super) use shuttle::sync::atomic::{AtomicU64, Ordering};
}

#[path = "../../src/cache/hearing.rs"]
#[allow(dead_code, reason = "only what L1 asks of it is tried here")]
mod hearing;

#[path = "../../src/cache/local.rs"]
#[allow(dead_code, unused_imports, reason = "only what threads share is tried here")]
mod local;

use std::sync::Arc;
use std::time::Duration;

use lab_core::consistency::{Demand, Level};
use lab_core::policy::{Policy, Switch};
use lab_core::value::{Entry, Instant, Key, Stamp, Version};
use local::{Found, LocalCache};
use shuttle::thread;

const ORDERS: usize = 300;
const NOW: Instant = Instant(1);

fn version(number: u64) -> Entry {
    Entry { value: None, stamp: Stamp { version: Version(number), as_of: NOW } }
}

fn key() -> Key {
    Key::new("product:1")
}

fn l1() -> LocalCache {
    let mut policy = Policy::lesson();
    policy.local.epochs = true;
    LocalCache::new(&policy)
}

fn found(local: &LocalCache) -> Option<Version> {
    match local.lookup(&key(), NOW, Demand::level(Level::Eventual)) {
        Found::Fit(entry) => Some(entry.stamp.version),
        Found::Unfit(..) | Found::Absent => None,
    }
}

/// One thread reads the old row and fills, one forgets: nobody finds the old row once that is complete.
fn forgets(forget: impl Fn(&LocalCache) + Send + Sync + 'static) {
    let forget = Arc::new(forget);
    shuttle::check_random(
        move || {
            let (local, forget) = (Arc::new(l1()), Arc::clone(&forget));
            let filler = Arc::clone(&local);
            let epoch = local.epoch(&key());
            let fills = thread::spawn(move || filler.store(&key(), version(1), epoch, NOW).is_ok());
            forget(&local);
            assert_eq!(found(&local), None, "the invalidation is complete");
            fills.join().expect("it ends");
            assert_eq!(found(&local), None, "the fill came too late");
        },
        ORDERS,
    );
}

/// An invalidation is complete when it returns, whatever is on its way into L1.
pub(crate) fn invalidation(_: u64) -> bool {
    forgets(|local| {
        local.invalidate(&key());
    });
    false
}

/// So is a flush.
pub(crate) fn flush(_: u64) -> bool {
    forgets(LocalCache::flush);
    false
}

/// L1 takes no older version over a newer one, and nothing that an invalidation has overtaken.
pub(crate) fn never_back(_: u64) -> bool {
    shuttle::check_random(
        || {
            let local = l1();
            let epoch = local.epoch(&key());
            assert!(local.store(&key(), version(2), epoch, NOW).is_ok());
            assert!(local.store(&key(), version(1), epoch, NOW).is_err());
            assert_eq!(found(&local), Some(Version(2)));
            let dropped = local.invalidate(&key());
            assert!(!local.undisturbed(epoch, dropped.after) && local.undisturbed(epoch, dropped.before));
            assert!(local.store(&key(), version(2), epoch, NOW).is_err());
            let epoch = local.epoch(&key());
            local.flush();
            assert!(local.store(&key(), version(3), epoch, NOW).is_err());
        },
        1,
    );
    false
}

/// Who is no member serves nothing, and a lease is left a little early.
pub(crate) fn membership(_: u64) -> bool {
    shuttle::check_random(
        || {
            let local = LocalCache::new(&Policy::lesson().with(Switch::AcknowledgedInvalidation, true));
            local.hearing.listens(NOW);
            assert!(local.withheld(NOW).is_some(), "it has joined nothing yet");
            let lease = Duration::from_secs(1);
            local.renewed(NOW, lease);
            let just = |early: u64| NOW.after(lease.saturating_sub(Duration::from_millis(early)));
            local.hearing.listens(just(0));
            assert!(local.withheld(just(200)).is_none() && local.withheld(just(50)).is_some());
        },
        1,
    );
    false
}
