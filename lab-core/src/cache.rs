//! The tiered cache: L1 in the server, L2 in Redis, the database behind; and what keeps them from disagreeing.
//!
//! It is ordinary async Rust over [`Ports`] and never knows which world it is in. Which protections are on is the
//! [`Policy`]'s matter; each has a file:
//!
//! * [`local`]: L1, its epochs, and when it may be served at all
//! * [`read`]: L1, then L2, then the database
//! * [`lease`]: one server of the fleet fills, the others are woken
//! * [`single_flight`]: requests of one server share one read
//! * [`write`]: the order of a write's effects
//! * [`acknowledge`]: a write that returns when everybody has forgotten the old value
//! * [`hearing`]: who is heard on the bus, and who should be
//! * [`seen_through`]: what follows a commit happens although the caller goes away
//! * [`subscriber`]: what arrives on the bus, and what is missing
//! * [`outbox`]: a committed write is told to everybody, whatever becomes of its writer
//! * [`owed`]: locks and leases that are given back on every way out
//! * [`compute`]: an expensive computation under a lock of the fleet
//! * [`signal`]: how a notice wakes who waits for it
//! * [`metrics`]: hits, misses, errors and latencies

/// The atomics of L1, which a test replaces by some whose every order can be tried.
mod atomic {
    pub(super) use std::sync::atomic::{AtomicU64, Ordering};
}

mod acknowledge;
mod answer;
mod compute;
mod hearing;
mod lease;
mod local;
mod metrics;
mod outbox;
mod owed;
mod read;
mod seen_through;
mod signal;
mod single_flight;
mod subscriber;
mod write;

use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use crate::policy::Policy;
use crate::ports::{Observer, Ports};
use crate::trace::{Kind, Note, Why};
use crate::value::{Key, Version};

pub use answer::{Read, ReadError};
pub use compute::ComputeError;
pub use metrics::{Answered, Metrics, TierMetrics};
pub use write::WriteError;

use acknowledge::{Acknowledgements, Roster};
use answer::Arrived;
use local::{Invalidated, LocalCache};
use signal::Signals;
use single_flight::Flights;

/// One server's cache. Cloning gives another handle to the same cache.
pub struct TieredCache<P: Ports> {
    shared: Arc<Shared<P>>,
}

struct Shared<P: Ports> {
    ports: P,
    policy: Policy,
    /// L1.
    local: LocalCache,
    /// Reads in progress that later requests may join.
    flights: Flights<Key, Arrived>,
    /// Questions who is live that later writes may join.
    rosters: Flights<(), Roster>,
    /// Who waits for somebody else's fill.
    fills: Signals,
    /// Invalidations that wait for acknowledgements.
    acknowledgements: Acknowledgements,
    /// Broadcasts of this server so far: the number of the next one is one more.
    broadcasts: AtomicU64,
    /// This server is about to go: it serves L1 no more, and is no member.
    departing: AtomicBool,
    metrics: Metrics,
}

impl<P: Ports> Clone for TieredCache<P> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<P: Ports> TieredCache<P> {
    /// An empty cache. It serves after [`TieredCache::start`].
    pub fn new(ports: P, policy: Policy) -> Self {
        let local = LocalCache::new(&policy);
        Self {
            shared: Arc::new(Shared {
                ports,
                policy,
                local,
                flights: Flights::default(),
                rosters: Flights::default(),
                departing: AtomicBool::new(false),
                fills: Signals::default(),
                acknowledgements: Acknowledgements::default(),
                broadcasts: AtomicU64::new(0),
                metrics: Metrics::default(),
            }),
        }
    }

    /// What this server does.
    pub fn policy(&self) -> &Policy {
        &self.shared.policy
    }

    /// What this server has of the world.
    pub fn ports(&self) -> &P {
        &self.shared.ports
    }

    /// What was counted so far.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Forgets a key in L1, as an operator would.
    pub fn forget(&self, key: &Key) {
        self.drop_local(key, None, Why::Asked);
    }

    /// Carries out an invalidation: whatever is on its way into L1 is void, later readers start anew, and L1 no
    /// longer holds the key.
    #[track_caller]
    fn drop_local(&self, key: &Key, version: Option<Version>, why: Why) -> Invalidated {
        let invalidated = self.shared.local.invalidate(key);
        if kept!("invalidate.detaches") && self.shared.flights.detach(key) {
            self.note(Kind::FlightDetached, key, version);
        }
        self.note(Kind::L1Dropped { why, held: invalidated.held }, key, version);
        invalidated
    }

    /// Carries out every invalidation that there may have been: L1 is empty, and later readers start anew.
    #[track_caller]
    fn empty_local(&self, why: Why) {
        if kept!("flush.l1") {
            self.shared.local.flush();
        }
        if kept!("flush.detaches") {
            self.shared.flights.detach_all();
        }
        self.note_bare(Kind::L1Flushed { why });
    }

    /// Notes what this server does, with the caller's line.
    #[track_caller]
    fn note(&self, kind: Kind, key: &Key, version: Option<Version>) {
        let observer = self.shared.ports.observer();
        if observer.enabled() {
            observer.note(Note::new(kind).key(key).version(version).source(Location::caller()));
        }
    }

    /// Notes what this server does to no key in particular.
    #[track_caller]
    fn note_bare(&self, kind: Kind) {
        let observer = self.shared.ports.observer();
        if observer.enabled() {
            observer.note(Note::new(kind).source(Location::caller()));
        }
    }
}
