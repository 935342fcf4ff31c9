//! A read: L1, then L2, then the database.

use std::time::Duration;

use futures_util::FutureExt;

use super::TieredCache;
use super::answer::{Landing, Read, ReadError};
use super::local::{Epoch, Found};
use super::single_flight::{Boarding, Seat};
use crate::consistency::Demand;
use crate::policy::{Fleet, SharedWrite};
use crate::ports::{Clock, Database, Ports, ReadFrom, Replaced, SharedCache, Stored};
use crate::trace::{self, Kind, WaitFor, Why};
use crate::value::{Entry, Instant, Key, Lookup, Tier};

impl<P: Ports> TieredCache<P> {
    /// Reads a row at the policy's level.
    ///
    /// # Errors
    /// When neither a cache nor the database gave an answer.
    pub async fn get(&self, key: &Key) -> Result<Entry, ReadError> {
        let demand = Demand::level(self.shared.policy.level);
        self.read(key, demand).await.map(|read| read.entry)
    }

    /// Reads a row as `demand` asks.
    ///
    /// # Errors
    /// When neither a cache nor the database gave an answer.
    pub async fn read(&self, key: &Key, demand: Demand) -> Result<Read, ReadError> {
        let started = self.now();
        if let Some(entry) = self.read_local(key, demand, started) {
            self.shared.metrics.answered(Tier::L1, &entry, self.now().since(started));
            return Ok(Read { entry, tier: Tier::L1 });
        }
        let read = if kept!("strong.primary") && demand.is_strong() {
            self.read_database(key).await
        } else if self.shared.policy.miss.single_flight {
            // While L1 is withheld no invalidation may come to part a reader from a read that began before it.
            let withheld = kept!("flight.not-withheld") && self.shared.local.withheld(started).is_some();
            let boarding = if withheld { Boarding::BeforeDeparture } else { Boarding::Any };
            self.read_together(key, demand, boarding).await
        } else {
            self.read_through(key, demand).await
        };
        let took = self.now().since(started);
        match &read {
            Ok(read) => self.shared.metrics.answered(read.tier, &read.entry, took),
            Err(_) => self.shared.metrics.error(took),
        }
        read
    }

    /// Asks L1.
    #[inline]
    pub(super) fn read_local(&self, key: &Key, demand: Demand, now: Instant) -> Option<Entry> {
        match self.shared.local.lookup(key, now, demand) {
            Found::Fit(entry) => {
                self.note(Kind::L1Hit, key, Some(entry.stamp.version));
                Some(entry)
            }
            Found::Unfit(why, entry) => {
                self.note(Kind::L1Unfit { why }, key, Some(entry.stamp.version));
                None
            }
            Found::Absent => {
                self.note(Kind::L1Miss, key, None);
                None
            }
        }
    }

    /// Reads for every request of this server that wants the key, or joins the one that already does.
    async fn read_together(&self, key: &Key, demand: Demand, boarding: Boarding) -> Landing {
        let fly = || {
            let (cache, key) = (self.clone(), key.clone());
            let read = async move {
                let landing = cache.read_through(&key, demand).await;
                (landing, trace::cause())
            };
            trace::scope(trace::current(), trace::cause(), read).boxed()
        };
        match self.shared.flights.board(key, boarding, fly) {
            Seat::Leads(departure, flight) => {
                self.note(Kind::FlightLed, key, None);
                let (landing, last) = flight.await;
                trace::set_cause(last);
                drop(departure);
                landing
            }
            Seat::Joins(flight) => {
                self.note(Kind::FlightJoined, key, None);
                let (landing, last) = flight.await;
                trace::set_cause(last);
                self.note(Kind::Woken { on: WaitFor::Flight }, key, None);
                match landing {
                    // The leader may have asked for less, or its query may have run before this reader's own write.
                    Ok(read) if kept!("flight.level") && !demand.accepts(&read.entry.stamp, self.now()) => {
                        self.read_database(key).await
                    }
                    landing => landing,
                }
            }
        }
    }

    /// Reads from L2 or else from the database, and leaves the value in the tiers that it passed.
    async fn read_through(&self, key: &Key, demand: Demand) -> Landing {
        let epoch = self.shared.local.epoch(key);
        match self.shared.policy.miss.fleet {
            Fleet::Lease { .. } => self.read_leased(key, demand, epoch).await,
            Fleet::None
                if kept!("read.guarded")
                    && self.shared.policy.shared_write() == SharedWrite::ReplaceOlder =>
            {
                self.read_guarded(key, demand, epoch).await
            }
            Fleet::None => self.read_unprotected(key, demand, epoch).await,
        }
    }

    /// Whoever misses reads the database.
    async fn read_unprotected(&self, key: &Key, demand: Demand, epoch: Epoch) -> Landing {
        let found = self.shared.ports.shared().get(key).await;
        let found = if kept!("read.error-is-no-miss") { found } else { found.or(Ok(Lookup::Miss)) };
        let Ok(found) = found else {
            // L2 could not be asked: that is no miss, and what is read now must not be cached.
            return self.read_database(key).await;
        };
        if let Some(entry) = self.fit(found, demand) {
            self.store_local(key, &entry, epoch);
            return Ok(Read { entry, tier: Tier::L2 });
        }
        let read = self.read_database(key).await?;
        if self.store_shared(key, &read.entry).await || !kept!("read.l2-took-it") {
            self.store_local(key, &read.entry, epoch);
            if self.shared.policy.miss.publish_fill {
                self.invalidate_others(key, Some(read.entry.stamp.version)).await;
            }
        } else {
            self.refuse_local(key, &read.entry);
        }
        Ok(read)
    }

    /// Reads the primary and caches nothing.
    pub(super) async fn read_database(&self, key: &Key) -> Landing {
        let row = self.shared.ports.database().read(key, ReadFrom::Primary).await?;
        Ok(Read { entry: row.into_entry(), tier: Tier::Database })
    }

    /// L2 holds what is not fresh enough: the primary is read, and what it answers stands in L2 then, unless something newer
    /// does. L2 is not emptied for it, so nobody waits.
    pub(super) async fn refresh(&self, key: &Key, epoch: Epoch) -> Landing {
        let read = self.read_database(key).await?;
        let replaced =
            self.shared.ports.shared().replace_older(key, &read.entry, self.shared_ttl(&read.entry)).await;
        if replaced == Ok(Replaced::Stored) || !kept!("refresh.l2-took-it") {
            self.store_local(key, &read.entry, epoch);
        } else {
            self.refuse_local(key, &read.entry);
        }
        Ok(read)
    }

    /// The entry that L2 found, if it is good enough for the reader.
    pub(super) fn fit(&self, found: Lookup, demand: Demand) -> Option<Entry> {
        let entry = match found {
            Lookup::Hit(entry) => entry,
            Lookup::Negative(stamp) if kept!("read.absent-is-an-answer") => Entry { value: None, stamp },
            Lookup::Negative(_) | Lookup::Miss => return None,
        };
        let hit = self.shared.policy.answers.is_hit(entry.value.as_ref());
        (hit && (!kept!("l2.level") || demand.accepts(&entry.stamp, self.now()))).then_some(entry)
    }

    /// Stores a fill in L2, and says whether L2 surely holds it now.
    async fn store_shared(&self, key: &Key, entry: &Entry) -> bool {
        let (shared, ttl) = (self.shared.ports.shared(), self.shared_ttl(entry));
        if self.shared.policy.shared_write() == SharedWrite::SetIfNewer {
            matches!(shared.set_if_newer(key, entry, ttl).await, Ok(Stored::Stored))
        } else {
            shared.set(key, entry, ttl).await.is_ok()
        }
    }

    /// Stores an entry in L1, unless an invalidation came since `epoch`.
    #[track_caller]
    pub(super) fn store_local(&self, key: &Key, entry: &Entry, epoch: Epoch) {
        let kind = match self.shared.local.store(key, entry.clone(), epoch, self.now()) {
            Ok(ttl) => Kind::L1Stored { value: entry.value.clone(), ttl_ms: millis(ttl) },
            Err(why) => Kind::L1Refused { why },
        };
        self.note(kind, key, Some(entry.stamp.version));
    }

    /// Notes that L1 does not take in what L2 did not take.
    #[track_caller]
    pub(super) fn refuse_local(&self, key: &Key, entry: &Entry) {
        self.note(Kind::L1Refused { why: Why::L2Refused }, key, Some(entry.stamp.version));
    }

    #[inline]
    pub(super) fn now(&self) -> Instant {
        self.shared.ports.clock().now()
    }

    /// How long L2 keeps an entry.
    pub(super) fn shared_ttl(&self, entry: &Entry) -> Duration {
        let ttl = Duration::from_millis(self.shared.policy.shared_ttl_ms);
        self.shared.policy.answers.ttl(entry.value.as_ref(), ttl)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
