//! L1: the server's own memory, its epochs, and when it may be served at all.
//!
//! The store and its eviction are `quick_cache`'s, with a fixed hasher and a fixed number of shards so that a run
//! is the same everywhere; versions, ages, expiry and epochs are ours, because no cache crate takes a virtual clock.

use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use quick_cache::sync::{Cache, DefaultLifecycle, EntryAction, EntryResult};
use quick_cache::{OptionsBuilder, UnitWeighter};

use super::atomic::{AtomicU64, Ordering};
use super::hearing::Hearing;
use crate::consistency::Demand;
use crate::policy::{Acknowledge, AnswerRule, Policy};
use crate::trace::Why;
use crate::value::{Entry, Instant, Key};

/// Epochs are kept per stripe of keys: bounded memory, and an invalidation of one key at worst refuses the fill of
/// another.
const EPOCH_STRIPES: usize = 1024;
/// L1 is not served for the last part of a membership lease, so that clocks that run unequally do no harm.
const LEASE_MARGIN: Duration = Duration::from_millis(100);

/// What L1 says of a key.
pub(super) enum Found {
    /// It holds it and may serve it.
    Fit(Entry),
    /// It holds it and may not serve it.
    Unfit(Why, Entry),
    /// It does not hold it.
    Absent,
}

/// The epoch of a key when a read began: the proof that no invalidation came since.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Epoch(u64);

/// What an invalidation did.
#[derive(Clone, Copy)]
pub(super) struct Invalidated {
    /// Whether L1 held the key.
    pub(super) held: bool,
    /// The epoch until then.
    pub(super) before: Epoch,
    /// The epoch that it began: it is the key's as long as no other invalidation comes.
    pub(super) after: Epoch,
}

#[derive(Clone)]
struct Held {
    entry: Entry,
    expires: Instant,
}

pub(super) struct LocalCache {
    store: Cache<Key, Held, UnitWeighter, StableHash>,
    epochs: Box<[AtomicU64]>,
    ttl: Duration,
    answers: AnswerRule,
    guards_epochs: bool,
    /// Until when this server's membership lets it serve L1; the far future where membership does not matter.
    lease_until: AtomicU64,
    /// Who is heard on the bus, and who should be.
    pub(super) hearing: Hearing,
}

impl LocalCache {
    pub(super) fn new(policy: &Policy) -> Self {
        let capacity = policy.local.capacity as usize;
        let options = OptionsBuilder::new()
            .shards(policy.local.shards.into())
            .estimated_items_capacity(capacity)
            .weight_capacity(capacity as u64)
            .build()
            .expect("every capacity is given");
        let leased = matches!(policy.write.acknowledge, Acknowledge::Members { .. });
        Self {
            store: Cache::with_options(options, UnitWeighter, StableHash, DefaultLifecycle::default()),
            epochs: (0..EPOCH_STRIPES).map(|_| AtomicU64::new(0)).collect(),
            ttl: Duration::from_millis(policy.local.ttl_ms),
            answers: policy.answers.clone(),
            guards_epochs: policy.needs_epochs(),
            lease_until: AtomicU64::new(if leased && kept!("l1.members-only") { 0 } else { u64::MAX }),
            hearing: Hearing::new(policy.silence_limit()),
        }
    }

    /// Looks a key up. Its cost is a hit's cost: one lookup, one clock, a few comparisons.
    #[inline]
    pub(super) fn lookup(&self, key: &Key, now: Instant, demand: Demand) -> Found {
        let Some(Held { entry, expires }) = self.store.get(key) else {
            return Found::Absent;
        };
        if kept!("l1.expires") && now >= expires {
            return Found::Unfit(Why::Expired, entry);
        }
        if kept!("l1.level") && !demand.accepts(&entry.stamp, now) {
            return Found::Unfit(Why::TooOld, entry);
        }
        match self.withheld(now) {
            Some(why) => Found::Unfit(why, entry),
            None if !self.answers.is_hit(entry.value.as_ref()) => Found::Unfit(Why::NoHit, entry),
            None => Found::Fit(entry),
        }
    }

    /// Why nothing may be served from L1 now, if so.
    #[inline]
    pub(super) fn withheld(&self, now: Instant) -> Option<Why> {
        if kept!("l1.lease") && !self.is_member(now) {
            return Some(Why::LeaseRanOut);
        }
        (kept!("l1.silence") && self.hearing.misses_somebody(now)).then_some(Why::Silence)
    }

    /// The epoch of a key, to be taken before a read begins.
    pub(super) fn epoch(&self, key: &Key) -> Epoch {
        Epoch(self.stripe(key).load(Ordering::Acquire))
    }

    /// Takes an entry in, unless an invalidation came since `epoch` or a newer version is there. Says for how long it may
    /// be served.
    ///
    /// The epoch is asked while the key's place in the store is held: an invalidation advances the epoch first and
    /// removes the key then, so either it is seen here, or its removal comes later than the insertion. No reader
    /// finds the entry once [`Self::invalidate`] has returned, on however many threads.
    pub(super) fn store(&self, key: &Key, entry: Entry, epoch: Epoch, now: Instant) -> Result<Duration, Why> {
        let ttl = self.answers.ttl(entry.value.as_ref(), self.ttl);
        let fresh = Held { entry, expires: now.after(ttl) };
        if !self.guards_epochs {
            self.store.insert(key.clone(), fresh);
            return Ok(ttl);
        }
        let unmoved = || {
            let moved = self.stripe(key).load(Ordering::Acquire) != epoch.0;
            if kept!("l1.epoch") && moved { Err(Why::EpochMoved) } else { Ok(()) }
        };
        let replace = |_: &Key, held: &mut Held| {
            let newer_held = kept!("l1.never-back") && held.entry.stamp.version > fresh.entry.stamp.version;
            let fits = unmoved().and(if newer_held { Err(Why::NewerHeld) } else { Ok(()) });
            EntryAction::Retain(fits.map(|()| *held = fresh.clone()))
        };
        let stored = match self.store.entry(key, None, replace) {
            EntryResult::Retained(replaced) => replaced,
            // A place that is gone meanwhile was taken away by an invalidation.
            EntryResult::Vacant(place) => {
                unmoved().and_then(|()| place.insert(fresh).map_err(|_| Why::EpochMoved))
            }
            EntryResult::Removed(..) | EntryResult::Replaced(..) | EntryResult::Timeout => {
                unreachable!("what is there is changed in place, and the wait has no end")
            }
        };
        stored.map(|()| ttl)
    }

    /// Advances the key's epoch and forgets the key.
    pub(super) fn invalidate(&self, key: &Key) -> Invalidated {
        let too_early = !kept!("invalidate.epoch-first") && self.store.remove(key).is_some();
        let before = self.stripe(key).fetch_add(u64::from(kept!("invalidate.epoch")), Ordering::AcqRel);
        let last = kept!("invalidate.l1") && kept!("invalidate.epoch-first");
        let held = too_early || (last && self.store.remove(key).is_some());
        Invalidated { held, before: Epoch(before), after: Epoch(before.wrapping_add(1)) }
    }

    /// Whether a value that was read or written in one epoch may be stored after what happened until another.
    pub(super) fn undisturbed(&self, then: Epoch, now: Epoch) -> bool {
        !self.guards_epochs || then == now || !kept!("write.undisturbed")
    }

    /// Whether this server's membership lease runs.
    pub(super) fn is_member(&self, now: Instant) -> bool {
        now.0 < self.lease_until.load(Ordering::Acquire)
    }

    /// Advances every epoch and forgets everything.
    pub(super) fn flush(&self) {
        for stripe in &self.epochs {
            stripe.fetch_add(u64::from(kept!("flush.epochs")), Ordering::AcqRel);
        }
        if kept!("flush.store") {
            self.store.clear();
        }
    }

    /// A renewal of the membership that was sent at `sent` lasts for `lease`.
    pub(super) fn renewed(&self, sent: Instant, lease: Duration) {
        self.lease_until.fetch_max(
            sent.after(if kept!("l1.lease-margin") { lease.saturating_sub(LEASE_MARGIN) } else { lease }).0,
            Ordering::AcqRel,
        );
    }

    /// This server is no member any more.
    pub(super) fn leave(&self) {
        self.lease_until.store(0, Ordering::Release);
    }

    fn stripe(&self, key: &Key) -> &AtomicU64 {
        let hash = StableHash.hash_one(key);
        // The highest bits: quick_cache chooses its shard by others.
        &self.epochs[(hash >> 48) as usize % EPOCH_STRIPES]
    }
}

/// Hashes a key alike on every platform and in every process.
#[derive(Clone, Copy, Default)]
pub(super) struct StableHash;

impl BuildHasher for StableHash {
    type Hasher = StableHasher;

    fn build_hasher(&self) -> StableHasher {
        StableHasher(0)
    }
}

pub(super) struct StableHasher(u64);

impl Hasher for StableHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxhash_rust::xxh3::xxh3_64_with_seed(bytes, self.0);
    }

    /// The end mark that `str` adds: every key has it, so it tells nothing.
    fn write_u8(&mut self, _: u8) {}
}

#[cfg(test)]
mod tests {
    //! What holds on several threads, which no simulated run has.

    use std::thread;

    use super::*;
    use crate::consistency::Level;
    use crate::value::{Stamp, Version};

    const COMMITS: u64 = 10_000_000;
    const NOW: Instant = Instant(1);

    fn version(number: u64) -> Entry {
        Entry { value: None, stamp: Stamp { version: Version(number), as_of: NOW } }
    }

    /// One thread commits and invalidates, one reads the database and fills, one looks up: it never finds a version
    /// older than the last whose invalidation was complete before it looked.
    #[test]
    fn no_lookup_finds_what_a_complete_invalidation_removed() {
        let mut policy = Policy::lesson();
        policy.local.epochs = true;
        let (local, key) = (LocalCache::new(&policy), Key::new("product:1"));
        let (committed, complete) = (AtomicU64::new(0), AtomicU64::new(0));
        let busy = || complete.load(Ordering::Acquire) < COMMITS;
        thread::scope(|scope| {
            scope.spawn(|| {
                for number in 1..=COMMITS {
                    committed.store(number, Ordering::Release);
                    local.invalidate(&key);
                    complete.store(number, Ordering::Release);
                }
            });
            scope.spawn(|| {
                while busy() {
                    let epoch = local.epoch(&key);
                    let row = version(committed.load(Ordering::Acquire));
                    // Whether it is taken in or refused is not what is asked here.
                    let _ = local.store(&key, row, epoch, NOW);
                }
            });
            scope.spawn(|| {
                while busy() {
                    let floor = complete.load(Ordering::Acquire);
                    if let Found::Fit(entry) = local.lookup(&key, NOW, Demand::level(Level::Eventual)) {
                        let found = entry.stamp.version.0;
                        assert!(found >= floor, "found version {found} after the invalidation of {floor}");
                    }
                }
            });
        });
    }
}
